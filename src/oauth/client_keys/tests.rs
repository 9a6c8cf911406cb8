//! Assertions of a client whose keys are known.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData};
use serde_json::json;

use super::*;

const ISSUER: &str = "https://erp.example.com";

fn now() -> UnixTime {
    UnixTime::from_secs(1_800_000_000)
}

fn client() -> ClientId {
    ClientId::new("backend")
}

/// A key of P-256: what signs, and its JWK.
fn p256(kid: &str) -> (EncodingKey, Value) {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let point = pair.der_bytes().to_vec();
    let (x, y) = point[1..].split_at(32);
    let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y), "kid": kid});
    (EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap(), jwk)
}

fn ed25519() -> (EncodingKey, Value) {
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.der_bytes())});
    (EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).unwrap(), jwk)
}

fn claims() -> Map<String, Value> {
    let secs = now().secs();
    let claims = json!({
        "iss": "backend", "sub": "backend", "aud": ISSUER, "jti": "one", "exp": secs + 60, "iat": secs,
    });
    claims.as_object().unwrap().clone()
}

fn signed(key: &EncodingKey, header: &Header, claims: &Map<String, Value>) -> String {
    encode(header, claims, key).unwrap()
}

fn keys(list: &[Value]) -> ClientKeys {
    ClientKeys::parse(&json!({ "keys": list })).unwrap()
}

#[test]
fn an_assertion_by_a_key_of_the_client_is_right_whether_it_names_the_key_or_not() {
    let ((by_p256, p256_jwk), (by_ed25519, ed25519_jwk)) = (p256("a"), ed25519());
    let keys = keys(&[ed25519_jwk, p256_jwk]);
    let header = Header::new(Algorithm::ES256);
    let mut named = header.clone();
    named.kid = Some("a".to_owned());
    let first = keys.check_assertion(&signed(&by_p256, &header, &claims()), &client(), ISSUER, now());
    assert_eq!(first, keys.check_assertion(&signed(&by_p256, &named, &claims()), &client(), ISSUER, now()));
    assert_eq!(first.unwrap().ends_at, UnixTime::from_secs(now().secs() + 70));
    let by_ed = signed(&by_ed25519, &Header::new(Algorithm::EdDSA), &claims());
    assert!(keys.check_assertion(&by_ed, &client(), ISSUER, now()).is_ok());
}

/// T75
#[test]
fn what_no_key_of_the_client_has_signed_is_refused() {
    let ((ec, jwk), (other, other_jwk)) = (p256("a"), p256("b"));
    let keys = keys(std::slice::from_ref(&jwk));
    let es256 = Header::new(Algorithm::ES256);
    let mut unknown_kid = es256.clone();
    unknown_kid.kid = Some("../../b".to_owned());
    let mut by_header: Header = es256.clone();
    by_header.jwk = serde_json::from_value(other_jwk).ok();
    let good = signed(&ec, &es256, &claims());
    let (head, rest) = good.split_once('.').unwrap();
    let none = |alg: &str| {
        format!("{}.{}.", URL_SAFE_NO_PAD.encode(format!("{{\"alg\":\"{alg}\"}}")), rest.split_once('.').unwrap().0)
    };
    let critical = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","crit":["exp"],"exp":1}"#);
    let by_secret = EncodingKey::from_secret(jwk["x"].as_str().unwrap().as_bytes());
    for (what, assertion) in [
        ("another key", signed(&other, &es256, &claims())),
        ("an unknown kid", signed(&ec, &unknown_kid, &claims())),
        ("a key of its own header", signed(&other, &by_header, &claims())),
        ("HS256 with the public key", signed(&by_secret, &Header::new(Algorithm::HS256), &claims())),
        ("no signature", none("none")),
        ("no signature, in other letters", none("None")),
        ("what must be understood", format!("{critical}.{rest}")),
        ("another header", format!("{head}A.{rest}")),
        ("no JWT", "x.y".to_owned()),
        ("nothing", String::new()),
    ] {
        let refused = keys.check_assertion(&assertion, &client(), ISSUER, now());
        assert_eq!(refused, Err(BadAssertion::Signature), "{what}");
    }
    assert!(keys.check_assertion(&good, &client(), ISSUER, now()).is_ok());
}

