//! Answers that are believed for a while, each asked for once however many wait.

use std::{hash::Hash, time::Duration};

use tokio::runtime::Handle;

use super::{DirectoryError, flights::Flights};
use crate::clock::UnixTime;

const CAPACITY: u64 = 50_000;
/// Housekeeping only: whether an answer still holds is judged by our clock.
const FORGET_AFTER: Duration = Duration::from_secs(15 * 60);

/// Answers by what was asked. A failure is not kept.
pub(super) struct Kept<K: Eq + Hash, T> {
    answers: moka::sync::Cache<K, Answered<T>>,
    flights: Flights<K, T>,
}

#[derive(Clone)]
struct Answered<T> {
    answer: T,
    at: UnixTime,
    edition: String,
}

/// Which answers still hold.
pub(super) struct Holds {
    pub(super) now: UnixTime,
    pub(super) ttl: Duration,
    /// An answer to another edition does not hold.
    pub(super) edition: String,
}

impl<K, T> Kept<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    pub(super) fn new(io: Handle) -> Self {
        let answers = moka::sync::Cache::builder().max_capacity(CAPACITY).time_to_live(FORGET_AFTER).build();
        Self { answers, flights: Flights::new(io) }
    }

    /// The kept answer, or the one that `ask` gives.
    pub(super) async fn get<W>(&self, key: K, holds: Holds, ask: W) -> Result<T, DirectoryError>
    where
        W: Future<Output = Result<T, DirectoryError>> + Send + 'static,
    {
        let kept = self.answers.get(&key);
        let kept = kept.filter(|kept| kept.edition == holds.edition && holds.now.since(kept.at) < holds.ttl);
        if let Some(kept) = kept {
            return Ok(kept.answer);
        }
        let (answers, for_key, Holds { now: at, edition, .. }) = (self.answers.clone(), key.clone(), holds);
        let work = async move {
            let answer = ask.await?;
            answers.insert(for_key, Answered { answer: answer.clone(), at, edition });
            Ok(answer)
        };
        self.flights.share(key, work).await
    }
}
