//! Composition: binds the sockets, starts the edge and the admin listener, drains and leaves. It decides nothing about
//! requests.

pub mod admin;
pub mod background;
mod certificates;
mod counts;
pub mod edge;
pub mod lifecycle;
mod reload;
mod run;
pub mod signals;
pub mod site;
pub mod sockets;
mod systemd;
pub mod tls;
pub mod tools;
mod upgrade;
mod upkeep;

pub use run::{ask_parts, run};
pub use site::erpnext_settings;
