//! `agents`: the operator's switch for all agents, and what they did today.

use std::io::Write;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{
    ConfigArgs, DONE, REFUSED, WRONG_USAGE,
    output::{self, shown},
};
use crate::{
    access::agents::{Budgets, day_of},
    config::Config,
    oauth::{Client, ClientId},
    server::tools::Tools,
    telemetry::audit::AuditEvent,
};

const BY: &str = "command_line";

/// The arguments of `agents`.
#[derive(Debug, Args)]
pub(super) struct AgentsArgs {
    /// What to do; left out, it is shown whether agents run, who they are and what they did today
    #[arg(value_enum)]
    action: Option<Action>,
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Ends all grants of all agents at once, and refuses them new ones
    Stop,
    /// Lets agents be granted access again
    Start,
}

/// An agent as it is shown.
#[derive(Serialize)]
struct Shown {
    client_id: String,
    name: String,
    source: &'static str,
    living_grants: u64,
    requests_today: u64,
    /// `None`: as many as it likes.
    requests_per_day: Option<u64>,
    writes_today: u64,
    writes_per_day: Option<u64>,
}

/// All of it.
#[derive(Serialize)]
struct Overview {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_since: Option<String>,
    agents: Vec<Shown>,
}

/// What came of the switch.
#[derive(Serialize)]
struct Switched {
    state: &'static str,
    changed: bool,
    grants_ended: usize,
}

const STOPPED: &str = "stopped";
const RUNNING: &str = "running";

/// Does what the arguments say, and says how to exit.
pub(super) fn run(args: &AgentsArgs, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let config = match args.config.load() {
        Ok(config) => config,
        Err(problems) => {
            // Whoever closed the pipe wants no more of it; the exit code tells the rest.
            let _ = writeln!(err, "{problems}");
            return WRONG_USAGE;
        }
    };
    let done = Tools::open(&config).and_then(|tools| match args.action {
        None => show(args.json, &config, &tools, out),
        Some(Action::Stop) => stop(args.json, &config, &tools, out),
        Some(Action::Start) => start(args.json, &tools, out),
    });
    done.unwrap_or_else(|error| {
        let _ = writeln!(err, "agents: {error:#}");
        REFUSED
    })
}

fn show(json: bool, config: &Config, tools: &Tools, out: &mut dyn Write) -> anyhow::Result<u8> {
    let state = state(config, tools)?;
    if json {
        output::json(out, &state);
        return Ok(DONE);
    }
    let said = match &state.stopped_since {
        Some(since) => format!("agents are stopped since {since}: `empress-gateway agents start` lets them go on"),
        None => "agents run".to_owned(),
    };
    let _ = writeln!(out, "{said}");
    let of =
        |used: u64, most: Option<u64>| format!("{used} of {}", most.map_or("any".to_owned(), |most| most.to_string()));
    let row = |agent: &Shown| {
        vec![
            agent.client_id.clone(),
            agent.name.clone(),
            agent.source.to_owned(),
            agent.living_grants.to_string(),
            of(agent.requests_today, agent.requests_per_day),
            of(agent.writes_today, agent.writes_per_day),
        ]
    };
    let rows: Vec<_> = state.agents.iter().map(row).collect();
    if !rows.is_empty() {
        output::table(out, &["AGENT", "NAME", "SOURCE", "GRANTS", "REQUESTS TODAY", "WRITES TODAY"], &rows);
    }
    Ok(DONE)
}

fn state(config: &Config, tools: &Tools) -> anyhow::Result<Overview> {
    let (store, now) = (&tools.store, tools.clock.now());
    let (since, done, living) = tools.runtime.block_on(async {
        let since = store.agents_stopped_since().await?;
        let done = store.agent_uses(day_of(now)).await?;
        anyhow::Ok((since, done, store.living_grants(now).await?))
    })?;
    let defaults = Budgets { requests: config.agents.requests_per_day, writes: config.agents.writes_per_day };
    let describe = |client: &Client| {
        let budgets = defaults.with(client.agent?);
        let used = done.iter().find(|used| used.client == client.id);
        let grants = living.iter().find(|(id, _)| *id == client.id);
        Some(Shown {
            client_id: client.id.as_str().to_owned(),
            name: client.name.clone(),
            source: client.source.as_str(),
            living_grants: grants.map(|(_, count)| *count).unwrap_or_default(),
            requests_today: used.map(|used| used.requests).unwrap_or_default(),
            requests_per_day: budgets.requests.limit(),
            writes_today: used.map(|used| used.writes).unwrap_or_default(),
            writes_per_day: budgets.writes.limit(),
        })
    };
    let mut agents: Vec<Shown> = tools.clients(config)?.iter().filter_map(describe).collect();
    agents.sort_by(|one, other| one.client_id.cmp(&other.client_id));
    let state = if since.is_some() { STOPPED } else { RUNNING };
    Ok(Overview { state, stopped_since: since.map(shown), agents })
}

/// In the store, which running gateways look at twice a second.
fn stop(json: bool, config: &Config, tools: &Tools, out: &mut dyn Write) -> anyhow::Result<u8> {
    // What can't be written down is not done.
    let audit = tools.audit()?;
    let agents: Vec<ClientId> =
        tools.clients(config)?.into_iter().filter(|client| client.agent.is_some()).map(|client| client.id).collect();
    let now = tools.clock.now();
    let stopped = tools.runtime.block_on(tools.store.stop_agents(agents, now)).context("nothing is stopped")?;
    let grants_ended = stopped.ended.len();
    let count = Some(grants_ended as u64);
    audit.record(now, &AuditEvent { event: "agents_stopped", reason: Some(BY), count, ..AuditEvent::default() });
    if json {
        output::json(out, &Switched { state: STOPPED, changed: stopped.ran, grants_ended });
    } else {
        let before = if stopped.ran { "agents are stopped" } else { "agents were stopped already" };
        let noun = if grants_ended == 1 { "grant" } else { "grants" };
        let _ = writeln!(out, "{before}: {grants_ended} {noun} ended");
    }
    Ok(DONE)
}

fn start(json: bool, tools: &Tools, out: &mut dyn Write) -> anyhow::Result<u8> {
    let audit = tools.audit()?;
    let changed = tools.runtime.block_on(tools.store.start_agents())?;
    if changed {
        let event = AuditEvent { event: "agents_started", reason: Some(BY), ..AuditEvent::default() };
        audit.record(tools.clock.now(), &event);
    }
    if json {
        output::json(out, &Switched { state: RUNNING, changed, grants_ended: 0 });
    } else {
        let said = if changed { "agents may be granted access again" } else { "agents were not stopped" };
        let _ = writeln!(out, "{said}");
    }
    Ok(if changed { DONE } else { REFUSED })
}
