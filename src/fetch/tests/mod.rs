//! Documents of a server that a test has started, under names that the test's own look-up knows.

mod places;

use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{
        Mutex, Once,
        atomic::{AtomicUsize, Ordering},
    },
};

use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::clock::{ManualClock, UnixTime};

/// The name that its certificate is for, and so many others.
const HOST: &str = "keys.internal";
const OTHERS: usize = 8;

fn other(number: usize) -> String {
    format!("host-{number}.internal")
}

/// A server of a client's.
struct Server {
    port: u16,
    folder: TempDir,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    asked: AtomicUsize,
    heads: Mutex<Vec<String>>,
    /// The whole answer; empty: none ever comes.
    answer: Mutex<String>,
}

fn answer(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{fields}\r\n{body}", body.len())
}

fn json_answer(document: &Value, more: &str) -> String {
    answer("200 OK", &format!("Content-Type: application/json\r\n{more}"), &document.to_string())
}

/// A JWK Set with one key of this name.
fn key_set(kid: &str) -> Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.der_bytes()), "kid": kid}]})
}

async fn keys_for(sets: &KeySets, url: &DocumentUrl, assertion: &str) -> Result<Arc<ClientKeys>, FetchError> {
    sets.for_assertion(ClientSource::File, url, assertion).await.document
}

/// What only names its key: nothing else of it is looked at here.
fn by(kid: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    format!("{}.e30.x", URL_SAFE_NO_PAD.encode(json!({"alg": "EdDSA", "kid": kid}).to_string()))
}

fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

impl Server {
    async fn start(first: String) -> Self {
        install_provider();
        let hosts = (0..OTHERS).map(other).chain([HOST.to_owned()]);
        let made = rcgen::generate_simple_self_signed(hosts.collect::<Vec<_>>()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), made.cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let certificate = CertificateDer::from(made.cert.der().to_vec());
        let config = rustls::ServerConfig::builder().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State { answer: Mutex::new(first), ..State::default() });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&config), Arc::clone(&shared)));
            }
        });
        Self { port, folder, state }
    }

    fn says(&self, answer: String) {
        *self.state.answer.lock().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.state.asked.load(Ordering::SeqCst)
    }

    fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn url(&self) -> DocumentUrl {
        url(&format!("https://{HOST}:{}/jwks", self.port))
    }

    /// For [`HOST`], which the operator has named.
    fn key_sets(&self, clock: &ManualClock) -> KeySets {
        let allow_hosts = (0..OTHERS).map(other).chain([HOST.to_owned()]).collect();
        let settings = FetchSettings { allow_hosts, ca_file: Some(self.ca_file()) };
        KeySets::with(at(&["127.0.0.1"]), &settings, Arc::new(clock.clone())).unwrap()
    }
}

async fn serve(mut stream: TcpStream, config: Arc<rustls::ServerConfig>, state: Arc<State>) -> Option<()> {
    let mut tls = rustls::ServerConnection::new(config).ok()?;
    tls.set_buffer_limit(None);
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        flush(&mut stream, &mut tls).await?;
        let mut bytes = [0; 8192];
        let count = stream.read(&mut bytes).await.ok().filter(|count| *count > 0)?;
        let mut rest = &bytes[..count];
        while !rest.is_empty() {
            tls.read_tls(&mut rest).ok()?;
            tls.process_new_packets().ok()?;
        }
        let mut plain = [0; 8192];
        if let Ok(count) = std::io::Read::read(&mut tls.reader(), &mut plain) {
            head.extend_from_slice(&plain[..count]);
        }
    }
    state.asked.fetch_add(1, Ordering::SeqCst);
    state.heads.lock().unwrap().push(String::from_utf8(head).unwrap());
    let answer = state.answer.lock().unwrap().clone();
    if answer.is_empty() {
        std::future::pending::<()>().await;
    }
    std::io::Write::write_all(&mut tls.writer(), answer.as_bytes()).ok()?;
    tls.send_close_notify();
    flush(&mut stream, &mut tls).await
}

async fn flush(stream: &mut TcpStream, tls: &mut rustls::ServerConnection) -> Option<()> {
    let mut out = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut out).ok()?;
    }
    stream.write_all(&out).await.ok()
}

fn url(text: &str) -> DocumentUrl {
    DocumentUrl::parse(text).unwrap()
}

/// A look-up that has these addresses for every name.
fn at(addresses: &[&str]) -> LookUp {
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Arc::new(move |_| {
        let addresses = addresses.clone();
        Box::pin(async move { Ok(addresses) })
    })
}

