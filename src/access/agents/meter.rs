//! What one agent has done today.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use super::{Budgets, Effect};
use crate::{
    oauth::{ClientId, DailyBudget},
    store::{AgentUse, Day},
};

/// Something of which there is so much in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// Requests.
    Requests,
    /// Those that are writes.
    Writes,
}

impl Budget {
    /// The word for it in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Writes => "writes",
        }
    }
}

/// Counts without a lock, but for the first request of a day.
#[derive(Debug, Default)]
pub(super) struct Meter {
    day: AtomicU64,
    requests: Count,
    writes: Count,
    turning: Mutex<Turned>,
}

/// What was done on the day before and could not be written on it.
#[derive(Debug, Default)]
struct Turned {
    left: Vec<(Day, u64, u64)>,
}

#[derive(Debug, Default)]
struct Count {
    /// By all processes, as far as is known here.
    known: AtomicU64,
    /// By this one, since it was last written.
    unwritten: AtomicU64,
    told: AtomicBool,
}

impl Meter {
    /// Takes a request out of the budgets. `Err`: which of them is used up, and whether that is told for the first time.
    pub(super) fn spend(&self, budgets: Budgets, effect: Effect, day: Day) -> Result<(), (Budget, bool)> {
        self.turn_to(day);
        self.requests.spend(budgets.requests).map_err(|first| (Budget::Requests, first))?;
        if effect == Effect::Write {
            self.writes.spend(budgets.writes).map_err(|first| {
                self.requests.give_back();
                (Budget::Writes, first)
            })?;
        }
        Ok(())
    }

    /// A new day has begun: what is left of the one before is put aside, and all begins anew. A clock that steps back stays in the
    /// later day.
    fn turn_to(&self, day: Day) {
        if self.day.load(Ordering::Acquire) >= day.0 {
            return;
        }
        let mut turned = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.day.load(Ordering::Acquire);
        if before >= day.0 {
            return;
        }
        let (requests, writes) = (self.requests.begin_anew(), self.writes.begin_anew());
        if requests + writes > 0 {
            turned.left.push((Day(before), requests, writes));
        }
        self.day.store(day.0, Ordering::Release);
    }

    /// Takes what is to be written.
    pub(super) fn take(&self, client: &ClientId) -> Vec<AgentUse> {
        let mut turned = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = std::mem::take(&mut turned.left);
        let day = Day(self.day.load(Ordering::Acquire));
        left.push((day, self.requests.take(), self.writes.take()));
        drop(turned);
        let done = left.into_iter().filter(|(_, requests, writes)| requests + writes > 0);
        done.map(|(day, requests, writes)| AgentUse { client: client.clone(), day, requests, writes }).collect()
    }

    /// Whether it knows something of this day, or something that has yet to be written.
    pub(super) fn is_needed(&self, day: Day) -> bool {
        let turned = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        self.day.load(Ordering::Acquire) >= day.0 || !turned.left.is_empty() || self.has_unwritten()
    }

    fn has_unwritten(&self) -> bool {
        [&self.requests, &self.writes].iter().any(|count| count.unwritten.load(Ordering::Acquire) > 0)
    }

    /// Puts back what could not be written.
    pub(super) fn put_back(&self, one: &AgentUse) {
        let mut turned = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        if one.day.0 == self.day.load(Ordering::Acquire) {
            self.requests.unwritten.fetch_add(one.requests, Ordering::AcqRel);
            self.writes.unwritten.fetch_add(one.writes, Ordering::AcqRel);
        } else {
            turned.left.push((one.day, one.requests, one.writes));
        }
    }

    /// What all processes have written of a day.
    pub(super) fn take_over(&self, written: &AgentUse) {
        self.turn_to(written.day);
        // No other day begins meanwhile.
        let _turned = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        if written.day.0 == self.day.load(Ordering::Acquire) {
            self.requests.take_over(written.requests);
            self.writes.take_over(written.writes);
        }
    }
}

