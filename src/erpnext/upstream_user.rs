//! A user on the hot path: whether it is enabled and which credential its requests go upstream with, for two loads and
//! no lock.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http::HeaderValue;

use crate::{clock::UnixTime, secret::Secret, store::GrantUser};

/// The shared state of one user. Every request of the user's tokens holds the same one.
pub struct UpstreamUser {
    /// Who it is.
    pub user: GrantUser,
    enabled: AtomicBool,
    credential: ArcSwapOption<Credential>,
    /// When its credential was last suspected to be dead, in milliseconds; 0: never.
    suspected_at: AtomicU64,
}

struct Credential {
    header: HeaderValue,
    usable_until: UnixTime,
    renew_from: UnixTime,
}

impl UpstreamUser {
    /// A user that counts as enabled and has no credential yet.
    #[must_use]
    pub fn new(user: GrantUser) -> Self {
        Self {
            user,
            enabled: AtomicBool::new(true),
            credential: ArcSwapOption::empty(),
            suspected_at: AtomicU64::new(0),
        }
    }

    /// Whether the user may do anything, as far as is known.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Acquire)
    }

    /// The value of `Authorization` towards the upstream, marked sensitive; `None` when there is none that is good at
    /// `now`: ask [`super::Directory::credential`] then.
    #[must_use]
    pub fn credential_at(&self, now: UnixTime) -> Option<HeaderValue> {
        let credential = self.credential.load();
        credential
            .as_ref()
            .filter(|credential| credential.usable_until > now)
            .map(|credential| credential.header.clone())
    }

    /// Whether there is a credential and it should be replaced soon.
    #[must_use]
    pub fn is_due_for_renewal(&self, now: UnixTime) -> bool {
        self.credential.load().as_ref().is_some_and(|credential| credential.renew_from <= now)
    }

    /// Says whether the user may do anything; a user that may not loses its credential.
    pub fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Release);
        if !enabled {
            self.credential.store(None);
        }
    }

    /// Takes a token as the credential until `usable_until`; from `renew_from` on it is due for renewal. `None` for a
    /// text that can't stand in a header.
    pub fn set_credential(&self, token: &Secret, renew_from: UnixTime, usable_until: UnixTime) -> Option<HeaderValue> {
        let header = bearer(token)?;
        self.credential.store(Some(Arc::new(Credential { header: header.clone(), usable_until, renew_from })));
        Some(header)
    }

    /// Forgets the credential.
    pub fn drop_credential(&self) {
        self.credential.store(None);
    }

    /// Whether a suspicion at `now` is the first within `interval`, and if so remembers it.
    pub(super) fn suspect(&self, now: UnixTime, interval: Duration) -> bool {
        let before = self.suspected_at.load(Ordering::Acquire);
        if before != 0 && UnixTime::from_millis(before).plus(interval) > now {
            return false;
        }
        self.suspected_at.compare_exchange(before, now.millis(), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl fmt::Debug for UpstreamUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamUser").field("user", &self.user).field("enabled", &self.enabled).finish_non_exhaustive()
    }
}

/// `Bearer …`, marked sensitive; `None` for a text that can't stand in a header.
pub(super) fn bearer(token: &Secret) -> Option<HeaderValue> {
    let mut header = HeaderValue::try_from(format!("Bearer {}", token.expose())).ok()?;
    header.set_sensitive(true);
    Some(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::{Subject, UserName};

    fn alice() -> UpstreamUser {
        UpstreamUser::new(GrantUser { name: UserName::new("alice@example.com"), sub: Subject::new("1") })
    }

    #[test]
    fn a_credential_is_given_until_its_end_and_is_sensitive() {
        let (user, end) = (alice(), UnixTime::from_secs(100));
        user.set_credential(&Secret::new("emp_sh_1"), UnixTime::from_secs(90), end).expect("a header");
        let header = user.credential_at(UnixTime::from_secs(99)).expect("usable");
        assert_eq!(header, "Bearer emp_sh_1");
        assert!(header.is_sensitive());
        assert_eq!(user.credential_at(end), None);
        assert!(!user.is_due_for_renewal(UnixTime::from_secs(89)));
        assert!(user.is_due_for_renewal(UnixTime::from_secs(90)));
        assert!(!format!("{user:?}").contains("emp_sh_1"));
    }

    #[test]
    fn a_disabled_user_loses_its_credential() {
        let user = alice();
        user.set_credential(&Secret::new("emp_sh_1"), UnixTime::from_secs(90), UnixTime::from_secs(100));
        user.set_enabled(false);
        user.set_enabled(true);
        assert_eq!(user.credential_at(UnixTime::default()), None);
    }

    #[test]
    fn a_second_suspicion_within_the_interval_does_not_count() {
        let (user, interval) = (alice(), Duration::from_secs(10));
        assert!(user.suspect(UnixTime::from_secs(100), interval));
        assert!(!user.suspect(UnixTime::from_secs(109), interval));
        assert!(user.suspect(UnixTime::from_secs(110), interval));
    }
}
