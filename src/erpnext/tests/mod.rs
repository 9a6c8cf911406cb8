//! The adapter against the stand-in for ERPNext.

mod clients;
mod credentials;
mod documents;
mod logins;
mod natives;
mod shadow_store;
mod site;
#[path = "../../../tests/standin/mod.rs"]
mod standin;
mod users;
