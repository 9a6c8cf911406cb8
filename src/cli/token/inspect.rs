//! `token inspect`

use std::io::Write;

use serde::Serialize;

use super::{Found, InspectArgs, find, from_input};
use crate::{
    cli::{
        DONE, REFUSED,
        output::{self, shown},
    },
    clock::UnixTime,
    oauth::{Actor, ClientId, Recognised},
    server::tools::Tools,
    store::Grant,
};

const GATEWAY: &str = "gateway";
const ERPNEXT: &str = "erpnext";

/// What is known of a token.
#[derive(Serialize)]
struct Inspected<'a> {
    kind: &'static str,
    state: &'static str,
    issued_by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    known: Option<Known<'a>>,
}

#[derive(Serialize)]
struct Known<'a> {
    client_id: &'a str,
    user: &'a str,
    sub: &'a str,
    scope: String,
    issued_at: String,
    expires_at: String,
    grant_id: &'a str,
    granted_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'a Actor>,
}

pub(super) fn run(args: &InspectArgs, tools: &Tools, out: &mut dyn Write) -> anyhow::Result<u8> {
    let token = from_input()?;
    let found = find(tools, &token)?;
    let mut inspected = inspected(&found, tools.clock.now());
    if inspected.known.is_some() && tools.mint.recognise(token.expose()) == Recognised::Foreign {
        inspected.issued_by = ERPNEXT;
    }
    if args.json {
        output::json(out, &inspected);
    } else {
        print(&inspected, out);
    }
    Ok(if inspected.known.is_some() { DONE } else { REFUSED })
}

fn inspected(found: &Found, now: UnixTime) -> Inspected<'_> {
    let state = |expires_at: UnixTime| if expires_at > now { "active" } else { "expired" };
    match found {
        Found::Access(facts) => Inspected {
            kind: "access_token",
            state: state(facts.expires_at),
            issued_by: GATEWAY,
            reason: None,
            known: Some(known(&facts.grant, facts.scopes.to_string(), facts.issued_at, facts.expires_at)),
        },
        Found::Refresh(facts) => Inspected {
            kind: "refresh_token",
            state: if facts.rotated_at.is_some() { "rotated" } else { state(facts.expires_at) },
            issued_by: GATEWAY,
            reason: None,
            known: Some(known(&facts.grant, facts.grant.scopes.to_string(), facts.issued_at, facts.expires_at)),
        },
        Found::Not(reason) => {
            Inspected { kind: "unknown", state: "not_active", issued_by: "unknown", reason: Some(reason), known: None }
        }
    }
}

fn known(grant: &Grant, scope: String, issued_at: UnixTime, expires_at: UnixTime) -> Known<'_> {
    Known {
        client_id: grant.client.as_str(),
        user: grant.user.name.as_str(),
        sub: grant.user.sub.as_str(),
        scope,
        issued_at: shown(issued_at),
        expires_at: shown(expires_at),
        grant_id: grant.id.as_str(),
        granted_at: shown(grant.created_at),
        act: grant.act.as_ref(),
    }
}

fn print(inspected: &Inspected<'_>, out: &mut dyn Write) {
    let Some(known) = &inspected.known else {
        let _ = writeln!(out, "not active: {}", inspected.reason.unwrap_or_default());
        return;
    };
    let acting = known.act.map(|actor| actor.chain().map(ClientId::as_str).collect::<Vec<_>>().join(", after "));
    let acting = acting.unwrap_or_default();
    output::pairs(
        out,
        &[
            ("kind", inspected.kind.replace('_', " ")),
            ("state", inspected.state.to_owned()),
            ("issued by", inspected.issued_by.to_owned()),
            ("client", known.client_id.to_owned()),
            ("user", known.user.to_owned()),
            ("acting", acting),
            ("scopes", known.scope.clone()),
            ("issued", known.issued_at.clone()),
            ("expires", known.expires_at.clone()),
            ("grant", format!("{}, since {}", known.grant_id, known.granted_at)),
        ],
    );
}
