//! The proof that all of it works: a shadow token, made with the account's own key, used, and deleted.

use std::time::Duration;

use http::HeaderValue;

use super::{Outcome, Setup, SetupError, Step, agent, unreachable};
use crate::{
    erpnext::{DirectoryError, ErpnextSettings, own_client::OwnClient, shadow},
    oauth::{Subject, UserName},
    random::Random,
    secret::Secret,
    store::GrantUser,
};

/// Longer than the proof takes, should it be cut off before the token is deleted.
const LIFE: Duration = Duration::from_secs(120);

impl Setup {
    /// Makes a shadow token for the account itself, checks that ERPNext takes it for the account's, and deletes it.
    ///
    /// # Errors
    /// [`SetupError`], with what does not work yet.
    pub async fn prove(&self, key: &Secret, name: &UserName, random: &dyn Random) -> Result<Step, SetupError> {
        let settings = ErpnextSettings { api_key: key.clone(), ..self.settings.clone() };
        let agent = agent(&settings).map_err(|error| SetupError::Unfit(error.to_string()))?;
        let (own_client, token) = (OwnClient::default(), shadow::fresh_text(random));
        let user = GrantUser { name: name.clone(), sub: Subject::new("") };
        shadow::create(&agent, &own_client, &user, &token, LIFE).await.map_err(unproven)?;
        let credential = HeaderValue::try_from(format!("Bearer {}", token.expose()));
        let alive = match credential {
            Ok(mut credential) => {
                credential.set_sensitive(true);
                shadow::is_alive(&agent, name, &credential).await
            }
            Err(_) => Ok(false),
        };
        let deleted = shadow::delete(&agent, &token).await;
        if !alive.map_err(unproven)? {
            return Err(SetupError::Unfit(
                "ERPNext has taken a shadow token and does not accept it as a bearer: check that no proxy between here \
                 and ERPNext takes the header Authorization away, and that the site's time zone is right"
                    .to_owned(),
            ));
        }
        deleted.map_err(unproven)?;
        Ok(Step::new("proof", Outcome::Made).with(format!("a shadow token was accepted as {name}, and is deleted")))
    }
}

fn unproven(error: DirectoryError) -> SetupError {
    match error {
        DirectoryError::Unavailable(_) | DirectoryError::UserGone => unreachable(error),
        DirectoryError::Refused(why) => SetupError::Unfit(format!("the account can't work yet: {why}")),
    }
}
