//! Whether a server takes requests, as connections to it and checks of it tell. One state for both: what failed for a
//! request is out at once, and comes back when checks say so.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

/// So many checks in a row must fail to take a server out.
const FALL: u32 = 2;
/// So many checks in a row must succeed to bring it back.
const RISE: u32 = 2;

const UP: u8 = 0;
/// A connection for a request failed.
const UNREACHABLE: u8 = 1;
/// Checks failed.
const ILL: u8 = 2;

/// The state of one server. A new one counts as well until something else is seen.
#[derive(Debug, Default)]
pub(super) struct Health {
    state: AtomicU8,
    /// How many checks in a row have said otherwise.
    against: AtomicU32,
}

impl Health {
    pub(super) fn is_up(&self) -> bool {
        self.state.load(Ordering::Relaxed) == UP
    }

    /// A connection for a request failed. Whether that changes anything.
    pub(super) fn unreachable(&self) -> bool {
        self.against.store(0, Ordering::Relaxed);
        self.state.compare_exchange(UP, UNREACHABLE, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// A connection for a request was made though the server counted as unreachable: all others did, too. Whether that
    /// changes anything. What checks have found is theirs to take back.
    pub(super) fn reached(&self) -> bool {
        !self.is_up() && self.state.compare_exchange(UNREACHABLE, UP, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// A check has ended. Whether that changes anything.
    pub(super) fn checked(&self, well: bool) -> bool {
        if well == self.is_up() {
            self.against.store(0, Ordering::Relaxed);
            return false;
        }
        let against = self.against.fetch_add(1, Ordering::Relaxed) + 1;
        if against < if well { RISE } else { FALL } {
            return false;
        }
        self.against.store(0, Ordering::Relaxed);
        self.state.store(if well { UP } else { ILL }, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_connection_takes_a_server_out_and_two_good_checks_bring_it_back() {
        let health = Health::default();
        assert!(health.is_up());
        assert!(health.unreachable());
        assert!(!health.unreachable(), "it was out already");
        assert!(!health.is_up());
        assert!(!health.checked(true));
        assert!(!health.is_up());
        assert!(health.checked(true));
        assert!(health.is_up());
    }

    #[test]
    fn one_failed_check_is_none_and_two_in_a_row_take_a_server_out() {
        let health = Health::default();
        for _ in 0..3 {
            assert!(!health.checked(false));
            assert!(!health.checked(true));
            assert!(health.is_up());
        }
        assert!(!health.checked(false));
        assert!(health.checked(false));
        assert!(!health.is_up());
    }

    #[test]
    fn a_connection_that_works_takes_back_what_a_connection_said_but_not_what_checks_said() {
        let health = Health::default();
        health.unreachable();
        assert!(health.reached());
        assert!(health.is_up());
        assert!(!health.reached());
        health.checked(false);
        health.checked(false);
        assert!(!health.reached());
        assert!(!health.is_up());
    }

    #[test]
    fn a_failed_connection_starts_the_count_of_good_checks_anew() {
        let health = Health::default();
        health.unreachable();
        health.checked(true);
        health.unreachable();
        assert!(!health.checked(true));
        assert!(!health.is_up());
    }
}
