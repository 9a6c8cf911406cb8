//! Clients that were registered here.

use std::time::Duration;

use rusqlite::{Row, params};

use super::{consents, revocations, rows::Rows};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, TokenHash},
    store::{ChangedClient, RegisteredClient, RemovedClient, StoreResult},
};

const TABLE: &str = "registered_clients";
/// So long a client that was registered may wait for its first tokens, however many others want to register.
const TIME_TO_BEGIN: Duration = Duration::from_secs(3600);

pub fn register(rows: &Rows<'_>, client: &RegisteredClient, most: u64) -> StoreResult<bool> {
    let present = rows.one("SELECT count(*) FROM registered_clients WHERE site = ?1", params![rows.site], |row| {
        row.get::<_, i64>(0)
    })?;
    let is_full = u64::try_from(present.unwrap_or_default()).unwrap_or_default() >= most;
    if is_full && !make_room(rows, client.registered_at)? {
        return Ok(false);
    }
    let sealed = rows.codec.seal_secret(rows.place(TABLE, client.id.as_str().as_bytes()), &client.document)?;
    rows.change(
        "INSERT INTO registered_clients (site, client, sealed, registration_token, registered_at, last_used)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![rows.site, client.id, sealed, client.registration_token, client.registered_at, client.last_used],
    )?;
    count(rows)?;
    Ok(true)
}

/// Removes the oldest client that was never used, though it had the time to be: whoever registers clients for nothing can't
/// keep others from registering for longer than that.
fn make_room(rows: &Rows<'_>, now: UnixTime) -> StoreResult<bool> {
    let oldest = rows.one(
        "SELECT client FROM registered_clients WHERE site = ?1 AND last_used IS NULL AND registered_at <= ?2
         ORDER BY registered_at LIMIT 1",
        params![rows.site, now.minus(TIME_TO_BEGIN)],
        |row| row.get::<_, ClientId>(0),
    )?;
    let Some(oldest) = oldest else { return Ok(false) };
    Ok(remove(rows, &oldest, now)?.is_some())
}

pub fn one(rows: &Rows<'_>, id: &ClientId) -> StoreResult<Option<RegisteredClient>> {
    let found = rows.one(
        "SELECT client, sealed, registration_token, registered_at, last_used FROM registered_clients
         WHERE site = ?1 AND client = ?2",
        params![rows.site, id],
        read,
    )?;
    found.map(|found| open(rows, found)).transpose()
}

pub fn all(rows: &Rows<'_>) -> StoreResult<Vec<RegisteredClient>> {
    let found = rows.all(
        "SELECT client, sealed, registration_token, registered_at, last_used FROM registered_clients
         WHERE site = ?1 ORDER BY client",
        params![rows.site],
        read,
    )?;
    found.into_iter().map(|found| open(rows, found)).collect()
}

pub fn registrations(rows: &Rows<'_>) -> StoreResult<u64> {
    let count = rows
        .one("SELECT count FROM registrations WHERE site = ?1", params![rows.site], |row| row.get::<_, i64>(0))?
        .unwrap_or_default();
    Ok(u64::try_from(count).unwrap_or_default())
}

pub fn change(rows: &Rows<'_>, id: &ClientId, change: &ChangedClient) -> StoreResult<bool> {
    if let Some(before) = &change.before
        && one(rows, id)?.is_none_or(|row| row.document != *before)
    {
        return Ok(false);
    }
    let sealed = rows.codec.seal_secret(rows.place(TABLE, id.as_str().as_bytes()), &change.document)?;
    let changed = rows.change(
        "UPDATE registered_clients SET sealed = ?3 WHERE site = ?1 AND client = ?2",
        params![rows.site, id, sealed],
    )?;
    if changed == 0 {
        return Ok(false);
    }
    if change.is_another {
        consents::forget_consents(rows, id)?;
    }
    count(rows)?;
    Ok(true)
}

pub fn remove(rows: &Rows<'_>, id: &ClientId, now: UnixTime) -> StoreResult<Option<RemovedClient>> {
    let gone = rows.change("DELETE FROM registered_clients WHERE site = ?1 AND client = ?2", params![rows.site, id])?;
    if gone == 0 {
        return Ok(None);
    }
    count(rows)?;
    let ended = revocations::revoke_client(rows, id, now)?;
    Ok(Some(RemovedClient { id: id.clone(), ended }))
}

pub fn remove_unused(
    rows: &Rows<'_>,
    unused_since: UnixTime,
    now: UnixTime,
    most: u32,
) -> StoreResult<Vec<RemovedClient>> {
    let due: Vec<ClientId> = rows.all(
        "SELECT client FROM registered_clients
         WHERE site = ?1 AND max(registered_at, coalesce(last_used, 0)) <= ?2 LIMIT ?3",
        params![rows.site, unused_since, most],
        |row| row.get(0),
    )?;
    let mut removed = Vec::new();
    for id in due {
        removed.extend(remove(rows, &id, now)?);
    }
    Ok(removed)
}

pub fn note_uses(rows: &Rows<'_>, uses: &[(ClientId, UnixTime)]) -> StoreResult<()> {
    for (client, at) in uses {
        rows.change(
            "UPDATE registered_clients SET last_used = max(coalesce(last_used, 0), ?3) WHERE site = ?1 AND client = ?2",
            params![rows.site, client, at],
        )?;
    }
    Ok(())
}

fn count(rows: &Rows<'_>) -> StoreResult<()> {
    rows.change(
        "INSERT INTO registrations (site, count) VALUES (?1, 1) ON CONFLICT DO UPDATE SET count = count + 1",
        params![rows.site],
    )?;
    Ok(())
}

/// A row, its document still sealed.
type Found = (ClientId, Vec<u8>, [u8; 32], UnixTime, Option<UnixTime>);

fn read(row: &Row<'_>) -> rusqlite::Result<Found> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
}

fn open(rows: &Rows<'_>, found: Found) -> StoreResult<RegisteredClient> {
    let (id, sealed, token, registered_at, last_used) = found;
    let document = rows.codec.open_secret(rows.place(TABLE, id.as_str().as_bytes()), &sealed)?;
    Ok(RegisteredClient { id, document, registration_token: TokenHash::from_bytes(token), registered_at, last_used })
}
