//! `token`: what is known of a token, and the end of grants. A token comes from standard input: an argument would be seen
//! by every user of the machine.

mod inspect;
mod revoke;

use std::io::{self, Read, Write};

use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::{ConfigArgs, REFUSED, WRONG_USAGE};
use crate::{
    clock::UnixTime,
    oauth::{Recognised, SHADOW_PREFIX, TokenHash, TokenKind},
    secret::Secret,
    server::tools::Tools,
    store::{AccessTokenFacts, Grant, RefreshTokenFacts},
};

/// No token is longer.
const LONGEST: u64 = 16 * 1024;

/// The sub-commands of `token`.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Tells what is known of the token on standard input
    Inspect(InspectArgs),
    /// Ends the grant of the token on standard input, or all grants of a user or a client
    Revoke(RevokeArgs),
}

/// The arguments of `token inspect`.
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// The arguments of `token revoke`.
#[derive(Debug, Args)]
pub(super) struct RevokeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Ends all grants of this user, and deletes the user's shadow token in ERPNext
    #[arg(long, value_name = "NAME", conflicts_with = "client")]
    user: Option<String>,
    /// Ends all grants of this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Does what the sub-command says, and says how to exit.
pub(super) fn run(command: &TokenCommand, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let config = match command {
        TokenCommand::Inspect(args) => args.config.load(),
        TokenCommand::Revoke(args) => args.config.load(),
    };
    let config = match config {
        Ok(config) => config,
        Err(problems) => {
            // Whoever closed the pipe wants no more of it; the exit code tells the rest.
            let _ = writeln!(err, "{problems}");
            return WRONG_USAGE;
        }
    };
    let done = Tools::open(&config).and_then(|tools| match command {
        TokenCommand::Inspect(args) => inspect::run(args, &tools, out),
        TokenCommand::Revoke(args) => revoke::run(args, &tools, out),
    });
    done.unwrap_or_else(|error| {
        let _ = writeln!(err, "token: {error:#}");
        REFUSED
    })
}

/// The token on standard input.
fn from_input() -> anyhow::Result<Secret> {
    let mut text = Zeroizing::new(String::new());
    io::stdin().lock().take(LONGEST + 1).read_to_string(&mut text)?;
    let token = text.trim();
    if token.is_empty() || token.len() as u64 > LONGEST || token.contains(char::is_whitespace) {
        anyhow::bail!("standard input holds no token: give it one, as in `empress-gateway token inspect … < FILE`");
    }
    Ok(Secret::new(token))
}

/// What a token turned out to be.
enum Found {
    Access(AccessTokenFacts),
    Refresh(RefreshTokenFacts),
    /// It is not, for this reason.
    Not(&'static str),
}

impl Found {
    fn grant(&self) -> Option<&Grant> {
        match self {
            Self::Access(facts) => Some(&facts.grant),
            Self::Refresh(facts) => Some(&facts.grant),
            Self::Not(_) => None,
        }
    }
}

/// Looks the token up, also when it has expired or was rotated away, for as long as the store remembers it.
fn find(tools: &Tools, token: &Secret) -> anyhow::Result<Found> {
    const GONE: &str = "it is not known: never issued, revoked, or expired long ago";
    let (text, hash, any_time) = (token.expose(), TokenHash::of(token.expose()), UnixTime::default());
    let look_up = async || match tools.mint.recognise(text) {
        Recognised::Ours(TokenKind::Access) => {
            tools.store.access_token(hash, any_time).await.map(|facts| facts.map_or(Found::Not(GONE), Found::Access))
        }
        Recognised::Ours(TokenKind::Refresh) => {
            tools.store.refresh_token(hash, any_time).await.map(|facts| facts.map_or(Found::Not(GONE), Found::Refresh))
        }
        Recognised::Ours(TokenKind::Code) => {
            Ok(Found::Not("it is an authorization code, which is looked at only once"))
        }
        Recognised::Ours(TokenKind::DeviceCode) => Ok(Found::Not("it is a device code, which is taken only once")),
        Recognised::Ours(TokenKind::Handle) => Ok(Found::Not("it is the handle of an authorization request")),
        Recognised::Malformed if text.starts_with(SHADOW_PREFIX) => {
            Ok(Found::Not("it is a shadow token, the gateway's own credential towards ERPNext"))
        }
        Recognised::Malformed => Ok(Found::Not("it looks like one of the gateway's, and is forged or mistyped")),
        // One that ERPNext issued is known by its hash, too, once it has been read.
        Recognised::Jwt | Recognised::Foreign => match tools.store.access_token(hash, any_time).await? {
            Some(facts) => Ok(Found::Access(facts)),
            None => tools.store.refresh_token(hash, any_time).await.map(|facts| {
                let foreign = "it is not of the gateway's making, and not known as one of ERPNext's";
                facts.map_or(Found::Not(foreign), Found::Refresh)
            }),
        },
    };
    Ok(tools.runtime.block_on(look_up())?)
}
