//! `serve`, from the settings to the last answer: binds, composes, runs, drains.

use std::{os::unix::fs::DirBuilderExt, path::Path, sync::Arc};

use anyhow::Context;

use super::{
    admin::{AdminSources, NotReady, Readiness},
    background::{Background, Periods},
    certificates, counts,
    edge::{ConnectionLimits, EdgeEvents, EdgeSettings, Minimum},
    lifecycle::{Prepared, Running, ServerSettings, TlsListeners},
    reload::Reload,
    signals::{Ended, Orders, SignalWatch},
    site::Site,
    sockets::Inherited,
    systemd,
    tls::TlsFiles,
    upgrade::{self, Upgrade},
};
use crate::{
    access::Realm,
    config::{Config, Origin},
    erpnext::Directory,
    oauth::LoginHasher,
    proxy::{Gateway, GatewayParts, LoginWatch},
    telemetry::{audit::Audit, metrics::Metrics},
};

/// How long connections that wait already are let wait for ERPNext's answers, and how often these are looked for.
const WARM_UP: std::time::Duration = std::time::Duration::from_secs(10);
const WARM_UP_STEP: std::time::Duration = std::time::Duration::from_millis(50);
/// A body, or the taking of an answer, is judged over this time.
const RATE_WINDOW: std::time::Duration = std::time::Duration::from_secs(10);

/// Serves until a signal ends it. The configuration is what `file` holds, which is read again when a signal says so.
///
/// # Errors
/// Whatever keeps it from starting, with what to do.
pub fn run(config: &Config, file: &Path) -> anyhow::Result<Ended> {
    let inherited = Inherited::take().context("a socket that was handed over can't be used")?;
    let upgrade = Upgrade::new().context("the program's own path")?;
    // Another part of the process may have installed one; either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let signals = SignalWatch::install().context("the signals can't be taken")?;
    let (running, reload) = start(config, file, inherited)?;
    for notice in config.notices() {
        tracing::warn!("{notice}");
    }
    for listening in running.addresses() {
        tracing::info!(address = %listening.address, tls = listening.tls, "listening");
    }
    tracing::info!(address = %running.admin_address(), "admin listening");
    match upgrade::predecessor() {
        None => systemd::ready(&running),
        Some(predecessor) => {
            systemd::taken_over(&running);
            upgrade::take_over(predecessor);
        }
    }
    let ended = signals.run(&running, &ServedOrders { reload, upgrade });
    tracing::info!(?ended, "stopped");
    Ok(ended)
}

struct ServedOrders {
    reload: Reload,
    upgrade: Upgrade,
}

impl Orders for ServedOrders {
    fn reload(&self) {
        self.reload.again();
    }

    fn upgrade(&self, running: &Running) {
        self.upgrade.start(running);
    }

    fn is_replaced(&self) -> bool {
        self.upgrade.has_successor()
    }
}

/// Where connections are waiting already, nobody is served before the parts know what they need to: who comes first would
/// be told that nothing can be said of a token yet. Without ERPNext it does not wait for ever.
async fn warm_up(site: &Site) {
    let warm = async {
        loop {
            let natives = site.natives.as_ref().is_none_or(|natives| natives.are_complete());
            if natives && site.erpnext.ready().await.is_ok() {
                return;
            }
            tokio::time::sleep(WARM_UP_STEP).await;
        }
    };
    if tokio::time::timeout(WARM_UP, warm).await.is_err() {
        tracing::warn!("ERPNext does not answer: what it must be asked about is refused until it does");
    }
}

/// Binds, composes and starts.
fn start(config: &Config, file: &Path, inherited: Inherited) -> anyhow::Result<(Running, Reload)> {
    let connections_wait = !inherited.is_empty();
    let prepared = Prepared::new(server_settings(config), inherited)?;
    let metrics = Metrics::new();
    let audit = match &config.log.audit_file {
        Some(path) => Audit::open(path).with_context(|| format!("[log].audit_file {}", path.display()))?,
        None => Audit::with_log(),
    };
    let (runtime, shutdown) = (prepared.runtime(), prepared.shutdown());
    let site = Arc::new(Site::new(config, &metrics, audit, &runtime)?);
    runtime.spawn(Background::new(Arc::clone(&site), periods(config), shutdown.clone()).run());
    if connections_wait {
        runtime.block_on(warm_up(&site));
    }
    let gateway = Gateway::new(gateway_parts(config, &site, &metrics), &config.erpnext);
    let upkeep = gateway.upkeep(&shutdown);
    let mut running = prepared.start(gateway, admin_sources(&site, &metrics), edge_events(&metrics))?;
    let certificate = running.certificate().cloned();
    let reload = Reload::new(file.to_owned(), config, &site, certificate.clone(), runtime);
    running.at_end(move || counts::write_last(&site));
    running.spawn(upkeep);
    if let Some(certificate) = certificate {
        running.spawn(certificates::follow(certificate, shutdown));
    }
    Ok((running, reload))
}

