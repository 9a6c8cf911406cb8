//! id_token hints: nothing verifies but what was signed here. Bytes below 0x20 stand for parts of genuine tokens, and for
//! signatures that a forger could make; between 0x1e and 0x1f stands what is to be encoded.
#![no_main]

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use empress_gateway::{
    clock::UnixTime,
    issuer::{KeyLives, SigningKeys},
    oauth::{SigningAlgorithm, SiteId},
    secret::{Secret, SecretKey},
    store::EmbeddedStore,
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

const ISSUER: &str = "https://erp.example.com";
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

struct Ground {
    keys: SigningKeys,
    secret: Secret,
    /// Signed for this issuer.
    genuine: Vec<String>,
    /// Signed for another one.
    foreign: String,
    /// What a forger knows: the public keys in a few writings, no secret, a wrong one.
    known: Vec<Vec<u8>>,
}

static GROUND: LazyLock<Ground> = LazyLock::new(|| {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(Ground::new())
});

impl Ground {
    async fn new() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let key = SecretKey::new([1; 32]);
        let store = EmbeddedStore::open(&place.path().join("db"), SiteId::new("site"), &key).expect("a store");
        let algorithms = [SigningAlgorithm::Rs256, SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];
        let day = Duration::from_secs(86_400);
        let lives = KeyLives { token: Duration::from_secs(60), hint: day, rotation: day };
        let keys = SigningKeys::load(Arc::new(store), &algorithms, lives, NOW).await.expect("keys");
        let claims = |issuer: &str| match json!({"iss": issuer, "sub": "1", "aud": "c", "exp": 1, "iat": 1}) {
            Value::Object(claims) => claims,
            _ => Map::new(),
        };
        let secret = Secret::new("the client's secret");
        let mut genuine = vec![SigningKeys::sign_with_secret(&secret, "JWT", &claims(ISSUER)).expect("signed")];
        for algorithm in algorithms {
            genuine.push(keys.sign(algorithm, "JWT", claims(ISSUER), NOW).await.expect("signed"));
        }
        let foreign =
            keys.sign(SigningAlgorithm::Es256, "JWT", claims("https://other.example"), NOW).await.expect("signed");
        let jwks = keys.jwks(NOW);
        let mut known = vec![Vec::new(), b"secret".to_vec(), jwks.to_string().into_bytes()];
        for jwk in jwks["keys"].as_array().expect("keys") {
            known.push(jwk.to_string().into_bytes());
            for part in ["n", "x"] {
                let bytes = jwk[part].as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
                known.extend(bytes);
                known.extend(jwk[part].as_str().map(|text| text.as_bytes().to_vec()));
            }
        }
        Self { keys, secret, genuine, foreign, known }
    }

    /// The token that the bytes describe.
    fn written(&self, bytes: &[u8]) -> String {
        let (mut text, mut open) = (String::new(), None);
        for byte in bytes {
            match *byte {
                // Header, payload and signature of each genuine token, and of the one for another issuer.
                number @ 0x01..=0x0f => {
                    let number = usize::from(number - 1);
                    let token = self.genuine.get(number / 3).unwrap_or(&self.foreign);
                    text.push_str(token.split('.').nth(number % 3).unwrap_or_default());
                }
                number @ 0x10..=0x1d => {
                    let key = &self.known[usize::from(number - 0x10) % self.known.len()];
                    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
                    let signed = text.trim_end_matches('.').to_owned();
                    text.push_str(&URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())));
                }
                0x1e => open = Some(text.len()),
                0x1f => {
                    if let Some(at) = open.take() {
                        let plain = text.split_off(at);
                        text.push_str(&URL_SAFE_NO_PAD.encode(plain));
                    }
                }
                byte => text.push(char::from(byte)),
            }
        }
        text
    }
}

fuzz_target!(|bytes: &[u8]| {
    let ground = &*GROUND;
    let jwt = ground.written(bytes);
    for secret in [Some(&ground.secret), None] {
        let hint = ground.keys.verify_hint(&jwt, ISSUER, secret);
        let signed = |token: &&String| {
            let (content, _) = token.rsplit_once('.').expect("three parts");
            jwt.strip_prefix(content).is_some_and(|rest| rest.starts_with('.') && !rest[1..].contains('.'))
        };
        let of_ours = ground.genuine.iter().position(|token| signed(&token));
        match hint {
            Some(claims) => {
                assert_eq!(claims["iss"], ISSUER);
                let which = of_ours.unwrap_or_else(|| panic!("forged: {jwt}"));
                assert!(which > 0 || secret.is_some(), "HS256 without a secret: {jwt}");
            }
            None => {
                let whole = ground.genuine.iter().position(|token| *token == jwt);
                assert!(whole.is_none_or(|which| which == 0 && secret.is_none()), "refused: {jwt}");
            }
        }
    }
});
