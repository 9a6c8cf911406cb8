//! The servers that do the same work: which of them gets a request, and under which addresses they are found.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use pingora::{ErrorType, OkOrErr, connectors::TransportConnector, upstreams::peer::HttpPeer};
use tokio::{
    net::lookup_host,
    sync::{Mutex, MutexGuard, Notify},
    time::{Instant, timeout},
};

use super::{
    Attempts,
    health::Health,
    link::{Idle, Link},
};
use crate::{
    config::Origin,
    telemetry::metrics::{ServerMetrics, UpstreamMetrics},
};

/// An idle connection to a server behind us is closed after this.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// A name that can't be resolved in this time keeps the addresses that it had.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a server may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timeouts {
    pub(super) connect: Duration,
    pub(super) response: Duration,
}

/// Which server gets the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Each in its turn.
    RoundRobin,
    /// The first that is well: what a client polls has its state in one of them.
    First,
}

/// The servers.
#[derive(Debug)]
pub(super) struct Pool {
    sources: Vec<Source>,
    /// Whether one of them is a name, which may have other addresses later.
    names: bool,
    timeouts: Timeouts,
    members: ArcSwap<Vec<Arc<Member>>>,
    next: AtomicUsize,
    /// A connection failed: names may have other addresses by now.
    stale: AtomicBool,
    resolving: Mutex<()>,
    /// Told when a server was found unreachable.
    pub(super) troubled: Notify,
}

/// What the settings name: an address, or a name that may have several.
#[derive(Debug)]
struct Source {
    origin: Origin,
    metrics: ServerMetrics,
}

/// One server at one address.
#[derive(Debug)]
pub struct Member {
    source: usize,
    address: SocketAddr,
    pub(super) peer: HttpPeer,
    health: Health,
    idle: Idle,
}

impl Pool {
    pub(super) fn new(origins: &[Origin], timeouts: Timeouts, metrics: &UpstreamMetrics) -> Self {
        let source = |origin: &Origin| Source { origin: origin.clone(), metrics: metrics.server(origin.as_str()) };
        let mut pool = Self {
            sources: origins.iter().map(source).collect(),
            names: origins.iter().any(|origin| origin.host().parse::<IpAddr>().is_err()),
            timeouts,
            members: ArcSwap::default(),
            next: AtomicUsize::new(0),
            stale: AtomicBool::new(true),
            resolving: Mutex::default(),
            troubled: Notify::new(),
        };
        let written = pool.sources.iter().enumerate().filter_map(|(index, source)| {
            let address = SocketAddr::new(source.origin.host().parse().ok()?, source.origin.port());
            Some(Arc::new(pool.member(index, &source.origin, address)))
        });
        let members: Vec<_> = written.collect();
        pool.members = ArcSwap::new(Arc::new(members));
        (0..pool.sources.len()).for_each(|index| pool.show(index));
        pool
    }

    /// The server for the next attempt at a request: one that is well and has not failed it yet, else one that has not,
    /// else any. Never none, as long as a name has an address.
    pub(super) async fn choose(&self, order: Order, attempts: &Attempts) -> pingora::Result<Arc<Member>> {
        if self.names && self.stale.load(Ordering::Relaxed) && self.stale.swap(false, Ordering::Relaxed) {
            Box::pin(self.resolve()).await;
        } else if self.members.load().is_empty() {
            let alone = self.resolving.lock().await;
            // Who held the lock may have found them.
            if self.members.load().is_empty() {
                Box::pin(self.look_up(&alone)).await;
            }
        }
        let members = self.members.load();
        let start = match order {
            Order::RoundRobin => self.next.fetch_add(1, Ordering::Relaxed) % members.len().max(1),
            Order::First => 0,
        };
        let in_turn = || members.iter().cycle().skip(start).take(members.len());
        let chosen = in_turn()
            .find(|member| member.health.is_up() && !attempts.has_failed(member))
            .or_else(|| in_turn().find(|member| !attempts.has_failed(member)))
            .or_else(|| in_turn().next());
        chosen.cloned().or_err(ErrorType::ConnectNoRoute, "no upstream has an address")
    }

    /// Whether there is a server that has not failed this request.
    pub(super) fn has_another(&self, attempts: &Attempts) -> bool {
        self.members.load().iter().any(|member| !attempts.has_failed(member))
    }

