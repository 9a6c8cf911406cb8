//! Revocations of all that a user or a client has, and the feed by which other processes hear of ended grants.

use rusqlite::params;

use super::{
    consents,
    requests::{self, Whose},
    rows::Rows,
};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, UserName},
    store::{Revocation, RevocationSeq, StoreResult},
};

/// Writes into the feed that a grant has ended.
pub fn append(rows: &Rows<'_>, grant: &GrantId, now: UnixTime) -> StoreResult<()> {
    rows.change("INSERT INTO revocations (site, grant_id, at) VALUES (?1, ?2, ?3)", params![rows.site, grant, now])?;
    Ok(())
}

// Left to itself, SQLite would go through all grants of the site: it takes the primary key for better than an index that
// holds the living ones alone.

pub fn revoke_user(rows: &Rows<'_>, user: &UserName, now: UnixTime) -> StoreResult<Vec<GrantId>> {
    let ended = rows.all(
        "UPDATE grants INDEXED BY grants_user SET ended_at = ?3
         WHERE site = ?1 AND user_name = ?2 AND ended_at IS NULL RETURNING id",
        params![rows.site, user, now],
        |row| row.get(0),
    )?;
    let ended = announce(rows, ended, now)?;
    requests::void_codes(rows, Whose::User(user))?;
    rows.change("DELETE FROM consents WHERE site = ?1 AND user_name = ?2", params![rows.site, user])?;
    rows.change("DELETE FROM shadow_tokens WHERE site = ?1 AND user_name = ?2", params![rows.site, user])?;
    Ok(ended)
}

pub fn revoke_client(rows: &Rows<'_>, client: &ClientId, now: UnixTime) -> StoreResult<Vec<GrantId>> {
    let ended = rows.all(
        "UPDATE grants INDEXED BY grants_client SET ended_at = ?3
         WHERE site = ?1 AND client = ?2 AND ended_at IS NULL RETURNING id",
        params![rows.site, client, now],
        |row| row.get(0),
    )?;
    let ended = announce(rows, ended, now)?;
    requests::void_codes(rows, Whose::Client(client))?;
    consents::forget_consents(rows, client)?;
    Ok(ended)
}

/// Writes into the feed that these grants have ended, ends those that were made from them, and so on; tells of all.
pub fn announce(rows: &Rows<'_>, ended: Vec<GrantId>, now: UnixTime) -> StoreResult<Vec<GrantId>> {
    let (mut all, mut told) = (ended, 0);
    while let Some(grant) = all.get(told).cloned() {
        append(rows, &grant, now)?;
        all.extend(end_made_from(rows, &grant, now)?);
        told += 1;
    }
    Ok(all)
}

fn end_made_from(rows: &Rows<'_>, grant: &GrantId, now: UnixTime) -> StoreResult<Vec<GrantId>> {
    rows.all(
        "UPDATE grants INDEXED BY grants_made_from SET ended_at = ?3
         WHERE site = ?1 AND made_from = ?2 AND ended_at IS NULL RETURNING id",
        params![rows.site, grant, now],
        |row| row.get(0),
    )
}

pub fn revocations_after(rows: &Rows<'_>, after: RevocationSeq) -> StoreResult<Vec<Revocation>> {
    let after = i64::try_from(after.0).unwrap_or(i64::MAX);
    rows.all(
        // The plus keeps SQLite from going through all of the site's rows instead of the last few.
        "SELECT seq, grant_id FROM revocations WHERE seq > ?2 AND +site = ?1 ORDER BY seq",
        params![rows.site, after],
        |row| Ok(Revocation { seq: seq(row.get(0)?), grant: row.get(1)? }),
    )
}

/// The end of the feed, also when its rows have been purged.
pub fn last_revocation(rows: &Rows<'_>) -> StoreResult<RevocationSeq> {
    let last = rows.one("SELECT seq FROM sqlite_sequence WHERE name = 'revocations'", [], |row| row.get(0))?;
    Ok(last.map_or(RevocationSeq::default(), seq))
}

fn seq(number: i64) -> RevocationSeq {
    RevocationSeq(u64::try_from(number).unwrap_or_default())
}
