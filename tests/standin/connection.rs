//! One connection: reads requests, records them, answers or fails as told.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::sleep;

use super::body::{Body, BodySink};
use super::failure::Failure;
use super::fault::bare_page;
use super::head::{self, Head};
use super::recorded::Recorded;
use super::reply::{Cookies, Reply};
use super::request::Request;
use super::send::{self, Manner};
use super::server::Shared;
use super::site;
use super::websocket;
use super::wire::{BodyError, HeadBytes, Wire};

/// Serves a connection until it ends.
pub async fn serve(stream: TcpStream, peer: SocketAddr, number: u64, shared: Arc<Shared>) {
    if shared.failures().close_all() {
        return;
    }
    // Without it small answers wait for the peer's acknowledgement.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut connection = Connection { wire: Wire::new(stream), peer, number, shared };
    while connection.request().await.is_some() {}
}

struct Connection {
    wire: Wire,
    peer: SocketAddr,
    number: u64,
    shared: Arc<Shared>,
}

impl Connection {
    /// One request; `None` when the connection is over.
    async fn request(&mut self) -> Option<()> {
        let (raw, complete) = match self.wire.head().await {
            HeadBytes::Complete(raw) => (raw, true),
            HeadBytes::Partial(raw) if raw.is_empty() => return None,
            HeadBytes::Partial(raw) => (raw, false),
        };
        let parsed = if complete {
            head::parse(&raw).and_then(|head| head.framing().map(|framing| (head, framing)))
        } else {
            Err("the head never ended".to_owned())
        };
        let (head, framing) = match parsed {
            Ok(parsed) => parsed,
            Err(problem) => {
                self.record(raw, &Head::default(), Some(problem));
                if complete {
                    self.refuse().await;
                }
                return None;
            }
        };
        let id = self.record(raw, &head, None);
        let expects = head.field("expect").is_some_and(|it| it.eq_ignore_ascii_case("100-continue"));
        if expects {
            self.wire.send(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
        }
        let mut sink = BodySink::new(head.field("content-type").unwrap_or_default());
        let read = self.wire.body(framing, &mut sink).await;
        let body = sink.finish();
        let problem = match &read {
            Ok(()) => None,
            Err(BodyError::Gone) => Some("the body never ended".to_owned()),
            Err(BodyError::Malformed(problem)) => Some(problem.clone()),
        };
        self.record_body(id, &body, problem);
        match read {
            Ok(()) => self.answer(id, head, body).await,
            Err(BodyError::Gone) => None,
            Err(BodyError::Malformed(_)) => {
                self.refuse().await;
                None
            }
        }
    }

    async fn answer(&mut self, id: u64, head: Head, body: Body) -> Option<()> {
        let mut manner =
            Manner { head_only: head.method == "HEAD", minor: head.minor, keep_alive: head.keeps_alive(), cut: false };
        let failure = self.shared.failures().take(&head.target);
        match failure {
            None | Some(Failure::Refuse) => {}
            Some(Failure::CloseMidBody) => manner.cut = true,
            Some(Failure::CloseAtOnce) => return None,
            Some(Failure::Delay(time)) => sleep(time).await,
            Some(Failure::Hang) => {
                self.wire.wait_for_end().await;
                return None;
            }
            Some(Failure::Garbage) => {
                self.wire.send(b"\x16\x03\x01garbage, not HTTP\r\n\x00\xff\r\n\r\n").await.ok()?;
                return None;
            }
            Some(Failure::Status(status)) => {
                let reply = bare_page(status, "Failure", "the stand-in was told to fail");
                let reply = reply.cookies(Cookies::None);
                self.shared.change(id, |record| record.status = Some(status));
                return send::reply(&mut self.wire, reply, manner).await.ok();
            }
        }
        let request = Request::new(head, body, self.peer.ip().to_string());
        let outcome = site::answer(&mut self.shared.state(), &request);
        let status = outcome.reply.status;
        self.shared.change(id, |record| {
            record.user = outcome.user;
            record.status = Some(status);
            record.client_address = request.client_address();
            record.site = request.variable("X-Frappe-Site-Name").map(str::to_owned);
        });
        send::reply(&mut self.wire, outcome.reply, manner).await.ok()?;
        if status == 101 {
            websocket::echo(&mut self.wire).await;
            return None;
        }
        manner.keep_alive.then_some(())
    }

    fn record(&self, raw_head: Vec<u8>, head: &Head, problem: Option<String>) -> u64 {
        let text = head::latin1(&raw_head[..raw_head.len().min(8192)]);
        let mut words = text.split("\r\n").next().unwrap_or_default().split(' ');
        let mut word = || words.next().unwrap_or_default().to_owned();
        let (method, target) =
            if problem.is_some() { (word(), word()) } else { (head.method.clone(), head.target.clone()) };
        self.shared.add(Recorded {
            connection: self.number,
            raw_head,
            method,
            target,
            problem,
            peer: self.peer.ip().to_string(),
            ..Recorded::default()
        })
    }

    fn record_body(&self, id: u64, body: &Body, problem: Option<String>) {
        self.shared.change(id, |record| {
            record.complete = problem.is_none();
            record.problem = problem;
            record.body.clone_from(&body.recorded);
            record.raw_body.clone_from(&body.raw);
            record.body_length = body.length;
            record.body_sha256.clone_from(&body.sha256);
        });
    }

    /// gunicorn's answer to what is no request; the connection ends.
    async fn refuse(&mut self) {
        let page = "<html>\n  <head>\n    <title>Bad Request</title>\n  </head>\n  <body>\n    \
                    <h1><p>Bad Request</p></h1>\n  </body>\n</html>\n";
        let reply = Reply::new(400, "text/html", page).cookies(Cookies::None);
        let manner = Manner { head_only: false, minor: 1, keep_alive: false, cut: false };
        // The peer may be gone already, which changes nothing.
        let _ = send::reply(&mut self.wire, reply, manner).await;
    }
}
