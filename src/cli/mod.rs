//! The command line: one file a sub-command.

mod agents;
mod check;
mod client;
mod client_use;
mod explain;
mod key;
mod key_file;
mod output;
mod report;
mod serve;
mod setup_erpnext;
mod token;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Problems};

/// Done.
pub const DONE: u8 = 0;
/// Refused, or not found.
pub const REFUSED: u8 = 1;
/// Used wrongly, or configured wrongly; clap's own errors end with it too.
pub const WRONG_USAGE: u8 = 2;

/// The program's arguments.
#[derive(Debug, Parser)]
#[command(
    name = "empress-gateway",
    version,
    about = "OAuth2 and OpenID Connect gateway in front of an unmodified ERPNext site"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway
    Serve(serve::ServeArgs),
    /// Says whether the configuration can work, and everything that is wrong with it
    Check(check::CheckArgs),
    /// Makes the gateway's account in ERPNext and all that belongs to it, or removes it
    SetupErpnext(setup_erpnext::SetupArgs),
    /// Shows the registered clients
    #[command(subcommand)]
    Client(client::ClientCommand),
    /// Tells what is known of a token, or ends grants
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Stops all agents, lets them go on, or shows what they did today
    Agents(agents::AgentsArgs),
    /// Shows the signing keys, or replaces them
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Says which clients use which allowance, and which could be strict
    Report(report::ReportArgs),
    /// Says which rule decides on a request, and why
    Explain(explain::ExplainArgs),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl ConfigArgs {
    fn load(&self) -> Result<Config, Problems> {
        Config::load(&self.config)
    }
}

/// Does what the arguments of this process say.
#[must_use]
pub fn main() -> ExitCode {
    // Not locked: while `serve` runs, its threads write the log to standard error.
    Cli::parse().run(&mut io::stdout(), &mut io::stderr())
}

impl Cli {
    /// Does what the arguments say. A peer that does not read its output changes nothing of the outcome.
    pub fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> ExitCode {
        ExitCode::from(match self.command {
            Command::Serve(args) => serve::run(&args, err),
            Command::Check(args) => check::run(&args, out, err),
            Command::SetupErpnext(args) => setup_erpnext::run(&args, out, err),
            Command::Client(command) => client::run(&command, out, err),
            Command::Token(command) => token::run(&command, out, err),
            Command::Agents(args) => agents::run(&args, out, err),
            Command::Key(command) => key::run(&command, out, err),
            Command::Report(args) => report::run(&args, out, err),
            Command::Explain(args) => explain::run(&args, out, err),
        })
    }
}
