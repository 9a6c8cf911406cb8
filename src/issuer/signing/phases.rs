//! The phases of a signing key: published before it signs, signing, published until its last token has expired, kept for
//! hints. All of it follows from a few times, so that nothing has to happen at the moment when one key follows another.

use std::time::Duration;

use crate::{clock::UnixTime, store::StoredSigningKey};

/// For so long clients may keep the published keys.
pub const JWKS_MAX_AGE: Duration = Duration::from_secs(300);
/// For so long another process may not know yet what the store has of the keys.
pub const HEARD_OF: Duration = Duration::from_secs(60);
/// A key that is put into the store now may sign after this: by then every process publishes it, and whoever has kept a
/// document from before has thrown it away. Twice, since a cache on the way and a client that does not subtract the
/// cache's time may each keep it for as long as they may.
pub const LEAD: Duration = Duration::from_secs(2 * JWKS_MAX_AGE.as_secs() + HEARD_OF.as_secs());
/// The next key of a scheduled rotation is published so much earlier, for clients that ask more rarely than they should,
/// or a quarter of the time between two rotations earlier if that is less.
const EARLY: Duration = Duration::from_secs(86_400);

/// How long keys and what they sign live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLives {
    /// Life of an id_token.
    pub token: Duration,
    /// For so long after that a client may send it as a hint.
    pub hint: Duration,
    /// How long a key signs.
    pub rotation: Duration,
}

impl KeyLives {
    /// When the last token that is signed before `retired_at` has expired, by any process' clock and knowledge.
    pub(super) fn last_token(self, retired_at: UnixTime) -> UnixTime {
        retired_at.plus(self.token).plus(HEARD_OF)
    }
}

/// What a key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPhase {
    /// It is published and does not sign yet.
    Next,
    /// It signs.
    Signs,
    /// Its successor signs.
    Retired,
}

impl KeyPhase {
    /// As it is shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Signs => "signs",
            Self::Retired => "retired",
        }
    }
}

/// The times of a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyTimes {
    /// When it begins to sign.
    pub signs_from: UnixTime,
    /// When its successor begins to sign, once there is one.
    pub retired_at: Option<UnixTime>,
    published_until: Option<UnixTime>,
}

impl KeyTimes {
    /// Those of a stored key.
    #[must_use]
    pub const fn of(key: &StoredSigningKey) -> Self {
        Self { signs_from: key.signs_from, retired_at: key.retired_at, published_until: key.published_until }
    }

    /// Its phase at `now`.
    #[must_use]
    pub fn phase(self, now: UnixTime) -> KeyPhase {
        if self.retired_at.is_some_and(|at| at <= now) {
            KeyPhase::Retired
        } else if self.signs_from <= now {
            KeyPhase::Signs
        } else {
            KeyPhase::Next
        }
    }

    /// Until when it is published; `None` while it has no successor. Lives that are longer now than when the successor
    /// was made count: the key may have signed since.
    #[must_use]
    pub fn published_until(self, lives: KeyLives) -> Option<UnixTime> {
        self.retired_at.map(|at| lives.last_token(at).max(self.published_until.unwrap_or_default()))
    }

    pub(super) fn is_published(self, lives: KeyLives, now: UnixTime) -> bool {
        self.published_until(lives).is_none_or(|until| until > now)
    }

    /// Whether nobody may ask for it any more, not even with an old hint.
    pub(super) fn is_over(self, lives: KeyLives, now: UnixTime) -> bool {
        self.published_until(lives).is_some_and(|until| until.plus(lives.hint) <= now)
    }

    /// From when a successor signs that is to be published now; `None` when there is one, or it is too early for one.
    pub(super) fn successor_due(self, lives: KeyLives, now: UnixTime) -> Option<UnixTime> {
        let ends = self.signs_from.plus(lives.rotation);
        let due = self.retired_at.is_none() && ends.minus(EARLY.min(lives.rotation / 4)) <= now;
        due.then(|| ends.max(now.plus(LEAD)))
    }
}
