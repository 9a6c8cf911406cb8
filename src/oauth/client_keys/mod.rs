//! The public keys of a client (RFC 7517), and the assertions that it signs with them to show who it is (RFC 7523 §3,
//! OpenID Connect Core §9).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde_json::{Map, Value};

use super::{ClientId, TokenHash};
use crate::clock::UnixTime;

/// How far in the future an assertion may end. What was presented is remembered for so long.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// How far the client's clock may be from ours.
const SKEW: Duration = Duration::from_secs(10);
/// Fewer bytes of an RSA modulus are no key (RFC 7518 §3.5).
const LEAST_MODULUS: usize = 2048 / 8;
/// The bytes of a coordinate on P-256 and of an Ed25519 key (RFC 7518 §6.2.1.2, RFC 8037 §2).
const COORDINATE: usize = 32;
/// The members of a JWK that are secret (RFC 7518 §6.2.2, §6.3.2, §6.4).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Public keys that signatures can be verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKeys(Vec<Jwk>);

/// Why a document is no set of public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    /// Not a JWK Set (RFC 7517 §5).
    #[error("it is not a JWK Set: an object with the member keys, a list of JWKs")]
    NotASet,
    /// A private or a symmetric key, which nobody else should have.
    #[error("it holds a private or a symmetric key: list the public ones alone")]
    Secret,
    /// None of the keys verifies one of the algorithms.
    #[error("none of its keys can be used: RSA of at least 2048 bits (PS256), P-256 (ES256) or Ed25519 (EdDSA)")]
    NoKey,
}

/// Why an assertion does not show who the client is. All look alike from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAssertion {
    /// No JWT, another algorithm than [`ClientKeys::ALGORITHMS`], no such key, or a wrong signature.
    #[error("it is not signed by a key of the client's")]
    Signature,
    /// `iss` and `sub` are not both the client.
    #[error("iss and sub must be the client's id")]
    Issuer,
    /// `aud` is not this server alone.
    #[error("aud must be the issuer of this server, as text")]
    Audience,
    /// `exp` is missing, past, or too far away; or it was made in the future.
    #[error("exp is missing, past or more than an hour away, or iat or nbf is in the future")]
    Time,
    /// `jti` is missing.
    #[error("jti is missing")]
    Id,
}

/// An assertion that is right, once it is known that it was not presented before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedAssertion {
    /// Tells it from all others of all clients.
    pub id: TokenHash,
    /// Until when it must not be taken again.
    pub ends_at: UnixTime,
}

impl ClientKeys {
    /// The algorithms that clients may sign with, by their names in JWA (RFC 7518 §3.1, RFC 8037).
    pub const ALGORITHMS: [&str; 3] = ["PS256", "ES256", "EdDSA"];

    /// Reads a JWK Set. Keys of other kinds are left out.
    ///
    /// # Errors
    /// It is none, has none that can be used, or holds a secret.
    pub fn parse(document: &Value) -> Result<Self, BadKeys> {
        let keys = document.get("keys").and_then(Value::as_array).ok_or(BadKeys::NotASet)?;
        if keys.iter().any(|key| PRIVATE_MEMBERS.iter().any(|member| key.get(member).is_some())) {
            return Err(BadKeys::Secret);
        }
        // One by one: a key of a kind that is not known here must not take the others with it.
        let known = keys.iter().filter_map(|key| serde_json::from_value::<Jwk>(key.clone()).ok());
        let usable: Vec<Jwk> = known.filter(is_usable).collect();
        if usable.is_empty() { Err(BadKeys::NoKey) } else { Ok(Self(usable)) }
    }

