//! What ERPNext says of one native token now. The token goes into a header or a body, never into a URL.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::row::hash_of;
use crate::{
    erpnext::{
        DirectoryError, adapter::Adapter, agent::Call, answer::Message, hex::hex, shadow, upstream_user::bearer,
    },
    oauth::{TokenHash, UserName},
    secret::Secret,
};

const DOCTYPE: &str = "OAuth Bearer Token";

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

pub(super) async fn has_refresh(adapter: Arc<Adapter>, refresh: &str) -> Result<bool, DirectoryError> {
    let rows = rows_with(&adapter, "refresh_token", refresh).await?;
    Ok(rows.iter().any(|row| row.status.as_deref() == Some("Active")))
}

pub(super) async fn forget(adapter: Arc<Adapter>, token: String) {
    for field in ["access_token", "refresh_token"] {
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

/// The rows that hold exactly this token: MariaDB compares without regard to letter case.
async fn rows_with(adapter: &Adapter, field: &str, token: &str) -> Result<Vec<Found>, DirectoryError> {
    let spellings = [token.to_owned(), hex(Sha256::digest(token))];
    let payload = json!({
        "doctype": DOCTYPE,
        "filters": { field: ["in", spellings] },
        "fields": ["name", "access_token", "refresh_token", "status"],
    });
    let call = Call::post("find native token", &["api", "method", "frappe.client.get_list"], payload);
    let answer = adapter.agent.send(call).await?.for_account("read on OAuth Bearer Token")?;
    let rows = answer.map(|answer| answer.read::<Message<Vec<Found>>>()).transpose()?;
    let hash = TokenHash::of(token);
    let holds = |row: &Found| {
        let kept = if field == "access_token" { &row.access_token } else { &row.refresh_token };
        kept.as_ref().and_then(hash_of) == Some(hash)
    };
    Ok(rows.map(|rows| rows.message).unwrap_or_default().into_iter().filter(holds).collect())
}
