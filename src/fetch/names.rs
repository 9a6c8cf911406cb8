//! The addresses of a host: looked up here, each of them checked, so that what is connected to is what was checked. A name that
//! is another address a moment later (DNS rebinding) finds nobody who asks for it again.

use std::{
    error::Error,
    fmt,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::is_public;

/// What a look-up has to say.
pub(super) type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;
/// Looks a name up.
pub(super) type LookUp = Arc<dyn Fn(String) -> Looking + Send + Sync>;

/// A host has an address that is none of the public internet's.
#[derive(Clone, Copy, Debug)]
pub(super) struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host has an address that is not public")
    }
}

impl Error for NotPublic {}

impl NotPublic {
    /// Whether it is at the bottom of another error.
    pub(super) fn is_behind(error: &(dyn Error + 'static)) -> bool {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if error.is::<Self>() {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

/// The hosts that may be connected to.
#[derive(Clone)]
pub(super) struct Names {
    look_up: LookUp,
    /// Hosts of the operator's own, which may have any address.
    allowed: Arc<[String]>,
}

impl Names {
    pub(super) fn new(look_up: LookUp, allowed: &[String]) -> Self {
        Self { look_up, allowed: allowed.iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    /// Whether the operator has named the host, as a URL has it.
    pub(super) fn is_allowed(&self, host: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(host))
    }

    /// All addresses of the host, if all of them may be connected to: one that may not is no accident.
    pub(super) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Box<dyn Error + Send + Sync>> {
        let found = (self.look_up)(host.to_owned()).await?;
        if found.is_empty() {
            return Err("the host has no address".into());
        }
        if !self.is_allowed(host) && !found.iter().all(|address| is_public(*address)) {
            return Err(NotPublic.into());
        }
        Ok(found)
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let names = self.clone();
        Box::pin(async move {
            let found = names.addresses(name.as_str()).await?;
            // The URL's port takes the place of 0.
            let found: Addrs = Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0)));
            Ok(found)
        })
    }
}

/// Asks the system.
pub(super) fn system() -> LookUp {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}