    /// Checks an assertion of this client (RFC 7523 §3). Whether it was presented before is for who remembers it.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check_assertion(
        &self,
        assertion: &str,
        client: &ClientId,
        issuer: &str,
        now: UnixTime,
    ) -> Result<CheckedAssertion, BadAssertion> {
        let claims = self.verified_claims(assertion).ok_or(BadAssertion::Signature)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("iss") != Some(client.as_str()) || text("sub") != Some(client.as_str()) {
            return Err(BadAssertion::Issuer);
        }
        if text("aud") != Some(issuer) {
            return Err(BadAssertion::Audience);
        }
        let ends_at = check_times(&claims, now).ok_or(BadAssertion::Time)?;
        let id = text("jti").filter(|id| !id.is_empty()).ok_or(BadAssertion::Id)?;
        Ok(CheckedAssertion { id: TokenHash::of(&format!("client assertion\n{client}\n{id}")), ends_at })
    }

    /// The claims of a JWT that one of the keys has signed. What its header says of keys but `kid` counts for nothing, and
    /// what must be understood there (`crit`) is not (RFC 7515 §4.1.11).
    fn verified_claims(&self, jwt: &str) -> Option<Map<String, Value>> {
        let header = protected_header(jwt)?;
        if header.contains_key("crit") {
            return None;
        }
        let name = header.get("alg").and_then(Value::as_str)?;
        let (algorithm, kid) = (algorithm(name)?, header.get("kid").and_then(Value::as_str));
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let named = |key: &&Jwk| kid.is_none_or(|kid| key.common.key_id.as_deref() == Some(kid));
        let fitting = self.0.iter().filter(named).filter(|key| algorithm_of(key) == Some(algorithm));
        fitting.filter_map(|key| DecodingKey::from_jwk(key).ok()).find_map(|key| {
            jsonwebtoken::decode::<Map<String, Value>>(jwt, &key, &validation).ok().map(|data| data.claims)
        })
    }
}

/// When it ends, if it may be used now.
fn check_times(claims: &Map<String, Value>, now: UnixTime) -> Option<UnixTime> {
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            value.as_u64().filter(|secs| *secs < 1 << 40).map(|secs| Some(UnixTime::from_secs(secs))).ok_or(())
        }
    };
    let ends_at = time("exp").ok()??;
    let begun = |name| time(name).ok().is_some_and(|at| at.is_none_or(|at| at <= now.plus(SKEW)));
    let good = ends_at.plus(SKEW) > now && ends_at <= now.plus(LONGEST) && begun("iat") && begun("nbf");
    good.then(|| ends_at.plus(SKEW))
}

/// The client that an assertion says it is of: nothing of it is checked yet.
#[must_use]
pub fn claimed_by_assertion(assertion: &str) -> Option<ClientId> {
    let claims = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1)?).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&claims).ok()?;
    claims.get("sub").and_then(Value::as_str).map(ClientId::new)
}

fn protected_header(jwt: &str) -> Option<Map<String, Value>> {
    let header = URL_SAFE_NO_PAD.decode(jwt.split('.').next()?).ok()?;
    serde_json::from_slice(&header).ok()
}

fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        "PS256" => Some(Algorithm::PS256),
        "ES256" => Some(Algorithm::ES256),
        "EdDSA" => Some(Algorithm::EdDSA),
        _ => None,
    }
}

/// What a key of this kind verifies.
fn algorithm_of(key: &Jwk) -> Option<Algorithm> {
    match &key.algorithm {
        AlgorithmParameters::RSA(_) => Some(Algorithm::PS256),
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => Some(Algorithm::ES256),
        AlgorithmParameters::OctetKeyPair(curve) if curve.curve == EllipticCurve::Ed25519 => Some(Algorithm::EdDSA),
        _ => None,
    }
}

fn is_usable(key: &Jwk) -> bool {
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_or(0, |bytes| bytes.len());
    let long_enough = match &key.algorithm {
        AlgorithmParameters::RSA(rsa) => bytes(&rsa.n) >= LEAST_MODULUS,
        AlgorithmParameters::EllipticCurve(point) => bytes(&point.x) == COORDINATE && bytes(&point.y) == COORDINATE,
        AlgorithmParameters::OctetKeyPair(point) => bytes(&point.x) == COORDINATE,
        _ => false,
    };
    let Some(algorithm) = algorithm_of(key) else { return false };
    let named = key.common.key_algorithm.is_none_or(|named| named.to_string() == format!("{algorithm:?}"));
    let to_sign = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    long_enough && named && to_sign && DecodingKey::from_jwk(key).is_ok()
}

#[cfg(test)]
mod tests;
