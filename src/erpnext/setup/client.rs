//! The OAuth client under which shadow tokens stand. Nobody can get a token for it from ERPNext: its redirect URI leads
//! nowhere, and only the account's role may use it.

use serde_json::{Value, json};

use super::{Outcome, ROLE, Setup, SetupError, Step, is_set, roles, text};
use crate::{
    erpnext::own_client::{APP_NAME, SHADOW_SCOPES},
    oauth::Scopes,
};

pub(super) const DOCTYPE: &str = "OAuth Client";
/// No name ends so (RFC 6761 §6.4).
const UNUSABLE: &str = "https://empress-gateway.invalid/unused";

impl Setup {
    /// Makes the client, or gives it its harmless shape.
    ///
    /// # Errors
    /// [`SetupError`]
    pub async fn client(&self) -> Result<Step, SetupError> {
        let step = |outcome| Step::new(format!("OAuth Client {APP_NAME}"), outcome);
        let Some(id) = self.client_ids().await?.into_iter().next() else {
            if !self.is_dry() {
                self.create(DOCTYPE, shape()).await?;
            }
            return Ok(step(Outcome::Made));
        };
        let client = self.document(DOCTYPE, &id).await?.unwrap_or(Value::Null);
        if is_in_shape(&client) {
            return Ok(step(Outcome::Kept).with(id));
        }
        if !self.is_dry() {
            self.change(DOCTYPE, &id, shape()).await?;
        }
        Ok(step(Outcome::Changed).with(format!("{id}: scopes, redirect URI and roles as the gateway needs them")))
    }

    /// The clients of that name, the gateway's own first.
    pub(super) async fn client_ids(&self) -> Result<Vec<String>, SetupError> {
        let filters = json!([["app_name", "=", APP_NAME]]).to_string();
        let query = [
            ("fields", r#"["name"]"#),
            ("filters", filters.as_str()),
            ("order_by", "creation asc"),
            ("limit_page_length", super::PAGE),
        ];
        let rows = self.list(DOCTYPE, &query).await?;
        Ok(rows.iter().map(|row| text(row, "name").to_owned()).collect())
    }

    /// The clients that are in the shape that setup gives them, and those that only have the name.
    pub(super) async fn clients_by_shape(&self) -> Result<(Vec<String>, Vec<String>), SetupError> {
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        for id in self.client_ids().await? {
            let client = self.document(DOCTYPE, &id).await?.unwrap_or(Value::Null);
            if is_in_shape(&client) { ours.push(id) } else { others.push(id) }
        }
        Ok((ours, others))
    }
}

fn shape() -> Value {
    json!({
        "app_name": APP_NAME,
        "scopes": SHADOW_SCOPES,
        "redirect_uris": UNUSABLE,
        "default_redirect_uri": UNUSABLE,
        "grant_type": "Authorization Code",
        "response_type": "Code",
        "skip_authorization": 0,
        "allowed_roles": [{ "role": ROLE }],
    })
}

fn is_in_shape(client: &Value) -> bool {
    let scopes = |text: &str| Scopes::parse(text).unwrap_or_default();
    let wanted = shape();
    let same = |field: &str| text(client, field).trim() == text(&wanted, field);
    scopes(SHADOW_SCOPES).is_subset_of(&scopes(text(client, "scopes")))
        && ["redirect_uris", "default_redirect_uri", "grant_type", "response_type"].into_iter().all(same)
        && !is_set(client, "skip_authorization")
        && roles(client, "allowed_roles") == [ROLE]
}
