//! A few threads that read, each with a connection of its own, so that reads wait neither for writes nor for a commit.

use std::{
    io,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{rows::Rows, writer::panicked};
use crate::{
    oauth::SiteId,
    store::{StoreError, StoreResult, codec::Codec},
};

/// Who reads beyond this waits for a place in the queue.
const QUEUE: usize = 1024;

type Job = Box<dyn FnOnce(&Rows<'_>) + Send>;

/// A handle to the threads. When it is dropped, they finish what was queued and end.
#[derive(Debug)]
pub struct Readers {
    /// `None` only while dropping.
    queue: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts a thread on each connection.
    pub fn start(connections: Vec<Connection>, site: &SiteId, codec: &Arc<Codec>) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        let mut readers = Self { queue: Some(queue), threads: Vec::new() };
        for connection in connections {
            let (jobs, site, codec) = (Arc::clone(&jobs), site.clone(), Arc::clone(codec));
            let work = move || {
                while let Some(job) = next(&jobs) {
                    job(&Rows::new(&connection, &site, &codec));
                }
            };
            readers.threads.push(thread::Builder::new().name("store-reader".to_owned()).spawn(work)?);
        }
        Ok(readers)
    }

    /// Does `work`, which sees all that was answered before.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Rows<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |rows| {
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| work(rows)));
            // Who asked may have gone.
            let _gone = answer.send(outcome.unwrap_or_else(|panic| Err(panicked(&*panic))));
        });
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(job).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

/// One idle thread at a time waits for a job, the others for the lock.
fn next(jobs: &Mutex<mpsc::Receiver<Job>>) -> Option<Job> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to finish.
            let _ended = thread.join();
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("its readers have stopped".to_owned())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::{secret::SecretKey, store::embedded::file};

    fn readers() -> (TempDir, Readers) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("empress.db");
        drop(file::open_writer(&path).expect("made"));
        let codec = Arc::new(Codec::new(&SecretKey::new([1; 32])));
        let connection = file::open_reader(&path).expect("opened");
        (directory, Readers::start(vec![connection], &SiteId::new("site"), &codec).expect("started"))
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_and_the_thread_goes_on() {
        let (_directory, readers) = readers();
        let panicked = readers.read(|_| -> StoreResult<()> { panic!("on purpose") }).await;
        assert!(matches!(panicked, Err(StoreError::Unavailable(text)) if text.contains("on purpose")));
        assert!(readers.read(|_| Ok(())).await.is_ok());
    }

    #[tokio::test]
    async fn a_reader_cannot_write() {
        let (_directory, readers) = readers();
        let written = readers.read(|rows| rows.change("DELETE FROM grants", [])).await;
        assert!(matches!(written, Err(StoreError::Unavailable(text)) if text.contains("readonly")));
    }
}
