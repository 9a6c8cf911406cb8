//! `key`: the signing keys in the store. Never a private one.

use std::{io::Write, sync::Arc, time::Duration};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{ConfigArgs, DONE, REFUSED, WRONG_USAGE, output};
use crate::{
    issuer::SigningKeys, oauth::SigningAlgorithm, server::tools::Tools, store::StoredSigningKey,
    telemetry::audit::AuditEvent,
};

/// The sub-commands of `key`.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Lists the signing keys
    List(KeyArgs),
    /// Retires the keys that sign and makes new ones
    Rotate(KeyArgs),
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

/// A key as it is shown.
#[derive(Serialize)]
struct Shown {
    kid: String,
    algorithm: &'static str,
    created_at: String,
    retired_at: Option<String>,
}

/// Does what the sub-command says, and says how to exit.
pub(super) fn run(command: &KeyCommand, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let (KeyCommand::List(args) | KeyCommand::Rotate(args)) = command;
    let config = match args.config.load() {
        Ok(config) => config,
        Err(problems) => {
            // Whoever closed the pipe wants no more of it; the exit code tells the rest.
            let _ = writeln!(err, "{problems}");
            return WRONG_USAGE;
        }
    };
    let done = Tools::open(&config).and_then(|tools| {
        if matches!(command, KeyCommand::Rotate(_)) {
            rotate(&tools)?;
        }
        keys(&tools)
    });
    match done {
        Ok(keys) => print(&keys, args.json, out),
        Err(error) => {
            let _ = writeln!(err, "key: {error:#}");
            return REFUSED;
        }
    }
    DONE
}

fn keys(tools: &Tools) -> anyhow::Result<Vec<StoredSigningKey>> {
    Ok(tools.runtime.block_on(tools.store.signing_keys())?)
}

fn rotate(tools: &Tools) -> anyhow::Result<()> {
    let audit = tools.audit()?;
    let active = keys(tools)?.into_iter().filter(|key| key.retired_at.is_none());
    let algorithms: Vec<SigningAlgorithm> = active.map(|key| key.algorithm).collect();
    if algorithms.is_empty() {
        anyhow::bail!("there is no key yet: the gateway makes the first ones when it starts");
    }
    let now = tools.clock.now();
    let rotated = tools.runtime.block_on(async {
        let signing = SigningKeys::load(Arc::clone(&tools.store), &algorithms, now).await?;
        signing.rotate_older_than(Duration::ZERO, now).await
    })?;
    let (reason, count) = (Some("command_line"), Some(rotated as u64));
    audit.record(now, &AuditEvent { event: "signing_keys_rotated", reason, count, ..AuditEvent::default() });
    Ok(())
}

fn print(keys: &[StoredSigningKey], json: bool, out: &mut dyn Write) {
    let shown: Vec<Shown> = keys
        .iter()
        .map(|key| Shown {
            kid: key.id.as_str().to_owned(),
            algorithm: key.algorithm.as_str(),
            created_at: output::shown(key.created_at),
            retired_at: key.retired_at.map(output::shown),
        })
        .collect();
    if json {
        return output::json(out, &shown);
    }
    let row = |key: &Shown| {
        let retired = key.retired_at.clone().unwrap_or_else(|| "- (signs)".to_owned());
        vec![key.kid.clone(), key.algorithm.to_owned(), key.created_at.clone(), retired]
    };
    output::table(out, &["KID", "ALGORITHM", "CREATED", "RETIRED"], &shown.iter().map(row).collect::<Vec<_>>());
}
