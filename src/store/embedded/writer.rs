//! The one thread that writes. It commits all that waits in one transaction, and answers after the commit.

use std::{
    any::Any,
    io,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{check::Damage, rows::Rows};
use crate::{
    oauth::SiteId,
    store::{StoreError, StoreResult, codec::Codec},
};

/// Who writes beyond this waits for a place in the queue.
const QUEUE: usize = 1024;
/// How many jobs share a transaction at most, so that the first one's answer does not wait for ever more.
const BATCH: usize = 256;

/// A handle to the thread. When it is dropped, the thread finishes what was queued and ends.
#[derive(Debug)]
pub struct Writer {
    /// `None` only while dropping.
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread on its connection.
    pub fn start(connection: Connection, site: SiteId, codec: Arc<Codec>, damage: Damage) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let worker = Worker { connection, site, codec, damage };
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(move || worker.run(jobs))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Does `work` as one step; returns when it is durable. A failure of the work undoes the work alone. The work is
    /// done, once queued, also when nobody waits for its answer any longer.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Rows<'_>) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let (answer, answered) = oneshot::channel();
        let job = Write { work: Some(work), outcome: Err(stopped()), answer };
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(Box::new(job)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to finish.
            let _ended = thread.join();
        }
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("its writer has stopped".to_owned())
}

/// One step that waits to be done and answered.
trait Job: Send {
    /// Does the work and keeps its outcome. `Err` when the transaction itself is lost.
    fn attempt(&mut self, connection: &Connection, site: &SiteId, codec: &Codec) -> Result<(), String>;
    /// Answers with the outcome, or with why nothing was committed.
    fn answer(self: Box<Self>, committed: Result<(), &str>);
}

struct Write<F, T> {
    work: Option<F>,
    outcome: StoreResult<T>,
    answer: oneshot::Sender<StoreResult<T>>,
}

impl<F, T> Job for Write<F, T>
where
    F: FnOnce(&Rows<'_>) -> StoreResult<T> + Send,
    T: Send,
{
    fn attempt(&mut self, connection: &Connection, site: &SiteId, codec: &Codec) -> Result<(), String> {
        let Some(work) = self.work.take() else { return Ok(()) };
        self.outcome = in_savepoint(connection, |connection| work(&Rows::new(connection, site, codec)));
        // Some failures (a full disk, a failed read) make SQLite roll back everything, not only the savepoint.
        match &self.outcome {
            Err(error) if connection.is_autocommit() => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    fn answer(self: Box<Self>, committed: Result<(), &str>) {
        let outcome = match committed {
            Ok(()) => self.outcome,
            Err(why) => Err(StoreError::Unavailable(why.to_owned())),
        };
        // Who asked may have gone.
        let _gone = self.answer.send(outcome);
    }
}

/// Runs `work` so that its failure or panic undoes its own changes and no others.
fn in_savepoint<T>(connection: &Connection, work: impl FnOnce(&Connection) -> StoreResult<T>) -> StoreResult<T> {
    run(connection, "SAVEPOINT step")?;
    let outcome =
        panic::catch_unwind(AssertUnwindSafe(|| work(connection))).unwrap_or_else(|panic| Err(panicked(&*panic)));
    if outcome.is_err() && !connection.is_autocommit() {
        run(connection, "ROLLBACK TO step")?;
    }
    if !connection.is_autocommit() {
        run(connection, "RELEASE step")?;
    }
    outcome
}

/// Runs a statement that is kept prepared.
fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// The failure that a panic is to the caller; the panic hook has reported the rest.
pub fn panicked(panic: &(dyn Any + Send)) -> StoreError {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    StoreError::Unavailable(format!("a step failed: {}", text.unwrap_or("panic")))
}

struct Worker {
    connection: Connection,
    site: SiteId,
    codec: Arc<Codec>,
    damage: Damage,
}

impl Worker {
    fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut batch = Vec::new();
            let committed = self.commit(first, &mut jobs, &mut batch);
            for job in batch {
                job.answer(committed.as_ref().copied().map_err(String::as_str));
            }
        }
    }

    /// Does `first` and all that waits behind it in one transaction, leaving in `batch` who is to be answered.
    fn commit(
        &mut self,
        first: Box<dyn Job>,
        jobs: &mut mpsc::Receiver<Box<dyn Job>>,
        batch: &mut Vec<Box<dyn Job>>,
    ) -> Result<(), String> {
        batch.push(first);
        if let Some(why) = self.damage.get() {
            return Err(why.clone());
        }
        let outcome = self.transact(jobs, batch);
        if outcome.is_err() && !self.connection.is_autocommit() {
            // Nothing of a failed commit may reach the next one.
            self.connection.execute_batch("ROLLBACK").map_err(|error| error.to_string())?;
        }
        outcome
    }

    fn transact(
        &mut self,
        jobs: &mut mpsc::Receiver<Box<dyn Job>>,
        batch: &mut Vec<Box<dyn Job>>,
    ) -> Result<(), String> {
        run(&self.connection, "BEGIN IMMEDIATE").map_err(|error| error.to_string())?;
        while let Some(job) = batch.last_mut() {
            job.attempt(&self.connection, &self.site, &self.codec)?;
            if batch.len() >= BATCH {
                break;
            }
            match jobs.try_recv() {
                Ok(next) => batch.push(next),
                Err(_) => break,
            }
        }
        run(&self.connection, "COMMIT").map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::params;
    use tempfile::TempDir;

    use super::*;
    use crate::{secret::SecretKey, store::embedded::file};

    fn writer() -> (TempDir, Writer) {
        let directory = tempfile::tempdir().expect("a directory");
        let connection = file::open_writer(&directory.path().join("empress.db")).expect("opened");
        connection.busy_timeout(std::time::Duration::ZERO).expect("set");
        let codec = Arc::new(Codec::new(&SecretKey::new([1; 32])));
        (directory, Writer::start(connection, SiteId::new("site"), codec, Damage::default()).expect("started"))
    }

    fn put(rows: &Rows<'_>, name: &str) -> StoreResult<usize> {
        rows.change("INSERT INTO settings (site, name, value) VALUES (?1, ?2, x'00')", params![rows.site, name])
    }

    async fn names(writer: &Writer) -> Vec<String> {
        let all = |rows: &Rows<'_>| rows.all("SELECT name FROM settings ORDER BY name", [], |row| row.get(0));
        writer.write(all).await.expect("read")
    }

    #[tokio::test]
    async fn a_failing_step_and_a_panic_undo_themselves_alone() {
        let (_directory, writer) = writer();
        let fails = writer.write(|rows| {
            put(rows, "failed")?;
            Err::<(), _>(StoreError::Corrupt("on purpose".to_owned()))
        });
        let panics = writer.write(|rows| -> StoreResult<()> {
            put(rows, "panicked")?;
            panic!("on purpose")
        });
        let (before, failed, panicked, after) = tokio::join!(
            writer.write(|rows| put(rows, "before")),
            fails,
            panics,
            writer.write(|rows| put(rows, "after")),
        );
        assert!(matches!(failed, Err(StoreError::Corrupt(_))));
        assert!(matches!(panicked, Err(StoreError::Unavailable(text)) if text.contains("on purpose")));
        assert!(before.is_ok() && after.is_ok());
        assert_eq!(names(&writer).await, ["after", "before"]);
    }

    #[tokio::test]
    async fn all_that_waits_shares_a_transaction_and_its_fate() {
        let (_directory, writer) = writer();
        let (open, gate) = std::sync::mpsc::channel();
        let first = writer.write(move |rows| {
            gate.recv().expect("opened when all are queued");
            put(rows, "first")
        });
        let loses = writer.write(|rows| {
            rows.change("ROLLBACK", [])?;
            Err::<(), _>(StoreError::Unavailable("the disk is full".to_owned()))
        });
        let second = writer.write(|rows| put(rows, "second"));
        let (first, second, lost, _opened) = tokio::join!(first, second, loses, async { open.send(()) });
        for outcome in [first.map(|_| ()), second.map(|_| ()), lost] {
            assert!(matches!(outcome, Err(StoreError::Unavailable(text)) if text.contains("disk is full")));
        }
        assert!(names(&writer).await.is_empty());
        writer.write(|rows| put(rows, "next")).await.expect("works again");
        assert_eq!(names(&writer).await, ["next"]);
    }

    #[tokio::test]
    async fn a_failed_commit_fails_all_its_steps_and_the_next_one_works() {
        let (_directory, writer) = writer();
        let deferred = |rows: &Rows<'_>| {
            rows.change("CREATE TABLE parent (id PRIMARY KEY)", [])?;
            rows.change("CREATE TABLE child (id REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)", [])?;
            rows.change("INSERT INTO child VALUES ('missing')", [])
        };
        let failed = writer.write(deferred).await;
        assert!(matches!(&failed, Err(StoreError::Unavailable(text)) if text.contains("FOREIGN KEY")), "{failed:?}");
        writer.write(|rows| put(rows, "next")).await.expect("works again");
        assert_eq!(names(&writer).await, ["next"]);
    }

    #[tokio::test]
    async fn what_was_queued_is_done_before_the_thread_ends() {
        let (directory, writer) = writer();
        for number in 0..20 {
            let write = writer.write(move |rows| put(rows, &format!("{number:02}")));
            // Polled once: the job is in the queue, and nobody waits for its answer.
            assert!(tokio::time::timeout(std::time::Duration::ZERO, write).await.map_or(true, |done| done.is_ok()));
        }
        drop(writer);
        let connection = Connection::open(directory.path().join("empress.db")).expect("opened");
        let count: i64 = connection.query_row("SELECT count(*) FROM settings", [], |row| row.get(0)).expect("count");
        assert_eq!(count, 20);
    }

    #[tokio::test]
    async fn a_file_that_is_locked_for_long_is_unavailable_and_comes_back() {
        let (directory, writer) = writer();
        let other = Connection::open(directory.path().join("empress.db")).expect("opened");
        other.execute_batch("BEGIN IMMEDIATE").expect("locked");
        let locked = writer.write(|rows| put(rows, "while locked")).await;
        assert!(matches!(locked, Err(StoreError::Unavailable(text)) if text.contains("locked")));
        other.execute_batch("ROLLBACK").expect("unlocked");
        writer.write(|rows| put(rows, "afterwards")).await.expect("works again");
    }
}
