//! Takes away what setup made, and nothing else. What could be somebody else's is found before anything is removed.

use serde_json::{Value, json};

use super::{FIRST_NAME, Outcome, ROLE, Setup, SetupError, Step, account, client, message, text};
use crate::{erpnext::own_client::APP_NAME, oauth::UserName};

const TOKENS: &str = "OAuth Bearer Token";

impl Setup {
    /// Whether all that would be removed is the gateway's.
    ///
    /// # Errors
    /// [`SetupError`] names what is not, and what to do about it.
    pub async fn check_undo(&self, name: &UserName) -> Result<(), SetupError> {
        if let Some(user) = self.document("User", name.as_str()).await?
            && !account::is_ours(&user)
        {
            return Err(SetupError::Unfit(format!(
                "the user {name} has other roles than {ROLE}, so setup has not made it: nothing was removed. Name the \
                 gateway's account with --user"
            )));
        }
        if let Some(other) = self.clients_by_shape().await?.1.first() {
            return Err(SetupError::Unfit(format!(
                "the OAuth Client {other} is called {APP_NAME}, but has not the shape that setup gives it: nothing was \
                 removed. Delete or rename it in Desk, or run setup-erpnext to take it over"
            )));
        }
        let mut others = self.accounts().await?;
        others.retain(|other| other != name);
        if others.is_empty() {
            return Ok(());
        }
        Err(SetupError::Unfit(format!(
            "the role {ROLE} is given to other users, too ({}): nothing was removed. Take it from them first, or name \
             the gateway's account with --user",
            others.iter().map(UserName::as_str).collect::<Vec<_>>().join(", ")
        )))
    }

    /// The users that have the role.
    ///
    /// # Errors
    /// [`SetupError`]
    pub async fn accounts(&self) -> Result<Vec<UserName>, SetupError> {
        let filters = json!([["role", "=", ROLE], ["parenttype", "=", "User"]]).to_string();
        let query = [
            ("fields", r#"["parent"]"#),
            ("parent", "User"),
            ("filters", filters.as_str()),
            ("limit_page_length", super::PAGE),
        ];
        let rows = self.list("Has Role", &query).await?;
        Ok(rows.iter().map(|row| UserName::new(text(row, "parent"))).collect())
    }

    /// Removes all tokens of the client, then the client.
    ///
    /// # Errors
    /// [`SetupError`]
    pub async fn remove_client(&self) -> Result<Vec<Step>, SetupError> {
        let (ours, _) = self.clients_by_shape().await?;
        let mut tokens = 0;
        for id in &ours {
            tokens += self.remove_tokens(id).await?;
            if !self.is_dry() {
                self.delete(client::DOCTYPE, id).await?;
            }
        }
        let outcome = |there: bool| if there { Outcome::Removed } else { Outcome::Absent };
        Ok(vec![
            Step::new("shadow tokens", outcome(tokens > 0)).with(tokens.to_string()),
            Step::new(format!("OAuth Client {APP_NAME}"), outcome(!ours.is_empty())),
        ])
    }

    /// How many there were.
    async fn remove_tokens(&self, client: &str) -> Result<usize, SetupError> {
        if self.is_dry() {
            let query = json!({ "doctype": TOKENS, "filters": { "client": client } });
            return message(&self.method("frappe.client.get_count", query).await?);
        }
        let mut count = 0;
        loop {
            // By a method with a body: the names are tokens, up to version 15.
            let query = json!({
                "doctype": TOKENS,
                "filters": { "client": client },
                "fields": ["name"],
                "limit_page_length": 500,
            });
            let answer = self.method("frappe.client.get_list", query).await?;
            let rows: Vec<Value> = message(&answer)?;
            count += rows.len();
            if rows.is_empty() {
                return Ok(count);
            }
            for row in &rows {
                self.delete(TOKENS, text(row, "name")).await?;
            }
        }
    }

    /// Removes the account; its API key is void from then on.
    ///
    /// # Errors
    /// [`SetupError`]
    pub async fn remove_account(&self, name: &UserName) -> Result<Step, SetupError> {
        let step = |outcome| Step::new(format!("account {name}"), outcome);
        if !self.is_account(name).await? {
            return Ok(step(Outcome::Absent));
        }
        let contacts = self.contacts(name).await?;
        if !self.is_dry() {
            for contact in &contacts {
                self.delete("Contact", contact).await?;
            }
            self.delete("User", name.as_str()).await?;
        }
        let step = step(Outcome::Removed);
        Ok(if contacts.is_empty() { step } else { step.with("with the contact that ERPNext had made of it") })
    }

    /// The contacts that Frappe makes of each new user, in the background.
    async fn contacts(&self, name: &UserName) -> Result<Vec<String>, SetupError> {
        let filters = json!([["user", "=", name], ["first_name", "=", FIRST_NAME]]).to_string();
        let query = [("fields", r#"["name"]"#), ("filters", filters.as_str()), ("limit_page_length", super::PAGE)];
        let rows = self.list("Contact", &query).await?;
        Ok(rows.iter().map(|row| text(row, "name").to_owned()).collect())
    }

    /// Removes the role.
    ///
    /// # Errors
    /// [`SetupError`]
    pub async fn remove_role(&self) -> Result<Step, SetupError> {
        let step = |outcome| Step::new(format!("role {ROLE}"), outcome);
        if self.document("Role", ROLE).await?.is_none() {
            return Ok(step(Outcome::Absent));
        }
        if !self.is_dry() {
            self.delete("Role", ROLE).await?;
        }
        Ok(step(Outcome::Removed))
    }
}
