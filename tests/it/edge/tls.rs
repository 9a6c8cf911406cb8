//! The same rules behind TLS, HTTP/2, and the handshake's own deadline.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use empress_gateway::server::{edge::Minimum, lifecycle::TlsListeners, tls::TlsFiles};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
    pki_types::CertificateDer,
    version::{TLS12, TLS13},
};
use tokio::{task::spawn_blocking, time::Instant};

use super::harness::{PATIENCE, Site};

const SHORT: Duration = Duration::from_millis(200);

type Stream = StreamOwned<ClientConnection, TcpStream>;

struct TlsSite {
    site: Site,
    certificate: CertificateDer<'static>,
}

impl TlsSite {
    async fn start(http2: bool) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificate: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
        fs::write(&files.certificate, made.cert.pem()).unwrap();
        fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        let site = Site::with(|settings| {
            settings.tls = Some(TlsListeners { listen: std::mem::take(&mut settings.listen), files, http2 });
            // A busy machine takes its time for a handshake, too.
            settings.edge.header_timeout = Duration::from_secs(6);
            settings.edge.keepalive_timeout = Duration::from_secs(2);
            settings.edge.receiving = Minimum { rate: 1000, window: SHORT };
        })
        .await;
        Self { site, certificate: made.cert.der().clone() }
    }

    /// Runs a client that blocks, beside the upstream.
    async fn client<T: Send + 'static>(
        &self,
        version: &'static SupportedProtocolVersion,
        protocols: &[&str],
        talk: impl FnOnce(Stream) -> T + Send + 'static,
    ) -> T {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let address = self.site.address();
        spawn_blocking(move || talk(connect(address, config))).await.unwrap()
    }
}

fn connect(address: SocketAddr, config: ClientConfig) -> Stream {
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut tls = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut tcp_for_handshake = tcp.try_clone().unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp_for_handshake).unwrap();
    }
    StreamOwned::new(tls, tcp)
}

/// All that comes until the server closes.
fn all(mut stream: Stream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A cut-off connection ends without the closing alert.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

fn exchange(mut stream: Stream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    String::from_utf8(all(stream)).unwrap()
}

#[tokio::test]
async fn requests_are_checked_and_served_behind_tls_as_without() {
    let site = TlsSite::start(true).await;
    for version in [&TLS12, &TLS13] {
        let answer = site
            .client(version, &[], |stream| {
                exchange(stream, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")
            })
            .await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n3"), "{answer}");
    }
    for refused in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\nHost: x\n\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let answer = site.client(&TLS13, &["http/1.1"], move |stream| exchange(stream, refused)).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert_eq!(site.site.upstream.requests().len(), 2);
}

#[tokio::test]
async fn slow_heads_and_bodies_are_cut_off_behind_tls_too() {
    let site = TlsSite::start(true).await;
    let answer = site.client(&TLS13, &[], |stream| exchange(stream, "GET / HT")).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    let answer = site
        .client(&TLS13, &[], |stream| exchange(stream, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\nabc"))
        .await;
    assert!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(site.site.refusals(), ["timeout", "slow_body"]);
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_ended() {
    let site = TlsSite::start(true).await;
    let (sent, after) = site.site.connect().await.closed().await;
    assert_eq!(sent, "");
    assert!(after < PATIENCE / 2, "{after:?}");
    while site.site.refusals().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(site.site.refusals(), ["tls_handshake_timeout"]);
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

fn has_frame(mut bytes: &[u8], kind: u8, stream: u8, payload: &[u8]) -> bool {
    while bytes.len() >= 9 {
        let length = usize::from(bytes[1]) * 256 + usize::from(bytes[2]);
        if bytes[3] == kind && bytes[8] == stream && bytes[9..9 + length] == *payload {
            return true;
        }
        bytes = &bytes[9 + length..];
    }
    false
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[tokio::test]
async fn http2_is_offered_and_served_and_an_idle_connection_ends() {
    let site = TlsSite::start(true).await;
    let (protocol, answer, after) = site
        .client(&TLS13, &["h2", "http/1.1"], |mut stream| {
            let protocol = stream.conn.alpn_protocol().map(<[u8]>::to_vec);
            // :method GET, :scheme https, :path /, :authority x; END_STREAM and END_HEADERS.
            let headers = frame(1, 5, 1, &[0x82, 0x87, 0x84, 0x41, 0x01, b'x']);
            stream.write_all(&[PREFACE, &frame(4, 0, 0, &[]), &headers].concat()).unwrap();
            let start = Instant::now();
            (protocol, all(stream), start.elapsed())
        })
        .await;
    assert_eq!(protocol.as_deref(), Some(&b"h2"[..]));
    assert!(has_frame(&answer, 0, 1, b"0"), "{answer:?}");
    assert!(after < PATIENCE / 2, "{after:?}");
    assert_eq!(site.site.upstream.requests().len(), 1);
    assert!(site.site.upstream.received().starts_with("GET / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn an_http2_connection_that_never_begins_is_ended() {
    let site = TlsSite::start(true).await;
    let start = Instant::now();
    let sent = site.client(&TLS13, &["h2"], |mut stream| {
        stream.write_all(&PREFACE[..10]).unwrap();
        all(stream)
    });
    assert_eq!(sent.await, b"");
    assert!(start.elapsed() < PATIENCE / 2);
}

#[tokio::test]
async fn http2_is_not_offered_when_it_is_off() {
    let site = TlsSite::start(false).await;
    let protocol =
        site.client(&TLS13, &["h2", "http/1.1"], |stream| stream.conn.alpn_protocol().map(<[u8]>::to_vec)).await;
    assert_eq!(protocol.as_deref(), Some(&b"http/1.1"[..]));
}
