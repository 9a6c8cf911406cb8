//! The whitelisted methods, by their dotted names.

use serde_json::Value;

use super::auth::Caller;
use super::echo;
use super::fault::Fault;
use super::json::Json;
use super::mcp::{self, MCP_METHOD};
use super::oauth;
use super::permissions;
use super::query::Query;
use super::random;
use super::records::User;
use super::reply::{Cookies, Payload, Reply};
use super::request::Request;
use super::rest;
use super::state::State;
use super::upload;

/// Those that a guest may call.
const FOR_GUESTS: &[&str] = &[
    "frappe.client.get_time_zone",
    "ping",
    "frappe.ping",
    "login",
    "logout",
    "frappe.realtime.get_user_info",
    "frappe.integrations.oauth2.authorize",
    "frappe.integrations.oauth2.get_token",
    "frappe.integrations.oauth2.revoke_token",
    "frappe.integrations.oauth2.introspect_token",
    "frappe.integrations.oauth2.openid_configuration",
    "frappe.integrations.oauth2.get_openid_configuration",
];

const PERMISSION_MANAGER: &str = "frappe.core.page.permission_manager.permission_manager.";

/// Calls a method.
pub fn call(state: &mut State, request: &Request, caller: &mut Caller, method: &str) -> Result<Reply, Fault> {
    if let Some(reply) = echo::method(request, caller, method) {
        return Ok(reply);
    }
    if request.head.method == "HEAD" {
        return Err(Fault::permission());
    }
    if caller.is_guest() && !FOR_GUESTS.contains(&method) {
        return Err(Fault::not_whitelisted(method));
    }
    if let Some(name) = method.strip_prefix("frappe.integrations.oauth2.") {
        return oauth::call(state, request, caller, name);
    }
    match method {
        MCP_METHOD => Ok(mcp::handle(state, request, caller)),
        "ping" | "frappe.ping" => Ok(message(caller, "pong")),
        "login" => Ok(Reply::json(200, &Json::Map(Vec::new()))),
        "logout" => Ok(log_out(state, caller)),
        "upload_file" | "frappe.handler.upload_file" => upload::upload(state, request, caller),
        "frappe.auth.get_logged_user" => Ok(message(caller, caller.user.as_str())),
        "frappe.realtime.get_user_info" => {
            let kind = state.user(&caller.user).map(|user| user.user_type.clone());
            let info = Json::map([
                ("user", caller.user.as_str().into()),
                ("user_type", kind.map_or(Json::Leaf(Value::Null), Json::from)),
            ]);
            Ok(message(caller, info))
        }
        // 44
        "frappe.desk.form.load.getdoc" => {
            let value = |name: &str| request.value(name).unwrap_or_default();
            let document = rest::single(state, caller, &value("doctype"), &value("name"))?;
            Ok(Reply::json(200, &Json::map([("docs", Json::List(vec![document]))])))
        }
        "frappe.core.doctype.user.user.get_roles" => {
            let uid = request.value("uid").unwrap_or_else(|| caller.user.clone());
            let roles = state.user(&uid).map(User::effective_roles).unwrap_or_default();
            Ok(message(caller, roles))
        }
        "frappe.core.doctype.user.user.generate_keys" => generate_keys(state, request, caller),
        _ if method.starts_with(PERMISSION_MANAGER) => {
            permissions::manage(state, request, caller, &method[PERMISSION_MANAGER.len()..])
        }
        _ => match method.strip_prefix("frappe.client.") {
            Some(name) => client(state, request, caller, name),
            None if method.contains('.') => {
                Err(Fault::validation("ValidationError", &format!("Failed to get method for command {method}")))
            }
            None => Err(Fault::python("AttributeError", &format!("no method {method}"))),
        },
    }
}

/// `{"message": …}`, after `session_expired` where that holds.
pub fn message(caller: &Caller, value: impl Into<Json>) -> Reply {
    let body = Json::Map(Vec::new());
    let body = if caller.session_expired { body.with("session_expired", 1) } else { body };
    Reply::json(200, &body.with("message", value))
}

/// API v2 wraps in `data` what v1 wraps in `message`.
pub fn as_v2(mut reply: Reply) -> Reply {
    if let Payload::Full(bytes) = &mut reply.payload
        && reply.content_type == "application/json"
        && let Ok(text) = std::str::from_utf8(bytes)
        && text.contains("\"message\":")
    {
        *bytes = text.replacen("\"message\":", "\"data\":", 1).into_bytes();
    }
    reply
}

