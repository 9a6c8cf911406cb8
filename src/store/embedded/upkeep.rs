//! Counts of used allowances, purging, readiness, and whose secret key the file belongs to.

use std::time::Duration;

use rusqlite::params;

use super::rows::Rows;
use crate::{
    clock::UnixTime,
    oauth::ClientId,
    store::{AllowanceUse, StoreError, StoreResult},
};

/// How long the feed remembers. Who has not listened for so long drops all that it holds in memory.
const FEED: Duration = Duration::from_secs(24 * 60 * 60);
const FINGERPRINT: &str = "secret key fingerprint";

/// Notes whose secret key this file belongs to, and refuses another one.
pub fn check_key(rows: &Rows<'_>) -> StoreResult<()> {
    let ours = rows.codec.fingerprint();
    rows.change(
        "INSERT OR IGNORE INTO settings (site, name, value) VALUES (?1, ?2, ?3)",
        params![rows.site, FINGERPRINT, ours],
    )?;
    let noted: Option<[u8; 32]> =
        rows.one("SELECT value FROM settings WHERE site = ?1 AND name = ?2", params![rows.site, FINGERPRINT], |row| {
            row.get(0)
        })?;
    if noted == Some(ours) {
        return Ok(());
    }
    Err(StoreError::Corrupt(
        "it was made with another secret key: set [store].secret_key_file to the file that belongs to it, or restore \
         that file from a backup; without it start with a new store, and every user logs in again"
            .to_owned(),
    ))
}

pub fn count_allowances(rows: &Rows<'_>, uses: &[AllowanceUse]) -> StoreResult<()> {
    for one in uses {
        rows.change(
            "INSERT INTO allowance_uses (site, client, allowance, count, last) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET count = count + excluded.count, last = max(last, excluded.last)",
            params![rows.site, one.client, one.allowance, i64::try_from(one.count).unwrap_or(i64::MAX), one.last],
        )?;
    }
    Ok(())
}

pub fn allowance_uses(rows: &Rows<'_>) -> StoreResult<Vec<AllowanceUse>> {
    rows.all(
        "SELECT client, allowance, count, last FROM allowance_uses WHERE site = ?1 ORDER BY client, allowance",
        params![rows.site],
        |row| {
            Ok(AllowanceUse {
                client: row.get(0)?,
                allowance: row.get(1)?,
                count: u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
                last: row.get(3)?,
            })
        },
    )
}

pub fn living_grants(rows: &Rows<'_>, now: UnixTime) -> StoreResult<Vec<(ClientId, u64)>> {
    rows.all(
        // A token that ERPNext issued says nothing of what its client does, before its first refresh here.
        "SELECT client, count(*) FROM grants g
         WHERE site = ?1 AND lasts_until > ?2 AND ended_at IS NULL AND NOT EXISTS (
             SELECT 1 FROM native_tokens n INDEXED BY native_tokens_grant
             WHERE n.site = ?1 AND n.grant_id = g.id AND n.refresh IS g.newest_refresh)
         GROUP BY client ORDER BY client",
        params![rows.site, now],
        |row| Ok((row.get(0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default())),
    )
}

/// The statement that removes at most `?3` rows of a table which ended before `?2`.
macro_rules! purge {
    ($table:literal, $key:literal, $end:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE site = ?1 AND (",
            $key,
            ") IN (SELECT ",
            $key,
            " FROM ",
            $table,
            " WHERE site = ?1 AND ",
            $end,
            " <= ?2 LIMIT ?3)"
        )
    };
}

/// What a round of purging does, each step apart, so that others are served between two of them. Tokens before their
/// grants: a grant that is gone answers for no token, but none should be left without one.
pub const PURGES: [Purge; 15] = [
    Purge::Codes,
    Purge::Ended(purge!("requests", "handle", "expires_at")),
    Purge::Ended(purge!("devices", "device", "keep_until")),
    Purge::Ended(purge!("access_tokens", "hash", "expires_at")),
    Purge::Ended(purge!("refresh_tokens", "hash", "expires_at")),
    Purge::Ended(purge!("grants", "id", "lasts_until")),
    Purge::Ended(purge!("consents", "client, user_name, redirect_uri", "expires_at")),
    Purge::Ended(purge!("logins", "login", "expires_at")),
    Purge::Ended(purge!("session_claims", "login, client", "expires_at")),
    Purge::Ended(purge!("shadow_tokens", "user_name", "expires_at")),
    Purge::Ended(purge!("logouts", "handle", "expires_at")),
    Purge::Ended(purge!("logout_notices", "client, claim", "expires_at")),
    Purge::Ended(purge!("first_uses", "what", "expires_at")),
    Purge::Ended(purge!("agent_uses", "day, client", "expires_at")),
    Purge::Feed,
];

/// A kind of rows that end.
#[derive(Clone, Copy, Debug)]
pub enum Purge {
    /// Codes and the tombstones of codes.
    Codes,
    /// What a statement removes.
    Ended(&'static str),
    /// The feed of revocations.
    Feed,
}

/// Removes at most `most` rows of a kind.
pub fn purge(rows: &Rows<'_>, kind: Purge, now: UnixTime, most: u32) -> StoreResult<u64> {
    let gone = match kind {
        Purge::Codes => purge_codes(rows, now, most)?,
        Purge::Ended(statement) => rows.change(statement, params![rows.site, now, most])?,
        Purge::Feed => rows.change(
            "DELETE FROM revocations WHERE seq IN (SELECT seq FROM revocations WHERE site = ?1 AND at <= ?2 LIMIT ?3)",
            params![rows.site, now.minus(FEED), most],
        )?,
    };
    Ok(gone as u64)
}

/// A tombstone stays while its grant lives, and is asked about again when that should have ended.
fn purge_codes(rows: &Rows<'_>, now: UnixTime, most: u32) -> StoreResult<usize> {
    let due = rows.all(
        "SELECT c.code, g.lasts_until FROM codes c
         LEFT JOIN grants g ON g.site = c.site AND g.id = c.grant_id AND g.ended_at IS NULL AND g.lasts_until > ?2
         WHERE c.site = ?1 AND c.keep_until <= ?2 LIMIT ?3",
        params![rows.site, now, most],
        |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, Option<UnixTime>>(1)?)),
    )?;
    let mut done = 0;
    for (code, grant_lasts_until) in due {
        // Those that stay count too, or a round that met them alone would seem to be the last.
        done += if let Some(until) = grant_lasts_until {
            rows.change(
                "UPDATE codes SET keep_until = ?3 WHERE site = ?1 AND code = ?2",
                params![rows.site, code, until],
            )?
        } else {
            rows.change("DELETE FROM codes WHERE site = ?1 AND code = ?2", params![rows.site, code])?
        };
    }
    Ok(done)
}

/// Writes what is there already: that takes a lock, space on the disk, and a commit.
pub fn ready(rows: &Rows<'_>) -> StoreResult<()> {
    let written = rows
        .change("UPDATE settings SET value = value WHERE site = ?1 AND name = ?2", params![rows.site, FINGERPRINT])?;
    if written == 1 { Ok(()) } else { Err(StoreError::Corrupt("its settings are gone".to_owned())) }
}
