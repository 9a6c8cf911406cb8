//! Which credential a user's requests go upstream with: found or made once per user, replaced in its last days and when
//! somebody deleted it in ERPNext.

use std::{sync::Arc, time::Duration};

use http::HeaderValue;

use super::{DirectoryError, UpstreamUser, adapter::Adapter, shadow};
use crate::store::{GrantUser, ShadowToken, StoreError};

/// A credential is suspected at most once per user within this.
const SUSPICION_INTERVAL: Duration = Duration::from_secs(10);
/// How long requests that were on their way may still use a replaced token.
const REPLACED_FOR: Duration = Duration::from_secs(60);

impl Adapter {
    pub(super) fn upstream_user(&self, user: &GrantUser) -> Arc<UpstreamUser> {
        self.upstream_users.user(user, || self.users.listed(&user.name))
    }

    /// The user's credential: from memory, else the store, else made.
    pub(super) async fn credential(self: &Arc<Self>, user: &GrantUser) -> Result<HeaderValue, DirectoryError> {
        let state = self.upstream_user(user);
        let now = self.now();
        if let Some(credential) = state.credential_at(now).filter(|_| state.is_enabled()) {
            if state.is_due_for_renewal(now) {
                drop(self.making.start(user.clone(), Arc::clone(self).make(state)));
            }
            return Ok(credential);
        }
        self.making.share(user.clone(), Arc::clone(self).obtain(state)).await
    }

    async fn obtain(self: Arc<Self>, state: Arc<UpstreamUser>) -> Result<HeaderValue, DirectoryError> {
        self.check_user(&state).await?;
        let now = self.now();
        if let Some(credential) = state.credential_at(now) {
            return Ok(credential);
        }
        let kept = self.ground.store.shadow_token(&state.user.name, now).await.map_err(unavailable)?;
        let credential = kept.filter(|kept| kept.sub == state.user.sub).and_then(|kept| {
            let (renew_from, end) = shadow::renew_and_end(&kept);
            if renew_from > now { state.set_credential(&kept.token, renew_from, end) } else { None }
        });
        match credential {
            Some(credential) => still_enabled(&state, credential),
            None => self.make(state).await,
        }
    }

    /// Makes a new credential in place of the one that is in use.
    pub(super) async fn replace_credential(
        self: &Arc<Self>,
        state: Arc<UpstreamUser>,
    ) -> Result<HeaderValue, DirectoryError> {
        self.making.share(state.user.clone(), Arc::clone(self).make(state)).await
    }

    async fn make(self: Arc<Self>, state: Arc<UpstreamUser>) -> Result<HeaderValue, DirectoryError> {
        self.check_user(&state).await?;
        let (user, created_at, ttl) = (&state.user, self.now(), self.shadow_token_ttl);
        let token = shadow::fresh_text(&*self.ground.random);
        shadow::create(&self.agent, &self.own_client, user, &token, ttl).await?;
        let made = ShadowToken { token, sub: user.sub.clone(), created_at, expires_at: created_at.plus(ttl) };
        if let Err(error) = self.keep(user, &made).await {
            self.retire(made.token, created_at);
            return Err(unavailable(error));
        }
        let (renew_from, end) = shadow::renew_and_end(&made);
        let credential = state.set_credential(&made.token, renew_from, end);
        if !state.is_enabled() {
            // Disabled while it was made: whoever noticed may have looked into the store too early.
            self.drop_shadow_token(&user.name).await;
        }
        still_enabled(&state, credential.ok_or(DirectoryError::UserGone)?)
    }

    /// Puts a token into the store; the one that it replaces is deleted upstream a little later.
    async fn keep(&self, user: &GrantUser, made: &ShadowToken) -> Result<(), StoreError> {
        let replaced = self.ground.store.take_shadow_token(&user.name).await?;
        if let Some(replaced) = replaced {
            self.retire(replaced.token, made.created_at.plus(REPLACED_FOR));
        }
        self.ground.store.put_shadow_token(&user.name, made.clone()).await
    }

    /// That the user is there, enabled, and the same as ever.
    async fn check_user(self: &Arc<Self>, state: &UpstreamUser) -> Result<(), DirectoryError> {
        let name = &state.user.name;
        let current = self.user(name).await?.filter(|current| current.name == *name);
        let same = current.as_ref().is_some_and(|current| current.sub == state.user.sub);
        let enabled = same && current.as_ref().is_some_and(|current| current.enabled);
        state.set_enabled(enabled);
        if current.is_none() {
            // It was deleted while nobody looked: before the gateway was started.
            self.end_user(name).await;
        }
        if enabled { Ok(()) } else { Err(DirectoryError::UserGone) }
    }

    /// After an upstream 401 to `refused`: the credential to try again with, if that one is dead.
    pub(super) async fn renew_after_unauthorized(
        self: &Arc<Self>,
        user: &GrantUser,
        refused: HeaderValue,
    ) -> Result<Option<HeaderValue>, DirectoryError> {
        let state = self.upstream_user(user);
        let replacement = |state: &UpstreamUser| state.credential_at(self.now()).filter(|current| *current != refused);
        if let Some(replacement) = replacement(&state) {
            return Ok(Some(replacement));
        }
        let work = Arc::clone(self).judge_suspect(state, refused.clone());
        self.suspicions.share(user.clone(), work).await
    }

    async fn judge_suspect(
        self: Arc<Self>,
        state: Arc<UpstreamUser>,
        refused: HeaderValue,
    ) -> Result<Option<HeaderValue>, DirectoryError> {
        if let Some(replacement) = state.credential_at(self.now()).filter(|current| *current != refused) {
            return Ok(Some(replacement));
        }
        if !state.suspect(self.now(), SUSPICION_INTERVAL) {
            return Ok(None);
        }
        if shadow::is_alive(&self.agent, &state.user.name, &refused).await? {
            return Ok(None);
        }
        tracing::warn!(user = %state.user.name, "ERPNext no longer accepts the user's shadow token: making another");
        state.drop_credential();
        self.replace_credential(state).await.map(Some)
    }
}

/// Never a credential for a user who was disabled meanwhile.
fn still_enabled(state: &UpstreamUser, credential: HeaderValue) -> Result<HeaderValue, DirectoryError> {
    if state.is_enabled() {
        return Ok(credential);
    }
    state.drop_credential();
    Err(DirectoryError::UserGone)
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn unavailable(error: StoreError) -> DirectoryError {
    DirectoryError::Unavailable(format!("shadow token: {error}"))
}
