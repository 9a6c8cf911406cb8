//! The bearer check of every forwarded request: which token, whose, for what, and the credential that the user's requests
//! go upstream with. It reads grants and never makes or ends one.
//!
//! Unless something is unknown to memory the check takes no lock and waits for nothing. It denies on every failure.

pub(crate) mod bearer;
mod cache;
mod feed;
mod introspector;
mod invalidation;
mod permit;
#[cfg(test)]
mod tests;
mod uses;

use std::{sync::Arc, time::Duration};

use http::HeaderValue;

use bearer::{MalformedHeader, Presented};
pub use cache::CachedToken;
pub use feed::FeedPosition;
use introspector::LookupFailed;
pub use invalidation::Invalidation;
pub use permit::{Denial, DenialAnswer, Permit, Realm};

use self::introspector::{Introspected, Introspector};
use crate::{
    clock::UnixTime,
    config::{CacheSettings, RouteAuth},
    erpnext::{ClientRegistry, Directory, DirectoryError, NativeTokens, UpstreamUser},
    http1::Fields,
    oauth::{TOKEN_PREFIX, TokenMint},
    route::{Service, Terms},
    store::Store,
};

/// What the check works with.
pub struct AccessGround {
    /// Recognises our tokens.
    pub mint: Arc<TokenMint>,
    /// Knows the active ones.
    pub store: Arc<dyn Store>,
    /// Knows the users and has their credentials.
    pub directory: Arc<dyn Directory>,
    /// Knows the clients: tokens of one that is disabled or gone are refused.
    pub clients: Arc<ClientRegistry>,
    /// Knows which tokens may be ERPNext's own; `None`: those are refused.
    pub natives: Option<Arc<NativeTokens>>,
    /// How long what is known of a user is believed.
    pub user_ttl: Duration,
}

/// The check.
pub struct AccessCheck {
    ground: AccessGround,
    introspector: Introspector,
}

impl AccessCheck {
    /// A check that has nothing in memory yet.
    #[must_use]
    pub fn new(ground: AccessGround, settings: &CacheSettings) -> Self {
        Self { ground, introspector: Introspector::new(settings) }
    }

    /// Where grants that end must be told of, after the store knows.
    #[must_use]
    pub fn invalidation(&self) -> Invalidation {
        self.introspector.invalidation.clone()
    }

    /// Writes when grants were last used, as far as the store has not heard of it. What can't be written is noted again with
    /// the next use.
    pub async fn write_uses(&self) {
        let uses = self.introspector.uses.take();
        if uses.is_empty() {
            return;
        }
        if let Err(error) = self.ground.store.note_uses(uses).await {
            tracing::error!(%error, "when grants were used can't be written");
        }
    }

    /// Whether a request may go upstream on these terms. `None`: it carries no bearer token of ours to act on and goes as
    /// it is, with its cookies; who it comes from is then the upstream's business.
    ///
    /// # Errors
    /// [`Denial`], the reason why not.
    pub async fn check(
        &self,
        terms: &Terms,
        headers: &impl Fields,
        token_in_query: bool,
        now: UnixTime,
    ) -> Result<Option<Permit>, Denial> {
        let presented = match bearer::parse(headers).map_err(|MalformedHeader| Denial::MalformedHeader)? {
            Presented::Bearer(presented) => presented,
            Presented::OtherScheme | Presented::Nothing if terms.auth == RouteAuth::Bearer => {
                return Err(Denial::NoToken);
            }
            // ERPNext would take the one of the query where the header's is not a bearer token.
            Presented::OtherScheme if token_in_query => return Err(Denial::TwoMethods),
            Presented::OtherScheme | Presented::Nothing => return Ok(None),
        };
        if terms.auth == RouteAuth::Pass && !is_of_our_format(presented) {
            return Ok(None);
        }
        if token_in_query {
            return Err(Denial::TwoMethods);
        }
        self.permit(terms, presented, now).await.map(Some)
    }

