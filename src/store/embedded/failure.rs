//! What SQLite's errors mean for the caller.

use rusqlite::{Error, ErrorCode};

use crate::store::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        if is_damage(&error) {
            Self::Corrupt(format!("{error}; stop the gateway and restore the store's file from a backup"))
        } else {
            Self::Unavailable(error.to_string())
        }
    }
}

fn is_damage(error: &Error) -> bool {
    match error {
        Error::SqliteFailure(cause, _) | Error::SqlInputError { error: cause, .. } => {
            // `Unknown` is a statement that does not fit the schema.
            matches!(cause.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
        }
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, ffi};

    use super::*;

    fn meaning(code: i32) -> StoreError {
        Error::SqliteFailure(ffi::Error::new(code), None).into()
    }

    #[test]
    fn a_full_disk_a_lock_and_a_read_only_file_pass() {
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_BUSY, ffi::SQLITE_READONLY, ffi::SQLITE_IOERR, ffi::SQLITE_CANTOPEN]
        {
            assert!(matches!(meaning(code), StoreError::Unavailable(_)), "{code}");
        }
    }

    #[test]
    fn damage_and_a_foreign_file_say_what_to_do() {
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB] {
            assert!(matches!(meaning(code), StoreError::Corrupt(text) if text.contains("backup")), "{code}");
        }
    }

    #[test]
    fn a_missing_table_and_a_value_of_another_type_are_damage() {
        let connection = Connection::open_in_memory().expect("SQLite");
        let missing = connection.execute("DELETE FROM grants", []).expect_err("no such table");
        assert!(matches!(missing.into(), StoreError::Corrupt(_)));
        let text = connection.query_row("SELECT 'x'", [], |row| row.get::<_, i64>(0)).expect_err("no number");
        assert!(matches!(text.into(), StoreError::Corrupt(_)));
    }
}
