//! Empress Gateway: a reverse proxy in front of an unmodified ERPNext site that serves the site's OAuth 2.0 and OpenID
//! Connect endpoints itself and checks the bearer token of every request that it forwards.

pub mod clock;
pub mod http1;
pub mod random;
pub mod secret;
pub mod telemetry;

pub mod oauth;

pub mod config;

pub mod fetch;

pub mod erpnext;
pub mod route;
pub mod store;

pub mod access;
pub mod issuer;

pub mod backchannel;

pub mod endpoints;

pub mod proxy;

pub mod server;

pub mod cli;

#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
