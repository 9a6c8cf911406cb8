//! What a user has allowed clients: grants that live, consents that are remembered, and the end of both.

use rusqlite::params;

use super::{
    requests::{self, Whose},
    revocations,
    rows::Rows,
};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, UserName},
    store::{Connection, GrantUser, StoreResult},
};

/// One row for each client and list of scopes, in the order of clients.
pub fn connections(rows: &Rows<'_>, user: &GrantUser, now: UnixTime) -> StoreResult<Vec<Connection>> {
    rows.all(
        "SELECT client, scopes, min(since), max(used), max(living) FROM (
             SELECT g.client AS client, g.scopes AS scopes, g.created_at AS since, 1 AS living,
                    max(coalesce(g.last_used, 0), coalesce((
                        SELECT max(n.last_used) FROM native_tokens n INDEXED BY native_tokens_grant
                        WHERE n.site = g.site AND n.grant_id = g.id), 0)) AS used
             FROM grants g INDEXED BY grants_user
             WHERE g.site = ?1 AND g.user_name = ?2 AND g.ended_at IS NULL AND g.sub = ?3 AND g.lasts_until > ?4
             UNION ALL
             SELECT client, scopes, given_at, 0, 0 FROM consents INDEXED BY consents_user
             WHERE site = ?1 AND user_name = ?2 AND sub = ?3 AND expires_at > ?4)
         GROUP BY client, scopes ORDER BY client, min(since)",
        params![rows.site, user.name, user.sub, now],
        |row| {
            let last: UnixTime = row.get(3)?;
            Ok(Connection {
                client: row.get(0)?,
                scopes: row.get(1)?,
                since: row.get(2)?,
                last_used: Some(last).filter(|last| last.millis() > 0),
                acts: row.get(4)?,
            })
        },
    )
}

pub fn end_connection(rows: &Rows<'_>, user: &UserName, client: &ClientId, now: UnixTime) -> StoreResult<Vec<GrantId>> {
    let ended = rows.all(
        "UPDATE grants INDEXED BY grants_user SET ended_at = ?4
         WHERE site = ?1 AND user_name = ?2 AND ended_at IS NULL AND client = ?3 RETURNING id",
        params![rows.site, user, client, now],
        |row| row.get(0),
    )?;
    let ended = revocations::announce(rows, ended, now)?;
    requests::void_codes(rows, Whose::UserAtClient(user, client))?;
    rows.change(
        "DELETE FROM consents WHERE site = ?1 AND user_name = ?2 AND client = ?3",
        params![rows.site, user, client],
    )?;
    Ok(ended)
}

pub fn note_uses(rows: &Rows<'_>, uses: &[(GrantId, UnixTime)]) -> StoreResult<()> {
    for (grant, at) in uses {
        rows.change(
            "UPDATE grants SET last_used = max(coalesce(last_used, 0), ?3) WHERE site = ?1 AND id = ?2",
            params![rows.site, grant, at],
        )?;
    }
    Ok(())
}
