//! What a client gets whose request never becomes one.

use std::time::Duration;

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

fn text(refusal: HeadRefusal) -> String {
    let status = refusal.status();
    let phrase = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("");
    // Content-Type and length as anywhere; nothing of the request is echoed.
    let body = format!("{{\"error\":\"{phrase}\"}}\n");
    format!(
        "HTTP/1.1 {status} {phrase}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