fn log_out(state: &mut State, caller: &mut Caller) -> Reply {
    if let Some(session) = caller.session.take() {
        state.sessions.retain(|has| has.sid != session.sid);
    }
    "Guest".clone_into(&mut caller.user);
    let body = Json::map([("message", "No App".into()), ("home_page", "/login".into()), ("full_name", "Guest".into())]);
    Reply::json(200, &body).cookies(Cookies::Cleared)
}

/// Only for users with the role System Manager.
pub fn manager_only(state: &State, caller: &Caller) -> Result<(), Fault> {
    let manager = state.user(&caller.user).is_some_and(|user| user.roles.iter().any(|role| role == "System Manager"));
    if manager { Ok(()) } else { Err(Fault::permission()) }
}

fn generate_keys(state: &mut State, request: &Request, caller: &Caller) -> Result<Reply, Fault> {
    manager_only(state, caller)?;
    let user = request.value("user").unwrap_or_default();
    if state.user(&user).is_none() {
        return Err(Fault::not_found(Some(format!("User {user}"))));
    }
    let secret = random::hex(15);
    let entry = state.api_keys.entry(user.clone());
    entry.or_insert_with(|| (random::hex(15), String::new())).1.clone_from(&secret);
    state.change_user(&user, |_| {});
    Ok(message(caller, Json::map([("api_secret", secret.into())])))
}

/// `frappe.client.*`: the REST verbs as methods.
fn client(state: &mut State, request: &Request, caller: &Caller, name: &str) -> Result<Reply, Fault> {
    let doctype = request.value("doctype").unwrap_or_default();
    let document = request.value("name").unwrap_or_default();
    match name {
        "get_list" => {
            let rows = rest::list(state, caller, &doctype, &Query::of(request))?;
            Ok(message(caller, Json::List(rows)))
        }
        "get_count" => {
            let query = Query { fields: vec!["name".to_owned()], limit: 0, ..Query::of(request) };
            let rows = rest::list(state, caller, &doctype, &query)?;
            Ok(message(caller, rows.len()))
        }
        // frappe/client.py: for everybody; System Settings themselves are not (seen on 15.44.2).
        "get_time_zone" => Ok(message(caller, Json::map([("time_zone", state.time_zone.as_str().into())]))),
        "get" => Ok(message(caller, rest::single(state, caller, &doctype, &document)?)),
        "delete" => {
            // What is not there is told without a word.
            if !rest::exists(state, &doctype, &document) {
                return Err(Fault::not_found(None));
            }
            rest::delete(state, caller, &doctype, &document)?;
            Ok(Reply::json(200, &Json::Map(Vec::new())))
        }
        "insert" | "insert_many" => insert(state, request, caller, name),
        "get_value" => get_value(state, request, caller, &doctype),
        "get_password" => {
            manager_only(state, caller)?;
            let secret = state.api_keys.get(&document).map(|(_, secret)| secret.clone());
            let secret = secret.ok_or_else(|| Fault::credentials("Password not found"))?;
            Ok(message(caller, secret))
        }
        _ => Err(Fault::validation("ValidationError", &format!("no frappe.client.{name}"))),
    }
}

fn insert(state: &mut State, request: &Request, caller: &Caller, name: &str) -> Result<Reply, Fault> {
    let value = request.json_value(if name == "insert" { "doc" } else { "docs" });
    let documents = match value {
        Some(Value::Array(items)) => items,
        Some(item) => vec![item],
        None => Vec::new(),
    };
    let mut made = Vec::new();
    for document in documents {
        let Value::Object(document) = document else { continue };
        let doctype = document.get("doctype").and_then(Value::as_str).unwrap_or_default().to_owned();
        made.push(rest::create(state, caller, &doctype, document)?);
    }
    if name == "insert" {
        let document = made.pop().ok_or_else(|| Fault::not_found(None))?;
        return Ok(message(caller, document));
    }
    let names = made.iter().map(rest::name_of).collect::<Vec<_>>();
    Ok(message(caller, names))
}

fn get_value(state: &mut State, request: &Request, caller: &Caller, doctype: &str) -> Result<Reply, Fault> {
    let fields = match request.json_value("fieldname") {
        Some(Value::Array(items)) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        Some(Value::String(field)) => vec![field],
        _ => vec!["name".to_owned()],
    };
    let query = Query { fields, limit: 1, ..Query::of(request) };
    let row = rest::list(state, caller, doctype, &query)?.into_iter().next();
    Ok(message(caller, row.unwrap_or_else(|| Json::Map(Vec::new()))))
}
