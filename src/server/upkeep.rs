//! What follows from a change in ERPNext: grants that end, consents that are asked for again.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::site::Site;
use crate::erpnext::{ClientChanges, DirectoryError};

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
}

impl ClientUpkeep {
    pub(super) const fn new(site: Arc<Site>) -> Self {
        Self { site, health: Health::new("ERPNext's clients"), overrides_are_looked_at: AtomicBool::new(false) }
    }

    /// Asks what has changed, and does what that asks for.
    pub(super) async fn round(&self) {
        let outcome = self.site.clients.sync().await;
        self.health.note(outcome.as_ref().map(|_| ()));
        if let Ok(changes) = outcome {
            self.act_on(changes).await;
            if !self.overrides_are_looked_at.swap(true, Ordering::Relaxed) {
                for id in self.site.clients.idle_overrides() {
                    tracing::warn!(client = %id, "a [[client]] block is about a client that ERPNext does not have");
                }
            }
        }
    }

    async fn act_on(&self, changes: ClientChanges) {
        if changes.is_empty() {
            return;
        }
        let ClientChanges { added, changed, gone } = changes;
        tracing::info!(added = added.len(), changed = changed.len(), gone = gone.len(), "clients of ERPNext's");
        for client in &changed {
            if let Err(error) = self.site.issuer.client_changed(client).await {
                tracing::error!(%error, %client, "the consents of a client that has changed can't be forgotten");
            }
        }
        for client in &gone {
            if let Err(error) = self.site.issuer.end_grants_of_client(client).await {
                tracing::error!(%error, %client, "the grants of a client that is gone can't be ended");
            }
        }
        // Tokens in memory hold their client as it was.
        self.site.access.invalidation().everything();
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
