//! Secret text and the secret key: what may be held, compared and derived from, and never printed.

use std::fmt;

use aws_lc_rs::{hkdf, hmac};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Secret text: a client secret, an API key, a bearer credential. `Debug` is redacted, there is no `Display` and no
/// `Serialize`, and it is wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes `text` as a secret, and wipes what was handed over.
    pub fn new(text: impl Into<String>) -> Self {
        let text = Zeroizing::new(text.into());
        // Copied at its exact length: shrinking the buffer could leave the text behind in the old one.
        Self(SecretString::from(text.as_str()))
    }

    /// The text itself, for the one place that must send or compare it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether `candidate` is this secret, in time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, candidate: &str) -> bool {
        self.expose().as_bytes().ct_eq(candidate.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Two secrets are equal when their texts are; compared in constant time.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.expose())
    }
}

impl Eq for Secret {}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// What a key is derived for. Each purpose has a key of its own, so that one never opens what another closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The checksum inside our tokens.
    TokenChecksum,
    /// The successor of a rotated refresh token.
    RefreshSuccessor,
    /// What the store must hold to send on: shadow tokens, signing keys.
    AtRest,
    /// The hash under which a login session is known.
    LoginSession,
    /// The tokens inside our HTML forms.
    Form,
    /// The nonces that DPoP proofs must have.
    DpopNonce,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::TokenChecksum => b"empress token checksum",
            Self::RefreshSuccessor => b"empress refresh successor",
            Self::AtRest => b"empress at rest",
            Self::LoginSession => b"empress login session",
            Self::Form => b"empress form",
            Self::DpopNonce => b"empress dpop nonce",
        }
    }
}

/// The gateway's own key of 256 bits, from `[store].secret_key_file`. Everything keyed is derived from it.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// The key made of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be written to the key's file when it is made.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key for one purpose, by HKDF-SHA256 (RFC 5869).
    #[must_use]
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "32 bytes are within what HKDF-SHA256 can give, so that it never panics"
    )]
    pub fn derive(&self, purpose: Purpose) -> DerivedKey {
        let mut derived = DerivedKey([0; 32]);
        let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, b"empress gateway").extract(&self.0);
        prk.expand(&[purpose.label()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut derived.0))
            .expect("HKDF gives 32 bytes");
        derived
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// A key of 256 bits for one [`Purpose`].
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DerivedKey([u8; 32]);

impl DerivedKey {
    /// The bytes of the key.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// HMAC-SHA256 over `parts`, each preceded by its length so that no two lists of parts give the same input.
    #[must_use]
    pub fn hmac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut out = [0; 32];
        for (byte, tag) in out.iter_mut().zip(context.sign().as_ref()) {
            *byte = *tag;
        }
        out
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let shown = format!("{:?} {:?}", Secret::new("hunter2"), SecretKey::new([7; 32]));
        assert_eq!(shown, "Secret(…) SecretKey(…)");
    }

    #[test]
    fn a_secret_matches_itself_alone() {
        let secret = Secret::new("hunter2");
        assert!(secret.matches("hunter2"));
        assert!(!secret.matches("hunter"));
        assert!(!secret.matches(""));
    }

    #[test]
    fn each_purpose_has_a_key_of_its_own() {
        let key = SecretKey::new([7; 32]);
        assert_ne!(key.derive(Purpose::AtRest).expose(), key.derive(Purpose::Form).expose());
        assert_eq!(key.derive(Purpose::Form).expose(), key.derive(Purpose::Form).expose());
    }

    #[test]
    fn parts_of_an_hmac_do_not_run_together() {
        let key = SecretKey::new([7; 32]).derive(Purpose::Form);
        assert_ne!(key.hmac(&[b"ab", b"c"]), key.hmac(&[b"a", b"bc"]));
    }
}
