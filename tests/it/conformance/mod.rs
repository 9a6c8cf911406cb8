//! What the modules of the OpenID Foundation's conformance suite for providers do, done over HTTP against the real binary, plan by
//! plan. `docs/conformance.md` says how each stands; the suite itself is not run here.

mod backchannel_logout;
mod basic;
mod config;
mod fapi;
mod form;
mod form_post;
mod modules;
mod rp_logout;
mod suite;
mod visit;
mod walk;
