//! `[server]` and `[server.tls]`: where downstream connects, and what each connection may use.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;
use serde::Deserialize;

use super::{
    address::{PublicUrl, networks},
    findings::Findings,
    units::{Size, duration},
};

/// `[server]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// Plain HTTP listeners. Default `127.0.0.1:8080`: nothing is open to the network until the operator says so.
    pub listen: Vec<SocketAddr>,
    /// The origin that browsers see; it is the issuer. Needed: a loaded configuration has always been told.
    pub public_url: PublicUrl,
    /// Worker threads. Default 0: one per CPU.
    pub threads: usize,
    /// Networks whose `X-Forwarded-For` and `-Proto` are believed. Default none.
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    /// How long a request header may take to arrive whole. Default 10 s: slow links pass, drips do not.
    #[serde(deserialize_with = "duration")]
    pub header_timeout: Duration,
    /// How long an idle connection stays open. Default 75 s, as nginx does.
    #[serde(deserialize_with = "duration")]
    pub keepalive_timeout: Duration,
    /// How large a request header may be. Default 32 KiB.
    pub max_header: Size,
    /// Bytes a second below which a request body is cut off. Default 1 KiB.
    pub min_body_rate: Size,
    /// Connections in all. Default 20,000.
    pub max_connections: usize,
    /// Connections from one address. Default 1,000: an office behind one address fits.
    pub max_connections_per_address: usize,
    /// How long a drain may take. Default 30 s; a drained server leaves at once.
    #[serde(deserialize_with = "duration")]
    pub shutdown_grace: Duration,
    /// TLS listeners. Default none.
    pub tls: Option<TlsSettings>,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))],
            public_url: PublicUrl::example(),
            threads: 0,
            trusted_proxies: Vec::new(),
            header_timeout: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(75),
            max_header: Size::from_kib(32),
            min_body_rate: Size::from_kib(1),
            max_connections: 20_000,
            max_connections_per_address: 1000,
            shutdown_grace: Duration::from_secs(30),
            tls: None,
        }
    }
}

/// `[server.tls]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// TLS listeners. Default `0.0.0.0:8443`.
    pub listen: Vec<SocketAddr>,
    /// The certificate and its chain, PEM. Watched and reloaded.
    pub certificate_file: PathBuf,
    /// Its private key, PEM. Watched and reloaded.
    pub key_file: PathBuf,
    /// Whether HTTP/2 is offered. Default true.
    pub http2: bool,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8443))],
            certificate_file: "/etc/empress-gateway/tls/fullchain.pem".into(),
            key_file: "/etc/empress-gateway/tls/privkey.pem".into(),
            http2: true,
        }
    }
}

/// Pingora's parser takes no larger header.
const LARGEST_HEADER: Size = Size::from_kib(1023);
/// A smaller one would refuse what browsers send.
const SMALLEST_HEADER: Size = Size::from_kib(4);

impl ServerSettings {
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        findings.needed("server.public_url", "the origin that browsers see, for example \"https://erp.example.com\"");
        if self.listen.is_empty() && self.tls.is_none() {
            findings.add("server.listen", "no listener: name an address here, or a [server.tls] block");
        }
        if self.tls.as_ref().is_some_and(|tls| tls.listen.is_empty()) {
            findings.add("server.tls.listen", "no listener: name an address, or remove the [server.tls] block");
        }
        findings.above_zero("server.header_timeout", self.header_timeout);
        findings.above_zero("server.keepalive_timeout", self.keepalive_timeout);
        if !(SMALLEST_HEADER..=LARGEST_HEADER).contains(&self.max_header) {
            findings.add("server.max_header", format!("must be from {SMALLEST_HEADER} to {LARGEST_HEADER}"));
        }
        for (path, count) in [
            ("server.max_connections", self.max_connections),
            ("server.max_connections_per_address", self.max_connections_per_address),
        ] {
            if count == 0 {
                findings.add(path, "must be at least 1, or nobody could connect");
            }
        }
        if self.threads > 1024 {
            findings.add("server.threads", "must be at most 1024; 0 means one per CPU");
        }
    }
}
