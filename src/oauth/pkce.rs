//! Proof key for code exchange (RFC 7636).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How the challenge was made of the verifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChallengeMethod {
    /// `BASE64URL(SHA256(verifier))`.
    S256,
    /// The verifier itself.
    #[serde(rename = "plain")]
    Plain,
}

impl ChallengeMethod {
    /// Takes a `code_challenge_method`; the guide writes `s256`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "S256" | "s256" => Some(Self::S256),
            "plain" => Some(Self::Plain),
            _ => None,
        }
    }
}

/// A `code_challenge` with its method, as an authorization request brought it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeChallenge {
    /// The method.
    pub method: ChallengeMethod,
    /// The challenge.
    pub challenge: String,
}

/// How long a challenge or verifier must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// 43 to 128 characters.
    Rfc7636,
    /// 1 to 128 characters, by the allowance `short_verifier`.
    Short,
}

/// Whether the text is a challenge or verifier: unreserved characters (RFC 3986 §2.3), and of the right length.
#[must_use]
pub fn is_well_formed(text: &str, length: Length) -> bool {
    let least = match length {
        Length::Rfc7636 => 43,
        Length::Short => 1,
    };
    (least..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
}

impl CodeChallenge {
    /// Whether the verifier is the one that the challenge was made of; compared in constant time.
    #[must_use]
    pub fn is_met_by(&self, verifier: &str) -> bool {
        match self.method {
            ChallengeMethod::Plain => verifier.as_bytes().ct_eq(self.challenge.as_bytes()).into(),
            ChallengeMethod::S256 => {
                let expected = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
                // Some libraries pad the challenge; a challenge is never shorter for it.
                expected.as_bytes().ct_eq(self.challenge.trim_end_matches('=').as_bytes()).into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_appendix_b_is_met() {
        let challenge = CodeChallenge {
            method: ChallengeMethod::S256,
            challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM".to_owned(),
        };
        assert!(challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!challenge.is_met_by("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"));
    }

    #[test]
    fn a_plain_challenge_is_the_verifier() {
        let challenge = CodeChallenge { method: ChallengeMethod::Plain, challenge: "420".to_owned() };
        assert!(challenge.is_met_by("420"));
        assert!(!challenge.is_met_by("421"));
    }

    #[test]
    fn length_and_characters_are_bounded() {
        assert!(is_well_formed(&"a".repeat(43), Length::Rfc7636));
        assert!(is_well_formed(&"~".repeat(128), Length::Rfc7636));
        assert!(is_well_formed("420", Length::Short));
        for text in ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(43)), String::new()] {
            assert!(!is_well_formed(&text, Length::Rfc7636), "{text}");
        }
        assert!(!is_well_formed("", Length::Short));
    }
}
