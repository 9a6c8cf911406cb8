//! The servers behind the gateway: shared load, checks, repeated requests, and what a realtime server needs.

mod balancing;
mod bulk;
mod ended;
mod realtime;
mod scripted;
mod upgrades;
