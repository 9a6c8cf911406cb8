//! The website: login page, Desk, portal, files.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::SITE;
use super::auth::Caller;
use super::fault::{self, Fault, bare_page};
use super::random;
use super::records::User;
use super::reply::{Payload, Reply};
use super::request::Request;
use super::state::State;

const LOGIN: &str = include_str!("login.html");
const DESK: &str = include_str!("desk.html");

/// What a path outside of the API answers.
pub fn page(state: &mut State, request: &Request, caller: &Caller) -> Result<Reply, Fault> {
    let path = request.path.as_str();
    if path.starts_with("/private/files/") {
        return Ok(private_file(state, request, caller));
    }
    if !["GET", "HEAD", "POST"].contains(&request.head.method.as_str()) {
        return Err(Fault::not_found(None));
    }
    if let Some(file) = state.files.iter().find(|file| file.url == path) {
        return Ok(Reply::new(200, content_type(path), file.content.clone()));
    }
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    match path {
        "/login" => Ok(login(state, request, caller)),
        "/.well-known/openid-configuration" => Ok(Reply::page_redirect(
            301,
            ".well-known/openid-configuration",
            "/api/method/frappe.integrations.oauth2.openid_configuration",
        )),
        "/app" | "/desk" => Ok(desk(state, caller, path)),
        _ if path.starts_with("/app/") => Ok(desk(state, caller, path)),
        "/me" | "/" | "/index" if caller.is_guest() && path == "/me" => {
            Ok(Reply::page_redirect(301, "me", "/login?redirect-to=%2Fme"))
        }
        "/me" | "/" | "/index" => Ok(shown("Me", "me", caller)),
        _ => Ok(fault::page(404, "404")),
    }
}

fn login(state: &State, request: &Request, caller: &Caller) -> Reply {
    if caller.is_guest() {
        let page = Reply::html(200, LOGIN).field("X-Page-Name", "login");
        return page.field("X-From-Cache", "False");
    }
    let system = state.user(&caller.user).is_some_and(User::is_system);
    let home = if system { "/app" } else { "/me" };
    let wanted = request.value("redirect-to").filter(|wanted| !wanted.is_empty());
    Reply::page_redirect(302, "login", wanted.as_deref().unwrap_or(home))
}

/// Shows Desk; from then on the session has a CSRF token.
fn desk(state: &mut State, caller: &Caller, path: &str) -> Reply {
    if caller.is_guest() {
        let shown = utf8_percent_encode(path, NON_ALPHANUMERIC);
        return Reply::page_redirect(301, "app", &format!("/login?redirect-to={shown}"));
    }
    let sid = caller.session.as_ref().map(|session| session.sid.as_str());
    let session = state.sessions.iter_mut().find(|session| Some(session.sid.as_str()) == sid);
    let token = session.map(|session| session.csrf_token.get_or_insert_with(|| random::hex(56)).clone());
    let boot = serde_json::json!({"sitename": SITE, "user": {"name": caller.user}}).to_string();
    let page = DESK.replace("{{boot}}", &boot.replace('\\', "\\\\").replace('"', "\\\"").replace('<', "\\u003c"));
    let page = page.replace("{{csrf_token}}", &token.unwrap_or_default());
    let page = page.replace("{{user}}", &caller.user.replace('<', "&lt;"));
    Reply::html(200, page).field("X-Page-Name", "app").field("X-From-Cache", "False")
}

fn shown(title: &str, name: &str, caller: &Caller) -> Reply {
    let user = caller.user.replace('<', "&lt;");
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n</head>\n<body><h1>{title}</h1>\n<p>Logged in as \
         <b id=\"user\">{user}</b></p>\n<p><a href=\"/api/method/logout\">Logout</a></p></body>\n</html>\n"
    );
    Reply::html(200, page).field("X-Page-Name", name).field("X-From-Cache", "False")
}

fn private_file(state: &State, request: &Request, caller: &Caller) -> Reply {
    let path = request.path.as_str();
    let file = state.files.iter().find(|file| file.url == path);
    let allowed = |owner: &str| caller.user == owner || caller.user == "Administrator";
    let Some(file) = file.filter(|file| allowed(&file.owner)) else {
        let text = "You don&#39;t have permission to access this file";
        return bare_page(403, "Forbidden", text);
    };
    if request.variable("X-Use-X-Accel-Redirect").is_some_and(|value| !value.is_empty()) {
        let target = format!("/protected{path}");
        return Reply::new(200, content_type(path), "").field("X-Accel-Redirect", &target);
    }
    Reply::new(200, content_type(path), "").payload(Payload::Chunked(file.content.clone()))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("pdf") => "application/pdf",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
