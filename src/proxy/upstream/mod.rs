//! The servers behind us: which one gets a request, when one is out, when a request is sent once more, and what becomes of
//! an answer's header.

mod answer;
mod checks;
mod health;
mod link;
mod pool;
mod retry;
mod upgrading;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::header::UPGRADE;
use pingora::{
    proxy::Session,
    upstreams::peer::{HttpPeer, Scheme},
};
use tokio::sync::watch;

pub(super) use self::{
    answer::{Asked, Taken, refused_by, take_answer, take_pingoras, without_chunks},
    checks::Probe,
    link::{Link, LinkFailure},
    pool::Member,
    retry::{after_failed_connection, after_failure, goes_elsewhere, goes_on, may_happen_twice},
};
use self::{
    checks::watch,
    pool::{Order, Pool, Timeouts},
    upgrading::Upgrading,
};
use super::context::RequestContext;
use crate::{config::ErpnextSettings, route::Service, telemetry::metrics::UpstreamMetrics};

/// After an upgrade both sides may be silent for so long; realtime servers ping more often.
const UPGRADED_TIMEOUT: Duration = Duration::from_secs(3600);
/// The realtime server holds a poll until something happens, up to its ping interval of 25 s: a short
/// `response_timeout` is not meant for it.
const POLL_TIMEOUT: Duration = Duration::from_secs(60);

/// The servers behind us.
pub(super) struct Upstreams {
    web: Arc<Pool>,
    /// `None`: the web servers have it too.
    realtime: Option<Arc<Pool>>,
    connect_timeout: Duration,
    upgrades: AtomicU64,
}

/// The attempts at one request.
#[derive(Debug, Default)]
pub struct Attempts {
    current: Option<Arc<Member>>,
    failed: Vec<Arc<Member>>,
    looked_up: bool,
}

impl Attempts {
    fn begin(&mut self, member: Arc<Member>) {
        self.current = Some(member);
    }

    /// The current one has failed: what failed, if anything was tried.
    fn fail(&mut self) -> Option<Arc<Member>> {
        let failed = self.current.take()?;
        self.failed.push(Arc::clone(&failed));
        Some(failed)
    }

    fn has_failed(&self, member: &Arc<Member>) -> bool {
        self.failed.iter().any(|failed| Arc::ptr_eq(failed, member))
    }
}

impl Upstreams {
    pub(super) fn new(settings: &ErpnextSettings, metrics: &UpstreamMetrics) -> Self {
        let web = Timeouts { connect: settings.connect_timeout, response: settings.response_timeout };
        let realtime = Timeouts { response: web.response.max(POLL_TIMEOUT), ..web };
        let socketio = settings.socketio_url.as_slice();
        Self {
            web: Arc::new(Pool::new(settings.upstreams(), web, metrics)),
            realtime: (!socketio.is_empty()).then(|| Arc::new(Pool::new(socketio, realtime, metrics))),
            connect_timeout: settings.connect_timeout,
            upgrades: AtomicU64::new(0),
        }
    }

    /// Checks the servers and looks their names up again, until `shutdown` says so.
    pub(super) fn upkeep(
        &self,
        probe: &Probe,
        shutdown: &watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let web = watch(Arc::clone(&self.web), probe.clone(), shutdown.clone());
        let realtime = self.realtime.clone().map(|pool| watch(pool, probe.of_realtime(), shutdown.clone()));
        async move {
            let realtime = async move {
                if let Some(realtime) = realtime {
                    realtime.await;
                }
            };
            tokio::join!(web, realtime);
        }
    }

    fn of(&self, context: &RequestContext) -> &Pool {
        match context.terms.as_ref().map_or(Service::Web, |terms| terms.service) {
            Service::Web => &self.web,
            Service::Realtime => self.realtime.as_ref().unwrap_or(&self.web),
        }
    }

    /// The server for the next attempt at a request that asks for no upgrade.
    pub(super) async fn next(&self, context: &mut RequestContext) -> pingora::Result<Arc<Member>> {
        let order = if context.is_realtime() { Order::First } else { Order::RoundRobin };
        let member = self.of(context).choose(order, &context.attempts).await?;
        context.attempts.begin(Arc::clone(&member));
        Ok(member)
    }

    /// The peer for the next attempt; an upgraded connection may be silent for longer.
    pub(super) async fn peer(
        &self,
        session: &mut Session,
        context: &mut RequestContext,
    ) -> pingora::Result<Box<HttpPeer>> {
        let mut peer = self.next(context).await?.peer();
        if upgrades(session) {
            session.as_downstream_mut().set_read_timeout(Some(UPGRADED_TIMEOUT));
            self.prepare_upgrade(&mut peer);
        }
        Ok(peer)
    }

    /// Such a connection is nobody else's before, and should the upgrade be refused, afterwards.
    fn prepare_upgrade(&self, peer: &mut HttpPeer) {
        peer.group_key = self.upgrades.fetch_add(1, Ordering::Relaxed) + 1;
        peer.options.idle_timeout = Some(Duration::from_secs(1));
        peer.options.read_timeout = Some(UPGRADED_TIMEOUT);
        let tls = peer.scheme == Scheme::HTTPS;
        peer.options.custom_l4 = Some(Arc::new(Upgrading { connect_timeout: self.connect_timeout, tls }));
    }

    /// A request is on its way.
    pub(super) fn reached(&self, context: &RequestContext) {
        if let Some(member) = &context.attempts.current {
            self.of(context).reached(member);
        }
    }
}

/// Whether the request asks for an upgrade.
fn upgrades(session: &Session) -> bool {
    session.req_header().headers.contains_key(UPGRADE) && session.as_downstream().is_upgrade_req()
}
