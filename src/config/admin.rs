//! `[admin]`: the listener for metrics and health.

use std::net::{Ipv4Addr, SocketAddr};

use serde::Deserialize;

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminSettings {
    /// Its address. Default `127.0.0.1:9180`: it asks nobody who he is.
    pub listen: SocketAddr,
}

impl Default for AdminSettings {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9180)) }
    }
}