    /// The active token that a request to one of our own endpoints presents, of a user who is enabled.
    ///
    /// # Errors
    /// [`Denial`], the reason why there is none.
    pub async fn presented_token(
        &self,
        headers: &impl Fields,
        token_in_query: bool,
        now: UnixTime,
    ) -> Result<Arc<CachedToken>, Denial> {
        let presented = match bearer::parse(headers).map_err(|MalformedHeader| Denial::MalformedHeader)? {
            Presented::Bearer(_) if token_in_query => return Err(Denial::TwoMethods),
            Presented::Bearer(presented) => presented,
            Presented::OtherScheme | Presented::Nothing => return Err(Denial::NoToken),
        };
        let (token, _) = self.active(presented, now).await?;
        self.check_user(&token.user, now)?;
        Ok(token)
    }

    /// After ERPNext answered 401: the credential to try once more with; `None` when the 401 was its own, or that can't be
    /// told.
    pub async fn renew_credential(&self, permit: &Permit) -> Option<HeaderValue> {
        let used = permit.credential.as_ref().filter(|_| permit.token.native.is_none())?;
        match self.ground.directory.renew_after_unauthorized(&permit.token.user, used).await {
            Ok(renewed) => renewed,
            Err(error) => {
                tracing::error!(%error, "a credential that ERPNext refused can't be renewed");
                None
            }
        }
    }

    async fn permit(&self, terms: &Terms, presented: &str, now: UnixTime) -> Result<Permit, Denial> {
        let (token, cached) = self.active(presented, now).await?;
        if !terms.demand.is_met_by(&token.scopes) {
            return Err(Denial::InsufficientScope(terms.demand.challenge()));
        }
        self.check_user(&token.user, now)?;
        let credential = match (terms.service, &token.native) {
            (Service::Web, None) => Some(self.credential(&token.user, now).await?),
            (Service::Web, Some(native)) => Some(HeaderValue::clone(native)),
            (Service::Realtime, _) => None,
        };
        Ok(Permit { credential, token, cached })
    }

    /// Whether the user is enabled. Asked last: a token that is not good is told so while ERPNext is away, too.
    fn check_user(&self, user: &UpstreamUser, now: UnixTime) -> Result<(), Denial> {
        if !user.is_enabled() {
            return Err(Denial::UserGone);
        }
        if self.ground.directory.users_are_known(now) { Ok(()) } else { Err(Denial::UpstreamUnavailable) }
    }

    /// The active token with this text, and whether it was known before.
    async fn active(&self, presented: &str, now: UnixTime) -> Result<(Arc<CachedToken>, bool), Denial> {
        let introspected = self.introspector.introspect(&self.ground, presented, now).await.map_err(|error| {
            // Junk may come as often as it likes while ERPNext's tokens are being read, which the log tells by itself.
            if !matches!(error, LookupFailed::NotRead) {
                tracing::error!(%error, "an access token can't be checked");
            }
            Denial::LookupFailed
        })?;
        match introspected {
            Introspected::Active { token, cached } => Ok((token, cached)),
            Introspected::Malformed => Err(Denial::MalformedToken),
            Introspected::Foreign => Err(Denial::ForeignToken),
            Introspected::Inactive => Err(Denial::InactiveToken),
        }
    }

    async fn credential(&self, user: &UpstreamUser, now: UnixTime) -> Result<HeaderValue, Denial> {
        if let Some(credential) = user.credential_at(now) {
            return Ok(credential);
        }
        self.ground.directory.credential(user).await.map_err(|error| match error {
            DirectoryError::UserGone => Denial::UserGone,
            DirectoryError::Unavailable(_) | DirectoryError::Refused(_) => {
                tracing::error!(%error, "a user has no credential for the upstream");
                Denial::UpstreamUnavailable
            }
        })
    }
}

fn is_of_our_format(presented: &str) -> bool {
    presented.get(..TOKEN_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(TOKEN_PREFIX))
}
