//! Turns a reply into bytes, in gunicorn's order of header fields.

use std::io;

use tokio::time::sleep;

use super::clock;
use super::reply::{Payload, Reply, reason};
use super::wire::Wire;

const FILLER: [u8; 16 << 10] = [b'x'; 16 << 10];

/// What the request has to say about the answer's form.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// The answer to `HEAD` has no body.
    pub head_only: bool,
    /// Of the request's HTTP version: 1.0 knows no chunks.
    pub minor: u8,
    /// What `Connection` says.
    pub keep_alive: bool,
    /// To end in the middle of the body.
    pub cut: bool,
}

/// Sends a reply.
///
/// # Errors
///
/// The connection is over: the peer went away, or the reply ends it.
pub async fn reply(wire: &mut Wire, reply: Reply, manner: Manner) -> io::Result<()> {
    if !reply.delay.is_zero() {
        sleep(reply.delay).await;
    }
    let bodiless = manner.head_only || reply.status == 204 || reply.status == 304;
    let chunked = matches!(reply.payload, Payload::Chunked(_) | Payload::Pieces { .. });
    let frames = chunked && manner.minor > 0;
    let keep_alive = manner.keep_alive && (frames || !chunked);
    let mut bytes = head(&reply, frames, keep_alive);
    if manner.cut {
        if let Payload::Full(body) = &reply.payload {
            bytes.extend_from_slice(&body[..body.len() / 2]);
        }
        wire.send(&bytes).await?;
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    match reply.payload {
        _ if bodiless => wire.send(&bytes).await?,
        Payload::Full(body) => {
            bytes.extend_from_slice(&body);
            wire.send(&bytes).await?;
        }
        Payload::Chunked(body) => {
            wire.send(&bytes).await?;
            piece(wire, &body, frames).await?;
            end(wire, frames).await?;
        }
        Payload::Filler(mut length) => {
            wire.send(&bytes).await?;
            while length > 0 {
                let part = usize::try_from(length).unwrap_or(FILLER.len()).min(FILLER.len());
                wire.send(&FILLER[..part]).await?;
                length -= part as u64;
            }
        }
        Payload::Pieces { count, pause } => {
            wire.send(&bytes).await?;
            for number in 1..=count {
                if number > 1 {
                    sleep(pause).await;
                }
                piece(wire, format!("piece {number}\n").as_bytes(), frames).await?;
            }
            end(wire, frames).await?;
        }
        Payload::WebSocket(_) => wire.send(&bytes).await?,
    }
    if keep_alive || reply.status == 101 { Ok(()) } else { Err(io::ErrorKind::ConnectionAborted.into()) }
}

fn head(reply: &Reply, chunked: bool, keep_alive: bool) -> Vec<u8> {
    let mut lines = vec![format!("HTTP/1.1 {} {}", reply.status, reason(reply.status))];
    let mut add = |name: &str, value: &str| lines.push(format!("{name}: {value}"));
    if let Payload::WebSocket(accept) = &reply.payload {
        add("Upgrade", "websocket");
        add("Connection", "Upgrade");
        add("Sec-WebSocket-Accept", accept);
    } else {
        add("Server", "gunicorn");
        add("Date", &clock::http_date(clock::now()));
        add("Connection", if keep_alive { "keep-alive" } else { "close" });
        if chunked {
            add("Transfer-Encoding", "chunked");
        }
        if !reply.content_type.is_empty() {
            add("Content-Type", &reply.content_type);
        }
        match &reply.payload {
            _ if reply.status == 204 || reply.status == 304 => {}
            Payload::Full(body) => add("Content-Length", &body.len().to_string()),
            Payload::Filler(length) => add("Content-Length", &length.to_string()),
            Payload::Chunked(_) | Payload::Pieces { .. } | Payload::WebSocket(_) => {}
        }
    }
    for (name, value) in &reply.fields {
        // The cookies of a session have no place beside an upgrade.
        if reply.status != 101 || name != "Set-Cookie" {
            add(name, value);
        }
    }
    lines.push("\r\n".to_owned());
    lines.join("\r\n").into_bytes()
}

async fn piece(wire: &mut Wire, bytes: &[u8], frames: bool) -> io::Result<()> {
    if !frames {
        return wire.send(bytes).await;
    }
    if bytes.is_empty() {
        return Ok(());
    }
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    wire.send(&chunk).await
}

async fn end(wire: &mut Wire, frames: bool) -> io::Result<()> {
    if frames { wire.send(b"0\r\n\r\n").await } else { Ok(()) }
}
