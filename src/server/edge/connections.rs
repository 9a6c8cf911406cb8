//! How many connections there may be, in all and from one address, and when the last one is gone.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    /// Connections from one address (IPv6: one /64, which is what one subscriber has).
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

/// The open connections.
#[derive(Debug)]
pub struct Connections {
    limits: ConnectionLimits,
    per_address: Mutex<HashMap<IpAddr, usize>>,
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
        let from_address = per_address.get(&address).copied().unwrap_or(0);
        if self.limits.per_address > 0 && from_address >= self.limits.per_address && !self.is_trusted(peer) {
            return Err(TooMany::FromAddress);
        }
        per_address.insert(address, from_address + 1);
        self.changed(|open| *open += 1);
        Ok(ConnectionPermit { connections: self.clone(), address })
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

    fn per_address(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.per_address.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection, as long as it lives.
#[derive(Debug)]
pub struct ConnectionPermit {
    connections: Arc<Connections>,
    address: IpAddr,
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut per_address = self.connections.per_address();
        if let Some(count) = per_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                per_address.remove(&self.address);
            }
        }
        self.connections.changed(|open| *open = open.saturating_sub(1));
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
