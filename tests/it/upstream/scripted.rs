//! Answers as servers rarely send them, byte by byte: what the peer gets of each, and what becomes of the connection.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use crate::support::{Request, Setup, TestGateway, until};

/// What becomes of a connection of the upstream's after an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Goes,
    Closes,
}

/// A server that answers each request by the next line of its script.
struct Scripted {
    gateway: TestGateway,
    heads: Arc<Mutex<Vec<(usize, String)>>>,
}

impl Scripted {
    /// The answers in their order; the last one is given again and again.
    fn new(script: &[(&str, Then)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let heads: Arc<Mutex<Vec<(usize, String)>>> = Arc::default();
        let script: Vec<(String, Then)> = script.iter().map(|(text, then)| ((*text).to_owned(), *then)).collect();
        let (seen, script) = (Arc::clone(&heads), Arc::new(script));
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { return };
                let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
                thread::spawn(move || serve(number, stream, &seen, &script));
            }
        });
        let gateway = Setup::new().forwarding_to(url).start();
        Self { gateway, heads }
    }

    /// The requests for such a path: the number of the connection, and the head.
    fn requests(&self, path: &str) -> Vec<(usize, String)> {
        let heads = self.heads.lock().expect("the heads");
        heads.iter().filter(|(_, head)| head.contains(&format!(" {path} "))).cloned().collect()
    }
}

/// The gateway's own calls get nothing; only what is forwarded is in the script.
fn serve(number: usize, mut stream: TcpStream, seen: &Mutex<Vec<(usize, String)>>, script: &[(String, Then)]) {
    let mut buffer = Vec::new();
    loop {
        let Some(head) = next_head(&mut stream, &mut buffer) else { return };
        if !head.contains(" /script") {
            return;
        }
        let at = {
            let mut seen = seen.lock().expect("the heads");
            let at = seen.len().min(script.len() - 1);
            seen.push((number, head));
            at
        };
        let (answer, then) = &script[at];
        if stream.write_all(answer.as_bytes()).is_err() || *then == Then::Closes {
            return;
        }
    }
}

fn next_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = buffer.split_off(end + 4);
            let head = std::mem::replace(buffer, rest);
            return Some(String::from_utf8_lossy(&head).into_owned());
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(read @ 1..) => buffer.extend_from_slice(&piece[..read]),
            Ok(0) | Err(_) => return None,
        }
    }
}

const PLAIN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_connection_serves_request_after_request() {
    let scripted = Scripted::new(&[(PLAIN, Then::Goes)]);
    let mut connection = scripted.gateway.connect();
    for _ in 0..5 {
        assert_eq!(connection.send(&Request::get("/script")).expect("an answer").body, b"ok");
    }
    let requests = scripted.requests("/script");
    assert!(requests.iter().all(|(number, _)| *number == requests[0].0), "{requests:?}");
    assert_eq!(requests.len(), 5);
}

#[test]
fn a_connection_that_the_server_has_closed_costs_no_request() {
    let scripted = Scripted::new(&[(PLAIN, Then::Closes), (PLAIN, Then::Goes)]);
    let mut connection = scripted.gateway.connect();
    for _ in 0..3 {
        assert_eq!(connection.send(&Request::get("/script")).expect("an answer").status, 200);
    }
    assert_eq!(scripted.requests("/script").len(), 3);
}

#[test]
fn what_ends_with_the_connection_reaches_the_peer_whole_and_its_connection_goes_on() {
    let unframed = "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end";
    let scripted = Scripted::new(&[(unframed, Then::Closes), (PLAIN, Then::Goes)]);
    let mut connection = scripted.gateway.connect();
    let answer = connection.send(&Request::get("/script")).expect("an answer");
    assert_eq!((answer.text().as_str(), answer.header("transfer-encoding")), ("until the end", Some("chunked")));
    assert_eq!(connection.send(&Request::get("/script")).expect("another").body, b"ok");
}

#[test]
fn an_answer_that_breaks_off_is_never_taken_for_a_whole_one() {
    for broken in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nx\r\n",
    ] {
        let scripted = Scripted::new(&[(broken, Then::Closes)]);
        let mut connection = scripted.gateway.connect();
        let error = connection.send(&Request::get("/script")).expect_err("no whole answer");
        assert!(scripted.gateway.log().contains("could not be forwarded"), "{error}");
    }
}

#[test]
fn what_is_no_answer_is_told_with_502_and_asked_for_only_once() {
    for no_answer in [
        "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    ] {
        let scripted = Scripted::new(&[(no_answer, Then::Goes)]);
        let answer = scripted.gateway.get("/script");
        assert_eq!((answer.status, answer.member("error").as_str()), (502, "temporarily_unavailable"), "{no_answer}");
        assert_eq!(scripted.requests("/script").len(), 1, "{no_answer}");
    }
}

