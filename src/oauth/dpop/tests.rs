//! Proofs, and what is wrong with others.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use serde_json::json;

use super::*;

const ORIGIN: &str = "https://erp.example.com";
const PATH: &str = "/api/resource/User";
const TOKEN: &str = "emp_at_x";

fn now() -> UnixTime {
    UnixTime::from_secs(1_800_000_000)
}

/// A key, and a header with its public half.
fn key() -> (EncodingKey, Header) {
    let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let coordinate = |range: std::ops::Range<usize>| URL_SAFE_NO_PAD.encode(&pair.der_bytes()[range]);
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": coordinate(1..33), "y": coordinate(33..65)});
    let mut header = Header::new(Algorithm::ES256);
    header.typ = Some("dpop+jwt".to_owned());
    header.jwk = Some(serde_json::from_value::<Jwk>(jwk).unwrap());
    (EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap(), header)
}

fn claims() -> Map<String, Value> {
    let ath = URL_SAFE_NO_PAD.encode(TokenHash::of(TOKEN).as_bytes());
    let claims = json!({
        "jti": "one", "htm": "GET", "htu": format!("{ORIGIN}{PATH}"), "iat": now().secs(), "ath": ath, "nonce": "n",
    });
    claims.as_object().unwrap().clone()
}

fn check(proof: &str) -> Result<DpopProof, BadProof> {
    ProofOf { method: "GET", origin: ORIGIN, path: PATH, access_token: Some(TOKEN) }.check(proof, now())
}

#[test]
fn a_proof_shows_its_key_and_tells_itself_from_others() {
    let (key, header) = key();
    let proof = |id: &str| {
        let mut claims = claims();
        claims.insert("jti".to_owned(), id.into());
        check(&encode(&header, &claims, &key).unwrap()).unwrap()
    };
    let first = proof("one");
    assert_eq!(first.nonce.as_deref(), Some("n"));
    assert_eq!(first, proof("one"));
    assert_eq!((first.key, first.id == proof("two").id), (proof("two").key, false));
}

/// T74
#[test]
fn every_claim_of_a_proof_is_checked() {
    let (key, header) = key();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.to_owned(), value);
        }
        check(&encode(&header, &claims, &key).unwrap()).err()
    };
    let url = |text: &str| json!(format!("{ORIGIN}{text}"));
    let secs = now().secs();
    for (name, value, reason) in [
        ("jti", Value::Null, BadProof::Malformed),
        ("jti", json!(""), BadProof::Malformed),
        ("jti", json!("x".repeat(257)), BadProof::Malformed),
        ("htm", json!("POST"), BadProof::Request),
        ("htm", json!("get"), BadProof::Request),
        ("htm", Value::Null, BadProof::Request),
        ("htu", url("/api/resource/User/"), BadProof::Request),
        ("htu", url("/api/resource/user"), BadProof::Request),
        ("htu", url("?/api/resource/User"), BadProof::Request),
        ("htu", url("/api/resource/Us?er"), BadProof::Request),
        ("htu", url("/api/resource/%55ser"), BadProof::Request),
        ("htu", json!("https://erp.example.com.evil/api/resource/User"), BadProof::Request),
        ("htu", json!("https://x@erp.example.com/api/resource/User"), BadProof::Request),
        ("htu", json!("http://erp.example.com/api/resource/User"), BadProof::Request),
        ("htu", json!("https://erp.example.com:8443/api/resource/User"), BadProof::Request),
        ("htu", json!(PATH), BadProof::Request),
        ("ath", json!("AAAA"), BadProof::AccessToken),
        ("ath", Value::Null, BadProof::AccessToken),
        ("iat", json!(secs - 61), BadProof::Time),
        ("iat", json!(secs + 61), BadProof::Time),
        ("iat", json!("1800000000"), BadProof::Time),
        ("iat", json!(1e300), BadProof::Time),
        ("iat", json!(-1.0), BadProof::Time),
        ("iat", Value::Null, BadProof::Malformed),
    ] {
        assert_eq!(with(name, value.clone()), Some(reason), "{name}: {value}");
    }
    for (name, value) in [
        ("iat", json!(secs - 60)),
        ("iat", json!(secs + 60)),
        ("iat", json!(1_800_000_000.25)),
        ("nonce", Value::Null),
        ("htu", json!("HTTPS://ERP.example.com:443/api/resource/User")),
        ("htu", url("/api/resource/User?x=1#y")),
        ("htu", url("/api/resource/User#x?y")),
    ] {
        assert_eq!(with(name, value.clone()), None, "{name}: {value}");
    }
}

/// T74
#[test]
fn a_proof_is_signed_by_the_public_key_in_its_header() {
    let ((key, header), (other, other_header)) = (key(), key());
    let by = |key: &EncodingKey, header: &Header| check(&encode(header, &claims(), key).unwrap()).err();
    let changed = |change: fn(&mut Header)| {
        let mut changed = header.clone();
        change(&mut changed);
        changed
    };
    assert_eq!(by(&other, &header), Some(BadProof::Signature));
    assert_eq!(by(&other, &other_header), None);
    assert_eq!(by(&key, &changed(|header| header.typ = Some("JWT".to_owned()))), Some(BadProof::Malformed));
    assert_eq!(by(&key, &changed(|header| header.typ = None)), Some(BadProof::Malformed));
    assert_eq!(by(&key, &changed(|header| header.jwk = None)), Some(BadProof::Key));
    let symmetric = EncodingKey::from_secret(b"secret");
    let hs256 = changed(|header| header.alg = Algorithm::HS256);
    assert_eq!(by(&symmetric, &hs256), Some(BadProof::Signature));
    let good = encode(&header, &claims(), &key).unwrap();
    let (head, rest) = good.split_once('.').unwrap();
    let mut parsed: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    parsed["jwk"]["d"] = "AAAA".into();
    let with_private = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(parsed.to_string()));
    assert_eq!(check(&with_private).err(), Some(BadProof::Key));
    parsed["jwk"] = json!({"kty": "oct", "k": "AAAA"});
    let with_symmetric = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(parsed.to_string()));
    assert_eq!(check(&with_symmetric).err(), Some(BadProof::Key));
    for junk in ["", "x", "x.y.z", "e30.e30.e30"] {
        assert_eq!(check(junk).err(), Some(BadProof::Malformed), "{junk}");
    }
}
