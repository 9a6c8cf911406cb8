//! Bytes from a connection: heads, bodies in pieces.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::body::BodySink;
use super::head::Framing;

const MAX_HEAD: usize = 4 << 20;
const PIECE: usize = 64 << 10;

/// A connection and what was read from it but not used yet.
pub struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// How the wait for a head ended.
pub enum HeadBytes {
    /// With the empty line.
    Complete(Vec<u8>),
    /// The peer went away, or sent more than 4 MiB, in the middle of it; empty if before it began.
    Partial(Vec<u8>),
}

/// Why a body did not arrive.
pub enum BodyError {
    /// The peer went away.
    Gone,
    /// The framing is wrong.
    Malformed(String),
}

impl From<io::Error> for BodyError {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl Wire {
    /// A fresh connection.
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Reads up to and including the empty line.
    pub async fn head(&mut self) -> HeadBytes {
        let mut from = 0;
        loop {
            if let Some(at) = find_from(&self.buffer, b"\r\n\r\n", from) {
                return HeadBytes::Complete(self.buffer.drain(..at + 4).collect());
            }
            from = self.buffer.len().saturating_sub(3);
            if self.buffer.len() > MAX_HEAD || !matches!(self.fill().await, Ok(1..)) {
                return HeadBytes::Partial(std::mem::take(&mut self.buffer));
            }
        }
    }

    /// Reads a body into the sink.
    ///
    /// # Errors
    ///
    /// The peer went away, or the chunks are malformed; the sink has what came before.
    pub async fn body(&mut self, framing: Framing, sink: &mut BodySink) -> Result<(), BodyError> {
        match framing {
            Framing::Length(length) => self.pass(length, sink).await,
            Framing::Chunked => self.chunks(sink).await,
        }
    }

    async fn pass(&mut self, mut length: u64, sink: &mut BodySink) -> Result<(), BodyError> {
        while length > 0 {
            let bytes = self.take(usize::try_from(length).unwrap_or(PIECE).min(PIECE)).await?;
            length -= bytes.len() as u64;
            sink.raw(&bytes);
            sink.push(&bytes);
        }
        Ok(())
    }

    async fn chunks(&mut self, sink: &mut BodySink) -> Result<(), BodyError> {
        loop {
            let line = self.line(sink).await?;
            let size = line.split(';').next().unwrap_or_default().trim_end();
            let hex = !size.is_empty() && size.len() < 16 && size.bytes().all(|b| b.is_ascii_hexdigit());
            let size = if hex { u64::from_str_radix(size, 16).ok() } else { None };
            let size = size.ok_or_else(|| BodyError::Malformed(format!("chunk size: {line:?}")))?;
            if size == 0 {
                // Trailers end with an empty line.
                while !self.line(sink).await?.is_empty() {}
                return Ok(());
            }
            self.pass(size, sink).await?;
            if !self.line(sink).await?.is_empty() {
                return Err(BodyError::Malformed("chunk longer than its size".to_owned()));
            }
        }
    }

    /// A line without its end; the sink gets it with its end as raw bytes.
    async fn line(&mut self, sink: &mut BodySink) -> Result<String, BodyError> {
        let mut from = 0;
        loop {
            if let Some(at) = find_from(&self.buffer, b"\r\n", from) {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                sink.raw(&line);
                let text = String::from_utf8_lossy(&line[..at]).into_owned();
                return Ok(text);
            }
            if self.buffer.len() > PIECE {
                return Err(BodyError::Malformed("endless line".to_owned()));
            }
            from = self.buffer.len().saturating_sub(1);
            if self.fill().await? == 0 {
                sink.raw(&std::mem::take(&mut self.buffer));
                return Err(BodyError::Gone);
            }
        }
    }

    /// Some bytes, at least one and at most so many.
    ///
    /// # Errors
    ///
    /// The connection ended.
    pub async fn take(&mut self, most: usize) -> io::Result<Vec<u8>> {
        if self.buffer.is_empty() && self.fill().await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let count = most.min(self.buffer.len());
        if count == self.buffer.len() {
            return Ok(std::mem::take(&mut self.buffer));
        }
        Ok(self.buffer.drain(..count).collect())
    }

    /// Waits until there is something to be taken; nothing is lost when it is given up.
    ///
    /// # Errors
    ///
    /// The connection ended.
    pub async fn ready(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() && self.fill().await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Exactly so many bytes.
    ///
    /// # Errors
    ///
    /// The connection ended before.
    pub async fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            bytes.extend(self.take(count - bytes.len()).await?);
        }
        Ok(bytes)
    }

    /// Sends bytes.
    ///
    /// # Errors
    ///
    /// The connection ended.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Waits until the peer goes away; what it sends meanwhile is dropped.
    pub async fn wait_for_end(&mut self) {
        while matches!(self.fill().await, Ok(1..)) {
            self.buffer.clear();
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.buffer.reserve(PIECE);
        self.stream.read_buf(&mut self.buffer).await
    }
}

fn find_from(haystack: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let found = haystack.get(from..)?.windows(needle.len()).position(|window| window == needle)?;
    Some(from + found)
}