/// Asks the store and ERPNext whether they answer, without serving. A store that is not there yet is not made: the one
/// who checks may be another user than the one who serves.
///
/// # Errors
/// A part that can't be used at all.
pub fn ask_parts(config: &Config) -> anyhow::Result<Vec<NotReady>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut config = config.clone();
    let scratch = std::env::temp_dir().join(format!("empress-gateway-check-{}", std::process::id()));
    let fresh = !config.store.path.exists() || !config.store.secret_key_file.exists();
    if fresh {
        std::fs::DirBuilder::new().mode(0o700).create(&scratch).context("a scratch folder")?;
        config.store.path = scratch.join("empress.db");
        config.store.secret_key_file = scratch.join("secret.key");
    }
    let site = Site::new(&config, &Metrics::new(), Audit::with_log(), runtime.handle());
    let asked = site.map(|site| runtime.block_on(ask_all(Arc::new(site), &config)));
    if fresh {
        std::fs::remove_dir_all(&scratch).context("the scratch folder")?;
    }
    asked
}

const fn periods(config: &Config) -> Periods {
    Periods { client_sync: config.erpnext.client_sync_interval, unused_client: config.registration.unused_ttl }
}

/// What is not ready, and which of several upstreams does not answer.
async fn ask_all(site: Arc<Site>, config: &Config) -> Vec<NotReady> {
    let realtime = config.erpnext.socketio_url.as_ref().map(Origin::as_str);
    let each = site.erpnext.ask_each(realtime).await;
    let mut missing = ask_site(site).await;
    missing.extend(each.into_iter().map(|reason| NotReady { part: "erpnext", reason }));
    missing
}

async fn ask_site(site: Arc<Site>) -> Vec<NotReady> {
    if let Err(missing) = readiness(Arc::clone(&site)).await {
        return missing;
    }
    if let Err(error) = site.clients.sync().await {
        return vec![NotReady { part: "erpnext", reason: error.to_string() }];
    }
    let idle =
        |id| NotReady { part: "client", reason: format!("ERPNext has no client \"{id}\", but a block is about it") };
    site.clients.idle_overrides().into_iter().map(idle).collect()
}

fn gateway_parts(config: &Config, site: &Site, metrics: &Arc<Metrics>) -> GatewayParts {
    GatewayParts {
        router: Arc::clone(&site.endpoints.settings.rules),
        access: Arc::clone(&site.access),
        endpoints: Arc::clone(&site.endpoints),
        logins: LoginWatch::new(
            Arc::clone(&site.store),
            Arc::clone(&site.logouts),
            LoginHasher::new(&site.secret_key),
            Arc::clone(&site.issuer.audit),
            Arc::clone(&site.tally),
        ),
        tally: Arc::clone(&site.tally),
        clock: Arc::clone(&site.clock),
        random: Arc::clone(&site.random),
        metrics: Arc::clone(metrics),
        trusted_proxies: config.server.trusted_proxies.clone(),
        realm: Realm::new(config.server.public_url.as_str()),
        public_url: config.server.public_url.origin().clone(),
    }
}

fn server_settings(config: &Config) -> ServerSettings {
    let server = &config.server;
    let minimum = Minimum { rate: server.min_body_rate.bytes(), window: RATE_WINDOW };
    ServerSettings {
        listen: server.listen.clone(),
        tls: server.tls.as_ref().map(|tls| TlsListeners {
            listen: tls.listen.clone(),
            files: TlsFiles { certificate: tls.certificate_file.clone(), key: tls.key_file.clone() },
            http2: tls.http2,
        }),
        admin: config.admin.listen,
        threads: server.threads,
        shutdown_grace: server.shutdown_grace,
        edge: EdgeSettings {
            header_timeout: server.header_timeout,
            keepalive_timeout: server.keepalive_timeout,
            max_header: server.max_header.as_usize(),
            receiving: minimum,
            sending: minimum,
            connections: ConnectionLimits {
                total: server.max_connections,
                per_address: server.max_connections_per_address,
                trusted: server.trusted_proxies.clone(),
            },
        },
    }
}

fn edge_events(metrics: &Arc<Metrics>) -> EdgeEvents {
    let (refused, connections) = (metrics.edge.clone(), metrics.edge.clone());
    EdgeEvents {
        refused: Box::new(move |reason| refused.refused(reason)),
        connections: Box::new(move |open| connections.open_connections(open)),
    }
}

fn admin_sources(site: &Arc<Site>, metrics: &Arc<Metrics>) -> AdminSources {
    let (metrics, site) = (Arc::clone(metrics), Arc::clone(site));
    AdminSources {
        metrics: Arc::new(move || metrics.render()),
        readiness: Arc::new(move || readiness(Arc::clone(&site))),
    }
}

fn readiness(site: Arc<Site>) -> Readiness {
    Box::pin(async move {
        let (store, erpnext) = tokio::join!(site.store.ready(), site.erpnext.ready());
        let store = store.err().map(|error| NotReady { part: "store", reason: error.to_string() });
        let erpnext = erpnext.err().map(|error| NotReady { part: "erpnext", reason: error.to_string() });
        let missing: Vec<NotReady> = store.into_iter().chain(erpnext).collect();
        if missing.is_empty() { Ok(()) } else { Err(missing) }
    })
}
