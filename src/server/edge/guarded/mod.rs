//! The stream that Pingora and the gateway's own forwarding get: it holds the connection's permit, cuts off peers whose bodies are too slow, follows the body of
//! the current request, says `100 Continue` when somebody really waits for that body, and lingers when it is closed
//! while the peer is still sending (else the peer's own bytes would cost it the answer). Of an HTTP/2 connection it has the
//! frames watched.

mod told;

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use http::HeaderValue;
use pingora::protocols::{Shutdown, Stream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::{
    connections::ConnectionPermit,
    events::EdgeEvents,
    head::Framing,
    http2::watch::{Judgement, Watch},
    pace::{Minimum, Pace},
};
use crate::{
    http1::chunks::{BadChunk, ChunkScan},
    proxy::{Cut, DownstreamPeer},
};

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
    events: Arc<EdgeEvents>,
    permit: Option<ConnectionPermit>,
    cut: Arc<Cut>,
    http2: Option<Box<Watch>>,
    /// Who is at the other end, once somebody has asked.
    peer: Option<(DownstreamPeer, HeaderValue)>,
}

impl Guarded {
    /// Guards `inner` as long as it lives.
    pub fn new(inner: Stream, receiving: Minimum, events: Arc<EdgeEvents>, permit: ConnectionPermit) -> Self {
        Self {
            inner: Some(inner),
            unread: BytesMut::new(),
            body: Body::Ended,
            interim: b"",
            answered: false,
            receiving: Pace::new(receiving),
            events,
            permit: Some(permit),
            cut: Arc::default(),
            http2: None,
            peer: None,
        }
    }

    /// What follows `preface`, which is to be read again, are HTTP/2 frames.
    pub fn begin_http2(&mut self, watch: Watch, preface: BytesMut) {
        self.http2 = Some(Box::new(watch));
        self.unread = preface;
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

    /// Reads and forgets what the peer still sends, for a moment, so that it can read our last answer.
    pub async fn linger(mut self) {
        if let Some(inner) = self.inner.take() {
            linger(inner, self.permit.take()).await;
        }
    }

    fn read_again(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.unread.len().min(buf.remaining());
        buf.put_slice(self.unread.get(..count).unwrap_or_default());
        self.unread.advance(count);
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
                Ok(_) if scan.is_done() => self.body = Body::Ended,
                Ok(_) => {}
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

    /// Has the frames that were just read watched, and puts in what the watch has to say to `h2`, as soon as it may.
    fn watch(&mut self, buf: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
        let Some(watch) = &mut self.http2 else { return Ok(()) };
        let fresh = buf.filled().get(before..).unwrap_or_default();
        let Ok(boundary) = watch.received(fresh) else { return self.cut_off("http2_flood") };
        if let Some(boundary) = boundary.filter(|_| watch.has_orders()) {
            let mut unread = watch.orders();
            unread.extend_from_slice(fresh.get(boundary..).unwrap_or_default());
            self.unread = unread;
            buf.set_filled(before + boundary);
        }
        Ok(())
    }

    /// Nothing comes. Ready with an error when it is over, and otherwise when there is something to be read nonetheless.
    fn wait_for_frames(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(watch) = &mut self.http2 else { return Poll::Pending };
        loop {
            match ready!(watch.poll_judge(cx)) {
                Judgement::Cut(Some(reason)) => return Poll::Ready(self.cut_off(reason)),
                Judgement::Cut(None) => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                Judgement::Reset(reason) => {
                    (self.events.refused)(reason);
                    if watch.is_between_frames() {
                        self.unread = watch.orders();
                        return Poll::Ready(Ok(()));
                    }
                }
            }
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

    /// Bytes have been written or flushed: a stream may wait for the peer from now on.
    fn remind<T>(&mut self, cx: &mut Context<'_>, outcome: &Poll<io::Result<T>>) {
        if let Some(watch) = self.http2.as_mut().filter(|_| outcome.is_ready()) {
            watch.remind(cx);
        }
    }

    /// Of these bytes the first so many have been written.
    fn written<'a>(&mut self, bufs: impl Iterator<Item = &'a [u8]>, outcome: &Poll<io::Result<usize>>) {
        let (Poll::Ready(Ok(bytes)), Some(watch)) = (outcome, &mut self.http2) else { return };
        let mut left = *bytes;
        for buf in bufs {
            let part = buf.get(..left.min(buf.len())).unwrap_or_default();
            watch.sent(part);
            left -= part.len();
        }
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
            self.read_again(buf);
            return Poll::Ready(Ok(()));
        }
        if self.body == Body::Broken {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        match Pin::new(self.inner()?).poll_read(cx, buf) {
            Poll::Pending if self.http2.is_some() => {
                ready!(self.wait_for_frames(cx))?;
                self.read_again(buf);
                Poll::Ready(Ok(()))
            }
            Poll::Pending => self.wait_to_receive(cx),
            Poll::Ready(Ok(())) => {
                self.follow(buf, before);
                Poll::Ready(self.watch(buf, before))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.begin_answer(cx))?;
        let outcome = Pin::new(self.inner()?).poll_write(cx, buf);
        self.written([buf].into_iter(), &outcome);
        self.remind(cx, &outcome);
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(self.inner()?).poll_flush(cx);
        self.remind(cx, &outcome);
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.inner()?).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.begin_answer(cx))?;
        let outcome = Pin::new(self.inner()?).poll_write_vectored(cx, bufs);
        self.written(bufs.iter().map(|buf| &**buf), &outcome);
        self.remind(cx, &outcome);
        outcome
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
