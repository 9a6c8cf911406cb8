//! How many failures an address, a client or a user may have. Successes are never counted: one backend may serve many users.
//!
//! Each failure beyond the limit costs twice the time of the one before it. A client or a user as a whole, from whatever
//! addresses, only ever costs those something that have failed with it themselves: nobody is locked out by others.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use moka::sync::Cache;

use crate::{clock::UnixTime, oauth::ClientId, telemetry::tally::network};

/// So many buckets are remembered; the longest unused goes first.
const MOST_BUCKETS: u64 = 100_000;
/// A failure costs at most so many times two as much as the first.
const MOST_DOUBLINGS: u32 = 6;
/// Who has failed so often with a user may wait for others, too: more would lock out one who mistypes a password.
const OWN_FAILURES: u32 = 3;

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
    /// A client, from wherever.
    Client(ClientId),
    /// A name at a login, as seen from an address.
    LoginFrom(LoginName, IpAddr),
    /// A name at a login, from wherever.
    Login(LoginName),
}

/// Who wants to log in, in the words of a login form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LoginName(Arc<str>);

impl LoginName {
    /// What somebody has typed. ERPNext looks neither at letter case nor at blanks around it, and has no longer names.
    #[must_use]
    pub fn new(typed: &str) -> Self {
        let name: String = typed.trim().chars().take(140).flat_map(char::to_lowercase).collect();
        Self(name.into())
    }
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
    buckets: Cache<Counted, Arc<Bucket>>,
}

#[derive(Debug, Default)]
struct Bucket {
    full_until: AtomicU64,
    /// Failures since it was empty.
    failures: AtomicU32,
}

impl Bucket {
    fn is_empty(&self, now: UnixTime) -> bool {
        self.full_until.load(Ordering::Relaxed) <= now.millis()
    }
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
        let full_until = bucket.full_until.load(Ordering::Relaxed);
        let room_from = full_until.saturating_sub(limit.width().saturating_sub(limit.step()));
        if room_from <= now.millis() { Ok(()) } else { Err((room_from - now.millis()).div_ceil(1000).max(1)) }
    }

    /// Counts one.
    pub fn count(&self, counted: Counted, now: UnixTime) {
        let limit = self.0.load();
        let bucket = limit.buckets.get_with(counted, Arc::default);
        if bucket.is_empty(now) {
            bucket.failures.store(0, Ordering::Relaxed);
        }
        let failures = bucket.failures.fetch_add(1, Ordering::Relaxed);
        let doublings = failures.saturating_sub(limit.allotment.burst.saturating_sub(1)).min(MOST_DOUBLINGS);
        let cost = limit.step().saturating_mul(1 << doublings);
        let add = |until: u64| Some(until.max(now.millis()).saturating_add(cost));
        // The closure always gives a value, so that this can't fail.
        let _ = bucket.full_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Whether somebody at this address may try another login, as this user if that is known.
    ///
    /// # Errors
    /// The seconds to wait.
    pub fn check_login(&self, name: Option<&LoginName>, address: IpAddr, now: UnixTime) -> Result<(), u64> {
        self.check(&Counted::address(address), now)?;
        let Some(name) = name else { return Ok(()) };
        let own = Counted::LoginFrom(name.clone(), network(address));
        let own = self.0.load().buckets.get(&own).filter(|bucket| !bucket.is_empty(now));
        if own.is_some_and(|bucket| bucket.failures.load(Ordering::Relaxed) >= OWN_FAILURES) {
            self.check(&Counted::Login(name.clone()), now)?;
        }
        Ok(())
    }

    /// Counts a login that failed.
    pub fn count_login(&self, name: Option<&LoginName>, address: IpAddr, now: UnixTime) {
        self.count(Counted::address(address), now);
        if let Some(name) = name {
            self.count(Counted::LoginFrom(name.clone(), network(address)), now);
            self.count(Counted::Login(name.clone()), now);
        }
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
    fn each_failure_beyond_the_limit_costs_twice_as_much_up_to_a_bound_and_an_empty_bucket_forgets() {
        let (limit, who) = (limit(), Counted::address([127, 0, 0, 1].into()));
        let mut waits = Vec::new();
        for _ in 0..12 {
            limit.count(who.clone(), at(0));
            waits.push(limit.check(&who, at(0)).err().unwrap_or_default());
        }
        // 20 s each at first, 60 s of them free of charge.
        assert_eq!(waits[..6], [0, 0, 20, 60, 140, 300]);
        assert_eq!(waits[11] - waits[10], 20 << MOST_DOUBLINGS);
        let later = waits[11] + 60;
        limit.count(who.clone(), at(later));
        assert_eq!(limit.check(&who, at(later)), Ok(()));
    }

    #[test]
    fn a_user_guessed_at_from_everywhere_is_closed_to_who_has_failed_and_open_to_others() {
        let limit = Limit::new(Allotment { burst: 20, period: Duration::from_secs(60) });
        let (user, other) = (LoginName::new(" Bob@Example.com"), LoginName::new("alice@example.com"));
        assert_eq!(user, LoginName::new("bob@example.com"));
        let from = |last: u8| IpAddr::from([10, 0, 0, last]);
        for last in 0..10 {
            for _ in 0..3 {
                assert_eq!(limit.check_login(Some(&user), from(last), at(0)), Ok(()), "{last}");
                limit.count_login(Some(&user), from(last), at(0));
            }
        }
        assert!(limit.check_login(Some(&user), from(1), at(0)).is_err());
        assert_eq!(limit.check_login(Some(&other), from(1), at(0)), Ok(()));
        assert_eq!(limit.check_login(Some(&user), from(99), at(0)), Ok(()));
        // One who has mistyped it once or twice goes on.
        limit.count_login(Some(&user), from(99), at(0));
        assert_eq!(limit.check_login(Some(&user), from(99), at(0)), Ok(()));
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
