//! HTTP/1.1 by hand: what is sent is what a test wrote, nothing is followed, nothing is retried.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{parameters, query};

const PATIENCE: Duration = Duration::from_secs(60);

/// A request to be written.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: None }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST of a urlencoded form.
    pub fn form(target: &str, pairs: &[(&str, &str)]) -> Self {
        Self::new("POST", target).body("application/x-www-form-urlencoded", query(pairs).as_bytes())
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    #[must_use]
    pub fn basic(self, id: &str, secret: &str) -> Self {
        self.header("Authorization", &format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
    }

    #[must_use]
    pub fn html(self) -> Self {
        self.header("Accept", "text/html,application/xhtml+xml")
    }

    #[must_use]
    pub fn body(mut self, content_type: &str, body: &[u8]) -> Self {
        self.headers.push(("Content-Type".to_owned(), content_type.to_owned()));
        self.body = Some(body.to_vec());
        self
    }

    pub fn bytes(&self, host: &str) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\nHost: {host}\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            text.extend([name, ": ", value, "\r\n"]);
        }
        if let Some(body) = &self.body {
            text.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }
}

/// An answer as it was read.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).into_iter().next()
    }

    pub fn headers(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// The member of a JSON object, as text.
    pub fn member(&self, name: &str) -> String {
        let json = self.json();
        json[name].as_str().unwrap_or_else(|| panic!("no {name}: {self}")).to_owned()
    }

    /// The code of an OAuth error.
    pub fn error(&self) -> String {
        self.member("error")
    }

    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("no redirect: {self}"))
    }

    /// A parameter of the redirect, in its query or its fragment.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let location = self.location();
        let (_, rest) = location.split_once(['?', '#']).unwrap_or_default();
        parameters(rest).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The error of a redirect to the client.
    pub fn redirected_error(&self) -> String {
        self.parameter("error").unwrap_or_else(|| panic!("no error: {self}"))
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", self.text())
    }
}

/// A connection that is kept open for several requests.
pub struct Connection {
    stream: TcpStream,
    host: String,
    read: Vec<u8>,
}

impl Connection {
    pub fn open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host: format!("127.0.0.1:{port}"), read: Vec::new() })
    }

    pub fn send(&mut self, request: &Request) -> io::Result<Answer> {
        // A server that has refused the head may close before the body is written: its answer counts.
        let written = self.stream.write_all(&request.bytes(&self.host));
        self.answer(request.method == "HEAD").map_err(|error| written.err().unwrap_or(error))
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next answer, interim ones passed over.
    pub fn answer(&mut self, head_only: bool) -> io::Result<Answer> {
        loop {
            let mut answer = self.answer_head()?;
            if (100..200).contains(&answer.status) && answer.status != 101 {
                continue;
            }
            let empty = head_only || matches!(answer.status, 101 | 204 | 304);
            if !empty {
                answer.body = self.answer_body(&answer)?;
            }
            return Ok(answer);
        }
    }

    fn answer_head(&mut self) -> io::Result<Answer> {
        let head = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = self.read.split_off(end + 4);
                break std::mem::replace(&mut self.read, rest);
            }
            self.more()?;
        };
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status line: {head}")))?;
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        Ok(Answer { status, headers, body: Vec::new() })
    }

    fn answer_body(&mut self, answer: &Answer) -> io::Result<Vec<u8>> {
        if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return self.chunks();
        }
        match answer.header("content-length") {
            Some(length) => self.exactly(length.parse().map_err(io::Error::other)?),
            None => self.rest(),
        }
    }

    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk()? {
            body.extend(chunk);
        }
        Ok(body)
    }

    /// One chunk of a chunked body, as soon as it is there; `None` at the end.
    pub fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        let chunk = self.exactly(size)?;
        self.line()?;
        Ok((size > 0).then_some(chunk))
    }

    /// The head of the next answer alone, its body left to be read.
    pub fn head(&mut self) -> io::Result<Answer> {
        self.answer_head()
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|window| window == b"\r\n") {
                let rest = self.read.split_off(end + 2);
                let line = std::mem::replace(&mut self.read, rest);
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.more()?;
        }
    }

    pub fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.read.len() < length {
            self.more()?;
        }
        let rest = self.read.split_off(length);
        Ok(std::mem::replace(&mut self.read, rest))
    }

    /// Everything until the peer closes.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut rest = std::mem::take(&mut self.read);
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => Err(error),
            _ => Ok(rest),
        }
    }

    fn more(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let count = self.stream.read(&mut buffer)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read.extend_from_slice(&buffer[..count]);
        Ok(())
    }
}
