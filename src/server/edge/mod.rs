//! The edge: everything between an accepted connection and Pingora's phases.
//!
//! Pingora forwards request heads that others read differently, and waits for ever for a peer that sends nothing. So
//! each HTTP/1 head is read here, under our deadlines, and checked; only then it is forwarded, or parsed by Pingora once
//! more where the gateway leaves it to that. HTTP/2 goes to Pingora as a whole connection, its frames watched and its heads checked as they pass. What a request means is
//! not this part's business.

mod accepting;
mod connections;
mod events;
mod guarded;
pub mod head;
mod http2;
mod pace;
mod reading;
mod refusal;
mod socket;

use std::{sync::Arc, time::Duration};

use bytes::{Buf, BytesMut};
use pingora::{
    apps::{HttpPersistentSettings, HttpServerApp, HttpServerOptions, ServerApp},
    protocols::{ALPN, Ssl, Stream, http::ServerSession},
    proxy::{HttpProxy, ProxyHttp, http_proxy},
    server::configuration::ServerConf,
};
use tokio::{io::AsyncReadExt, sync::watch};

pub use self::{
    accepting::Entrance,
    connections::{ConnectionLimits, ConnectionPermit, Connections, RequestPermit, Requests, TooMany},
    events::EdgeEvents,
    pace::Minimum,
    reading::{HeadLimits, NextRequest, Waiting, next_request},
    refusal::refuse,
    socket::Socket,
};
use self::{
    guarded::Guarded,
    head::{Edit, HeadRefusal},
    http2::{
        PREFACE, Streams,
        watch::{Patience, Watch},
    },
};
use crate::proxy::{Forward, Forwarded};

/// What downstream connections may do.
#[derive(Debug, Clone)]
pub struct EdgeSettings {
    /// A request head must arrive whole within this, from its first byte; a TLS handshake too.
    pub header_timeout: Duration,
    /// A connection on which nothing is asked is closed after this.
    pub keepalive_timeout: Duration,
    /// The largest head, in bytes.
    pub max_header: usize,
    /// The least that a client must send of a request body.
    pub receiving: Minimum,
    /// The least that a client must take of an answer.
    pub sending: Minimum,
    /// How many connections there may be.
    pub connections: ConnectionLimits,
}

/// Hands the requests of accepted connections to a gateway.
pub struct Edge<SV> {
    proxy: Arc<HttpProxy<SV>>,
    gateway: SV,
    settings: EdgeSettings,
    events: Arc<EdgeEvents>,
}

