//! What runs beside the requests: users, clients and ERPNext's own tokens kept in step, revocations of other processes, keys,
//! expired rows, counts, clients to be told of logouts.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};

use super::{
    counts,
    site::Site,
    upkeep::{AgentUpkeep, ClientUpkeep, NativeUpkeep, RegistrationUpkeep},
};
use crate::issuer::{HEARD_OF, KeyRound};

/// Counts of used allowances are written this often.
const COUNTS_INTERVAL: Duration = Duration::from_secs(10);
/// Expired rows are removed this often, in small batches so that nobody waits for it.
const PURGE_INTERVAL: Duration = Duration::from_secs(60);
const PURGE_BATCH: u32 = 100;
/// How soon a client that another process has registered, changed or removed is heard of.
const REGISTRATIONS_INTERVAL: Duration = Duration::from_secs(1);
/// How soon is heard that the operator has stopped agents, or lets them run again: within a second, with what it takes.
const SWITCH_INTERVAL: Duration = Duration::from_millis(500);
/// What agents did is written this often: so much may be lost by a power cut, and processes know of each other so late.
const BUDGETS_INTERVAL: Duration = Duration::from_secs(2);
/// What was counted for the audit trail is written this often.
const TALLY_INTERVAL: Duration = Duration::from_secs(60);
/// Whether a signing key is due for rotation, or another process has rotated some, is looked at this often. A round or
/// two may fail before another process counts on it.
const KEYS_INTERVAL: Duration = Duration::from_secs(10);
const _: () = assert!(3 * KEYS_INTERVAL.as_secs() < HEARD_OF.as_secs());

/// How often things are done.
#[derive(Clone, Copy, Debug)]
pub struct Periods {
    /// ERPNext's clients, and the tokens that it issued, are asked for this often.
    pub client_sync: Duration,
    /// A registered client that was not used for so long is removed.
    pub unused_client: Duration,
}

/// The tasks of a site.
pub struct Background {
    site: Arc<Site>,
    periods: Periods,
    shutdown: watch::Receiver<bool>,
}

impl Background {
    /// Takes what the tasks work on.
    #[must_use]
    pub fn new(site: Arc<Site>, periods: Periods, shutdown: watch::Receiver<bool>) -> Self {
        Self { site, periods, shutdown }
    }

    /// Runs all tasks: those that follow what ends or changes as long as anything runs, the others until the shutdown begins. What
    /// is left to write then is written when nothing runs any more.
    pub async fn run(self) {
        tokio::join!(self.follow(), self.serve());
    }

    /// Hears of what ends what was opened before: during a drain, too, since what is under way then may last.
    async fn follow(&self) {
        let erpnext = Arc::clone(&self.site.erpnext).background();
        let clients = ClientUpkeep::new(Arc::clone(&self.site));
        let clients = for_ever(self.periods.client_sync, || clients.round());
        let natives = NativeUpkeep::new(Arc::clone(&self.site));
        let natives = for_ever(self.periods.client_sync, || natives.round());
        let registered = RegistrationUpkeep::new(Arc::clone(&self.site), self.periods.unused_client);
        let registrations = for_ever(REGISTRATIONS_INTERVAL, || registered.round());
        let agents = AgentUpkeep::new(Arc::clone(&self.site));
        let switch = for_ever(SWITCH_INTERVAL, || agents.hear());
        let budgets = for_ever(BUDGETS_INTERVAL, || agents.settle());
        let revocations = self.site.access.follow_revocations();
        // What a key has signed that was replaced is no access token any more.
        let keys = for_ever(KEYS_INTERVAL, || self.keep_keys_up());
        tokio::join!(erpnext, clients, natives, registrations, switch, budgets, revocations, keys);
    }

    /// Does what another process can do as well once this one leaves.
    async fn serve(&self) {
        let registered = RegistrationUpkeep::new(Arc::clone(&self.site), self.periods.unused_client);
        let sweep = self.every(PURGE_INTERVAL, || registered.sweep());
        let counts = self.every(COUNTS_INTERVAL, || counts::write(&self.site));
        let purge = self.every(PURGE_INTERVAL, || self.purge());
        let tally = self.every(TALLY_INTERVAL, || self.write_tally());
        let logouts = self.site.backchannel.run(self.shutdown.clone());
        tokio::join!(sweep, counts, purge, tally, logouts);
    }

    /// Does a task again and again until the shutdown begins; one that has begun then is done.
    async fn every<F: Future<Output = ()>>(&self, period: Duration, task: impl Fn() -> F) {
        let mut shutdown = self.shutdown.clone();
        let mut tick = ticks(period);
        loop {
            tokio::select! {
                _ = tick.tick() => task().await,
                () = stopped(&mut shutdown) => return,
            }
        }
    }

    #[expect(clippy::unused_async, reason = "a task is a future")]
    async fn write_tally(&self) {
        self.site.tally.write(self.site.clock.now());
    }

    async fn purge(&self) {
        loop {
            match self.site.store.purge(self.site.clock.now(), PURGE_BATCH).await {
                Ok(removed) if removed >= u64::from(PURGE_BATCH) => {}
                Ok(_) => return,
                Err(error) => return tracing::error!(%error, "expired rows can't be removed"),
            }
        }
    }

    async fn keep_keys_up(&self) {
        let now = self.site.clock.now();
        match self.site.issuer.signing.keep_up(now).await {
            Ok(round) if round == KeyRound::default() => {}
            Ok(KeyRound { published, removed, gone }) => {
                // What one of those has signed is no access token any more.
                if gone > 0 {
                    self.site.access.invalidation().everything();
                }
                tracing::info!(published, removed, gone, "signing keys to come are published, or old ones removed");
            }
            Err(error) => tracing::error!(%error, "the signing keys can't be rotated yet"),
        }
    }
}

/// Does a task again and again as long as it is let run.
async fn for_ever<F: Future<Output = ()>>(period: Duration, task: impl Fn() -> F) {
    let mut tick = ticks(period);
    loop {
        tick.tick().await;
        task().await;
    }
}

fn ticks(period: Duration) -> Interval {
    let mut tick = interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

/// Waits for the shutdown. The borrow that `wait_for` gives must not live across another wait.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a shutdown too.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
