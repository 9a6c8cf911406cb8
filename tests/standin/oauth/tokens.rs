//! `get_token` and `revoke_token`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::super::auth::{Caller, check_password};
use super::super::clock;
use super::super::fault::Fault;
use super::super::json::Json;
use super::super::random;
use super::super::records::{Bearer, Client};
use super::super::reply::Reply;
use super::super::request::Request;
use super::super::state::{NativeCode, State};
use super::claims::userinfo;
use super::described;

fn error(code: &str) -> Reply {
    Reply::json(400, &Json::map([("error", code.into())]))
}

fn invalid(text: &str) -> Reply {
    let body = Json::map([("error", "invalid_request".into()), ("error_description", text.into())]);
    Reply::json(400, &body)
}

/// Checks neither the client's secret nor that a refresh token is the client's.
pub(super) fn get_token(state: &mut State, request: &Request, caller: &Caller) -> Result<Reply, Fault> {
    let method = request.head.method.as_str();
    if method != "POST" {
        let text = format!("Unsupported request method {method}");
        return Ok(described(400, "invalid_request", &text));
    }
    if !request.raw_query.is_empty() {
        return Ok(described(400, "invalid_request", "URL query parameters are not allowed"));
    }
    let form = |name: &str| request.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    match form("grant_type").as_deref() {
        Some("authorization_code") => authorization_code(state, request, caller, &form),
        Some("refresh_token") => refresh(state, &form),
        Some("password") => password(state, &form),
        Some("client_credentials") => Ok(error("unauthorized_client")),
        _ => Ok(error("unsupported_grant_type")),
    }
}

fn authorization_code(
    state: &mut State,
    request: &Request,
    caller: &Caller,
    form: &dyn Fn(&str) -> Option<String>,
) -> Result<Reply, Fault> {
    let Some(code) = form("code") else { return Ok(invalid("Missing code parameter.")) };
    let none = "'NoneType' object has no attribute 'split'";
    let id = form("client_id").ok_or_else(|| Fault::python("AttributeError", none))?;
    let client = state.client(&id).cloned();
    let client = client.ok_or_else(|| Fault::not_found(Some(format!("OAuth Client {id}"))))?;
    // The only thing called client authentication: session and cookie must agree.
    let cookie = request.decoded_cookie("user_id").unwrap_or_else(|| "Guest".to_owned());
    if cookie != caller.user {
        return Ok(error("invalid_client"));
    }
    let Some(known) = state.codes.get(&code).filter(|it| it.client == client.name).cloned() else {
        return Ok(error("invalid_grant"));
    };
    if let Some(challenge) = &known.challenge {
        let Some(verifier) = form("code_verifier") else {
            state.codes.remove(&code);
            return Ok(error("invalid_grant"));
        };
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let shown = if known.method.as_deref() == Some("S256") { hash } else { verifier };
        if shown != *challenge {
            // The code stays usable.
            return Ok(error("invalid_grant"));
        }
    }
    let registered = |uri: &str| client.redirect_uris.split_whitespace().any(|has| has == uri);
    if form("redirect_uri").is_some_and(|uri| !registered(&uri)) {
        return Ok(invalid("Mismatching redirect URI."));
    }
    state.codes.remove(&code);
    let (token, body) = issue(state, Some(client.name.clone()), &known.user, &known.scopes);
    let openid = known.scopes.split_whitespace().any(|scope| scope == "openid");
    let id_token = openid.then(|| id_token(state, &client, &known, &token, &request.base_url()));
    let body = match id_token.flatten() {
        Some(id_token) => body.with("id_token", id_token),
        None => body,
    };
    Ok(Reply::json(200, &body))
}

fn refresh(state: &mut State, form: &dyn Fn(&str) -> Option<String>) -> Result<Reply, Fault> {
    let Some(token) = form("refresh_token") else {
        return Ok(invalid("Missing refresh token parameter."));
    };
    let mut rows = state.bearers.iter().map(|row| &row.it);
    let row = rows.find(|row| {
        row.status == "Active" && row.refresh_token.as_deref().is_some_and(|has| has.eq_ignore_ascii_case(&token))
    });
    let what = format!("OAuth Bearer Token {{'refresh_token': '{token}', 'status': 'Active'}}");
    let row = row.cloned().ok_or_else(|| Fault::not_found(Some(what)))?;
    let had = row.scopes.clone().unwrap_or_default();
    let scopes = form("scope").unwrap_or_else(|| had.clone());
    if !scopes.split_whitespace().all(|scope| had.split_whitespace().any(|it| it == scope)) {
        return Ok(error("invalid_scope"));
    }
    // The old pair goes on living.
    Ok(Reply::json(200, &issue(state, row.client, &row.user, &scopes).1))
}

