//! `[cors]`

use serde::Deserialize;

use super::address::Origin;

/// `[cors]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorsSettings {
    /// Origins whose scripts may use the token, revocation, userinfo and introspection endpoints, besides those of the
    /// clients' redirect URIs. Default none.
    pub allowed_origins: Vec<Origin>,
}
