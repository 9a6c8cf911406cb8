//! `[limits]`: how often what fails may be tried. Successes are never limited: one backend may serve many users from
//! one address.

use serde::Deserialize;

use super::units::Rate;

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSettings {
    /// Failed client authentications and failed grants, per client and per address. Default `60/m`.
    pub token_failures: Rate,
    /// "Not active" answers to callers without credentials, per address. Default `120/m`.
    pub introspection_misses: Rate,
    /// Authorization requests, per address. Default `600/m`.
    pub authorize: Rate,
    /// Failed logins seen passing, per address. Default `20/m`.
    pub login_failures: Rate,
    /// Wrong codes of devices that users type, per address and per user. Default `10/m`: of 20^8 codes few are in use.
    pub user_codes: Rate,
}

impl Default for LimitsSettings {
    fn default() -> Self {
        Self {
            token_failures: Rate::per_minute(60),
            introspection_misses: Rate::per_minute(120),
            authorize: Rate::per_minute(600),
            login_failures: Rate::per_minute(20),
            user_codes: Rate::per_minute(10),
        }
    }
}
