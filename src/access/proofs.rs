//! What must be remembered of DPoP proofs (RFC 9449 §8, §9, §11.1): which came before, and which nonces are ours.
//!
//! Nonces are made with a key of this process alone. A proof that another process has taken, or this one before it was
//! restarted, has no nonce that is good here: what is remembered in memory is all that there is to remember.

use std::{
    collections::HashSet,
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq;

use crate::{
    clock::UnixTime,
    oauth::{BadProof, DpopProof, KeyThumbprint, ProofOf, TokenHash},
    random::Random,
    secret::{DerivedKey, Purpose, SecretKey},
};

/// A nonce is good in the one in which it was made and in the next, in seconds.
const NONCE_TURN: u64 = 150;
/// Longer than a proof can be good: a minute on either side of its time.
const MEMORY: Duration = Duration::from_secs(125);
/// So many proofs are remembered at most in each half of a memory, some 50 bytes each. Those beside an access token have a
/// memory of their own, which only who holds a token that is good can fill: at the token endpoint anybody can who names a
/// public client.
const MOST: usize = 1 << 20;

/// Checks proofs of one site.
pub struct Proofs {
    origin: String,
    key: DerivedKey,
    beside_tokens: Mutex<Seen>,
    others: Mutex<Seen>,
}

/// Why a request does not show that it comes from who holds the token's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotProven {
    /// There is no proof, or there are two.
    Missing,
    /// The proof is wrong.
    Wrong(BadProof),
    /// It has no nonce of ours, or an old one; this is a fresh one.
    Nonce(String),
    /// It came before.
    Replayed,
    /// It is of another key than the token.
    OtherKey,
    /// No more can be remembered at the moment, and so none be believed.
    Full,
}

/// In two halves, of which the older one is forgotten as a whole.
struct Seen {
    newer: HashSet<[u8; 16]>,
    older: HashSet<[u8; 16]>,
    since: UnixTime,
}

impl Proofs {
    /// One that remembers nothing yet.
    #[must_use]
    pub fn new(origin: &str, random: &dyn Random, now: UnixTime) -> Self {
        let key = SecretKey::new(random.bytes()).derive(Purpose::DpopNonce);
        let nothing = || Mutex::new(Seen { newer: HashSet::new(), older: HashSet::new(), since: now });
        Self { origin: origin.to_owned(), key, beside_tokens: nothing(), others: nothing() }
    }

    /// A nonce that is good now.
    #[must_use]
    pub fn nonce(&self, now: UnixTime) -> String {
        self.nonce_of(now.secs() / NONCE_TURN)
    }

    /// The key that the one proof of a request proves, for the first time.
    ///
    /// # Errors
    /// Why it proves none.
    pub fn check(
        &self,
        proof: &str,
        (method, path, access_token): (&str, &str, Option<&str>),
        bound_to: Option<KeyThumbprint>,
        now: UnixTime,
    ) -> Result<KeyThumbprint, NotProven> {
        let of = ProofOf { method, origin: &self.origin, path, access_token };
        let DpopProof { key, id, nonce } = of.check(proof, now).map_err(NotProven::Wrong)?;
        if bound_to.is_some_and(|bound_to| bound_to != key) {
            return Err(NotProven::OtherKey);
        }
        if !nonce.is_some_and(|nonce| self.is_nonce(&nonce, now)) {
            return Err(NotProven::Nonce(self.nonce(now)));
        }
        let seen = if access_token.is_some() { &self.beside_tokens } else { &self.others };
        seen.lock().unwrap_or_else(PoisonError::into_inner).note(&id, now, MOST)?;
        Ok(key)
    }

    fn nonce_of(&self, turn: u64) -> String {
        let mac = self.key.hmac(&[&turn.to_be_bytes()]);
        URL_SAFE_NO_PAD.encode(mac.first_chunk::<18>().unwrap_or(&[0; 18]))
    }

    fn is_nonce(&self, presented: &str, now: UnixTime) -> bool {
        let turn = now.secs() / NONCE_TURN;
        let is = |turn| bool::from(self.nonce_of(turn).as_bytes().ct_eq(presented.as_bytes()));
        is(turn) || is(turn.saturating_sub(1))
    }
}

impl Seen {
    fn note(&mut self, id: &TokenHash, now: UnixTime, most: usize) -> Result<(), NotProven> {
        let id = *id.as_bytes().first_chunk::<16>().unwrap_or(&[0; 16]);
        if now.since(self.since) >= MEMORY {
            self.older = std::mem::take(&mut self.newer);
            self.since = now;
        }
        if self.older.contains(&id) || self.newer.contains(&id) {
            return Err(NotProven::Replayed);
        }
        if self.newer.len() >= most {
            return Err(NotProven::Full);
        }
        self.newer.insert(id);
        Ok(())
    }
}

impl fmt::Debug for Proofs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proofs").field("origin", &self.origin).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    const TURN: Duration = Duration::from_secs(NONCE_TURN);

    fn start() -> UnixTime {
        UnixTime::from_secs(1_800_000_000)
    }

    fn proofs() -> Proofs {
        Proofs::new("https://erp.example.com", &SeededRandom::new(1), start())
    }

    #[test]
    fn a_nonce_is_good_for_some_minutes_in_the_process_that_made_it() {
        let (proofs, other) = (proofs(), Proofs::new("https://erp.example.com", &SeededRandom::new(2), start()));
        let nonce = proofs.nonce(start());
        assert!(proofs.is_nonce(&nonce, start()) && proofs.is_nonce(&nonce, start().plus(TURN)));
        assert!(!proofs.is_nonce(&nonce, start().plus(2 * TURN)), "too old");
        assert!(!proofs.is_nonce(&nonce, start().minus(TURN)), "of a time to come");
        assert!(!other.is_nonce(&nonce, start()));
        assert!(!proofs.is_nonce("", start()));
    }

    /// T74
    #[test]
    fn what_came_before_is_remembered_for_as_long_as_it_could_come_again() {
        let mut seen = Seen { newer: HashSet::new(), older: HashSet::new(), since: start() };
        let (one, two) = (TokenHash::of("one"), TokenHash::of("two"));
        assert_eq!(seen.note(&one, start(), 2), Ok(()));
        assert_eq!(seen.note(&one, start(), 2), Err(NotProven::Replayed));
        // The last moment of the newer half; what is noted there lives through the next.
        let late = start().plus(MEMORY).minus(Duration::from_secs(1));
        assert_eq!(seen.note(&two, late, 2), Ok(()));
        assert_eq!(seen.note(&two, late.plus(Duration::from_secs(120)), 2), Err(NotProven::Replayed));
        assert_eq!(seen.note(&one, start().plus(4 * MEMORY), 2), Ok(()), "it is too old to be a proof by now");
        assert_eq!(seen.note(&two, start().plus(4 * MEMORY), 2), Ok(()));
        let three = TokenHash::of("three");
        assert_eq!(seen.note(&three, start().plus(4 * MEMORY), 2), Err(NotProven::Full), "none is believed then");
    }
}
