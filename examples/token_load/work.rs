//! Which requests there are, and what must be fetched before they can be sent.

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context as _, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use empress_gateway::{
    oauth::{TokenKind, TokenMint},
    random::OsRandom,
    store::secret_key,
};
use tokio::task::JoinSet;

use crate::connection::{Answer, Connection};

const METHOD: &str = "/api/method/frappe.integrations.oauth2.";
/// What is forwarded to the upstream's fast path.
const RESOURCE: &str = "/api/resource/Customer";
/// The pair of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Connections that fetch codes at the same time.
const FETCHERS: usize = 16;

/// The clients of `benches/issue.py`: confidential, public, and one that acts by itself.
const WEB: Client =
    Client { id: "bench", secret: Some("the-secret-of-the-benchs-client"), callback: "https://bench.example/cb" };
const APP: Client = Client { id: "app", secret: None, callback: "http://127.0.0.1/cb" };
const SERVICE: Client = Client { id: "service", secret: Some("the-secret-of-the-benchs-service"), callback: "" };

#[derive(Clone, Copy)]
struct Client {
    id: &'static str,
    secret: Option<&'static str>,
    callback: &'static str,
}

/// What is to be sent.
pub enum Work {
    /// Requests that are ready, taken in turn.
    List { requests: Vec<Vec<u8>>, taken: AtomicUsize },
    /// The same request, so many times.
    Same { request: Vec<u8>, left: AtomicUsize },
    /// A chain for each connection: its first refresh token; what each answer gives is presented next.
    Rotate { port: u16, first: Vec<String>, left: AtomicUsize },
}

impl Work {
    pub async fn prepare(port: u16, connections: usize, kind: &str, rest: &[String]) -> anyhow::Result<Self> {
        let argument = rest.first().context("the work needs a number or a file")?;
        let count = || argument.parse::<usize>().context("COUNT");
        let list = |requests| Self::List { requests, taken: AtomicUsize::new(0) };
        Ok(match kind {
            "code" => list(codes(port, WEB, count()?).await?.iter().map(|code| exchange(port, WEB, code)).collect()),
            "client_credentials" => {
                let request = token_request(port, SERVICE, &[("grant_type", "client_credentials")]);
                Self::Same { request, left: AtomicUsize::new(count()?) }
            }
            "refresh" => {
                let refresh = refresh_tokens(port, WEB, connections).await?;
                let requests: Vec<_> = refresh.iter().map(|token| refresh_request(port, WEB, token)).collect();
                list((0..count()?).filter_map(|at| requests.get(at % connections).cloned()).collect())
            }
            "rotate" => {
                let first = refresh_tokens(port, APP, connections).await?;
                Self::Rotate { port, first, left: AtomicUsize::new(count()?) }
            }
            "present" => list(std::fs::read_to_string(argument)?.lines().map(|token| resource(port, token)).collect()),
            "unknown" => {
                let file = rest.get(1).context("unknown COUNT KEYFILE")?;
                let mint = TokenMint::new(&secret_key::load_or_make(Path::new(file))?);
                let stranger = |_| mint.mint(TokenKind::Access, &OsRandom);
                list((0..count()?).map(stranger).map(|token| resource(port, token.text.expose())).collect())
            }
            "junk" => {
                let junk = |at| resource(port, &format!("emp_at_{at:043}"));
                list((0..count()?).map(junk).collect())
            }
            other => bail!("there is no work {other}"),
        })
    }

    /// The next request of a connection; `last` is the answer to the one before.
    pub fn next(&self, connection: usize, last: Option<&Answer>) -> Option<Vec<u8>> {
        match self {
            Self::List { requests, taken } => requests.get(taken.fetch_add(1, Ordering::Relaxed)).cloned(),
            Self::Same { request, left } => take_one(left).then(|| request.clone()),
            Self::Rotate { port, first, left } => {
                let token = match last {
                    Some(answer) => answer.member("refresh_token").ok()?,
                    None => first.get(connection)?.clone(),
                };
                take_one(left).then(|| refresh_request(*port, APP, &token))
            }
        }
    }
}

