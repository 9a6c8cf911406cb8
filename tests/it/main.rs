//! The gateway from outside, over real sockets.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that can't go on fails here, and clippy's exemptions miss the functions that tests share"
)]

#[path = "../standin/mod.rs"]
mod standin;
mod support;

mod canary;
mod cli;
mod conformance;
mod durability;
mod edge;
mod flows;
mod hardening;
mod keys;
mod layering;
mod move_in;
mod no_downtime;
mod security;
mod soak;
mod upstream;
