//! Answers and requests that the gateway has no business with pass as they are.

use crate::{
    standin::{ALICE, ALICE_PASSWORD, BOB, SITE, assets},
    support::{Answer, Browser, Connection, Request, SHOP, Setup, TestGateway},
};

const ASSET: &str = "/assets/standin/desk.js";
const PRIVATE: &str = "/private/files/alice.txt";

/// What one of them answers to the same request.
fn both(gateway: &TestGateway, request: &Request) -> (Answer, Answer) {
    let mut direct = Connection::open(gateway.standin.port()).expect("it listens");
    (direct.send(request).expect("an answer"), gateway.send(request))
}

/// Fails unless the answer is ERPNext's, header for header, but for what is ours to say and what differs each time.
fn same(direct: &Answer, through: &Answer) {
    let ours = ["connection", "date", "x-request-id"];
    let kept = |answer: &Answer| -> Vec<(String, String)> {
        let mut fields: Vec<_> =
            answer.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), steady(name, value))).collect();
        fields.retain(|(name, _)| !ours.contains(&name.as_str()));
        fields.sort();
        fields
    };
    assert_eq!((direct.status, &direct.body), (through.status, &through.body));
    assert_eq!(kept(direct), kept(through));
}

/// A cookie without its session and the second in which it was set.
fn steady(name: &str, value: &str) -> String {
    if !name.eq_ignore_ascii_case("set-cookie") {
        return value.to_owned();
    }
    let parts = value.split("; ").filter(|part| !part.starts_with("Expires="));
    let parts = parts.map(|part| if part.starts_with("sid=") && part.len() > 40 { "sid=…" } else { part });
    parts.collect::<Vec<_>>().join("; ")
}

/// Facts §12: bench's nginx compresses.
#[test]
fn a_compressed_answer_is_left_alone() {
    let gateway = TestGateway::start();
    let (direct, through) = both(&gateway, &Request::get(ASSET).header("Accept-Encoding", "gzip, deflate, br"));
    same(&direct, &through);
    assert_eq!(through.body, assets::gzipped());
    assert_eq!(through.header("content-encoding"), Some("gzip"));
    assert_eq!(through.header("vary"), Some("Accept-Encoding"));
    assert!(through.header("etag").is_some_and(|etag| etag.starts_with("W/")), "{through}");
    let (direct, through) = both(&gateway, &Request::get(ASSET));
    same(&direct, &through);
    assert_eq!(through.body, assets::content());
    assert_eq!((through.header("content-encoding"), through.header("accept-ranges")), (None, Some("bytes")));
}

#[test]
fn parts_and_what_is_not_modified_pass() {
    let gateway = TestGateway::start();
    let (direct, through) = both(&gateway, &Request::get(ASSET).header("Range", "bytes=27-53"));
    same(&direct, &through);
    assert_eq!((through.status, through.header("content-range")), (206, Some("bytes 27-53/1080")));
    assert_eq!(through.body, b"frappe.provide('standin');\n");
    let etag = through.header("etag").expect("an etag").to_owned();
    let mut connection = gateway.connect();
    let known = Request::get(ASSET).header("If-None-Match", &etag);
    for _ in 0..2 {
        let answer = connection.send(&known).expect("on the same connection");
        assert_eq!((answer.status, answer.body.len()), (304, 0));
        assert_eq!(answer.header("etag"), Some(etag.as_str()));
    }
}

/// 01, 02, 44
#[test]
fn redirects_and_all_five_cookies_pass_untouched() {
    let gateway = TestGateway::start();
    let (direct, through) = both(&gateway, &Request::get("/app"));
    same(&direct, &through);
    assert_eq!((through.status, through.location()), (301, "/login?redirect-to=%2Fapp"));
    assert_eq!(through.headers("set-cookie").len(), 5, "{through}");
    let login = Request::form("/api/method/login", &[("usr", ALICE), ("pwd", ALICE_PASSWORD)]);
    let (direct, through) = both(&gateway, &login);
    same(&direct, &through);
    let cookies = through.headers("set-cookie");
    assert_eq!(cookies.len(), 5);
    assert!(cookies[0].ends_with("; Max-Age=612000; HttpOnly; Path=/; SameSite=Lax"), "{}", cookies[0]);
    let (direct, through) = both(&gateway, &Request::get("/api/method/frappe.auth.get_logged_user"));
    same(&direct, &through);
    assert_eq!(through.status, 403);
}

/// 45
#[test]
fn a_private_file_is_for_its_owner_by_cookie_and_by_token() {
    let gateway = TestGateway::start();
    let mut alice = Browser::of(&gateway, ALICE);
    let answer = alice.get(PRIVATE);
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello private"));
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    assert_eq!(Browser::of(&gateway, BOB).get(PRIVATE).status, 403);
    assert_eq!(gateway.get(PRIVATE).status, 403);
    let tokens = (gateway.tokens(ALICE, SHOP, &[]), gateway.tokens(BOB, SHOP, &[]));
    let answer = gateway.send(&Request::get(PRIVATE).bearer(&tokens.0.access));
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello private"));
    assert!(answer.headers("set-cookie").is_empty(), "{answer}");
    assert_eq!(gateway.send(&Request::get(PRIVATE).bearer(&tokens.1.access)).status, 403);
    // Only an nginx before ERPNext may ask for the name of the file in place of its content.
    let asks = Request::get(PRIVATE).bearer(&tokens.0.access).header("X-Use-X-Accel-Redirect", "True");
    let answer = gateway.send(&asks);
    assert_eq!((answer.text().as_str(), answer.header("x-accel-redirect")), ("hello private", None));
}

