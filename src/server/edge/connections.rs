//! How many connections there may be, in all and from one address, how many requests of one address may be in flight,
//! and when the last connection is gone.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ipnet::IpNet;
use tokio::sync::watch;

use super::events::EdgeEvents;

/// The limits; 0 means none.
#[derive(Debug, Clone, Default)]
pub struct ConnectionLimits {
    /// Connections in all.
    pub total: usize,
    /// Connections from one address (IPv6: one /64, which is what one subscriber has). As many requests of it may be in
    /// flight: over HTTP/1 a connection has one of them, over HTTP/2 all connections share them.
    pub per_address: usize,
    /// Proxies in front of us: all their users come from one address, so that limit is not for them.
    pub trusted: Vec<IpNet>,
}

/// Why a connection is closed as soon as it was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooMany {
    /// In all.
    Total,
    /// From its address.
    FromAddress,
}

/// What one address uses.
#[derive(Debug, Default)]
struct Usage {
    connections: usize,
    requests: Arc<AtomicUsize>,
}

/// The open connections.
#[derive(Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    per_address: Mutex<HashMap<IpAddr, Usage>>,
    open: watch::Sender<usize>,
    events: Arc<EdgeEvents>,
}

impl Connections {
    /// None are open.
    #[must_use]
    pub fn new(limits: ConnectionLimits, events: Arc<EdgeEvents>) -> Arc<Self> {
        Arc::new(Self { limits, per_address: Mutex::default(), open: watch::Sender::new(0), events })
    }

    /// Counts a new connection until its permit is dropped.
    ///
    /// # Errors
    /// The limit that it would exceed.
    pub fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<ConnectionPermit, TooMany> {
        let address = subscriber(peer);
        let mut per_address = self.per_address();
        if self.limits.total > 0 && *self.open.borrow() >= self.limits.total {
            return Err(TooMany::Total);
        }
        let limit = if self.is_trusted(peer) { 0 } else { self.limits.per_address };
        let from_address = per_address.get(&address).map_or(0, |usage| usage.connections);
        if limit > 0 && from_address >= limit {
            return Err(TooMany::FromAddress);
        }
        let usage = per_address.entry(address).or_default();
        usage.connections += 1;
        let requests = Requests { in_flight: usage.requests.clone(), limit };
        self.changed(|open| *open += 1);
        Ok(ConnectionPermit { connections: self.clone(), address, requests })
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        *self.open.borrow()
    }

    /// Waits until none is open, but no longer than `at_most`. Says how many are left.
    pub async fn drained(&self, at_most: Duration) -> usize {
        let mut open = self.open.subscribe();
        let none_left = tokio::time::timeout(at_most, open.wait_for(|open| *open == 0)).await;
        if none_left.is_ok() { 0 } else { self.open() }
    }

    fn is_trusted(&self, peer: IpAddr) -> bool {
        self.limits.trusted.iter().any(|network| network.contains(&peer.to_canonical()))
    }

    fn changed(&self, change: impl FnOnce(&mut usize)) {
        self.open.send_modify(change);
        (self.events.connections)(self.open());
    }

    fn per_address(&self) -> MutexGuard<'_, HashMap<IpAddr, Usage>> {
        self.per_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection, as long as it lives.
#[derive(Debug)]
pub struct ConnectionPermit {
    connections: Arc<Connections>,
    address: IpAddr,
    requests: Requests,
}

impl ConnectionPermit {
    /// Where the requests of the connection are counted.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.requests.clone()
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut per_address = self.connections.per_address();
        if let Some(usage) = per_address.get_mut(&self.address) {
            usage.connections -= 1;
            if usage.connections == 0 {
                per_address.remove(&self.address);
            }
        }
        self.connections.changed(|open| *open = open.saturating_sub(1));
    }
}

/// The requests of one address that are in flight.
#[derive(Debug, Clone)]
pub struct Requests {
    in_flight: Arc<AtomicUsize>,
    /// 0: none.
    limit: usize,
}

impl Requests {
    /// Counts another one until its permit is dropped. `None`: there are as many as may be.
    #[must_use]
    pub fn begin(&self) -> Option<RequestPermit> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let permit = RequestPermit(self.in_flight.clone());
        (self.limit == 0 || before < self.limit).then_some(permit)
    }
}

/// One request, as long as it is in flight.
#[derive(Debug)]
pub struct RequestPermit(Arc<AtomicUsize>);

impl Drop for RequestPermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn subscriber(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(total: usize, per_address: usize) -> Arc<Connections> {
        let trusted = vec!["192.0.2.0/24".parse().unwrap()];
        Connections::new(ConnectionLimits { total, per_address, trusted }, Arc::default())
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_may_have_so_many_and_no_more_and_others_are_not_touched() {
        let connections = connections(0, 2);
        let held: Vec<_> = (0..2).map(|_| connections.admit(address("198.51.100.1")).unwrap()).collect();
        assert_eq!(connections.admit(address("198.51.100.1")).unwrap_err(), TooMany::FromAddress);
        assert_eq!(connections.admit(address("::ffff:198.51.100.1")).unwrap_err(), TooMany::FromAddress);
        assert!(connections.admit(address("198.51.100.2")).is_ok());
        drop(held);
        assert!(connections.admit(address("198.51.100.1")).is_ok());
    }

    #[test]
    fn the_addresses_of_one_ipv6_subscriber_count_together() {
        let connections = connections(0, 1);
        let _held = connections.admit(address("2001:db8::1")).unwrap();
        assert_eq!(connections.admit(address("2001:db8::ffff:2")).unwrap_err(), TooMany::FromAddress);
        assert!(connections.admit(address("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn a_trusted_proxy_is_limited_only_by_the_total() {
        let connections = connections(3, 1);
        let _held: Vec<_> = (0..3).map(|_| connections.admit(address("192.0.2.7")).unwrap()).collect();
        assert_eq!(connections.admit(address("192.0.2.7")).unwrap_err(), TooMany::Total);
    }

    #[test]
    fn the_connections_of_an_address_share_its_requests() {
        let connections = connections(0, 2);
        let held: Vec<_> = (0..2).map(|_| connections.admit(address("198.51.100.1")).unwrap()).collect();
        let (one, other) = (held[0].requests(), held[1].requests());
        let _first = one.begin().unwrap();
        let second = one.begin().unwrap();
        assert!(other.begin().is_none() && one.begin().is_none());
        drop(second);
        assert!(other.begin().is_some());
        let elsewhere = connections.admit(address("198.51.100.2")).unwrap();
        assert!(elsewhere.requests().begin().is_some());
        let trusted = connections.admit(address("192.0.2.7")).unwrap().requests();
        assert!((0..3).map(|_| trusted.begin()).collect::<Option<Vec<_>>>().is_some());
    }

    #[tokio::test]
    async fn drained_tells_when_the_last_one_has_gone() {
        let connections = connections(0, 0);
        let held = connections.admit(address("198.51.100.1")).unwrap();
        assert_eq!(connections.drained(Duration::ZERO).await, 1);
        drop(held);
        assert_eq!(connections.drained(Duration::ZERO).await, 0);
        assert!(connections.per_address().is_empty(), "nothing is kept about those who have left");
    }
}
