//! A bounded memory of what is known of tokens, made for many reads and little space.
//!
//! It is cut into shards with a lock each, which a read shares and nobody keeps for longer than it takes to look or to
//! put something in. In a full shard the next entry takes the place of one that has not been asked for since the hand
//! last came by (CLOCK): what is in use stays, however much comes that is asked for once.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use crate::oauth::TokenHash;

/// Few enough that a small memory is not cut into uneven crumbs, and many enough that threads seldom meet.
const SHARDS: u64 = 64;
const SHARD_LEAST: u64 = 1024;

/// The memory.
pub(super) struct Memory<V> {
    shards: Box<[RwLock<Shard<V>>]>,
    /// Which shard is swept next.
    next: AtomicUsize,
}

struct Shard<V> {
    /// Where an entry stands, by the first bytes of its token's hash.
    places: HashMap<u64, u32, BuildHasherDefault<AsItIs>>,
    entries: Vec<Entry<V>>,
    most: usize,
    hand: usize,
}

struct Entry<V> {
    token: TokenHash,
    value: V,
    used: AtomicBool,
}

impl<V: Clone> Memory<V> {
    /// A memory of some `capacity` entries.
    pub(super) fn new(capacity: u64) -> Self {
        let shards = (capacity / SHARD_LEAST).clamp(1, SHARDS).next_power_of_two();
        let share = capacity.div_ceil(shards);
        // Tokens do not spread evenly: with a little more, none has to go before there are as many as fit.
        let most = if shards == 1 { share } else { share + share / 8 };
        let most = usize::try_from(most.min(u64::from(u32::MAX))).unwrap_or(usize::MAX).max(1);
        Self { shards: (0..shards).map(|_| RwLock::new(Shard::new(most))).collect(), next: AtomicUsize::new(0) }
    }

    /// What is kept of a token.
    pub(super) fn get(&self, token: &TokenHash) -> Option<V> {
        let shard = self.read(token)?;
        let entry = shard.entry(token)?;
        // Written only when it changes, so that threads do not take the line from each other.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(entry.value.clone())
    }

    /// Keeps this of a token.
    pub(super) fn insert(&self, token: TokenHash, value: V) {
        if let Some(mut shard) = self.write(&token) {
            shard.insert(Entry { token, value, used: AtomicBool::new(false) });
        }
    }

    /// Forgets what is kept of a token, if it is what `is` says.
    pub(super) fn forget(&self, token: &TokenHash, is: impl FnOnce(&V) -> bool) {
        if let Some(mut shard) = self.write(token)
            && shard.entry(token).is_some_and(|entry| is(&entry.value))
        {
            shard.remove(first_bytes(token));
        }
    }

    /// Forgets what `holds` no more, in the next of the shards.
    pub(super) fn sweep(&self, holds: impl Fn(&V) -> bool) {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.shards.len().max(1);
        if let Some(shard) = self.shards.get(next) {
            shard.write().unwrap_or_else(PoisonError::into_inner).retain(holds);
        }
    }

    fn shard(&self, token: &TokenHash) -> Option<&RwLock<Shard<V>>> {
        let [.., last] = token.as_bytes();
        self.shards.get(usize::from(*last) % self.shards.len().max(1))
    }

    fn read(&self, token: &TokenHash) -> Option<RwLockReadGuard<'_, Shard<V>>> {
        self.shard(token).map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, token: &TokenHash) -> Option<RwLockWriteGuard<'_, Shard<V>>> {
        self.shard(token).map(|shard| shard.write().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<V> Shard<V> {
    fn new(most: usize) -> Self {
        Self { places: HashMap::default(), entries: Vec::new(), most, hand: 0 }
    }

    /// The first bytes may be another token's: the whole hash tells.
    fn entry(&self, token: &TokenHash) -> Option<&Entry<V>> {
        let place = usize::try_from(*self.places.get(&first_bytes(token))?).ok()?;
        self.entries.get(place).filter(|entry| entry.token == *token)
    }

    fn insert(&mut self, entry: Entry<V>) {
        let first = first_bytes(&entry.token);
        let place = match self.places.get(&first) {
            Some(place) => usize::try_from(*place).unwrap_or(usize::MAX),
            None if self.entries.len() < self.most => self.entries.len(),
            None => self.make_room(),
        };
        let Ok(number) = u32::try_from(place) else { return };
        match self.entries.get_mut(place) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
        self.places.insert(first, number);
    }

    /// The place of the entry that goes.
    fn make_room(&mut self) -> usize {
        loop {
            let place = self.hand % self.entries.len().max(1);
            self.hand = place + 1;
            match self.entries.get(place) {
                // Its next use is noted anew.
                Some(entry) if entry.used.swap(false, Ordering::Relaxed) => {}
                Some(entry) => {
                    self.places.remove(&first_bytes(&entry.token));
                    return place;
                }
                None => return place,
            }
        }
    }

    fn remove(&mut self, first: u64) {
        let Some(place) = self.places.remove(&first) else { return };
        let at = usize::try_from(place).unwrap_or(usize::MAX);
        if at < self.entries.len() {
            self.entries.swap_remove(at);
        }
        // The last one stands there now.
        if let Some(moved) = self.entries.get(at) {
            self.places.insert(first_bytes(&moved.token), place);
        }
    }

    fn retain(&mut self, holds: impl Fn(&V) -> bool) {
        let gone = self.entries.iter().filter(|entry| !holds(&entry.value));
        let gone: Vec<u64> = gone.map(|entry| first_bytes(&entry.token)).collect();
        for first in gone {
            self.remove(first);
        }
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.len() * 2);
            self.places.shrink_to(self.entries.len() * 2);
        }
    }
}

