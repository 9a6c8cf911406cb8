//! Looks after the servers of a pool: names are looked up again, connections that nobody uses are closed, and where there
//! is a choice each server is asked something cheap every few seconds.

use std::{sync::Arc, time::Duration};

use http::{
    HeaderValue, StatusCode,
    header::{ACCEPT, CONNECTION, HOST, USER_AGENT},
};
use pingora::{connectors::http::Connector, http::RequestHeader, upstreams::peer::HttpPeer};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use super::pool::Pool;

/// Between two checks of a server.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// No check may take longer. All of gunicorn's workers may be busy for a moment.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);
/// Names are looked up again this often, and at once when a connection fails.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(30);
/// After a server was found unreachable the next round is not before this: a flood of failures is one.
const TROUBLE_PAUSE: Duration = Duration::from_secs(1);

/// For guests, without a look into the database.
const PING: &str = "/api/method/ping";
/// The first request of every realtime client.
const HANDSHAKE: &str = "/socket.io/?EIO=4&transport=polling";

/// What a check asks.
#[derive(Clone, Debug)]
pub struct Probe {
    path: &'static str,
    host: HeaderValue,
    site_name: Option<HeaderValue>,
}

impl Probe {
    /// Asks ERPNext whether it lives, as `host` and, where that is set, the site of this name.
    pub fn new(host: HeaderValue, site_name: Option<HeaderValue>) -> Self {
        Self { path: PING, host, site_name }
    }

    /// The same of its realtime server.
    pub(super) fn of_realtime(&self) -> Self {
        Self { path: HANDSHAKE, ..self.clone() }
    }

    fn request(&self) -> pingora::Result<RequestHeader> {
        let mut request = RequestHeader::build("GET", self.path.as_bytes(), None)?;
        request.insert_header(HOST, self.host.clone())?;
        request.insert_header(USER_AGENT, "empress-gateway (health check)")?;
        request.insert_header(ACCEPT, "*/*")?;
        request.insert_header(CONNECTION, "close")?;
        if let Some(site_name) = &self.site_name {
            request.insert_header("x-frappe-site-name", site_name.clone())?;
        }
        Ok(request)
    }

    /// Whether the server answers, and not with an error of its own or that the site is not there.
    async fn ask(&self, connector: &Connector, peer: &HttpPeer) -> pingora::Result<bool> {
        // The connection is dropped with the session: checks make a new one each time, as requests may have to.
        let (mut session, _) = connector.get_http_session(peer).await?;
        session.set_write_timeout(peer.options.write_timeout);
        session.set_read_timeout(peer.options.read_timeout);
        session.write_request_header(Box::new(self.request()?)).await?;
        session.finish_request_body().await?;
        session.read_response_header().await?;
        let status = session.response_header().map(|answer| answer.status);
        Ok(status.is_some_and(|status| !status.is_server_error() && status != StatusCode::NOT_FOUND))
    }
}

/// Looks after the pool until `shutdown` says so.
pub(super) async fn watch(pool: Arc<Pool>, probe: Probe, mut shutdown: watch::Receiver<bool>) {
    let connector = Arc::new(Connector::new(None));
    let mut tick = interval(CHECK_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut resolved: Option<Instant> = None;
    loop {
        let troubled = tokio::select! {
            _ = tick.tick() => false,
            () = pool.troubled.notified() => true,
            () = stopped(&mut shutdown) => return,
        };
        if resolved.is_none_or(|at| at.elapsed() >= RESOLVE_INTERVAL || (troubled && pool.may_have_moved())) {
            pool.resolve().await;
            resolved = Some(Instant::now());
        }
        pool.members().iter().for_each(|member| member.expire_links());
        check(&pool, &probe, &connector).await;
        if troubled {
            tokio::select! {
                () = tokio::time::sleep(TROUBLE_PAUSE) => {}
                () = stopped(&mut shutdown) => return,
            }
        }
    }
}

/// Asks all servers at the same time. An only one is tried whatever is said of it, so it is not asked.
async fn check(pool: &Arc<Pool>, probe: &Probe, connector: &Arc<Connector>) {
    let members = pool.members();
    if members.len() < 2 {
        return;
    }
    let mut checks = JoinSet::new();
    for member in members.iter() {
        let (member, pool, probe) = (Arc::clone(member), Arc::clone(pool), probe.clone());
        let connector = Arc::clone(connector);
        checks.spawn(async move {
            let asked = timeout(CHECK_TIMEOUT, probe.ask(&connector, &member.peer())).await;
            pool.checked(&member, matches!(asked, Ok(Ok(true))));
        });
    }
    checks.join_all().await;
}

/// Waits for the shutdown. The borrow that `wait_for` gives must not live across another wait.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a shutdown too.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
