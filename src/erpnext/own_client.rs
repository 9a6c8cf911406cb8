//! The OAuth client under which the gateway's own tokens stand in ERPNext. Tokens of that client are refused from
//! outside (decision 1).

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    DirectoryError,
    agent::{Agent, As, Call, Payload},
    answer::Data,
};
use crate::oauth::{ClientId, Scope, Scopes};

/// What the client is called in ERPNext.
pub(super) const APP_NAME: &str = "Empress Gateway";
/// What every shadow token has, and so what the client must have.
pub(super) const SHADOW_SCOPES: &str = "all openid";

/// The client, found once.
#[derive(Default)]
pub(super) struct OwnClient(ArcSwapOption<ClientId>);

#[derive(Deserialize)]
struct ClientRow {
    name: ClientId,
    scopes: Option<String>,
}

impl OwnClient {
    /// The client's id, if it has been looked up.
    pub(super) fn known(&self) -> Option<ClientId> {
        self.0.load().as_deref().cloned()
    }

    /// Looks it up again when it is asked for next.
    pub(super) fn forget(&self) {
        self.0.store(None);
    }

    /// The client's id.
    pub(super) async fn id(&self, agent: &Agent) -> Result<ClientId, DirectoryError> {
        match self.known() {
            Some(id) => Ok(id),
            None => self.look_up(agent).await,
        }
    }

    /// Asks for it, known or not.
    pub(super) async fn look_up(&self, agent: &Agent) -> Result<ClientId, DirectoryError> {
        let filters = json!([["app_name", "=", APP_NAME]]).to_string();
        let query = [
            ("fields", r#"["name","scopes"]"#),
            ("filters", filters.as_str()),
            ("order_by", "creation asc"),
            ("limit_page_length", "1"),
        ];
        let path = ["api", "resource", "OAuth Client"];
        let payload = Payload::None;
        let call =
            Call { what: "own client", method: Method::GET, path: &path, query: &query, payload, by: As::Account };
        let answer = agent.send(call).await?.for_account("read on OAuth Client")?;
        let rows = answer.map(|answer| answer.read::<Data<Vec<ClientRow>>>()).transpose()?.map(|rows| rows.data);
        let row = rows.into_iter().flatten().next().filter(has_shadow_scopes).ok_or_else(missing)?;
        self.0.store(Some(Arc::new(row.name.clone())));
        Ok(row.name)
    }
}

fn has_shadow_scopes(row: &ClientRow) -> bool {
    let scopes = row.scopes.as_deref().and_then(|scopes| Scopes::parse(scopes).ok()).unwrap_or_default();
    scopes.contains(Scope::ALL) && scopes.contains(Scope::OPENID)
}

fn missing() -> DirectoryError {
    DirectoryError::Refused(format!(
        "own client: create an OAuth Client named {APP_NAME} with scopes `{SHADOW_SCOPES}` in ERPNext"
    ))
}
