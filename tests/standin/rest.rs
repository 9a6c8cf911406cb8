//! `/api/resource` and `/api/v2/document`: read, list, create, change, delete.

use serde_json::{Map, Value};
use time::Duration;

use super::auth::Caller;
use super::clock;
use super::fault::Fault;
use super::json::Json;
use super::query::Query;
use super::random;
use super::records::{Bearer, Client, User};
use super::reply::Reply;
use super::request::Request;
use super::rows::{Row, rows};
use super::state::{Stamped, State};

/// One request to a doctype (`what` = `Doctype`) or a document (`Doctype/name`).
pub fn resource(state: &mut State, request: &Request, caller: &Caller, what: &str) -> Result<Reply, Fault> {
    let (doctype, name) = match what.split_once('/') {
        Some((doctype, name)) => (doctype, Some(name)),
        None => (what, None),
    };
    let data = |value: Json| {
        let body = Json::Map(Vec::new());
        let body = if caller.session_expired { body.with("session_expired", 1) } else { body };
        body.with("data", value)
    };
    let mut sent = request.form_dict.clone();
    if let Some(Value::Object(document)) = request.json_value("data") {
        sent = document;
    }
    match (request.head.method.as_str(), name) {
        ("GET" | "HEAD", None) => {
            let rows = list(state, caller, doctype, &Query::of(request))?;
            Ok(Reply::json(200, &data(Json::List(rows))))
        }
        ("GET" | "HEAD", Some(name)) => Ok(Reply::json(200, &data(single(state, caller, doctype, name)?))),
        ("POST", None) => Ok(Reply::json(200, &data(create(state, caller, doctype, sent)?))),
        ("PUT" | "PATCH", Some(name)) => {
            update(state, caller, doctype, name, &sent)?;
            Ok(Reply::json(200, &data(found(state, doctype, name)?.document())))
        }
        ("DELETE", Some(name)) => {
            delete(state, caller, doctype, name)?;
            Ok(Reply::json(202, &data("ok".into())))
        }
        _ => Err(Fault::not_found(None)),
    }
}

/// The name of a document.
pub fn name_of(document: &Json) -> String {
    let Json::Map(pairs) = document else { return String::new() };
    match pairs.iter().find(|(key, _)| key == "name") {
        Some((_, Json::Leaf(Value::String(name)))) => name.clone(),
        _ => String::new(),
    }
}

fn check(state: &State, caller: &Caller, doctype: &str, what: &str) -> Result<(), Fault> {
    // The right to a child table is the right to its parent.
    let doctype = match doctype {
        "User Social Login" | "Has Role" => "User",
        other => other,
    };
    if state.may(&caller.user, doctype, what) { Ok(()) } else { Err(Fault::permission()) }
}

fn all(state: &State, doctype: &str) -> Result<Vec<Row>, Fault> {
    rows(state, doctype).ok_or_else(|| Fault::not_found(Some(format!("DocType {doctype}"))))
}

fn found(state: &State, doctype: &str, name: &str) -> Result<Row, Fault> {
    let mut rows = all(state, doctype)?.into_iter();
    rows.find(|row| row.value("name").as_str().is_some_and(|has| has.eq_ignore_ascii_case(name)))
        .ok_or_else(|| Fault::not_found(Some(format!("{doctype} {name}"))))
}

/// Whether there is such a document.
pub fn exists(state: &State, doctype: &str, name: &str) -> bool {
    found(state, doctype, name).is_ok()
}

