//! When grants were last used: noted where a token is looked up in the store, never where it is known, and written now and then.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::{clock::UnixTime, oauth::GrantId, store::AccessTokenFacts};

/// What the store has may be so old.
const EXACT_TO: Duration = Duration::from_secs(3600);
/// Beyond so many that have not been written a further one is not noted: the next look-up of its token will be.
const MOST: usize = 100_000;

/// Uses that the store does not have yet.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<HashMap<GrantId, UnixTime>>);

impl Uses {
    /// Notes that a token of a grant is used, unless the store has heard of a use not long ago.
    pub(super) fn note(&self, facts: &AccessTokenFacts, now: UnixTime) {
        if facts.last_used.is_some_and(|used| now.since(used) < EXACT_TO) {
            return;
        }
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < MOST || uses.contains_key(&facts.grant.id) {
            uses.insert(facts.grant.id.clone(), now);
        }
    }

    /// Takes what is to be written.
    pub(super) fn take(&self) -> Vec<(GrantId, UnixTime)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }
}