fn take_one(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

/// So many codes for one user, who logs in once.
async fn codes(port: u16, client: Client, count: usize) -> anyhow::Result<Vec<String>> {
    let session = log_in(port).await?;
    let mut fetchers = JoinSet::new();
    for fetcher in 0..FETCHERS {
        let share = count / FETCHERS + usize::from(fetcher < count % FETCHERS);
        fetchers.spawn(fetch_codes(port, client, session.clone(), share));
    }
    let mut codes = Vec::with_capacity(count);
    while let Some(fetched) = fetchers.join_next().await {
        codes.extend(fetched??);
    }
    Ok(codes)
}

async fn log_in(port: u16) -> anyhow::Result<String> {
    let form = [("usr", "alice@example.com"), ("pwd", "alice-secret")];
    let request = post(port, "/api/method/login", &[("Origin", &format!("http://127.0.0.1:{port}"))], &form);
    let answer = Connection::open(port).await?.send(&request).await?;
    let cookies = answer.headers("set-cookie").filter_map(|line| line.split(';').next());
    let session = cookies.filter(|cookie| cookie.starts_with("sid=")).find(|cookie| *cookie != "sid=Guest");
    session.map(str::to_owned).with_context(|| format!("no login: {answer}"))
}

async fn fetch_codes(port: u16, client: Client, session: String, count: usize) -> anyhow::Result<Vec<String>> {
    let query = form(&[
        ("client_id", client.id),
        ("response_type", "code"),
        ("redirect_uri", client.callback),
        ("scope", "all openid"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ]);
    let request = format!(
        "GET {METHOD}authorize?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/html\r\nCookie: {session}\r\n\r\n"
    );
    let mut connection = Connection::open(port).await?;
    let mut codes = Vec::with_capacity(count);
    for _ in 0..count {
        let answer = connection.send(request.as_bytes()).await?;
        let location = answer.header("location").with_context(|| answer.to_string())?;
        let query = location.split_once('?').map_or("", |(_, query)| query);
        let code = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "code");
        codes.push(code.with_context(|| answer.to_string())?.1.into_owned());
    }
    Ok(codes)
}

async fn refresh_tokens(port: u16, client: Client, count: usize) -> anyhow::Result<Vec<String>> {
    let mut connection = Connection::open(port).await?;
    let mut tokens = Vec::with_capacity(count);
    for code in codes(port, client, count).await? {
        let answer = connection.send(&exchange(port, client, &code)).await?;
        ensure!(answer.status == 200, "{answer}");
        tokens.push(answer.member("refresh_token")?);
    }
    Ok(tokens)
}

fn exchange(port: u16, client: Client, code: &str) -> Vec<u8> {
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", client.callback),
        ("code_verifier", VERIFIER),
    ];
    token_request(port, client, &pairs)
}

fn refresh_request(port: u16, client: Client, token: &str) -> Vec<u8> {
    token_request(port, client, &[("grant_type", "refresh_token"), ("refresh_token", token)])
}

fn token_request(port: u16, client: Client, pairs: &[(&str, &str)]) -> Vec<u8> {
    let target = format!("{METHOD}get_token");
    match client.secret {
        Some(secret) => {
            let basic = format!("Basic {}", STANDARD.encode(format!("{}:{secret}", client.id)));
            post(port, &target, &[("Authorization", &basic)], pairs)
        }
        None => post(port, &target, &[], &[pairs, &[("client_id", client.id)]].concat()),
    }
}

fn post(port: u16, target: &str, headers: &[(&str, &str)], pairs: &[(&str, &str)]) -> Vec<u8> {
    let body = form(pairs);
    let headers = headers.iter().fold(String::new(), |all, (name, value)| all + name + ": " + value + "\r\n");
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn resource(port: u16, token: &str) -> Vec<u8> {
    format!("GET {RESOURCE} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n").into_bytes()
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}
