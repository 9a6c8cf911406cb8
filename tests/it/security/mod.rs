//! What must hold, each rule with the request that tries to break it.

mod abuse;
mod agents;
mod authorization;
mod bearer;
mod bodies;
mod broken_parts;
mod codes;
mod consent;
mod devices;
mod documents;
mod exchange;
mod forged;
mod headers;
mod introspection;
mod invalidation;
mod logout;
mod paths;
mod public_listener;
mod redirects;
mod refresh;
mod registration;
mod scopes;
mod token_requests;
mod werkzeug;
