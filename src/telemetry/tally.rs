//! What peers can make happen as often as they like: counted by what, why and from where, and written down now and then,
//! so that a flood fills neither the memory nor the disk.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use super::audit::{Audit, AuditEvent};
use crate::clock::UnixTime;

/// So many lines are written at most each time, besides one for each kind of event of those that found no place.
const MOST_LINES: usize = 500;

/// An event, and its reason where it has one.
type Kind = (&'static str, Option<&'static str>);

/// The counts since they were last written.
pub struct Tally {
    audit: Arc<Audit>,
    counted: Mutex<HashMap<(Kind, Option<IpAddr>), u64>>,
}

impl Tally {
    /// Counts nothing yet.
    #[must_use]
    pub fn new(audit: Arc<Audit>) -> Self {
        Self { audit, counted: Mutex::default() }
    }

    /// Counts one. Once there is no place for another address, only the kind is counted.
    pub fn count(&self, event: &'static str, reason: Option<&'static str>, address: IpAddr) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = (event, reason);
        let key = (kind, Some(network(address)));
        let key = if counted.len() < MOST_LINES || counted.contains_key(&key) { key } else { (kind, None) };
        *counted.entry(key).or_default() += 1;
    }

    /// Writes what was counted, one line for each kind and address.
    pub fn write(&self, now: UnixTime) {
        let counted = std::mem::take(&mut *self.counted.lock().unwrap_or_else(PoisonError::into_inner));
        for (((event, reason), address), count) in counted {
            let count = Some(count);
            self.audit.record(now, &AuditEvent { event, reason, address, count, ..AuditEvent::default() });
        }
    }
}

/// Of an IPv6 address the /64 network, which is one peer's to choose from.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_with_their_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit.jsonl");
        let tally = Tally::new(Arc::new(Audit::open(&path).expect("a file")));
        for round in 0..3_u32 {
            for address in 0..20_000_u32 {
                tally.count("access_denied", Some("foreign_token"), IpAddr::V4((0x0a00_0000 + address + round).into()));
            }
        }
        tally.count("login_failed", None, "2001:db8::1".parse().expect("an address"));
        tally.count("login_failed", None, "2001:db8::ffff:2".parse().expect("an address"));
        assert!(tally.counted.lock().expect("not poisoned").len() <= MOST_LINES + 2);
        tally.write(UnixTime::from_secs(1));
        tally.write(UnixTime::from_secs(2));
        let text = fs::read_to_string(&path).expect("text");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let sum: u64 = lines.iter().filter_map(|line| line["count"].as_u64()).sum();
        assert_eq!(sum, 60_002, "all are counted, once");
        assert!(lines.len() <= MOST_LINES + 2, "{}", lines.len());
        let failed = lines.iter().find(|line| line["event"] == "login_failed").expect("the failed logins");
        assert_eq!(failed["count"], 2);
    }
}
