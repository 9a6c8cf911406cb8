//! Authorization requests that wait, codes, and the tombstones of used codes.

use std::time::Duration;

use rusqlite::params;

use super::{devices, grants, rows::Rows};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, TokenHash, UserName},
    store::{CodeRecord, PendingRequest, StoreResult, TakenCode},
};

const REQUESTS: &str = "requests";
const CODES: &str = "codes";
/// How long a tombstone stays at least; as long as the grant lives, `upkeep` prolongs it.
const TOMBSTONE: Duration = Duration::from_secs(600);

pub fn put_request(rows: &Rows<'_>, handle: TokenHash, request: &PendingRequest) -> StoreResult<()> {
    let sealed = rows.codec.seal_record(rows.place(REQUESTS, handle.as_bytes()), request)?;
    rows.change(
        "INSERT INTO requests (site, handle, sealed, expires_at) VALUES (?1, ?2, ?3, ?4)",
        params![rows.site, handle, sealed, request.expires_at],
    )?;
    Ok(())
}

pub fn request(rows: &Rows<'_>, handle: TokenHash, now: UnixTime) -> StoreResult<Option<PendingRequest>> {
    let sealed: Option<Vec<u8>> = rows.one(
        "SELECT sealed FROM requests WHERE site = ?1 AND handle = ?2 AND expires_at > ?3",
        params![rows.site, handle, now],
        |row| row.get(0),
    )?;
    sealed.map(|sealed| rows.codec.open_record(rows.place(REQUESTS, handle.as_bytes()), &sealed)).transpose()
}

pub fn take_request(rows: &Rows<'_>, handle: TokenHash, now: UnixTime) -> StoreResult<Option<PendingRequest>> {
    let taken = request(rows, handle, now)?;
    rows.change("DELETE FROM requests WHERE site = ?1 AND handle = ?2", params![rows.site, handle])?;
    Ok(taken)
}

/// What has been used stays until it is purged, which is not before it has expired.
pub fn first_use(rows: &Rows<'_>, what: TokenHash, expires_at: UnixTime) -> StoreResult<bool> {
    let added = rows.change(
        "INSERT OR IGNORE INTO first_uses (site, what, expires_at) VALUES (?1, ?2, ?3)",
        params![rows.site, what, expires_at],
    )?;
    Ok(added == 1)
}

pub fn put_code(rows: &Rows<'_>, code: TokenHash, record: &CodeRecord) -> StoreResult<()> {
    let sealed = rows.codec.seal_record(rows.place(CODES, code.as_bytes()), record)?;
    rows.change(
        "INSERT INTO codes (site, code, grant_id, client, user_name, sealed, expires_at, keep_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
        params![rows.site, code, record.grant, record.client, record.user.name, sealed, record.expires_at],
    )?;
    Ok(())
}

struct CodeRow {
    grant: GrantId,
    sealed: Option<Vec<u8>>,
    voided: bool,
    expires_at: UnixTime,
}

pub fn take_code(rows: &Rows<'_>, code: TokenHash, now: UnixTime) -> StoreResult<TakenCode> {
    let found = rows.one(
        "SELECT grant_id, sealed, voided, expires_at FROM codes WHERE site = ?1 AND code = ?2",
        params![rows.site, code],
        |row| Ok(CodeRow { grant: row.get(0)?, sealed: row.get(1)?, voided: row.get(2)?, expires_at: row.get(3)? }),
    )?;
    match found {
        None => Ok(TakenCode::Absent),
        Some(CodeRow { sealed: None, grant, .. }) => {
            rows.change("UPDATE codes SET voided = 1 WHERE site = ?1 AND code = ?2", params![rows.site, code])?;
            grants::revoke_grant(rows, &grant, now)?;
            Ok(TakenCode::Replayed(grant))
        }
        Some(CodeRow { voided, expires_at, .. }) if voided || expires_at <= now => Ok(TakenCode::Absent),
        Some(CodeRow { sealed: Some(sealed), .. }) => {
            let record = rows.codec.open_record(rows.place(CODES, code.as_bytes()), &sealed)?;
            rows.change(
                "UPDATE codes SET sealed = NULL, keep_until = ?3 WHERE site = ?1 AND code = ?2",
                params![rows.site, code, now.plus(TOMBSTONE)],
            )?;
            Ok(TakenCode::Taken(Box::new(record)))
        }
    }
}

/// Leaves the tombstone of a code of another kind, which was used at `now`.
pub fn put_tombstone(
    rows: &Rows<'_>,
    code: TokenHash,
    (grant, client, user): (&GrantId, &ClientId, &UserName),
    (expires_at, now): (UnixTime, UnixTime),
) -> StoreResult<()> {
    rows.change(
        "INSERT INTO codes (site, code, grant_id, client, user_name, sealed, expires_at, keep_until)
         VALUES (?1, ?2, ?3, ?4, ?5, NULL, ?6, ?7)",
        params![rows.site, code, grant, client, user, expires_at, now.plus(TOMBSTONE)],
    )?;
    Ok(())
}

/// Notes that the grant of this code is being issued, and tells whether it may live.
pub fn redeem(rows: &Rows<'_>, code: TokenHash) -> StoreResult<bool> {
    let voided: Option<bool> = rows.one(
        "UPDATE codes SET issued = 1 WHERE site = ?1 AND code = ?2 RETURNING voided",
        params![rows.site, code],
        |row| row.get(0),
    )?;
    // Without a tombstone nobody can tell whether it was replayed.
    Ok(voided == Some(false))
}

/// Which codes a revocation takes with it.
#[derive(Clone, Copy, Debug)]
pub enum Whose<'a> {
    /// Those of a user.
    User(&'a UserName),
    /// Those given to a client.
    Client(&'a ClientId),
    /// Those that a user gave to a client.
    UserAtClient(&'a UserName, &'a ClientId),
}

/// Makes codes useless whose grant has not been issued yet. The index holds these few alone.
pub fn void_codes(rows: &Rows<'_>, whose: Whose<'_>) -> StoreResult<()> {
    devices::void_devices(rows, whose)?;
    match whose {
        Whose::User(user) => rows.change(
            "UPDATE codes INDEXED BY codes_open SET voided = 1
             WHERE site = ?1 AND user_name = ?2 AND issued = 0",
            params![rows.site, user],
        )?,
        Whose::Client(client) => rows.change(
            "UPDATE codes INDEXED BY codes_open SET voided = 1
             WHERE site = ?1 AND client = ?2 AND issued = 0",
            params![rows.site, client],
        )?,
        Whose::UserAtClient(user, client) => rows.change(
            "UPDATE codes INDEXED BY codes_open SET voided = 1
             WHERE site = ?1 AND user_name = ?2 AND client = ?3 AND issued = 0",
            params![rows.site, user, client],
        )?,
    };
    Ok(())
}