/// gunicorn answers HTTP/1.0 without chunks, and closes.
#[test]
fn a_client_of_http_1_0_gets_whole_answers() {
    let gateway = TestGateway::start();
    let sid = gateway.standin.login(ALICE);
    for (target, body) in [
        ("/api/method/ping", "{\"message\":\"pong\"}"),
        (PRIVATE, "hello private"),
        ("/api/method/stream?chunks=2&ms=1", "piece 1\npiece 2\n"),
    ] {
        let answer = gateway.raw(format!("GET {target} HTTP/1.0\r\nHost: x\r\nCookie: sid={sid}\r\n\r\n").as_bytes());
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, rest) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.") && head.contains(" 200 "), "{head}");
        assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
        assert_eq!(rest, body, "{target}");
    }
    let answer = gateway.raw(b"GET /api/method/ping HTTP/1.0\r\n\r\n");
    assert!(answer.starts_with(b"HTTP/1."), "without a Host, as HTTP/1.0 allows: {}", String::from_utf8_lossy(&answer));
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let gateway = TestGateway::start();
    let mut connection = gateway.connect();
    for target in ["/files/logo.svg", ASSET, "/login"] {
        let get = connection.send(&Request::get(target)).expect("an answer");
        let head = connection.send(&Request::new("HEAD", target)).expect("on the same connection");
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), get.header("content-length"), "{target}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let head = connection.send(&Request::new("HEAD", PRIVATE).bearer(&tokens.access)).expect("an answer");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(connection.send(&Request::get("/api/method/ping")).expect("the next answer").status, 200);
}

#[test]
fn a_client_that_expects_100_continue_is_told_to_go_on_before_it_sends_its_body() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    for (length, authorization) in
        [(5_usize, String::new()), (200_000, format!("Authorization: Bearer {}\r\n", tokens.access))]
    {
        let mut connection = gateway.connect();
        let head = format!(
            "POST /api/method/echo HTTP/1.1\r\nHost: x\r\n{authorization}Content-Type: application/octet-stream\r\n\
             Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        );
        connection.write(head.as_bytes()).expect("it reads");
        assert_eq!(connection.head().expect("an interim answer").status, 100);
        connection.write(&vec![b'y'; length]).expect("it reads");
        let answer = connection.answer(false).expect("an answer");
        assert_eq!((answer.status, &answer.json()["message"]["body_length"]), (200, &length.into()));
    }
    // Whose token is not good is told so instead.
    let mut connection = gateway.connect();
    let head = "POST /api/method/echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer junk\r\nContent-Length: 5\r\n\
                Expect: 100-continue\r\n\r\n";
    connection.write(head.as_bytes()).expect("it reads");
    assert_eq!(connection.head().expect("an answer").status, 401);
}

/// 01, 33: ERPNext makes URLs and `Secure` cookies of what it is told; facts §12: bench's nginx in front sends these.
#[test]
fn behind_a_trusted_proxy_the_browser_counts_and_not_the_proxy() {
    let gateway = Setup::new().set("server.trusted_proxies", vec!["127.0.0.0/8"]).start();
    let login = Request::form("/api/method/login", &[("usr", ALICE), ("pwd", ALICE_PASSWORD)]);
    let by_nginx = login
        .header("X-Forwarded-For", "203.0.113.9")
        .header("X-Forwarded-Proto", "https")
        .header("X-Frappe-Site-Name", "another.site")
        .header("X-Use-X-Accel-Redirect", "True");
    let (answer, reached) = gateway.upstream_of(|| gateway.send(&by_nginx));
    assert_eq!(answer.status, 200, "{answer}");
    assert!(
        answer.headers("set-cookie").iter().all(|cookie| cookie.contains("; Secure;") || cookie.contains("Secure"))
    );
    let forwarded = &reached[0];
    assert_eq!(forwarded.client_address, "203.0.113.9");
    assert_eq!(forwarded.headers("x-forwarded-for"), ["203.0.113.9"], "exactly the peer");
    assert_eq!(forwarded.headers("x-forwarded-proto"), ["https"]);
    assert_eq!(forwarded.headers("x-frappe-site-name"), [SITE]);
    assert!(forwarded.headers("x-use-x-accel-redirect").is_empty());
    // Several proxies: the last address that is none of ours.
    let chain = Request::get("/api/method/ping").header("X-Forwarded-For", "6.6.6.6, 203.0.113.7, 127.0.0.9");
    let (_, reached) = gateway.upstream_of(|| gateway.send(&chain));
    assert_eq!(reached[0].headers("x-forwarded-for"), ["203.0.113.7"]);
    assert_eq!(reached[0].headers("x-forwarded-proto"), ["http"]);
}

/// T48: who is not trusted says nothing of himself.
#[test]
fn what_anybody_else_forwards_is_dropped() {
    let gateway = TestGateway::start();
    let request = Request::get("/api/method/ping")
        .header("X-Forwarded-For", "203.0.113.9")
        .header("X-Forwarded-Proto", "https")
        .header("X-Forwarded-Host", "evil.example");
    let (answer, reached) = gateway.upstream_of(|| gateway.send(&request));
    assert!(!answer.headers("set-cookie")[0].contains("Secure"), "{answer}");
    assert_eq!(reached[0].client_address, "127.0.0.1");
    assert_eq!(reached[0].headers("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(reached[0].headers("x-forwarded-proto"), ["http"]);
    assert!(reached[0].headers("x-forwarded-host").is_empty());
}

#[test]
fn host_and_site_are_those_of_the_configuration_where_it_names_them() {
    let gateway = Setup::new().set("erpnext.host_header", "erp.internal").start();
    let (_, reached) = gateway.upstream_of(|| gateway.get("/api/method/ping"));
    assert_eq!(reached[0].headers("host"), ["erp.internal"]);
    assert_eq!(reached[0].headers("x-frappe-site-name"), [SITE]);
}
