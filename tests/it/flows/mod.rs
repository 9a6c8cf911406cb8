//! What users and clients do, from the browser to the API.

mod connected_apps;
mod cors;
mod described_clients;
mod devices;
mod discovery;
mod dpop;
mod erpnext_clients;
mod failures;
mod forwarding;
mod id_tokens;
mod login;
mod logout;
mod main_job;
mod methods;
mod native_tokens;
mod other_grants;
mod pages;
mod passing;
mod prompts;
mod published_keys;
mod refresh;
mod registered_in_erpnext;
mod registration;
mod samples;
mod signed_clients;
