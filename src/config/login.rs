//! `[login]`

use serde::Deserialize;

/// `[login]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoginSettings {
    /// Which page users log in on. Default `erpnext`: with all that the site has set up there.
    pub page: LoginPage,
}

/// The login pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LoginPage {
    /// ERPNext's own.
    #[default]
    Erpnext,
    /// The gateway's plain form.
    Gateway,
}