    /// Whether a name may have other addresses than those that are known.
    pub(super) const fn may_have_moved(&self) -> bool {
        self.names
    }

    /// The servers at their addresses now.
    pub(super) fn members(&self) -> Arc<Vec<Arc<Member>>> {
        self.members.load_full()
    }

    /// Looks the names up again. A name that can't be resolved keeps the addresses that it had.
    pub(super) async fn resolve(&self) {
        let alone = self.resolving.lock().await;
        self.look_up(&alone).await;
    }

    async fn look_up(&self, _alone: &MutexGuard<'_, ()>) {
        self.stale.store(false, Ordering::Relaxed);
        let known = self.members.load_full();
        let mut members = Vec::with_capacity(known.len());
        for (index, source) in self.sources.iter().enumerate() {
            let of_source = || known.iter().filter(move |member| member.source == index);
            let found = timeout(RESOLVE_TIMEOUT, lookup_host((source.origin.host(), source.origin.port()))).await;
            let Ok(Ok(addresses)) = found else {
                tracing::warn!(upstream = source.origin.as_str(), "the upstream's name can't be resolved");
                members.extend(of_source().cloned());
                continue;
            };
            let mut seen: Vec<SocketAddr> = Vec::new();
            for address in addresses {
                if !seen.contains(&address) {
                    seen.push(address);
                    let same = of_source().find(|member| member.address == address).cloned();
                    members.push(same.unwrap_or_else(|| Arc::new(self.member(index, &source.origin, address))));
                }
            }
        }
        self.members.store(Arc::new(members));
        for index in 0..self.sources.len() {
            self.show(index);
        }
    }

    fn member(&self, source: usize, origin: &Origin, address: SocketAddr) -> Member {
        let mut peer = HttpPeer::new(address, origin.is_https(), origin.host().to_owned());
        peer.options.connection_timeout = Some(self.timeouts.connect);
        peer.options.total_connection_timeout = Some(self.timeouts.connect);
        peer.options.read_timeout = Some(self.timeouts.response);
        peer.options.write_timeout = Some(self.timeouts.response);
        peer.options.idle_timeout = Some(IDLE_TIMEOUT);
        Member { source, address, peer, health: Health::default(), idle: Idle::default() }
    }

    /// A request is on its way to the server.
    pub(super) fn reached(&self, member: &Member) {
        if let Some(source) = self.sources.get(member.source) {
            source.metrics.sent();
        }
        if member.health.reached() {
            self.changed(member, "a connection to it was made");
        }
    }

    /// A connection to the server failed.
    pub(super) fn unreachable(&self, member: &Member) {
        if let Some(source) = self.sources.get(member.source) {
            source.metrics.unreachable();
        }
        self.stale.store(true, Ordering::Relaxed);
        if member.health.unreachable() {
            self.changed(member, "a connection to it failed");
        }
        self.troubled.notify_one();
    }

    /// A check of the server has ended.
    pub(super) fn checked(&self, member: &Member, well: bool) {
        if member.health.checked(well) {
            self.changed(member, if well { "checks succeed" } else { "checks fail" });
        }
    }

    fn changed(&self, member: &Member, reason: &'static str) {
        self.show(member.source);
        let Some(source) = self.sources.get(member.source) else { return };
        let (upstream, address) = (source.origin.as_str(), member.address);
        if member.health.is_up() {
            tracing::info!(upstream, %address, reason, "the upstream takes requests again");
        } else {
            tracing::warn!(upstream, %address, reason, "the upstream is out");
        }
    }

    /// What the metrics say of a source: up while one of its addresses is.
    fn show(&self, index: usize) {
        let up = self.members.load().iter().any(|member| member.source == index && member.health.is_up());
        if let Some(source) = self.sources.get(index) {
            source.metrics.up(up);
        }
    }
}

impl Member {
    /// The peer, for one connection.
    pub(super) fn peer(&self) -> Box<HttpPeer> {
        Box::new(self.peer.clone())
    }

    /// How long the server may say nothing.
    pub(super) fn response_timeout(&self) -> Duration {
        self.peer.options.read_timeout.unwrap_or(IDLE_TIMEOUT)
    }

    /// A connection that has been used before.
    pub(in crate::proxy) fn used_link(&self) -> Option<Link> {
        self.idle.take()
    }

