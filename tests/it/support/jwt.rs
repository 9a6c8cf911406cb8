//! Reading id_tokens, as a client does.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use serde_json::Value;

use super::{Client, TestGateway};

fn part(jwt: &str, index: usize) -> Value {
    let part = jwt.split('.').nth(index).unwrap_or_else(|| panic!("no JWT: {jwt}"));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

/// The header, unchecked.
pub fn header(jwt: &str) -> Value {
    part(jwt, 0)
}

/// The claims, unchecked.
pub fn claims(jwt: &str) -> Value {
    part(jwt, 1)
}

/// The claims of an id_token whose signature, issuer, audience and expiry are right by the published keys.
pub fn claims_by_jwks(gateway: &TestGateway, client: Client, algorithm: Algorithm, jwt: &str) -> Value {
    let keys = gateway.get("/.well-known/jwks.json").json();
    claims_by_document(gateway, (client, algorithm), &keys, jwt)
}

/// The same by published keys that somebody has kept.
pub fn claims_by_document(gateway: &TestGateway, client: (Client, Algorithm), keys: &Value, jwt: &str) -> Value {
    let keys: JwkSet = serde_json::from_value(keys.clone()).expect("a key set");
    let kid = header(jwt)["kid"].as_str().expect("a kid").to_owned();
    let key = keys.find(&kid).unwrap_or_else(|| panic!("{kid} is not published: {keys:?}"));
    let key = DecodingKey::from_jwk(key).expect("a key");
    decode(gateway, client.0, client.1, jwt, &key)
}

/// The same by the client's secret.
pub fn claims_by_secret(gateway: &TestGateway, client: Client, jwt: &str) -> Value {
    decode(gateway, client, Algorithm::HS256, jwt, &DecodingKey::from_secret(client.secret.as_bytes()))
}

fn decode(gateway: &TestGateway, client: Client, algorithm: Algorithm, jwt: &str, key: &DecodingKey) -> Value {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[gateway.url()]);
    validation.set_audience(&[client.id]);
    validation.set_required_spec_claims(&["iss", "sub", "aud", "exp"]);
    jsonwebtoken::decode::<Value>(jwt, key, &validation).expect("a good signature").claims
}
