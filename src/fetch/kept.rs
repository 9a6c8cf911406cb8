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
/// And so long that nobody could be asked, for those who wait for the same.
const BUSY_FOR: Duration = Duration::from_secs(1);
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

/// What is known of a document.
#[derive(Debug)]
pub struct Fetched<T> {
    /// The document, or why it can't be had.
    pub document: Result<Arc<T>, FetchError>,
    /// When it was asked for, with that outcome.
    pub at: UnixTime,
    /// Whether it was asked for just now, in vain; there may be one from before.
    pub has_failed: bool,
}

/// What is known of one URL. Held while it is fetched.
struct Slot<T> {
    good: Option<Good<T>>,
    failed: Option<Failed>,
    /// When it was fetched though it was fresh.
    again_at: Option<UnixTime>,
}

struct Good<T> {
    document: Arc<T>,
    at: UnixTime,
    fresh_until: UnixTime,
}

#[derive(Clone, Copy)]
struct Failed {
    error: FetchError,
    at: UnixTime,
    until: UnixTime,
}

impl<T> Good<T> {
    fn fetched(&self) -> Fetched<T> {
        Fetched { document: Ok(Arc::clone(&self.document)), at: self.at, has_failed: false }
    }
}

impl<T: Send + Sync + 'static> Kept<T> {
    pub(super) fn new(agent: Agent, clock: Arc<dyn Clock>, rules: Rules<T>) -> Self {
        Self { agent, clock, slots: Cache::new(rules.capacity), rules }
    }

    /// The document, fetched unless it is fresh.
    pub(super) async fn get(&self, url: &DocumentUrl) -> Fetched<T> {
        let slot = self.slot(url);
        let mut slot = slot.lock().await;
        match self.fresh_in(&slot) {
            Some(fresh) => fresh,
            None => self.fetched(url, &mut slot).await,
        }
    }

    /// The document, if it need not be fetched.
    pub(super) async fn fresh(&self, url: &DocumentUrl) -> Option<Fetched<T>> {
        self.fresh_in(&*self.slot(url).lock().await)
    }

    fn fresh_in(&self, slot: &Slot<T>) -> Option<Fetched<T>> {
        let now = self.clock.now();
        slot.good.as_ref().filter(|good| now < good.fresh_until).map(Good::fetched)
    }

    /// The document for somebody who misses something in it: fetched again, unless that was done a moment ago.
    pub(super) async fn newer(&self, url: &DocumentUrl) -> Fetched<T> {
        let slot = self.slot(url);
        let mut slot = slot.lock().await;
        let now = self.clock.now();
        match self.fresh_in(&slot) {
            Some(fresh) if slot.again_at.is_some_and(|at| now.since(at) < AGAIN_AFTER) => fresh,
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

    async fn fetched(&self, url: &DocumentUrl, slot: &mut Slot<T>) -> Fetched<T> {
        let at = self.clock.now();
        if let Some(failed) = slot.failed.filter(|failed| at < failed.until) {
            return self.in_place_of(failed, slot);
        }
        match self.fetch(url, at).await {
            Ok(good) => {
                slot.failed = None;
                let fetched = good.fetched();
                slot.good = Some(good);
                fetched
            }
            Err(error) => {
                // The host says that it has no such document, or another one: the old one is worth nothing any more.
                if !error.is_outage() {
                    slot.good = None;
                }
                tracing::info!(url = url.as_str(), %error, "a client's document can't be fetched");
                let is_busy = error == FetchError::Busy;
                let until = self.clock.now().plus(if is_busy { BUSY_FOR } else { FAILED_FOR });
                let failed = Failed { error, at, until };
                slot.failed = Some(failed);
                Fetched { has_failed: !is_busy, ..self.in_place_of(failed, slot) }
            }
        }
    }

    async fn fetch(&self, url: &DocumentUrl, at: UnixTime) -> Result<Good<T>, FetchError> {
        let answered = self.agent.get(url, self.rules.most_bytes).await?;
        let document = (self.rules.read)(url, &answered.document).map_err(FetchError::Refused)?;
        let fresh = answered.max_age.unwrap_or_default().clamp(LEAST_FRESH, MOST_FRESH);
        Ok(Good { document: Arc::new(document), at, fresh_until: self.clock.now().plus(fresh) })
    }

    /// The document from before, if it is not too old.
    fn in_place_of(&self, failed: Failed, slot: &Slot<T>) -> Fetched<T> {
        let now = self.clock.now();
        let good = slot.good.as_ref().filter(|good| now < good.fresh_until.plus(self.rules.stale));
        good.map_or(Fetched { document: Err(failed.error), at: failed.at, has_failed: false }, Good::fetched)
    }
}