/// T50, for answers: bytes that nobody has asked for are no answer to the next request.
#[test]
fn an_answer_too_many_is_nobodys() {
    let two = format!("{PLAIN}HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
    for surplus in [two.as_str(), "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"] {
        let scripted = Scripted::new(&[(surplus, Then::Goes), (PLAIN, Then::Goes)]);
        let mut connection = scripted.gateway.connect();
        connection.send(&Request::get("/script")).expect("an answer");
        assert_eq!(connection.send(&Request::get("/script")).expect("another").body, b"ok");
        let requests = scripted.requests("/script");
        assert_ne!(requests[0].0, requests[1].0, "the connection was dropped");
    }
}

#[test]
fn two_framings_are_read_as_chunks_and_the_connection_is_dropped() {
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let scripted = Scripted::new(&[(both, Then::Goes)]);
    let mut connection = scripted.gateway.connect();
    for _ in 0..2 {
        let answer = connection.send(&Request::get("/script")).expect("an answer");
        assert_eq!((answer.body.as_slice(), answer.header("content-length")), (&b"ok"[..], None));
    }
    let requests = scripted.requests("/script");
    assert_ne!(requests[0].0, requests[1].0);
}

#[test]
fn a_length_that_is_said_twice_is_told_once() {
    let twice = "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\ncontent-length: 2\r\n\r\nok";
    let scripted = Scripted::new(&[(twice, Then::Goes)]);
    let answer = scripted.gateway.get("/script");
    assert_eq!((answer.headers("content-length"), answer.body.as_slice()), (vec!["2"], &b"ok"[..]));
}

#[test]
fn an_early_hint_goes_before_the_answer_and_a_continue_is_kept_back() {
    let hinted = format!(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x\r\nX: 1\r\n\r\n{PLAIN}"
    );
    let scripted = Scripted::new(&[(&hinted, Then::Goes)]);
    let mut connection = scripted.gateway.connect();
    connection.write(b"GET /script HTTP/1.1\r\nHost: x\r\n\r\n").expect("it reads");
    let hint = connection.head().expect("a hint");
    assert_eq!((hint.status, hint.header("link"), hint.header("x")), (103, Some("</a.css>"), None));
    assert_eq!(connection.answer(false).expect("the answer").body, b"ok");
}

#[test]
fn an_answer_without_a_body_is_over_with_its_head() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    let scripted = Scripted::new(&[(head, Then::Goes), ("HTTP/1.1 304 Not Modified\r\n\r\n", Then::Goes)]);
    let mut connection = scripted.gateway.connect();
    let answer = connection.send(&Request::new("HEAD", "/script")).expect("an answer");
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("1000")));
    assert_eq!(connection.send(&Request::get("/script")).expect("another").status, 304);
    assert_eq!(scripted.requests("/script").len(), 2);
}

#[test]
fn hop_by_hop_fields_stay_on_their_hop_and_others_keep_their_spelling() {
    let answer = "HTTP/1.1 299 Fine by me\r\nKeep-Alive: timeout=5\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\
                  ETag: \"a\"\r\nX-ERPNext-Thing: b\r\nContent-Length: 0\r\n\r\n";
    let scripted = Scripted::new(&[(answer, Then::Goes)]);
    let mut connection = scripted.gateway.connect();
    connection
        .write(b"GET /script HTTP/1.1\r\nHost: x\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Authorization: y\r\nX-Mine: z\r\n\r\n")
        .expect("it reads");
    let got = connection.head().expect("an answer");
    assert_eq!(got.status, 299);
    for (name, value) in
        [("keep-alive", None), ("x-hop", None), ("connection", Some("keep-alive")), ("etag", Some("\"a\""))]
    {
        assert_eq!(got.header(name), value, "{name}");
    }
    assert!(got.headers.iter().any(|(name, _)| name == "X-ERPNext-Thing"), "{got}");
    assert!(got.header("date").is_some(), "RFC 9110 §6.6.1");
    let sent = scripted.requests("/script")[0].1.clone();
    assert!(sent.contains("\r\nX-Mine: z\r\n"), "{sent}");
    for gone in ["keep-alive", "te:", "proxy-authorization", "connection"] {
        assert!(!sent.to_ascii_lowercase().contains(&format!("\r\n{gone}")), "{gone} in {sent}");
    }
}

/// RFC 9112 §9.3.2
#[test]
fn requests_sent_ahead_are_answered_in_their_order() {
    let scripted = Scripted::new(&[(PLAIN, Then::Goes)]);
    let (one, other) = ("GET /script HTTP/1.1\r\nHost: x\r\n", "Connection: close\r\n\r\n");
    for pieces in [vec![format!("{one}\r\n{one}{other}")], vec![format!("{one}\r\n"), format!("{one}{other}")]] {
        let mut connection = scripted.gateway.connect();
        for piece in pieces {
            connection.write(piece.as_bytes()).expect("it reads");
        }
        assert_eq!(connection.answer(false).expect("the first").body, b"ok");
        assert_eq!(connection.answer(false).expect("the second").body, b"ok");
        assert_eq!(connection.rest().expect("the end"), b"");
    }
}

#[test]
fn a_peer_that_goes_away_takes_its_request_along() {
    let scripted = Scripted::new(&[("HTTP/1.1 200 OK\r\n", Then::Goes)]);
    let mut connection = scripted.gateway.connect();
    connection.write(b"GET /script HTTP/1.1\r\nHost: x\r\n\r\n").expect("it reads");
    until("the request has arrived", || (!scripted.requests("/script").is_empty()).then_some(()));
    drop(connection);
    until("nobody is connected", || (scripted.gateway.metric("empress_edge_connections") < 1.0).then_some(()));
}
