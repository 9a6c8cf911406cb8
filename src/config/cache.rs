//! `[cache]`: what is kept in memory of the tokens that were seen.

use std::time::Duration;

use serde::Deserialize;

use super::{findings::Findings, units::duration};

/// `[cache]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// Tokens kept in memory. Default 200,000: some 60 MB.
    pub capacity: u64,
    /// When a cached answer is asked again. Default 60 s.
    #[serde(deserialize_with = "duration")]
    pub ttl: Duration,
    /// Unknown tokens kept in memory. Default 50,000.
    pub unknown_capacity: u64,
    /// How long a token stays unknown without being asked again. Default 10 s.
    #[serde(deserialize_with = "duration")]
    pub unknown_ttl: Duration,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            capacity: 200_000,
            ttl: Duration::from_secs(60),
            unknown_capacity: 50_000,
            unknown_ttl: Duration::from_secs(10),
        }
    }
}

impl CacheSettings {
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        for (path, capacity) in [("cache.capacity", self.capacity), ("cache.unknown_capacity", self.unknown_capacity)] {
            if capacity == 0 {
                findings.add(path, "must be at least 1");
            }
        }
        findings.above_zero("cache.ttl", self.ttl);
        findings.above_zero("cache.unknown_ttl", self.unknown_ttl);
    }
}