impl Count {
    /// Takes one, if there is one left; otherwise whether that is the first time.
    fn spend(&self, budget: DailyBudget) -> Result<(), bool> {
        // Nothing is added that would have to be taken back: a new day may have begun in between.
        let more = |used: u64| budget.limit().is_none_or(|limit| used < limit).then(|| used.saturating_add(1));
        if self.known.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_err() {
            return Err(!self.told.swap(true, Ordering::AcqRel));
        }
        self.unwritten.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    fn give_back(&self) {
        let less = |count: u64| Some(count.saturating_sub(1));
        // It may have been written, or the day may be over: then there is nothing to take back.
        for count in [&self.known, &self.unwritten] {
            let _ = count.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        }
    }

    fn take(&self) -> u64 {
        self.unwritten.swap(0, Ordering::AcqRel)
    }

    fn begin_anew(&self) -> u64 {
        self.known.store(0, Ordering::Release);
        self.told.store(false, Ordering::Release);
        self.take()
    }

    /// What is on its way into the store is in neither of the two: of a day, nothing that is known is forgotten.
    fn take_over(&self, written: u64) {
        let known = written.saturating_add(self.unwritten.load(Ordering::Acquire));
        self.known.fetch_max(known, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGETS: Budgets = Budgets { requests: DailyBudget::of(10), writes: DailyBudget::of(2) };

    fn used(client: &ClientId, day: u64, requests: u64, writes: u64) -> AgentUse {
        AgentUse { client: client.clone(), day: Day(day), requests, writes }
    }

    #[test]
    fn what_is_done_is_written_once_for_its_day() {
        let (meter, client) = (Meter::default(), ClientId::new("a"));
        for effect in [Effect::Read, Effect::Write, Effect::Read] {
            assert_eq!(meter.spend(BUDGETS, effect, Day(5)), Ok(()));
        }
        let taken = meter.take(&client);
        assert_eq!(taken, [used(&client, 5, 3, 1)]);
        assert_eq!(meter.take(&client), []);
        meter.put_back(&taken[0]);
        assert_eq!(meter.spend(BUDGETS, Effect::Read, Day(6)), Ok(()));
        assert_eq!(meter.take(&client), [used(&client, 5, 3, 1), used(&client, 6, 1, 0)]);
        meter.put_back(&used(&client, 5, 3, 1));
        assert_eq!(meter.take(&client), [used(&client, 5, 3, 1)], "not of today");
    }

    #[test]
    fn what_others_did_counts() {
        let (meter, client) = (Meter::default(), ClientId::new("a"));
        assert_eq!(meter.spend(BUDGETS, Effect::Write, Day(5)), Ok(()));
        meter.take_over(&used(&client, 5, 8, 1));
        assert_eq!(meter.spend(BUDGETS, Effect::Write, Day(5)), Err((Budget::Writes, true)), "one there, one here");
        assert_eq!(meter.spend(BUDGETS, Effect::Read, Day(5)), Ok(()));
        assert_eq!(meter.spend(BUDGETS, Effect::Read, Day(5)), Err((Budget::Requests, true)));
        meter.take_over(&used(&client, 4, 100, 100));
        assert_eq!(meter.take(&client), [used(&client, 5, 2, 1)], "a day that is over changes nothing");
    }

    #[test]
    fn what_is_being_written_is_not_forgotten() {
        let (meter, client) = (Meter::default(), ClientId::new("a"));
        assert_eq!(meter.spend(BUDGETS, Effect::Write, Day(5)), Ok(()));
        assert_eq!(meter.spend(BUDGETS, Effect::Write, Day(5)), Ok(()));
        assert_eq!(meter.take(&client), [used(&client, 5, 2, 2)]);
        // Another reads what the store has before that is there.
        meter.take_over(&used(&client, 5, 0, 0));
        assert_eq!(meter.spend(BUDGETS, Effect::Write, Day(5)), Err((Budget::Writes, true)));
        meter.take_over(&used(&client, 5, 2, 2));
        assert_eq!(meter.spend(BUDGETS, Effect::Write, Day(6)), Ok(()), "another day");
    }

    /// What was added and taken back around midnight would be taken from the new day's count.
    #[test]
    fn what_is_refused_is_not_counted_for_a_moment() {
        const ONE: Budgets = Budgets { requests: DailyBudget::of(1), writes: DailyBudget::Off };
        let (meter, stop) = (Meter::default(), AtomicBool::new(false));
        assert_eq!(meter.spend(ONE, Effect::Read, Day(5)), Ok(()));
        std::thread::scope(|scope| {
            let _ended = Ended(&stop);
            for _ in 0..4 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Acquire) {
                        assert!(meter.spend(ONE, Effect::Read, Day(5)).is_err());
                    }
                });
            }
            let begun = tokio::time::Instant::now();
            while begun.elapsed() < std::time::Duration::from_millis(500) {
                assert_eq!(meter.requests.known.load(Ordering::Acquire), 1);
            }
        });
        assert_eq!(meter.spend(ONE, Effect::Read, Day(6)), Ok(()), "a day begins with nothing used");
    }

    /// Ends the threads of a scope also when it panics.
    struct Ended<'a>(&'a AtomicBool);

    impl Drop for Ended<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Release);
        }
    }

    #[test]
    fn of_many_at_once_as_many_pass_as_there_are() {
        let meter = Meter::default();
        let passed = std::thread::scope(|scope| {
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| (0..100).filter(|_| meter.spend(BUDGETS, Effect::Read, Day(5)).is_ok()).count())
                })
                .collect();
            tasks.into_iter().map(|task| task.join().expect("no panic")).sum::<usize>()
        });
        assert!((1..=10).contains(&passed), "{passed}");
        assert_eq!(meter.take(&ClientId::new("a")).iter().map(|one| one.requests).sum::<u64>(), passed as u64);
    }
}
