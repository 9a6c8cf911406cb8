//! Connections to a server behind us that our own forwarding uses: made by Pingora's connector, which knows TLS and the
//! timeouts, and kept here between two requests.

use std::{
    io,
    pin::{Pin, pin},
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes, BytesMut, buf::Chain};
use futures_util::FutureExt;
use pingora::{connectors::TransportConnector, protocols::Stream};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt},
    task::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

use super::pool::{IDLE_TIMEOUT, Member};

/// So many connections to one server may wait for work.
const MOST_IDLE: usize = 1024;

/// A connection that serves one request at a time.
pub struct Link {
    stream: Stream,
    response_timeout: Duration,
    /// Made once and set anew for each wait: later deadlines cost it nothing.
    timer: Pin<Box<Sleep>>,
    waiting: bool,
    /// What is left to be sent of the request, head and body.
    unsent: Chain<Bytes, Bytes>,
    flushed: bool,
    /// Not all of the request could be sent: no other may follow.
    spoiled: bool,
}

/// Why a request gets nothing from a connection any more.
#[derive(Debug, thiserror::Error)]
pub enum LinkFailure {
    /// The server has closed it.
    #[error("the upstream has closed the connection")]
    Closed,
    /// It broke.
    #[error("the connection to the upstream broke")]
    Broken(#[from] io::Error),
    /// The server takes too long.
    #[error("the upstream takes too long")]
    TooSlow,
}

impl LinkFailure {
    /// The word for it in the log.
    pub(in crate::proxy) const fn kind(&self) -> &'static str {
        match self {
            Self::Closed => "ConnectionClosed",
            Self::Broken(_) => "ReadError",
            Self::TooSlow => "ReadTimedout",
        }
    }
}

impl Link {
    /// A new connection to `member`.
    pub(super) async fn open(connector: &TransportConnector, member: &Member) -> pingora::Result<Self> {
        let stream = connector.new_stream(&member.peer).await?;
        let response_timeout = member.response_timeout();
        let timer = Box::pin(sleep_until(Instant::now() + response_timeout));
        Ok(Self { stream, response_timeout, timer, waiting: false, unsent: nothing(), flushed: true, spoiled: false })
    }

    /// Begins a request: it is sent while the answer is waited for.
    pub(in crate::proxy) fn begin(&mut self, head: Bytes, body: Bytes) {
        self.unsent = head.chain(body);
        self.flushed = false;
    }

    /// Whether another request may follow: all of this one has been sent.
    pub(in crate::proxy) fn is_clean(&self) -> bool {
        self.flushed && !self.spoiled
    }

    /// Sends what can be sent. A server that takes no more may have answered all the same.
    fn poll_send(&mut self, cx: &mut Context<'_>) {
        while self.unsent.has_remaining() {
            match pin!(self.stream.write_buf(&mut self.unsent)).poll(cx) {
                Poll::Pending => return,
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0) | Err(_)) => {
                    self.spoiled = true;
                    self.unsent.advance(self.unsent.remaining());
                }
            }
        }
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Pending => {}
            Poll::Ready(flushed) => {
                self.flushed = true;
                // While the connection waits for work nobody counts what a body takes.
                self.unsent = nothing();
                self.spoiled |= flushed.is_err();
            }
        }
    }

    /// Sends the rest of the request, and reads more of the answer, behind what is in `buffer`.
    pub(in crate::proxy) fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut BytesMut,
    ) -> Poll<Result<(), LinkFailure>> {
        if !self.flushed {
            self.poll_send(cx);
        }
        let read = pin!(self.stream.read_buf(buffer)).poll(cx);
        if let Poll::Ready(read) = read {
            self.waiting = false;
            return Poll::Ready(match read? {
                0 => Err(LinkFailure::Closed),
                _ => Ok(()),
            });
        }
        if !self.waiting {
            self.waiting = true;
            self.timer.as_mut().reset(Instant::now() + self.response_timeout);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(Err(LinkFailure::TooSlow))
    }

    /// Whether the server has neither closed the connection nor said anything that nobody has asked for.
    fn is_quiet(&mut self) -> bool {
        // Unconstrained: where a task has used its share up, tokio would say that nothing is there.
        let mut byte = [0];
        unconstrained(self.stream.read(&mut byte)).now_or_never().is_none()
    }
}

fn nothing() -> Chain<Bytes, Bytes> {
    Bytes::new().chain(Bytes::new())
}

/// The connections to one server that wait for work.
#[derive(Default)]
pub(super) struct Idle(Mutex<Vec<(Link, Instant)>>);

impl Idle {
    /// The one that was used last; those that the server has closed meanwhile are dropped.
    pub(super) fn take(&self) -> Option<Link> {
        loop {
            let (mut link, _) = self.links().pop()?;
            if link.is_quiet() {
                return Some(link);
            }
        }
    }

    /// Keeps a connection whose answer has ended.
    pub(super) fn put(&self, link: Link, now: Instant) {
        let mut links = self.links();
        if links.len() < MOST_IDLE {
            links.push((link, now));
        }
    }

    /// Closes those that have waited for long.
    pub(super) fn expire(&self) {
        let mut links = self.links();
        let fresh = links.iter().position(|(_, since)| since.elapsed() < IDLE_TIMEOUT).unwrap_or(links.len());
        let old: Vec<_> = links.drain(..fresh).collect();
        drop(links);
        drop(old);
    }

    fn links(&self) -> MutexGuard<'_, Vec<(Link, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Idle").field(&self.links().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::net::TcpListener;

    use super::*;
    use crate::{
        proxy::upstream::pool::{Pool, Timeouts},
        telemetry::metrics::Metrics,
    };

    #[tokio::test]
    async fn a_connection_that_waits_for_work_holds_nothing_of_the_last_request() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address")).parse().expect("an origin");
        let timeouts = Timeouts { connect: Duration::from_secs(30), response: Duration::from_secs(30) };
        let pool = Pool::new(&[origin], timeouts, &Metrics::new().upstream);
        let member = pool.members().first().cloned().expect("a server");
        let mut link = member.new_link(&TransportConnector::new(None)).await.expect("a connection");
        let (mut server, _) = listener.accept().await.expect("a connection");
        let body = Bytes::from(vec![b'x'; 100_000]);
        link.begin(Bytes::from_static(b"head "), body.clone());
        let serving = tokio::spawn(async move {
            let mut received = vec![0; 100_005];
            server.read_exact(&mut received).await.expect("the request");
            server.write_all(b"answer").await.expect("it reads");
            server
        });
        let mut buffer = BytesMut::new();
        poll_fn(|cx| link.poll_more(cx, &mut buffer)).await.expect("an answer");
        assert_eq!(buffer, b"answer".as_slice());
        assert!(link.is_clean() && body.is_unique());
        drop(serving.await);
    }
}
