//! Consents that are remembered, and what is known of login sessions.

use rusqlite::params;

use super::rows::Rows;
use crate::{
    clock::UnixTime,
    oauth::{ClientId, Subject, TokenHash, UserName},
    store::{ClientSession, Consent, GrantUser, StoreResult},
};

pub fn put_consent(rows: &Rows<'_>, consent: &Consent) -> StoreResult<()> {
    rows.change(
        "INSERT OR REPLACE INTO consents (site, client, user_name, redirect_uri, sub, scopes, agent, given_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            rows.site,
            consent.client,
            consent.user.name,
            consent.redirect_uri,
            consent.user.sub,
            consent.scopes,
            consent.agent,
            consent.given_at,
            consent.expires_at,
        ],
    )?;
    Ok(())
}

pub fn forget_consents(rows: &Rows<'_>, client: &ClientId) -> StoreResult<()> {
    rows.change("DELETE FROM consents WHERE site = ?1 AND client = ?2", params![rows.site, client])?;
    Ok(())
}

pub fn consent(
    rows: &Rows<'_>,
    client: &ClientId,
    user: &UserName,
    sub: &Subject,
    redirect_uri: &str,
    now: UnixTime,
) -> StoreResult<Option<Consent>> {
    rows.one(
        "SELECT scopes, agent, given_at, expires_at FROM consents
         WHERE site = ?1 AND client = ?2 AND user_name = ?3 AND redirect_uri = ?4 AND sub = ?5 AND expires_at > ?6",
        params![rows.site, client, user, redirect_uri, sub, now],
        |row| {
            Ok(Consent {
                client: client.clone(),
                user: GrantUser { name: user.clone(), sub: sub.clone() },
                redirect_uri: redirect_uri.to_owned(),
                scopes: row.get(0)?,
                agent: row.get(1)?,
                given_at: row.get(2)?,
                expires_at: row.get(3)?,
            })
        },
    )
}

pub fn put_login(rows: &Rows<'_>, login: TokenHash, at: UnixTime, expires_at: UnixTime) -> StoreResult<()> {
    rows.change(
        "INSERT OR REPLACE INTO logins (site, login, at, expires_at) VALUES (?1, ?2, ?3, ?4)",
        params![rows.site, login, at, expires_at],
    )?;
    Ok(())
}

pub fn login(rows: &Rows<'_>, login: TokenHash, now: UnixTime) -> StoreResult<Option<UnixTime>> {
    rows.one(
        "SELECT at FROM logins WHERE site = ?1 AND login = ?2 AND expires_at > ?3",
        params![rows.site, login, now],
        |row| row.get(0),
    )
}

pub fn session_claim(
    rows: &Rows<'_>,
    login: TokenHash,
    candidate: ClientSession,
    expires_at: UnixTime,
) -> StoreResult<String> {
    let ClientSession { client, claim, user } = candidate;
    let (name, sub) = user.map(|user| (user.name, user.sub)).unzip();
    let kept = rows.one(
        "INSERT INTO session_claims (site, login, client, claim, expires_at, user_name, sub)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT DO UPDATE SET expires_at = max(expires_at, excluded.expires_at), user_name = excluded.user_name,
                                   sub = excluded.sub
         RETURNING claim",
        params![rows.site, login, client, claim, expires_at, name, sub],
        |row| row.get(0),
    )?;
    Ok(kept.unwrap_or(claim))
}
