//! `authorize` and `approve`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::auth::Caller;
use super::super::fault::{Fault, page};
use super::super::random;
use super::super::records::{Bearer, Client, User};
use super::super::reply::{Payload, Reply};
use super::super::request::Request;
use super::super::state::{NativeCode, State};
use super::described;

const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn authorize(state: &State, request: &Request, caller: &Caller) -> Result<Reply, Fault> {
    let redirect_uri = request.value("redirect_uri");
    let redirect_uri = redirect_uri.ok_or_else(|| Fault::python("KeyError", "'redirect_uri'"))?;
    if caller.is_guest() {
        // werkzeug shows the URL with these decoded.
        let shown = request.raw_query.replace("%3A", ":").replace("%2F", "/");
        let url = format!("{}{}?{shown}", request.base_url(), request.path);
        let target = format!("/login?redirect-to={}", utf8_percent_encode(&url, QUOTED));
        return Ok(Reply::redirect(302, &target));
    }
    let client = match check(state, request, caller) {
        Ok(client) => client,
        Err(refusal) => return Ok(*refusal),
    };
    let approve = format!("/api/method/frappe.integrations.oauth2.approve?{}", query(request));
    if client.skip_authorization {
        return Ok(Reply::redirect(302, &approve));
    }
    let mut reply = page(200, "Confirm Access");
    if let Payload::Full(bytes) = &mut reply.payload {
        let script = format!(
            "<script>\nfunction allow() {{ window.location.replace(\"{approve}\"); }}\nfunction deny() \
             {{ window.location.replace(\"{redirect_uri}?error=access_denied\"); }}\n</script>\n"
        );
        bytes.extend_from_slice(script.as_bytes());
    }
    Ok(reply)
}

/// Gives a code; a GET will do, and the user is who the *cookie* `user_id` says.
pub(super) fn approve(state: &mut State, request: &Request, caller: &Caller) -> Result<Reply, Fault> {
    let client = match check(state, request, caller) {
        Ok(client) => client,
        Err(refusal) => return Ok(*refusal),
    };
    let scopes = request.value("scope").unwrap_or_else(|| client.scopes.clone());
    let redirect_uri = request.value("redirect_uri").unwrap_or_default();
    let state_parameter = request.value("state");
    if request.value("response_type").as_deref() == Some("token") {
        let token = random::letters(30);
        let shown = scopes.replace(' ', "+");
        let bearer = Bearer::new(&token, &client.name, &caller.user);
        state.put_bearer(Bearer { scopes: Some(scopes), ..bearer });
        let tail = state_parameter.map(|text| format!("&state={text}")).unwrap_or_default();
        let target =
            format!("{redirect_uri}#access_token={token}&expires_in=3600&token_type=Bearer&scope={shown}{tail}");
        return Ok(Reply::redirect(302, &target));
    }
    let user = request.decoded_cookie("user_id");
    let user = user.ok_or_else(|| Fault::python("KeyError", "'user_id'"))?;
    let code = random::letters(30);
    state.codes.insert(
        code.clone(),
        NativeCode {
            client: client.name,
            user,
            scopes,
            nonce: request.value("nonce"),
            challenge: request.value("code_challenge"),
            method: request.value("code_challenge_method"),
        },
    );
    let tail = state_parameter.map(|text| format!("&state={}", utf8_percent_encode(&text, QUOTED)));
    let join = if redirect_uri.contains('?') { '&' } else { '?' };
    let target = format!("{redirect_uri}{join}code={code}{}", tail.unwrap_or_default());
    Ok(Reply::redirect(302, &target))
}

fn query(request: &Request) -> String {
    if request.form.is_empty() {
        return request.raw_query.clone();
    }
    let pairs = request.form.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUOTED)));
    pairs.collect::<Vec<_>>().join("&")
}

/// oauthlib's checks in its order; a refusal never goes to the redirect URI.
fn check(state: &State, request: &Request, caller: &Caller) -> Result<Client, Box<Reply>> {
    let refuse = |error: &str, text: &str| Err(Box::new(described(400, error, text)));
    for name in ["client_id", "response_type", "redirect_uri", "scope", "state"] {
        if request.query.iter().filter(|(key, _)| key == name).count() > 1 {
            return refuse("invalid_request", &format!("Duplicate {name} parameter."));
        }
    }
    let Some(id) = request.value("client_id") else {
        return refuse("invalid_request", "Missing client_id parameter.");
    };
    let roles = state.user(&caller.user).map(User::effective_roles).unwrap_or_default();
    let client = state.client(&id).filter(|client| {
        caller.user == "Administrator" || client.allowed_roles.iter().any(|role| roles.contains(role))
    });
    let Some(client) = client else {
        return refuse("invalid_request", "Invalid client_id parameter value.");
    };
    let uri = request.value("redirect_uri").unwrap_or_default();
    if !uri.contains("://") {
        return refuse("invalid_request", "Invalid redirect URI.");
    }
    if !client.redirect_uris.split_whitespace().any(|has| has == uri) {
        return refuse("invalid_request", "Mismatching redirect URI.");
    }
    let expected = client.response_type.to_lowercase();
    match request.value("response_type").as_deref() {
        None => return refuse("invalid_request", "Missing response_type parameter."),
        Some("id_token" | "code id_token" | "id_token token" | "code token id_token") => {}
        Some(kind @ ("code" | "token")) if kind == expected => {}
        Some("code" | "token") => return refuse("unauthorized_client", ""),
        Some(_) => return refuse("unsupported_response_type", ""),
    }
    if request.value("code_challenge").is_some()
        && let Some(method) = request.value("code_challenge_method")
        && method != "S256"
        && method != "plain"
    {
        return refuse("invalid_request", "Transform algorithm not supported.");
    }
    if let Some(scope) = request.value("scope") {
        let has = |scope: &str| client.scopes.split_whitespace().any(|known| known == scope);
        if scope.trim().is_empty() || !scope.split_whitespace().all(has) {
            return refuse("invalid_scope", "");
        }
    }
    Ok(client.clone())
}
