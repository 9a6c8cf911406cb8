//! What was fetched, kept: one fetch of a URL at a time, however many ask; fresh for as long as its server says, within
//! bounds; a failure for a moment.

use std::{sync::Arc, time::Duration};

use moka::sync::Cache;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{FetchError, agent::Agent};
use crate::{
    clock::{Clock, UnixTime},
    oauth::DocumentUrl,
};

/// Nothing is fetched more often while it is good, whatever its server says.
const LEAST_FRESH: Duration = Duration::from_secs(5 * 60);
/// Nothing is believed for longer without asking again.
const MOST_FRESH: Duration = Duration::from_secs(24 * 3600);
/// So long a failure stands for the next ones.
const FAILED_FOR: Duration = Duration::from_secs(30);
/// What is fresh is fetched again for somebody who misses something in it, but not twice within this time.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// How a document is read; the error says what is wrong with it.
pub(super) type Read<T> = fn(&DocumentUrl, &Value) -> Result<T, &'static str>;

/// How documents of a kind are kept.
pub(super) struct Rules<T> {
    /// Longer ones are refused.
    pub(super) most_bytes: usize,
    /// So many are kept.
    pub(super) capacity: u64,
    /// What is no longer fresh is good for so long if its host does not answer.
    pub(super) stale: Duration,
    pub(super) read: Read<T>,
}

/// Documents of one kind.
pub(super) struct Kept<T> {
    agent: Agent,
    clock: Arc<dyn Clock>,
    slots: Cache<String, Arc<Mutex<Slot<T>>>>,
    rules: Rules<T>,
}

/// What is known of one URL. Held while it is fetched.
struct Slot<T> {
    good: Option<Good<T>>,
    failed: Option<(UnixTime, FetchError)>,
    /// When it was fetched though it was fresh.
    again_at: Option<UnixTime>,
}

struct Good<T> {
    document: Arc<T>,
    fresh_until: UnixTime,
}

impl<T: Send + Sync + 'static> Kept<T> {
    pub(super) fn new(agent: Agent, clock: Arc<dyn Clock>, rules: Rules<T>) -> Self {
        Self { agent, clock, slots: Cache::new(rules.capacity), rules }
    }

    /// The document, fetched unless it is fresh.
    pub(super) async fn get(&self, url: &DocumentUrl) -> Result<Arc<T>, FetchError> {
        let slot = self.slot(url);
        let mut slot = slot.lock().await;
        let now = self.clock.now();
        match &slot.good {
            Some(good) if now < good.fresh_until => Ok(Arc::clone(&good.document)),
            _ => self.fetched(url, &mut slot).await,
        }
    }

    /// The document for somebody who misses something in it: fetched again, unless that was done a moment ago.
    pub(super) async fn newer(&self, url: &DocumentUrl) -> Result<Arc<T>, FetchError> {
        let slot = self.slot(url);
        let mut slot = slot.lock().await;
        let now = self.clock.now();
        match &slot.good {
            Some(good) if slot.again_at.is_some_and(|at| now.since(at) < AGAIN_AFTER) && now < good.fresh_until => {
                Ok(Arc::clone(&good.document))
            }
            _ => {
                slot.again_at = Some(now);
                self.fetched(url, &mut slot).await
            }
        }
    }

    fn slot(&self, url: &DocumentUrl) -> Arc<Mutex<Slot<T>>> {
        let empty = || Arc::new(Mutex::new(Slot { good: None, failed: None, again_at: None }));
        self.slots.get_with_by_ref(url.as_str(), empty)
    }

    async fn fetched(&self, url: &DocumentUrl, slot: &mut Slot<T>) -> Result<Arc<T>, FetchError> {
        let now = self.clock.now();
        if let Some((at, error)) = slot.failed
            && now.since(at) < FAILED_FOR
        {
            return self.in_place_of(error, slot);
        }
        match self.fetch(url).await {
            Ok(good) => {
                slot.failed = None;
                let document = Arc::clone(&good.document);
                slot.good = Some(good);
                Ok(document)
            }
            Err(error) => {
                // The host says that it has no such document, or another one: the old one is worth nothing any more.
                if !error.is_outage() {
                    slot.good = None;
                }
                tracing::info!(url = url.as_str(), %error, "a client's document can't be fetched");
                slot.failed = Some((self.clock.now(), error));
                self.in_place_of(error, slot)
            }
        }
    }

    async fn fetch(&self, url: &DocumentUrl) -> Result<Good<T>, FetchError> {
        let answered = self.agent.get(url, self.rules.most_bytes).await?;
        let document = (self.rules.read)(url, &answered.document).map_err(FetchError::Refused)?;
        let fresh = answered.max_age.unwrap_or_default().clamp(LEAST_FRESH, MOST_FRESH);
        Ok(Good { document: Arc::new(document), fresh_until: self.clock.now().plus(fresh) })
    }

    /// The document from before, if it is not too old.
    fn in_place_of(&self, error: FetchError, slot: &Slot<T>) -> Result<Arc<T>, FetchError> {
        let now = self.clock.now();
        let good = slot.good.as_ref().filter(|good| now < good.fresh_until.plus(self.rules.stale));
        good.map(|good| Arc::clone(&good.document)).ok_or(error)
    }
}
