//! The bearer check of every forwarded request: which token, whose, for what, and the credential that the user's requests
//! go upstream with. It reads grants and never makes or ends one.
//!
//! Unless something is unknown to memory the check takes no lock and waits for nothing. It denies on every failure.

pub mod agents;
pub(crate) mod bearer;
mod cache;
mod feed;
mod introspector;
mod invalidation;
mod permit;
mod proofs;
#[cfg(test)]
mod tests;
mod uses;

use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue, Method};

use agents::{Agent, Agents};
use bearer::{MalformedHeader, Presented, Scheme};
pub use cache::CachedToken;
pub use feed::FeedPosition;
use introspector::LookupFailed;
pub use invalidation::Invalidation;
pub use permit::{Denial, DenialAnswer, NONCE_HEADER, Permit, Realm};
pub use proofs::{NotProven, Proofs};

use self::introspector::{Introspected, Introspector};
use crate::{
    clock::UnixTime,
    config::{CacheSettings, RouteAuth},
    erpnext::{ClientRegistry, Directory, DirectoryError, NativeTokens, UpstreamUser},
    http1::Fields,
    oauth::{KeyThumbprint, Recognised, SignedAccessTokens, TokenMint},
    route::{Service, Target, Terms},
    store::Store,
};

/// What the check works with.
pub struct AccessGround {
    /// Recognises our tokens.
    pub mint: Arc<TokenMint>,
    /// Checks that who presents a token that is bound to a key holds it.
    pub proofs: Arc<Proofs>,
    /// Knows the active ones.
    pub store: Arc<dyn Store>,
    /// Knows the users and has their credentials.
    pub directory: Arc<dyn Directory>,
    /// Knows the clients: tokens of one that is disabled or gone are refused.
    pub clients: Arc<ClientRegistry>,
    /// Knows which tokens may be ERPNext's own; `None`: those are refused.
    pub natives: Option<Arc<NativeTokens>>,
    /// Knows whether agents run, and what is left of their budgets.
    pub agents: Arc<Agents>,
    /// Knows which JWTs are access tokens of ours; `None`: there are none.
    pub jwts: Option<Arc<dyn SignedAccessTokens>>,
    /// How long what is known of a user is believed.
    pub user_ttl: Duration,
}

/// The header that carries a proof (RFC 9449 §4.1).
pub static PROOF_HEADER: HeaderName = HeaderName::from_static("dpop");

/// What a request is, besides its header fields.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'r> {
    /// Whether there is a token in the query.
    pub token_in_query: bool,
    /// What a proof must be about.
    pub proof_of: Proof<'r>,
}