    /// A new connection.
    pub(in crate::proxy) async fn new_link(&self, connector: &TransportConnector) -> pingora::Result<Link> {
        Link::open(connector, self).await
    }

    /// Keeps a connection whose answer has ended, for the next request.
    pub(in crate::proxy) fn keep(&self, link: Link) {
        self.idle.put(link, Instant::now());
    }

    /// Closes connections that have waited for long.
    pub(super) fn expire_links(&self) {
        self.idle.expire();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Metrics;

    const TIMEOUTS: Timeouts = Timeouts { connect: Duration::from_secs(1), response: Duration::from_secs(1) };

    fn pool(origins: &[&str]) -> Pool {
        let origins: Vec<Origin> = origins.iter().map(|origin| origin.parse().expect("an origin")).collect();
        Pool::new(&origins, TIMEOUTS, &Metrics::new().upstream)
    }

    async fn next(pool: &Pool, attempts: &Attempts) -> u16 {
        pool.choose(Order::RoundRobin, attempts).await.expect("a server").address.port()
    }

    #[tokio::test]
    async fn each_server_has_its_turn_and_one_that_is_out_has_none() {
        let pool = pool(&["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"]);
        let mut taken = Vec::new();
        for _ in 0..6 {
            taken.push(next(&pool, &Attempts::default()).await);
        }
        assert_eq!(taken, [1, 2, 3, 1, 2, 3]);
        let second = pool.members().get(1).cloned().expect("three servers");
        pool.unreachable(&second);
        for _ in 0..6 {
            assert_ne!(next(&pool, &Attempts::default()).await, 2);
        }
        pool.checked(&second, true);
        pool.checked(&second, true);
        taken.clear();
        for _ in 0..3 {
            taken.push(next(&pool, &Attempts::default()).await);
        }
        taken.sort_unstable();
        assert_eq!(taken, [1, 2, 3]);
    }

    #[tokio::test]
    async fn with_all_servers_out_each_is_tried_once_anyway() {
        let pool = pool(&["http://127.0.0.1:1", "http://127.0.0.1:2"]);
        pool.resolve().await;
        for member in pool.members().iter() {
            pool.unreachable(member);
        }
        let mut attempts = Attempts::default();
        let mut tried = Vec::new();
        while pool.has_another(&attempts) {
            let member = pool.choose(Order::RoundRobin, &attempts).await.expect("a server");
            tried.push(member.address.port());
            attempts.begin(member);
            attempts.fail();
        }
        tried.sort_unstable();
        assert_eq!(tried, [1, 2]);
        pool.reached(pool.members().first().expect("two servers"));
        for _ in 0..4 {
            assert_eq!(next(&pool, &Attempts::default()).await, 1, "the one that could be reached");
        }
    }

    #[tokio::test]
    async fn the_first_that_is_well_gets_all_that_a_client_polls() {
        let pool = pool(&["http://127.0.0.1:1", "http://127.0.0.1:2"]);
        let first = async || pool.choose(Order::First, &Attempts::default()).await.expect("a server");
        for _ in 0..3 {
            assert_eq!(first().await.address.port(), 1);
            next(&pool, &Attempts::default()).await;
        }
        let member = first().await;
        pool.unreachable(&member);
        assert_eq!(first().await.address.port(), 2);
    }

    #[tokio::test]
    async fn a_name_is_looked_up_and_its_servers_keep_their_state_when_it_is_again() {
        let pool = pool(&["http://localhost:1"]);
        assert!(pool.may_have_moved());
        let member = pool.choose(Order::RoundRobin, &Attempts::default()).await.expect("localhost has an address");
        assert!(member.address.ip().is_loopback());
        pool.unreachable(&member);
        pool.resolve().await;
        let again = pool.members().iter().find(|again| again.address == member.address).cloned().expect("it is there");
        assert!(Arc::ptr_eq(&again, &member) && !again.health.is_up());
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_no_route() {
        // RFC 6761 §6.4: it never has one.
        let pool = pool(&["http://nowhere.invalid:1"]);
        let error = pool.choose(Order::RoundRobin, &Attempts::default()).await.expect_err("no address");
        assert_eq!(error.etype(), &ErrorType::ConnectNoRoute);
    }
}
