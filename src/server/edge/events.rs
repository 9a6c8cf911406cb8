//! What the edge tells the metrics, without knowing them.

use std::fmt;

/// The listener that the composition gives; by default nobody listens.
pub struct EdgeEvents {
    /// A connection or request was refused or cut off, for this reason (one of a fixed set).
    pub refused: Box<dyn Fn(&'static str) + Send + Sync>,
    /// So many connections are open now.
    pub connections: Box<dyn Fn(usize) + Send + Sync>,
}

impl Default for EdgeEvents {
    fn default() -> Self {
        Self { refused: Box::new(|_| ()), connections: Box::new(|_| ()) }
    }
}

impl fmt::Debug for EdgeEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeEvents").finish_non_exhaustive()
    }
}
