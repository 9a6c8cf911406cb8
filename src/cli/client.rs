//! `client`: what is registered. Never a secret, but whether there is one, and whether it is long enough.

use std::io::Write;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    ConfigArgs, DONE, REFUSED, WRONG_USAGE,
    client_use::{ClientUse, Verdict},
    output, report,
};
use crate::{
    config::{ClientSettings, Config},
    oauth::{Client, ClientMode, GrantType, RedirectUri},
    server::tools::Tools,
};

/// A shorter secret can be guessed from what it signs (decision 25).
const SHORTEST_SECRET: usize = 32;

/// The sub-commands of `client`.
#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Lists the registered clients
    List(ListArgs),
    /// Shows one of them
    Show(ShowArgs),
}

/// The arguments of `client list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// The arguments of `client show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The `client_id`
    id: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// A client as it is shown.
#[derive(Serialize)]
struct Shown {
    id: String,
    name: String,
    source: &'static str,
    mode: &'static str,
    auth_method: &'static str,
    /// How many bytes its secret has.
    secret_bytes: Option<usize>,
    secret_is_short: bool,
    pkce: &'static str,
    grant_types: Vec<&'static str>,
    redirect_uris: Vec<String>,
    scopes: String,
    allowances: Vec<&'static str>,
    allowed_roles: Vec<String>,
    service_user: Option<String>,
    skip_consent: bool,
    agent: bool,
    /// Whether it could be strict; `None`: there is no store yet that could tell.
    verdict: Option<Verdict>,
    /// What it has used; `None` where there is no store.
    #[serde(rename = "use")]
    usage: Option<ClientUse>,
}

/// Does what the sub-command says, and says how to exit.
pub(super) fn run(command: &ClientCommand, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let (ClientCommand::List(ListArgs { config, .. }) | ClientCommand::Show(ShowArgs { config, .. })) = command;
    let config = match config.load() {
        Ok(config) => config,
        Err(problems) => {
            // Whoever closed the pipe wants no more of it; the exit code tells the rest.
            let _ = writeln!(err, "{problems}");
            return WRONG_USAGE;
        }
    };
    match (all(&config), command) {
        (Ok(clients), ClientCommand::List(args)) => list(args, &clients, out),
        (Ok(clients), ClientCommand::Show(args)) => show(args, clients, out, err),
        (Err(error), _) => {
            let _ = writeln!(err, "client: {error:#}");
            REFUSED
        }
    }
}

fn list(args: &ListArgs, clients: &[Shown], out: &mut dyn Write) -> u8 {
    if args.json {
        output::json(out, &clients);
        return DONE;
    }
    let row = |client: &Shown| {
        let verdict = client.verdict.map(Verdict::for_people).unwrap_or_default();
        let secret = if client.secret_is_short { "short" } else { client.secret_bytes.map_or("none", |_| "yes") };
        [&client.id, &client.name, client.source, client.mode, secret, verdict].map(str::to_owned).to_vec()
    };
    let rows: Vec<_> = clients.iter().map(row).collect();
    output::table(out, &["CLIENT", "NAME", "SOURCE", "MODE", "SECRET", "VERDICT"], &rows);
    DONE
}

fn show(args: &ShowArgs, clients: Vec<Shown>, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let Some(client) = clients.into_iter().find(|client| client.id == args.id) else {
        let _ = writeln!(err, "client show: no client is registered as {}: see `empress-gateway client list`", args.id);
        return REFUSED;
    };
    if args.json {
        output::json(out, &client);
        return DONE;
    }
    let secret = match client.secret_bytes {
        None => "none: a public client".to_owned(),
        Some(bytes) if client.secret_is_short => {
            format!("{bytes} bytes: short, give it {SHORTEST_SECRET} or more (openssl rand -hex 32)")
        }
        Some(bytes) => format!("{bytes} bytes"),
    };
    let used = client.usage.iter().flat_map(|usage| &usage.used);
    let used = used.map(|used| format!("{} ({} times, last {})", used.allowance, used.count, used.last));
    let living = client.usage.as_ref().map(|usage| usage.living_grants.to_string());
    output::pairs(
        out,
        &[
            ("id", client.id.clone()),
            ("name", client.name.clone()),
            ("source", client.source.to_owned()),
            ("mode", client.mode.to_owned()),
            ("secret", secret),
            ("auth method", client.auth_method.to_owned()),
            ("PKCE", client.pkce.to_owned()),
            ("grant types", client.grant_types.join(" ")),
            ("redirect URIs", client.redirect_uris.join(" ")),
            ("scopes", client.scopes.clone()),
            ("allowances", client.allowances.join(" ")),
            ("allowed roles", client.allowed_roles.join(", ")),
            ("service user", client.service_user.clone().unwrap_or_default()),
            (
                "agent",
                if client.agent { "yes: `empress-gateway agents` shows its budget".to_owned() } else { String::new() },
            ),
            ("consent", if client.skip_consent { "not asked for".to_owned() } else { "asked for".to_owned() }),
            ("living grants", living.unwrap_or_default()),
            ("used", used.collect::<Vec<_>>().join(", ")),
            ("verdict", client.verdict.map(|verdict| verdict.for_people().to_owned()).unwrap_or_default()),
        ],
    );
    DONE
}

/// The registered clients, with what the store has counted of them.
fn all(config: &Config) -> anyhow::Result<Vec<Shown>> {
    let path = &config.store.path;
    let (clients, uses) = if path.try_exists().with_context(|| format!("[store].path {}", path.display()))? {
        let tools = Tools::open(config)?;
        let clients = tools.clients(config)?;
        let uses = report::uses(&clients, &tools)?;
        (clients, Some(uses))
    } else {
        // Before the gateway has run once there are those of the file.
        let of_file = config.client.iter().filter(|block| !block.is_override()).map(ClientSettings::to_client);
        (of_file.collect(), None)
    };
    let mut shown: Vec<Shown> = clients.iter().map(|client| describe(client, uses.as_deref())).collect();
    shown.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(shown)
}

fn describe(client: &Client, uses: Option<&[ClientUse]>) -> Shown {
    let usage = uses.and_then(|uses| uses.iter().find(|usage| usage.id == client.id.as_str()).cloned());
    let secret_bytes = client.secret.as_ref().map(|secret| secret.expose().len());
    let allowed = crate::oauth::Allowance::ALL.iter().filter(|allowance| client.allows(**allowance));
    let strict = (client.mode == ClientMode::Strict).then_some(Verdict::Strict);
    Shown {
        id: client.id.as_str().to_owned(),
        name: client.name.clone(),
        source: client.source.as_str(),
        mode: client.mode.as_str(),
        auth_method: client.auth_method.as_str(),
        secret_bytes,
        secret_is_short: secret_bytes.is_some_and(|bytes| bytes < SHORTEST_SECRET),
        pkce: client.pkce.as_str(),
        grant_types: client.grant_types.iter().copied().map(GrantType::as_str).collect(),
        redirect_uris: client.redirect_uris.iter().map(RedirectUri::as_str).map(str::to_owned).collect(),
        scopes: client.scopes.to_string(),
        allowances: allowed.copied().map(crate::oauth::Allowance::as_str).collect(),
        allowed_roles: client.allowed_roles.clone(),
        service_user: client.service_user.as_ref().map(|user| user.as_str().to_owned()),
        skip_consent: client.skip_consent,
        agent: client.agent.is_some(),
        verdict: usage.as_ref().map(|usage| usage.verdict).or(strict),
        usage,
    }
}
