//! What agents did in a day, and whether the operator has stopped them all.

use std::time::Duration;

use rusqlite::params;

use super::{revocations, rows::Rows};
use crate::{
    clock::UnixTime,
    oauth::ClientId,
    store::{AgentUse, Day, StoppedAgents, StoreResult},
};

/// How long a day is kept after it began: somebody may want to know what happened.
const KEPT: Duration = Duration::from_secs(8 * 86_400);

pub fn count_uses(rows: &Rows<'_>, uses: &[AgentUse]) -> StoreResult<()> {
    for one in uses {
        let began = UnixTime::from_secs(one.day.0.saturating_mul(86_400));
        rows.change(
            "INSERT INTO agent_uses (site, client, day, requests, writes, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, writes = writes + excluded.writes",
            params![
                rows.site,
                one.client,
                number(one.day.0),
                number(one.requests),
                number(one.writes),
                began.plus(KEPT)
            ],
        )?;
    }
    Ok(())
}

pub fn uses(rows: &Rows<'_>, day: Day) -> StoreResult<Vec<AgentUse>> {
    rows.all(
        "SELECT client, requests, writes FROM agent_uses WHERE site = ?1 AND day = ?2 ORDER BY client",
        params![rows.site, number(day.0)],
        |row| {
            let count =
                |column| Ok::<_, rusqlite::Error>(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default());
            Ok(AgentUse { client: row.get(0)?, day, requests: count(1)?, writes: count(2)? })
        },
    )
}

pub fn stop(rows: &Rows<'_>, agents: &[ClientId], now: UnixTime) -> StoreResult<StoppedAgents> {
    let noted =
        rows.change("INSERT OR IGNORE INTO stopped_agents (site, since) VALUES (?1, ?2)", params![rows.site, now])?;
    let mut ended = Vec::new();
    for agent in agents {
        ended.extend(revocations::revoke_client(rows, agent, now)?);
    }
    Ok(StoppedAgents { ran: noted > 0, ended })
}

pub fn start(rows: &Rows<'_>) -> StoreResult<bool> {
    Ok(rows.change("DELETE FROM stopped_agents WHERE site = ?1", params![rows.site])? > 0)
}

pub fn stopped_since(rows: &Rows<'_>) -> StoreResult<Option<UnixTime>> {
    rows.one("SELECT since FROM stopped_agents WHERE site = ?1", params![rows.site], |row| row.get(0))
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
