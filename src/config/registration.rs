//! `[registration]`: dynamic client registration (RFC 7591).

use serde::Deserialize;

use super::findings::Findings;

/// `[registration]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationSettings {
    /// Whether clients may register themselves. Default false.
    pub enabled: bool,
}

impl RegistrationSettings {
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        if self.enabled {
            findings.not_built("registration.enabled", "client registration");
        }
    }
}