/// The rows that a list call answers.
pub fn list(state: &State, caller: &Caller, doctype: &str, query: &Query) -> Result<Vec<Json>, Fault> {
    // Without the right to read users their list is no error: it is short, and the rows of their logins name nobody.
    let of_users = matches!(doctype, "User" | "User Social Login");
    let blind = of_users && !state.may(&caller.user, "User", "read") && caller.user != "Guest";
    if !blind {
        check(state, caller, doctype, "read")?;
    }
    let mut rows = all(state, doctype)?;
    let on_desk =
        state.user(&caller.user).is_some_and(|user| user.effective_roles().iter().any(|role| role == "Desk User"));
    if blind && doctype == "User" && !on_desk {
        rows.retain(|row| row.value("name") == caller.user.as_str());
    }
    if doctype == "User" && caller.user != "Administrator" {
        // Only Administrator sees the standard users in a list.
        rows.retain(|row| row.value("name") != "Administrator");
    }
    rows.retain(|row| query.admits(row));
    rows.sort_by(|a, b| query.compare(a, b));
    let selected = rows.iter().flat_map(|row| row.select(&query.fields));
    let limit = if query.limit == 0 { usize::MAX } else { query.limit };
    let selected = selected.skip(query.start).take(limit);
    Ok(if blind { selected.map(without_parent).collect() } else { selected.collect() })
}

fn without_parent(row: Json) -> Json {
    match row {
        Json::Map(pairs) => Json::Map(pairs.into_iter().filter(|(name, _)| name != "parent").collect()),
        other => other,
    }
}

/// A whole document; everybody may read himself, and nobody else Administrator.
pub fn single(state: &State, caller: &Caller, doctype: &str, name: &str) -> Result<Json, Fault> {
    if doctype != "User" || caller.user != name {
        check(state, caller, doctype, "read")?;
        if doctype == "User" && name == "Administrator" {
            return if caller.user == "Administrator" {
                Ok(found(state, doctype, name)?.document())
            } else {
                Err(Fault::permission())
            };
        }
    }
    Ok(found(state, doctype, name)?.document())
}

/// Makes a document.
pub fn create(state: &mut State, caller: &Caller, doctype: &str, sent: Map<String, Value>) -> Result<Json, Fault> {
    check(state, caller, doctype, "create")?;
    let text = |name: &str| sent.get(name).and_then(Value::as_str).map(str::to_owned);
    let name = match doctype {
        "OAuth Bearer Token" => create_bearer(state, caller, &sent)?,
        "OAuth Client" => create_client(state, &sent)?,
        "User" => create_user(state, &sent)?,
        _ => {
            all(state, doctype)?;
            let title = format!("{}_name", doctype.to_lowercase());
            let name = text("name").or_else(|| text(&title));
            let name = name.unwrap_or_else(|| random::hex(10));
            if found(state, doctype, &name).is_ok() {
                return Err(Fault::duplicate(doctype, &name));
            }
            let stamps = state.stamps(&caller.user);
            let mut it = sent;
            it.insert("name".to_owned(), name.clone().into());
            state.documents.entry(doctype.to_owned()).or_default().push(Stamped { it, stamps });
            name
        }
    };
    Ok(found(state, doctype, &name)?.document())
}

fn create_bearer(state: &mut State, caller: &Caller, sent: &Map<String, Value>) -> Result<String, Fault> {
    let text = |name: &str| sent.get(name).and_then(Value::as_str).map(str::to_owned);
    let token = text("access_token").unwrap_or_default();
    if token.is_empty() {
        let message = "Error: Value missing for OAuth Bearer Token: Access Token";
        return Err(Fault::validation("MandatoryError", message));
    }
    if token.chars().count() > 140 {
        let message = format!(
            "OAuth Bearer Token {token}: 'Access Token' ({token}) will get truncated, as max characters allowed is 140"
        );
        return Err(Fault::validation("CharacterLengthExceededError", &message));
    }
    if state.bearer(&token).is_some() {
        return Err(Fault::duplicate("OAuth Bearer Token", &token));
    }
    let (client, user) = (text("client"), text("user"));
    // Links must point to something.
    if let Some(client) = client.as_deref().filter(|client| state.client(client).is_none()) {
        let message = format!("Could not find Client: {client}");
        return Err(Fault::validation("LinkValidationError", &message));
    }
    if user.as_deref().is_none_or(|user| state.user(user).is_none()) {
        let message = format!("Could not find User: {}", user.unwrap_or_default());
        return Err(Fault::validation("LinkValidationError", &message));
    }
    state.put_bearer(Bearer {
        access_token: token.clone(),
        refresh_token: text("refresh_token"),
        client,
        user: user.unwrap_or_default(),
        scopes: text("scopes"),
        expires_in: sent.get("expires_in").and_then(Value::as_i64).unwrap_or(0),
        expiration_time: text("expiration_time"),
        status: text("status").unwrap_or_else(|| "Active".to_owned()),
        owner: caller.user.clone(),
    });
    Ok(token)
}

