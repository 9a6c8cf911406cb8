//! Tokens in memory: what is known of the active ones, and which ones are unknown. Whether an entry holds is told by the
//! clock on every hit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::HeaderValue;

use super::{
    LookupFailed,
    flights::Flights,
    invalidation::{Invalidation, Stamp},
    memory::Memory,
};
use crate::{
    clock::UnixTime,
    config::CacheSettings,
    erpnext::UpstreamUser,
    oauth::{Client, GrantId, Scopes, TokenHash},
};

/// What is known of an active access token.
#[derive(Debug)]
pub struct CachedToken {
    /// Its grant.
    pub grant: GrantId,
    /// Whose it is; enabled when it was looked up.
    pub client: Arc<Client>,
    /// Whom it acts as.
    pub user: Arc<UpstreamUser>,
    /// Its scopes.
    pub scopes: Scopes,
    /// When it was made.
    pub issued_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
    /// `Authorization` of a token that ERPNext issued itself: it goes upstream as it is.
    pub(super) native: Option<Box<HeaderValue>>,
    pub(super) believed_until: UnixTime,
    pub(super) stamp: Stamp,
}

impl CachedToken {
    /// The text of a token that ERPNext issued itself.
    #[must_use]
    pub fn native_text(&self) -> Option<&str> {
        self.native.as_ref()?.to_str().ok()?.strip_prefix("Bearer ")
    }
}

/// Why a look-up found no active token.
#[derive(Clone, Debug)]
pub(super) enum Missed {
    /// There is none.
    Unknown,
    /// It can't be told. Never cached.
    Failed(LookupFailed),
}

/// What a look-up ends with.
pub(super) type Found = Result<Arc<CachedToken>, Missed>;

/// What holds no more is looked for in a part of the memory so often, when something is put in.
const SWEEP_EVERY: u64 = 1000;

/// The two memories: junk never drives a known token out.
pub(super) struct TokenCache {
    known: Memory<Arc<CachedToken>>,
    unknown: Memory<UnixTime>,
    unknown_ttl: Duration,
    look_ups: Flights,
    /// When it was last swept, in milliseconds.
    swept_at: AtomicU64,
}

impl TokenCache {
    pub(super) fn new(settings: &CacheSettings) -> Self {
        Self {
            known: Memory::new(settings.capacity),
            unknown: Memory::new(settings.unknown_capacity),
            unknown_ttl: settings.unknown_ttl,
            look_ups: Flights::default(),
            swept_at: AtomicU64::new(0),
        }
    }

    /// What is believed still, and was found since the last revocation; anything older is forgotten.
    pub(super) fn known(
        &self,
        token: &TokenHash,
        invalidation: &Invalidation,
        now: UnixTime,
    ) -> Option<Arc<CachedToken>> {
        let found = self.known.get(token)?;
        if now < found.believed_until && invalidation.holds(found.stamp) {
            return Some(found);
        }
        self.known.forget(token, |kept| Arc::ptr_eq(kept, &found));
        None
    }

    /// Whether the token was found to be unknown within `cache.unknown_ttl`.
    pub(super) fn is_unknown(&self, token: &TokenHash, now: UnixTime) -> bool {
        self.unknown.get(token).is_some_and(|at| now.since(at) < self.unknown_ttl)
    }

    pub(super) fn remember_unknown(&self, token: TokenHash, now: UnixTime) {
        self.unknown.insert(token, now);
        self.sweep(now);
    }

    /// What `look_up` finds; once for all who ask for this token meanwhile.
    pub(super) async fn found_by(
        &self,
        token: TokenHash,
        now: UnixTime,
        look_up: impl Future<Output = Found>,
    ) -> Found {
        let look_up = async {
            // Another look-up may have ended since the caller looked here.
            if let Some(found) = self.known.get(&token) {
                return Ok(found);
            }
            let found = look_up.await;
            if let Ok(found) = &found {
                self.known.insert(token, Arc::clone(found));
                self.sweep(now);
            }
            found
        };
        self.look_ups.share(token, look_up).await
    }

    /// Now and then, a part at a time.
    fn sweep(&self, now: UnixTime) {
        let (millis, last) = (now.millis(), self.swept_at.load(Ordering::Relaxed));
        let due = millis >= last.saturating_add(SWEEP_EVERY) || millis < last;
        if due && self.swept_at.compare_exchange(last, millis, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.known.sweep(|token| now < token.believed_until.min(token.expires_at));
            self.unknown.sweep(|at| now.since(*at) < self.unknown_ttl);
        }
    }
}
