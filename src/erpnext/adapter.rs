//! What [`super::Erpnext`] is made of, and the upkeep: users kept in step, old shadow tokens deleted.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::HeaderValue;

use super::{
    DirectoryError, DirectoryUser, ErpnextSettings, Ground, Hooks, InvalidSettings, agent::Agent, flights::Flights,
    kept::Kept, known_users::Change, own_client::OwnClient, settings::UserChange, shadow,
    upstream_users::UpstreamUsers, users::Users,
};
use crate::{
    clock::UnixTime,
    oauth::{Profile, ProfileDetails, UserName},
    secret::Secret,
    store::GrantUser,
};

/// A failed deletion is tried again each round, for so many tokens at most; the rest end by themselves.
const MAX_RETIRED: usize = 10_000;

/// The parts.
pub(super) struct Adapter {
    pub(super) agent: Arc<Agent>,
    pub(super) ground: Ground,
    pub(super) hooks: Hooks,
    pub(super) public_url: String,
    pub(super) user_ttl: Duration,
    pub(super) shadow_token_ttl: Duration,
    pub(super) users: Users,
    pub(super) own_client: OwnClient,
    pub(super) upstream_users: UpstreamUsers,
    pub(super) making: Flights<GrantUser, HeaderValue>,
    pub(super) suspicions: Flights<GrantUser, Option<HeaderValue>>,
    pub(super) profiles: Kept<GrantUser, Option<Profile>>,
    pub(super) details: Kept<GrantUser, ProfileDetails>,
    pub(super) roles: Kept<UserName, Vec<String>>,
    syncs: Flights<(), ()>,
    sweeps: Flights<(), ()>,
    retired: Mutex<Vec<Retired>>,
}

/// A shadow token that nothing uses any more, to be deleted upstream.
struct Retired {
    token: Secret,
    due: UnixTime,
}

impl Adapter {
    pub(super) fn new(settings: &ErpnextSettings, ground: Ground, hooks: Hooks) -> Result<Self, InvalidSettings> {
        let agent = Arc::new(Agent::new(settings, Arc::clone(&hooks.on_call))?);
        let clock = Arc::clone(&ground.clock);
        let io = || ground.io.clone();
        Ok(Self {
            users: Users::new(Arc::clone(&agent), clock, &settings.public_url, settings.user_ttl),
            agent,
            hooks,
            public_url: settings.public_url.clone(),
            user_ttl: settings.user_ttl,
            shadow_token_ttl: settings.shadow_token_ttl,
            own_client: OwnClient::default(),
            upstream_users: UpstreamUsers::default(),
            making: Flights::new(io()),
            suspicions: Flights::new(io()),
            profiles: Kept::new(io()),
            details: Kept::new(io()),
            roles: Kept::new(io()),
            syncs: Flights::new(io()),
            sweeps: Flights::new(io()),
            retired: Mutex::default(),
            ground,
        })
    }

    pub(super) fn now(&self) -> UnixTime {
        self.ground.clock.now()
    }

    /// The user as known at most `user_ttl` ago.
    pub(super) async fn user(self: &Arc<Self>, name: &UserName) -> Result<Option<DirectoryUser>, DirectoryError> {
        self.make_fresh().await?;
        self.users.user(name).await
    }

    /// Makes sure that the users were asked for within `user_ttl`.
    pub(super) async fn make_fresh(self: &Arc<Self>) -> Result<(), DirectoryError> {
        if self.users.are_fresh() { Ok(()) } else { self.sync().await }
    }

    /// Asks ERPNext for its users and does what the changes ask for.
    pub(super) async fn sync(self: &Arc<Self>) -> Result<(), DirectoryError> {
        let adapter = Arc::clone(self);
        let sync = async move {
            // What the first list says of a user is no change.
            let seen_before = adapter.users.were_listed();
            let changes = adapter.users.refresh().await?;
            for (name, _) in &changes {
                adapter.upstream_users.settle(name, adapter.users.listed(name).as_ref());
            }
            for (name, change) in &changes {
                match change {
                    Change::Enabled if seen_before => (adapter.hooks.on_user_change)(name, UserChange::Enabled),
                    Change::Disabled if seen_before => (adapter.hooks.on_user_change)(name, UserChange::Disabled),
                    Change::Enabled | Change::Disabled | Change::Gone => {}
                }
                adapter.act_on(name, *change).await;
            }
            Ok(())
        };
        self.syncs.share((), sync).await
    }

    async fn act_on(self: &Arc<Self>, name: &UserName, change: Change) {
        match change {
            Change::Enabled => {}
            Change::Disabled => {
                tracing::info!(user = %name, "the user is disabled");
                self.drop_shadow_token(name).await;
            }
            Change::Gone => self.end_user(name).await,
        }
    }

    /// The user is deleted, renamed, or somebody else by now.
    pub(super) async fn end_user(self: &Arc<Self>, name: &UserName) {
        tracing::info!(user = %name, "the user is gone");
        self.drop_shadow_token(name).await;
        (self.hooks.on_user_gone)(name);
    }

    /// Forgets the shadow token that is kept for a name, and has it deleted upstream.
    pub(super) async fn drop_shadow_token(self: &Arc<Self>, name: &UserName) {
        match self.ground.store.take_shadow_token(name).await {
            Ok(Some(kept)) => self.retire(kept.token, self.now()),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, user = %name, "the user's shadow token could not be dropped"),
        }
        self.start_sweep();
    }

    /// Has a token deleted upstream when `due`.
    pub(super) fn retire(&self, token: Secret, due: UnixTime) {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        if retired.len() < MAX_RETIRED {
            retired.push(Retired { token, due });
        }
    }

    fn start_sweep(self: &Arc<Self>) {
        drop(self.sweeps.start((), Arc::clone(self).sweep()));
    }

    /// Deletes upstream what is due; what fails stays for the next time.
    async fn sweep(self: Arc<Self>) -> Result<(), DirectoryError> {
        let now = self.now();
        let due: Vec<Retired> = {
            let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
            retired.extract_if(.., |retired| retired.due <= now).collect()
        };
        for Retired { token, due } in due {
            if let Err(error) = shadow::delete(&self.agent, &token).await {
                tracing::warn!(%error, "a shadow token could not be deleted in ERPNext");
                self.retire(token, due);
            }
        }
        Ok(())
    }

    /// One round of upkeep.
    pub(super) async fn round(self: &Arc<Self>) -> Result<(), DirectoryError> {
        self.sync().await?;
        self.own_client.id(&self.agent).await?;
        let now = self.now();
        for user in self.upstream_users.in_use() {
            if user.is_enabled() && user.is_due_for_renewal(now) {
                self.replace_credential(user).await?;
            }
        }
        self.sweeps.share((), Arc::clone(self).sweep()).await
    }
}
