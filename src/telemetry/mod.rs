//! What the gateway tells of itself: its log, its metrics, its audit trail.

pub mod audit;
pub mod logging;
pub mod metrics;
pub mod tally;
