//! HTTP/1.1 as far as the load needs it: one request at a time, answers with `Content-Length`.

use std::net::Ipv4Addr;

use anyhow::{Context as _, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const HEAD_END: &[u8] = b"\r\n\r\n";

/// A keep-alive connection to the gateway.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

/// An answer, as far as it matters.
pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Connection {
    pub async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(8192) })
    }

    pub async fn send(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        self.stream.write_all(request).await?;
        let head_end = loop {
            if let Some(at) = self.received.windows(HEAD_END.len()).position(|window| window == HEAD_END) {
                break at + HEAD_END.len();
            }
            self.read().await?;
        };
        let head: Vec<u8> = self.received.drain(..head_end).collect();
        let head = String::from_utf8(head)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        let mut answer = Answer { status, head, body: Vec::new() };
        let length = answer.header("content-length").map_or(Ok(0), str::parse)?;
        ensure!(answer.header("transfer-encoding").is_none(), "an answer in chunks: {}", answer.head);
        while self.received.len() < length {
            self.read().await?;
        }
        answer.body = self.received.drain(..length).collect();
        Ok(answer)
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        ensure!(self.stream.read_buf(&mut self.received).await? > 0, "the gateway closed the connection");
        Ok(())
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// A member of its JSON.
    pub fn member(&self, name: &str) -> anyhow::Result<String> {
        let json: serde_json::Value = serde_json::from_slice(&self.body)?;
        Ok(json.get(name).and_then(|value| value.as_str()).with_context(|| self.to_string())?.to_owned())
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.head, String::from_utf8_lossy(&self.body))
    }
}
