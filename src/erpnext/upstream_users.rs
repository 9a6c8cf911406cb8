//! The users on the hot path, one shared state each.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::{UpstreamUser, known_users::KnownUser};
use crate::{oauth::UserName, store::GrantUser};

/// By name, then by subject: a name that has had two subjects has two states.
#[derive(Default)]
pub(super) struct UpstreamUsers(RwLock<HashMap<UserName, Vec<Arc<UpstreamUser>>>>);

impl UpstreamUsers {
    /// The state of this user, made if there is none; `listed` tells what it starts with. One that is not listed counts
    /// as enabled, but gets no credential before ERPNext has been asked.
    pub(super) fn user(&self, user: &GrantUser, listed: impl FnOnce() -> Option<KnownUser>) -> Arc<UpstreamUser> {
        let find = |states: &Vec<Arc<UpstreamUser>>| states.iter().find(|state| state.user.sub == user.sub).cloned();
        let found = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&user.name).and_then(find);
        if let Some(state) = found {
            return state;
        }
        let mut users = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Asked under the lock, so that a change is either seen here or settled afterwards.
        let enabled = listed().is_none_or(|known| known.enabled && known.sub == user.sub);
        let states = users.entry(user.name.clone()).or_default();
        if let Some(state) = find(states) {
            return state;
        }
        let state = Arc::new(UpstreamUser::new(user.clone()));
        state.set_enabled(enabled);
        states.push(Arc::clone(&state));
        state
    }

    /// What is known of a name has changed. States of somebody else under it that nobody holds any more are forgotten.
    pub(super) fn settle(&self, name: &UserName, known: Option<&KnownUser>) {
        let mut users = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let Some(states) = users.get_mut(name) else { return };
        for state in states.iter() {
            state.set_enabled(known.is_some_and(|known| known.enabled && known.sub == state.user.sub));
        }
        states.retain(|state| state.is_enabled() || Arc::strong_count(state) > 1);
        if states.is_empty() {
            users.remove(name);
        }
    }

    /// Forgets the credentials of a name.
    pub(super) fn drop_credentials(&self, name: &UserName) {
        let users = self.0.read().unwrap_or_else(PoisonError::into_inner);
        users.get(name).into_iter().flatten().for_each(|state| state.drop_credential());
    }

    /// The users that somebody besides this list holds.
    pub(super) fn in_use(&self) -> Vec<Arc<UpstreamUser>> {
        let users = self.0.read().unwrap_or_else(PoisonError::into_inner);
        users.values().flatten().filter(|state| Arc::strong_count(state) > 1).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Subject;

    fn alice(sub: &str) -> GrantUser {
        GrantUser { name: UserName::new("alice@example.com"), sub: Subject::new(sub) }
    }

    fn known(sub: &str, enabled: bool) -> KnownUser {
        KnownUser { sub: Subject::new(sub), enabled, is_system: true, modified: String::new() }
    }

    #[test]
    fn a_user_has_one_state_and_another_subject_another() {
        let users = UpstreamUsers::default();
        let one = users.user(&alice("1"), || None);
        assert!(Arc::ptr_eq(&one, &users.user(&alice("1"), || Some(known("1", false)))));
        let other = users.user(&alice("2"), || Some(known("1", true)));
        assert!(one.is_enabled() && !other.is_enabled());
    }

    #[test]
    fn a_change_reaches_every_state_of_the_name() {
        let users = UpstreamUsers::default();
        let (one, two) = (users.user(&alice("1"), || None), users.user(&alice("2"), || None));
        users.settle(&one.user.name, Some(&known("2", true)));
        assert!(!one.is_enabled() && two.is_enabled());
        users.settle(&one.user.name, None);
        assert!(!two.is_enabled());
    }

    #[test]
    fn who_is_gone_and_held_by_nobody_is_forgotten() {
        let users = UpstreamUsers::default();
        drop(users.user(&alice("1"), || None));
        assert_eq!(users.in_use().len(), 0);
        users.settle(&UserName::new("alice@example.com"), None);
        assert!(users.user(&alice("1"), || None).is_enabled(), "a new state");
    }
}
