//! `[registration]`: dynamic client registration (RFC 7591, RFC 7592).

use std::{num::NonZeroU32, path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{
    client_check::ALL_IS_NOT_FOR_AGENTS,
    findings::Findings,
    optional::empty_is_none,
    units::{Rate, RatePeriod, duration},
};
use crate::{oauth::Scope, secret::Secret};

/// `[registration]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationSettings {
    /// Whether clients may register themselves. Default false.
    pub enabled: bool,
    /// Whether a `client_id` may be the URL of a document that describes the client, which is registered nowhere then
    /// (draft-ietf-oauth-client-id-metadata-document). Default false.
    pub metadata_documents: bool,
    /// The file with the token that a registration needs (RFC 7591 §3). Default none: anybody may register a client.
    #[serde(deserialize_with = "empty_is_none")]
    pub initial_token_file: Option<PathBuf>,
    /// The same in the configuration itself, in place of the file; where a file is named, what it held when loaded.
    #[serde(deserialize_with = "empty_is_none")]
    pub initial_token: Option<Secret>,
    /// The scopes that a client may be registered for. Default `openid`, `profile` and `email`: who the user is, and
    /// nothing that the user may do.
    pub scopes: Vec<Scope>,
    /// The hosts that https redirect URIs may have. Default none named: every public one.
    pub redirect_hosts: Vec<String>,
    /// Whether redirect URIs may lead to the user's own machine, as those of native apps do (RFC 8252 §7.3). Default true.
    pub loopback: bool,
    /// A client to which no tokens were issued for so long is forgotten, with its grants. Default 30 days.
    #[serde(deserialize_with = "duration")]
    pub unused_ttl: Duration,
    /// Registrations and changes of them, per address. Default `10/h`.
    pub rate: Rate,
    /// How many clients there may be that were registered. Default 1000.
    pub max_clients: u32,
    /// Whether whoever registers itself is an agent. Default true.
    pub agents: bool,
}

impl Default for RegistrationSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            metadata_documents: false,
            initial_token_file: None,
            initial_token: None,
            scopes: [Scope::OPENID, "profile", "email"]
                .into_iter()
                .filter_map(|scope| Scope::parse(scope).ok())
                .collect(),
            redirect_hosts: Vec::new(),
            loopback: true,
            unused_ttl: Duration::from_secs(30 * 86_400),
            rate: Rate { count: NonZeroU32::MIN.saturating_add(9), per: RatePeriod::Hour },
            max_clients: 1000,
            agents: true,
        }
    }
}

impl RegistrationSettings {
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        const TOKEN: &str = "registration.initial_token";
        if self.initial_token.is_some() && self.initial_token_file.is_some() {
            findings.add(TOKEN, "give initial_token or initial_token_file, not both");
        }
        if self.initial_token.as_ref().is_some_and(|token| token.expose().chars().any(|c| !c.is_ascii_graphic())) {
            findings.add(TOKEN, "must be one word of visible ASCII characters: it stands in a header");
        }
        if self.scopes.is_empty() {
            findings.add("registration.scopes", "the list is empty: a client could be granted nothing");
        }
        if self.agents && self.scopes.iter().any(|scope| scope.as_str() == Scope::ALL) {
            findings.add(
                "registration.scopes",
                format!("{ALL_IS_NOT_FOR_AGENTS}; or set agents = false, if whoever registers itself is trusted"),
            );
        }
        if self.max_clients == 0 {
            findings.add("registration.max_clients", "must be at least 1");
        }
        findings.above_zero("registration.unused_ttl", self.unused_ttl);
        for (index, host) in self.redirect_hosts.iter().enumerate() {
            findings.host(&format!("registration.redirect_hosts[{index}]"), host);
        }
    }
}
