//! What is known of ERPNext's users, and what changes when more is learnt. No IO.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use sha2::{Digest, Sha256};
use time::{PrimitiveDateTime, format_description::StaticFormatDescription, macros::format_description};

use super::hex::hex;
use crate::{
    clock::UnixTime,
    oauth::{Subject, UserName},
};

/// The user whom Frappe lists to nobody else, and who can't be disabled.
pub(super) const ADMINISTRATOR: &str = "Administrator";
/// As many characters as Frappe's own subjects have.
const SUBJECT_CHARS: usize = 39;
/// Every so many rounds all users are listed, which tells deletions and renames.
const WHOLE_EVERY: u32 = 10;
/// A row's `modified` is set when a request begins and seen when it commits, up to gunicorn's time-out later.
const LONGEST_REQUEST: Duration = Duration::from_secs(120);
const FRAPPE_TIME: StaticFormatDescription =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:6]");

/// A user as it was last listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownUser {
    pub(super) sub: Subject,
    pub(super) enabled: bool,
    /// Whether Frappe gives it the automatic role of those who may use Desk.
    pub(super) is_system: bool,
    /// Frappe's time of the last change, in its own zone: only compared.
    pub(super) modified: String,
}

/// What happened to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Enabled,
    Disabled,
    /// Deleted, renamed, or somebody else under the same name.
    Gone,
}

/// What the next list call asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    ModifiedSince(String),
}

/// All users by name.
#[derive(Debug)]
pub(super) struct KnownUsers {
    users: HashMap<UserName, KnownUser>,
    newest: Option<String>,
    rounds: u32,
    asked_at: Option<UnixTime>,
    /// Up to so many users are listed whole each time: that is one page, and misses nothing.
    page: usize,
}

impl KnownUsers {
    pub(super) fn new(page: usize) -> Self {
        Self { users: HashMap::new(), newest: None, rounds: 0, asked_at: None, page }
    }

    pub(super) fn user(&self, name: &UserName) -> Option<&KnownUser> {
        self.users.get(name)
    }

    /// When the users were last asked for with success.
    pub(super) const fn asked_at(&self) -> Option<UnixTime> {
        self.asked_at
    }

    /// How far the next list call must reach.
    pub(super) fn next_extent(&self) -> Extent {
        if self.users.len() < self.page || self.rounds.is_multiple_of(WHOLE_EVERY) {
            return Extent::Whole;
        }
        let since = self.newest.as_deref().and_then(|newest| earlier(newest, LONGEST_REQUEST));
        since.map_or(Extent::Whole, Extent::ModifiedSince)
    }

    /// Whether a listed row tells anything new.
    pub(super) fn is_news(&self, name: &UserName, enabled: bool, modified: &str) -> bool {
        self.users.get(name).is_none_or(|known| known.enabled != enabled || known.modified != modified)
    }

    /// The names that a whole list leaves out.
    pub(super) fn missing_from(&self, listed: &HashSet<UserName>) -> Vec<UserName> {
        self.users.keys().filter(|name| !listed.contains(*name)).cloned().collect()
    }

    /// Takes in one user; tells what that changes.
    pub(super) fn learn(&mut self, name: &UserName, user: KnownUser) -> Option<Change> {
        if self.newest.as_ref().is_none_or(|newest| *newest < user.modified) {
            self.newest = Some(user.modified.clone());
        }
        let (sub, enabled) = (user.sub.clone(), user.enabled);
        match self.users.insert(name.clone(), user) {
            Some(before) if before.sub != sub => Some(Change::Gone),
            Some(before) if before.enabled == enabled => None,
            None if enabled => None,
            Some(_) | None => Some(if enabled { Change::Enabled } else { Change::Disabled }),
        }
    }

    /// A user is no more.
    pub(super) fn forget(&mut self, name: &UserName) -> Change {
        self.users.remove(name);
        Change::Gone
    }

    /// A list call that was made at `asked_at` has been taken in.
    pub(super) fn end_round(&mut self, asked_at: UnixTime) {
        self.rounds = self.rounds.wrapping_add(1);
        self.asked_at = Some(asked_at);
    }
}

