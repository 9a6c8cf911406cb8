//! The stream that Pingora gets: it holds the connection's permit, cuts off peers that are too slow, follows the body of
//! the current request, says `100 Continue` when somebody really waits for that body, and lingers when it is closed
//! while the peer is still sending (else the peer's own bytes would cost it the answer).

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest,
    UniqueID, UniqueIDType, raw_connect::ProxyDigest, tls::SslDigest,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::{
    chunks::{BadChunk, ChunkScan},
    connections::ConnectionPermit,
    events::EdgeEvents,
    head::Framing,
    pace::{Minimum, Pace},
};
use crate::proxy::Cut;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// What is still to come of the current request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Ended,
    Left(u64),
    Chunked(ChunkScan),
    /// The framing was broken: nothing more is read.
    Broken,
}

/// A downstream connection.
pub struct Guarded {
    /// `None` only while it is being dropped.
    inner: Option<Stream>,
    /// Bytes that were read too early and are to be read again.
    unread: BytesMut,
    body: Body,
    /// What is left to be sent of `100 Continue`; empty: nothing is due.
    interim: &'static [u8],
    answered: bool,
    receiving: Pace,
    sending: Pace,
    events: Arc<EdgeEvents>,
    permit: Option<ConnectionPermit>,
    cut: Arc<Cut>,
}

impl Guarded {
    /// Guards `inner` as long as it lives.
    pub fn new(
        inner: Stream,
        receiving: Minimum,
        sending: Minimum,
        events: Arc<EdgeEvents>,
        permit: ConnectionPermit,
    ) -> Self {
        Self {
            inner: Some(inner),
            unread: BytesMut::new(),
            body: Body::Ended,
            interim: b"",
            answered: false,
            receiving: Pace::new(receiving),
            sending: Pace::new(sending),
            events,
            permit: Some(permit),
            cut: Arc::default(),
        }
    }

    /// A request begins, and `preread` of what follows its head is already here.
    ///
    /// # Errors
    /// `preread` breaks the chunked framing.
    pub fn begin_request(&mut self, framing: Framing, preread: &[u8], expects_continue: bool) -> Result<(), BadChunk> {
        self.answered = false;
        self.receiving.restart();
        self.body = match framing {
            Framing::Length(length) => left(length, preread.len()),
            Framing::Chunked => {
                let mut scan = ChunkScan::new();
                scan.advance(preread)?;
                if scan.is_done() { Body::Ended } else { Body::Chunked(scan) }
            }
        };
        let awaited = expects_continue && preread.is_empty() && self.body != Body::Ended;
        self.interim = if awaited { CONTINUE } else { b"" };
        Ok(())
    }

    /// Ends the connection from elsewhere.
    pub fn cut(&self) -> Arc<Cut> {
        Arc::clone(&self.cut)
    }

