//! A user's profile and roles, kept for a while.

use std::{sync::Arc, time::Duration};

use super::{
    DirectoryError,
    adapter::Adapter,
    kept::Holds,
    profile::{self, ProfileAnswer},
};
use crate::{
    oauth::{Profile, UserName},
    store::GrantUser,
};

/// What changes the profile without the user's `modified`, such as a role profile, shows after this at the latest.
const PROFILE_TTL: Duration = Duration::from_secs(5 * 60);

impl Adapter {
    pub(super) async fn roles(self: &Arc<Self>, name: &UserName) -> Result<Vec<String>, DirectoryError> {
        let holds = Holds { now: self.now(), ttl: self.user_ttl, edition: String::new() };
        let (agent, asked) = (Arc::clone(&self.agent), name.clone());
        self.roles.get(name.clone(), holds, async move { profile::roles(&agent, &asked).await }).await
    }

    pub(super) async fn profile(self: &Arc<Self>, user: &GrantUser) -> Result<Option<Profile>, DirectoryError> {
        let current = self.user(&user.name).await?;
        if !current.is_some_and(|current| current.enabled && current.sub == user.sub) {
            return Ok(None);
        }
        let modified = self.users.listed(&user.name).map(|known| known.modified);
        let holds = Holds { now: self.now(), ttl: PROFILE_TTL, edition: modified.unwrap_or_default() };
        self.profiles.get(user.clone(), holds, Arc::clone(self).ask_for_profile(user.clone())).await
    }

    async fn ask_for_profile(self: Arc<Self>, user: GrantUser) -> Result<Option<Profile>, DirectoryError> {
        let mut credential = match self.credential(&user).await {
            Ok(credential) => credential,
            Err(DirectoryError::UserGone) => return Ok(None),
            Err(error) => return Err(error),
        };
        for _ in 0..2 {
            match profile::profile(&self.agent, &user, &credential, &self.public_url).await? {
                ProfileAnswer::Profile(profile) => return Ok(Some(*profile)),
                ProfileAnswer::OtherSubject => return Ok(None),
                ProfileAnswer::Unauthorized => match self.renew_after_unauthorized(&user, credential.clone()).await? {
                    Some(renewed) => credential = renewed,
                    None => break,
                },
            }
        }
        Err(DirectoryError::Unavailable("profile: the user's shadow token is not accepted".to_owned()))
    }
}
