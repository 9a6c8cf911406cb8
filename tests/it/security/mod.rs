//! What must hold, each rule with the request that tries to break it.

mod authorization;
mod bearer;
mod codes;
mod consent;
mod forged;
mod headers;
mod introspection;
mod invalidation;
mod public_listener;
mod redirects;
mod refresh;
mod token_requests;
