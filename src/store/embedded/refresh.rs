//! One refresh, whole (decision 23): which succession, whether in the grace, whether a reuse.

use std::time::Duration;

use rusqlite::params;

use super::{grants, rows::Rows};
use crate::{
    clock::UnixTime,
    oauth::{GrantId, TokenHash},
    store::{NewRefreshToken, RefreshOutcome, RefreshStep, RefreshSuccession, StoreResult},
};

/// The presented refresh token, of a grant that lives.
struct Presented {
    grant: GrantId,
    generation: u32,
    rotated_at: Option<UnixTime>,
    successor: Option<TokenHash>,
}

pub fn rotate_refresh(rows: &Rows<'_>, step: &RefreshStep) -> StoreResult<RefreshOutcome> {
    let Some(presented) = presented(rows, step)? else { return Ok(RefreshOutcome::Absent) };
    let outcome = if let Some(rotated_at) = presented.rotated_at {
        again(rows, step, &presented, rotated_at)?
    } else {
        succeed(rows, step, &presented)?;
        RefreshOutcome::Refreshed
    };
    match &outcome {
        RefreshOutcome::Reused(grant) => {
            grants::revoke_grant(rows, grant, step.now)?;
        }
        RefreshOutcome::Refreshed | RefreshOutcome::Graced => {
            grants::put_access_token(rows, &presented.grant, &step.access)?;
            prolong_grant(rows, step, &presented.grant)?;
        }
        RefreshOutcome::Absent => {}
    }
    Ok(outcome)
}

fn presented(rows: &Rows<'_>, step: &RefreshStep) -> StoreResult<Option<Presented>> {
    rows.one(
        "SELECT t.grant_id, t.generation, t.rotated_at, t.successor
         FROM refresh_tokens t JOIN grants g ON g.site = t.site AND g.id = t.grant_id
         WHERE t.site = ?1 AND t.hash = ?2 AND t.expires_at > ?3 AND g.ended_at IS NULL",
        params![rows.site, step.presented, step.now],
        |row| {
            Ok(Presented {
                grant: row.get(0)?,
                generation: row.get(1)?,
                rotated_at: row.get(2)?,
                successor: row.get(3)?,
            })
        },
    )
}

/// A token that was rotated away before: a retry, or a reuse.
fn again(
    rows: &Rows<'_>,
    step: &RefreshStep,
    presented: &Presented,
    rotated_at: UnixTime,
) -> StoreResult<RefreshOutcome> {
    // A client that has left rotation since has no grace either: a replaced token is a replaced token.
    if let RefreshSuccession::Rotate { successor, grace_millis } = &step.succession {
        let in_grace = step.now.since(rotated_at) < Duration::from_millis(*grace_millis);
        let same = presented.successor == Some(*successor);
        if in_grace && same && prolong(rows, *successor, step.refresh_expires_at, Use::NotByItself)? {
            return Ok(RefreshOutcome::Graced);
        }
    }
    Ok(RefreshOutcome::Reused(presented.grant.clone()))
}

fn succeed(rows: &Rows<'_>, step: &RefreshStep, presented: &Presented) -> StoreResult<()> {
    let new = |hash| NewRefreshToken { hash, issued_at: step.now, expires_at: step.refresh_expires_at };
    let generation = presented.generation.saturating_add(1);
    match step.succession {
        RefreshSuccession::Rotate { successor, .. } => {
            rows.change(
                "UPDATE refresh_tokens SET rotated_at = ?3, successor = ?4, used = 1 WHERE site = ?1 AND hash = ?2",
                params![rows.site, step.presented, step.now, successor],
            )?;
            grants::put_refresh_token(rows, &presented.grant, generation, &new(successor))?;
            make_newest(rows, &presented.grant, successor)
        }
        RefreshSuccession::Keep => {
            prolong(rows, step.presented, step.refresh_expires_at, Use::ByItself)?;
            Ok(())
        }
        RefreshSuccession::Add { added } => {
            // Who goes on presenting an earlier token uses the grant as well: its end moves on too.
            prolong(rows, step.presented, step.refresh_expires_at, Use::ByItself)?;
            grants::put_refresh_token(rows, &presented.grant, generation, &new(added))?;
            make_newest(rows, &presented.grant, added)
        }
    }
}

/// Why the end of a token moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// It was presented.
    ByItself,
    /// Its predecessor was; this may not happen any more once it has been presented itself.
    NotByItself,
}

/// Moves the end of a refresh token; `false` when that may not happen.
fn prolong(rows: &Rows<'_>, token: TokenHash, until: UnixTime, by: Use) -> StoreResult<bool> {
    let itself = by == Use::ByItself;
    let changed = rows.change(
        "UPDATE refresh_tokens SET expires_at = ?3, used = used OR ?4 WHERE site = ?1 AND hash = ?2 AND (?4 OR NOT used)",
        params![rows.site, token, until, itself],
    )?;
    Ok(changed > 0)
}

fn make_newest(rows: &Rows<'_>, grant: &GrantId, token: TokenHash) -> StoreResult<()> {
    rows.change("UPDATE grants SET newest_refresh = ?3 WHERE site = ?1 AND id = ?2", params![rows.site, grant, token])?;
    Ok(())
}

/// The grant stays at least until its new tokens end.
fn prolong_grant(rows: &Rows<'_>, step: &RefreshStep, grant: &GrantId) -> StoreResult<()> {
    rows.change(
        "UPDATE grants SET lasts_until = max(lasts_until, ?3), last_used = max(coalesce(last_used, 0), ?4)
         WHERE site = ?1 AND id = ?2",
        params![rows.site, grant, step.refresh_expires_at.max(step.access.expires_at), step.now],
    )?;
    Ok(())
}
