//! The admin listener: alive, ready, metrics. For operators and their tools, on an address of its own; nothing here is
//! reachable through the gateway's listeners.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::BytesMut;
use serde::Serialize;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};

use super::edge::{HeadLimits, NextRequest, Waiting, next_request, refuse};

const LIMITS: HeadLimits = HeadLimits { whole: Duration::from_secs(5), idle: Duration::from_secs(5), size: 8 * 1024 };
/// A part that takes longer to say that it is ready isn't.
const READY_TIMEOUT: Duration = Duration::from_secs(5);
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_CONNECTIONS: usize = 64;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A part that isn't ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotReady {
    /// Which.
    pub part: &'static str,
    /// Why, without secrets.
    pub reason: String,
}

/// The answer of the readiness check.
pub type Readiness = Pin<Box<dyn Future<Output = Result<(), Vec<NotReady>>> + Send>>;

/// Where the admin listener's answers come from.
#[derive(Clone)]
pub struct AdminSources {
    /// The metrics in Prometheus's text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Asked for each `/readyz`.
    pub readiness: Arc<dyn Fn() -> Readiness + Send + Sync>,
}

/// The admin listener's answers.
pub struct Admin {
    sources: AdminSources,
    shutdown: watch::Receiver<bool>,
}

struct Answer {
    status: http::StatusCode,
    content_type: &'static str,
    body: String,
}

impl Admin {
    /// Answers from `sources`, and is not ready from the shutdown on.
    #[must_use]
    pub fn new(sources: AdminSources, shutdown: watch::Receiver<bool>) -> Self {
        Self { sources, shutdown }
    }

    /// Serves `listener` for as long as the server runs, also while it drains.
    pub async fn run(self, listener: TcpListener) {
        let admin = Arc::new(self);
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            let Ok((tcp, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let Ok(place) = room.clone().try_acquire_owned() else { continue };
            let admin = admin.clone();
            tokio::spawn(async move {
                admin.serve(tcp).await;
                drop(place);
            });
        }
    }

    /// One request a connection: whoever asks here asks seldom.
    async fn serve(&self, mut tcp: TcpStream) {
        let mut buffer = BytesMut::new();
        // The admin listener doesn't stop taking requests when the drain begins.
        let (_never, running) = watch::channel(false);
        let facts = match next_request(&mut tcp, &mut buffer, LIMITS, &mut Waiting::new(running)).await {
            NextRequest::Head(facts, _) => facts,
            NextRequest::Refused(refusal) => return refuse(&mut tcp, refusal).await,
            NextRequest::Gone => return,
        };
        let part = |range| buffer.get(range).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
        let method = part(facts.method);
        let target = part(facts.target);
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let answer = self.answer(method, path).await;
        let bytes = answer.to_bytes(method != "HEAD");
        let write = async {
            tcp.write_all(&bytes).await?;
            tcp.shutdown().await
        };
        let _ = timeout(WRITE_TIMEOUT, write).await;
    }

    async fn answer(&self, method: &str, path: &str) -> Answer {
        if !matches!(path, "/metrics" | "/healthz" | "/readyz") {
            return Answer::json(http::StatusCode::NOT_FOUND, &serde_json::json!({ "error": "not found" }));
        }
        if !matches!(method, "GET" | "HEAD") {
            return Answer::json(http::StatusCode::METHOD_NOT_ALLOWED, &serde_json::json!({ "error": "only GET" }));
        }
        match path {
            "/metrics" => Answer {
                status: http::StatusCode::OK,
                content_type: "text/plain; version=0.0.4; charset=utf-8",
                body: (self.sources.metrics)(),
            },
            "/healthz" => Answer::json(http::StatusCode::OK, &serde_json::json!({ "status": "alive" })),
            _ => self.readiness().await,
        }
    }

    async fn readiness(&self) -> Answer {
        let not_ready = if *self.shutdown.borrow() {
            vec![NotReady { part: "server", reason: "draining".to_owned() }]
        } else {
            match timeout(READY_TIMEOUT, (self.sources.readiness)()).await {
                Ok(Ok(())) => return Answer::json(http::StatusCode::OK, &serde_json::json!({ "status": "ready" })),
                Ok(Err(not_ready)) => not_ready,
                Err(_) => vec![NotReady { part: "readiness", reason: "no answer in time".to_owned() }],
            }
        };
        let body = serde_json::json!({ "status": "not ready", "reasons": not_ready });
        Answer::json(http::StatusCode::SERVICE_UNAVAILABLE, &body)
    }
}

impl Answer {
    fn json(status: http::StatusCode, body: &serde_json::Value) -> Self {
        Self { status, content_type: "application/json", body: format!("{body}\n") }
    }

    fn to_bytes(&self, with_body: bool) -> Vec<u8> {
        let allow = if self.status == http::StatusCode::METHOD_NOT_ALLOWED { "Allow: GET, HEAD\r\n" } else { "" };
        let mut bytes = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n{allow}Connection: close\r\n\r\n",
            self.status,
            self.content_type,
            self.body.len(),
        )
        .into_bytes();
        if with_body {
            bytes.extend_from_slice(self.body.as_bytes());
        }
        bytes
    }
}
