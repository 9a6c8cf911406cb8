//! `[erpnext]`: the upstream, and the gateway's account there.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

use super::{address::Origin, findings::Findings, optional::empty_is_none, units::duration};
use crate::{oauth::ClientMode, secret::Secret};

/// `[erpnext]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ErpnextSettings {
    /// Where ERPNext listens. Default `http://127.0.0.1:8000`, as bench has it.
    pub url: Origin,
    /// Several of them, in place of `url`, to share the requests. Default none.
    pub urls: Vec<Origin>,
    /// Where `/socket.io` goes. Default empty: the same upstream.
    #[serde(deserialize_with = "empty_is_none")]
    pub socketio_url: Option<Origin>,
    /// `X-Frappe-Site-Name`. Default empty: not sent, ERPNext chooses by `Host`.
    #[serde(deserialize_with = "empty_is_none")]
    pub site_name: Option<String>,
    /// `Host` towards ERPNext. Default empty: downstream's is passed on.
    #[serde(deserialize_with = "empty_is_none")]
    pub host_header: Option<String>,
    /// The file with `key:secret` of the gateway's ERPNext account. Default `/etc/empress-gateway/erpnext.key`.
    pub api_key_file: PathBuf,
    /// The same in the configuration itself, in place of the file. Empty until it has been loaded.
    pub api_key: Secret,
    /// How long connecting may take. Default 2 s: it is near.
    #[serde(deserialize_with = "duration")]
    pub connect_timeout: Duration,
    /// How long ERPNext may be silent within an answer. Default 120 s, as gunicorn's under bench.
    #[serde(deserialize_with = "duration")]
    pub response_timeout: Duration,
    /// Whether clients are read from ERPNext. Default `sync`: they keep working without being listed here.
    pub clients: ClientSync,
    /// How soon a change in ERPNext takes effect. Default 30 s.
    #[serde(deserialize_with = "duration")]
    pub client_sync_interval: Duration,
    /// The mode of clients that come from ERPNext. Default `compat`: they were written for it.
    pub client_mode: ClientMode,
    /// What becomes of tokens that ERPNext issued. Default `accept`.
    pub native_tokens: NativeTokens,
    /// How long what is known of a user is believed. Default 30 s.
    #[serde(deserialize_with = "duration")]
    pub user_ttl: Duration,
    /// Whether clients from ERPNext may use `grant_type=password`. Default false.
    pub password_grant: bool,
    /// How long a shadow token lives. Default 30 days.
    #[serde(deserialize_with = "duration")]
    pub shadow_token_ttl: Duration,
}

/// Whether clients are read from ERPNext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientSync {
    /// Its doctype *OAuth Client* is read.
    Sync,
    /// Only clients of this file and of registration count.
    Off,
}

/// What becomes of tokens that ERPNext issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NativeTokens {
    /// They are imported as hashes and forwarded as they are.
    Accept,
    /// They are unknown.
    Refuse,
}

impl Default for ErpnextSettings {
    fn default() -> Self {
        Self {
            url: Origin::on_loopback(8000),
            urls: Vec::new(),
            socketio_url: None,
            site_name: None,
            host_header: None,
            api_key_file: "/etc/empress-gateway/erpnext.key".into(),
            api_key: Secret::new(""),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(120),
            clients: ClientSync::Sync,
            client_sync_interval: Duration::from_secs(30),
            client_mode: ClientMode::Compat,
            native_tokens: NativeTokens::Accept,
            user_ttl: Duration::from_secs(30),
            password_grant: false,
            shadow_token_ttl: Duration::from_secs(30 * 86_400),
        }
    }
}

impl ErpnextSettings {
    /// Where ERPNext listens: the only place, or several.
    #[must_use]
    pub fn upstreams(&self) -> &[Origin] {
        if self.urls.is_empty() { std::slice::from_ref(&self.url) } else { &self.urls }
    }

    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        if findings.has("erpnext.url") && findings.has("erpnext.urls") {
            findings.add("erpnext.urls", "give erpnext.url or erpnext.urls, not both");
        } else if let Some(twice) =
            self.urls.iter().enumerate().find(|(at, url)| self.urls.iter().take(*at).any(|other| other == *url))
        {
            findings.add(&format!("erpnext.urls[{}]", twice.0), "is in the list already");
        } else if findings.has("erpnext.urls") && self.urls.is_empty() {
            findings.add("erpnext.urls", "the list is empty: give one upstream");
        }
        for (path, time) in [
            ("erpnext.connect_timeout", self.connect_timeout),
            ("erpnext.response_timeout", self.response_timeout),
            ("erpnext.client_sync_interval", self.client_sync_interval),
            ("erpnext.user_ttl", self.user_ttl),
        ] {
            findings.above_zero(path, time);
        }
        if self.shadow_token_ttl < Duration::from_secs(600) {
            findings.add("erpnext.shadow_token_ttl", "must be at least \"10m\": each renewal is a write in ERPNext");
        }
        for (path, text) in [("erpnext.site_name", &self.site_name), ("erpnext.host_header", &self.host_header)] {
            if text.as_ref().is_some_and(|text| !text.bytes().all(|b| matches!(b, 0x21..=0x7e))) {
                findings.add(path, "goes into a header: only visible ASCII characters, no blanks");
            }
        }
    }

    /// What an operator should know though nothing is wrong.
    pub(super) fn notices(&self) -> Vec<String> {
        let mut notices = Vec::new();
        if self.password_grant && self.clients == ClientSync::Off {
            notices.push("erpnext.password_grant = true: it is for clients from ERPNext, which erpnext.clients = \"off\" leaves out; a [[client]] needs allow = [\"password\"]".to_owned());
        }
        notices
    }
}
