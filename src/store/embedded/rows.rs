//! One site's rows in the file: what a verb works on, inside a transaction of its writer or on a reader's connection.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row};

use crate::{
    oauth::SiteId,
    store::{
        StoreResult,
        codec::{Codec, Place},
    },
};

/// A connection, with the site whose rows are meant and the codec for what is sealed.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    connection: &'a Connection,
    /// The site of every row that is read or written.
    pub site: &'a SiteId,
    /// Seals and opens.
    pub codec: &'a Codec,
}

impl<'a> Rows<'a> {
    /// The rows of `site`.
    pub const fn new(connection: &'a Connection, site: &'a SiteId, codec: &'a Codec) -> Self {
        Self { connection, site, codec }
    }

    /// The place of a sealed value of this site.
    pub const fn place(&self, table: &'static str, row: &'a [u8]) -> Place<'a> {
        Place { table, site: self.site, row }
    }

    /// Runs a statement and tells how many rows it changed.
    pub fn change(&self, sql: &str, params: impl Params) -> StoreResult<usize> {
        Ok(self.statement(sql)?.execute(params)?)
    }

    /// The one row that the query finds, if it finds one.
    pub fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> StoreResult<Option<T>> {
        Ok(self.statement(sql)?.query_row(params, read).optional()?)
    }

    /// All rows that the query finds.
    pub fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> StoreResult<Vec<T>> {
        Ok(self.statement(sql)?.query_map(params, read)?.collect::<Result<_, _>>()?)
    }

    fn statement(&self, sql: &str) -> StoreResult<CachedStatement<'a>> {
        Ok(self.connection.prepare_cached(sql)?)
    }
}
