//! Makes what the gateway needs in ERPNext, and takes it away again: role, account, permissions, API key and OAuth
//! client. It works through REST with an Administrator's API key, one step a method, so that whoever calls can say what
//! was done. Each step looks first: what is there as it should be is kept.

mod account;
mod client;
mod permissions;
mod proof;
mod role;
mod said;
mod undo;

use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    DirectoryError, ErpnextSettings, InvalidSettings,
    agent::{Agent, As, Call, Payload},
    answer::{Answer, Data, Message},
};
use crate::{oauth::UserName, secret::Secret};

/// What the role is called.
const ROLE: &str = "Auth Gateway";
/// The first name of the account: it has no other.
const FIRST_NAME: &str = "Empress Gateway";
const PERMISSION_MANAGER: &str = "frappe.core.page.permission_manager.permission_manager";
/// Rows of one list call.
const PAGE: &str = "500";

/// Whether anything is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// It is.
    Done,
    /// Nothing is: a step tells what it would do.
    Spared,
}

/// What a step did, or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was not there.
    Made,
    /// It was there, and not as it should be.
    Changed,
    /// It is as it should be.
    Kept,
    /// It was there, and is not any more.
    Removed,
    /// It was not there to be removed.
    Absent,
}

impl Outcome {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Changed => "changed",
            Self::Kept => "kept",
            Self::Removed => "removed",
            Self::Absent => "absent",
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it was about.
    pub subject: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What an operator may want to know besides.
    pub detail: Option<String>,
}

impl Step {
    /// A step of which there is no more to be said.
    #[must_use]
    pub fn new(subject: impl Into<String>, outcome: Outcome) -> Self {
        Self { subject: subject.into(), outcome, detail: None }
    }

    /// The step with a detail.
    #[must_use]
    pub fn with(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

/// Why a step failed. What was done before it stays done.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// ERPNext can't be asked.
    #[error("{0}: check [erpnext].url, and that ERPNext runs there")]
    Unreachable(String),
    /// ERPNext refused a call.
    #[error("{call} was refused with {status}: {said}. {advice}")]
    Refused {
        /// Method and path.
        call: String,
        /// The status.
        status: u16,
        /// ERPNext's own message.
        said: String,
        /// What to do.
        advice: &'static str,
    },
    /// Something is there that is not the gateway's, or not as it can be.
    #[error("{0}")]
    Unfit(String),
}

/// Sets ERPNext up, as the owner of an API key.
pub struct Setup {
    agent: Agent,
    settings: ErpnextSettings,
    writes: Writes,
}

impl Setup {
    /// With the API key of an Administrator in `settings`. Makes no call yet. The process must have installed a TLS
    /// provider for rustls.
    ///
    /// # Errors
    /// [`InvalidSettings`] says which setting can't work.
    pub fn new(settings: ErpnextSettings, writes: Writes) -> Result<Self, InvalidSettings> {
        Ok(Self { agent: agent(&settings)?, settings, writes })
    }

    /// Whose API key this is.
    ///
    /// # Errors
    /// [`SetupError`], also when ERPNext does not know the key.
    pub async fn administrator(&self) -> Result<UserName, SetupError> {
        let answer = self.send(logged_user()).await?;
        let name: String = message(&answer)?;
        Ok(UserName::new(name))
    }

    /// Whose key this is, if ERPNext knows it.
    ///
    /// # Errors
    /// [`SetupError`]
    pub async fn owner_of(&self, key: &Secret) -> Result<Option<UserName>, SetupError> {
        let settings = ErpnextSettings { api_key: key.clone(), ..self.settings.clone() };
        let Ok(agent) = agent(&settings) else { return Ok(None) };
        let answer = agent.send(logged_user()).await.map_err(unreachable)?;
        match answer.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(None),
            _ => {
                let answer = accepted("GET /api/method/frappe.auth.get_logged_user".to_owned(), answer)?;
                message::<String>(&answer).map(|name| Some(UserName::new(name)))
            }
        }
    }

    const fn is_dry(&self) -> bool {
        matches!(self.writes, Writes::Spared)
    }

    /// A call that must succeed.
    async fn send(&self, call: Call<'_>) -> Result<Answer, SetupError> {
        let name = format!("{} /{}", call.method, call.path.join("/"));
        accepted(name, self.agent.send(call).await.map_err(unreachable)?)
    }

