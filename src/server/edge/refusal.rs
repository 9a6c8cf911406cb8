//! What a client gets whose request never becomes one.

use std::time::Duration;

use pingora::{http::ResponseHeader, protocols::http::ServerSession};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::head::HeadRefusal;

const WRITE_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers `refusal`; the caller closes the connection. A client that doesn't read its answer misses it.
pub async fn refuse<S>(stream: &mut S, refusal: HeadRefusal)
where
    S: AsyncWrite + Unpin,
{
    let bytes = text(refusal);
    let write = async {
        stream.write_all(bytes.as_bytes()).await?;
        stream.flush().await
    };
    let _ = tokio::time::timeout(WRITE_TIMEOUT, write).await;
}

/// The same on a stream, which it ends; the connection goes on.
pub async fn refuse_stream(session: &mut ServerSession, refusal: HeadRefusal) -> pingora::Result<()> {
    let body = body(refusal);
    let mut header = ResponseHeader::build(refusal.status(), None)?;
    for (name, value) in fields(refusal) {
        header.insert_header(name, value)?;
    }
    header.insert_header("Content-Length", body.len())?;
    session.write_response_header(Box::new(header)).await?;
    session.write_response_body(body.into(), true).await
}

fn text(refusal: HeadRefusal) -> String {
    let (status, phrase, body) = (refusal.status(), phrase(refusal), body(refusal));
    let mut text = format!("HTTP/1.1 {status} {phrase}\r\n");
    for (name, value) in fields(refusal) {
        text.extend([name, ": ", value, "\r\n"]);
    }
    text.extend(["Content-Length: ", &body.len().to_string(), "\r\nConnection: close\r\n\r\n", &body]);
    text
}

fn fields(refusal: HeadRefusal) -> impl Iterator<Item = (&'static str, &'static str)> {
    let later = (refusal == HeadRefusal::TooMany).then_some(("Retry-After", "1"));
    let always =
        [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")];
    always.into_iter().chain(later)
}

/// Nothing of the request is echoed.
fn body(refusal: HeadRefusal) -> String {
    format!("{{\"error\":\"{}\"}}\n", phrase(refusal))
}

fn phrase(refusal: HeadRefusal) -> &'static str {
    http::StatusCode::from_u16(refusal.status()).ok().and_then(|status| status.canonical_reason()).unwrap_or("")
}
