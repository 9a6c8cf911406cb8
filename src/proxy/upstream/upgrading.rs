//! The connection of a request that asks for an upgrade.
//!
//! Pingora takes the end of the request's empty body and the upstream's answer at the same time, in any order. Where the
//! answer is there first and agrees to the upgrade, the end of the body then counts as the end of the upgraded
//! connection, which is closed before anything has passed. So the first looks for an answer find none: the body is taken
//! meanwhile.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use pingora::{
    Error, ErrorType, OkOrErr, OrErr,
    connectors::l4::Connect,
    protocols::l4::{
        socket::SocketAddr,
        stream::Stream,
        virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream},
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::timeout,
};

/// So many looks find nothing. One would do, were it not that tokio lets a task pause anywhere.
const BLIND_LOOKS: u8 = 3;

/// Makes such connections.
#[derive(Debug)]
pub(super) struct Upgrading {
    pub(super) connect_timeout: Duration,
    /// The head follows a handshake, so that the first write is not it.
    pub(super) tls: bool,
}

#[derive(Debug)]
struct Socket {
    tcp: TcpStream,
    tls: bool,
    blind_looks: u8,
}

#[async_trait]
impl Connect for Upgrading {
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        let address = address.as_inet().or_err(ErrorType::ConnectError, "not an internet address")?;
        let connecting = timeout(self.connect_timeout, TcpStream::connect(*address)).await;
        let connected = connecting.or_err(ErrorType::ConnectTimedout, "the upstream takes too long")?;
        let tcp = connected.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                Error::because(ErrorType::ConnectRefused, "the upstream refuses", error)
            }
            _ => Error::because(ErrorType::ConnectError, "the upstream can't be connected to", error),
        })?;
        // Frames are small, and somebody waits for them.
        tcp.set_nodelay(true).or_err(ErrorType::ConnectError, "a socket without options")?;
        let socket = Socket { tcp, tls: self.tls, blind_looks: BLIND_LOOKS };
        Ok(Stream::from(VirtualSocketStream::new(Box::new(socket))))
    }
}

impl VirtualSocket for Socket {
    /// All that is needed has been set.
    fn set_socket_option(&self, _option: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.blind_looks > 0 {
            self.blind_looks -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.tls {
            self.blind_looks = BLIND_LOOKS;
        }
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
