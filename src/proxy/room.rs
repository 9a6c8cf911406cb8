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

    /// Takes so much, if it is there.
    pub(super) fn take(&self, size: usize) -> Option<Place> {
        let less = |left: usize| left.checked_sub(size);
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less).ok()?;
        Some(Place { room: Arc::clone(&self.0), size })
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
        let place = room.take(7).expect("room");
        assert!(room.take(4).is_none());
        assert!(room.take(3).is_some());
        drop(place);
        assert!(room.take(10).is_some());
    }
}
