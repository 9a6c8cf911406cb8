//! A client by websocket.

use std::io;
use std::sync::Arc;

use tokio::sync::broadcast;

use super::super::head::Head;
use super::super::random;
use super::super::websocket::{self, Frame, accept};
use super::super::wire::Wire;
use super::{Shared, asking, open_packet};

struct Socket<'a> {
    wire: Wire,
    head: &'a Head,
    shared: &'a Arc<Shared>,
    /// The namespace and the user, once joined.
    member: Option<(String, String)>,
}

/// Serves the client until it leaves.
pub async fn serve(wire: Wire, head: &Head, shared: &Arc<Shared>) {
    let mut socket = Socket { wire, head, shared, member: None };
    // It has left, one way or the other.
    let _ = socket.run().await;
    if let Some((_, user)) = &socket.member {
        shared.leave(user);
    }
}

impl Socket<'_> {
    async fn run(&mut self) -> io::Result<()> {
        let key = self.head.field("sec-websocket-key").unwrap_or_default();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            accept(key)
        );
        self.wire.send(answer.as_bytes()).await?;
        self.say(&open_packet(&random::letters(20), "")).await?;
        let mut events = self.shared.events.subscribe();
        loop {
            tokio::select! {
                ready = self.wire.ready() => ready?,
                event = events.recv() => {
                    self.pass_on(event).await?;
                    continue;
                }
            }
            let frame = websocket::read(&mut self.wire).await?;
            match frame.opcode() {
                0x1 => self.hear(&String::from_utf8_lossy(&frame.payload)).await?,
                0x8 => return self.wire.send(&frame.bytes()).await,
                _ => {}
            }
        }
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        self.wire.send(&Frame::text(text).bytes()).await
    }

    async fn pass_on(&mut self, event: Result<String, broadcast::error::RecvError>) -> io::Result<()> {
        match (event, &self.member) {
            (Ok(event), Some((namespace, _))) => {
                let packet = format!("42{namespace},{event}");
                self.say(&packet).await
            }
            _ => Ok(()),
        }
    }

    /// `40` joins a namespace, `42` is an event.
    async fn hear(&mut self, packet: &str) -> io::Result<()> {
        if let Some(namespace) = packet.strip_prefix("40") {
            let namespace = namespace.trim_end_matches(',').to_owned();
            let said = match asking::join(self.head, &namespace).await {
                Ok(member) => {
                    self.shared.joined().push(member.user.clone());
                    let said = format!("40{namespace},{{\"sid\":\"{}\"}}", random::letters(20));
                    self.member = Some((namespace, member.user));
                    said
                }
                Err(problem) => format!("44{namespace},{{\"message\":\"{problem}\"}}"),
            };
            return self.say(&said).await;
        }
        match &self.member {
            Some((namespace, _)) if packet == format!("42{namespace},[\"ping\"]") => {
                let pong = format!("42{namespace},[\"pong\"]");
                self.say(&pong).await
            }
            _ => Ok(()),
        }
    }
}
