//! Logins and logouts of ERPNext that pass by (decision 10): when a login session began is kept in the store, under its
//! keyed hash, and all of them are written into the audit trail.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::cookies::{LoginChange, login_change, login_sessions, user_of_login};
use crate::{
    clock::UnixTime,
    http1::Fields,
    oauth::LoginHasher,
    secret::Secret,
    store::{Store, StoreError},
    telemetry::{
        audit::{Audit, AuditEvent},
        tally::Tally,
    },
};

/// How long ERPNext keeps a login session unless its cookie says otherwise.
const SESSION_LIFE: Duration = Duration::from_secs(170 * 3600);
/// No cookie is believed to live longer.
const LONGEST_LIFE: Duration = Duration::from_secs(400 * 86_400);

/// Watches answers for logins.
pub struct LoginWatch {
    store: Arc<dyn Store>,
    hasher: LoginHasher,
    audit: Arc<Audit>,
    tally: Arc<Tally>,
}

impl LoginWatch {
    /// Keeps what it sees in `store`, and writes it down in `audit`; failed logins are only counted.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, hasher: LoginHasher, audit: Arc<Audit>, tally: Arc<Tally>) -> Self {
        Self { store, hasher, audit, tally }
    }

    /// Takes note of what an answer does to the login session. When it returns the store knows: the browser's next
    /// request may ask for it. A store that is away costs only the time of the login.
    pub(super) async fn observe(&self, request: &impl Fields, answer: &impl Fields, now: UnixTime, peer: IpAddr) {
        let result = match login_change(request, answer) {
            None => return,
            Some(LoginChange::Began { sid, max_age }) => {
                let user = user_of_login(answer);
                self.record(&AuditEvent { event: "login", user: user.as_deref(), ..AuditEvent::default() }, now, peer);
                let life = max_age.map_or(SESSION_LIFE, Duration::from_secs).min(LONGEST_LIFE);
                self.store.put_login(self.hasher.hash(&Secret::new(sid)), now, now.plus(life)).await
            }
            Some(LoginChange::Ended) => self.forget(request, now, peer).await,
        };
        if let Err(error) = result {
            tracing::error!(%error, "a login that passed can't be kept");
        }
    }

    /// Counts a login that ERPNext has refused.
    pub(super) fn failed(&self, peer: IpAddr) {
        self.tally.count("login_failed", None, peer);
    }

    async fn forget(&self, request: &impl Fields, now: UnixTime, peer: IpAddr) -> Result<(), StoreError> {
        for sid in login_sessions(request) {
            let login = self.hasher.hash(&Secret::new(sid));
            // A made-up cookie must not cost a write, nor a line.
            if self.store.login(login, now).await?.is_some() {
                self.record(&AuditEvent { event: "logout", ..AuditEvent::default() }, now, peer);
                self.store.forget_login(login).await?;
            }
        }
        Ok(())
    }

    fn record(&self, event: &AuditEvent<'_>, now: UnixTime, peer: IpAddr) {
        self.audit.record(now, &AuditEvent { address: Some(peer), ..*event });
    }
}
