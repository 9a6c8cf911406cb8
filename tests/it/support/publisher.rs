//! A client's own web server, behind TLS: publishes documents, and counts who asks for them.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use serde_json::Value;
use tempfile::TempDir;

use super::Setup;

/// Serves `https://localhost:…` until it is dropped.
pub struct Publisher {
    port: u16,
    folder: TempDir,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Whole answers, by path.
    answers: Mutex<BTreeMap<String, String>>,
    asked: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Publisher {
    pub fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ca.pem"), made.cert.pem()).expect("a file");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let certificate = CertificateDer::from(made.cert.der().to_vec());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![certificate], key).expect("a certificate"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if for_thread.over.load(Ordering::SeqCst) {
                    return;
                }
                // A peer that gives up is none of our business.
                serve(stream, &config, &for_thread);
            }
        });
        Self { port, folder, shared, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// A gateway to which it is the operator's own.
    pub fn allowed_in(&self, setup: Setup) -> Setup {
        let ca_file = self.folder.path().join("ca.pem").to_string_lossy().into_owned();
        setup.set("fetch.allow_hosts", vec!["localhost"]).set("fetch.ca_file", ca_file)
    }

    /// Publishes a document.
    pub fn publish(&self, path: &str, document: &Value) {
        self.answer(path, "200 OK", "Content-Type: application/json\r\n", &document.to_string());
    }

    /// Answers with this from now on.
    pub fn answer(&self, path: &str, status: &str, fields: &str, body: &str) {
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{fields}\r\n{body}");
        self.shared.answers.lock().expect("no panic").insert(path.to_owned(), answer);
    }

    /// How often this was asked for.
    pub fn asked(&self, path: &str) -> usize {
        self.shared.asked.lock().expect("no panic").iter().filter(|asked| *asked == path).count()
    }

    /// How often anything was asked for.
    pub fn asked_at_all(&self) -> usize {
        self.shared.asked.lock().expect("no panic").len()
    }
}

fn serve(stream: TcpStream, config: &Arc<ServerConfig>, shared: &Shared) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let connection = ServerConnection::new(Arc::clone(config)).ok()?;
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
    }
    let known = shared.answers.lock().expect("no panic").get(&path).cloned();
    shared.asked.lock().expect("no panic").push(path);
    let none = || "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned();
    let stream = reader.get_mut();
    stream.write_all(known.unwrap_or_else(none).as_bytes()).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes the thread; nobody answers.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
