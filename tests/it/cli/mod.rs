//! The commands, as an operator runs them: the real binary, its output and its exit code. And the audit trail that they
//! and the gateway leave.

mod agents;
mod audit;
mod harness;
mod keys;
mod reports;
mod setup;
mod tokens;
