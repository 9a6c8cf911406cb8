//! `key`: the signing keys in the store. Never a private one.

use std::{io::Write, sync::Arc};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{ConfigArgs, DONE, REFUSED, WRONG_USAGE, output};
use crate::{
    clock::UnixTime,
    issuer::{JWKS_MAX_AGE, KeyLives, KeyPhase, KeyTimes, LEAD, SigningKeys},
    oauth::SigningAlgorithm,
    server::tools::Tools,
    store::StoredSigningKey,
    telemetry::audit::AuditEvent,
};

/// The sub-commands of `key`.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Lists the signing keys
    List(KeyArgs),
    /// Publishes the next signing keys, which take over once every client can know them
    Rotate(RotateArgs),
}

/// The arguments of both.
#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// The arguments of `rotate`.
#[derive(Debug, Args)]
pub(super) struct RotateArgs {
    #[command(flatten)]
    key: KeyArgs,
    /// For a stolen key: removes all keys and signs with new ones at once. What the old ones signed is believed no more
    #[arg(long)]
    now: bool,
}

/// A key as it is shown.
#[derive(Serialize)]
struct Shown {
    kid: String,
    algorithm: &'static str,
    state: &'static str,
    created_at: String,
    signs_from: String,
    signs_until: Option<String>,
    retired_at: Option<String>,
    published_until: Option<String>,
}

/// Does what the sub-command says, and says how to exit.
pub(super) fn run(command: &KeyCommand, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let (KeyCommand::List(args) | KeyCommand::Rotate(RotateArgs { key: args, .. })) = command;
    let config = match args.config.load() {
        Ok(config) => config,
        Err(problems) => {
            // Whoever closed the pipe wants no more of it; the exit code tells the rest.
            let _ = writeln!(err, "{problems}");
            return WRONG_USAGE;
        }
    };
    let done = Tools::open(&config).and_then(|tools| {
        let note = match command {
            KeyCommand::List(_) => None,
            KeyCommand::Rotate(rotation) if rotation.now => Some(replace(&tools)?),
            KeyCommand::Rotate(_) => Some(rotate(&tools)?),
        };
        print(&tools, args.json, out)?;
        Ok(note)
    });
    match done {
        Ok(note) => {
            // Apart from what programs read.
            let _ = note.map(|note| writeln!(err, "{note}"));
            DONE
        }
        Err(error) => {
            let _ = writeln!(err, "key: {error:#}");
            REFUSED
        }
    }
}

fn keys(tools: &Tools) -> anyhow::Result<Vec<StoredSigningKey>> {
    Ok(tools.runtime.block_on(tools.store.signing_keys())?)
}

/// The keys of the algorithms that are signed with.
fn signing(tools: &Tools, now: UnixTime) -> anyhow::Result<SigningKeys> {
    let present = keys(tools)?.into_iter().filter(|key| key.retired_at.is_none());
    let algorithms: Vec<SigningAlgorithm> = present.map(|key| key.algorithm).collect();
    if algorithms.is_empty() {
        anyhow::bail!("there is no key yet: the gateway makes the first ones when it starts");
    }
    let loaded = SigningKeys::load(Arc::clone(&tools.store), &algorithms, tools.key_lives, now);
    Ok(tools.runtime.block_on(loaded)?)
}

fn rotate(tools: &Tools) -> anyhow::Result<String> {
    let (audit, now) = (tools.audit()?, tools.clock.now());
    let rotated = tools.runtime.block_on(signing(tools, now)?.rotate(now))?;
    let (reason, count) = (Some("command_line"), Some(rotated as u64));
    audit.record(now, &AuditEvent { event: "signing_keys_rotated", reason, count, ..AuditEvent::default() });
    Ok(format!(
        "The next keys are published from now on, and sign within {} minutes, when no client can have kept a document \
         without them. Until then the present ones sign.\n\
         If a key was stolen this is too slow, and the stolen one would go on being believed: use --now.",
        LEAD.as_secs().div_ceil(60)
    ))
}

fn replace(tools: &Tools) -> anyhow::Result<String> {
    let (audit, now) = (tools.audit()?, tools.clock.now());
    let gone = tools.runtime.block_on(signing(tools, now)?.replace_all(now))?;
    let event = AuditEvent {
        event: "signing_keys_replaced",
        reason: Some("command_line"),
        count: Some(gone),
        ..AuditEvent::default()
    };
    audit.record(now, &event);
    Ok(format!(
        "All {gone} earlier keys are gone; a running gateway hears of it within ten seconds. No id_token that they signed \
         verifies any more, nor counts as id_token_hint.\n\
         Clients that keep the published keys go on believing the old ones, and fail to verify with the new ones unless \
         they ask again for a kid that they do not know: for up to {} seconds.\n\
         A backup of the store from before has the old keys: run this again if you restore one.",
        JWKS_MAX_AGE.as_secs()
    ))
}

fn print(tools: &Tools, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let (now, lives) = (tools.clock.now(), tools.key_lives);
    let shown: Vec<Shown> = keys(tools)?.iter().map(|key| Shown::of(key, lives, now)).collect();
    if json {
        output::json(out, &shown);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = shown.into_iter().map(Shown::row).collect();
    let head = ["KID", "ALGORITHM", "STATE", "CREATED", "SIGNS FROM", "SIGNS UNTIL", "PUBLISHED UNTIL"];
    output::table(out, &head, &rows);
    Ok(())
}

impl Shown {
    fn of(key: &StoredSigningKey, lives: KeyLives, now: UnixTime) -> Self {
        let times = KeyTimes::of(key);
        let phase = times.phase(now);
        let signs_until = times.retired_at.map(output::shown);
        Self {
            kid: key.id.as_str().to_owned(),
            algorithm: key.algorithm.as_str(),
            state: phase.as_str(),
            created_at: output::shown(key.created_at),
            signs_from: output::shown(times.signs_from),
            retired_at: signs_until.clone().filter(|_| phase == KeyPhase::Retired),
            signs_until,
            published_until: times.published_until(lives).map(output::shown),
        }
    }

    fn row(self) -> Vec<String> {
        let or_dash = |time: Option<String>| time.unwrap_or_else(|| "-".to_owned());
        vec![
            self.kid,
            self.algorithm.to_owned(),
            self.state.to_owned(),
            self.created_at,
            self.signs_from,
            or_dash(self.signs_until),
            or_dash(self.published_until),
        ]
    }
}
