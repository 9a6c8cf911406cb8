//! The public keys of a client (RFC 7517), and the assertions that it signs with them to show who it is (RFC 7523 §3,
//! OpenID Connect Core §9).

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{
    ClientId, DocumentUrl, TokenHash,
    public_key::{ProtectedHeader, PublicKey, has_secret},
};
use crate::clock::UnixTime;

/// How far in the future an assertion may end. What was presented is remembered for so long.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// More keys are no set of one client's: an assertion that names none is tried with each.
const MOST_KEYS: usize = 50;
/// How far the client's clock may be from ours.
const SKEW: Duration = Duration::from_secs(10);

/// Public keys that signatures can be verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKeys(Vec<PublicKey>);

/// Where a client's keys are to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// They were given (`jwks`).
    Given(Arc<ClientKeys>),
    /// The client publishes them (`jwks_uri`).
    At(DocumentUrl),
}

/// Why a document is no set of public keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    /// Not a JWK Set (RFC 7517 §5).
    #[error("it is not a JWK Set: an object with the member keys, a list of JWKs")]
    NotASet,
    /// A private or a symmetric key, which nobody else should have.
    #[error("it holds a private or a symmetric key: list the public ones alone")]
    Secret,
    /// More keys than anybody who asks should make us try.
    #[error("it has more than 50 keys")]
    TooMany,
    /// None of the keys verifies one of the algorithms.
    #[error("none of its keys can be used: RSA of at least 2048 bits (PS256), P-256 (ES256) or Ed25519 (EdDSA)")]
    NoKey,
}

/// Why an assertion does not show who the client is. All look alike from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAssertion {
    /// No JWT, another algorithm than [`super::SIGNATURE_ALGORITHMS`], no such key, or a wrong signature.
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
    /// Reads a JWK Set. Keys of other kinds are left out.
    ///
    /// # Errors
    /// It is none, has none that can be used, or holds a secret.
    pub fn parse(document: &Value) -> Result<Self, BadKeys> {
        let keys = document.get("keys").and_then(Value::as_array).ok_or(BadKeys::NotASet)?;
        if keys.len() > MOST_KEYS {
            return Err(BadKeys::TooMany);
        }
        if keys.iter().any(has_secret) {
            return Err(BadKeys::Secret);
        }
        // A key of a kind that is not known here must not take the others with it.
        let usable: Vec<PublicKey> = keys.iter().filter_map(|key| PublicKey::parse(key).ok()).collect();
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

    /// Whether the key by whose name an assertion goes is among them; one that names none may be of any.
    #[must_use]
    pub fn may_have_signed(&self, assertion: &str) -> bool {
        let header = ProtectedHeader::of(assertion);
        let kid = header.as_ref().and_then(|header| header.text("kid"));
        kid.is_none_or(|kid| self.0.iter().any(|key| key.id() == Some(kid)))
    }

    /// The claims of a JWT that one of the keys has signed. What its header says of keys but `kid` counts for nothing.
    fn verified_claims(&self, jwt: &str) -> Option<Map<String, Value>> {
        let header = ProtectedHeader::of(jwt)?;
        let kid = header.text("kid");
        let named = self.0.iter().filter(|key| kid.is_none_or(|kid| key.id() == Some(kid)));
        named.into_iter().find_map(|key| key.claims_of(jwt, &header))
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

#[cfg(test)]
mod tests;
