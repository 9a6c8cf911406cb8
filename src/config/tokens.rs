//! `[tokens]`: what is issued, and for how long.

use std::time::Duration;

use serde::Deserialize;

use super::{
    findings::Findings,
    units::{duration, print_duration},
};
use crate::oauth::SigningAlgorithm;

/// `[tokens]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokensSettings {
    /// How long an access token lives. Default 1 hour.
    #[serde(deserialize_with = "duration")]
    pub access_ttl: Duration,
    /// How long a refresh token lives without being used. Default 30 days.
    #[serde(deserialize_with = "duration")]
    pub refresh_ttl: Duration,
    /// How long a rotated refresh token gives the same successor. Default 10 s: parallel refreshes survive.
    #[serde(deserialize_with = "duration")]
    pub refresh_grace: Duration,
    /// How long an authorization code lives. Default 60 s.
    #[serde(deserialize_with = "duration")]
    pub code_ttl: Duration,
    /// What access tokens look like. Default `opaque`.
    pub access_format: AccessFormat,
    /// How id_tokens are signed. Default RS256: every library knows it.
    pub id_token_alg: SigningAlgorithm,
    /// How long a signing key signs before the next one takes over. Default 90 days.
    #[serde(deserialize_with = "duration")]
    pub key_rotation: Duration,
}

/// What access tokens look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessFormat {
    /// `emp_at_…`: only the gateway knows what is behind it.
    Opaque,
    /// RFC 9068.
    Jwt,
}

impl Default for TokensSettings {
    fn default() -> Self {
        Self {
            access_ttl: Duration::from_secs(3600),
            refresh_ttl: Duration::from_secs(30 * 86_400),
            refresh_grace: Duration::from_secs(10),
            code_ttl: Duration::from_secs(60),
            access_format: AccessFormat::Opaque,
            id_token_alg: SigningAlgorithm::Rs256,
            key_rotation: Duration::from_secs(90 * 86_400),
        }
    }
}

/// RFC 6749 §4.1.2 recommends no more for a code; a grace beyond it would defeat the detection of reuse.
const TEN_MINUTES: Duration = Duration::from_secs(600);

impl TokensSettings {
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        findings.whole_seconds("tokens.access_ttl", self.access_ttl);
        findings.whole_seconds("tokens.refresh_ttl", self.refresh_ttl);
        findings.whole_seconds("tokens.code_ttl", self.code_ttl);
        for (path, time) in [("tokens.code_ttl", self.code_ttl), ("tokens.refresh_grace", self.refresh_grace)] {
            if time > TEN_MINUTES {
                findings.add(path, "must be at most \"10m\"");
            }
        }
        if self.refresh_ttl < self.access_ttl && findings.sound(&["tokens.access_ttl"]) {
            findings.add(
                "tokens.refresh_ttl",
                format!("must be at least tokens.access_ttl ({})", print_duration(self.access_ttl)),
            );
        }
        if self.key_rotation < self.access_ttl.max(Duration::from_secs(3600)) && findings.sound(&["tokens.access_ttl"])
        {
            findings.add("tokens.key_rotation", "must be at least \"1h\" and at least tokens.access_ttl");
        }
        if self.id_token_alg == SigningAlgorithm::Hs256 {
            findings.add(
                "tokens.id_token_alg",
                "HS256 is for single clients that allow it; use \"RS256\", \"ES256\" or \"EdDSA\"",
            );
        }
    }
}
