//! `token revoke`: in the store, whose feed a running gateway hears within a second.

use std::{cell::RefCell, io::Write, time::Duration};

use anyhow::Context;
use serde_json::json;

use super::{Found, RevokeArgs, find, from_input};
use crate::{
    cli::{DONE, REFUSED, output},
    erpnext::{NativeTokens, Whose},
    oauth::{ClientId, GrantId, UserName},
    server::tools::Tools,
    store::ShadowToken,
    telemetry::audit::{Audit, AuditEvent},
};

const BY: &str = "command_line";
/// After this time every running gateway has heard of an ended grant.
const HEARD: Duration = Duration::from_millis(1500);

/// What was ended.
struct Ended {
    whose: String,
    grants: usize,
    shadow_token: bool,
}

pub(super) fn run(args: &RevokeArgs, tools: &Tools, out: &mut dyn Write) -> anyhow::Result<u8> {
    // What can't be written down is not done.
    let audit = tools.audit()?;
    let ended = match (&args.user, &args.client) {
        (Some(user), _) => of_user(tools, &audit, &UserName::new(user))?,
        (None, Some(client)) => of_client(tools, &audit, &ClientId::new(client))?,
        (None, None) => match of_token(tools, &audit)? {
            Ok(ended) => ended,
            Err(reason) => {
                tell(args.json, out, &Ended { whose: String::new(), grants: 0, shadow_token: false }, Some(reason));
                return Ok(REFUSED);
            }
        },
    };
    let nothing = (ended.grants == 0 && !ended.shadow_token).then_some("there is nothing to end");
    tell(args.json, out, &ended, nothing);
    Ok(if nothing.is_none() { DONE } else { REFUSED })
}

fn tell(json: bool, out: &mut dyn Write, ended: &Ended, nothing: Option<&str>) {
    if json {
        let shadow_token_deleted = ended.shadow_token;
        output::json(
            out,
            &json!({ "grants_ended": ended.grants, "shadow_token_deleted": shadow_token_deleted, "reason": nothing }),
        );
    } else if let Some(nothing) = nothing {
        let _ = writeln!(out, "nothing ended: {nothing}");
    } else {
        let noun = if ended.grants == 1 { "grant" } else { "grants" };
        let shadow = if ended.shadow_token { ", and the shadow token in ERPNext" } else { "" };
        let _ = writeln!(out, "ended {} {noun} of {}{shadow}", ended.grants, ended.whose);
    }
}

/// Ends the grant of the token on standard input.
fn of_token(tools: &Tools, audit: &Audit) -> anyhow::Result<Result<Ended, &'static str>> {
    let token = from_input()?;
    let found = find(tools, &token)?;
    let grant = match (&found, found.grant()) {
        (Found::Not(reason), _) => return Ok(Err(reason)),
        (_, None) => return Ok(Err("it has no grant")),
        (_, Some(grant)) => grant,
    };
    if !tools.runtime.block_on(tools.store.revoke_grant(&grant.id, tools.clock.now()))? {
        return Ok(Err("its grant has ended"));
    }
    let (client, user) = (grant.client.as_str(), grant.user.name.as_str());
    let event = AuditEvent {
        event: "grant_revoked",
        reason: Some(BY),
        client_id: Some(client),
        user: Some(user),
        grant_id: Some(grant.id.as_str()),
        ..AuditEvent::default()
    };
    audit.record(tools.clock.now(), &event);
    if NativeTokens::made(&grant.id) {
        let whose = Whose::User(grant.user.name.clone());
        settle(tools, &whose, &mut vec![grant.id.clone()], || Ok(Vec::new()))?;
    }
    Ok(Ok(Ended { whose: format!("{user} to {client}"), grants: 1, shadow_token: false }))
}

/// Has ERPNext forget the tokens of its own making that have ended; those that nobody had read until now end, too.
fn settle(
    tools: &Tools,
    whose: &Whose,
    ended: &mut Vec<GrantId>,
    revoke: impl Fn() -> anyhow::Result<Vec<GrantId>>,
) -> anyhow::Result<()> {
    let Some(natives) = &tools.natives else { return Ok(()) };
    let settled = tools.runtime.block_on(natives.settle(whose));
    // What has been read by now lives until it is ended, even if the reading broke off.
    ended.extend(revoke()?);
    let settled = match settled {
        Ok(0) => Ok(()),
        Ok(_) => tools.runtime.block_on(natives.settle(whose)).map(drop),
        Err(error) => Err(error),
    };
    settled.with_context(|| {
        format!(
            "{} grants are ended, but ERPNext may have tokens of its own making that nobody has read yet, or that could \
             not be deleted there: run this again when it answers",
            ended.len()
        )
    })
}

/// Ends all grants first: that must work while ERPNext is away. The shadow token stays in the store until ERPNext has
/// deleted it, so that this can be run again.
fn of_user(tools: &Tools, audit: &Audit, user: &UserName) -> anyhow::Result<Ended> {
    let store = &tools.store;
    let kept = RefCell::default();
    let revoke = || {
        tools.runtime.block_on(async {
            let shadow = store.take_shadow_token(user).await?;
            let ended = store.revoke_user(user, tools.clock.now()).await;
            if let Some(shadow) = shadow {
                store.put_shadow_token(user, shadow.clone()).await?;
                kept.replace(Some(shadow));
            }
            anyhow::Ok(ended?)
        })
    };
    let mut ended = revoke()?;
    let settled = settle(tools, &Whose::User(user.clone()), &mut ended, revoke);
    let (ended, kept) = (ended.len(), kept.take());
    let event = AuditEvent {
        event: "user_revoked",
        reason: Some(BY),
        user: Some(user.as_str()),
        count: Some(ended as u64),
        ..AuditEvent::default()
    };
    audit.record(tools.clock.now(), &event);
    if let Some(kept) = &kept {
        tools.runtime.block_on(delete_shadow_token(tools, user, kept)).with_context(|| {
            format!(
                "{ended} grants of {user} are ended, but the user's shadow token could not be deleted in ERPNext: run \
                 this again"
            )
        })?;
    }
    settled?;
    Ok(Ended { whose: user.to_string(), grants: ended, shadow_token: kept.is_some() })
}

async fn delete_shadow_token(tools: &Tools, user: &UserName, kept: &ShadowToken) -> anyhow::Result<()> {
    // A running gateway that has not heard yet would make another one in place of one that ERPNext refuses.
    tokio::time::sleep(HEARD).await;
    tools.erpnext.delete_shadow_token(&kept.token).await?;
    match tools.store.take_shadow_token(user).await? {
        // The user has logged in again meanwhile.
        Some(newer) if newer.token != kept.token => Ok(tools.store.put_shadow_token(user, newer).await?),
        Some(_) | None => Ok(()),
    }
}

/// Shadow tokens are a user's, not a client's: they stay.
fn of_client(tools: &Tools, audit: &Audit, client: &ClientId) -> anyhow::Result<Ended> {
    let revoke = || Ok(tools.runtime.block_on(tools.store.revoke_client(client, tools.clock.now()))?);
    let mut ended: Vec<GrantId> = revoke()?;
    let settled = settle(tools, &Whose::Client(client.clone()), &mut ended, revoke);
    let event = AuditEvent {
        event: "client_revoked",
        reason: Some(BY),
        client_id: Some(client.as_str()),
        count: Some(ended.len() as u64),
        ..AuditEvent::default()
    };
    audit.record(tools.clock.now(), &event);
    settled?;
    Ok(Ended { whose: client.to_string(), grants: ended.len(), shadow_token: false })
}
