//! The schema: which file is ours, how an older one becomes the present one, and what is refused.

use rusqlite::{Connection, TransactionBehavior};

use crate::store::{StoreError, StoreResult};

/// "EMPR": marks a SQLite file as ours.
const APPLICATION_ID: i32 = 0x454d_5052;

/// Each step from one version of the schema to the next; `user_version` counts the steps that were made.
const MIGRATIONS: [&str; 14] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_erpnext.sql"),
    include_str!("migrations/0003_claims.sql"),
    include_str!("migrations/0004_logout.sql"),
    include_str!("migrations/0005_keys.sql"),
    include_str!("migrations/0006_connections.sql"),
    include_str!("migrations/0007_first_uses.sql"),
    include_str!("migrations/0008_dpop.sql"),
    include_str!("migrations/0009_devices.sql"),
    include_str!("migrations/0010_registered_clients.sql"),
    include_str!("migrations/0011_exchange.sql"),
    include_str!("migrations/0012_agents.sql"),
    include_str!("migrations/0013_resources.sql"),
    include_str!("migrations/0014_consents.sql"),
];

/// Brings the file to the present schema. Nothing is written to a file that is not ours or newer than this program.
pub fn prepare(connection: &mut Connection) -> StoreResult<()> {
    // In a transaction, so that what is read belongs together.
    if done(&*connection.transaction()?)? < MIGRATIONS.len() {
        // Two processes may start together: who comes second finds the work done.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for step in MIGRATIONS.iter().skip(done(&transaction)?) {
            transaction.execute_batch(step)?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
        transaction.commit()?;
    }
    check_tables(connection)
}

/// How many migrations the file has seen.
fn done(connection: &Connection) -> StoreResult<usize> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let (owner, version) = (number("application_id")?, number("user_version")?);
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if objects == 0 && owner == 0 && version == 0 {
        return Ok(0);
    }
    if owner != i64::from(APPLICATION_ID) {
        return Err(StoreError::Corrupt(
            "it is the database of another program: set [store].path to a file of the gateway's own".to_owned(),
        ));
    }
    match usize::try_from(version) {
        Ok(done @ 1..) if done <= MIGRATIONS.len() => Ok(done),
        _ => Err(StoreError::Corrupt(format!(
            "its schema has version {version} and this program knows up to {}: start the newer program that wrote it, \
             or restore the backup from before the upgrade",
            MIGRATIONS.len()
        ))),
    }
}

/// Compares the names of tables and indexes with those of a fresh schema; the operator may have added some.
fn check_tables(connection: &Connection) -> StoreResult<()> {
    let fresh = Connection::open_in_memory()?;
    for step in MIGRATIONS {
        fresh.execute_batch(step)?;
    }
    let present = objects(connection)?;
    match objects(&fresh)?.into_iter().find(|object| !present.contains(object)) {
        None => Ok(()),
        Some(missing) => Err(damaged(&format!("{missing} is missing"))),
    }
}

fn objects(connection: &Connection) -> StoreResult<Vec<String>> {
    let mut statement = connection.prepare("SELECT type || ' ' || name FROM sqlite_schema")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// The failure that damage is, with what to do.
pub fn damaged(what: &str) -> StoreError {
    StoreError::Corrupt(format!("the file is damaged ({what}): restore it from a backup"))
}
