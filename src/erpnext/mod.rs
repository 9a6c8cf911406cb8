//! The only part that knows Frappe: login sessions, users, and the credentials with which requests go upstream. The rest
//! of the gateway sees the trait [`Directory`].
//!
//! A user's requests go upstream with a *shadow token*: a bearer token of ERPNext's own that the gateway makes for the
//! user, once, and keeps in the store. Whether a user is enabled is learnt from one list call per `user_ttl`.

mod adapter;
mod agent;
mod answer;
mod bases;
mod bucket;
mod clients;
mod credentials;
mod directory;
mod facts;
mod flights;
mod hex;
mod kept;
mod known_users;
mod list;
mod login_session;
mod natives;
mod own_client;
mod profile;
mod settings;
pub mod setup;
mod shadow;
#[cfg(test)]
mod tests;
mod upstream_user;
mod upstream_users;
mod users;

use std::{net::IpAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use http::HeaderValue;

use self::adapter::Adapter;
pub use self::{
    clients::{
        ClientChanges, ClientRegistry, ClientRules, DescribedClient, KnownClients, REGISTERED_PREFIX,
        RegisteredClients, Registration, Seen, TakenUp, UpstreamClients,
    },
    directory::{Directory, DirectoryError, DirectoryUser, Freshness, LogIn, LoginCookies, LoginProbe, PasswordCheck},
    login_session::LOGIN_LIFE,
    natives::{NativeTokens, Possible, Whose},
    settings::{ErpnextSettings, Ground, Hooks, InvalidSettings, OnUserChange, UserChange},
    upstream_user::UpstreamUser,
};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, Profile, ProfileDetails, UserName},
    secret::Secret,
    store::GrantUser,
};

/// After a failed round the next one comes this soon.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// ERPNext, as the gateway's own account and as its users see it.
pub struct Erpnext {
    adapter: Arc<Adapter>,
}

impl Erpnext {
    /// Makes no call yet. The process must have installed a TLS provider for rustls.
    ///
    /// # Errors
    /// [`InvalidSettings`] says which setting can't work.
    pub fn new(settings: &ErpnextSettings, ground: Ground, hooks: Hooks) -> Result<Self, InvalidSettings> {
        Ok(Self { adapter: Arc::new(Adapter::new(settings, ground, hooks)?) })
    }

    /// The OAuth client of the gateway's own tokens, if ERPNext has been asked for it: tokens of that client are refused
    /// from outside.
    #[must_use]
    pub fn own_client_id(&self) -> Option<ClientId> {
        self.adapter.own_client.known()
    }

    /// Asks each upstream, and the realtime server where there is one of its own, whether it lives; what does not answer,
    /// and why.
    pub async fn ask_each(&self, realtime: Option<&str>) -> Vec<String> {
        self.adapter.agent.ask_each(realtime).await
    }

    /// The clients that are registered in ERPNext. Nothing is asked yet.
    #[must_use]
    pub fn clients(&self, rules: ClientRules) -> UpstreamClients {
        UpstreamClients::new(Arc::clone(&self.adapter), rules)
    }

    /// The tokens that ERPNext issued itself. Nothing is asked yet.
    #[must_use]
    pub fn native_tokens(&self) -> NativeTokens {
        NativeTokens::new(Arc::clone(&self.adapter))
    }

    /// Forgets the shadow token that is kept for a name, and has it deleted upstream: before the store forgets it with
    /// the user's grants.
    pub async fn drop_shadow_token(&self, name: &UserName) {
        self.adapter.upstream_users.drop_credentials(name);
        self.adapter.drop_shadow_token(name).await;
    }

    /// Deletes upstream a shadow token that the store has forgotten or is about to forget, for whoever can't leave it to
    /// the upkeep.
    ///
    /// # Errors
    /// When ERPNext can't be asked or refuses: the token works on.
    pub async fn delete_shadow_token(&self, token: &Secret) -> Result<(), DirectoryError> {
        let (adapter, token) = (Arc::clone(&self.adapter), token.clone());
        self.on_io(async move { shadow::delete(&adapter.agent, &token).await }).await
    }

    /// One round of upkeep: users, the shadow tokens that end soon, and those to be deleted.
    ///
    /// # Errors
    /// What stopped it; the rest is left for the next round.
    pub async fn round(&self) -> Result<(), DirectoryError> {
        let adapter = Arc::clone(&self.adapter);
        self.on_io(async move { adapter.round().await }).await
    }

