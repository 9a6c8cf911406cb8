//! A server with a gateway that forwards everything, an upstream that records everything, a client without HTTP.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use empress_gateway::{
    proxy::Forward,
    server::{
        admin::AdminSources,
        edge::{ConnectionLimits, EdgeEvents, EdgeSettings, Minimum},
        lifecycle::{Prepared, Running, ServerSettings},
        sockets::Inherited,
    },
};
use pingora::{
    Result,
    proxy::{ProxyHttp, Session},
    upstreams::peer::HttpPeer,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::{Instant, timeout},
};

/// Nothing here should take this long; it only ends tests that would hang.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for something that comes about by itself.
pub async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited too long until {what}"));
}

#[derive(Clone)]
struct ForwardAll(SocketAddr);

/// All goes through Pingora.
impl Forward for ForwardAll {}

#[async_trait]
impl ProxyHttp for ForwardAll {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0, false, String::new())))
    }
}

/// Answers each request by its path: `/held` once it is released, `/switch` with 101 and an echo, `/large` with ten
/// megabytes, anything else with 200 and its body's length. Keeps all it was sent.
#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    received: Arc<Mutex<Vec<u8>>>,
    arrived: Arc<Notify>,
    release: Arc<Notify>,
}

impl Upstream {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            requests: Arc::default(),
            received: Arc::default(),
            arrived: Arc::default(),
            release: Arc::default(),
        };
        let accepting = upstream.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().serve(stream));
            }
        });
        upstream
    }

    /// The whole requests that arrived: head, and body without its framing.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Every byte that arrived.
    pub fn received(&self) -> String {
        String::from_utf8_lossy(&self.received.lock().unwrap()).into_owned()
    }

    /// Waits for a request to arrive whole.
    pub async fn arrived(&self) {
        timeout(PATIENCE, self.arrived.notified()).await.expect("a request at the upstream");
    }

    /// Lets a held request be answered.
    pub fn release(&self) {
        self.release.notify_one();
    }

    async fn serve(self, mut stream: TcpStream) {
        let mut buffer = Vec::new();
        while let Some(head) = self.until(&mut stream, &mut buffer, b"\r\n\r\n").await {
            let lower = head.to_ascii_lowercase();
            let body = if lower.contains("transfer-encoding: chunked") {
                self.until(&mut stream, &mut buffer, b"0\r\n\r\n").await
            } else {
                let length = lower
                    .split("content-length: ")
                    .nth(1)
                    .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
                self.exactly(&mut stream, &mut buffer, length).await
            };
            let Some(body) = body else { return };
            let path = head.split(' ').nth(1).unwrap().to_owned();
            self.requests.lock().unwrap().push(format!("{head}{body}"));
            self.arrived.notify_one();
            match path.as_str() {
                "/held" => self.release.notified().await,
                "/switch" => return switch(stream).await,
                _ => {}
            }
            let answer = if path == "/large" { "x".repeat(10 << 20) } else { body.len().to_string() };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn until(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>, end: &[u8]) -> Option<String> {
        loop {
            if let Some(at) = buffer.windows(end.len()).position(|window| window == end) {
                let part = buffer.drain(..at + end.len()).collect();
                return Some(String::from_utf8(part).unwrap());
            }
            self.more(stream, buffer).await?;
        }
    }

    async fn exactly(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> Option<String> {
        while buffer.len() < length {
            self.more(stream, buffer).await?;
        }
        Some(String::from_utf8(buffer.drain(..length).collect()).unwrap())
    }

    async fn more(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
        let before = buffer.len();
        let read = stream.read_buf(buffer).await.ok()?;
        self.received.lock().unwrap().extend_from_slice(&buffer[before..]);
        (read > 0).then_some(())
    }
}

async fn switch(mut stream: TcpStream) {
    // Pingora closes an upgraded connection whose answer comes with the end of the request. The gateway's own connections
    // see to that (`proxy/upstream/upgrading.rs`); the bare proxy of these tests does not.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    stream.write_all(answer).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    // Ends with the connection.
    let _ = tokio::io::copy(&mut reader, &mut writer).await;
}

pub fn settings() -> ServerSettings {
    let any_port = "127.0.0.1:0".parse().unwrap();
    ServerSettings {
        listen: vec![any_port],
        tls: None,
        admin: any_port,
        threads: 2,
        // Beyond anybody's patience: what a test waits for in vain must not come about by one of these.
        shutdown_grace: Duration::from_secs(120),
        edge: EdgeSettings {
            header_timeout: Duration::from_secs(120),
            keepalive_timeout: Duration::from_secs(120),
            max_header: 32 * 1024,
            receiving: Minimum { rate: 1024, window: Duration::from_secs(10) },
            sending: Minimum { rate: 1024, window: Duration::from_secs(10) },
            connections: ConnectionLimits::default(),
        },
    }
}

pub struct Site {
    pub upstream: Upstream,
    pub running: Running,
    refusals: Arc<Mutex<Vec<&'static str>>>,
}

impl Site {
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(change: impl FnOnce(&mut ServerSettings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let upstream = Upstream::start().await;
        let refusals: Arc<Mutex<Vec<&'static str>>> = Arc::default();
        let heard = refusals.clone();
        let events =
            EdgeEvents { refused: Box::new(move |reason| heard.lock().unwrap().push(reason)), ..EdgeEvents::default() };
        let admin = AdminSources {
            metrics: Arc::new(|| "empress_up 1\n".to_owned()),
            readiness: Arc::new(|| Box::pin(async { Ok(()) })),
        };
        let running = Prepared::new(settings, Inherited::default())
            .unwrap()
            .start(ForwardAll(upstream.address), admin, events)
            .unwrap();
        Self { upstream, running, refusals }
    }

    pub fn address(&self) -> SocketAddr {
        self.running.addresses()[0].address
    }

    pub fn refusals(&self) -> Vec<&'static str> {
        self.refusals.lock().unwrap().clone()
    }

    pub async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.address()).await.unwrap())
    }

    /// One answer to `request` on a connection of its own, and whether the connection was closed then.
    pub async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect().await;
        client.send(request).await;
        client.answer().await
    }
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

pub struct Client<S> {
    pub stream: S,
    buffer: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next answer, interim ones too.
    pub async fn answer(&mut self) -> Answer {
        timeout(PATIENCE, self.read_answer()).await.expect("an answer in time").expect("an answer")
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let head_length = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.buffer.drain(..head_length).collect()).unwrap();
        let status = head[9..12].parse().unwrap();
        let length = head
            .to_ascii_lowercase()
            .split("content-length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
        while self.buffer.len() < length {
            self.more().await?;
        }
        let body = String::from_utf8(self.buffer.drain(..length).collect()).unwrap();
        Some(Answer { status, head, body })
    }

    async fn more(&mut self) -> Option<()> {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..)).then_some(())
    }

    /// Waits until the server closes the connection; gives what it still sent, and how long that took.
    pub async fn closed(&mut self) -> (String, Duration) {
        let start = Instant::now();
        timeout(PATIENCE, async { while self.more().await.is_some() {} }).await.expect("the connection is closed");
        (String::from_utf8_lossy(&self.buffer).into_owned(), start.elapsed())
    }

    /// So many bytes, as they are.
    pub async fn raw(&mut self, length: usize) -> String {
        let read = async {
            while self.buffer.len() < length {
                self.more().await.expect("more bytes");
            }
        };
        timeout(PATIENCE, read).await.expect("bytes in time");
        String::from_utf8(self.buffer.drain(..length).collect()).unwrap()
    }
}