    fn check_cut(&self, cx: &Context<'_>) -> io::Result<()> {
        if self.cut.is_done(cx) { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }

    /// Gives bytes back, to be read again.
    pub fn unread(&mut self, bytes: BytesMut) {
        self.unread = bytes;
    }

    /// Reads and forgets what the peer still sends, for a moment, so that it can read our last answer.
    pub async fn linger(mut self) {
        if let Some(inner) = self.inner.take() {
            linger(inner, self.permit.take()).await;
        }
    }

    fn inner(&mut self) -> io::Result<&mut Stream> {
        self.inner.as_mut().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Sends what is left of `100 Continue`.
    fn poll_interim(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.interim.is_empty() {
            let interim = self.interim;
            let written = ready!(Pin::new(self.inner()?).poll_write(cx, interim))?;
            self.interim = interim.get(written..).unwrap_or_default();
            if self.interim.is_empty() {
                ready!(Pin::new(self.inner()?).poll_flush(cx))?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Follows the body over bytes that were just read. At a byte that breaks the framing the rest is replaced by one
    /// that no parser takes, so that Pingora answers 400 by itself.
    fn follow(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let fresh = buf.filled().get(before..).unwrap_or_default();
        self.receiving.moved(fresh.len());
        match &mut self.body {
            Body::Left(length) => self.body = left(*length, fresh.len()),
            Body::Chunked(scan) => match scan.advance(fresh) {
                Ok(()) if scan.is_done() => self.body = Body::Ended,
                Ok(()) => {}
                Err(BadChunk { at }) => {
                    self.body = Body::Broken;
                    (self.events.refused)("chunk");
                    buf.set_filled(before + at);
                    buf.put_slice(b"!");
                }
            },
            Body::Ended | Body::Broken => {}
        }
    }

    fn wait_to_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !matches!(self.body, Body::Left(_) | Body::Chunked(_)) {
            return Poll::Pending;
        }
        if !self.interim.is_empty() {
            ready!(self.poll_interim(cx))?;
        }
        self.receiving.poll_too_slow(cx).map(|_| self.cut_off("slow_body"))
    }

    /// A write or flush that may have to wait for the peer.
    fn sent<T>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<T>>, bytes: usize) -> Poll<io::Result<T>> {
        if outcome.is_pending() {
            return match self.sending.poll_too_slow(cx) {
                Poll::Ready(_) => Poll::Ready(self.cut_off("slow_reader")),
                Poll::Pending => Poll::Pending,
            };
        }
        self.sending.moved(bytes);
        outcome
    }

    fn cut_off<T>(&self, reason: &'static str) -> io::Result<T> {
        (self.events.refused)(reason);
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Our own answer begins: a `100 Continue` that isn't under way is not needed any more.
    fn begin_answer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_cut(cx)?;
        self.answered = true;
        if self.interim.len() == CONTINUE.len() {
            self.interim = b"";
        }
        self.poll_interim(cx)
    }
}

fn left(length: u64, arrived: usize) -> Body {
    match length.saturating_sub(u64::try_from(arrived).unwrap_or(u64::MAX)) {
        0 => Body::Ended,
        length => Body::Left(length),
    }
}

async fn linger(mut inner: Stream, permit: Option<ConnectionPermit>) {
    let mut discarded = 0;
    let mut buffer = [0; 4096];
    let drain = async {
        let _ = AsyncWriteExt::shutdown(&mut inner).await;
        while discarded < LINGER_BYTES {
            match inner.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(bytes) => discarded += bytes,
            }
        }
    };
    // However it ends, the connection does.
    let _ = tokio::time::timeout(LINGER_TIME, drain).await;
    drop(permit);
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let still_sending = self.answered && self.body != Body::Ended;
        if let (true, Some(inner), Ok(runtime)) =
            (still_sending, self.inner.take(), tokio::runtime::Handle::try_current())
        {
            runtime.spawn(linger(inner, self.permit.take()));
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check_cut(cx)?;
        if !self.unread.is_empty() {
            let count = self.unread.len().min(buf.remaining());
            buf.put_slice(self.unread.get(..count).unwrap_or_default());
            self.unread.advance(count);
            return Poll::Ready(Ok(()));
        }
        if self.body == Body::Broken {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        match Pin::new(self.inner()?).poll_read(cx, buf) {
            Poll::Pending => self.wait_to_receive(cx),
            Poll::Ready(Ok(())) => {
                self.follow(buf, before);
                Poll::Ready(Ok(()))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.begin_answer(cx))?;
        let outcome = Pin::new(self.inner()?).poll_write(cx, buf);
        let bytes = if let Poll::Ready(Ok(bytes)) = outcome { bytes } else { 0 };
        self.sent(cx, outcome, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(self.inner()?).poll_flush(cx);
        self.sent(cx, outcome, 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(self.inner()?).poll_shutdown(cx);
        self.sent(cx, outcome, 0)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.begin_answer(cx))?;
        let outcome = Pin::new(self.inner()?).poll_write_vectored(cx, bufs);
        let bytes = if let Poll::Ready(Ok(bytes)) = outcome { bytes } else { 0 };
        self.sent(cx, outcome, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("inner", &self.inner).field("body", &self.body).finish_non_exhaustive()
    }
}

#[async_trait]
impl Shutdown for Guarded {
    async fn shutdown(&mut self) {
        // Through our own poll_shutdown, so that a peer that doesn't read can't hold it up for ever.
        let _ = AsyncWriteExt::shutdown(self).await;
    }
}

impl UniqueID for Guarded {
    fn id(&self) -> UniqueIDType {
        self.inner.as_ref().map_or(-1, |inner| inner.id())
    }
}

impl Ssl for Guarded {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.as_ref()?.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.as_ref()?.selected_alpn_proto()
    }
}

impl Peek for Guarded {}

impl GetTimingDigest for Guarded {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.as_ref().map(|inner| inner.get_timing_digest()).unwrap_or_default()
    }
}

impl GetProxyDigest for Guarded {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.as_ref()?.get_proxy_digest()
    }
}

impl GetSocketDigest for Guarded {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.as_ref()?.get_socket_digest()
    }
}