fn create_client(state: &mut State, sent: &Map<String, Value>) -> Result<String, Fault> {
    // The id cannot be chosen.
    let mut client = Client::new(&random::hex(10), &random::hex(10), "");
    apply_client(&mut client, sent);
    let pair = (client.grant_type.as_str(), client.response_type.as_str());
    if !matches!(pair, ("Authorization Code", "Code") | ("Implicit", "Token")) {
        let message = format!(
            "Combination of Grant Type (<code>{}</code>) and Response Type (<code>{}</code>) not allowed",
            pair.0, pair.1
        );
        return Err(Fault::validation("ValidationError", &message));
    }
    let name = client.name.clone();
    state.put_client(client);
    Ok(name)
}

fn apply_client(client: &mut Client, sent: &Map<String, Value>) {
    for (field, target) in [
        ("app_name", &mut client.app_name),
        ("client_secret", &mut client.client_secret),
        ("redirect_uris", &mut client.redirect_uris),
        ("default_redirect_uri", &mut client.default_redirect_uri),
        ("scopes", &mut client.scopes),
        ("grant_type", &mut client.grant_type),
        ("response_type", &mut client.response_type),
    ] {
        if let Some(value) = sent.get(field).and_then(Value::as_str) {
            value.clone_into(target);
        }
    }
    if let Some(value) = sent.get("skip_authorization") {
        client.skip_authorization = value == &Value::from(1) || value == &Value::from("1");
    }
    if let Some(roles) = roles(sent, "allowed_roles") {
        client.allowed_roles = roles;
    }
}

fn create_user(state: &mut State, sent: &Map<String, Value>) -> Result<String, Fault> {
    let email = sent.get("email").and_then(Value::as_str).unwrap_or_default().to_owned();
    if state.user(&email).is_some() {
        return Err(Fault::duplicate("User", &email));
    }
    if !email.split_once('@').is_some_and(|(_, host)| host.contains('.')) {
        let message = format!("{email} is not a valid Email Address");
        return Err(Fault::validation("InvalidEmailAddressError", &message));
    }
    let mut user = User::system(&email, "");
    user.sub = Some(random::hex(39));
    apply_user(&mut user, sent);
    // Frappe makes a contact of each new user, in the background (seen on a real 15.44 site).
    let contact = serde_json::json!({ "name": user.full_name(), "first_name": user.first_name, "user": email });
    if let Value::Object(it) = contact {
        let stamps = state.stamps("Administrator");
        state.documents.entry("Contact".to_owned()).or_default().push(Stamped { it, stamps });
    }
    state.put_user(user);
    Ok(email)
}

fn apply_user(user: &mut User, sent: &Map<String, Value>) {
    for (field, target) in [
        ("first_name", &mut user.first_name),
        ("last_name", &mut user.last_name),
        ("new_password", &mut user.password),
        ("user_type", &mut user.user_type),
    ] {
        if let Some(value) = sent.get(field).and_then(Value::as_str) {
            value.clone_into(target);
        }
    }
    if let Some(value) = sent.get("enabled") {
        user.enabled = value == &Value::from(1) || value == &Value::from("1");
    }
    if let Some(value) = sent.get("user_image") {
        user.image = value.as_str().map(str::to_owned);
    }
    if let Some(roles) = roles(sent, "roles") {
        user.roles = roles;
    }
}

fn roles(sent: &Map<String, Value>, field: &str) -> Option<Vec<String>> {
    let rows = sent.get(field)?.as_array()?;
    let role = |row: &Value| row.get("role").and_then(Value::as_str).map(str::to_owned);
    Some(rows.iter().filter_map(role).collect())
}

