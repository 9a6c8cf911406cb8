//! The listener on its own thread, and what connections and handle share.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};

use super::connection;
use super::failure::Failures;
use super::recorded::Recorded;
use super::state::State;

/// Shared by the handle and all connections.
pub struct Shared {
    state: Arc<Mutex<State>>,
    failures: Mutex<Failures>,
    records: Mutex<Records>,
    connections: AtomicU64,
    /// Counts up when all connections are to be cut.
    cuts: watch::Sender<u64>,
}

struct Records {
    kept: Vec<Recorded>,
    next: u64,
    on: bool,
}

/// What the handle asks of the listener; each is acknowledged.
pub enum Command {
    /// Close the listener and cut all connections.
    Close(std::sync::mpsc::Sender<()>),
    /// Listen again on the same port.
    Open(std::sync::mpsc::Sender<()>),
    /// End.
    Stop,
}

impl Shared {
    /// Around a site.
    pub fn new(state: Arc<Mutex<State>>) -> Self {
        Self {
            state,
            failures: Mutex::default(),
            records: Mutex::new(Records { kept: Vec::new(), next: 1, on: true }),
            connections: AtomicU64::new(0),
            cuts: watch::Sender::new(0),
        }
    }

    /// The site.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the site panics")
    }

    /// The site, to be served by others too.
    pub fn site(&self) -> Arc<Mutex<State>> {
        Arc::clone(&self.state)
    }

    /// The failures in force.
    pub fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().expect("no holder of the failures panics")
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().expect("no holder of the records panics")
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Keeps a request; its id.
    pub fn add(&self, mut record: Recorded) -> u64 {
        let mut records = self.records();
        record.id = records.next;
        records.next += 1;
        if records.on {
            records.kept.push(record);
        }
        records.next - 1
    }

    /// Adds to a kept request, unless it is forgotten.
    pub fn change(&self, id: u64, change: impl FnOnce(&mut Recorded)) {
        let mut records = self.records();
        if let Some(record) = records.kept.iter_mut().rev().find(|record| record.id == id) {
            change(record);
        }
    }

    /// All kept requests in order of their heads.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.records().kept.clone()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        self.records().kept.clear();
    }

    /// Turns the recording on or off.
    pub fn set_recording(&self, on: bool) {
        self.records().on = on;
    }
}

/// Accepts connections until told to stop.
pub async fn run(
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let mut listener = Some(listener);
    // Bound while nobody listens: the port is given to no other process, and connections to it are refused.
    let mut held = None;
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                None | Some(Command::Stop) => return,
                Some(Command::Close(done)) => {
                    let listens = listener.take().is_some();
                    shared.cuts.send_modify(|cuts| *cuts += 1);
                    if listens {
                        held = Some(hold(address).await);
                    }
                    // The connections' tasks must have run before the port counts as closed.
                    tokio::task::yield_now().await;
                    done.send(()).ok();
                }
                Some(Command::Open(done)) => {
                    if let Some(socket) = held.take() {
                        listener = Some(listen(socket).expect("nobody else listens on the port"));
                    }
                    done.send(()).ok();
                }
            },
            (stream, peer) = accept(listener.as_ref()) => {
                let number = shared.connections.fetch_add(1, Ordering::Relaxed) + 1;
                let mut cuts = shared.cuts.subscribe();
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    tokio::select! {
                        () = connection::serve(stream, peer, number, shared) => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> (TcpStream, SocketAddr) {
    match listener {
        None => std::future::pending().await,
        Some(listener) => loop {
            match listener.accept().await {
                Ok(accepted) => return accepted,
                // Out of file descriptors, say: others may end soon.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        },
    }
}

/// Binds, also where old connections of the port linger.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    listen(bound(address)?)
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn listen(socket: TcpSocket) -> io::Result<TcpListener> {
    socket.listen(1024)
}

/// Takes the port again as soon as its listener is closed.
async fn hold(address: SocketAddr) -> TcpSocket {
    for _ in 0..200 {
        if let Ok(socket) = bound(address) {
            return socket;
        }
        // A process that is being started has the listener, too, for a moment.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bound(address).expect("the stand-in's port is its own")
}