    /// A document; `None` when there is none of that name.
    async fn document(&self, doctype: &'static str, name: &str) -> Result<Option<Value>, SetupError> {
        let path = ["api", "resource", doctype, name];
        let answer = self.agent.send(Call::get("setup: read", &path, As::Account)).await.map_err(unreachable)?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let answer = accepted(format!("GET /api/resource/{doctype}/{name}"), answer)?;
        data(&answer).map(Some)
    }

    /// The rows of a doctype, with `parent` where it is one of child rows.
    async fn list(&self, doctype: &'static str, query: &[(&str, &str)]) -> Result<Vec<Value>, SetupError> {
        let path = ["api", "resource", doctype];
        let payload = Payload::None;
        let call = Call { what: "setup: list", method: Method::GET, path: &path, query, payload, by: As::Account };
        let answer = self.send(call).await?;
        data(&answer)
    }

    async fn create(&self, doctype: &'static str, document: Value) -> Result<Value, SetupError> {
        let answer = self.send(Call::post("setup: make", &["api", "resource", doctype], document)).await?;
        data(&answer)
    }

    async fn change(&self, doctype: &'static str, name: &str, fields: Value) -> Result<(), SetupError> {
        let path = ["api", "resource", doctype, name];
        let payload = Payload::Json(fields);
        let call =
            Call { what: "setup: change", method: Method::PUT, path: &path, query: &[], payload, by: As::Account };
        self.send(call).await.map(|_| ())
    }

    /// Deletes a document; by a body, since the name of one may be a token.
    async fn delete(&self, doctype: &'static str, name: &str) -> Result<(), SetupError> {
        self.method("frappe.client.delete", json!({ "doctype": doctype, "name": name })).await.map(|_| ())
    }

    async fn method(&self, method: &str, parameters: Value) -> Result<Answer, SetupError> {
        self.send(Call::post("setup: call", &["api", "method", method], parameters)).await
    }
}

/// What `/api/resource` answers with.
fn data<T: DeserializeOwned>(answer: &Answer) -> Result<T, SetupError> {
    answer.read::<Data<T>>().map(|read| read.data).map_err(unreachable)
}

/// What a method answers with.
fn message<T: DeserializeOwned>(answer: &Answer) -> Result<T, SetupError> {
    answer.read::<Message<T>>().map(|read| read.message).map_err(unreachable)
}

fn agent(settings: &ErpnextSettings) -> Result<Agent, InvalidSettings> {
    Agent::new(settings, std::sync::Arc::new(|_, _| ()))
}

const fn logged_user() -> Call<'static> {
    Call::get("setup: whose key", &["api", "method", "frappe.auth.get_logged_user"], As::Account)
}

fn accepted(call: String, answer: Answer) -> Result<Answer, SetupError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let said = said::said(answer.body()).unwrap_or_else(|| "no message".to_owned());
    let advice = match status.as_u16() {
        401 => "The key is not known to ERPNext: put key:secret of its Administrator into --admin-key-file",
        403 => "The key's owner may not do this: use a key of Administrator",
        404 if call.contains("/api/method/") => "Check [erpnext].site_name: this is no Frappe 15 site, or not this one",
        404 | 409 | 417 => "Put right in ERPNext what it says, and run this again",
        429 => "ERPNext limits its callers: wait, and run this again",
        500.. => "ERPNext's own log tells more; run this again when it is well",
        _ => "Check [erpnext].url and site_name: an ERPNext site does not answer so",
    };
    Err(SetupError::Refused { call, status: status.as_u16(), said, advice })
}

#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
fn unreachable(error: DirectoryError) -> SetupError {
    SetupError::Unreachable(error.to_string())
}

/// The text of a field.
fn text<'a>(document: &'a Value, field: &str) -> &'a str {
    document.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a field that is 0 or 1 is 1.
fn is_set(document: &Value, field: &str) -> bool {
    document.get(field).is_some_and(|value| value.as_i64() == Some(1) || value.as_str() == Some("1"))
}

/// The roles of a child table.
fn roles<'a>(document: &'a Value, table: &str) -> Vec<&'a str> {
    let rows = document.get(table).and_then(Value::as_array);
    rows.into_iter().flatten().map(|row| text(row, "role")).collect()
}
