//! Grants and the tokens that stand for them.

use rusqlite::{Row, params};

use super::{columns::TextList, logouts, requests, revocations, rows::Rows};
use crate::{
    clock::UnixTime,
    oauth::{GrantId, TokenHash},
    store::{
        AccessTokenFacts, Grant, GrantUser, NewAccessToken, NewGrant, NewRefreshToken, RefreshTokenFacts, StoreResult,
    },
};

/// The columns that [`read_grant`] reads, in its order; it reads them from the first column on.
macro_rules! grant_columns {
    () => {
        "g.id, g.client, g.user_name, g.sub, g.scopes, g.created_at, g.auth_time, g.session_claim, g.id_token_claims,
         g.userinfo_claims, g.dpop_key, g.resources"
    };
}

/// How many columns [`read_grant`] reads.
const GRANT_COLUMNS: usize = 12;

fn read_grant(row: &Row<'_>) -> rusqlite::Result<Grant> {
    Ok(Grant {
        id: row.get(0)?,
        client: row.get(1)?,
        user: GrantUser { name: row.get(2)?, sub: row.get(3)? },
        scopes: row.get(4)?,
        created_at: row.get(5)?,
        auth_time: row.get(6)?,
        session_claim: row.get(7)?,
        id_token_claims: row.get::<_, TextList>(8)?.0,
        userinfo_claims: row.get::<_, TextList>(9)?.0,
        dpop_key: row.get(10)?,
        resources: row.get(11)?,
    })
}

pub fn issue_grant(rows: &Rows<'_>, new: &NewGrant) -> StoreResult<()> {
    let redeemed = new.from_code.map_or(Ok(true), |code| requests::redeem(rows, code))?;
    let logged_in = new.in_login.map_or(Ok(true), |login| logouts::is_used_for(rows, login, &new.grant.client))?;
    let lives = redeemed && logged_in;
    let ends =
        new.refresh.as_ref().map_or(new.access.expires_at, |refresh| refresh.expires_at.max(new.access.expires_at));
    let NewGrant { grant, access, refresh, .. } = new;
    rows.change(
        "INSERT INTO grants (site, id, client, user_name, sub, scopes, created_at, auth_time, session_claim,
                             id_token_claims, newest_refresh, lasts_until, userinfo_claims, dpop_key, resources)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        params![
            rows.site,
            grant.id,
            grant.client,
            grant.user.name,
            grant.user.sub,
            grant.scopes,
            grant.created_at,
            grant.auth_time,
            grant.session_claim,
            TextList(grant.id_token_claims.clone()),
            refresh.as_ref().map(|refresh| refresh.hash),
            ends,
            TextList(grant.userinfo_claims.clone()),
            grant.dpop_key,
            grant.resources,
        ],
    )?;
    put_access_token(rows, &grant.id, access)?;
    if let Some(refresh) = refresh {
        put_refresh_token(rows, &grant.id, 0, refresh)?;
    }
    if !lives {
        revoke_grant(rows, &grant.id, access.issued_at)?;
    }
    Ok(())
}

/// Writes an access token of a grant.
pub fn put_access_token(rows: &Rows<'_>, grant: &GrantId, access: &NewAccessToken) -> StoreResult<()> {
    rows.change(
        "INSERT INTO access_tokens (site, hash, grant_id, scopes, issued_at, expires_at, dpop_key, resources)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            rows.site,
            access.hash,
            grant,
            access.scopes,
            access.issued_at,
            access.expires_at,
            access.dpop_key,
            access.resources,
        ],
    )?;
    Ok(())
}

/// Writes a refresh token of a grant.
pub fn put_refresh_token(
    rows: &Rows<'_>,
    grant: &GrantId,
    generation: u32,
    refresh: &NewRefreshToken,
) -> StoreResult<()> {
    rows.change(
        "INSERT INTO refresh_tokens (site, hash, grant_id, generation, issued_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![rows.site, refresh.hash, grant, generation, refresh.issued_at, refresh.expires_at],
    )?;
    Ok(())
}

pub fn access_token(rows: &Rows<'_>, token: TokenHash, now: UnixTime) -> StoreResult<Option<AccessTokenFacts>> {
    rows.one(
        concat!(
            "SELECT ",
            grant_columns!(),
            ", t.scopes, t.issued_at, t.expires_at, g.last_used, t.dpop_key, t.resources
             FROM access_tokens t JOIN grants g ON g.site = t.site AND g.id = t.grant_id
             WHERE t.site = ?1 AND t.hash = ?2 AND t.expires_at > ?3 AND g.ended_at IS NULL"
        ),
        params![rows.site, token, now],
        |row| {
            Ok(AccessTokenFacts {
                grant: read_grant(row)?,
                scopes: row.get(GRANT_COLUMNS)?,
                issued_at: row.get(GRANT_COLUMNS + 1)?,
                expires_at: row.get(GRANT_COLUMNS + 2)?,
                last_used: row.get(GRANT_COLUMNS + 3)?,
                dpop_key: row.get(GRANT_COLUMNS + 4)?,
                resources: row.get(GRANT_COLUMNS + 5)?,
            })
        },
    )
}

pub fn refresh_token(rows: &Rows<'_>, token: TokenHash, now: UnixTime) -> StoreResult<Option<RefreshTokenFacts>> {
    rows.one(
        concat!(
            "SELECT ",
            grant_columns!(),
            ", t.generation, t.issued_at, t.expires_at, t.rotated_at, t.hash IS g.newest_refresh
             FROM refresh_tokens t JOIN grants g ON g.site = t.site AND g.id = t.grant_id
             WHERE t.site = ?1 AND t.hash = ?2 AND t.expires_at > ?3 AND g.ended_at IS NULL"
        ),
        params![rows.site, token, now],
        |row| {
            Ok(RefreshTokenFacts {
                grant: read_grant(row)?,
                generation: row.get(GRANT_COLUMNS)?,
                issued_at: row.get(GRANT_COLUMNS + 1)?,
                expires_at: row.get(GRANT_COLUMNS + 2)?,
                rotated_at: row.get(GRANT_COLUMNS + 3)?,
                newest: row.get(GRANT_COLUMNS + 4)?,
            })
        },
    )
}

/// The grant, unless it has ended.
pub fn grant(rows: &Rows<'_>, grant: &GrantId) -> StoreResult<Option<Grant>> {
    rows.one(
        concat!("SELECT ", grant_columns!(), " FROM grants g WHERE g.site = ?1 AND g.id = ?2 AND g.ended_at IS NULL"),
        params![rows.site, grant],
        read_grant,
    )
}

/// Ends a grant and tells the feed, unless it has ended.
pub fn revoke_grant(rows: &Rows<'_>, grant: &GrantId, now: UnixTime) -> StoreResult<bool> {
    let ended = rows.change(
        "UPDATE grants SET ended_at = ?3 WHERE site = ?1 AND id = ?2 AND ended_at IS NULL",
        params![rows.site, grant, now],
    )?;
    if ended > 0 {
        revocations::append(rows, grant, now)?;
    }
    Ok(ended > 0)
}
