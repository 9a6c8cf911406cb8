//! The end of login sessions: logout requests that wait, what ends with a login session, and who is still to be told.

use rusqlite::{Row, params};

use super::{revocations, rows::Rows};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, Scope, Subject, TokenHash, UserName},
    store::{ClientSession, EndOfLogin, GrantUser, LogoutNotice, PendingLogout, StoreResult},
};

const LOGOUTS: &str = "logouts";

pub fn put_logout(rows: &Rows<'_>, handle: TokenHash, logout: &PendingLogout) -> StoreResult<()> {
    let sealed = rows.codec.seal_record(rows.place(LOGOUTS, handle.as_bytes()), logout)?;
    rows.change(
        "INSERT INTO logouts (site, handle, sealed, expires_at) VALUES (?1, ?2, ?3, ?4)",
        params![rows.site, handle, sealed, logout.expires_at],
    )?;
    Ok(())
}

pub fn logout(rows: &Rows<'_>, handle: TokenHash, now: UnixTime) -> StoreResult<Option<PendingLogout>> {
    let sealed: Option<Vec<u8>> = rows.one(
        "SELECT sealed FROM logouts WHERE site = ?1 AND handle = ?2 AND expires_at > ?3",
        params![rows.site, handle, now],
        |row| row.get(0),
    )?;
    sealed.map(|sealed| rows.codec.open_record(rows.place(LOGOUTS, handle.as_bytes()), &sealed)).transpose()
}

pub fn take_logout(rows: &Rows<'_>, handle: TokenHash, now: UnixTime) -> StoreResult<Option<PendingLogout>> {
    let taken = logout(rows, handle, now)?;
    rows.change("DELETE FROM logouts WHERE site = ?1 AND handle = ?2", params![rows.site, handle])?;
    Ok(taken)
}

/// The columns that [`session`] reads, in its order.
macro_rules! sessions {
    ($rest:literal) => {
        concat!("SELECT client, claim, user_name, sub FROM session_claims ", $rest)
    };
}

fn session(row: &Row<'_>) -> rusqlite::Result<ClientSession> {
    let (name, sub) = (row.get::<_, Option<UserName>>(2)?, row.get::<_, Option<Subject>>(3)?);
    let user = name.zip(sub).map(|(name, sub)| GrantUser { name, sub });
    Ok(ClientSession { client: row.get(0)?, claim: row.get(1)?, user })
}

pub fn sessions_of_login(rows: &Rows<'_>, login: TokenHash) -> StoreResult<Vec<ClientSession>> {
    rows.all(sessions!("WHERE site = ?1 AND login = ?2 ORDER BY client"), params![rows.site, login], session)
}

/// Whether a login session has been used for a client and has not ended.
pub fn is_used_for(rows: &Rows<'_>, login: TokenHash, client: &ClientId) -> StoreResult<bool> {
    let found = rows.one(
        "SELECT 1 FROM session_claims WHERE site = ?1 AND login = ?2 AND client = ?3",
        params![rows.site, login, client],
        |_| Ok(()),
    )?;
    Ok(found.is_some())
}

pub fn continue_login(rows: &Rows<'_>, from: TokenHash, to: TokenHash) -> StoreResult<()> {
    // Where the other one has been used for a client already, that counts.
    rows.change(
        "UPDATE OR IGNORE session_claims SET login = ?3 WHERE site = ?1 AND login = ?2",
        params![rows.site, from, to],
    )?;
    forget(rows, from)
}

fn forget(rows: &Rows<'_>, login: TokenHash) -> StoreResult<()> {
    rows.change("DELETE FROM logins WHERE site = ?1 AND login = ?2", params![rows.site, login])?;
    rows.change("DELETE FROM session_claims WHERE site = ?1 AND login = ?2", params![rows.site, login])?;
    Ok(())
}

pub fn end_login(rows: &Rows<'_>, end: &EndOfLogin) -> StoreResult<Vec<GrantId>> {
    let mut ended = Vec::new();
    for session in sessions_of_login(rows, end.login)? {
        if end.ends.contains(&session.client) {
            ended.extend(end_grants(rows, &session, end.now)?);
        }
        if end.notifies.contains(&session.client) {
            rows.change(
                "INSERT OR REPLACE INTO logout_notices (site, client, claim, sub, next_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    rows.site,
                    session.client,
                    session.claim,
                    session.user.map(|user| user.sub),
                    end.now,
                    end.notices_expire_at,
                ],
            )?;
        }
    }
    forget(rows, end.login)?;
    Ok(ended)
}

/// Ends what a client was granted in a login session, but for what is to outlast it. Found by the user where that is known,
/// who has fewer grants than a client.
fn end_grants(rows: &Rows<'_>, session: &ClientSession, now: UnixTime) -> StoreResult<Vec<GrantId>> {
    let outlasts = format!("% {} %", Scope::OFFLINE_ACCESS);
    let read = |row: &Row<'_>| row.get(0);
    let ended = match &session.user {
        Some(user) => rows.all(
            "UPDATE grants INDEXED BY grants_user SET ended_at = ?3
             WHERE site = ?1 AND user_name = ?5 AND ended_at IS NULL AND client = ?2 AND session_claim = ?4
             AND ' ' || scopes || ' ' NOT LIKE ?6 RETURNING id",
            params![rows.site, session.client, now, session.claim, user.name, outlasts],
            read,
        ),
        None => rows.all(
            "UPDATE grants INDEXED BY grants_client SET ended_at = ?3
             WHERE site = ?1 AND client = ?2 AND ended_at IS NULL AND session_claim = ?4
             AND ' ' || scopes || ' ' NOT LIKE ?5 RETURNING id",
            params![rows.site, session.client, now, session.claim, outlasts],
            read,
        ),
    }?;
    revocations::announce(rows, ended, now)
}

pub fn take_due_notices(
    rows: &Rows<'_>,
    now: UnixTime,
    again: fn(UnixTime, u32) -> UnixTime,
    most: u32,
) -> StoreResult<Vec<LogoutNotice>> {
    let due = rows.all(
        "SELECT client, claim, sub, attempts FROM logout_notices
         WHERE site = ?1 AND next_at <= ?2 AND expires_at > ?2 ORDER BY next_at LIMIT ?3",
        params![rows.site, now, most],
        |row| Ok(LogoutNotice { client: row.get(0)?, claim: row.get(1)?, sub: row.get(2)?, attempts: row.get(3)? }),
    )?;
    for notice in &due {
        rows.change(
            "UPDATE logout_notices SET attempts = attempts + 1, next_at = ?4
             WHERE site = ?1 AND client = ?2 AND claim = ?3",
            params![rows.site, notice.client, notice.claim, again(now, notice.attempts)],
        )?;
    }
    Ok(due)
}

pub fn drop_notice(rows: &Rows<'_>, client: &ClientId, claim: &str) -> StoreResult<()> {
    rows.change(
        "DELETE FROM logout_notices WHERE site = ?1 AND client = ?2 AND claim = ?3",
        params![rows.site, client, claim],
    )?;
    Ok(())
}
