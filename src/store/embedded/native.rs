//! Tokens that the upstream issued: taken in as grants like any other, and where they come from.

use rusqlite::params;

use super::{grants, revocations, rows::Rows};
use crate::{
    clock::UnixTime,
    oauth::{GrantId, Resources, TokenHash},
    store::{
        NativeCount, NativeImport, NativeRow, NativeState, NewAccessToken, NewGrant, NewRefreshToken, StoreResult,
    },
};

const CURSOR: &str = "native cursor";

/// What is kept of a native row, and what became of its grant.
struct Kept {
    edition: String,
    /// No longer there, or ended.
    ended: bool,
    /// A refresh has given the client tokens of ours.
    adopted: bool,
}

pub fn import(rows: &Rows<'_>, natives: &[NativeRow], now: UnixTime) -> StoreResult<NativeImport> {
    let mut outcome = NativeImport::default();
    for native in natives {
        match kept(rows, native)? {
            None if native.state == NativeState::Active => {
                add(rows, native, now)?;
                outcome.added += 1;
            }
            None => {}
            Some(kept) => follow(rows, native, &kept, now, &mut outcome)?,
        }
    }
    Ok(outcome)
}

fn kept(rows: &Rows<'_>, native: &NativeRow) -> StoreResult<Option<Kept>> {
    rows.one(
        "SELECT n.edition, g.id IS NULL OR g.ended_at IS NOT NULL, g.newest_refresh IS NOT n.refresh
         FROM native_tokens n LEFT JOIN grants g ON g.site = n.site AND g.id = n.grant_id
         WHERE n.site = ?1 AND n.access = ?2",
        params![rows.site, native.access],
        |row| Ok(Kept { edition: row.get(0)?, ended: row.get(1)?, adopted: row.get(2)? }),
    )
}

fn add(rows: &Rows<'_>, native: &NativeRow, now: UnixTime) -> StoreResult<()> {
    // A row that was gone and came back: its grant has ended, or goes on with newer tokens.
    let was_here =
        rows.one("SELECT 1 FROM grants WHERE site = ?1 AND id = ?2", params![rows.site, native.grant.id], |row| {
            row.get::<_, i64>(0)
        })?;
    if was_here.is_some() {
        return note(rows, native, None);
    }
    // Two rows with one refresh token are two grants to the upstream, but a token has one grant here: the first.
    let taken = |hash: &TokenHash| -> StoreResult<bool> {
        let found =
            rows.one("SELECT 1 FROM refresh_tokens WHERE site = ?1 AND hash = ?2", params![rows.site, hash], |row| {
                row.get::<_, i64>(0)
            })?;
        Ok(found.is_some())
    };
    let refresh = match native.refresh {
        Some(hash) if !taken(&hash)? => {
            Some(NewRefreshToken { hash, issued_at: native.grant.created_at, expires_at: native.refresh_expires_at })
        }
        Some(_) | None => None,
    };
    if native.expires_at <= now && refresh.is_none() {
        return note(rows, native, None);
    }
    let refresh_hash = refresh.as_ref().map(|refresh| refresh.hash);
    let access = NewAccessToken {
        hash: native.access,
        scopes: native.grant.scopes.clone(),
        issued_at: native.grant.created_at,
        expires_at: native.expires_at,
        dpop_key: None,
        resources: Resources::default(),
    };
    grants::issue_grant(
        rows,
        &NewGrant { grant: native.grant.clone(), access, refresh, from_code: None, in_login: None },
    )?;
    note(rows, native, refresh_hash)
}

/// Notes where a grant comes from.
fn note(rows: &Rows<'_>, native: &NativeRow, refresh: Option<TokenHash>) -> StoreResult<()> {
    rows.change(
        "INSERT INTO native_tokens (site, access, refresh, grant_id, edition) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![rows.site, native.access, refresh, native.grant.id, native.edition],
    )?;
    Ok(())
}

/// A row that is known: what has changed upstream changes here, what has ended here is to go upstream.
fn follow(
    rows: &Rows<'_>,
    native: &NativeRow,
    kept: &Kept,
    now: UnixTime,
    outcome: &mut NativeImport,
) -> StoreResult<()> {
    let grant = &native.grant.id;
    if kept.ended {
        if native.state == NativeState::Active && (native.expires_at > now || native.refresh.is_some()) {
            outcome.spent.push(native.access);
        }
        return Ok(());
    }
    if native.state == NativeState::Revoked {
        // What a refresh has made of it is revoked with it, as ERPNext would have it.
        if grants::revoke_grant(rows, grant, now)? {
            outcome.ended.push(grant.clone());
        }
        return Ok(());
    }
    if kept.adopted && native.expires_at <= now {
        outcome.spent.push(native.access);
    }
    if kept.edition != native.edition {
        change(rows, native)?;
        outcome.ended.push(grant.clone());
    }
    Ok(())
}

