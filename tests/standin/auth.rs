//! Who the caller is, in Frappe's order and with its quirks.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fault::Fault;
use super::records::LoginSession;
use super::request::Request;
use super::state::State;

/// What is known of the caller once Frappe has looked at sid and `Authorization`.
#[derive(Clone, Debug)]
pub struct Caller {
    /// `Guest` where it is nobody.
    pub user: String,
    /// The login session that the sid names.
    pub session: Option<LoginSession>,
    /// A sid was sent that names none.
    pub session_expired: bool,
}

impl Caller {
    /// Whether nobody is logged in.
    pub fn is_guest(&self) -> bool {
        self.user == "Guest"
    }
}

/// The login session: `sid` of query, form or JSON body comes before the cookie.
pub fn resume(state: &State, request: &Request) -> Caller {
    let sid = request.value("sid").or_else(|| request.cookie("sid"));
    let sid = sid.filter(|sid| !sid.is_empty() && sid != "Guest");
    let session = sid.as_deref().and_then(|sid| state.session(sid)).cloned();
    Caller {
        user: session.as_ref().map_or("Guest", |session| &session.user).to_owned(),
        session_expired: sid.is_some() && session.is_none(),
        session,
    }
}

/// Frappe looks at the CSRF token of the *cookie's* session before any `Authorization`.
pub fn check_csrf(request: &Request, caller: &Caller) -> Result<(), Fault> {
    let is_unsafe = ["POST", "PUT", "PATCH", "DELETE"].contains(&request.head.method.as_str());
    let Some(expected) = caller.session.as_ref().and_then(|session| session.csrf_token.as_deref()) else {
        return Ok(());
    };
    let sent = request.variable("X-Frappe-CSRF-Token").map(str::to_owned);
    let sent = sent.or_else(|| request.value("csrf_token"));
    if is_unsafe && sent.as_deref() != Some(expected) { Err(Fault::csrf()) } else { Ok(()) }
}

/// Looks at `Authorization`, which counts only with exactly two parts.
pub fn authorize(state: &State, request: &Request, caller: &mut Caller) -> Result<(), Fault> {
    let parts: Vec<&str> = request.variable("Authorization").unwrap_or_default().split(' ').collect();
    let [scheme, credentials] = parts[..] else { return Ok(()) };
    match scheme.to_ascii_lowercase().as_str() {
        "bearer" => {
            // A valid bearer wins over the session; an invalid one is forgotten.
            let row = state.bearer(credentials).filter(|row| state.bearer_is_valid(row));
            if let Some(row) = row {
                row.user.clone_into(&mut caller.user);
            }
        }
        "basic" => {
            let decoded = STANDARD.decode(credentials).unwrap_or_default();
            api_key(state, request, caller, &String::from_utf8_lossy(&decoded))?;
        }
        "token" => api_key(state, request, caller, credentials)?,
        _ => {}
    }
    if caller.is_guest() { Err(Fault::authentication()) } else { Ok(()) }
}

/// A wrong key is refused at once; a right one loses against a session.
fn api_key(state: &State, request: &Request, caller: &mut Caller, pair: &str) -> Result<(), Fault> {
    let parts: Vec<&str> = pair.split(':').collect();
    let [key, secret] = parts[..] else { return Ok(()) };
    let source = request.variable("Frappe-Authorization-Source").unwrap_or("User");
    let mut keys = state.api_keys.iter();
    let found = keys.find(|(_, (has, expected))| has == key && expected == secret);
    match found {
        Some((user, _)) if source == "User" => {
            if caller.is_guest() {
                user.clone_into(&mut caller.user);
            }
            Ok(())
        }
        _ => Err(Fault::authentication()),
    }
}

/// Checks name and password as the login form and the password grant do.
///
/// # Errors
///
/// The text that Frappe answers.
pub fn check_password(state: &State, usr: &str, pwd: &str) -> Result<String, &'static str> {
    if usr.is_empty() || pwd.is_empty() {
        return Err("Incomplete login details");
    }
    let Some(user) = state.user(usr) else { return Err("Invalid login credentials") };
    if !user.enabled {
        return Err("User disabled or missing");
    }
    if user.password.is_empty() || user.password != pwd {
        return Err("Invalid login credentials");
    }
    Ok(user.name.clone())
}