impl<SV> Edge<SV>
where
    SV: ProxyHttp + Forward,
    SV::CTX: Send + Sync,
{
    /// Puts itself in front of `gateway`.
    pub fn new(gateway: SV, conf: &Arc<ServerConf>, settings: EdgeSettings, events: Arc<EdgeEvents>) -> Self {
        let mut proxy = http_proxy(conf, gateway.clone());
        let mut server_options = HttpServerOptions::default();
        server_options.h2_idle_timeout = Some(settings.keepalive_timeout);
        proxy.server_options = Some(server_options);
        proxy.h2_options = Some(http2::options(&settings));
        Self { proxy: Arc::new(proxy), gateway, settings, events }
    }

    /// Serves a connection, whose TLS handshake is done, until it ends.
    pub async fn serve(&self, stream: Stream, permit: ConnectionPermit, mut shutdown: watch::Receiver<bool>) {
        let requests = permit.requests();
        let stream = Box::new(Guarded::new(stream, self.settings.receiving, self.events.clone(), permit));
        if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
            self.serve_http2(stream, requests, &shutdown).await;
        } else {
            self.serve_http1(stream, &requests, &mut shutdown).await;
        }
    }

    /// Pingora waits for ever for the first bytes of an HTTP/2 connection, so we do it.
    async fn serve_http2(&self, mut stream: Box<Guarded>, requests: Requests, shutdown: &watch::Receiver<bool>) {
        let EdgeSettings { header_timeout, receiving, sending, .. } = self.settings;
        let mut preface = BytesMut::zeroed(PREFACE.len());
        let read = tokio::time::timeout(header_timeout, stream.read_exact(&mut preface)).await;
        if !matches!(read, Ok(Ok(_))) || preface != PREFACE.as_slice() {
            return;
        }
        stream.begin_http2(Watch::new(Patience { head: header_timeout, receiving, sending }), preface);
        let streams = Arc::new(Streams::new(self.proxy.clone(), requests, self.events.clone()));
        streams.process_new(stream, shutdown).await;
    }

    async fn serve_http1(&self, mut stream: Box<Guarded>, requests: &Requests, shutdown: &mut watch::Receiver<bool>) {
        let mut limits = HeadLimits {
            whole: self.settings.header_timeout,
            // Who connects wants something; waiting is for those who have been served.
            idle: self.settings.header_timeout,
            size: self.settings.max_header,
        };
        let (mut settings, mut buffer) = (None, BytesMut::new());
        let mut waiting = Waiting::new(shutdown.clone());
        loop {
            let (facts, length) = match next_request(&mut stream, &mut buffer, limits, &mut waiting).await {
                NextRequest::Head(facts, length) => (facts, length),
                NextRequest::Refused(refusal) => return self.refuse(stream, refusal).await,
                NextRequest::Gone => return,
            };
            let preread = buffer.get(length..).unwrap_or_default();
            if stream.begin_request(facts.framing, preread, facts.expects_continue).is_err() {
                return self.refuse(stream, HeadRefusal::Chunk).await;
            }
            let Some(in_flight) = requests.begin() else { return self.refuse(stream, HeadRefusal::TooMany).await };
            limits.idle = self.settings.keepalive_timeout;
            // What follows is the body, and perhaps the next request already (RFC 9112 §9.3.2).
            let mut early = if buffer.len() > length { buffer.split_off(length) } else { BytesMut::new() };
            let stopping = *shutdown.borrow();
            if let Some(head) = facts.head(&buffer, !stopping) {
                match self.gateway.forward(head, &mut stream, &mut early).await {
                    Forwarded::Declined => {}
                    Forwarded::Answered => {
                        buffer = early;
                        continue;
                    }
                    Forwarded::Last => {
                        drop(in_flight);
                        return stream.linger().await;
                    }
                    Forwarded::Broken => return,
                }
            }
            buffer.unsplit(early);
            let websocket = facts.websocket;
            let whole = edited(std::mem::take(&mut buffer), &facts.edits);
            let Some((reusable, next)) = self.request(stream, whole, settings, shutdown).await else { return };
            drop(in_flight);
            // Bytes after a websocket handshake that failed were never meant as a request.
            let Ok(same) = reusable.into_any().downcast::<Guarded>() else { return };
            if websocket {
                return same.linger().await;
            }
            stream = same;
            settings = next;
        }
    }

    /// One request through Pingora. `None`: the connection has ended with it.
    async fn request(
        &self,
        stream: Box<Guarded>,
        buffer: BytesMut,
        settings: Option<HttpPersistentSettings>,
        shutdown: &watch::Receiver<bool>,
    ) -> Option<(Stream, Option<HttpPersistentSettings>)> {
        let cut = stream.cut();
        let mut session = ServerSession::new_http1(stream);
        if let Some(settings) = settings {
            settings.apply_to_session(&mut session);
        }
        session.set_pipelined_prefix(buffer);
        Some(cut.during(self.proxy.process_new_http(session, shutdown)).await?.consume())
    }

    async fn refuse(&self, mut stream: Box<Guarded>, refusal: HeadRefusal) {
        (self.events.refused)(refusal.reason());
        refuse(&mut stream, refusal).await;
        stream.linger().await;
    }
}

/// The head (and what was read after it) with its edits made.
fn edited(mut buffer: BytesMut, edits: &[Edit]) -> BytesMut {
    if edits.is_empty() {
        return buffer;
    }
    let mut kept = BytesMut::with_capacity(buffer.len());
    let mut at = 0;
    for edit in edits {
        kept.extend_from_slice(buffer.get(at..edit.range.start).unwrap_or_default());
        kept.extend_from_slice(edit.with.as_bytes());
        at = edit.range.end;
    }
    buffer.advance(at);
    kept.unsplit(buffer);
    kept
}
