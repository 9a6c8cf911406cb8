//! A user's profile and roles, kept for a while.

use std::{sync::Arc, time::Duration};

use super::{
    DirectoryError, Freshness,
    adapter::Adapter,
    kept::Holds,
    profile::{self, ProfileAnswer},
};
use crate::{
    oauth::{Profile, ProfileDetails, UserName},
    store::GrantUser,
};

/// The roles that Frappe gives by itself: to everybody who has logged in, and to whoever may use Desk.
const EVERYBODY: &str = "All";
const DESK_USER: &str = "Desk User";
/// What changes the profile without the user's `modified`, such as a role profile, shows after this at the latest.
const PROFILE_TTL: Duration = Duration::from_secs(5 * 60);

impl Adapter {
    /// Whether the user has one of these roles. The automatic ones are told without a call.
    pub(super) async fn has_role(
        self: &Arc<Self>,
        name: &UserName,
        roles: &[String],
        freshness: Freshness,
    ) -> Result<bool, DirectoryError> {
        let listed = self.users.listed(name);
        let is_system = listed.as_ref().is_some_and(|known| known.is_system);
        if roles.iter().any(|role| role == EVERYBODY || (is_system && role == DESK_USER)) {
            return Ok(true);
        }
        let ttl = match freshness {
            Freshness::Issuing => self.user_ttl,
            Freshness::Checking => PROFILE_TTL.max(self.user_ttl),
        };
        let edition = listed.map(|known| known.modified).unwrap_or_default();
        let holds = Holds { now: self.now(), ttl, edition };
        let (agent, asked) = (Arc::clone(&self.agent), name.clone());
        let has = self.roles.get(name.clone(), holds, async move { profile::roles(&agent, &asked).await }).await?;
        Ok(has.iter().any(|role| roles.contains(role)))
    }

    pub(super) async fn profile(self: &Arc<Self>, user: &GrantUser) -> Result<Option<Profile>, DirectoryError> {
        let current = self.user(&user.name).await?;
        if !current.is_some_and(|current| current.enabled && current.sub == user.sub) {
            return Ok(None);
        }
        let holds = self.until_the_user_changes(&user.name);
        self.profiles.get(user.clone(), holds, Arc::clone(self).ask_for_profile(user.clone())).await
    }

    pub(super) async fn profile_details(&self, user: &GrantUser) -> Result<ProfileDetails, DirectoryError> {
        let (agent, name) = (Arc::clone(&self.agent), user.name.clone());
        let holds = self.until_the_user_changes(&user.name);
        self.details.get(user.clone(), holds, async move { profile::details(&agent, &name).await }).await
    }

    fn until_the_user_changes(&self, name: &UserName) -> Holds {
        let modified = self.users.listed(name).map(|known| known.modified);
        Holds { now: self.now(), ttl: PROFILE_TTL, edition: modified.unwrap_or_default() }
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
