//! What follows from a change in ERPNext: grants that end, consents that are asked for again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::Mutex;

use super::site::Site;
use crate::{
    erpnext::{ClientChanges, DirectoryError},
    store::StoreError,
    telemetry::audit::AuditEvent,
};

/// So many unused clients are removed at once.
const SWEEP_BATCH: u32 = 100;

/// Says once that something fails, and once that it works again.
struct Health {
    what: &'static str,
    failing: AtomicBool,
}

impl Health {
    const fn new(what: &'static str) -> Self {
        Self { what, failing: AtomicBool::new(false) }
    }

    fn note(&self, outcome: Result<(), &DirectoryError>) {
        let failed_before = self.failing.swap(outcome.is_err(), Ordering::Relaxed);
        match outcome {
            Err(error) if !failed_before => tracing::warn!(%error, "{} can't be kept in step", self.what),
            Ok(()) if failed_before => tracing::info!("{} are kept in step again", self.what),
            Ok(()) | Err(_) => {}
        }
    }
}

/// Keeps the clients in step with ERPNext's.
pub(super) struct ClientUpkeep {
    site: Arc<Site>,
    health: Health,
    overrides_are_looked_at: AtomicBool,
    /// The changes whose consequences have not all been drawn.
    owed: Mutex<ClientChanges>,
}

impl ClientUpkeep {
    pub(super) fn new(site: Arc<Site>) -> Self {
        let (health, owed) = (Health::new("ERPNext's clients"), Mutex::default());
        Self { site, health, overrides_are_looked_at: AtomicBool::new(false), owed }
    }

    /// Asks what has changed, and does what that asks for.
    pub(super) async fn round(&self) {
        let outcome = self.site.clients.sync().await;
        self.health.note(outcome.as_ref().map(|_| ()));
        let answered = outcome.is_ok();
        let mut owed = self.owed.lock().await;
        owed.add(outcome.unwrap_or_default());
        if self.act_on(&owed).await {
            *owed = ClientChanges::default();
            self.site.clients.keep().await;
        }
        drop(owed);
        if answered && !self.overrides_are_looked_at.swap(true, Ordering::Relaxed) {
            for id in self.site.clients.idle_overrides() {
                tracing::warn!(client = %id, "a [[client]] block is about a client that ERPNext does not have");
            }
        }
    }

    /// Whether all is done that the changes ask for.
    async fn act_on(&self, changes: &ClientChanges) -> bool {
        if changes.is_empty() {
            return true;
        }
        let ClientChanges { added, changed, gone } = changes;
        let mut done = true;
        tracing::info!(added = added.len(), changed = changed.len(), gone = gone.len(), "clients of ERPNext's");
        for client in changed {
            if let Err(error) = self.site.issuer.client_changed(client).await {
                tracing::error!(%error, %client, "the consents of a client that has changed can't be forgotten yet");
                done = false;
            }
        }
        for client in gone {
            if let Err(error) = self.site.issuer.end_grants_of_client(client).await {
                tracing::error!(%error, %client, "the grants of a client that is gone can't be ended yet");
                done = false;
            }
        }
        // Tokens in memory hold their client as it was.
        self.site.access.invalidation().everything();
        done
    }
}

/// Keeps the clients that were registered here in step with the store, and forgets those that nobody uses.
pub(super) struct RegistrationUpkeep {
    site: Arc<Site>,
    unused_ttl: Duration,
    health: Health,
}

impl RegistrationUpkeep {
    pub(super) const fn new(site: Arc<Site>, unused_ttl: Duration) -> Self {
        Self { site, unused_ttl, health: Health::new("registered clients") }
    }

    /// Hears of what other processes have changed.
    pub(super) async fn round(&self) {
        let outcome = self.site.clients.refresh_registered().await;
        let outcome = outcome.map_err(|error| DirectoryError::Unavailable(error.to_string()));
        self.health.note(outcome.as_ref().copied());
    }

    /// Removes clients that were not used for long, with their grants.
    pub(super) async fn sweep(&self) {
        let now = self.site.clock.now();
        let removed = match self.site.clients.remove_unused(self.unused_ttl, now, SWEEP_BATCH).await {
            Ok(removed) => removed,
            Err(error) => return tracing::error!(%error, "registered clients that nobody uses can't be removed yet"),
        };
        for client in removed {
            let issuer = &self.site.issuer;
            for grant in &client.ended {
                (issuer.grant_ended)(grant);
            }
            issuer.record(&AuditEvent {
                event: "client_expired",
                client_id: Some(client.id.as_str()),
                count: Some(client.ended.len() as u64),
                ..AuditEvent::default()
            });
        }
    }
}

/// Hears whether the operator lets agents run, and keeps what they did in step with other processes.
pub(super) struct AgentUpkeep {
    site: Arc<Site>,
    health: Health,
    /// How often it has been heard that they are stopped, since they were.
    heard: AtomicU32,
}

/// When grants of agents end that were issued while they were being stopped: at once, and when every request has been answered
/// that had begun before.
const SWEEPS: [u32; 2] = [0, 40];

impl AgentUpkeep {
    pub(super) const fn new(site: Arc<Site>) -> Self {
        Self { site, health: Health::new("agents"), heard: AtomicU32::new(0) }
    }

    /// Asks whether agents are stopped. Where they are, what the command that stopped them did not know of ends, too.
    pub(super) async fn hear(&self) {
        let agents = self.site.access.agents();
        if let Err(error) = agents.hear(&*self.site.store).await {
            return self.health.note(Err(&DirectoryError::Unavailable(error.to_string())));
        }
        self.health.note(Ok(()));
        let heard = self.heard.load(Ordering::Relaxed);
        if !agents.are_stopped() {
            if heard > 0 {
                tracing::warn!("agents run again: the operator has started them");
            }
            return self.heard.store(0, Ordering::Relaxed);
        }
        if heard == 0 {
            tracing::warn!("agents are stopped by the operator");
        }
        if SWEEPS.contains(&heard)
            && let Err(error) = self.end_grants().await
        {
            return tracing::error!(%error, "the grants of agents can't be ended yet");
        }
        self.heard.store(heard.saturating_add(1), Ordering::Relaxed);
    }

    async fn end_grants(&self) -> Result<(), StoreError> {
        let known = self.site.clients.known();
        for agent in known.iter().filter(|client| client.agent.is_some()) {
            for grant in self.site.store.revoke_client(&agent.id, self.site.clock.now()).await? {
                (self.site.issuer.grant_ended)(&grant);
            }
        }
        Ok(())
    }

    /// Writes what agents did, and hears what they did elsewhere.
    pub(super) async fn settle(&self) {
        let (agents, now) = (self.site.access.agents(), self.site.clock.now());
        let settled = agents.settle(&*self.site.store, now).await;
        if let Err(error) = settled {
            tracing::error!(%error, "what agents did can't be written yet");
        }
    }
}

/// Keeps the tokens that ERPNext issued in step.
pub(super) struct NativeUpkeep {
    site: Arc<Site>,
    health: Health,
}

impl NativeUpkeep {
    pub(super) const fn new(site: Arc<Site>) -> Self {
        Self { site, health: Health::new("tokens that ERPNext issued") }
    }

    /// Reads what is new.
    pub(super) async fn round(&self) {
        let Some(natives) = &self.site.natives else { return };
        let outcome = natives.round().await;
        self.health.note(outcome.as_ref().map(|_| ()));
        for grant in outcome.unwrap_or_default() {
            self.site.access.invalidation().grant_ended(&grant);
        }
    }
}
