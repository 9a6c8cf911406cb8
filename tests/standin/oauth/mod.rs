//! Frappe's own OAuth endpoints with all that is unsafe in them, so that a test can show that
//! the gateway never lets a request reach them.

mod authorize;
mod claims;
mod tokens;

use super::auth::Caller;
use super::fault::Fault;
use super::json::Json;
use super::reply::Reply;
use super::request::Request;
use super::state::State;

/// Calls `frappe.integrations.oauth2.{name}`.
pub fn call(state: &mut State, request: &Request, caller: &Caller, name: &str) -> Result<Reply, Fault> {
    match name {
        "authorize" => authorize::authorize(state, request, caller),
        "approve" => authorize::approve(state, request, caller),
        "get_token" => tokens::get_token(state, request, caller),
        "revoke_token" => tokens::revoke_token(state, request),
        "introspect_token" => Ok(claims::introspect(state, request)),
        "openid_profile" => claims::openid_profile(state, request),
        "openid_configuration" | "get_openid_configuration" => Ok(claims::configuration(request)),
        _ => Err(Fault::validation("ValidationError", &format!("no oauth2.{name}"))),
    }
}

/// `{"description": …, "status_code": …, "error": …}`, as the exceptions of oauthlib are shown.
fn described(status: u16, error: &str, description: &str) -> Reply {
    let body =
        Json::map([("description", description.into()), ("status_code", status.into()), ("error", error.into())]);
    Reply::json(status, &body)
}
