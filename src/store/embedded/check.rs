//! Whether the pages of a file are sound. A small file is read whole before it is used; a large one would keep the gateway
//! from serving for as long as that takes, and is read on a thread of its own while it is used.

use std::{
    fmt, fs, io,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, InterruptHandle};

use super::{file, schema::damaged};
use crate::store::{StoreError, StoreResult};

/// A file up to this is read in less than a tenth of a second.
pub const READ_AT_START: u64 = 32 << 20;
/// A check that is to end is told so again and again: what interrupts a statement does nothing between two of them.
const TOLD_EVERY: Duration = Duration::from_millis(5);

/// What was found to be damaged. Nothing is written any more from then on.
pub type Damage = Arc<OnceLock<String>>;

/// A check that runs beside the use of the file. Dropping it ends it.
pub struct PageCheck {
    stop: Arc<AtomicBool>,
    interrupt: InterruptHandle,
    ended: Mutex<mpsc::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Checks a file, or begins to: what is found later than this returns is told through `damage`.
///
/// # Errors
/// `Corrupt`, with what is damaged and what to do.
pub fn pages(connection: &Connection, path: &Path, at_start: u64, damage: &Damage) -> StoreResult<Option<PageCheck>> {
    let unusable = |error: io::Error| StoreError::Unavailable(format!("its pages can't be checked: {error}"));
    if fs::metadata(path).map_err(unusable)?.len() <= at_start {
        return check(connection, "PRAGMA quick_check(1)").map(|()| None);
    }
    let connection = file::open_reader(path)?;
    let tables = tables(&connection)?;
    let (stop, interrupt) = (Arc::new(AtomicBool::new(false)), connection.get_interrupt_handle());
    let (end, ended) = mpsc::channel();
    let (stopped, damage) = (Arc::clone(&stop), Arc::clone(damage));
    let work = move || {
        check_all(&connection, &tables, &stopped, &damage);
        // Dropped with the check: it has ended then.
        drop(end);
    };
    let thread = Some(thread::Builder::new().name("store-check".to_owned()).spawn(work).map_err(unusable)?);
    Ok(Some(PageCheck { stop, interrupt, ended: Mutex::new(ended), thread }))
}

/// One table after the other, so that the log of writes need not be kept for the whole time.
fn check_all(connection: &Connection, tables: &[String], stop: &AtomicBool, damage: &Damage) {
    for table in tables {
        if stop.load(Ordering::Acquire) {
            return;
        }
        match check(connection, &format!("PRAGMA quick_check('{table}')")) {
            Ok(()) => {}
            Err(StoreError::Corrupt(why)) => {
                tracing::error!("the store: {why}; nothing is written to it any more");
                // The first finding is kept.
                let _ = damage.set(why);
                return;
            }
            Err(StoreError::Unavailable(_)) if stop.load(Ordering::Acquire) => return,
            Err(error) => tracing::warn!(%error, table, "the pages of a table can't be checked"),
        }
    }
    tracing::info!("the store's pages are sound");
}

fn tables(connection: &Connection) -> StoreResult<Vec<String>> {
    let ours = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%''%' ORDER BY name";
    let mut statement = connection.prepare(ours)?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

fn check(connection: &Connection, sql: &str) -> StoreResult<()> {
    match connection.query_row(sql, [], |row| row.get::<_, String>(0)) {
        Ok(verdict) if verdict == "ok" => Ok(()),
        Ok(verdict) => Err(damaged(&verdict)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Err(damaged(&error.to_string())),
        Err(error) => Err(error.into()),
    }
}

impl Drop for PageCheck {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        loop {
            self.interrupt.interrupt();
            if ended.recv_timeout(TOLD_EVERY) == Err(mpsc::RecvTimeoutError::Disconnected) {
                break;
            }
        }
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to do.
            let _ended = thread.join();
        }
    }
}

impl fmt::Debug for PageCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageCheck(…)")
    }
}
