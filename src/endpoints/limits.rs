//! How many failures an address or a client may have. Successes are never counted: one backend may serve many users.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use moka::sync::Cache;

use crate::{clock::UnixTime, oauth::ClientId, telemetry::tally::network};

/// So many buckets are remembered; the longest unused goes first.
const MOST_BUCKETS: u64 = 100_000;

/// So many in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allotment {
    /// How many at once.
    pub burst: u32,
    /// The time in which all of them come back.
    pub period: Duration,
}

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// An address, or the /64 network of an IPv6 one.
    Address(IpAddr),
    /// A client as seen from an address.
    ClientFrom(ClientId, IpAddr),
}

impl Counted {
    /// The address as it is counted.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        Self::Address(network(address))
    }

    /// The client as seen from the address.
    #[must_use]
    pub fn client_from(client: ClientId, address: IpAddr) -> Self {
        Self::ClientFrom(client, network(address))
    }
}

/// One limit: a leaking bucket for each that is counted (the generic cell rate algorithm, one number a bucket).
#[derive(Debug)]
pub struct Limit(ArcSwap<Buckets>);

#[derive(Debug)]
struct Buckets {
    allotment: Allotment,
    buckets: Cache<Counted, Arc<AtomicU64>>,
}

impl Limit {
    /// The limit with all buckets empty.
    #[must_use]
    pub fn new(allotment: Allotment) -> Self {
        Self(ArcSwap::from_pointee(Buckets::new(allotment)))
    }

    /// Another allotment from now on. If it is another one, all buckets are empty again.
    pub fn change(&self, allotment: Allotment) {
        if self.0.load().allotment != allotment {
            self.0.store(Arc::new(Buckets::new(allotment)));
        }
    }

    /// Whether the bucket still has room; if not, in how many seconds it will.
    ///
    /// # Errors
    /// The seconds to wait, at least 1.
    pub fn check(&self, counted: &Counted, now: UnixTime) -> Result<(), u64> {
        let limit = self.0.load();
        let Some(bucket) = limit.buckets.get(counted) else { return Ok(()) };
        let full_until = bucket.load(Ordering::Relaxed);
        let room_from = full_until.saturating_sub(limit.width().saturating_sub(limit.step()));
        if room_from <= now.millis() { Ok(()) } else { Err((room_from - now.millis()).div_ceil(1000).max(1)) }
    }

    /// Counts one.
    pub fn count(&self, counted: Counted, now: UnixTime) {
        let limit = self.0.load();
        let bucket = limit.buckets.get_with(counted, Arc::default);
        let step = limit.step();
        let add = |until: u64| Some(until.max(now.millis()).saturating_add(step));
        // The closure always gives a value, so that this can't fail.
        let _ = bucket.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

impl Buckets {
    fn new(allotment: Allotment) -> Self {
        let buckets = Cache::builder().max_capacity(MOST_BUCKETS).time_to_idle(allotment.period * 2).build();
        Self { allotment, buckets }
    }

    fn width(&self) -> u64 {
        u64::try_from(self.allotment.period.as_millis()).unwrap_or(u64::MAX)
    }

    fn step(&self) -> u64 {
        (self.width() / u64::from(self.allotment.burst.max(1))).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> Limit {
        Limit::new(Allotment { burst: 3, period: Duration::from_secs(60) })
    }

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(1_000 + secs)
    }

    #[test]
    fn a_full_bucket_refuses_until_one_has_leaked() {
        let (limit, who) = (limit(), Counted::address([127, 0, 0, 1].into()));
        for _ in 0..3 {
            assert_eq!(limit.check(&who, at(0)), Ok(()));
            limit.count(who.clone(), at(0));
        }
        assert_eq!(limit.check(&who, at(0)), Err(20));
        assert_eq!(limit.check(&who, at(19)), Err(1));
        assert_eq!(limit.check(&who, at(20)), Ok(()));
        assert_eq!(limit.check(&Counted::address([127, 0, 0, 2].into()), at(0)), Ok(()));
    }

    #[test]
    fn another_allotment_holds_at_once_and_the_same_one_forgets_nothing() {
        let (limit, who) = (limit(), Counted::address([127, 0, 0, 1].into()));
        for _ in 0..3 {
            limit.count(who.clone(), at(0));
        }
        limit.change(Allotment { burst: 3, period: Duration::from_secs(60) });
        assert!(limit.check(&who, at(0)).is_err());
        limit.change(Allotment { burst: 1, period: Duration::from_secs(60) });
        assert_eq!(limit.check(&who, at(0)), Ok(()));
        limit.count(who.clone(), at(0));
        assert!(limit.check(&who, at(0)).is_err());
    }

    #[test]
    fn an_ipv6_network_shares_a_bucket_and_a_mapped_address_is_ipv4() {
        let address = |text: &str| Counted::address(text.parse().expect("an address"));
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:2"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:127.0.0.1"), address("127.0.0.1"));
    }
}
