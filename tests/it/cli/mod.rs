//! The commands, as an operator runs them: the real binary, its output and its exit code.

mod harness;
mod setup;
