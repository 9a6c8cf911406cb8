//! The site's records as documents: fields in Frappe's order, with child tables.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::json::Json;
use super::permissions::{RIGHTS, Rule};
use super::records::{Bearer, Client, User};
use super::state::{Stamped, Stamps, State};

/// A document.
#[derive(Clone, Debug)]
pub struct Row {
    /// In Frappe's order; those without a value are null.
    pub fields: Vec<(String, Value)>,
    /// Child tables.
    pub tables: Vec<Table>,
    doctype: String,
}

/// A child table: field of the parent, doctype, rows.
type Table = (&'static str, &'static str, Vec<Map<String, Value>>);

impl Row {
    /// The value of a field; null where there is none.
    pub fn value(&self, field: &str) -> Value {
        let mut fields = self.fields.iter();
        fields.find(|(key, _)| key == field).map_or(Value::Null, |(_, value)| value.clone())
    }

    /// Values that a filter on this field looks at: the field's, or those of child rows.
    pub fn candidates(&self, field: &str) -> Vec<Value> {
        if self.fields.iter().any(|(key, _)| key == field) {
            return vec![self.value(field)];
        }
        let name = field.rsplit('.').next().unwrap_or(field);
        let rows = self.tables.iter().flat_map(|(_, _, rows)| rows);
        let found: Vec<Value> = rows.filter_map(|row| row.get(name).cloned()).collect();
        if found.is_empty() { vec![Value::Null] } else { found }
    }

    /// The whole document: fields with a value, the doctype, the child tables.
    pub fn document(&self) -> Json {
        let fields = self.fields.iter().filter(|(_, value)| !value.is_null());
        let mut pairs: Vec<(String, Json)> = fields.map(|(key, value)| (key.clone(), value.clone().into())).collect();
        pairs.push(("doctype".to_owned(), self.doctype.as_str().into()));
        for (table, doctype, rows) in &self.tables {
            let rows = rows.iter().enumerate().map(|(index, row)| {
                let mut pairs = vec![("idx".to_owned(), Json::from(index + 1))];
                pairs.extend(row.iter().map(|(key, value)| (key.clone(), value.clone().into())));
                pairs.push(("parent".to_owned(), self.value("name").into()));
                pairs.push(("parentfield".to_owned(), (*table).into()));
                pairs.push(("parenttype".to_owned(), self.doctype.as_str().into()));
                pairs.push(("doctype".to_owned(), (*doctype).into()));
                Json::Map(pairs)
            });
            pairs.push(((*table).to_owned(), Json::List(rows.collect())));
        }
        Json::Map(pairs)
    }

    /// The chosen fields; one object for each row of a joined child table.
    pub fn select(&self, fields: &[String]) -> Vec<Json> {
        let joined = fields.iter().find_map(|field| {
            let (table, _) = field.split_once('.')?;
            self.tables.iter().find(|(name, _, _)| *name == table)
        });
        let empty = vec![Map::new()];
        let rows = joined.map_or(&empty, |(_, _, rows)| rows);
        let rows = if rows.is_empty() { &empty } else { rows };
        rows.iter().map(|child| self.one(fields, child)).collect()
    }

    fn one(&self, fields: &[String], child: &Map<String, Value>) -> Json {
        let mut pairs = Vec::new();
        for field in fields {
            if field == "*" {
                let all = self.fields.iter();
                pairs.extend(all.map(|(key, value)| (key.clone(), value.clone().into())));
            } else if let Some((_, name)) = field.split_once('.') {
                let value = child.get(name).cloned().unwrap_or(Value::Null);
                pairs.push((name.to_owned(), value.into()));
            } else {
                pairs.push((field.clone(), self.value(field).into()));
            }
        }
        Json::Map(pairs)
    }
}

/// All documents of a doctype; `None` where the site has no such doctype.
pub fn rows(state: &State, doctype: &str) -> Option<Vec<Row>> {
    Some(match doctype {
        "User" => state.users.iter().map(|row| user(state, row)).collect(),
        "OAuth Client" => state.clients.iter().map(client).collect(),
        "OAuth Bearer Token" => state.bearers.iter().map(bearer).collect(),
        "User Social Login" => state.users.iter().filter_map(social_login).collect(),
        "Has Role" => state.users.iter().flat_map(has_roles).collect(),
        "System Settings" => vec![settings(state)],
        "OAuth Provider Settings" => {
            let fields = vec![pair("name", doctype), pair("skip_authorization", "Force")];
            vec![Row { fields, tables: Vec::new(), doctype: doctype.to_owned() }]
        }
        "Custom DocPerm" => rules(doctype, &state.permissions.custom),
        "DocPerm" => rules(doctype, &state.permissions.shipped),
        _ => state.documents.get(doctype)?.iter().map(|row| document(doctype, row)).collect(),
    })
}

fn pair(key: &str, value: impl Into<Value>) -> (String, Value) {
    (key.to_owned(), value.into())
}

fn head(name: &str, stamps: &Stamps) -> Vec<(String, Value)> {
    vec![
        pair("name", name),
        pair("owner", stamps.owner.as_str()),
        pair("creation", stamps.creation.as_str()),
        pair("modified", stamps.modified.as_str()),
        pair("modified_by", stamps.modified_by.as_str()),
        pair("docstatus", 0),
        pair("idx", 0),
    ]
}

