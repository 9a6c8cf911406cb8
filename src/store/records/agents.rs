//! What agents do, as values.

use crate::oauth::{ClientId, GrantId};

/// What an agent did in a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentUse {
    /// The agent.
    pub client: ClientId,
    /// The day (UTC).
    pub day: Day,
    /// How many requests it sent.
    pub requests: u64,
    /// How many of them were writes.
    pub writes: u64,
}

/// A day, counted from 1970-01-01 (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u64);

/// What came of stopping all agents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedAgents {
    /// Whether they ran until then.
    pub ran: bool,
    /// The grants that ended.
    pub ended: Vec<GrantId>,
}
