//! Tokens in memory: what is known of the active ones, and which ones are unknown. moka's clock is housekeeping: what nobody
//! asks for goes. Whether an entry holds is told by ours, on every hit.

use std::{
    hash::{BuildHasher, Hasher},
    sync::Arc,
    time::Duration,
};

use http::HeaderValue;
use moka::future::Cache;

use super::{
    LookupFailed,
    agents::Restraint,
    invalidation::{Invalidation, Stamp},
};
use crate::{
    clock::UnixTime,
    config::CacheSettings,
    erpnext::UpstreamUser,
    oauth::{Client, GrantId, KeyThumbprint, Resources, Scopes, TokenHash},
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
    /// The key that it is bound to (RFC 9449 §6).
    pub dpop_key: Option<KeyThumbprint>,
    /// What holds it back besides the rules, if anything does.
    pub restraint: Option<Box<Restraint>>,
    /// The resources that it is for (RFC 8707).
    pub resources: Resources,
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

/// The two caches: junk never drives a known token out.
pub(super) struct TokenCache {
    known: Cache<TokenHash, Arc<CachedToken>, AsItIs>,
    unknown: Cache<TokenHash, UnixTime, AsItIs>,
    unknown_ttl: Duration,
}

impl TokenCache {
    pub(super) fn new(settings: &CacheSettings) -> Self {
        Self {
            // By idleness: moka keeps what it needs for that anyway, and a list besides for an entry's age.
            known: Cache::builder()
                .max_capacity(settings.capacity)
                .time_to_idle(settings.ttl)
                .build_with_hasher(AsItIs),
            unknown: Cache::builder()
                .max_capacity(settings.unknown_capacity)
                .time_to_idle(settings.unknown_ttl)
                .build_with_hasher(AsItIs),
            unknown_ttl: settings.unknown_ttl,
        }
    }

    /// What is believed still, and was found since the last revocation; anything older is forgotten.
    pub(super) async fn known(
        &self,
        token: &TokenHash,
        invalidation: &Invalidation,
        now: UnixTime,
    ) -> Option<Arc<CachedToken>> {
        let found = self.known.get(token).await?;
        if now < found.believed_until && invalidation.holds(found.stamp) {
            return Some(found);
        }
        self.known.invalidate(token).await;
        None
    }

    /// Whether the token was found to be unknown within `cache.unknown_ttl`.
    pub(super) async fn is_unknown(&self, token: &TokenHash, now: UnixTime) -> bool {
        self.unknown.get(token).await.is_some_and(|at| now.since(at) < self.unknown_ttl)
    }

    pub(super) async fn remember_unknown(&self, token: TokenHash, now: UnixTime) {
        self.unknown.insert(token, now).await;
    }

    /// What `look_up` finds; once for all who ask for this token meanwhile.
    pub(super) async fn found_by(
        &self,
        token: TokenHash,
        look_up: impl Future<Output = Result<Arc<CachedToken>, Missed>>,
    ) -> Result<Arc<CachedToken>, Missed> {
        self.known.try_get_with(token, look_up).await.map_err(|missed: Arc<Missed>| Missed::clone(&missed))
    }
}

/// Tokens are told apart by a hash already: its first bytes are as good as any of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AsItIs;

/// The first bytes of what is hashed.
#[derive(Debug, Default)]
pub(super) struct FirstBytes(u64);

impl BuildHasher for AsItIs {
    type Hasher = FirstBytes;

    fn build_hasher(&self) -> FirstBytes {
        FirstBytes::default()
    }
}

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 ^= u64::from_ne_bytes(*first);
        }
    }

    /// The length of a hash, which is the same for all.
    fn write_usize(&mut self, _length: usize) {}
}
