//! What every backend is held to: one suite, run against each of them.
