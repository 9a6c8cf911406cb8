//! Counts how often each client used each allowance: in memory at once, in the store now and then.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    clock::UnixTime,
    oauth::{Allowance, ClientId},
    store::AllowanceUse,
};

/// Told of each use, with the client and the allowance.
pub type AllowanceUsed = Box<dyn Fn(&ClientId, Allowance) + Send + Sync>;

/// The counts since they were last taken.
pub struct AllowanceCounter {
    pending: Mutex<HashMap<(ClientId, Allowance), (u64, UnixTime)>>,
    used: AllowanceUsed,
}

impl AllowanceCounter {
    /// A counter that passes each use on to `used` (the metrics).
    #[must_use]
    pub fn new(used: AllowanceUsed) -> Self {
        Self { pending: Mutex::default(), used }
    }

    /// Counts one use.
    pub fn count(&self, client: &ClientId, allowance: Allowance, now: UnixTime) {
        (self.used)(client, allowance);
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let (count, last) = pending.entry((client.clone(), allowance)).or_default();
        *count += 1;
        *last = now;
    }

    /// Takes what was counted since the last time, to be written to the store.
    #[must_use]
    pub fn take(&self) -> Vec<AllowanceUse> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = pending.drain();
        counted.map(|((client, allowance), (count, last))| AllowanceUse { client, allowance, count, last }).collect()
    }

    /// Puts back what could not be written.
    pub fn put_back(&self, uses: Vec<AllowanceUse>) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        for AllowanceUse { client, allowance, count, last } in uses {
            let entry = pending.entry((client, allowance)).or_default();
            *entry = (entry.0 + count, entry.1.max(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_written_is_counted_with_the_next() {
        let counter = AllowanceCounter::new(Box::new(|_, _| ()));
        let client = ClientId::new("a");
        counter.count(&client, Allowance::NoSecret, UnixTime::from_secs(2));
        let taken = counter.take();
        assert!(counter.take().is_empty());
        counter.count(&client, Allowance::NoSecret, UnixTime::from_secs(1));
        counter.put_back(taken);
        let expected = AllowanceUse { client, allowance: Allowance::NoSecret, count: 2, last: UnixTime::from_secs(2) };
        assert_eq!(counter.take(), [expected]);
    }
}
