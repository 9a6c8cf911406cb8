//! What the adapter is given when it is made.

use std::{fmt, sync::Arc, time::Duration};

use tokio::runtime::Handle;

use crate::{clock::Clock, oauth::UserName, random::Random, secret::Secret, store::Store};

/// How ERPNext is reached, and how long what it says is believed.
#[derive(Clone, Debug)]
pub struct ErpnextSettings {
    /// The origins of the upstream; any of them does for a call.
    pub urls: Vec<String>,
    /// The origin that browsers see: the issuer, and what URLs in profiles start with.
    pub public_url: String,
    /// `X-Frappe-Site-Name`; `None`: not sent.
    pub site_name: Option<String>,
    /// `Host` of our own calls; `None`: the host of `public_url`, as browsers send it.
    pub host_header: Option<String>,
    /// `key:secret` of the gateway's account.
    pub api_key: Secret,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long a call may take in all.
    pub call_timeout: Duration,
    /// How long users and their roles are believed.
    pub user_ttl: Duration,
    /// How long a shadow token lives.
    pub shadow_token_ttl: Duration,
}

/// The parts that the adapter works with.
#[derive(Clone)]
pub struct Ground {
    /// Keeps the shadow tokens.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What shadow tokens are made of.
    pub random: Arc<dyn Random>,
    /// The runtime on which every call to ERPNext runs, whatever thread asks and however soon it gives up.
    pub io: Handle,
}

/// What happened to a user who is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserChange {
    /// Enabled again.
    Enabled,
    /// Disabled.
    Disabled,
}

/// Told of a user's change.
pub type OnUserChange = Arc<dyn Fn(&UserName, UserChange) + Send + Sync>;

/// Whom the adapter tells what happened.
#[derive(Clone)]
pub struct Hooks {
    /// A user was deleted, renamed, or is somebody else under the same name: what was granted in that name must end.
    pub on_user_gone: Arc<dyn Fn(&UserName) + Send + Sync>,
    /// A user was disabled, or enabled again, while the gateway looked on.
    pub on_user_change: OnUserChange,
    /// A call to ERPNext ended: what it was for, and `ok`, `denied` or `failed`.
    pub on_call: Arc<dyn Fn(&'static str, &'static str) + Send + Sync>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { on_user_gone: Arc::new(|_| ()), on_user_change: Arc::new(|_, _| ()), on_call: Arc::new(|_, _| ()) }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks(…)")
    }
}

/// Why the adapter can't be made of its settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// A URL is none.
    #[error("{0} is not an http or https URL")]
    Url(&'static str),
    /// A setting can't stand in a header.
    #[error("{0} has characters that can't stand in an HTTP header")]
    Header(&'static str),
    /// The API key has another form.
    #[error("the API key is not of the form key:secret")]
    ApiKey,
    /// The HTTP client can't be made.
    #[error("the HTTP client can't be made: {0}")]
    HttpClient(String),
}