fn update(
    state: &mut State,
    caller: &Caller,
    doctype: &str,
    name: &str,
    sent: &Map<String, Value>,
) -> Result<(), Fault> {
    check(state, caller, doctype, "write")?;
    let name = name_of(&found(state, doctype, name)?.document());
    let now = state.column_now();
    let text = |field: &str| sent.get(field).and_then(Value::as_str).map(str::to_owned);
    match doctype {
        "User" => {
            if let (Some(key), Some(secret)) = (text("api_key"), text("api_secret")) {
                state.api_keys.insert(name.clone(), (key, secret));
            }
            state.change_user(&name, |user| apply_user(user, sent));
        }
        "OAuth Client" => {
            for row in state.clients.iter_mut().filter(|row| row.it.name == name) {
                apply_client(&mut row.it, sent);
                row.stamps.modified.clone_from(&now);
            }
        }
        "OAuth Bearer Token" => {
            let seconds = sent.get("expires_in").and_then(Value::as_i64);
            let end = seconds.map(|s| clock::column(clock::now() + Duration::seconds(s), state.zone));
            for row in state.bearers.iter_mut().filter(|row| row.it.access_token == name) {
                row.it.status = text("status").unwrap_or_else(|| row.it.status.clone());
                row.it.expires_in = seconds.unwrap_or(row.it.expires_in);
                let end = text("expiration_time").or_else(|| end.clone());
                row.it.expiration_time = end.or_else(|| row.it.expiration_time.clone());
                row.stamps.modified.clone_from(&now);
                caller.user.clone_into(&mut row.stamps.modified_by);
            }
        }
        _ => {
            let rows = state.documents.entry(doctype.to_owned()).or_default();
            for row in rows.iter_mut().filter(|row| row.it.get("name") == Some(&name.clone().into())) {
                row.it.extend(sent.clone());
                row.it.insert("name".to_owned(), name.clone().into());
                row.stamps.modified.clone_from(&now);
            }
        }
    }
    Ok(())
}

/// A document that keeps another one from being deleted: its doctype and name.
fn link_to(state: &State, doctype: &str, name: &str) -> Option<(&'static str, String)> {
    let bearer = |test: &dyn Fn(&Bearer) -> bool| {
        let row = state.bearers.iter().find(|row| test(&row.it))?;
        Some(("OAuth Bearer Token", row.it.access_token.clone()))
    };
    match doctype {
        "User" => bearer(&|row| row.user == name),
        "OAuth Client" => bearer(&|row| row.client.as_deref() == Some(name)),
        "Role" => {
            let rules = state.permissions.custom.values().flatten();
            let rule = rules.filter(|rule| rule.role == name).map(|_| ("Custom DocPerm", random::hex(10))).next();
            let user = state.users.iter().find(|row| row.it.roles.iter().any(|role| role == name));
            rule.or_else(|| user.map(|row| ("User", row.it.name.clone())))
        }
        _ => None,
    }
}

/// Removes a document.
pub fn delete(state: &mut State, caller: &Caller, doctype: &str, name: &str) -> Result<(), Fault> {
    check(state, caller, doctype, "delete")?;
    let name = name_of(&found(state, doctype, name)?.document());
    if let Some((linking, link)) = link_to(state, doctype, &name) {
        return Err(Fault::linked(doctype, &name, linking, &link));
    }
    match doctype {
        "User" => {
            state.users.retain(|row| row.it.name != name);
            state.sessions.retain(|session| session.user != name);
        }
        "OAuth Client" => state.clients.retain(|row| row.it.name != name),
        "OAuth Bearer Token" => state.bearers.retain(|row| row.it.access_token != name),
        _ => {
            let rows = state.documents.entry(doctype.to_owned()).or_default();
            rows.retain(|row| row.it.get("name") != Some(&name.clone().into()));
        }
    }
    Ok(())
}
