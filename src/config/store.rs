//! `[store]`: where grants are kept.

use std::path::PathBuf;

use serde::Deserialize;

use super::{findings::Findings, optional::empty_is_none};
use crate::secret::Secret;

/// `[store]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// Which backend. Default `embedded`.
    pub kind: StoreKind,
    /// The embedded store's file. Default `/var/lib/empress-gateway/empress.db`.
    pub path: PathBuf,
    /// The file of the key that encrypts what must be stored to be sent on. Made (0600) at first start if absent.
    pub secret_key_file: PathBuf,
    /// Where Redis listens; it may carry a password. Default none.
    #[serde(deserialize_with = "empty_is_none")]
    pub url: Option<Secret>,
}

/// The backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// A SQLite file.
    Embedded,
    /// Redis or Valkey.
    Redis,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            kind: StoreKind::Embedded,
            path: "/var/lib/empress-gateway/empress.db".into(),
            secret_key_file: "/var/lib/empress-gateway/secret.key".into(),
            url: None,
        }
    }
}

impl StoreSettings {
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        if self.kind == StoreKind::Redis {
            findings.not_built("store.kind", "the Redis backend; use \"embedded\"");
        }
        if self.url.is_some() {
            findings.not_built("store.url", "the Redis backend, which alone has a URL");
        }
        for (path, file) in [("store.path", &self.path), ("store.secret_key_file", &self.secret_key_file)] {
            if file.as_os_str().is_empty() {
                findings.add(path, "must name a file");
            }
        }
    }
}
