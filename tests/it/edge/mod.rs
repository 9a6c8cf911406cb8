//! The edge, by raw sockets: which bytes reach the upstream, and what happens to those who are slow or go too far.

mod binary;
mod bodies;
mod floods;
mod frames;
mod harness;
mod heads;
mod http2_heads;
mod http2_waiting;
mod leaving;
mod tls;
mod tls_site;
mod waiting;
