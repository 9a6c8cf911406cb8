//! HTTP/2 connections. Pingora runs them; each head is checked here before Pingora's phases see it, each request is counted,
//! and the frames are watched as they pass ([`watch`]).

mod allowance;
mod frames;
mod head;
mod stream;
pub mod watch;

use std::sync::Arc;

use async_trait::async_trait;
use pingora::{
    apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream},
    protocols::http::{ServerSession, v2::server::H2Options},
    proxy::{HttpProxy, ProxyHttp},
};
use tokio::sync::watch::Receiver;

use super::{EdgeSettings, connections::Requests, events::EdgeEvents, head::HeadRefusal, refusal::refuse_stream};

/// What a client sends first on a connection (RFC 9113 §3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Requests at once on a connection.
const STREAMS: u32 = 100;
/// What a client may send ahead, over all streams of a connection. Four times what it may on one: an upload that ERPNext
/// doesn't take yet must not hold up the others.
const CONNECTION_WINDOW: u32 = 4 * watch::FIRST_WINDOW;
/// What is kept of an answer for a client that doesn't take it, on each stream.
const KEPT_OF_ANSWER: usize = 64 * 1024;
/// Requests that were cancelled before Pingora has taken them.
const CANCELLED_EARLY: usize = 20;
/// Streams that we have ended ourselves, of which late frames are still told apart.
const ENDED_BY_US: usize = 50;
/// Streams that we end because they break the protocol, in a connection's life.
const MALFORMED: usize = 100;

/// The bounds within which `h2` keeps a connection. It answers 431 to a header list that is larger than its own bound (in the
/// protocol's measure: 32 bytes more for each field), and ends the connection at four times that.
pub fn options(settings: &EdgeSettings) -> H2Options {
    let mut options = H2Options::default();
    options
        .max_header_list_size(u32::try_from(settings.max_header).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(KEPT_OF_ANSWER)
        .max_pending_accept_reset_streams(CANCELLED_EARLY)
        .max_concurrent_reset_streams(ENDED_BY_US)
        .max_local_error_reset_streams(Some(MALFORMED));
    options
}

/// The requests of one connection.
pub struct Streams<SV> {
    proxy: Arc<HttpProxy<SV>>,
    requests: Requests,
    events: Arc<EdgeEvents>,
}

impl<SV> Streams<SV> {
    /// Those of a connection whose address has its requests counted in `requests`.
    pub const fn new(proxy: Arc<HttpProxy<SV>>, requests: Requests, events: Arc<EdgeEvents>) -> Self {
        Self { proxy, requests, events }
    }

    async fn refuse(&self, mut session: ServerSession, refusal: HeadRefusal) {
        (self.events.refused)(refusal.reason());
        // Who has gone away or does not read its answer misses it.
        let _ = refuse_stream(&mut session, refusal).await;
    }
}

#[async_trait]
impl<SV> HttpServerApp for Streams<SV>
where
    SV: ProxyHttp + Send + Sync + 'static,
    SV::CTX: Send + Sync,
{
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &Receiver<bool>,
    ) -> Option<ReusedHttpStream> {
        let Some(_in_flight) = self.requests.begin() else {
            self.refuse(session, HeadRefusal::TooMany).await;
            return None;
        };
        if let Err(refusal) = head::check(session.req_header_mut()) {
            self.refuse(session, refusal).await;
            return None;
        }
        self.proxy.process_new_http(session, shutdown).await
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.proxy.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.proxy.server_options()
    }
}

#[cfg(test)]
mod tests;
