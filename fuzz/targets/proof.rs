//! DPoP proofs and client assertions. No panic, and nothing is one but what its key has signed.
#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use empress_gateway::{
    clock::UnixTime,
    oauth::{ClientId, ClientKeys, ProofOf, claimed_by_assertion},
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const ISSUER: &str = "https://erp.example.com";
const OF: ProofOf<'_> = ProofOf { method: "GET", origin: ISSUER, path: "/", access_token: None };

struct Genuine {
    keys: ClientKeys,
    proof: String,
    assertion: String,
}

static GENUINE: LazyLock<Genuine> = LazyLock::new(|| {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let point = key.public_key().as_ref();
    let coordinate = |from: usize| URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": coordinate(1), "y": coordinate(33)});
    let sign = |header: Value, claims: Value| {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = key.sign(&SystemRandom::new(), signed.as_bytes()).expect("signed");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    Genuine {
        proof: sign(
            json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}),
            json!({"jti": "1", "htm": "GET", "htu": format!("{ISSUER}/"), "iat": 1000}),
        ),
        assertion: sign(
            json!({"alg": "ES256"}),
            json!({"iss": "c", "sub": "c", "aud": ISSUER, "jti": "1", "exp": 1060}),
        ),
        keys: ClientKeys::parse(&json!({ "keys": [jwk] })).expect("keys"),
    }
});

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (genuine, now) = (&*GENUINE, UnixTime::from_secs(1000));
    // `$` and `!` stand for the genuine ones, `@` for the first half of such a one.
    let half: String = genuine.proof.chars().take(genuine.proof.len() / 2).collect();
    let text = text.replace('$', &genuine.proof).replace('!', &genuine.assertion).replace('@', &half);
    assert_eq!(OF.check(&text, now).is_ok(), text == genuine.proof, "{text}");
    let client = ClientId::new("c");
    let is_assertion = genuine.keys.check_assertion(&text, &client, ISSUER, now).is_ok();
    assert_eq!(is_assertion, text == genuine.assertion, "{text}");
    let claimed = claimed_by_assertion(&text);
    assert!(!is_assertion || claimed == Some(client));
    // The same as keys.
    if let Ok(keys) = serde_json::from_str::<Value>(&text) {
        let _ = ClientKeys::parse(&keys);
    }
});
