//! `report`: which clients use which allowance, how often and when last, and which could be strict.

use std::io::Write;

use clap::Args;
use serde::Serialize;

use super::{
    ConfigArgs, DONE, REFUSED, WRONG_USAGE,
    client_use::{self, ClientUse},
    output,
};
use crate::{
    config::{ClientSettings, Config},
    oauth::Client,
    server::tools::Tools,
};

/// The arguments of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// What the report tells.
#[derive(Serialize)]
struct Report {
    clients: Vec<ClientUse>,
}

/// Prints it, and says how to exit.
pub(super) fn run(args: &ReportArgs, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let config = match args.config.load() {
        Ok(config) => config,
        Err(problems) => {
            // Whoever closed the pipe wants no more of it; the exit code tells the rest.
            let _ = writeln!(err, "{problems}");
            return WRONG_USAGE;
        }
    };
    match Tools::open(&config).and_then(|tools| report(&config, &tools)) {
        Ok(report) if args.json => output::json(out, &report),
        Ok(report) => print(&report, out),
        Err(error) => {
            let _ = writeln!(err, "report: {error:#}");
            return REFUSED;
        }
    }
    DONE
}

fn report(config: &Config, tools: &Tools) -> anyhow::Result<Report> {
    Ok(Report { clients: uses(&registered(config), tools)? })
}

/// The clients that are registered.
pub(super) fn registered(config: &Config) -> Vec<Client> {
    config.client.iter().map(ClientSettings::to_client).collect()
}

/// What clients have used, as far as the store has counted; the running gateway writes its counts every ten seconds.
pub(super) fn uses(clients: &[Client], tools: &Tools) -> anyhow::Result<Vec<ClientUse>> {
    let now = tools.clock.now();
    let (uses, living) =
        tools.runtime.block_on(async { tokio::join!(tools.store.allowance_uses(), tools.store.living_grants(now)) });
    Ok(client_use::of_all(clients, uses?, living?, now))
}

fn print(report: &Report, out: &mut dyn Write) {
    let mut rows = Vec::new();
    for client in &report.clients {
        let row = |id: &str, verdict: &str, allowance: &str, count: String, last: String| {
            vec![id.to_owned(), verdict.to_owned(), allowance.to_owned(), count, last]
        };
        let verdict = client.verdict.for_people();
        if client.used.is_empty() {
            rows.push(row(&client.id, verdict, "-", String::new(), String::new()));
        }
        for (index, used) in client.used.iter().enumerate() {
            let (id, verdict) = if index == 0 { (client.id.as_str(), verdict) } else { ("", "") };
            rows.push(row(id, verdict, used.allowance, used.count.to_string(), used.last.clone()));
        }
    }
    output::table(out, &["CLIENT", "VERDICT", "ALLOWANCE", "USES", "LAST"], &rows);
}
