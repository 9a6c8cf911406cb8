//! From the text of a token to what is known of it: by its shape, from memory, from the store; one look-up for a token
//! at a time.

use std::{sync::Arc, time::Duration};

use http::HeaderValue;

use super::{
    AccessGround,
    cache::{CachedToken, Missed, TokenCache},
    invalidation::Invalidation,
    uses::Uses,
};
use crate::{
    clock::UnixTime,
    config::CacheSettings,
    erpnext::{DirectoryError, Freshness, Possible},
    oauth::{Client, Recognised, TokenHash, TokenKind},
    store::{AccessTokenFacts, StoreError},
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
    /// The token's client, or whether its user has the role that the client asks for, can't be looked up.
    #[error(transparent)]
    Directory(DirectoryError),
    /// It takes too long.
    #[error("the look-up takes too long")]
    TooSlow,
    /// The token may be one that ERPNext issued, and those have not all been read yet.
    #[error("the tokens that ERPNext issued have not been read yet")]
    NotRead,
}

/// What a presented token turned out to be.
#[derive(Clone, Debug)]
pub(super) enum Introspected {
    /// Active. `cached` tells whether that was known already.
    Active { token: Arc<CachedToken>, cached: bool },
    /// Of our prefix, but never made by us, or none of its kinds that may be presented here: no look-up was spent.
    Malformed,
    /// Not of our format, and none that ERPNext issued.
    Foreign,
    /// Unknown, expired or revoked.
    Inactive,
}

pub(super) struct Introspector {
    cache: TokenCache,
    ttl: Duration,
    pub(super) invalidation: Invalidation,
    pub(super) uses: Uses,
}

/// A token that is worth a look-up.
#[derive(Clone, Copy)]
struct Asked<'a> {
    hash: TokenHash,
    /// The text of a token that ERPNext issued.
    native: Option<&'a str>,
    /// The text of a JWT, whose signature is looked at before it is looked up.
    jwt: Option<&'a str>,
    now: UnixTime,
}

impl Introspector {
    pub(super) fn new(settings: &CacheSettings) -> Self {
        Self {
            cache: TokenCache::new(settings),
            ttl: settings.ttl,
            invalidation: Invalidation::default(),
            uses: Uses::default(),
        }
    }

    pub(super) async fn introspect(
        &self,
        ground: &AccessGround,
        presented: &str,
        now: UnixTime,
    ) -> Result<Introspected, LookupFailed> {
        let asked = match ground.mint.recognise(presented) {
            Recognised::Ours(TokenKind::Access) => {
                Asked { hash: TokenHash::of(presented), native: None, jwt: None, now }
            }
            Recognised::Ours(TokenKind::Refresh | TokenKind::Code | TokenKind::Handle | TokenKind::DeviceCode)
            | Recognised::Malformed => {
                return Ok(Introspected::Malformed);
            }
            Recognised::Jwt if ground.jwts.is_some() => {
                Asked { hash: TokenHash::of(presented), native: None, jwt: Some(presented), now }
            }
            Recognised::Jwt => return Ok(Introspected::Foreign),
            Recognised::Foreign => {
                let Some(natives) = &ground.natives else { return Ok(Introspected::Foreign) };
                let hash = TokenHash::of(presented);
                match natives.possible(&hash) {
                    Possible::Yes => Asked { hash, native: Some(presented), jwt: None, now },
                    Possible::No => return Ok(Introspected::Foreign),
                    Possible::Unknown => return Err(LookupFailed::NotRead),
                }
            }
        };
        if let Some(token) = self.cache.known(&asked.hash, &self.invalidation, now).await {
            return Ok(active(token, true, now));
        }
        // Apart: what a request waits on is moved about with it, and a token is seldom asked for.
        Box::pin(self.ask(ground, asked)).await
    }

    async fn ask(&self, ground: &AccessGround, asked: Asked<'_>) -> Result<Introspected, LookupFailed> {
        let Asked { hash, now, .. } = asked;
        if self.cache.is_unknown(&hash, now).await {
            return Ok(Introspected::Inactive);
        }
        for _ in 0..ATTEMPTS {
            match self.cache.found_by(hash, self.look_up(ground, asked)).await {
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

    async fn look_up(&self, ground: &AccessGround, asked: Asked<'_>) -> Result<Arc<CachedToken>, Missed> {
        let Asked { hash, native, jwt, now } = asked;
        // Another look-up may have ended since the caller looked.
        if self.cache.is_unknown(&hash, now).await {
            return Err(Missed::Unknown);
        }
        if let (Some(jwt), Some(jwts)) = (jwt, &ground.jwts)
            && !jwts.verify(jwt, now)
        {
            self.cache.remember_unknown(hash, now).await;
            return Err(Missed::Unknown);
        }
        let began = self.invalidation.begin();
        let failed = |error| Missed::Failed(LookupFailed::Store(Arc::new(error)));
        let facts = tokio::time::timeout(LOOKUP_TIMEOUT, ground.store.access_token(hash, now))
            .await
            .map_err(|_| Missed::Failed(LookupFailed::TooSlow))?
            .map_err(failed)?;
        let client = match &facts {
            Some(facts) => client_of(ground, facts).await,
            None => Ok(None),
        };
        let client = client.map_err(|error| Missed::Failed(LookupFailed::Directory(error)))?;
        let (Some(facts), Some(client)) = (facts, client) else {
            self.cache.remember_unknown(hash, now).await;
            return Err(Missed::Unknown);
        };
        if let (Some(natives), Some(_)) = (&ground.natives, native) {
            natives.note_use(hash, now);
        }
        self.uses.note(&facts, now);
        let by_role = !client.allowed_roles.is_empty();
        Ok(Arc::new(CachedToken {
            stamp: self.invalidation.stamp(began, &facts.grant.id),
            user: ground.directory.upstream_user(&facts.grant.user),
            grant: facts.grant.id,
            restraint: ground.agents.restraint(&client, &facts.scopes),
            // Mostly they are the client's, and the same for a great many tokens.
            scopes: if facts.scopes == client.scopes { client.scopes.clone() } else { facts.scopes },
            dpop_key: facts.dpop_key,
            resources: facts.resources,
            issued_at: facts.issued_at,
            expires_at: facts.expires_at,
            native: native.and_then(as_presented),
            // Whether the user has the client's role is asked again as often as anything else about the user.
            believed_until: now.plus(if by_role { self.ttl.min(ground.user_ttl) } else { self.ttl }),
            client,
        }))
    }
}

/// The client that a token belongs to; `None` when there is none any more, or its user may not use it any more.
async fn client_of(ground: &AccessGround, facts: &AccessTokenFacts) -> Result<Option<Arc<Client>>, DirectoryError> {
    let Some(client) = ground.clients.client(&facts.grant.client).await? else { return Ok(None) };
    if client.allowed_roles.is_empty() {
        return Ok(Some(client));
    }
    let (user, roles) = (&facts.grant.user.name, &client.allowed_roles);
    let may = ground.directory.has_role(user, roles, Freshness::Checking).await?;
    Ok(may.then_some(client))
}

/// The header that a native token goes upstream with, whatever white space and letter case it came with: ERPNext takes
/// one with two blanks for none at all.
fn as_presented(token: &str) -> Option<Box<HeaderValue>> {
    let mut header = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    header.set_sensitive(true);
    Some(Box::new(header))
}

fn active(token: Arc<CachedToken>, cached: bool, now: UnixTime) -> Introspected {
    if token.expires_at > now { Introspected::Active { token, cached } } else { Introspected::Inactive }
}
