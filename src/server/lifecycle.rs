//! From bound sockets to a server that runs, and from there to one that has answered everybody and is gone.
//!
//! The server runs on a runtime of its own; its threads serve the connections, the admin listener and whatever the
//! composition spawns on it. Pingora's own `Server` is not used: it sleeps through the whole grace period however little
//! there is to wait for, and takes signals in its own way.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::available_parallelism,
    time::Duration,
};

use pingora::{proxy::ProxyHttp, server::configuration::ServerConf};
use rustls::ServerConfig;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::watch,
};

use super::{
    admin::{Admin, AdminSources},
    edge::{Connections, Edge, EdgeEvents, EdgeSettings, Entrance},
    sockets::{Inherited, UnusableAddress},
    tls::{Certificate, TlsFiles, TlsProblem, server_config},
};
use crate::proxy::Forward;

/// Idle connections kept to the upstream, in all.
const UPSTREAM_POOL: usize = 1024;
/// Attempts at one upstream request: the first, others for a connection that had gone stale, with a new credential, with
/// another server.
const UPSTREAM_ATTEMPTS: usize = 6;
/// For tasks that are still running when everybody has been answered or the grace is over.
const LAST_TASKS: Duration = Duration::from_millis(100);

/// What the server needs to know.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where to listen without TLS.
    pub listen: Vec<SocketAddr>,
    /// Where to listen with TLS.
    pub tls: Option<TlsListeners>,
    /// Where health and metrics are.
    pub admin: SocketAddr,
    /// Threads; 0: one per CPU.
    pub threads: usize,
    /// How long a drain may take.
    pub shutdown_grace: Duration,
    /// What connections may do.
    pub edge: EdgeSettings,
}

/// The TLS listeners, which share a certificate.
#[derive(Debug, Clone)]
pub struct TlsListeners {
    /// Where.
    pub listen: Vec<SocketAddr>,
    /// Certificate and key.
    pub files: TlsFiles,
    /// Offer HTTP/2.
    pub http2: bool,
}

/// The server can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartProblem {
    /// A listener's address.
    #[error(transparent)]
    Address(#[from] UnusableAddress),
    /// The certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsProblem),
    /// The system gives no threads or sockets.
    #[error("the server can't start: {0}")]
    System(#[from] io::Error),
}

/// Everything that can fail has been done: the sockets are bound, the certificate is loaded, the runtime runs.
pub struct Prepared {
    settings: ServerSettings,
    runtime: Runtime,
    listeners: Vec<(TcpListener, Option<Arc<ServerConfig>>)>,
    admin: TcpListener,
    certificate: Option<Arc<Certificate>>,
    shutdown: watch::Sender<bool>,
}

impl Prepared {
    /// Prepares a server, on sockets that are open already where there are any. Connections wait in the sockets' queues
    /// until it is started.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn new(settings: ServerSettings, mut inherited: Inherited) -> Result<Self, StartProblem> {
        let mut listeners = Vec::new();
        for address in &settings.listen {
            listeners.push((inherited.bind(*address, "[server].listen")?, None));
        }
        let mut certificate = None;
        if let Some(tls) = &settings.tls {
            let loaded = Certificate::load(tls.files.clone())?;
            let config = server_config(loaded.clone(), tls.http2)?;
            for address in &tls.listen {
                listeners.push((inherited.bind(*address, "[server.tls].listen")?, Some(config.clone())));
            }
            certificate = Some(loaded);
        }
        let admin = inherited.bind(settings.admin, "[admin].listen")?;
        for address in inherited.left() {
            tracing::warn!(%address, "a socket that was handed over is closed: no key of the configuration names it");
        }
        let threads = NonZeroUsize::new(settings.threads).map_or_else(available_parallelism, Ok)?.get();
        let runtime =
            Builder::new_multi_thread().worker_threads(threads).thread_name("gateway").enable_all().build()?;
        Ok(Self { settings, runtime, listeners, admin, certificate, shutdown: watch::Sender::new(false) })
    }

    /// The runtime that the server will run on, for the composition's own tasks and connections.
    #[must_use]
    pub fn runtime(&self) -> Handle {
        self.runtime.handle().clone()
    }

    /// Turns true when the shutdown begins.
    #[must_use]
    pub fn shutdown(&self) -> watch::Receiver<bool> {
        self.shutdown.subscribe()
    }

    /// Serves `gateway` from now on.
    ///
    /// # Errors
    /// The system takes a socket back.
    pub fn start<SV>(self, gateway: SV, admin: AdminSources, events: EdgeEvents) -> Result<Running, StartProblem>
    where
        SV: ProxyHttp + Forward,
        SV::CTX: Send + Sync,
    {
        let entered = self.runtime.enter();
        let events = Arc::new(events);
        let connections = Connections::new(self.settings.edge.connections.clone(), events.clone());
        let edge = Arc::new(Edge::new(gateway, &self.pingora_conf(), self.settings.edge.clone(), events));
        let (mut addresses, mut sockets) = (Vec::new(), Vec::new());
        for (listener, tls) in self.listeners {
            addresses.push(Listening { address: listener.local_addr()?, tls: tls.is_some() });
            sockets.push(listener.try_clone()?);
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let entrance = Entrance { listener, tls, connections: connections.clone() };
            self.runtime.spawn(entrance.run(edge.clone(), self.shutdown.subscribe()));
        }
        let admin_address = self.admin.local_addr()?;
        sockets.push(self.admin.try_clone()?);
        let admin_listener = tokio::net::TcpListener::from_std(self.admin)?;
        self.runtime.spawn(Admin::new(admin, self.shutdown.subscribe()).run(admin_listener));
        drop(entered);
        Ok(Running {
            runtime: Some(self.runtime),
            shutdown: self.shutdown,
            connections,
            grace: self.settings.shutdown_grace,
            addresses,
            admin_address,
            sockets: Mutex::new(sockets),
            certificate: self.certificate,
            at_end: Vec::new(),
        })
    }

    fn pingora_conf(&self) -> Arc<ServerConf> {
        Arc::new(ServerConf {
            threads: self.runtime.metrics().num_workers(),
            upstream_keepalive_pool_size: UPSTREAM_POOL,
            max_retries: UPSTREAM_ATTEMPTS,
            ..ServerConf::default()
        })
    }
}

