//! What ERPNext says of one native token now. The token goes into a header or a body, never into a URL.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::row::{FIELDS, Row, hash_of};
use crate::{
    erpnext::{
        DirectoryError,
        adapter::Adapter,
        agent::{Agent, Call},
        answer::Message,
        hex::hex,
        list::PAGE,
        shadow,
        upstream_user::bearer,
    },
    oauth::{TokenHash, UserName},
    secret::Secret,
};

pub(super) const DOCTYPE: &str = "OAuth Bearer Token";
pub(super) const NEEDS_READ: &str = "read on OAuth Bearer Token";
/// Of all lists of rows.
pub(super) const ORDER: &str = "modified asc, name asc";
const ACCESS: &str = "access_token";
const REFRESH: &str = "refresh_token";
/// A refresh token is looked for in this field,
pub(super) const REFRESH_ALONE: &[&str] = &[REFRESH];
/// and what may be either in these.
pub(super) const ANY: &[&str] = &[ACCESS, REFRESH];

#[derive(Deserialize)]
struct Found {
    name: Secret,
    access_token: Option<Secret>,
    refresh_token: Option<Secret>,
    status: Option<String>,
}

pub(super) async fn accepts(adapter: Arc<Adapter>, access: &str, user: &UserName) -> Result<bool, DirectoryError> {
    let Some(credential) = bearer(&Secret::new(access)) else { return Ok(false) };
    shadow::is_alive(&adapter.agent, user, &credential).await
}

/// Whether an active row has this token in one of these fields.
pub(super) async fn has(adapter: &Adapter, token: &str, fields: &[&str]) -> Result<bool, DirectoryError> {
    for field in fields {
        let rows = rows_with(adapter, field, token).await?;
        if rows.iter().any(|row| row.status.as_deref() == Some("Active")) {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) async fn forget(adapter: Arc<Adapter>, token: String) {
    for field in ANY {
        let rows = rows_with(&adapter, field, &token).await;
        let names = rows.map(|rows| rows.into_iter().map(|row| row.name).collect::<Vec<_>>());
        let deleted = match names {
            Ok(names) => delete_all(&adapter, names).await,
            Err(error) => Err(error),
        };
        if let Err(error) = deleted {
            return tracing::warn!(%error, "a revoked token of ERPNext's could not be deleted there yet");
        }
    }
}

async fn delete_all(adapter: &Adapter, names: Vec<Secret>) -> Result<(), DirectoryError> {
    for name in names {
        shadow::delete_row(&adapter.agent, name.expose()).await?;
    }
    Ok(())
}

/// A page of the rows that these filters let through, which name a token.
pub(super) async fn rows_behind(agent: &Agent, filters: Vec<Value>) -> Result<Vec<Row>, DirectoryError> {
    let payload = json!({
        "doctype": DOCTYPE,
        "filters": filters,
        "fields": FIELDS,
        "order_by": ORDER,
        "limit_page_length": PAGE,
    });
    let call = Call::post("native tokens", &["api", "method", "frappe.client.get_list"], payload);
    let answer = agent.send(call).await?.for_account(NEEDS_READ)?;
    let missing = || DirectoryError::Unavailable("native tokens: no such list at [erpnext].url".to_owned());
    Ok(answer.ok_or_else(missing)?.read::<Message<Vec<Row>>>()?.message)
}

/// The rows that hold exactly this token: MariaDB compares without regard to letter case.
async fn rows_with(adapter: &Adapter, field: &str, token: &str) -> Result<Vec<Found>, DirectoryError> {
    let spellings = [token.to_owned(), hex(Sha256::digest(token))];
    let payload = json!({
        "doctype": DOCTYPE,
        "filters": { field: ["in", spellings] },
        "fields": ["name", "access_token", "refresh_token", "status"],
    });
    let call = Call::post("find native token", &["api", "method", "frappe.client.get_list"], payload);
    let answer = adapter.agent.send(call).await?.for_account(NEEDS_READ)?;
    let rows = answer.map(|answer| answer.read::<Message<Vec<Found>>>()).transpose()?;
    let hash = TokenHash::of(token);
    let holds = |row: &Found| {
        let kept = if field == ACCESS { &row.access_token } else { &row.refresh_token };
        kept.as_ref().and_then(hash_of) == Some(hash)
    };
    Ok(rows.map(|rows| rows.message).unwrap_or_default().into_iter().filter(holds).collect())
}
