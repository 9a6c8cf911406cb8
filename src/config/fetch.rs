//! `[fetch]`: documents that clients publish themselves.

use std::path::PathBuf;

use serde::Deserialize;

use super::{findings::Findings, optional::empty_is_none};

/// `[fetch]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FetchSettings {
    /// Hosts of the operator's own that clients may name though their addresses are private, on any port. Default none: only
    /// public addresses, on port 443.
    pub allow_hosts: Vec<String>,
    /// Certificates (PEM) that are believed besides the system's. Default none.
    #[serde(deserialize_with = "empty_is_none")]
    pub ca_file: Option<PathBuf>,
}

impl FetchSettings {
    /// Whether the host, as a URL has it, is one of the operator's own.
    #[must_use]
    pub fn allows(&self, host: &str) -> bool {
        self.allow_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        for (index, host) in self.allow_hosts.iter().enumerate() {
            findings.host(&format!("fetch.allow_hosts[{index}]"), host);
        }
    }
}
