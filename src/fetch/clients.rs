//! Documents with which clients describe themselves.

use std::{sync::Arc, time::Duration};

use super::{
    InvalidFetchSettings, agent,
    kept::{Fetched, Kept, Rules},
    names::{self, LookUp},
};
use crate::{
    clock::Clock,
    config::FetchSettings,
    oauth::{DocumentUrl, RequestedMetadata, read_client_document},
};

/// The draft's 5 kB are too few for a document with keys in it.
const MOST_BYTES: usize = 16 * 1024;
const DOCUMENTS: u64 = 1024;

/// The documents of clients.
pub struct ClientDocuments(Kept<RequestedMetadata>);

impl ClientDocuments {
    /// Fetches nothing yet. The process must have installed a TLS provider for rustls.
    ///
    /// # Errors
    /// The certificates can't be read.
    pub fn new(settings: &FetchSettings, clock: Arc<dyn Clock>) -> Result<Self, InvalidFetchSettings> {
        Self::with(names::system(), settings, clock)
    }

    pub(super) fn with(
        look_up: LookUp,
        settings: &FetchSettings,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, InvalidFetchSettings> {
        // Who knows the client from before knows for how long to believe it.
        let rules =
            Rules { most_bytes: MOST_BYTES, capacity: DOCUMENTS, stale: Duration::ZERO, read: read_client_document };
        Ok(Self(Kept::new(agent(look_up, settings)?, clock, rules)))
    }

    /// What the document says, if it need not be fetched.
    pub async fn fresh(&self, url: &DocumentUrl) -> Option<Fetched<RequestedMetadata>> {
        self.0.fresh(url).await
    }

    /// What the document says, fetched unless that was done a moment ago.
    pub async fn newer(&self, url: &DocumentUrl) -> Fetched<RequestedMetadata> {
        self.0.newer(url).await
    }
}
