//! One run of the same work at a time: whoever asks while it runs shares its outcome, a failure too, and nobody who
//! stops waiting stops the work.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{runtime::Handle, sync::watch};

use super::DirectoryError;

type Outcome<T> = Result<T, DirectoryError>;
type Running<K, T> = HashMap<K, watch::Receiver<Option<Outcome<T>>>>;

/// Work under way, by what it is for.
pub(super) struct Flights<K: Eq + Hash, T> {
    running: Arc<Mutex<Running<K, T>>>,
    io: Handle,
}

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Clone + Send + Sync + 'static,
{
    pub(super) fn new(io: Handle) -> Self {
        Self { running: Arc::default(), io }
    }

    /// The outcome of the work that runs for `key`, which is `work` if none does.
    pub(super) async fn share<W>(&self, key: K, work: W) -> Outcome<T>
    where
        W: Future<Output = Outcome<T>> + Send + 'static,
    {
        let mut outcome = self.start(key, work);
        let broken_off = || DirectoryError::Unavailable("a call was broken off".to_owned());
        let outcome = outcome.wait_for(Option::is_some).await.map_err(|_| broken_off())?;
        outcome.clone().ok_or_else(broken_off)?
    }

    /// Starts the work unless it runs for this key already; does not wait.
    pub(super) fn start<W>(&self, key: K, work: W) -> watch::Receiver<Option<Outcome<T>>>
    where
        W: Future<Output = Outcome<T>> + Send + 'static,
    {
        let mut running = lock(&self.running);
        if let Some(outcome) = running.get(&key) {
            return outcome.clone();
        }
        let (done, outcome) = watch::channel(None);
        running.insert(key.clone(), outcome.clone());
        let landing = Landing { running: Arc::clone(&self.running), key };
        self.io.spawn(async move {
            let outcome = work.await;
            drop(landing);
            done.send_replace(Some(outcome));
        });
        outcome
    }
}

/// Takes the work off the list when it is over, also when it panicked.
struct Landing<K: Eq + Hash, T> {
    running: Arc<Mutex<Running<K, T>>>,
    key: K,
}

impl<K: Eq + Hash, T> Drop for Landing<K, T> {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn those_who_ask_meanwhile_share_one_run_and_its_failure() {
        let flights = Flights::<u8, u8>::new(Handle::current());
        let (runs, go) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
        let work = || {
            let (runs, go) = (Arc::clone(&runs), Arc::clone(&go));
            async move {
                runs.fetch_add(1, Ordering::SeqCst);
                go.notified().await;
                Err(DirectoryError::UserGone)
            }
        };
        let (first, second, ()) = tokio::join!(flights.share(1, work()), flights.share(1, work()), async {
            tokio::task::yield_now().await;
            go.notify_one();
        });
        assert_eq!((first, second), (Err(DirectoryError::UserGone), Err(DirectoryError::UserGone)));
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        assert_eq!(flights.share(1, async { Ok(7) }).await, Ok(7), "a failure is not kept");
    }

    #[tokio::test]
    async fn the_work_goes_on_when_nobody_waits_any_more() {
        let flights = Flights::<u8, u8>::new(Handle::current());
        let mut outcome = flights.start(1, async { Ok(7) });
        drop(flights);
        assert_eq!(outcome.wait_for(Option::is_some).await.expect("it ran").clone(), Some(Ok(7)));
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_and_blocks_nobody() {
        let flights = Flights::<u8, u8>::new(Handle::current());
        let panicking = flights.share(1, async { panic!("on purpose") }).await;
        assert!(matches!(panicking, Err(DirectoryError::Unavailable(_))));
        assert_eq!(flights.share(1, async { Ok(7) }).await, Ok(7));
    }
}
