//! What must be sent on, and so is kept sealed: shadow tokens and signing keys.

use rusqlite::{Row, params};

use super::rows::Rows;
use crate::{
    clock::UnixTime,
    oauth::{KeyId, Subject, UserName},
    secret::Secret,
    store::{ShadowToken, StoreResult, StoredSigningKey},
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
        concat!("SELECT id, algorithm, sealed, public_jwk, created_at, retired_at FROM signing_keys ", $rest)
    };
}

pub fn signing_keys(rows: &Rows<'_>) -> StoreResult<Vec<StoredSigningKey>> {
    let found =
        rows.all(signing_keys!("WHERE site = ?1 ORDER BY created_at, id"), params![rows.site], read_signing_key)?;
    found.into_iter().map(|found| open_signing_key(rows, found)).collect()
}

pub fn put_signing_key(rows: &Rows<'_>, key: StoredSigningKey) -> StoreResult<StoredSigningKey> {
    let active = rows.one(
        signing_keys!("WHERE site = ?1 AND algorithm = ?2 AND retired_at IS NULL"),
        params![rows.site, key.algorithm],
        read_signing_key,
    )?;
    if let (Some(active), None) = (active, key.retired_at) {
        return open_signing_key(rows, active);
    }
    let sealed = rows.codec.seal_secret(rows.place(SIGNING_KEYS, key.id.as_str().as_bytes()), &key.private_key)?;
    rows.change(
        "INSERT INTO signing_keys (site, id, algorithm, sealed, public_jwk, created_at, retired_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![rows.site, key.id, key.algorithm, sealed, key.public_jwk, key.created_at, key.retired_at],
    )?;
    Ok(key)
}

pub fn retire_signing_key(rows: &Rows<'_>, key: &KeyId, now: UnixTime) -> StoreResult<()> {
    rows.change(
        "UPDATE signing_keys SET retired_at = ?3 WHERE site = ?1 AND id = ?2 AND retired_at IS NULL",
        params![rows.site, key, now],
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
            retired_at: row.get(5)?,
        },
    })
}

fn open_signing_key(rows: &Rows<'_>, found: Sealed<StoredSigningKey>) -> StoreResult<StoredSigningKey> {
    let place = rows.place(SIGNING_KEYS, found.open.id.as_str().as_bytes());
    Ok(StoredSigningKey { private_key: rows.codec.open_secret(place, &found.sealed)?, ..found.open })
}
