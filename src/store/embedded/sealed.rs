//! What must be sent on, and so is kept sealed: shadow tokens and signing keys.

use rusqlite::{Row, params};

use super::rows::Rows;
use crate::{
    clock::UnixTime,
    oauth::{KeyId, Subject, UserName},
    secret::Secret,
    store::{KeySuccession, ShadowToken, StoreResult, StoredSigningKey},
};

const SHADOW_TOKENS: &str = "shadow_tokens";
const SIGNING_KEYS: &str = "signing_keys";

/// A row as it is read, before its secret is opened.
struct Sealed<T> {
    sealed: Vec<u8>,
    open: T,
}

/// What of a shadow token stands open: subject, when it was made, when it ends.
type Shadow = (Subject, UnixTime, UnixTime);

pub fn shadow_token(rows: &Rows<'_>, user: &UserName, now: UnixTime) -> StoreResult<Option<ShadowToken>> {
    let found = rows.one(
        "SELECT sub, sealed, created_at, expires_at FROM shadow_tokens
         WHERE site = ?1 AND user_name = ?2 AND expires_at > ?3",
        params![rows.site, user, now],
        read_shadow_token,
    )?;
    found.map(|found| open_shadow_token(rows, user, found)).transpose()
}

pub fn put_shadow_token(rows: &Rows<'_>, user: &UserName, token: &ShadowToken) -> StoreResult<()> {
    let sealed = rows.codec.seal_secret(rows.place(SHADOW_TOKENS, user.as_str().as_bytes()), &token.token)?;
    rows.change(
        "INSERT OR REPLACE INTO shadow_tokens (site, user_name, sub, sealed, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![rows.site, user, token.sub, sealed, token.created_at, token.expires_at],
    )?;
    Ok(())
}

pub fn take_shadow_token(rows: &Rows<'_>, user: &UserName) -> StoreResult<Option<ShadowToken>> {
    let found = rows.one(
        "DELETE FROM shadow_tokens WHERE site = ?1 AND user_name = ?2 RETURNING sub, sealed, created_at, expires_at",
        params![rows.site, user],
        read_shadow_token,
    )?;
    found.map(|found| open_shadow_token(rows, user, found)).transpose()
}

fn read_shadow_token(row: &Row<'_>) -> rusqlite::Result<Sealed<Shadow>> {
    Ok(Sealed { sealed: row.get(1)?, open: (row.get(0)?, row.get(2)?, row.get(3)?) })
}

fn open_shadow_token(rows: &Rows<'_>, user: &UserName, found: Sealed<Shadow>) -> StoreResult<ShadowToken> {
    let token = rows.codec.open_secret(rows.place(SHADOW_TOKENS, user.as_str().as_bytes()), &found.sealed)?;
    let (sub, created_at, expires_at) = found.open;
    Ok(ShadowToken { token, sub, created_at, expires_at })
}

/// The columns that [`read_signing_key`] reads.
macro_rules! signing_keys {
    ($rest:literal) => {
        concat!(
            "SELECT id, algorithm, sealed, public_jwk, created_at, signs_from, retired_at, published_until
             FROM signing_keys ",
            $rest
        )
    };
}

pub fn signing_keys(rows: &Rows<'_>) -> StoreResult<Vec<StoredSigningKey>> {
    let query = signing_keys!("WHERE site = ?1 ORDER BY created_at, signs_from, id");
    let found = rows.all(query, params![rows.site], read_signing_key)?;
    found.into_iter().map(|found| open_signing_key(rows, found)).collect()
}

pub fn put_signing_key(rows: &Rows<'_>, key: StoredSigningKey) -> StoreResult<StoredSigningKey> {
    let newest = rows.one(
        signing_keys!("WHERE site = ?1 AND algorithm = ?2 AND retired_at IS NULL"),
        params![rows.site, key.algorithm],
        read_signing_key,
    )?;
    if let Some(newest) = newest {
        return open_signing_key(rows, newest);
    }
    insert_signing_key(rows, &key)?;
    Ok(key)
}

pub fn succeed_signing_key(rows: &Rows<'_>, step: &KeySuccession) -> StoreResult<()> {
    let next = &step.next;
    let begun = rows.change(
        "UPDATE signing_keys SET retired_at = ?4, published_until = ?5
         WHERE site = ?1 AND id = ?2 AND algorithm = ?3 AND retired_at IS NULL",
        params![rows.site, step.of, next.algorithm, next.signs_from, step.published_until],
    )?;
    if begun > 0 {
        return insert_signing_key(rows, next);
    }
    // The successor that is there begins at the moment which its predecessor has noted.
    let brought_forward = rows.change(
        "UPDATE signing_keys SET signs_from = ?4
         WHERE site = ?1 AND algorithm = ?3 AND retired_at IS NULL AND signs_from > ?4
             AND signs_from = (SELECT retired_at FROM signing_keys WHERE site = ?1 AND id = ?2 AND algorithm = ?3)",
        params![rows.site, step.of, next.algorithm, next.signs_from],
    )?;
    if brought_forward > 0 {
        rows.change(
            "UPDATE signing_keys SET retired_at = ?3, published_until = ?4 WHERE site = ?1 AND id = ?2",
            params![rows.site, step.of, next.signs_from, step.published_until],
        )?;
    }
    Ok(())
}

pub fn replace_signing_keys(rows: &Rows<'_>, keys: &[StoredSigningKey]) -> StoreResult<u64> {
    let gone = rows.change("DELETE FROM signing_keys WHERE site = ?1", params![rows.site])?;
    for key in keys {
        insert_signing_key(rows, key)?;
    }
    Ok(gone as u64)
}

pub fn forget_signing_keys(rows: &Rows<'_>, keys: &[KeyId]) -> StoreResult<()> {
    for key in keys {
        rows.change(
            "DELETE FROM signing_keys WHERE site = ?1 AND id = ?2 AND retired_at IS NOT NULL",
            params![rows.site, key],
        )?;
    }
    Ok(())
}

fn insert_signing_key(rows: &Rows<'_>, key: &StoredSigningKey) -> StoreResult<()> {
    let sealed = rows.codec.seal_secret(rows.place(SIGNING_KEYS, key.id.as_str().as_bytes()), &key.private_key)?;
    rows.change(
        "INSERT INTO signing_keys
             (site, id, algorithm, sealed, public_jwk, created_at, signs_from, retired_at, published_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            rows.site,
            key.id,
            key.algorithm,
            sealed,
            key.public_jwk,
            key.created_at,
            key.signs_from,
            key.retired_at,
            key.published_until
        ],
    )?;
    Ok(())
}

/// Everything but the private key, which is left empty until it is opened.
fn read_signing_key(row: &Row<'_>) -> rusqlite::Result<Sealed<StoredSigningKey>> {
    Ok(Sealed {
        sealed: row.get(2)?,
        open: StoredSigningKey {
            id: row.get(0)?,
            algorithm: row.get(1)?,
            private_key: Secret::new(""),
            public_jwk: row.get(3)?,
            created_at: row.get(4)?,
            signs_from: row.get(5)?,
            retired_at: row.get(6)?,
            published_until: row.get(7)?,
        },
    })
}

fn open_signing_key(rows: &Rows<'_>, found: Sealed<StoredSigningKey>) -> StoreResult<StoredSigningKey> {
    let place = rows.place(SIGNING_KEYS, found.open.id.as_str().as_bytes());
    Ok(StoredSigningKey { private_key: rows.codec.open_secret(place, &found.sealed)?, ..found.open })
}
