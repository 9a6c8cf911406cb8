//! Clients that sign: keys, their public halves for the configuration, and assertions.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::{encoding::AsDer, rsa, signature::KeyPair as _};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, ThumbprintHash},
};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData};
use serde_json::{Map, Value, json};
use toml::Table;

use super::{Client, TestGateway};

/// The one type of assertion.
pub const JWT_BEARER: (&str, &str) =
    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");

/// A key that a client signs with.
pub struct SigningClient {
    algorithm: Algorithm,
    key: EncodingKey,
    jwk: Value,
    made: AtomicU64,
}

impl SigningClient {
    /// One with a key of P-256.
    pub fn new() -> Self {
        Self::of(Algorithm::ES256)
    }

    /// One with a key for this algorithm, by whose name the key goes.
    pub fn of(algorithm: Algorithm) -> Self {
        let (key, mut jwk) = match algorithm {
            Algorithm::PS256 => rsa_key(),
            Algorithm::EdDSA => {
                let pair = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
                let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.der_bytes())});
                (EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).expect("a key"), jwk)
            }
            _ => {
                let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
                let encoded = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&pair.der_bytes()[range]);
                let jwk = json!({"kty": "EC", "crv": "P-256", "x": encoded(1..33), "y": encoded(33..65)});
                (EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).expect("a key"), jwk)
            }
        };
        jwk["kid"] = format!("{algorithm:?}").into();
        Self { algorithm, key, jwk, made: AtomicU64::new(0) }
    }

    /// The name of its algorithm in JWA.
    pub fn algorithm_name(&self) -> String {
        format!("{:?}", self.algorithm)
    }

    /// The same key under another name.
    #[must_use]
    pub fn named(mut self, kid: &str) -> Self {
        self.jwk["kid"] = kid.into();
        self
    }

    /// The public halves of keys, as a client publishes them.
    pub fn key_set(keys: &[&Self]) -> Value {
        let keys: Vec<&Value> = keys.iter().map(|key| &key.jwk).collect();
        json!({ "keys": keys })
    }

    /// The block of a client with these keys.
    pub fn block(keys: &[&Self], client: Client, rest: &str) -> String {
        let mut block: Table = toml::from_str(rest).expect("TOML");
        block.insert("id".to_owned(), client.id.into());
        block.insert("redirect_uris".to_owned(), vec![client.redirect_uri].into());
        block.insert("jwks".to_owned(), toml::Value::try_from(Self::key_set(keys)).expect("TOML"));
        toml::to_string(&block).expect("TOML")
    }

    /// The thumbprint of its key.
    pub fn thumbprint(&self) -> String {
        let jwk: Jwk = serde_json::from_value(self.jwk.clone()).expect("a key");
        jwk.thumbprint(ThumbprintHash::SHA256).expect("a thumbprint")
    }

    /// A DPoP proof that is right and new, but for `changes`; `null` leaves a claim out.
    pub fn proof(&self, of: (&str, &str), changes: &[(&str, Value)]) -> String {
        self.proof_by(self.algorithm, of, changes)
    }

    /// The same by another algorithm that the key can be used for.
    pub fn proof_by(&self, algorithm: Algorithm, (method, url): (&str, &str), changes: &[(&str, Value)]) -> String {
        let id = format!("{:?} {}", self.algorithm, self.made.fetch_add(1, Ordering::Relaxed));
        let claims = json!({ "jti": id, "htm": method, "htu": url, "iat": now() });
        let mut claims: Map<String, Value> = claims.as_object().expect("claims").clone();
        for (name, value) in changes {
            claims.insert((*name).to_owned(), value.clone());
        }
        claims.retain(|_, value| !value.is_null());
        let mut header = Header::new(algorithm);
        header.typ = Some("dpop+jwt".to_owned());
        header.jwk = Some(serde_json::from_value(self.jwk.clone()).expect("a key"));
        jsonwebtoken::encode(&header, &claims, &self.key).expect("signed")
    }

    /// An assertion that is right and new.
    pub fn fresh(&self, gateway: &TestGateway, client: Client) -> String {
        self.fresh_by(self.algorithm, gateway, client)
    }

    /// The same by another algorithm that the key can be used for.
    pub fn fresh_by(&self, algorithm: Algorithm, gateway: &TestGateway, client: Client) -> String {
        let id = format!("{} {}", self.jwk["kid"], self.made.fetch_add(1, Ordering::Relaxed));
        self.signed(algorithm, &claims(gateway, client, &id))
    }

    /// An assertion that is right but for `changes`; `null` leaves a claim out.
    pub fn assertion(&self, gateway: &TestGateway, client: Client, id: &str, changes: &[(&str, Value)]) -> String {
        let mut claims = claims(gateway, client, id);
        for (name, value) in changes {
            claims.insert((*name).to_owned(), value.clone());
        }
        claims.retain(|_, value| !value.is_null());
        self.signed(self.algorithm, &claims)
    }

    /// A JWT with this header and these claims as they are.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &self.key, self.algorithm);
        format!("{message}.{}", signature.expect("signed"))
    }

    fn signed(&self, algorithm: Algorithm, claims: &Map<String, Value>) -> String {
        let mut header = Header::new(algorithm);
        header.kid = self.jwk["kid"].as_str().map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.key).expect("signed")
    }
}

fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().expect("a time").as_secs()
}

/// The claim `ath` of a token.
pub fn token_hash(access_token: &str) -> Value {
    use sha2::Digest;
    URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(access_token.as_bytes())).into()
}

/// Those of an assertion that is right.
fn claims(gateway: &TestGateway, client: Client, id: &str) -> Map<String, Value> {
    let now = now();
    let claims = json!({
        "iss": client.id, "sub": client.id, "aud": gateway.url(), "jti": id, "iat": now, "exp": now + 60,
    });
    claims.as_object().expect("claims").clone()
}

fn rsa_key() -> (EncodingKey, Value) {
    let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("a key");
    let public = pair.public_key();
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({
        "kty": "RSA",
        "n": encoded(public.modulus().big_endian_without_leading_zero()),
        "e": encoded(public.exponent().big_endian_without_leading_zero()),
    });
    let der = pair.as_der().expect("a key");
    let pem = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n");
    (EncodingKey::from_rsa_pem(pem.as_bytes()).expect("a key"), jwk)
}
