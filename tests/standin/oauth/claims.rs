//! `openid_profile`, `introspect_token`, `openid_configuration`: they only tell.

use serde_json::Value;

use super::super::clock;
use super::super::fault::{Fault, server_messages};
use super::super::json::Json;
use super::super::records::{Bearer, User};
use super::super::reply::Reply;
use super::super::request::Request;
use super::super::state::State;
use super::described;

/// The userinfo claims, in Frappe's order.
pub(super) fn userinfo(user: &User, issuer: &str) -> Vec<(String, Json)> {
    let optional = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    let picture =
        user.image.as_ref().map(|image| if image.contains("://") { image.clone() } else { format!("{issuer}{image}") });
    let pairs: [(&str, Json); 8] = [
        ("sub", user.sub.clone().into()),
        ("name", user.full_name().into()),
        ("given_name", user.first_name.as_str().into()),
        ("family_name", optional(&user.last_name).into()),
        ("email", user.email.as_str().into()),
        ("picture", picture.into()),
        ("roles", user.effective_roles().into()),
        ("iss", issuer.into()),
    ];
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

pub(super) fn openid_profile(state: &State, request: &Request) -> Result<Reply, Fault> {
    let header = request.variable("Authorization").unwrap_or_default();
    let bearer = header.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
    let token = bearer.map_or("None", |(_, token)| token);
    let row = state.bearer(token);
    let row = row.ok_or_else(|| Fault::not_found(Some(format!("OAuth Bearer Token {token}"))))?;
    if !state.bearer_is_valid(row) {
        let text = "The access token provided is expired, revoked, malformed, or invalid for other reasons.";
        return Ok(described(401, "invalid_token", text));
    }
    let user = state.user(&row.user);
    let user = user.ok_or_else(|| Fault::not_found(Some(format!("User {}", row.user))))?;
    Ok(Reply::json(200, &Json::Map(userinfo(user, &request.base_url()))))
}

/// Tells anybody everything; an expired token is active, and `exp` is off by the site's zone.
pub(super) fn introspect(state: &State, request: &Request) -> Reply {
    let token = request.value("token");
    let by_refresh = request.value("token_type_hint").as_deref() == Some("refresh_token");
    let field = if by_refresh { "refresh_token" } else { "access_token" };
    let matches = |row: &&Bearer| {
        let has = if by_refresh { row.refresh_token.as_deref() } else { Some(row.access_token.as_str()) };
        token.as_deref().is_some_and(|token| has.is_some_and(|has| has.eq_ignore_ascii_case(token)))
    };
    let Some(row) = state.bearers.iter().map(|row| &row.it).find(matches) else {
        let shown = token.map_or("None".to_owned(), |token| format!("'{token}'"));
        let text = format!("OAuth Bearer Token {{'{field}': {shown}}} not found");
        let body = Json::map([("active", false.into()), ("_server_messages", server_messages(&text).into())]);
        return Reply::json(200, &body);
    };
    let client = row.client.as_deref().and_then(|name| state.client(name));
    let scopes = row.scopes.clone().unwrap_or_default();
    // Frappe takes the site's local time for the server's, which is UTC.
    let expiry = row.expiration_time.as_deref();
    let exp = expiry.and_then(|text| clock::parse_column(text, time::UtcOffset::UTC));
    let mut body = Json::map([
        ("client_id", row.client.clone().into()),
        ("trusted_client", u8::from(client.is_some_and(|it| it.skip_authorization)).into()),
        ("active", (row.status == "Active").into()),
        ("exp", exp.map(time::OffsetDateTime::unix_timestamp).into()),
        ("scope", scopes.as_str().into()),
    ]);
    let openid = scopes.split_whitespace().any(|scope| scope == "openid");
    if let (true, Some(user), Json::Map(pairs)) = (openid, state.user(&row.user), &mut body)
        && user.sub.is_some()
    {
        pairs.extend(userinfo(user, &request.base_url()));
    }
    Reply::json(200, &body)
}

pub(super) fn configuration(request: &Request) -> Reply {
    let base = request.base_url();
    let endpoint = |name: &str| Json::from(format!("{base}/api/method/frappe.integrations.oauth2.{name}"));
    let list = |items: &[&str]| Json::from(items.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
    let body = Json::map([
        ("issuer", base.as_str().into()),
        ("authorization_endpoint", endpoint("authorize")),
        ("token_endpoint", endpoint("get_token")),
        ("userinfo_endpoint", endpoint("openid_profile")),
        ("revocation_endpoint", endpoint("revoke_token")),
        ("introspection_endpoint", endpoint("introspect_token")),
        (
            "response_types_supported",
            list(&["code", "token", "code id_token", "code token id_token", "id_token", "id_token token"]),
        ),
        ("subject_types_supported", list(&["public"])),
        ("id_token_signing_alg_values_supported", list(&["HS256"])),
    ]);
    Reply::json(200, &body)
}
