//! `[revocation]`

use serde::Deserialize;

/// `[revocation]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RevocationSettings {
    /// Whether every caller must authenticate. Default false: callers without credentials are answered about tokens of
    /// compat clients, as ERPNext does.
    pub require_client_auth: bool,
}