    /// Rounds, as long as it is let run: often enough that what is known of users is never older than `user_ttl`.
    pub async fn background(self: Arc<Self>) {
        let pause = (self.adapter.user_ttl * 5 / 6).max(Duration::from_millis(100));
        let mut failing = false;
        loop {
            let outcome = self.round().await;
            match &outcome {
                Ok(()) if failing => tracing::info!("ERPNext answers again"),
                Err(error) if !failing => tracing::warn!(%error, "ERPNext's users can't be kept in step"),
                Ok(()) | Err(_) => {}
            }
            failing = outcome.is_err();
            let pause = if failing { pause.min(RETRY_PAUSE) } else { pause };
            tokio::time::sleep(pause).await;
        }
    }

    /// Runs on the runtime of our calls, to its end, also when the caller gives up.
    async fn on_io<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, DirectoryError>> + Send + 'static,
    ) -> Result<T, DirectoryError> {
        let broken_off = |_| Err(DirectoryError::Unavailable("a call was broken off".to_owned()));
        self.adapter.ground.io.spawn(work).await.unwrap_or_else(broken_off)
    }
}

#[async_trait]
impl Directory for Erpnext {
    async fn login_session(&self, probe: &LoginProbe) -> Result<Option<UserName>, DirectoryError> {
        let (adapter, probe) = (Arc::clone(&self.adapter), probe.clone());
        self.on_io(async move { login_session::login_session(&adapter.agent, &probe).await }).await
    }

    async fn user(&self, name: &UserName) -> Result<Option<DirectoryUser>, DirectoryError> {
        let (adapter, name) = (Arc::clone(&self.adapter), name.clone());
        self.on_io(async move { adapter.user(&name).await }).await
    }

    async fn has_role(&self, name: &UserName, roles: &[String], freshness: Freshness) -> Result<bool, DirectoryError> {
        self.adapter.has_role(name, roles, freshness).await
    }

    async fn profile(&self, user: &GrantUser) -> Result<Option<Profile>, DirectoryError> {
        let (adapter, user) = (Arc::clone(&self.adapter), user.clone());
        self.on_io(async move { adapter.profile(&user).await }).await
    }

    async fn profile_details(&self, user: &GrantUser) -> Result<ProfileDetails, DirectoryError> {
        self.adapter.profile_details(user).await
    }

    async fn check_password(
        &self,
        username: &str,
        password: &Secret,
        peer: IpAddr,
    ) -> Result<PasswordCheck, DirectoryError> {
        let (adapter, username, password) = (Arc::clone(&self.adapter), username.to_owned(), password.clone());
        self.on_io(async move { login_session::check_password(&adapter.agent, &username, &password, peer).await }).await
    }

    async fn log_in(&self, username: &str, password: &Secret, peer: IpAddr) -> Result<LogIn, DirectoryError> {
        let (adapter, username, password) = (Arc::clone(&self.adapter), username.to_owned(), password.clone());
        self.on_io(async move { login_session::log_in(&adapter.agent, &username, &password, peer).await }).await
    }

    async fn end_login_session(&self, probe: &LoginProbe) -> Result<(), DirectoryError> {
        let (adapter, probe) = (Arc::clone(&self.adapter), probe.clone());
        self.on_io(async move { login_session::end_login_session(&adapter.agent, &probe).await }).await
    }

    fn users_are_known(&self, now: UnixTime) -> bool {
        self.adapter.users.are_believed(now)
    }

    fn upstream_user(&self, user: &GrantUser) -> Arc<UpstreamUser> {
        self.adapter.upstream_user(user)
    }

    async fn credential(&self, user: &UpstreamUser) -> Result<HeaderValue, DirectoryError> {
        self.adapter.credential(&user.user).await
    }

    async fn renew_after_unauthorized(
        &self,
        user: &UpstreamUser,
        refused: &HeaderValue,
    ) -> Result<Option<HeaderValue>, DirectoryError> {
        self.adapter.renew_after_unauthorized(&user.user, refused.clone()).await
    }

    async fn ready(&self) -> Result<(), DirectoryError> {
        let adapter = Arc::clone(&self.adapter);
        self.on_io(async move {
            adapter.make_fresh().await?;
            // Asked anew each time: what is known would go on saying yes while ERPNext is away.
            adapter.own_client.look_up(&adapter.agent).await.map(|_| ())
        })
        .await
    }
}
