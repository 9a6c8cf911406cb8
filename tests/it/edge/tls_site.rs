//! The site behind TLS, and clients of it that block: a test that uses them beside the upstream needs more than one thread.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    sync::Arc,
    time::Duration,
};

use empress_gateway::server::{
    lifecycle::{ServerSettings, TlsListeners},
    tls::TlsFiles,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, crypto::ring,
    pki_types::CertificateDer, version::TLS13,
};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::{
    frames::Http2,
    harness::{PATIENCE, Site},
};

pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A certificate of its own for `localhost`.
pub struct Certificate {
    pub files: TlsFiles,
    der: CertificateDer<'static>,
    _folder: TempDir,
}

impl Certificate {
    pub fn make() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificate: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
        fs::write(&files.certificate, made.cert.pem()).unwrap();
        fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
        Self { files, der: made.cert.der().clone(), _folder: folder }
    }

    fn config(&self, version: &'static SupportedProtocolVersion, protocols: &[&str]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        config
    }

    /// A connection for HTTP/2 on which nothing has been sent yet.
    pub fn connect(&self, address: SocketAddr) -> Stream {
        connect(address, self.config(&TLS13, &["h2"]))
    }
}

pub struct TlsSite {
    pub site: Site,
    certificate: Certificate,
}

impl TlsSite {
    pub async fn with(http2: bool, change: impl FnOnce(&mut ServerSettings)) -> Self {
        let certificate = Certificate::make();
        let site = Site::with(|settings| {
            let listen = std::mem::take(&mut settings.listen);
            settings.tls = Some(TlsListeners { listen, files: certificate.files.clone(), http2 });
            change(settings);
        })
        .await;
        Self { site, certificate }
    }

    /// One with HTTP/2 and nothing else out of the ordinary.
    pub async fn start() -> Self {
        Self::with(true, |_| ()).await
    }

    /// Runs a client that blocks, beside the upstream.
    pub async fn client<T: Send + 'static>(
        &self,
        version: &'static SupportedProtocolVersion,
        protocols: &[&str],
        talk: impl FnOnce(Stream) -> T + Send + 'static,
    ) -> T {
        let (address, config) = (self.site.address(), self.certificate.config(version, protocols));
        spawn_blocking(move || talk(connect(address, config))).await.unwrap()
    }

    /// A connection for HTTP/2 on which nothing has been sent yet.
    pub fn connect(&self) -> Stream {
        self.certificate.connect(self.site.address())
    }

    /// One that has begun.
    pub fn http2(&self) -> Http2 {
        Http2::new(self.connect())
    }
}

fn connect(address: SocketAddr, config: ClientConfig) -> Stream {
    let tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut tls = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut tcp_for_handshake = tcp.try_clone().unwrap();
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp_for_handshake).unwrap();
    }
    StreamOwned::new(tls, tcp)
}

/// So long a peer may keep a site waiting in tests that are about that.
pub const SHORT: Duration = Duration::from_millis(200);

/// All that comes until the server closes.
pub fn all(mut stream: Stream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A cut-off connection ends without the closing alert.
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

/// What an HTTP/1 request brings until the server closes.
pub fn exchange(mut stream: Stream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    String::from_utf8(all(stream)).unwrap()
}
