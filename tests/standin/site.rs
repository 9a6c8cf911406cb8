//! One request through the site: site, login or session, CSRF, `Authorization`, then where it goes.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::Duration;

use super::assets;
use super::auth::{self, Caller};
use super::clock;
use super::echo;
use super::fault::{Fault, bare_page};
use super::json::Json;
use super::methods;
use super::pages;
use super::records::{AsksFor, User};
use super::reply::{Cookies, Reply};
use super::request::Request;
use super::rest;
use super::state::State;

const COOKIE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The answer and the user that the request was taken for.
pub struct Outcome {
    pub reply: Reply,
    pub user: String,
}

/// Answers a complete request.
pub fn answer(state: &mut State, request: &Request) -> Outcome {
    let site = request.variable("X-Frappe-Site-Name");
    if let Some(site) = site.filter(|site| !state.sites.iter().any(|has| has == site)) {
        let page = bare_page(404, "Not Found", &format!("{site} does not exist"));
        return Outcome { reply: page, user: "Guest".to_owned() };
    }
    if request.head.method == "OPTIONS" {
        let reply = Reply::new(200, "text/plain; charset=utf-8", "").cookies(Cookies::None);
        return Outcome { reply, user: "Guest".to_owned() };
    }
    let mut caller = auth::resume(state, request);
    let logs_in = request.path == "/api/method/login" || request.value("cmd").is_some_and(|cmd| cmd == "login");
    let result = if logs_in {
        log_in(state, request, &mut caller)
    } else {
        auth::check_csrf(request, &caller)
            .and_then(|()| auth::authorize(state, request, &mut caller))
            .and_then(|()| dispatch(state, request, &mut caller))
    };
    let mut reply = result.unwrap_or_else(|fault| fault.reply(request, caller.session_expired));
    if caller.session_expired && reply.cookies == Cookies::Session {
        reply.cookies = Cookies::Cleared;
    }
    let lines = cookie_lines(state, request, &caller, reply.cookies);
    reply.fields.extend(lines.into_iter().map(|line| ("Set-Cookie".to_owned(), line)));
    Outcome { reply, user: caller.user }
}

/// `cmd` beats the path, whatever the path is.
fn dispatch(state: &mut State, request: &Request, caller: &mut Caller) -> Result<Reply, Fault> {
    if let Some(method) = request.value("cmd") {
        return methods::call(state, request, caller, &method);
    }
    let path = request.path.as_str();
    if let Some(reply) = echo::special(request).or_else(|| assets::asset(request)) {
        return Ok(reply);
    }
    if let Some(rest) = path.strip_prefix("/api/") {
        return api(state, request, caller, rest);
    }
    pages::page(state, request, caller)
}

fn api(state: &mut State, request: &Request, caller: &mut Caller, rest: &str) -> Result<Reply, Fault> {
    let v2 = rest.strip_prefix("v2/");
    let rest = v2.or_else(|| rest.strip_prefix("v1/")).unwrap_or(rest);
    let (kind, what) = rest.split_once('/').unwrap_or((rest, ""));
    let what = what.strip_suffix('/').unwrap_or(what);
    if what.is_empty() || what.starts_with('/') {
        return Err(Fault::not_found(None));
    }
    match (kind, v2.is_some()) {
        // v1 drops what follows a slash, v2 takes it for doctype and method.
        ("method", false) => methods::call(state, request, caller, what.split('/').next().unwrap_or_default()),
        ("method", true) if what.contains('/') => {
            Err(Fault::validation("ValidationError", &format!("Failed to get method for {what}")))
        }
        ("method", true) => {
            let reply = methods::call(state, request, caller, what)?;
            Ok(methods::as_v2(reply))
        }
        ("resource", false) | ("document", true) => rest::resource(state, request, caller, what),
        _ => Err(Fault::not_found(None)),
    }
}

fn log_in(state: &mut State, request: &Request, caller: &mut Caller) -> Result<Reply, Fault> {
    let (usr, pwd) = (request.value("usr"), request.value("pwd"));
    let (usr, pwd) = (usr.unwrap_or_default(), pwd.unwrap_or_default());
    let name = auth::check_password(state, &usr, &pwd).map_err(Fault::login)?;
    if let Some(more) = asked_for_more(state.user(&name).map(|user| user.asks_for).unwrap_or_default()) {
        return Ok(Reply::json(200, &more).cookies(Cookies::Pending));
    }
    let session = state.begin_session(&name);
    let user = state.user(&name).ok_or_else(Fault::permission)?;
    let (message, home) = if user.is_system() { ("Logged In", "/app") } else { ("No App", "/me") };
    let body =
        Json::map([("message", message.into()), ("home_page", home.into()), ("full_name", user.full_name().into())]);
    *caller = Caller { user: name, session: Some(session), session_expired: false };
    Ok(Reply::json(200, &body))
}

/// The answer to a login that is not done yet: nobody is logged in by it.
fn asked_for_more(asks_for: AsksFor) -> Option<Json> {
    match asks_for {
        AsksFor::Nothing => None,
        AsksFor::SecondFactor => {
            let method =
                Json::map([("token_delivery", true.into()), ("method", "OTP App".into()), ("setup", true.into())]);
            Some(Json::map([("verification", method), ("tmp_id", "1a2b3c4d".into())]))
        }
        AsksFor::NewPassword => Some(Json::map([
            ("redirect_to", "/update-password?key=reset-key&password_expired=true".into()),
            ("message", "Password Reset".into()),
        ])),
    }
}

/// The lines of `Set-Cookie`: they show the session's user, whoever the bearer's is.
fn cookie_lines(state: &State, request: &Request, caller: &Caller, which: Cookies) -> Vec<String> {
    if which == Cookies::None {
        return Vec::new();
    }
    let now = clock::now();
    let secure = if request.is_https() { " Secure;" } else { "" };
    let session = caller.session.as_ref();
    let user = session.and_then(|session| state.user(&session.user));
    let shown = |text: &str| utf8_percent_encode(text, COOKIE).to_string();
    let sid = session.map_or("Guest", |session| session.sid.as_str());
    let system = if user.is_some_and(User::is_system) { "yes" } else { "no" };
    let full_name = user.map_or_else(|| "Guest".to_owned(), |user| shown(&user.full_name()));
    let user_id = user.map_or_else(|| "Guest".to_owned(), |user| shown(&user.name));
    let image = user.and_then(|user| user.image.as_deref()).map(shown).unwrap_or_default();
    let expires = clock::http_date(now + Duration::seconds(612_000));
    if which == Cookies::Pending {
        return vec![format!(
            "sid=Administrator; Expires={expires}; Max-Age=612000;{secure} HttpOnly; Path=/; SameSite=Lax"
        )];
    }
    let mut lines =
        vec![format!("sid={sid}; Expires={expires}; Max-Age=612000;{secure} HttpOnly; Path=/; SameSite=Lax")];
    let rest = [
        ("system_user", system),
        ("full_name", full_name.as_str()),
        ("user_id", user_id.as_str()),
        ("user_image", image.as_str()),
    ];
    for (name, value) in rest {
        lines.push(format!("{name}={value};{secure} Path=/; SameSite=Lax"));
    }
    if which == Cookies::Cleared {
        let past = clock::http_date(now - Duration::days(1));
        for name in ["system_user", "sid", "user_id", "user_image", "full_name"] {
            lines.push(format!("{name}=; Expires={past}; Path=/"));
        }
    }
    lines
}
