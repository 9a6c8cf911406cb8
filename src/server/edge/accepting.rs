//! Takes connections from a listener: counts them, does the TLS handshake under a deadline, hands them to the edge.
//!
//! Pingora's own listening service counts nothing, waits sixty seconds for a handshake and can't be told otherwise.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use pingora::{listeners::tls::Acceptor, protocols::Stream, proxy::ProxyHttp};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use super::{ConnectionPermit, Connections, Edge, Socket, TooMany};
use crate::proxy::Forward;

/// After an accept that failed, usually for want of file descriptors: others may give some back meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener and what its connections need before they are served.
pub struct Entrance {
    /// The bound socket.
    pub listener: TcpListener,
    /// TLS settings; none: plain.
    pub tls: Option<Arc<ServerConfig>>,
    /// Where connections are counted.
    pub connections: Arc<Connections>,
}

impl Entrance {
    /// Accepts until the shutdown begins, and serves each connection in a task of its own.
    pub async fn run<SV>(self, edge: Arc<Edge<SV>>, shutdown: watch::Receiver<bool>)
    where
        SV: ProxyHttp + Forward,
        SV::CTX: Send + Sync,
    {
        let acceptor = self.tls.map(|config| Arc::new(Acceptor::from_server_config(config)));
        let mut stopping = shutdown.clone();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _ = stopping.wait_for(|begun| *begun) => return,
            };
            let (tcp, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(reason) => {
                    tracing::warn!(%reason, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            match self.connections.admit(peer.ip()) {
                Ok(permit) => {
                    let serving = serve(edge.clone(), acceptor.clone(), (tcp, peer), permit, shutdown.clone());
                    tokio::spawn(serving);
                }
                Err(TooMany::Total) => (edge.events.refused)("max_connections"),
                Err(TooMany::FromAddress) => (edge.events.refused)("max_connections_per_address"),
            }
        }
    }
}

async fn serve<SV>(
    edge: Arc<Edge<SV>>,
    acceptor: Option<Arc<Acceptor>>,
    (tcp, peer): (TcpStream, SocketAddr),
    permit: ConnectionPermit,
    shutdown: watch::Receiver<bool>,
) where
    SV: ProxyHttp + Forward,
    SV::CTX: Send + Sync,
{
    let socket = Socket::new(tcp, peer, edge.settings.sending, edge.events.clone());
    let stream: Stream = match acceptor {
        None => Box::new(socket),
        Some(acceptor) => {
            let handshake = tokio::time::timeout(edge.settings.header_timeout, acceptor.tls_handshake(socket)).await;
            match handshake {
                Ok(Ok(stream)) => Box::new(stream),
                Ok(Err(reason)) => {
                    tracing::debug!(%peer, %reason, "a TLS handshake failed");
                    return (edge.events.refused)("tls_handshake");
                }
                Err(_) => return (edge.events.refused)("tls_handshake_timeout"),
            }
        }
    };
    edge.serve(stream, permit, shutdown).await;
}
