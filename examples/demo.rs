//! The whole main job on real sockets: a stand-in for ERPNext and the real gateway before it. Walks one OAuth flow and
//! prints each request with its answer, then stays up so that a person can go on with curl and a browser.
#![expect(clippy::print_stdout, reason = "it talks to the person who runs it")]

#[path = "demo/agent.rs"]
mod agent;
#[path = "demo/callback.rs"]
mod callback;
#[path = "demo/clients.rs"]
mod clients;
#[path = "demo/gateway.rs"]
mod gateway;
#[path = "demo/hints.rs"]
mod hints;
#[path = "demo/html.rs"]
mod html;
#[path = "demo/show.rs"]
mod show;
#[path = "../tests/standin/mod.rs"]
mod standin;
#[path = "demo/walk.rs"]
mod walk;

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use clap::Parser;
use tokio::{
    io::AsyncReadExt as _,
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use callback::Callback;
use clients::Clients;
use gateway::{Gateway, Site};
use show::Show;
use standin::{Realtime, StandIn};

/// Starts a stand-in for ERPNext and the gateway before it, both on 127.0.0.1, and walks one OAuth flow through them.
#[derive(Parser)]
struct Options {
    /// The gateway's port; 0: a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Where configuration, store and log are kept; a temporary folder if not given
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Ends after the flow: with 0 if all of it went well, else with 1
    #[arg(long, conflicts_with = "machine")]
    once: bool,
    /// Walks no flow: prints one line of JSON that says where everything is, and stays up until standard input closes
    #[arg(long)]
    machine: bool,
    /// Users log in on the gateway's own page, which has a logo and a colour, instead of on ERPNext's
    #[arg(long)]
    own_login: bool,
    /// The gateway's binary; the one built beside this program if not given
    #[arg(long)]
    gateway: Option<PathBuf>,
}

/// All that runs, and what is known about it.
struct Demo {
    standin: StandIn,
    realtime: Realtime,
    gateway: Gateway,
    callback: Arc<Callback>,
    clients: Clients,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    // The HTTP client is built without TLS of its own, but asks for a provider all the same.
    rustls::crypto::ring::default_provider().install_default().ok();
    let temporary = tempfile::Builder::new().prefix("empress-demo-").tempdir()?;
    let dir = options.dir.clone().unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&dir).with_context(|| format!("{} can't be made", dir.display()))?;
    let mut demo = start(&options, &std::path::absolute(&dir)?).await?;
    let outcome = run(&options, &mut demo).await;
    demo.gateway.stop().await;
    outcome
}

async fn start(options: &Options, dir: &Path) -> anyhow::Result<Demo> {
    let (standin, realtime) = (StandIn::start(), Realtime::start());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let callback_url = format!("http://{}", listener.local_addr()?);
    let clients = Clients::new(&format!("{callback_url}/callback"));
    let binary = match &options.gateway {
        Some(binary) => binary.clone(),
        None => gateway::built_beside()?,
    };
    let (erpnext, realtime_url) = (standin.url(), realtime.url());
    let site = Site { erpnext: &erpnext, realtime: &realtime_url, own_login: options.own_login };
    let gateway = Gateway::start(&binary, dir, options.port, site, &clients).await?;
    let callback = Arc::new(Callback::new(callback_url, gateway.url(), clients.clone())?);
    tokio::spawn(callback::serve(listener, Arc::clone(&callback)));
    Ok(Demo { standin, realtime, gateway, callback, clients })
}

async fn run(options: &Options, demo: &mut Demo) -> anyhow::Result<()> {
    if options.machine {
        println!("{}", hints::machine(demo));
        std::io::stdout().flush()?;
    } else {
        let show = Show::on_terminal();
        show.started(demo.gateway.url(), &demo.standin.url());
        let walked = walk::walk(demo, show).await;
        if options.once {
            return walked;
        }
        if let Err(error) = walked {
            show.failed(&error);
        }
        hints::print(demo, show);
    }
    wait_for_the_end(options.machine, &mut demo.gateway).await
}

/// Until a signal says so, or for `--machine` until the one who started it closes standard input or is gone.
async fn wait_for_the_end(watch_input: bool, gateway: &mut Gateway) -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let input_closed = async {
        let (mut input, mut bytes) = (tokio::io::stdin(), [0; 256]);
        while watch_input && input.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
        if !watch_input {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        () = input_closed => Ok(()),
        error = gateway.ended() => Err(error),
    }
}
