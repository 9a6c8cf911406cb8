//! Proofs that a client holds a key (RFC 9449 §4): what one says, and whether it is about this request.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{
    TokenHash,
    public_key::{BadKey, KeyThumbprint, ProtectedHeader, PublicKey},
};
use crate::clock::UnixTime;

/// How far `iat` may be from our time, before and after it.
const WINDOW: Duration = Duration::from_secs(60);
/// Longer ids than any library makes.
const LONGEST_ID: usize = 256;

/// A proof that is right. Whether it came before, and whether its nonce is good, is for who remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DpopProof {
    /// The key that was proven.
    pub key: KeyThumbprint,
    /// Tells it from all others.
    pub id: TokenHash,
    /// The nonce that it has.
    pub nonce: Option<String>,
}

/// The request that a proof must be about.
#[derive(Clone, Copy, Debug)]
pub struct ProofOf<'r> {
    /// The method.
    pub method: &'r str,
    /// The public origin.
    pub origin: &'r str,
    /// The path, as it came.
    pub path: &'r str,
    /// The access token beside it.
    pub access_token: Option<&'r str>,
}

/// Why a proof proves nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// No JWT of the type `dpop+jwt`, or claims are missing.
    #[error("the DPoP proof is malformed")]
    Malformed,
    /// Its header has no public key that can be used, or a private one.
    #[error("the DPoP proof has no usable public key: use ES256, EdDSA or PS256")]
    Key,
    /// The signature is not by the key of its header.
    #[error("the signature of the DPoP proof is wrong")]
    Signature,
    /// `htm` or `htu` are another request's.
    #[error("the DPoP proof is for another method or URL")]
    Request,
    /// `ath` is not the hash of the access token.
    #[error("the DPoP proof is for another access token")]
    AccessToken,
    /// `iat` is more than a minute away.
    #[error("the DPoP proof was made at another time")]
    Time,
}

impl ProofOf<'_> {
    /// Checks a proof (RFC 9449 §4.3, but for the nonce and for replay).
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(&self, proof: &str, now: UnixTime) -> Result<DpopProof, BadProof> {
        let header = ProtectedHeader::of(proof).ok_or(BadProof::Malformed)?;
        if !header.text("typ").is_some_and(|kind| kind.eq_ignore_ascii_case("dpop+jwt")) {
            return Err(BadProof::Malformed);
        }
        let key = PublicKey::parse(header.get("jwk").ok_or(BadProof::Key)?);
        let key = key.map_err(|_: BadKey| BadProof::Key)?;
        let claims = key.claims_of(proof, &header).ok_or(BadProof::Signature)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let id = text("jti").filter(|id| (1..=LONGEST_ID).contains(&id.len())).ok_or(BadProof::Malformed)?;
        if text("htm") != Some(self.method) || !text("htu").is_some_and(|url| self.is_url(url)) {
            return Err(BadProof::Request);
        }
        check_time(&claims, now)?;
        if let Some(token) = self.access_token
            && text("ath") != Some(URL_SAFE_NO_PAD.encode(TokenHash::of(token).as_bytes()).as_str())
        {
            return Err(BadProof::AccessToken);
        }
        let thumbprint = key.thumbprint().ok_or(BadProof::Key)?;
        Ok(DpopProof {
            key: thumbprint,
            id: TokenHash::of(&format!("dpop\n{thumbprint}\n{id}")),
            nonce: text("nonce").map(str::to_owned),
        })
    }

    /// Scheme and host without regard to letter case, a default port or none; the path to the letter; a query or fragment counts
    /// for nothing (RFC 9449 §4.3, RFC 3986 §6.2.2, §6.2.3).
    fn is_url(&self, url: &str) -> bool {
        let Some((scheme, rest)) = url.split_once("://") else { return false };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.find('/').and_then(|at| rest.split_at_checked(at)).unwrap_or((rest, "/"));
        let scheme = scheme.to_ascii_lowercase();
        let authority = authority.to_ascii_lowercase();
        let default = if scheme == "https" { ":443" } else { ":80" };
        let authority = authority.strip_suffix(default).unwrap_or(&authority);
        path == self.path && self.origin.split_once("://") == Some((scheme.as_str(), authority))
    }
}

fn check_time(claims: &Map<String, Value>, now: UnixTime) -> Result<(), BadProof> {
    let made = claims.get("iat").ok_or(BadProof::Malformed)?;
    // Some clocks give fractions of a second.
    let made = made.as_u64().or_else(|| whole_seconds(made)).ok_or(BadProof::Time)?;
    if made.abs_diff(now.secs()) <= WINDOW.as_secs() { Ok(()) } else { Err(BadProof::Time) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within the numbers that are exact")]
fn whole_seconds(value: &Value) -> Option<u64> {
    let seconds = value.as_f64().filter(|seconds| (0.0..9e15).contains(seconds))?;
    Some(seconds as u64)
}

#[cfg(test)]
mod tests;
