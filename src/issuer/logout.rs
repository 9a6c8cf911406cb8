//! The end of a login session: which grants end with it, and which clients are told (OpenID Connect Back-Channel Logout 1.0).

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::{IssueError, Issuer};
use crate::{
    clock::UnixTime,
    erpnext::ClientRegistry,
    oauth::{Client, TokenHash},
    store::{ClientSession, EndOfLogin, LogoutNotice, StoreError},
    telemetry::audit::AuditEvent,
};

/// So long it is tried to tell a client.
const NOTICE_LIFE: Duration = Duration::from_secs(24 * 3600);
/// A logout token is good for so long (§2.4 recommends two minutes).
const TOKEN_LIFE: Duration = Duration::from_secs(120);
/// After the first failure it is tried again so soon, then after three times as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// So many clients are told at once.
const MOST_AT_ONCE: u32 = 16;

/// Why a login session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoutCause {
    /// The end session endpoint: all grants of the login session end, but for those that are to outlast it.
    EndSession,
    /// ERPNext's own logout: the grants of clients that ask for it end.
    Upstream,
}

/// Ends login sessions, and knows which clients are still to be told.
pub struct Logouts {
    issuer: Arc<Issuer>,
    clients: Arc<ClientRegistry>,
    /// Told when there is somebody to be told.
    noted: Notify,
}

impl Logouts {
    /// Works on the grants of `issuer`; `clients` say what ends with a login session and whom it is told.
    #[must_use]
    pub fn new(issuer: Arc<Issuer>, clients: Arc<ClientRegistry>) -> Self {
        Self { issuer, clients, noted: Notify::new() }
    }

    /// Ends what ends with a login session and notes who is to be told of it, all at once; nothing where nothing is known of
    /// the login session, which a made-up cookie finds out without a write.
    ///
    /// # Errors
    /// When the store can't answer: nothing has ended then.
    pub async fn end_login(&self, login: TokenHash, cause: LogoutCause, peer: IpAddr) -> Result<(), StoreError> {
        let (store, now) = (&self.issuer.store, self.issuer.clock.now());
        let sessions = store.sessions_of_login(login).await?;
        if sessions.is_empty() && store.login(login, now).await?.is_none() {
            return Ok(());
        }
        let known = self.clients.known();
        let of = |wanted: &dyn Fn(&Client) -> bool| {
            let clients = sessions.iter().filter(|session| known.client(&session.client).is_some_and(|it| wanted(it)));
            clients.map(|session| session.client.clone()).collect::<Vec<_>>()
        };
        let end = EndOfLogin {
            login,
            ends: of(&|client| ends_with(client, cause)),
            notifies: of(&|client| client.backchannel_logout_uri.is_some()),
            now,
            notices_expire_at: now.plus(NOTICE_LIFE),
        };
        let somebody_waits = !end.notifies.is_empty();
        let ended = store.end_login(end).await?;
        for grant in &ended {
            (self.issuer.grant_ended)(grant);
        }
        self.record(cause, &sessions, ended.len(), peer);
        if somebody_waits {
            self.noted.notify_one();
        }
        Ok(())
    }

    fn record(&self, cause: LogoutCause, sessions: &[ClientSession], ended: usize, peer: IpAddr) {
        let reason = match cause {
            LogoutCause::EndSession => "end_session",
            LogoutCause::Upstream => "erpnext",
        };
        let user = sessions.iter().find_map(|session| session.user.as_ref());
        self.issuer.record(&AuditEvent {
            event: "logout",
            reason: Some(reason),
            user: user.map(|user| user.name.as_str()),
            count: Some(ended as u64),
            address: Some(peer),
            ..AuditEvent::default()
        });
    }

    /// Waits until there is somebody to be told.
    pub async fn noted(&self) {
        self.noted.notified().await;
    }

    /// The clients that are due to be told, each with what it is told; each is due again later, unless [`Self::told`].
    ///
    /// # Errors
    /// When the store can't answer.
    pub async fn due(&self) -> Result<Vec<LogoutNotice>, StoreError> {
        self.issuer.store.take_due_notices(self.issuer.clock.now(), due_again, MOST_AT_ONCE).await
    }

    /// The client of a notice, with its address; `None` when it wants to hear no more.
    #[must_use]
    pub fn addressee(&self, notice: &LogoutNotice) -> Option<Arc<Client>> {
        self.clients.known().client(&notice.client).filter(|client| client.backchannel_logout_uri.is_some()).cloned()
    }

    /// The client has been told, or never will be.
    ///
    /// # Errors
    /// When the store can't keep it: the client is told once more.
    pub async fn told(&self, notice: &LogoutNotice) -> Result<(), StoreError> {
        self.issuer.store.drop_notice(notice).await
    }

    /// A logout token for the client (§2.4), of a form of its own: no id_token is one, nor the other way round.
    ///
    /// # Errors
    /// When it can't be signed.
    pub async fn logout_token(&self, client: &Client, notice: &LogoutNotice) -> Result<String, IssueError> {
        let now = self.issuer.clock.now();
        let mut claims = Map::new();
        let mut put = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        put("iss", self.issuer.settings.issuer.as_str().into());
        put("aud", client.id.as_str().into());
        put("iat", now.secs().into());
        put("exp", now.plus(TOKEN_LIFE).secs().into());
        put("jti", URL_SAFE_NO_PAD.encode(self.issuer.random.bytes::<16>()).into());
        put("sid", notice.claim.as_str().into());
        put("events", json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
        if let Some(sub) = &notice.sub {
            put("sub", sub.as_str().into());
        }
        self.issuer.sign_for(client, "logout+jwt", claims, now).await
    }
}

fn ends_with(client: &Client, cause: LogoutCause) -> bool {
    match cause {
        LogoutCause::EndSession => client.grants_end_with_login(),
        LogoutCause::Upstream => client.ends_with_login,
    }
}

/// When a client that was tried so often before is tried again.
fn due_again(now: UnixTime, attempts: u32) -> UnixTime {
    let pause = FIRST_PAUSE.checked_mul(3_u32.saturating_pow(attempts.min(16))).unwrap_or(LONGEST_PAUSE);
    now.plus(pause.min(LONGEST_PAUSE))
}

impl fmt::Debug for Logouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logouts").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_up_to_an_hour() {
        let now = UnixTime::from_secs(1_700_000_000);
        let pauses: Vec<u64> = (0..9).map(|attempts| due_again(now, attempts).since(now).as_secs()).collect();
        assert_eq!(pauses, [5, 15, 45, 135, 405, 1215, 3600, 3600, 3600]);
        assert_eq!(due_again(now, u32::MAX).since(now), LONGEST_PAUSE);
    }
}
