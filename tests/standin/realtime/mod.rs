//! A stand-in for ERPNext's realtime server (`apps/frappe/realtime` of Frappe 15): Engine.IO 4 by websocket and long
//! polling, and in it the part of Socket.IO that joins a namespace. It takes nobody's word for who a client is: it asks at
//! the client's own `Origin`, and so through the gateway.
//!
//! No transcript has it; its answers are those of the real server of a Frappe 15.44.2 site (`realtime/index.js` and
//! `realtime/middlewares/authenticate.js`), asked by hand.

mod asking;
mod polling;
mod socket;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};

use tokio::net::TcpStream;
use tokio::sync::{broadcast, watch};

use super::head::{self, Head};
use super::server::bind;
use super::wire::{HeadBytes, Wire};
use polling::Polls;

/// A running realtime server; it ends when dropped.
pub struct Realtime {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// A request to it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// As received.
    pub method: String,
    /// As received.
    pub target: String,
    /// As received.
    pub fields: Vec<(String, String)>,
}

impl Asked {
    /// All fields of this name.
    pub fn headers(&self, name: &str) -> Vec<String> {
        let named = self.fields.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.clone()).collect()
    }
}

/// What the connections share.
struct Shared {
    asked: Mutex<Vec<Asked>>,
    /// Who has joined, and whether by websocket; whoever leaves is taken out.
    joined: Mutex<Vec<String>>,
    polls: Mutex<Polls>,
    /// Events to everybody.
    events: broadcast::Sender<String>,
}

impl Shared {
    fn joined(&self) -> MutexGuard<'_, Vec<String>> {
        self.joined.lock().expect("no holder panics")
    }

    fn leave(&self, user: &str) {
        let mut joined = self.joined();
        if let Some(at) = joined.iter().position(|has| has == user) {
            joined.remove(at);
        }
    }

    fn polls(&self) -> MutexGuard<'_, Polls> {
        self.polls.lock().expect("no holder panics")
    }
}

impl Realtime {
    /// Starts one on a free port.
    pub fn start() -> Self {
        let shared = Arc::new(Shared {
            asked: Mutex::default(),
            joined: Mutex::default(),
            polls: Mutex::default(),
            events: broadcast::Sender::new(64),
        });
        let (stop, mut stopping) = watch::channel(false);
        let (ready, started) = std::sync::mpsc::channel();
        let of_thread = Arc::clone(&shared);
        let main = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async move {
                let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("a port is free");
                ready.send(listener.local_addr().expect("it has an address")).expect("the starter waits");
                loop {
                    tokio::select! {
                        _ = stopping.changed() => return,
                        Ok((stream, _)) = listener.accept() => {
                            tokio::spawn(serve(stream, Arc::clone(&of_thread)));
                        }
                    }
                }
            });
        };
        let thread = thread::Builder::new().name("realtime".to_owned()).spawn(main);
        let thread = Some(thread.expect("a thread can be made"));
        let address = started.recv().expect("the realtime server starts");
        Self { address, shared, stop, thread }
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("no holder panics").clone()
    }

    /// The users of the sockets that are joined now.
    pub fn joined(&self) -> Vec<String> {
        self.shared.joined().clone()
    }

    /// Sends an event to everybody who has joined, as `publish_realtime` does.
    pub fn emit(&self, event: &str, data: &str) {
        // Nobody may be there to hear it.
        let _ = self.shared.events.send(format!("[\"{event}\",{data}]"));
    }
}

impl Drop for Realtime {
    fn drop(&mut self) {
        self.stop.send(true).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let mut wire = Wire::new(stream);
    loop {
        let HeadBytes::Complete(raw) = wire.head().await else { return };
        let Ok(head) = head::parse(&raw) else { return };
        shared.asked.lock().expect("no holder panics").push(Asked {
            method: head.method.clone(),
            target: head.target.clone(),
            fields: head.fields.clone(),
        });
        if query(&head, "transport").as_deref() == Some("websocket") && head.field("upgrade").is_some() {
            return socket::serve(wire, &head, &shared).await;
        }
        if polling::answer(&mut wire, &head, &shared).await.is_none() || !head.keeps_alive() {
            return;
        }
    }
}

/// The first parameter of this name.
fn query(head: &Head, name: &str) -> Option<String> {
    let (_, query) = head.target.split_once('?')?;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The first packet of every session.
fn open_packet(sid: &str, upgrades: &str) -> String {
    format!(
        "0{{\"sid\":\"{sid}\",\"upgrades\":[{upgrades}],\"pingInterval\":25000,\"pingTimeout\":20000,\
         \"maxPayload\":1000000}}"
    )
}
