//! Reads one request head from a connection, under the deadlines.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::watch,
    time::{Instant, Sleep, sleep, timeout_at},
};

use super::head::{Arrival, HeadFacts, HeadRefusal, arrival, check};

/// What an idle connection costs.
const FIRST_BUFFER: usize = 2048;
/// A request that was on its way when the shutdown began is still taken.
const LAST_CALL: Duration = Duration::from_millis(100);

/// How long and how large a head may be.
#[derive(Debug, Clone, Copy)]
pub struct HeadLimits {
    /// From its first byte to its last.
    pub whole: Duration,
    /// Until its first byte.
    pub idle: Duration,
    /// In bytes, request line and blank line included.
    pub size: usize,
}

/// What came of waiting for a request.
#[derive(Debug)]
pub enum NextRequest {
    /// A head that passed: so many bytes at the start of the buffer.
    Head(HeadFacts, usize),
    /// One that didn't.
    Refused(HeadRefusal),
    /// Nobody wants anything any more: close without a word.
    Gone,
}

/// What a connection waits with. Made once for it: a deadline that is later than the one before costs nothing, and who
/// waits for the shutdown stays in its list.
pub struct Waiting {
    idle: Pin<Box<Sleep>>,
    stopping: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Waiting {
    /// Waits until the shutdown begins.
    #[must_use]
    pub fn new(mut shutdown: watch::Receiver<bool>) -> Self {
        let stopping: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            // An error means that the sender is gone, which is a shutdown too.
            let _ = shutdown.wait_for(|begun| *begun).await;
        });
        Self { idle: Box::pin(sleep(Duration::ZERO)), stopping: Some(stopping) }
    }

    fn poll_stopping(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(stopping) = &mut self.stopping
            && stopping.as_mut().poll(cx).is_ready()
        {
            self.stopping = None;
        }
        self.stopping.is_none()
    }
}

/// Why there are no bytes.
enum Nothing {
    Stopping,
    TooLong,
}

/// Waits for the next head. `buffer` may hold its beginning, and holds what follows it afterwards.
pub async fn next_request<S>(
    stream: &mut S,
    buffer: &mut BytesMut,
    limits: HeadLimits,
    waiting: &mut Waiting,
) -> NextRequest
where
    S: AsyncRead + Unpin,
{
    let mut scanned = 0;
    skip_empty_lines(buffer, &mut scanned);
    if buffer.is_empty() && !first_bytes(stream, buffer, limits.idle, waiting).await {
        return NextRequest::Gone;
    }
    let mut deadline = None;
    loop {
        skip_empty_lines(buffer, &mut scanned);
        match arrival(buffer, &mut scanned) {
            Arrival::BareLineEnd => return NextRequest::Refused(HeadRefusal::BareLineEnd),
            Arrival::Complete(length) if length <= limits.size => {
                return match check(buffer.get(..length).unwrap_or_default()) {
                    Ok(facts) => NextRequest::Head(facts, length),
                    Err(refusal) => NextRequest::Refused(refusal),
                };
            }
            Arrival::Incomplete if buffer.len() < limits.size => {}
            Arrival::Complete(_) | Arrival::Incomplete => return NextRequest::Refused(HeadRefusal::TooLarge),
        }
        // Most heads come whole: they need no deadline.
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + limits.whole);
        match timeout_at(deadline, stream.read_buf(buffer)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) => return NextRequest::Gone,
            Err(_) => return NextRequest::Refused(HeadRefusal::Timeout),
        }
    }
}

/// An empty line before a request line is ignored (RFC 9112 §2.2).
fn skip_empty_lines(buffer: &mut BytesMut, scanned: &mut usize) {
    while buffer.starts_with(b"\r\n") {
        buffer.advance(2);
        *scanned = 0;
    }
}

async fn first_bytes<S>(stream: &mut S, buffer: &mut BytesMut, idle: Duration, waiting: &mut Waiting) -> bool
where
    S: AsyncRead + Unpin,
{
    buffer.reserve(FIRST_BUFFER);
    let mut deadline_is_set = false;
    let read = poll_fn(|cx| {
        if let Poll::Ready(read) = pin!(stream.read_buf(buffer)).poll(cx) {
            return Poll::Ready(Ok(read));
        }
        if !std::mem::replace(&mut deadline_is_set, true) {
            waiting.idle.as_mut().reset(Instant::now() + idle);
        }
        if waiting.poll_stopping(cx) {
            return Poll::Ready(Err(Nothing::Stopping));
        }
        waiting.idle.as_mut().poll(cx).map(|()| Err(Nothing::TooLong))
    });
    let read = match read.await {
        Ok(read) => Some(read),
        Err(Nothing::Stopping) => tokio::time::timeout(LAST_CALL, stream.read_buf(buffer)).await.ok(),
        Err(Nothing::TooLong) => None,
    };
    matches!(read, Some(Ok(1..)))
}
