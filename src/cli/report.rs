//! `report`: which clients use which allowance, how often and when last, and which could be strict.

use std::{io::Write, time::Duration};

use clap::Args;
use serde::Serialize;

use super::{
    ConfigArgs, DONE, REFUSED, WRONG_USAGE,
    client_use::{self, ClientUse},
    output,
};
use crate::{config::Config, oauth::Client, server::tools::Tools, store::NativeCount};

/// The arguments of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Tokens that ERPNext issued count as used when they were within this.
const LATELY: Duration = Duration::from_secs(7 * 86_400);

/// What the report tells.
#[derive(Serialize)]
struct Report {
    clients: Vec<ClientUse>,
    native_tokens: Vec<NativeUse>,
}

/// How many tokens that ERPNext issued a client still has.
#[derive(Serialize)]
struct NativeUse {
    client: String,
    /// Access tokens that have not expired.
    access: u64,
    /// Refresh tokens that no refresh has replaced.
    refresh: u64,
    /// Of either kind, used within seven days.
    used_lately: u64,
    last_used: Option<String>,
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
    Ok(Report { clients: uses(&tools.clients(config)?, tools)?, native_tokens: native_tokens(tools)? })
}

fn native_tokens(tools: &Tools) -> anyhow::Result<Vec<NativeUse>> {
    let now = tools.clock.now();
    let counts = tools.runtime.block_on(tools.store.native_counts(now.minus(LATELY), now))?;
    let count = |count: NativeCount| NativeUse {
        client: count.client.as_str().to_owned(),
        access: count.access,
        refresh: count.refresh,
        used_lately: count.used,
        last_used: count.last_used.map(output::shown),
    };
    Ok(counts.into_iter().map(count).collect())
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
    print_native_tokens(&report.native_tokens, out);
}

fn print_native_tokens(natives: &[NativeUse], out: &mut dyn Write) {
    if natives.iter().all(|native| native.access == 0 && native.refresh == 0) {
        let _ = writeln!(out, "\nNo token that ERPNext issued is left: erpnext.native_tokens may be \"refuse\".");
        return;
    }
    let used: u64 = natives.iter().map(|native| native.used_lately).sum();
    let _ = writeln!(out, "\nTokens that ERPNext issued; {used} were used within seven days:");
    let row = |native: &NativeUse| {
        let last = native.last_used.clone().unwrap_or_else(|| "never".to_owned());
        let counts = [native.access, native.refresh, native.used_lately].map(|count| count.to_string());
        [native.client.clone()].into_iter().chain(counts).chain([last]).collect()
    };
    let rows: Vec<Vec<String>> = natives.iter().map(row).collect();
    output::table(out, &["CLIENT", "ACCESS", "REFRESH", "USED", "LAST"], &rows);
}
