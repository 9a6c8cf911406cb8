//! The account: a user without Desk and password, with the role alone, and its API key.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{FIRST_NAME, Outcome, ROLE, Setup, SetupError, Step, is_set, message, roles, text};
use crate::{oauth::UserName, secret::Secret};

const DOCTYPE: &str = "User";

#[derive(Deserialize)]
struct NewKey {
    api_secret: Secret,
}

impl Setup {
    /// Makes the account, or enables it.
    ///
    /// # Errors
    /// [`SetupError`], also when the user of that name is somebody else.
    pub async fn account(&self, name: &UserName) -> Result<Step, SetupError> {
        let step = |outcome| Step::new(format!("account {name}"), outcome);
        let Some(user) = self.document(DOCTYPE, name.as_str()).await? else {
            if !self.is_dry() {
                let user = json!({
                    "email": name,
                    "first_name": FIRST_NAME,
                    "enabled": 1,
                    "send_welcome_email": 0,
                    "user_type": "Website User",
                    "roles": [{ "role": ROLE }],
                });
                self.create(DOCTYPE, user).await?;
            }
            return Ok(step(Outcome::Made));
        };
        let lost_its_role = roles(&user, "roles").is_empty() && text(&user, "first_name") == FIRST_NAME;
        if !is_ours(&user) && !lost_its_role {
            return Err(SetupError::Unfit(format!(
                "the user {name} is there, and is not the gateway's: that one has the role {ROLE} and no other. Choose \
                 another name with --user"
            )));
        }
        if is_set(&user, "enabled") && !lost_its_role {
            return Ok(step(Outcome::Kept));
        }
        if !self.is_dry() {
            self.change(DOCTYPE, name.as_str(), json!({ "enabled": 1, "roles": [{ "role": ROLE }] })).await?;
        }
        Ok(step(Outcome::Changed).with("enabled, with its role"))
    }

    /// Gives the account a new API key. An older one is void from then on.
    ///
    /// # Errors
    /// [`SetupError`]
    pub async fn make_key(&self, name: &UserName) -> Result<Secret, SetupError> {
        let answer = self.method("frappe.core.doctype.user.user.generate_keys", json!({ "user": name })).await?;
        let secret = message::<NewKey>(&answer)?.api_secret;
        let user = self.document(DOCTYPE, name.as_str()).await?.unwrap_or(Value::Null);
        let key = text(&user, "api_key");
        if key.is_empty() || secret.expose().is_empty() {
            return Err(SetupError::Unfit(format!("ERPNext has made no API key for {name}: run this again")));
        }
        Ok(Secret::new(format!("{key}:{}", secret.expose())))
    }

    /// Whether a user is the gateway's account, by its roles.
    ///
    /// # Errors
    /// [`SetupError`]
    pub async fn is_account(&self, name: &UserName) -> Result<bool, SetupError> {
        Ok(self.document(DOCTYPE, name.as_str()).await?.is_some_and(|user| is_ours(&user)))
    }
}

/// Whether it has the role, and no other.
pub(super) fn is_ours(user: &Value) -> bool {
    roles(user, "roles") == [ROLE]
}
