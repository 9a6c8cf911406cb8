//! The role: it opens nothing but what the permissions give it, and no Desk.

use serde_json::json;

use super::{Outcome, ROLE, Setup, SetupError, Step, is_set};

const DOCTYPE: &str = "Role";

impl Setup {
    /// Makes the role, or takes Desk away from it.
    ///
    /// # Errors
    /// [`SetupError`]
    pub async fn role(&self) -> Result<Step, SetupError> {
        let step = |outcome| Step::new(format!("role {ROLE}"), outcome);
        let Some(role) = self.document(DOCTYPE, ROLE).await? else {
            if !self.is_dry() {
                self.create(DOCTYPE, json!({ "role_name": ROLE, "desk_access": 0 })).await?;
            }
            return Ok(step(Outcome::Made));
        };
        if !is_set(&role, "desk_access") && !is_set(&role, "disabled") {
            return Ok(step(Outcome::Kept));
        }
        if !self.is_dry() {
            self.change(DOCTYPE, ROLE, json!({ "desk_access": 0, "disabled": 0 })).await?;
        }
        Ok(step(Outcome::Changed).with("without Desk, enabled"))
    }
}
