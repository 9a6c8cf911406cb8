//! Public keys of others (RFC 7517), and what they have signed (RFC 7515).

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse, ThumbprintHash},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Fewer bytes of an RSA modulus are no key (RFC 7518 §3.5).
const LEAST_MODULUS: usize = 2048 / 8;
/// More make a signature slow to verify, and nobody needs them.
const MOST_MODULUS: usize = 4096 / 8;
/// The bytes of a coordinate on P-256 and of an Ed25519 key (RFC 7518 §6.2.1.2, RFC 8037 §2).
const COORDINATE: usize = 32;
/// The members of a JWK that are secret (RFC 7518 §6.2.2, §6.3.2, §6.4).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The algorithms that others may sign with, by their names in JWA (RFC 7518 §3.1, RFC 8037).
pub const SIGNATURE_ALGORITHMS: [&str; 3] = ["PS256", "ES256", "EdDSA"];

/// A public key that verifies one of [`SIGNATURE_ALGORITHMS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Jwk);

/// The SHA-256 of a public key as RFC 7638 writes it: two keys with one are the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyThumbprint([u8; 32]);

/// Why a JWK is no key that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKey {
    /// It is, or has, a private or a symmetric key.
    Secret,
    /// Another kind of key, too short, or none at all.
    Unusable,
}

/// A text is no thumbprint: 43 characters of base64url.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the SHA-256 thumbprint of a key, in base64url")]
pub struct NoThumbprint;

impl PublicKey {
    /// Reads a JWK.
    ///
    /// # Errors
    /// Why it is no key that can be used.
    pub fn parse(jwk: &Value) -> Result<Self, BadKey> {
        if has_secret(jwk) {
            return Err(BadKey::Secret);
        }
        let key = serde_json::from_value(jwk.clone()).map(Self).map_err(|_| BadKey::Unusable)?;
        if key.is_usable() { Ok(key) } else { Err(BadKey::Unusable) }
    }

    /// `kid`
    pub(super) fn id(&self) -> Option<&str> {
        self.0.common.key_id.as_deref()
    }

    /// RFC 7638 §3.
    #[must_use]
    pub fn thumbprint(&self) -> Option<KeyThumbprint> {
        KeyThumbprint::parse(&self.0.thumbprint(ThumbprintHash::SHA256).ok()?).ok()
    }

    /// The claims of a JWT with this header, if it was signed with this key. Times and audience are not looked at.
    pub(super) fn claims_of(&self, jwt: &str, header: &ProtectedHeader) -> Option<Map<String, Value>> {
        let algorithm = self.algorithm()?;
        if header.algorithm()? != algorithm {
            return None;
        }
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let key = DecodingKey::from_jwk(&self.0).ok()?;
        jsonwebtoken::decode::<Map<String, Value>>(jwt, &key, &validation).ok().map(|data| data.claims)
    }

    /// What a key of this kind verifies.
    fn algorithm(&self) -> Option<Algorithm> {
        match &self.0.algorithm {
            AlgorithmParameters::RSA(_) => Some(Algorithm::PS256),
            AlgorithmParameters::EllipticCurve(point) if point.curve == EllipticCurve::P256 => Some(Algorithm::ES256),
            AlgorithmParameters::OctetKeyPair(point) if point.curve == EllipticCurve::Ed25519 => Some(Algorithm::EdDSA),
            _ => None,
        }
    }

    fn is_usable(&self) -> bool {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_or(0, |bytes| bytes.len());
        let right_length = match &self.0.algorithm {
            AlgorithmParameters::RSA(rsa) => (LEAST_MODULUS..=MOST_MODULUS).contains(&bytes(&rsa.n)),
            AlgorithmParameters::EllipticCurve(point) => bytes(&point.x) == COORDINATE && bytes(&point.y) == COORDINATE,
            AlgorithmParameters::OctetKeyPair(point) => bytes(&point.x) == COORDINATE,
            _ => false,
        };
        let Some(algorithm) = self.algorithm() else { return false };
        let common = &self.0.common;
        let named = common.key_algorithm.is_none_or(|named| named.to_string() == format!("{algorithm:?}"));
        let to_sign = !matches!(common.public_key_use, Some(PublicKeyUse::Encryption));
        right_length && named && to_sign && DecodingKey::from_jwk(&self.0).is_ok()
    }
}

/// Whether a JWK is, or has, a private or a symmetric key.
pub(super) fn has_secret(jwk: &Value) -> bool {
    PRIVATE_MEMBERS.iter().any(|member| jwk.get(member).is_some())
}

impl KeyThumbprint {
    /// Reads it as `jkt` has it (RFC 9449 §6.1).
    ///
    /// # Errors
    /// [`NoThumbprint`].
    pub fn parse(text: &str) -> Result<Self, NoThumbprint> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NoThumbprint)?;
        bytes.try_into().map(Self).map_err(|_| NoThumbprint)
    }

    /// One that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for KeyThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for KeyThumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyThumbprint({self})")
    }
}

impl TryFrom<String> for KeyThumbprint {
    type Error = NoThumbprint;

    fn try_from(text: String) -> Result<Self, NoThumbprint> {
        Self::parse(&text)
    }
}

impl From<KeyThumbprint> for String {
    fn from(thumbprint: KeyThumbprint) -> Self {
        thumbprint.to_string()
    }
}

/// The protected header of a JWT. What must be understood (`crit`) is not, and so there is no such header
/// (RFC 7515 §4.1.11).
pub struct ProtectedHeader(Map<String, Value>);

impl ProtectedHeader {
    /// The header of a JWT, unverified.
    #[must_use]
    pub fn of(jwt: &str) -> Option<Self> {
        let header = URL_SAFE_NO_PAD.decode(jwt.split('.').next()?).ok()?;
        let header: Map<String, Value> = serde_json::from_slice(&header).ok()?;
        (!header.contains_key("crit")).then_some(Self(header))
    }

    /// A member that is a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    fn algorithm(&self) -> Option<Algorithm> {
        match self.text("alg")? {
            "PS256" => Some(Algorithm::PS256),
            "ES256" => Some(Algorithm::ES256),
            "EdDSA" => Some(Algorithm::EdDSA),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_the_rfcs() {
        // RFC 8037, appendix A.3.
        let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let thumbprint = PublicKey::parse(&ed25519).unwrap().thumbprint().unwrap();
        assert_eq!(thumbprint.to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        // RFC 9449 §4.1, §6.1.
        let p256 = json!({
            "kty": "EC", "crv": "P-256",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        });
        let thumbprint = PublicKey::parse(&p256).unwrap().thumbprint().unwrap();
        assert_eq!(thumbprint.to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        assert_eq!(KeyThumbprint::parse(&thumbprint.to_string()), Ok(thumbprint));
        for junk in ["", "AAAA", "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k="] {
            assert_eq!(KeyThumbprint::parse(junk), Err(NoThumbprint), "{junk}");
        }
    }
}