fn start() -> ManualClock {
    ManualClock::at(UnixTime::from_secs(1_800_000_000))
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

#[tokio::test]
async fn keys_are_fetched_once_for_all_who_ask_and_kept() {
    let (server, clock) = (Server::start(json_answer(&key_set("a"), "")).await, start());
    let sets = server.key_sets(&clock);
    let (url, assertion) = (server.url(), by("a"));
    let asked = (0..20).map(|_| keys_for(&sets, &url, &assertion));
    for keys in futures_util::future::join_all(asked).await {
        assert!(keys.unwrap().may_have_signed(&assertion));
    }
    assert_eq!(server.asked(), 1);
    let head = server.state.heads.lock().unwrap()[0].to_ascii_lowercase();
    assert!(head.starts_with("get /jwks http/1.1\r\n") && head.contains("\r\naccept: application/json\r\n"), "{head}");
    assert!(!head.contains("cookie") && !head.contains("authorization"), "{head}");
    clock.advance(minutes(4));
    keys_for(&sets, &url, &assertion).await.unwrap();
    assert_eq!(server.asked(), 1, "fresh");
    clock.advance(minutes(2));
    keys_for(&sets, &url, &assertion).await.unwrap();
    assert_eq!(server.asked(), 2, "no longer fresh");
}

#[tokio::test]
async fn what_the_server_says_of_freshness_counts_within_bounds() {
    for (field, fresh_for) in [
        ("Cache-Control: max-age=3600\r\n", minutes(60)),
        ("Cache-Control: no-store\r\n", LEAST),
        ("Cache-Control: max-age=99999999\r\n", minutes(24 * 60)),
    ] {
        let (server, clock) = (Server::start(json_answer(&key_set("a"), field)).await, start());
        let sets = server.key_sets(&clock);
        keys_for(&sets, &server.url(), &by("a")).await.unwrap();
        clock.advance(fresh_for.saturating_sub(Duration::from_secs(1)));
        keys_for(&sets, &server.url(), &by("a")).await.unwrap();
        assert_eq!(server.asked(), 1, "{field}");
        clock.advance(Duration::from_secs(1));
        keys_for(&sets, &server.url(), &by("a")).await.unwrap();
        assert_eq!(server.asked(), 2, "{field}");
    }
}

const LEAST: Duration = Duration::from_secs(300);

#[tokio::test]
async fn an_unknown_key_is_looked_for_once_a_minute() {
    let (server, clock) =
        (Server::start(json_answer(&key_set("a"), "Cache-Control: max-age=86400\r\n")).await, start());
    let sets = server.key_sets(&clock);
    let url = server.url();
    keys_for(&sets, &url, &by("a")).await.unwrap();
    server.says(json_answer(&key_set("b"), ""));
    assert!(keys_for(&sets, &url, &by("b")).await.unwrap().may_have_signed(&by("b")));
    assert_eq!(server.asked(), 2);
    server.says(json_answer(&key_set("c"), ""));
    for _ in 0..5 {
        assert!(!keys_for(&sets, &url, &by("c")).await.unwrap().may_have_signed(&by("c")));
    }
    assert_eq!(server.asked(), 2, "not within a minute");
    clock.advance(minutes(1));
    assert!(keys_for(&sets, &url, &by("c")).await.unwrap().may_have_signed(&by("c")));
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn keys_outlast_an_outage_for_some_hours_and_not_their_withdrawal() {
    let (server, clock) = (Server::start(json_answer(&key_set("a"), "")).await, start());
    let sets = server.key_sets(&clock);
    let (url, assertion) = (server.url(), by("a"));
    let now = async || keys_for(&sets, &url, &assertion).await.map(drop);
    now().await.unwrap();
    server.says(answer("503 Away", "", ""));
    clock.advance(minutes(10));
    now().await.unwrap();
    now().await.unwrap();
    assert_eq!(server.asked(), 2, "a failure is remembered");
    clock.advance(minutes(11 * 60));
    now().await.unwrap();
    clock.advance(minutes(60));
    assert!(now().await.unwrap_err().is_outage(), "too old");
    server.says(json_answer(&key_set("a"), ""));
    clock.advance(minutes(1));
    now().await.unwrap();
    server.says(answer("404 Gone", "", ""));
    clock.advance(minutes(10));
    assert_eq!(now().await, Err(FetchError::Refused("its host does not have it")));
    server.says(answer("503 Away", "", ""));
    clock.advance(minutes(1));
    assert!(now().await.unwrap_err().is_outage(), "those of before are not to be had again");
}

#[tokio::test]
async fn what_is_no_set_of_keys_is_refused_whatever_it_is() {
    let (server, clock) = (Server::start(String::new()).await, start());
    let sets = server.key_sets(&clock);
    let keys = key_set("a");
    let mut private = keys.clone();
    private["keys"][0]["d"] = "AAAA".into();
    let long = json!({"keys": keys["keys"], "x": "a".repeat(MOST_KEY_BYTES)});
    let many = json!({"keys": vec![keys["keys"][0].clone(); 51]});
    let chunked = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunked = format!("{chunked}{:x}\r\n{}\r\n0\r\n\r\n", 2 * MOST_KEY_BYTES, " ".repeat(2 * MOST_KEY_BYTES));
    let redirect = format!("Location: {}\r\nContent-Type: application/json\r\n", server.url().as_str());
    for (what, answer) in [
        ("a redirect", answer("302 Found", &redirect, &keys.to_string())),
        ("HTML", answer("200 OK", "Content-Type: text/html\r\n", &keys.to_string())),
        ("no content type", answer("200 OK", "", &keys.to_string())),
        ("no JSON", answer("200 OK", "Content-Type: application/json\r\n", "<html>")),
        ("another document", json_answer(&json!({"issuer": "x"}), "")),
        ("a private key", json_answer(&private, "")),
        ("too long", json_answer(&long, "")),
        ("too long, in chunks", chunked),
        ("too many keys", json_answer(&many, "")),
        ("created", answer("201 Created", "Content-Type: application/json\r\n", &keys.to_string())),
    ] {
        server.says(answer);
        clock.advance(minutes(1));
        let outcome = keys_for(&sets, &server.url(), &by("a")).await.map(drop);
        assert!(matches!(outcome, Err(FetchError::Refused(_))), "{what}: {outcome:?}");
    }
    assert_eq!(server.asked(), 10, "no redirect was followed");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_waited_for_a_few_seconds() {
    let (server, clock) = (Server::start(String::new()).await, start());
    let sets = server.key_sets(&clock);
    let begun = tokio::time::Instant::now();
    assert!(keys_for(&sets, &server.url(), &by("a")).await.unwrap_err().is_outage());
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_certificate_is_needed_that_is_good_for_the_name() {
    let (server, clock) = (Server::start(json_answer(&key_set("a"), "")).await, start());
    let refuses = async |settings: FetchSettings, url: &str| {
        let sets = KeySets::with(at(&["127.0.0.1"]), &settings, Arc::new(clock.clone())).unwrap();
        keys_for(&sets, &super::tests::url(url), &by("a")).await.unwrap_err().is_outage()
    };
    let hosts = || vec![HOST.to_owned(), "other.internal".to_owned()];
    let without = FetchSettings { allow_hosts: hosts(), ca_file: None };
    assert!(refuses(without, server.url().as_str()).await, "signed by nobody");
    let other = FetchSettings { allow_hosts: hosts(), ca_file: Some(server.ca_file()) };
    assert!(refuses(other, &format!("https://other.internal:{}/jwks", server.port)).await, "another name");
    assert_eq!(server.asked(), 0);
}

/// T64
#[tokio::test]
async fn a_name_with_an_address_that_is_not_public_is_not_connected_to() {
    install_provider();
    let settings = FetchSettings::default();
    for addresses in [
        &["127.0.0.1"][..],
        &["::1"],
        &["10.0.0.1"],
        &["169.254.169.254"],
        &["100.64.0.1"],
        &["224.0.0.1"],
        &["0.0.0.0"],
        &["fd00::1"],
        &["fe80::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["2002:7f00:1::"],
        // A public one beside it does not make it better.
        &["1.1.1.1", "127.0.0.1"],
        &["192.168.0.1", "2606:4700:4700::1111"],
    ] {
        let sets = KeySets::with(at(addresses), &settings, Arc::new(start())).unwrap();
        let outcome = keys_for(&sets, &url("https://app.example/jwks"), &by("a")).await.map(drop);
        assert_eq!(outcome, Err(FetchError::NotAllowed("its host has an address that is not public")), "{addresses:?}");
    }
}

/// T64: each fetch looks the name up once, and connects to what it found.
#[tokio::test]
async fn a_name_that_is_rebound_to_a_private_address_is_not_connected_to() {
    let (server, clock) = (Server::start(json_answer(&key_set("a"), "")).await, start());
    let looked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&looked);
    // A public address, where nothing listens for us, and then the server's own.
    let rebinding: LookUp = Arc::new(move |_| {
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        Box::pin(async move { Ok(vec![if first { "192.0.2.1".parse() } else { "127.0.0.1".parse() }.unwrap()]) })
    });
    let settings = FetchSettings { allow_hosts: Vec::new(), ca_file: Some(server.ca_file()) };
    let sets = KeySets::with(rebinding, &settings, Arc::new(clock.clone())).unwrap();
    for _ in 0..2 {
        let outcome = keys_for(&sets, &url(&format!("https://{HOST}/jwks")), &by("a")).await.map(drop);
        assert!(matches!(outcome, Err(FetchError::NotAllowed(_))), "{outcome:?}");
        clock.advance(minutes(1));
    }
    assert_eq!((looked.load(Ordering::SeqCst), server.asked()), (2, 0));
}

/// T64
#[tokio::test]
async fn addresses_in_urls_and_other_ports_are_not_connected_to() {
    install_provider();
    let never: LookUp = Arc::new(|name| Box::pin(async move { panic!("{name} is looked up") }));
    let sets = KeySets::with(never, &FetchSettings::default(), Arc::new(start())).unwrap();
    for text in [
        "https://127.0.0.1/jwks",
        "https://2130706433/jwks",
        "https://0x7f.1/jwks",
        "https://[::1]/jwks",
        "https://[::ffff:7f00:1]/jwks",
        "https://[64:ff9b::a9fe:a9fe]/jwks",
        "https://169.254.169.254/jwks",
        "https://10.0.0.1/jwks",
        "https://app.example:8443/jwks",
        "http://127.0.0.1/jwks",
        "http://localhost/jwks",
    ] {
        let outcome = keys_for(&sets, &url(text), &by("a")).await.map(drop);
        assert!(matches!(outcome, Err(FetchError::NotAllowed(_))), "{text}: {outcome:?}");
    }
}