fn first_bytes(token: &TokenHash) -> u64 {
    token.as_bytes().first_chunk().copied().map_or(0, u64::from_be_bytes)
}

/// SHA-256 has mixed them already, and nobody chooses a token of ours.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 << 8) | u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(number: u64) -> TokenHash {
        TokenHash::of(&number.to_string())
    }

    fn length(memory: &Memory<u64>) -> usize {
        let lengths = memory.shards.iter().map(|shard| {
            let shard = shard.read().expect("no panic");
            assert_eq!(shard.entries.len(), shard.places.len());
            assert!(shard.entries.len() <= shard.most);
            shard.entries.len()
        });
        lengths.sum()
    }

    #[test]
    fn it_keeps_what_it_was_given_up_to_its_capacity() {
        let memory = Memory::new(100);
        for number in 0..1000 {
            memory.insert(token(number), number);
            assert_eq!(memory.get(&token(number)), Some(number));
        }
        assert_eq!(length(&memory), 100);
        assert_eq!(memory.get(&token(5000)), None);
    }

    #[test]
    fn as_many_as_fit_are_all_kept_whatever_the_order_of_their_use() {
        let memory = Memory::new(200_000);
        for number in 0..200_000 {
            memory.insert(token(number), number);
        }
        assert!((0..200_000).all(|number| memory.get(&token(number)) == Some(number)));
    }

    #[test]
    fn what_is_in_use_stays_while_others_come_and_go() {
        let memory = Memory::new(10_000);
        for number in 0..1000 {
            memory.insert(token(number), number);
        }
        for number in 1000..100_000 {
            memory.insert(token(number), number);
            assert_eq!(memory.get(&token(number % 1000)), Some(number % 1000), "{number}");
        }
    }

    #[test]
    fn the_first_bytes_alone_make_no_token() {
        let memory = Memory::new(100);
        let (mut one, mut two) = ([7; 32], [7; 32]);
        (one[20], two[20]) = (1, 2);
        let (one, two) = (TokenHash::from_bytes(one), TokenHash::from_bytes(two));
        memory.insert(one, 1);
        assert_eq!(memory.get(&two), None);
        memory.forget(&two, |_| true);
        assert_eq!(memory.get(&one), Some(1));
        memory.insert(two, 2);
        assert_eq!((memory.get(&one), memory.get(&two)), (None, Some(2)));
        assert_eq!(length(&memory), 1);
    }

    #[test]
    fn a_sweep_goes_through_all_shards_and_gives_space_back() {
        let memory = Memory::new(200_000);
        for number in 0..20_000 {
            memory.insert(token(number), number);
        }
        for _ in 0..memory.shards.len() {
            memory.sweep(|number| *number < 100);
        }
        assert_eq!(length(&memory), 100);
        assert!((0..100).all(|number| memory.get(&token(number)) == Some(number)));
        let capacity: usize =
            memory.shards.iter().map(|shard| shard.read().expect("no panic").entries.capacity()).sum();
        assert!(capacity < 2000, "{capacity}");
    }

    proptest! {
        /// It may forget, and never tells anything else than what it was told last.
        #[test]
        fn it_answers_with_the_latest_or_nothing(steps in proptest::collection::vec((0u8..4, 0u64..40), 0..300)) {
            let memory = Memory::new(16);
            let mut told = HashMap::new();
            for (at, (what, number)) in steps.into_iter().enumerate() {
                match what {
                    0 => {
                        memory.insert(token(number), at as u64);
                        told.insert(number, at as u64);
                    }
                    1 => {
                        memory.forget(&token(number), |_| true);
                        told.remove(&number);
                    }
                    2 => memory.sweep(|value| value % 3 != 0),
                    _ => {
                        let found = memory.get(&token(number));
                        prop_assert!(found.is_none() || found == told.get(&number).copied());
                    }
                }
                length(&memory);
            }
        }
    }
}
