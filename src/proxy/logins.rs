//! Logins and logouts of ERPNext that pass by (decision 10): when a login session began is kept in the store, under its
//! keyed hash, and all of them are written into the audit trail.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::cookies::{LoginChange, login_change, login_sessions, user_of_login};
use crate::{
    clock::UnixTime,
    erpnext::LOGIN_LIFE,
    http1::Fields,
    issuer::{LogoutCause, Logouts},
    oauth::LoginHasher,
    secret::Secret,
    store::{Store, StoreError},
    telemetry::{
        audit::{Audit, AuditEvent},
        tally::Tally,
    },
};

/// No cookie is believed to live longer.
const LONGEST_LIFE: Duration = Duration::from_secs(400 * 86_400);

/// Watches answers for logins.
pub struct LoginWatch {
    store: Arc<dyn Store>,
    logouts: Arc<Logouts>,
    hasher: LoginHasher,
    audit: Arc<Audit>,
    tally: Arc<Tally>,
}

impl LoginWatch {
    /// Keeps what it sees in `store`, and writes it down in `audit`; failed logins are only counted.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        logouts: Arc<Logouts>,
        hasher: LoginHasher,
        audit: Arc<Audit>,
        tally: Arc<Tally>,
    ) -> Self {
        Self { store, logouts, hasher, audit, tally }
    }

    /// Takes note of what an answer does to the login session. When it returns the store knows: the browser's next
    /// request may ask for it. A store that is away costs only the time of the login.
    pub(super) async fn observe(&self, request: &impl Fields, answer: &impl Fields, now: UnixTime, peer: IpAddr) {
        let result = match login_change(request, answer) {
            None => return,
            Some(LoginChange::Began { sid, max_age }) => {
                let user = user_of_login(answer);
                self.record(&AuditEvent { event: "login", user: user.as_deref(), ..AuditEvent::default() }, now, peer);
                let life = max_age.map_or(LOGIN_LIFE, Duration::from_secs).min(LONGEST_LIFE);
                self.store.put_login(self.hasher.hash(&Secret::new(sid)), now, now.plus(life)).await
            }
            Some(LoginChange::Ended) => self.end(request, peer).await,
        };
        if let Err(error) = result {
            tracing::error!(%error, "a login that passed can't be kept");
        }
    }

    /// Counts a login that ERPNext has refused.
    pub(super) fn failed(&self, peer: IpAddr) {
        self.tally.count("login_failed", None, peer);
    }

    async fn end(&self, request: &impl Fields, peer: IpAddr) -> Result<(), StoreError> {
        for sid in login_sessions(request) {
            self.logouts.end_login(self.hasher.hash(&Secret::new(sid)), LogoutCause::Upstream, peer).await?;
        }
        Ok(())
    }

    fn record(&self, event: &AuditEvent<'_>, now: UnixTime, peer: IpAddr) {
        self.audit.record(now, &AuditEvent { address: Some(peer), ..*event });
    }
}
