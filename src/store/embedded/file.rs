//! The file and the connections to it.

use std::{io, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags};

use super::schema;
use crate::store::{StoreError, StoreResult, private_file};

/// How long a connection waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// More than the verbs have statements.
const STATEMENTS_KEPT: usize = 128;
/// What the write-ahead log shrinks to after a burst.
const MOST_JOURNAL_BYTES: i64 = 64 << 20;

/// Pages that the writer keeps: those that tokens are added to.
const WRITER_CACHE_KIB: i64 = 16 << 10;

/// Makes the file if there is none, and opens it for the writer, with the present schema.
pub fn open_writer(path: &Path) -> StoreResult<Connection> {
    // SQLite does not wait for its turn to switch to WAL, so processes that start together take turns here.
    let _turn = private_file::lock_directory_of(path).map_err(|error| unusable(&error))?;
    match private_file::create(path) {
        Ok(_) => private_file::sync_directory_of(path).map_err(|error| unusable(&error))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(unusable(&error)),
    }
    let mut connection = connect(path)?;
    schema::prepare(&mut connection)?;
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Unavailable(format!("the journal mode is {mode}, and WAL is not possible there")));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", MOST_JOURNAL_BYTES)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    // What a savepoint may have to restore is never in a file.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Opens the file for a reader. WAL needs a writable connection even to read; statements that write are refused.
pub fn open_reader(path: &Path) -> StoreResult<Connection> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn connect(path: &Path) -> StoreResult<Connection> {
    // One thread owns each connection, so SQLite need not lock it. Without CREATE, a file that is gone stays gone.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(connection)
}

fn unusable(error: &io::Error) -> StoreError {
    StoreError::Unavailable(format!("its file can't be opened: {error}"))
}
