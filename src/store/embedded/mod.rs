//! The store in a file of its own: SQLite, which a second process may open at the same time.
//!
//! SQLite blocks, so it lives on threads of its own: one writes and commits for all who wait, a few read. Nothing
//! outside this folder knows of it.

mod agents;
mod check;
mod columns;
mod connections;
mod consents;
mod devices;
mod failure;
mod file;
mod grants;
mod logouts;
mod native;
mod reader;
mod refresh;
mod registered;
mod requests;
mod revocations;
mod rows;
mod schema;
mod sealed;
mod upkeep;
mod upstream_clients;
mod verbs;
mod writer;

#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc, thread};

use self::{
    check::{Damage, PageCheck},
    reader::Readers,
    rows::Rows,
    writer::Writer,
};
use super::{StoreError, StoreResult, codec::Codec};
use crate::{oauth::SiteId, secret::SecretKey};

/// The store of one site in a SQLite file. Dropping it waits until what was begun is durable.
#[derive(Debug)]
pub struct EmbeddedStore {
    /// Runs while a large file is read to find damage.
    _check: Option<PageCheck>,
    writer: Writer,
    readers: Readers,
}

impl EmbeddedStore {
    /// Opens the file, which is made if there is none. Blocks: a small file is read once to find damage; a large one is
    /// read while it is used, and when damage is found then, nothing is written to it any more.
    ///
    /// # Errors
    /// `Unavailable` when the file can't be used, `Corrupt` when it is damaged, not ours, newer than this program, or of
    /// another secret key. The message says what to do; such a file is left as it is.
    pub fn open(path: &Path, site: SiteId, key: &SecretKey) -> StoreResult<Self> {
        open(path, site, key, check::READ_AT_START).map_err(|error| match error {
            StoreError::Unavailable(why) => StoreError::Unavailable(format!("{}: {why}", path.display())),
            StoreError::Corrupt(why) => StoreError::Corrupt(format!("{}: {why}", path.display())),
        })
    }
}

fn open(path: &Path, site: SiteId, key: &SecretKey, read_at_start: u64) -> StoreResult<EmbeddedStore> {
    let codec = Arc::new(Codec::new(key));
    let connection = file::open_writer(path)?;
    let damage = Damage::default();
    let check = check::pages(&connection, path, read_at_start, &damage)?;
    upkeep::check_key(&Rows::new(&connection, &site, &codec))?;
    let threads = thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
    let connections = (0..threads).map(|_| file::open_reader(path)).collect::<StoreResult<_>>()?;
    let unstarted = |error: std::io::Error| StoreError::Unavailable(format!("its threads can't be started: {error}"));
    let readers = Readers::start(connections, &site, &codec).map_err(unstarted)?;
    let writer = Writer::start(connection, site, codec, damage).map_err(unstarted)?;
    Ok(EmbeddedStore { _check: check, writer, readers })
}
