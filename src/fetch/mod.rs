//! What clients publish themselves, at URLs that they name: fetched so that no client can make the gateway reach what only
//! the gateway can reach.
//!
//! A GET by https, without redirects, cookies, credentials or a proxy, to port 443 of a host all of whose addresses are
//! public; the connection goes to the addresses that were checked. Hosts of the operator's own (`[fetch] allow_hosts`) may
//! be anywhere. At most 5 seconds, at most a few kilobytes, JSON.

mod address;
mod agent;
mod clients;
mod kept;
mod names;
#[cfg(test)]
mod tests;

use std::{fs, io, sync::Arc, time::Duration};

pub use address::is_public;
pub use clients::ClientDocuments;
pub use kept::Fetched;

use self::{
    agent::Agent,
    kept::{Kept, Rules},
    names::LookUp,
};
use crate::{
    clock::Clock,
    config::FetchSettings,
    oauth::{BadKeys, ClientKeys, ClientSource, DocumentUrl},
};

/// The keys of a client: fifty of the largest kind.
const MOST_KEY_BYTES: usize = 64 * 1024;
const KEY_SETS: u64 = 4096;
/// Keys whose host has not answered since they were no longer fresh. Long enough for a night's outage, and no longer: whoever
/// keeps a host from answering must not keep a stolen key alive.
pub const STALE_KEYS: Duration = Duration::from_secs(12 * 3600);

/// Why there is no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The URL is one that is not fetched.
    #[error("not fetched: {0}")]
    NotAllowed(&'static str),
    /// Its host has not said anything about it: it may have it a moment later.
    #[error("{0}")]
    NoAnswer(&'static str),
    /// Nobody was asked: too many others are.
    #[error("too many documents are being fetched")]
    Busy,
    /// What was answered is no document of the kind.
    #[error("{0}")]
    Refused(&'static str),
}

impl FetchError {
    /// Whether it may be otherwise a moment later, without anybody changing anything.
    #[must_use]
    pub const fn is_outage(self) -> bool {
        matches!(self, Self::NoAnswer(_) | Self::Busy)
    }
}

/// Why nothing can be fetched at all.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFetchSettings {
    /// The file can't be read.
    #[error("fetch.ca_file: {0}")]
    CaFile(#[from] io::Error),
    /// It has no certificates, or the system's can't be read.
    #[error("the certificates of fetch.ca_file or of the system: {0}")]
    Certificates(#[from] reqwest::Error),
}

/// The keys that clients publish at their `jwks_uri`.
pub struct KeySets {
    /// Of clients that the operator knows.
    known: Kept<ClientKeys>,
    /// Of those that came by themselves: whatever they do with all the places that they have, the others have their own.
    others: Kept<ClientKeys>,
}

impl KeySets {
    /// Fetches nothing yet. The process must have installed a TLS provider for rustls.
    ///
    /// # Errors
    /// The certificates can't be read.
    pub fn new(settings: &FetchSettings, clock: Arc<dyn Clock>) -> Result<Self, InvalidFetchSettings> {
        Self::with(names::system(), settings, clock)
    }

    fn with(look_up: LookUp, settings: &FetchSettings, clock: Arc<dyn Clock>) -> Result<Self, InvalidFetchSettings> {
        let kept = |look_up, clock| -> Result<Kept<ClientKeys>, InvalidFetchSettings> {
            let rules = Rules {
                most_bytes: MOST_KEY_BYTES,
                capacity: KEY_SETS,
                stale: STALE_KEYS,
                read: |_, value| read_keys(value),
            };
            Ok(Kept::new(agent(look_up, settings)?, clock, rules))
        };
        Ok(Self { known: kept(Arc::clone(&look_up), Arc::clone(&clock))?, others: kept(look_up, clock)? })
    }

    /// The keys of which one may have signed the assertion of a client from there. Where none goes by the name that it has, they are fetched again,
    /// at most once a minute: a client that changes its keys needs to tell nobody.
    pub async fn for_assertion(&self, source: ClientSource, url: &DocumentUrl, assertion: &str) -> Fetched<ClientKeys> {
        let kept = match source {
            ClientSource::File | ClientSource::Erpnext => &self.known,
            ClientSource::Registered | ClientSource::Document => &self.others,
        };
        let fetched = kept.get(url).await;
        let is_missed = fetched.document.as_ref().is_ok_and(|keys| !keys.may_have_signed(assertion));
        if !is_missed {
            return fetched;
        }
        let has_failed = fetched.has_failed;
        let newer = kept.newer(url).await;
        Fetched { has_failed: has_failed || newer.has_failed, ..newer }
    }
}

fn read_keys(document: &serde_json::Value) -> Result<ClientKeys, &'static str> {
    ClientKeys::parse(document).map_err(|bad| match bad {
        BadKeys::NotASet => "it is not a JWK Set",
        BadKeys::TooMany => "it has too many keys",
        BadKeys::Secret => "it holds a private or a symmetric key",
        BadKeys::NoKey => "none of its keys can be used",
    })
}

fn agent(look_up: LookUp, settings: &FetchSettings) -> Result<Agent, InvalidFetchSettings> {
    let roots = match &settings.ca_file {
        Some(file) => reqwest::Certificate::from_pem_bundle(&fs::read(file)?)?,
        None => Vec::new(),
    };
    Ok(Agent::new(look_up, &settings.allow_hosts, roots)?)
}
