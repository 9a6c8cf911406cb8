//! A TCP connection as Pingora's transport: no read buffer of its own (an idle connection should cost little), and a
//! small write buffer, so that a short head and body leave in one segment. Cuts off peers that don't take what is sent:
//! here, below TLS, since what TLS has taken for them has not gone anywhere.

use std::{
    fmt, io,
    net::SocketAddr,
    os::fd::AsRawFd,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID,
    UniqueIDType, l4::socket::SocketAddr as PeerAddress, raw_connect::ProxyDigest,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, ReadBuf},
    net::TcpStream,
};

use super::{
    events::EdgeEvents,
    pace::{Minimum, Pace},
};

const WRITE_BUFFER: usize = 2048;

/// An accepted connection.
pub struct Socket {
    tcp: BufWriter<TcpStream>,
    digest: Arc<SocketDigest>,
    sending: Pace,
    cut_off: bool,
    events: Arc<EdgeEvents>,
}

impl Socket {
    /// Takes over the connection that was accepted from `peer`.
    pub fn new(tcp: TcpStream, peer: SocketAddr, sending: Minimum, events: Arc<EdgeEvents>) -> Self {
        // Small writes go out when they are flushed; a peer that is gone shows at the next read or write.
        let _ = tcp.set_nodelay(true);
        let digest = SocketDigest::from_raw_fd(tcp.as_raw_fd());
        // Now, and not when it is first asked for: by then the number could be another connection's.
        let _ = digest.peer_addr.set(Some(PeerAddress::Inet(peer)));
        let digest = Arc::new(digest);
        let tcp = BufWriter::with_capacity(WRITE_BUFFER, tcp);
        Self { tcp, digest, sending: Pace::new(sending), cut_off: false, events }
    }

    /// A write or flush that may have to wait for the peer.
    fn sent<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>, bytes: usize) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.sending.moved(bytes);
            return outcome;
        }
        ready!(self.sending.poll_too_slow(cx));
        if !std::mem::replace(&mut self.cut_off, true) {
            (self.events.refused)("slow_reader");
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

fn written(outcome: &Poll<io::Result<usize>>) -> usize {
    if let Poll::Ready(Ok(bytes)) = outcome { *bytes } else { 0 }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("peer", &self.tcp.get_ref().peer_addr().ok()).finish_non_exhaustive()
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.tcp.get_mut()).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.tcp).poll_write(cx, buf);
        let bytes = written(&outcome);
        self.sent(cx, outcome, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.tcp).poll_flush(cx);
        self.sent(cx, outcome, 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.tcp).poll_shutdown(cx);
        self.sent(cx, outcome, 0)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.tcp).poll_write_vectored(cx, bufs);
        let bytes = written(&outcome);
        self.sent(cx, outcome, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }
}

#[async_trait]
impl Shutdown for Socket {
    async fn shutdown(&mut self) {
        // The peer may have gone first: there is nobody left to tell.
        let _ = self.tcp.shutdown().await;
    }
}

impl UniqueID for Socket {
    fn id(&self) -> UniqueIDType {
        self.tcp.get_ref().as_raw_fd()
    }
}

impl Ssl for Socket {}

impl Peek for Socket {}

impl GetTimingDigest for Socket {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Socket {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Socket {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(self.digest.clone())
    }
}