fn change(rows: &Rows<'_>, native: &NativeRow) -> StoreResult<()> {
    rows.change(
        "UPDATE access_tokens SET scopes = ?3, expires_at = ?4 WHERE site = ?1 AND hash = ?2",
        params![rows.site, native.access, native.grant.scopes, native.expires_at],
    )?;
    rows.change(
        "UPDATE native_tokens SET edition = ?3 WHERE site = ?1 AND access = ?2",
        params![rows.site, native.access, native.edition],
    )?;
    Ok(())
}

pub fn is_known(rows: &Rows<'_>, token: &TokenHash) -> StoreResult<bool> {
    let known = rows.one(
        "SELECT 1 FROM native_tokens WHERE site = ?1 AND access = ?2
         UNION ALL SELECT 1 FROM native_tokens INDEXED BY native_tokens_refresh WHERE site = ?1 AND refresh = ?2
         UNION ALL SELECT 1 FROM refresh_tokens WHERE site = ?1 AND hash = ?2 LIMIT 1",
        params![rows.site, token],
        |row| row.get::<_, i64>(0),
    )?;
    Ok(known.is_some())
}

pub fn all(rows: &Rows<'_>) -> StoreResult<Vec<TokenHash>> {
    rows.all("SELECT access FROM native_tokens WHERE site = ?1", params![rows.site], |row| row.get(0))
}

pub fn forget(rows: &Rows<'_>, gone: &[TokenHash], now: UnixTime) -> StoreResult<Vec<GrantId>> {
    let mut ended = Vec::new();
    for access in gone {
        let forgotten = rows.one(
            "DELETE FROM native_tokens WHERE site = ?1 AND access = ?2 RETURNING grant_id, refresh",
            params![rows.site, access],
            |row| Ok((row.get::<_, GrantId>(0)?, row.get::<_, Option<TokenHash>>(1)?)),
        )?;
        let Some((grant, refresh)) = forgotten else { continue };
        rows.change("DELETE FROM access_tokens WHERE site = ?1 AND hash = ?2", params![rows.site, access])?;
        let newest: Option<Option<TokenHash>> = rows.one(
            "SELECT newest_refresh FROM grants WHERE site = ?1 AND id = ?2",
            params![rows.site, grant],
            |row| row.get(0),
        )?;
        let adopted = newest.flatten().is_some_and(|newest| Some(newest) != refresh);
        if adopted {
            // The grant goes on; what is remembered of its native access token must not.
            revocations::append(rows, &grant, now)?;
            ended.push(grant);
        } else if grants::revoke_grant(rows, &grant, now)? {
            ended.push(grant);
        }
    }
    Ok(ended)
}

pub fn note_uses(rows: &Rows<'_>, uses: &[(TokenHash, UnixTime)]) -> StoreResult<()> {
    for (token, at) in uses {
        let found = rows.change(
            "UPDATE native_tokens SET last_used = max(coalesce(last_used, 0), ?3) WHERE site = ?1 AND access = ?2",
            params![rows.site, token, at],
        )?;
        if found == 0 {
            rows.change(
                "UPDATE native_tokens INDEXED BY native_tokens_refresh SET last_used = max(coalesce(last_used, 0), ?3)
                 WHERE site = ?1 AND refresh = ?2",
                params![rows.site, token, at],
            )?;
        }
    }
    Ok(())
}

pub fn counts(rows: &Rows<'_>, since: UnixTime, now: UnixTime) -> StoreResult<Vec<NativeCount>> {
    rows.all(
        "SELECT g.client, sum(a.hash IS NOT NULL), sum(n.refresh IS NOT NULL AND g.newest_refresh IS n.refresh),
                sum(n.last_used IS NOT NULL AND n.last_used >= ?2), max(n.last_used)
         FROM native_tokens n
         JOIN grants g ON g.site = n.site AND g.id = n.grant_id AND g.ended_at IS NULL
         LEFT JOIN access_tokens a ON a.site = n.site AND a.hash = n.access AND a.expires_at > ?3
         WHERE n.site = ?1 GROUP BY g.client ORDER BY g.client",
        params![rows.site, since, now],
        |row| {
            let count =
                |column| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default());
            Ok(NativeCount {
                client: row.get(0)?,
                access: count(1)?,
                refresh: count(2)?,
                used: count(3)?,
                last_used: row.get(4)?,
            })
        },
    )
}

pub fn cursor(rows: &Rows<'_>) -> StoreResult<Option<String>> {
    rows.one("SELECT value FROM settings WHERE site = ?1 AND name = ?2", params![rows.site, CURSOR], |row| row.get(0))
}

pub fn put_cursor(rows: &Rows<'_>, cursor: &str) -> StoreResult<()> {
    rows.change(
        "INSERT OR REPLACE INTO settings (site, name, value) VALUES (?1, ?2, ?3)",
        params![rows.site, CURSOR, cursor],
    )?;
    Ok(())
}