/// T75
#[test]
fn every_claim_of_an_assertion_is_checked() {
    let (key, jwk) = p256("a");
    let keys = keys(&[jwk]);
    let secs = now().secs();
    let check = |name: &str, value: Value| {
        let mut claims = claims();
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.to_owned(), value);
        }
        let assertion = signed(&key, &Header::new(Algorithm::ES256), &claims);
        keys.check_assertion(&assertion, &client(), ISSUER, now()).err()
    };
    for (name, value, reason) in [
        ("iss", json!("other"), BadAssertion::Issuer),
        ("sub", json!("other"), BadAssertion::Issuer),
        ("sub", Value::Null, BadAssertion::Issuer),
        ("aud", json!([ISSUER]), BadAssertion::Audience),
        ("aud", json!(format!("{ISSUER}/")), BadAssertion::Audience),
        ("aud", json!("https://other.example"), BadAssertion::Audience),
        ("aud", Value::Null, BadAssertion::Audience),
        ("exp", json!(secs - 300), BadAssertion::Time),
        ("exp", json!(secs - 10), BadAssertion::Time),
        ("exp", json!(secs + 3601), BadAssertion::Time),
        ("exp", json!("1800000060"), BadAssertion::Time),
        ("exp", json!(1e300), BadAssertion::Time),
        ("exp", Value::Null, BadAssertion::Time),
        ("iat", json!(secs + 61), BadAssertion::Time),
        ("nbf", json!(secs + 61), BadAssertion::Time),
        ("nbf", json!("soon"), BadAssertion::Time),
        ("jti", Value::Null, BadAssertion::Id),
        ("jti", json!(""), BadAssertion::Id),
    ] {
        assert_eq!(check(name, value.clone()), Some(reason), "{name}: {value}");
    }
    for (name, value) in [("exp", json!(secs - 9)), ("iat", json!(secs + 10)), ("iat", Value::Null)] {
        assert_eq!(check(name, value.clone()), None, "{name}: {value}");
    }
}

#[test]
fn two_clients_may_use_the_same_jti() {
    let (key, jwk) = p256("a");
    let keys = keys(&[jwk]);
    let of = |id: &str| {
        let mut claims = claims();
        claims.insert("iss".to_owned(), id.into());
        claims.insert("sub".to_owned(), id.into());
        let assertion = signed(&key, &Header::new(Algorithm::ES256), &claims);
        assert_eq!(claimed_by_assertion(&assertion), Some(ClientId::new(id)));
        keys.check_assertion(&assertion, &ClientId::new(id), ISSUER, now()).unwrap().id
    };
    assert_ne!(of("one"), of("two"));
    assert_eq!(of("one"), of("one"));
}

#[test]
fn only_public_keys_of_the_known_kinds_are_a_clients_keys() {
    let (_, good) = p256("a");
    let with = |member: &str, value: &str| {
        let mut key = good.clone();
        key[member] = value.into();
        key
    };
    let set = |key: Value| ClientKeys::parse(&json!({ "keys": [key] }));
    assert_eq!(set(with("d", "AAAA")), Err(BadKeys::Secret));
    assert_eq!(set(json!({"kty": "oct", "k": "AAAA"})), Err(BadKeys::Secret));
    for unusable in [
        with("use", "enc"),
        with("alg", "ES384"),
        with("crv", "P-384"),
        with("x", "AAAA"),
        json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xff; 128]), "e": "AQAB"}),
        json!({"kty": "unheard of"}),
        json!(7),
    ] {
        assert_eq!(set(unusable.clone()), Err(BadKeys::NoKey), "{unusable}");
    }
    let rsa =
        json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xff; 256]), "e": "AQAB", "alg": "PS256", "use": "sig"});
    assert!(ClientKeys::parse(&json!({"keys": [{"kty": "unheard of"}, rsa]})).is_ok());
    for document in [json!({}), json!([good]), json!({"keys": "x"}), Value::Null] {
        assert_eq!(ClientKeys::parse(&document), Err(BadKeys::NotASet), "{document}");
    }
}
