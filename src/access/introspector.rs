//! From the text of a token to what is known of it: by its shape, from memory, from the store; one look-up for a token
//! at a time.

use std::{sync::Arc, time::Duration};

use super::{
    AccessGround,
    cache::{CachedToken, Missed, TokenCache},
    invalidation::Invalidation,
};
use crate::{
    clock::UnixTime,
    config::CacheSettings,
    erpnext::DirectoryError,
    oauth::{Recognised, TokenHash, TokenKind},
    store::StoreError,
};

/// No look-up may take longer.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// So often a token is looked up again when revocations keep coming in between.
const ATTEMPTS: usize = 4;

/// Whether a token is active can't be told. Every caller denies on it: 503.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LookupFailed {
    /// The store can't answer.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The token's client can't be looked up.
    #[error(transparent)]
    Client(DirectoryError),
    /// It takes too long.
    #[error("the look-up takes too long")]
    TooSlow,
}

/// What a presented token turned out to be.
#[derive(Clone, Debug)]
pub(super) enum Introspected {
    /// Active. `cached` tells whether that was known already.
    Active { token: Arc<CachedToken>, cached: bool },
    /// Of our prefix, but never made by us, or none of its kinds that may be presented here: no look-up was spent.
    Malformed,
    /// Not of our format. Tokens that ERPNext issued are unknown until they are imported (decision 2).
    Foreign,
    /// Unknown, expired or revoked.
    Inactive,
}

pub(super) struct Introspector {
    cache: TokenCache,
    pub(super) invalidation: Invalidation,
}

impl Introspector {
    pub(super) fn new(settings: &CacheSettings) -> Self {
        Self { cache: TokenCache::new(settings), invalidation: Invalidation::default() }
    }

    pub(super) async fn introspect(
        &self,
        ground: &AccessGround,
        presented: &str,
        now: UnixTime,
    ) -> Result<Introspected, LookupFailed> {
        match ground.mint.recognise(presented) {
            Recognised::Ours(TokenKind::Access) => {}
            Recognised::Ours(TokenKind::Refresh | TokenKind::Code | TokenKind::Handle) | Recognised::Malformed => {
                return Ok(Introspected::Malformed);
            }
            Recognised::Foreign => return Ok(Introspected::Foreign),
        }
        let hash = TokenHash::of(presented);
        if let Some(token) = self.cache.known(&hash, &self.invalidation, now).await {
            return Ok(active(token, true, now));
        }
        self.ask(ground, hash, now).await
    }

    async fn ask(&self, ground: &AccessGround, hash: TokenHash, now: UnixTime) -> Result<Introspected, LookupFailed> {
        if self.cache.is_unknown(&hash, now).await {
            return Ok(Introspected::Inactive);
        }
        for _ in 0..ATTEMPTS {
            match self.cache.found_by(hash, self.look_up(ground, hash, now)).await {
                // The look-up that we joined began before a revocation: once more.
                Ok(token) if !self.invalidation.holds(token.stamp) => {
                    self.cache.known(&hash, &self.invalidation, now).await;
                }
                Ok(token) => return Ok(active(token, false, now)),
                Err(Missed::Unknown) => return Ok(Introspected::Inactive),
                Err(Missed::Failed(failed)) => return Err(failed),
            }
        }
        Err(LookupFailed::TooSlow)
    }

    async fn look_up(&self, ground: &AccessGround, hash: TokenHash, now: UnixTime) -> Result<Arc<CachedToken>, Missed> {
        let began = self.invalidation.begin();
        let failed = |error| Missed::Failed(LookupFailed::Store(Arc::new(error)));
        let facts = tokio::time::timeout(LOOKUP_TIMEOUT, ground.store.access_token(hash, now))
            .await
            .map_err(|_| Missed::Failed(LookupFailed::TooSlow))?
            .map_err(failed)?;
        let client = match &facts {
            Some(facts) => ground.clients.client(&facts.grant.client).await,
            None => Ok(None),
        };
        let client = client.map_err(|error| Missed::Failed(LookupFailed::Client(error)))?;
        let (Some(facts), Some(client)) = (facts, client) else {
            self.cache.remember_unknown(hash, now).await;
            return Err(Missed::Unknown);
        };
        Ok(Arc::new(CachedToken {
            stamp: self.invalidation.stamp(began, &facts.grant.id),
            user: ground.directory.upstream_user(&facts.grant.user),
            grant: facts.grant.id,
            client,
            scopes: facts.scopes,
            issued_at: facts.issued_at,
            expires_at: facts.expires_at,
            looked_up_at: now,
        }))
    }
}

fn active(token: Arc<CachedToken>, cached: bool, now: UnixTime) -> Introspected {
    if token.expires_at > now { Introspected::Active { token, cached } } else { Introspected::Inactive }
}
