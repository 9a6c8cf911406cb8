//! Empress Gateway: a reverse proxy in front of an unmodified ERPNext site that serves the site's OAuth 2.0 and OpenID
//! Connect endpoints itself and checks the bearer token of every request that it forwards.

pub mod access;
pub mod clock;
pub mod config;
pub mod erpnext;
pub mod issuer;
pub mod oauth;
pub mod random;
pub mod route;
pub mod secret;
pub mod store;
pub mod telemetry;
