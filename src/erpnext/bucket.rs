//! An allotment that fills up again with time.

use std::time::Duration;

use crate::clock::UnixTime;

/// So many at once, and then one each `1/most` of the period.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    most: u32,
    period: Duration,
    /// When the bucket will be full again.
    full_at: UnixTime,
}

impl Bucket {
    pub(super) const fn new(most: u32, period: Duration) -> Self {
        Self { most, period, full_at: UnixTime::from_millis(0) }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: UnixTime) -> bool {
        let full_at = self.full_at.max(now).plus(self.period / self.most);
        let fits = full_at.since(now) <= self.period;
        if fits {
            self.full_at = full_at;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_what_it_has_and_then_as_fast_as_it_fills() {
        let mut bucket = Bucket::new(4, Duration::from_secs(2));
        let start = UnixTime::from_secs(100);
        let taken = (0..10).filter(|_| bucket.take(start)).count();
        assert_eq!(taken, 4);
        assert!(!bucket.take(start.plus(Duration::from_millis(499))));
        assert!(bucket.take(start.plus(Duration::from_millis(500))));
        assert!(!bucket.take(start.plus(Duration::from_millis(500))));
        assert_eq!((0..10).filter(|_| bucket.take(start.plus(Duration::from_secs(9)))).count(), 4);
    }
}