/// The subject of a user to whom ERPNext gave none (decision 4).
pub(super) fn derived_subject(issuer: &str, name: &UserName) -> Subject {
    let digest = Sha256::new().chain_update(issuer).chain_update([0]).chain_update(name.as_str()).finalize();
    let mut text = hex(digest);
    text.truncate(SUBJECT_CHARS);
    Subject::new(text)
}

/// From when on rows are to be read so that none is missed that changed after this one; the same text where it is no time.
pub(super) fn changed_before(modified: &str) -> String {
    earlier(modified, LONGEST_REQUEST).unwrap_or_else(|| modified.to_owned())
}

fn earlier(modified: &str, by: Duration) -> Option<String> {
    let time = PrimitiveDateTime::parse(modified, FRAPPE_TIME).ok()?;
    time.checked_sub(by.try_into().ok()?)?.format(FRAPPE_TIME).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(sub: &str, enabled: bool, second: u32) -> KnownUser {
        KnownUser {
            sub: Subject::new(sub),
            enabled,
            is_system: true,
            modified: format!("2026-11-24 01:30:{second:02}.547399"),
        }
    }

    fn alice() -> UserName {
        UserName::new("alice@example.com")
    }

    #[test]
    fn a_user_that_is_disabled_enabled_or_replaced_is_a_change() {
        let mut known = KnownUsers::new(500);
        assert_eq!(known.learn(&alice(), user("1", true, 1)), None);
        assert_eq!(known.learn(&alice(), user("1", true, 2)), None);
        assert_eq!(known.learn(&alice(), user("1", false, 3)), Some(Change::Disabled));
        assert_eq!(known.learn(&alice(), user("1", true, 4)), Some(Change::Enabled));
        assert_eq!(known.learn(&alice(), user("2", true, 5)), Some(Change::Gone));
        assert_eq!(known.user(&alice()).map(|user| user.sub.as_str()), Some("2"));
        assert_eq!(known.forget(&alice()), Change::Gone);
        assert_eq!(known.user(&alice()), None);
    }

    #[test]
    fn a_user_first_seen_disabled_is_a_change() {
        assert_eq!(KnownUsers::new(500).learn(&alice(), user("1", false, 1)), Some(Change::Disabled));
    }

    #[test]
    fn few_users_are_listed_whole_and_many_by_what_changed() {
        let (mut few, mut many) = (KnownUsers::new(2), KnownUsers::new(1));
        for known in [&mut few, &mut many] {
            assert_eq!(known.next_extent(), Extent::Whole);
            known.learn(&alice(), user("1", true, 45));
            known.end_round(UnixTime::from_secs(1));
        }
        assert_eq!(few.next_extent(), Extent::Whole);
        let since = "2026-11-24 01:28:45.547399".to_owned();
        assert_eq!(many.next_extent(), Extent::ModifiedSince(since), "a slow request's change is not missed");
    }

    #[test]
    fn each_tenth_round_lists_all() {
        let mut known = KnownUsers::new(1);
        known.learn(&alice(), user("1", true, 45));
        let whole: Vec<bool> = (0..21)
            .map(|second| {
                let extent = known.next_extent();
                known.end_round(UnixTime::from_secs(second));
                extent == Extent::Whole
            })
            .collect();
        let rounds: Vec<usize> = (0..21).filter(|round| whole[*round]).collect();
        assert_eq!(rounds, [0, 10, 20]);
    }

    #[test]
    fn derived_subjects_are_stable_and_apart() {
        let of = |issuer, name: &str| derived_subject(issuer, &UserName::new(name));
        let administrator = of("https://erp.example.com", ADMINISTRATOR);
        assert_eq!(administrator.as_str().len(), 39);
        assert_eq!(administrator, of("https://erp.example.com", ADMINISTRATOR));
        assert_ne!(administrator, of("https://erp.example.net", ADMINISTRATOR));
        assert_ne!(of("https://a", "bc"), of("https://ab", "c"));
    }
}
