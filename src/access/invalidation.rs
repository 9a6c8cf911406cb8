//! How a revocation reaches what is cached, without an index and without a lock.
//!
//! Every revocation gets the next number, which is noted in the slot that the grant's id falls into. A look-up notes the
//! last number before it reads the store. What it found holds as long as no revocation in its grant's slot came after
//! that: so a look-up that began before a revocation never outlives it, wherever it is by then. Grants that share a slot
//! are looked up once more than needed.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::oauth::GrantId;

/// 128 KiB; with 200,000 cached tokens a revocation costs some 12 look-ups besides its own.
const SLOTS: usize = 16_384;

/// Tells the cache of grants that have ended. Clones tell the same one.
#[derive(Clone, Debug)]
pub struct Invalidation(Arc<Generations>);

#[derive(Debug)]
struct Generations {
    last: AtomicU64,
    /// Nothing from before this holds.
    floor: AtomicU64,
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
}

/// When a look-up began, and whose grant it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    began: Beginning,
    slot: usize,
}

/// When a look-up began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Beginning(u64);

impl Default for Invalidation {
    fn default() -> Self {
        Self(Arc::new(Generations {
            last: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            hasher: RandomState::new(),
        }))
    }
}

impl Invalidation {
    /// The grant has ended, and the store knows: nothing that was found before is believed any more.
    pub fn grant_ended(&self, grant: &GrantId) {
        let number = self.0.last.fetch_add(1, Ordering::SeqCst) + 1;
        if let Some(slot) = self.0.slots.get(self.slot(grant)) {
            slot.fetch_max(number, Ordering::SeqCst);
        }
    }

    /// Nothing that was found before is believed any more.
    pub fn everything(&self) {
        let number = self.0.last.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.floor.fetch_max(number, Ordering::SeqCst);
    }

    /// To be called before the store is read.
    pub(super) fn begin(&self) -> Beginning {
        Beginning(self.0.last.load(Ordering::SeqCst))
    }

    pub(super) fn stamp(&self, began: Beginning, grant: &GrantId) -> Stamp {
        Stamp { began, slot: self.slot(grant) }
    }

    /// Whether what was found then still holds.
    pub(super) fn holds(&self, stamp: Stamp) -> bool {
        let Beginning(began) = stamp.began;
        let ended = self.0.slots.get(stamp.slot).map_or(u64::MAX, |slot| slot.load(Ordering::SeqCst));
        began >= ended && began >= self.0.floor.load(Ordering::SeqCst)
    }

    fn slot(&self, grant: &GrantId) -> usize {
        let hash = self.0.hasher.hash_one(grant.as_str());
        usize::try_from(hash % SLOTS as u64).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_ends_what_was_begun_before_it_and_nothing_else() {
        let invalidation = Invalidation::default();
        let (ended, other) = (GrantId::new("g1"), GrantId::new("g2"));
        let before = invalidation.begin();
        invalidation.clone().grant_ended(&ended);
        assert!(!invalidation.holds(invalidation.stamp(before, &ended)));
        assert!(invalidation.holds(invalidation.stamp(invalidation.begin(), &ended)));
        if invalidation.slot(&ended) != invalidation.slot(&other) {
            assert!(invalidation.holds(invalidation.stamp(before, &other)));
        }
        invalidation.everything();
        assert!(!invalidation.holds(invalidation.stamp(before, &other)));
        assert!(invalidation.holds(invalidation.stamp(invalidation.begin(), &other)));
    }
}
