//! `serve`: runs the gateway.

use std::{io::Write, path::Path};

use clap::Args;

use super::{ConfigArgs, DONE, REFUSED, WRONG_USAGE};
use crate::{
    config::Config,
    server::{self, hardening},
    telemetry::logging::{self, AccessLog},
};

/// The arguments of `serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Serves until a signal ends it, and says how to exit.
pub(super) fn run(args: &ServeArgs, err: &mut dyn Write) -> u8 {
    if let Err(error) = hardening::forbid_core_dumps() {
        let _ = writeln!(err, "empress-gateway can't start: core dumps can't be switched off: {error}");
        return REFUSED;
    }
    let config = match args.config.load() {
        Ok(config) => config,
        Err(problems) => {
            // Whoever closed the pipe wants no more of it; the exit code tells the rest.
            let _ = writeln!(err, "{problems}");
            return WRONG_USAGE;
        }
    };
    match serve(&config, &args.config.config) {
        Ok(()) => DONE,
        Err(error) => {
            let _ = writeln!(err, "empress-gateway can't start: {error:#}");
            REFUSED
        }
    }
}

fn serve(config: &Config, file: &Path) -> anyhow::Result<()> {
    let access = if config.log.access { AccessLog::On } else { AccessLog::Off };
    let _writing = logging::init(config.log.level, config.log.format, access)?;
    server::run(config, file)?;
    Ok(())
}