fn child(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

fn user(state: &State, row: &Stamped<User>) -> Row {
    let user = &row.it;
    let optional = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    let mut fields = head(&user.name, &row.stamps);
    fields.extend([
        pair("enabled", u8::from(user.enabled)),
        pair("email", user.email.as_str()),
        pair("first_name", user.first_name.as_str()),
        pair("last_name", optional(&user.last_name)),
        pair("full_name", user.full_name()),
        pair("username", user.first_name.to_lowercase()),
        pair("user_image", user.image.clone()),
        pair("language", "en"),
        pair("time_zone", state.time_zone.as_str()),
        pair("gender", optional(&user.details.gender)),
        pair("birth_date", optional(&user.details.birth_date)),
        pair("mobile_no", optional(&user.details.mobile_no)),
        pair("phone", Value::Null),
        pair("location", optional(&user.details.location)),
        pair("user_type", user.user_type.as_str()),
        pair("api_key", state.api_keys.get(&user.name).map(|(key, _)| key.clone())),
        pair("simultaneous_sessions", 2),
        pair("last_login", Value::Null),
    ]);
    let roles = user.roles.iter().map(|role| child(json!({"role": role}))).collect();
    let logins = user.sub.iter().map(|sub| child(json!({"provider": "frappe", "userid": sub})));
    Row {
        fields,
        tables: vec![("roles", "Has Role", roles), ("social_logins", "User Social Login", logins.collect())],
        doctype: "User".to_owned(),
    }
}

fn social_login(row: &Stamped<User>) -> Option<Row> {
    let sub = row.it.sub.as_deref()?;
    let mut fields = head(&format!("{}-frappe", row.it.name), &row.stamps);
    fields.extend([
        pair("parent", row.it.name.as_str()),
        pair("parentfield", "social_logins"),
        pair("parenttype", "User"),
        pair("provider", "frappe"),
        pair("userid", sub),
    ]);
    Some(Row { fields, tables: Vec::new(), doctype: "User Social Login".to_owned() })
}

fn has_roles(row: &Stamped<User>) -> Vec<Row> {
    let make = |role: &String| {
        let mut fields = head(&format!("{}-{role}", row.it.name), &row.stamps);
        fields.extend([
            pair("parent", row.it.name.as_str()),
            pair("parentfield", "roles"),
            pair("parenttype", "User"),
            pair("role", role.as_str()),
        ]);
        Row { fields, tables: Vec::new(), doctype: "Has Role".to_owned() }
    };
    row.it.roles.iter().map(make).collect()
}

fn client(row: &Stamped<Client>) -> Row {
    let client = &row.it;
    let mut fields = head(&client.name, &row.stamps);
    fields.extend([
        pair("client_id", client.name.as_str()),
        pair("app_name", client.app_name.as_str()),
        pair("user", Value::Null),
        pair("client_secret", client.client_secret.as_str()),
        pair("skip_authorization", u8::from(client.skip_authorization)),
        pair("scopes", client.scopes.as_str()),
        pair("redirect_uris", client.redirect_uris.as_str()),
        pair("default_redirect_uri", client.default_redirect_uri.as_str()),
        pair("grant_type", client.grant_type.as_str()),
        pair("response_type", client.response_type.as_str()),
    ]);
    let roles = client.allowed_roles.iter().map(|role| child(json!({"role": role}))).collect();
    Row { fields, tables: vec![("allowed_roles", "OAuth Client Role", roles)], doctype: "OAuth Client".to_owned() }
}

fn bearer(row: &Stamped<Bearer>) -> Row {
    let bearer = &row.it;
    let mut fields = head(&bearer.access_token, &row.stamps);
    fields.extend([
        pair("client", bearer.client.clone()),
        pair("user", bearer.user.as_str()),
        pair("scopes", bearer.scopes.clone()),
        pair("access_token", bearer.access_token.as_str()),
        pair("refresh_token", bearer.refresh_token.clone()),
        pair("expiration_time", bearer.expiration_time.clone()),
        pair("expires_in", bearer.expires_in),
        pair("status", bearer.status.as_str()),
    ]);
    Row { fields, tables: Vec::new(), doctype: "OAuth Bearer Token".to_owned() }
}

fn settings(state: &State) -> Row {
    let fields = vec![
        pair("name", "System Settings"),
        pair("owner", "Administrator"),
        pair("docstatus", 0),
        pair("app_name", "Frappe"),
        pair("country", "India"),
        pair("language", "en"),
        pair("time_zone", state.time_zone.as_str()),
        pair("setup_complete", 1),
        pair("session_expiry", "170:00"),
    ];
    Row { fields, tables: Vec::new(), doctype: "System Settings".to_owned() }
}

/// Permission rules: each is a row of its doctype, with a column for each right.
fn rules(doctype: &str, rules: &BTreeMap<String, Vec<Rule>>) -> Vec<Row> {
    let row = |(index, (parent, rule)): (usize, (&String, &Rule))| {
        let mut fields = vec![
            pair("name", format!("{parent}-{}-{index}", rule.role)),
            pair("docstatus", 0),
            pair("idx", index),
            pair("parent", parent.as_str()),
            pair("role", rule.role.as_str()),
            pair("if_owner", 0),
            pair("permlevel", rule.level),
        ];
        fields.extend(RIGHTS.map(|right| pair(right, u8::from(rule.rights.contains(right)))));
        Row { fields, tables: Vec::new(), doctype: doctype.to_owned() }
    };
    let all = rules.iter().flat_map(|(parent, rules)| rules.iter().map(move |rule| (parent, rule)));
    all.enumerate().map(row).collect()
}

fn document(doctype: &str, row: &Stamped<Map<String, Value>>) -> Row {
    let name = row.it.get("name").and_then(Value::as_str).unwrap_or_default();
    let mut fields = head(name, &row.stamps);
    let rest = row.it.iter().filter(|(key, _)| *key != "name");
    fields.extend(rest.map(|(key, value)| (key.clone(), value.clone())));
    Row { fields, tables: Vec::new(), doctype: doctype.to_owned() }
}