/// Whether the presenter of a token that is bound to a key must show now that it holds that.
#[derive(Clone, Copy, Debug)]
pub enum Proof<'r> {
    /// By a proof for this method and this request target.
    Of(&'r Method, &'r [u8]),
    /// It did so before, with the same request.
    WasGiven,
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

    /// The agents, and whether they run.
    #[must_use]
    pub fn agents(&self) -> &Arc<Agents> {
        &self.ground.agents
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
        sent: Sent<'_>,
        now: UnixTime,
    ) -> Result<Option<Permit>, Denial> {
        let presented = match bearer::parse(headers).map_err(|MalformedHeader| Denial::MalformedHeader)? {
            Presented::Token(scheme, presented) => (scheme, presented),
            Presented::OtherScheme | Presented::Nothing if terms.auth == RouteAuth::Bearer => {
                return Err(Denial::NoToken);
            }
            // ERPNext would take the one of the query where the header's is not a bearer token.
            Presented::OtherScheme if sent.token_in_query => return Err(Denial::TwoMethods),
            Presented::OtherScheme | Presented::Nothing => return Ok(None),
        };
        if terms.auth == RouteAuth::Pass && !self.is_of_our_format(presented.1) {
            return Ok(None);
        }
        if sent.token_in_query {
            return Err(Denial::TwoMethods);
        }
        let (token, cached) = self.active(presented.1, now).await?;
        check_resource(&token, sent.proof_of)?;
        self.check_possession(&token, presented, headers, (sent.proof_of, now))?;
        self.permit(terms, token, cached, now).await.map(Some)
    }

    /// The active token that a request to one of our own endpoints presents, of a user who is enabled.
    ///
    /// # Errors
    /// [`Denial`], the reason why there is none.
    pub async fn presented_token(
        &self,
        headers: &impl Fields,
        sent: Sent<'_>,
        now: UnixTime,
    ) -> Result<Arc<CachedToken>, Denial> {
        let presented = match bearer::parse(headers).map_err(|MalformedHeader| Denial::MalformedHeader)? {
            Presented::Token(..) if sent.token_in_query => return Err(Denial::TwoMethods),
            Presented::Token(scheme, presented) => (scheme, presented),
            Presented::OtherScheme | Presented::Nothing => return Err(Denial::NoToken),
        };
        let (token, _) = self.active(presented.1, now).await?;
        self.check_possession(&token, presented, headers, (sent.proof_of, now))?;
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

    /// The key that a request proves to hold by the one proof that it has; `None` where it has none.
    ///
    /// # Errors
    /// Why the proof proves nothing.
    pub fn proven_key(
        &self,
        headers: &impl Fields,
        (method, path): (&str, &str),
        now: UnixTime,
    ) -> Result<Option<KeyThumbprint>, NotProven> {
        if !headers.has(&PROOF_HEADER) {
            return Ok(None);
        }
        let proof = only_proof(headers).ok_or(NotProven::Missing)?;
        self.ground.proofs.check(proof, (method, path, None), None, now).map(Some)
    }

    /// A nonce for the next proof (RFC 9449 §8).
    #[must_use]
    pub fn nonce(&self, now: UnixTime) -> String {
        self.ground.proofs.nonce(now)
    }

    /// Whether who presents the token may have it: one that is bound to a key counts for who holds that alone, and one that
    /// is not is no token of that scheme (RFC 9449 §7.1, §7.2).
    fn check_possession(
        &self,
        token: &CachedToken,
        (scheme, presented): (Scheme, &str),
        headers: &impl Fields,
        (proof_of, now): (Proof<'_>, UnixTime),
    ) -> Result<(), Denial> {
        let key = match (token.dpop_key, scheme) {
            (None, Scheme::Bearer) => return Ok(()),
            (Some(_), Scheme::Bearer) | (None, Scheme::Dpop) => return Err(Denial::OtherScheme),
            (Some(key), Scheme::Dpop) => key,
        };
        let Proof::Of(method, target) = proof_of else { return Ok(()) };
        let proof = only_proof(headers).ok_or(Denial::NotProven(NotProven::Missing))?;
        let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
        let path = std::str::from_utf8(path).unwrap_or_default();
        let request = (method.as_str(), path, Some(presented));
        self.ground.proofs.check(proof, request, Some(key), now).map(|_| ()).map_err(Denial::NotProven)
    }

    async fn permit(
        &self,
        terms: &Terms,
        token: Arc<CachedToken>,
        cached: bool,
        now: UnixTime,
    ) -> Result<Permit, Denial> {
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

    fn is_of_our_format(&self, presented: &str) -> bool {
        match self.ground.mint.recognise(presented) {
            Recognised::Ours(_) | Recognised::Malformed => true,
            Recognised::Jwt => self.ground.jwts.as_ref().is_some_and(|jwts| jwts.means_to_be_ours(presented)),
            Recognised::Foreign => false,
        }
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
            Introspected::Active { token, .. }
                if token.restraint.as_ref().is_some_and(|held| held.agent().is_some_and(Agent::is_stopped)) =>
            {
                Err(Denial::InactiveToken)
            }
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

/// The proof of a request that has one, and not two.
fn only_proof(headers: &impl Fields) -> Option<&str> {
    let mut proofs = headers.each(&PROOF_HEADER);
    let proof = std::str::from_utf8(proofs.next()?).ok()?;
    proofs.next().is_none().then_some(proof)
}

/// Whether a token that is for some resources alone may be used here. What `cmd` names is run in place of what the path
/// does.
fn check_resource(token: &CachedToken, proof_of: Proof<'_>) -> Result<(), Denial> {
    let Proof::Of(_, target) = proof_of else { return Ok(()) };
    if token.resources.is_empty() {
        return Ok(());
    }
    let target = std::str::from_utf8(target).ok().and_then(|target| Target::parse(target).ok());
    let is_for = |target: Target<'_>| {
        token.resources.cover(target.path()) && !(token.resources.confine() && target.query().has("cmd"))
    };
    if target.is_some_and(is_for) { Ok(()) } else { Err(Denial::OtherResource) }
}
