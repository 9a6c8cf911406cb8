//! How much memory bodies may take that are held to be judged: so much for all of them together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// What is left.
#[derive(Clone, Debug)]
pub(super) struct Room(Arc<AtomicUsize>);

/// Some of it, until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<AtomicUsize>,
    size: usize,
}

impl Room {
    pub(super) fn new(size: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(size)))
    }

    /// Whether so much would fit into what is left.
    pub(super) fn has(&self, size: usize) -> bool {
        self.0.load(Ordering::Acquire) >= size
    }

    /// A place that is empty yet, if so much would fit into what is left. What is only announced takes nothing from others.
    pub(super) fn place_for(&self, size: usize) -> Option<Place> {
        self.has(size).then(|| Place { room: Arc::clone(&self.0), size: 0 })
    }
}

impl Place {
    /// Takes so much more, if it is there.
    pub(super) fn grow(&mut self, size: usize) -> bool {
        let less = |left: usize| left.checked_sub(size);
        let taken = self.room.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).is_ok();
        self.size += if taken { size } else { 0 };
        taken
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.fetch_add(self.size, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_missing_until_it_is_given_back() {
        let room = Room::new(10);
        let mut place = room.place_for(7).expect("room");
        let mut other = room.place_for(10).expect("nothing is taken yet");
        assert!(place.grow(4) && place.grow(3));
        assert!(room.place_for(4).is_none());
        assert!(!other.grow(4) && other.grow(3) && !other.grow(1));
        drop(place);
        assert!(room.place_for(8).is_none() && room.place_for(7).is_some());
        drop(other);
        assert!(room.place_for(10).is_some());
    }
}
