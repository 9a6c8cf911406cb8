//! The edge, by raw sockets: which bytes reach the upstream, and what happens to those who are slow or go too far.

mod bodies;
mod harness;
mod heads;
mod leaving;
mod tls;
mod waiting;
