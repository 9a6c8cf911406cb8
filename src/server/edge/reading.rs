//! Reads one request head from a connection, under the deadlines.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    sync::watch,
    time::{Instant, timeout_at},
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

/// Waits for the next head. `buffer` may hold its beginning, and holds what follows it afterwards.
pub async fn next_request<S>(
    stream: &mut S,
    buffer: &mut BytesMut,
    limits: HeadLimits,
    shutdown: &mut watch::Receiver<bool>,
) -> NextRequest
where
    S: AsyncRead + Unpin,
{
    if buffer.is_empty() && !first_bytes(stream, buffer, limits.idle, shutdown).await {
        return NextRequest::Gone;
    }
    let deadline = Instant::now() + limits.whole;
    let mut scanned = 0;
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

async fn first_bytes<S>(
    stream: &mut S,
    buffer: &mut BytesMut,
    idle: Duration,
    shutdown: &mut watch::Receiver<bool>,
) -> bool
where
    S: AsyncRead + Unpin,
{
    buffer.reserve(FIRST_BUFFER);
    let deadline = Instant::now() + idle;
    let read = timeout_at(deadline, async {
        tokio::select! {
            biased;
            read = stream.read_buf(buffer) => Some(read),
            _ = shutdown.wait_for(|begun| *begun) => None,
        }
    });
    let read = match read.await {
        Ok(Some(read)) => Some(read),
        Ok(None) => tokio::time::timeout(LAST_CALL, stream.read_buf(buffer)).await.ok(),
        Err(_) => None,
    };
    matches!(read, Some(Ok(1..)))
}