fn password(state: &mut State, form: &dyn Fn(&str) -> Option<String>) -> Result<Reply, Fault> {
    let value = |name: &str| form(name).unwrap_or_default();
    let id = value("client_id");
    let client = state.client(&id).cloned();
    let client = client.ok_or_else(|| Fault::not_found(Some(format!("OAuth Client {id}"))))?;
    let user = check_password(state, &value("username"), &value("password"));
    let user = user.map_err(Fault::credentials)?;
    let scopes = form("scope").unwrap_or_else(|| client.scopes.clone());
    let has = |scope: &str| client.scopes.split_whitespace().any(|known| known == scope);
    if !scopes.split_whitespace().all(has) {
        return Ok(error("invalid_scope"));
    }
    Ok(Reply::json(200, &issue(state, Some(client.name), &user, &scopes).1))
}

/// Makes the row; the access token and the body without `id_token`.
fn issue(state: &mut State, client: Option<String>, user: &str, scopes: &str) -> (String, Json) {
    let (access, refresh) = (random::letters(30), random::letters(30));
    state.put_bearer(Bearer {
        client,
        refresh_token: Some(refresh.clone()),
        scopes: Some(scopes.to_owned()),
        ..Bearer::new(&access, "", user)
    });
    let body = Json::map([
        ("access_token", access.as_str().into()),
        ("expires_in", 3600.into()),
        ("token_type", "Bearer".into()),
        ("scope", scopes.into()),
        ("refresh_token", refresh.into()),
    ]);
    (access, body)
}

fn id_token(state: &State, client: &Client, code: &NativeCode, access_token: &str, issuer: &str) -> Option<String> {
    let user = state.user(&code.user)?;
    let now = clock::now().unix_timestamp();
    let at_hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(access_token.as_bytes())[..16]);
    let mut claims = vec![
        ("aud".to_owned(), client.name.as_str().into()),
        ("iat".to_owned(), now.into()),
        ("at_hash".to_owned(), at_hash.into()),
    ];
    if let Some(nonce) = &code.nonce {
        claims.push(("nonce".to_owned(), nonce.as_str().into()));
    }
    claims.push(("exp".to_owned(), (now + 3600).into()));
    claims.push(("iss".to_owned(), issuer.into()));
    claims.extend(userinfo(user, issuer).into_iter().filter(|(name, _)| name != "iss"));
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"jwt"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(Json::Map(claims).text()));
    let signature = hmac_sha256(client.client_secret.as_bytes(), signed.as_bytes());
    Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// RFC 2104; secrets here are shorter than a block.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0u8; 64];
    for (byte, key) in block.iter_mut().zip(key) {
        *byte = *key;
    }
    let padded = |pad: u8| block.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().into()
}

/// Nobody needs to authenticate; the row of the token dies with both of its tokens.
pub(super) fn revoke_token(state: &mut State, request: &Request) -> Result<Reply, Fault> {
    let empty = |status| Reply::json(status, &Json::Map(Vec::new()));
    let form = |name: &str| request.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let Some(token) = form("token").filter(|_| request.head.method == "POST") else {
        return Ok(empty(400));
    };
    if request.variable("Authorization").is_some() {
        return Ok(empty(401));
    }
    let by_refresh = form("token_type_hint").as_deref() == Some("refresh_token");
    let known = state.bearer(&token).is_some() && !by_refresh;
    let client = form("client_id").filter(|id| state.client(id).is_some());
    if !known && client.is_none() {
        let id = form("client_id").unwrap_or_else(|| "None".to_owned());
        return Err(Fault::not_found(Some(format!("OAuth Client {id}"))));
    }
    for row in state.bearers.iter_mut().map(|row| &mut row.it) {
        let has = if by_refresh { row.refresh_token.as_deref() } else { Some(row.access_token.as_str()) };
        if has.is_some_and(|has| has.eq_ignore_ascii_case(&token)) {
            "Revoked".clone_into(&mut row.status);
        }
    }
    Ok(empty(200))
}