/// A listener that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// The address that it was really bound to.
    pub address: SocketAddr,
    /// It speaks TLS.
    pub tls: bool,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Everybody was answered.
    Whole,
    /// The grace was over with so many connections open.
    CutOff(usize),
}

/// A server that serves. Dropped, it ends at once.
pub struct Running {
    runtime: Option<Runtime>,
    shutdown: watch::Sender<bool>,
    connections: Arc<Connections>,
    grace: Duration,
    addresses: Vec<Listening>,
    admin_address: SocketAddr,
    /// The listening sockets, to be handed on. Empty once it stops: they are to close.
    sockets: Mutex<Vec<TcpListener>>,
    certificate: Option<Arc<Certificate>>,
    at_end: Vec<Box<dyn FnOnce() + Send + Sync>>,
}

impl Running {
    /// The gateway's listeners.
    #[must_use]
    pub fn addresses(&self) -> &[Listening] {
        &self.addresses
    }

    /// The admin listener.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// The listening sockets once more, for another process.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn sockets(&self) -> io::Result<Vec<TcpListener>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).iter().map(TcpListener::try_clone).collect()
    }

    /// How many connections are open.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.connections.open()
    }

    /// The certificate of the TLS listeners, to reload it.
    #[must_use]
    pub fn certificate(&self) -> Option<&Arc<Certificate>> {
        self.certificate.as_ref()
    }

    /// Runs a task beside the server, until the server ends.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(task);
        }
    }

    /// Does this when the server has ended and no task of it runs any more.
    pub fn at_end(&mut self, last: impl FnOnce() + Send + Sync + 'static) {
        self.at_end.push(Box::new(last));
    }

    /// Stops accepting, and calls `drained` when everybody has been answered or the grace is over.
    pub fn begin_stop(&self, drained: impl FnOnce(Drained) + Send + 'static) {
        self.shutdown.send_replace(true);
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let (connections, grace) = (self.connections.clone(), self.grace);
        self.spawn(async move {
            drained(match connections.drained(grace).await {
                0 => Drained::Whole,
                left => Drained::CutOff(left),
            });
        });
    }

    /// Stops accepting, and waits until everybody has been answered or the grace is over.
    #[must_use]
    pub fn stop(self) -> Drained {
        let (done, wait) = mpsc::channel();
        self.begin_stop(move |drained| {
            // Nobody waits any more only if this thread is gone.
            let _ = done.send(drained);
        });
        wait.recv().unwrap_or_else(|_| Drained::CutOff(self.connections.open()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            if Handle::try_current().is_ok() {
                // A runtime may not be waited for inside another one.
                runtime.shutdown_background();
            } else {
                runtime.shutdown_timeout(LAST_TASKS);
            }
        }
        for last in self.at_end.drain(..) {
            last();
        }
    }
}
