//! What passes through.

use sha2::{Digest, Sha256};

use crate::{
    standin::{ALICE, BOB},
    support::{Browser, Connection, Request, SHOP, Setup, TestGateway},
};

const WHO: &str = "/api/method/frappe.auth.get_logged_user";

#[test]
fn api_keys_and_cookie_sessions_pass_untouched() {
    let gateway = TestGateway::start();
    gateway.standin.set_api_key(ALICE, "alice-key", "alice-secret");
    for authorization in ["token alice-key:alice-secret", "Basic YWxpY2Uta2V5OmFsaWNlLXNlY3JldA=="] {
        let request = Request::get(WHO).header("Authorization", authorization).header("Cookie", "a=b");
        let (answer, reached) = gateway.upstream_of(|| gateway.send(&request));
        assert_eq!(answer.json()["message"], ALICE);
        assert_eq!(reached[0].headers("authorization"), [authorization]);
        assert_eq!(reached[0].header("cookie").as_deref(), Some("a=b"));
        assert!(!answer.headers("set-cookie").is_empty(), "{answer}");
    }
    let mut browser = Browser::of(&gateway, BOB);
    let sid = browser.sid().to_owned();
    let (answer, reached) = gateway.upstream_of(|| browser.get(WHO));
    assert_eq!(answer.json()["message"], BOB);
    assert_eq!(reached[0].cookie("sid"), Some(sid));
    assert!(reached[0].header("authorization").is_none());
    // What only the browser's scripts need goes no further.
    assert_eq!(reached[0].cookie("user_id"), None);
    assert_eq!(browser.get("/app").status, 200);
    assert_eq!(browser.get("/files/logo.svg").status, 200);
}

#[test]
fn a_write_with_a_token_needs_no_csrf_token_and_goes_as_the_user() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(BOB, SHOP, &[]);
    let (sid, _) = gateway.standin.login_with_csrf_token(ALICE);
    let request = Request::new("POST", "/api/resource/ToDo").bearer(&tokens.access);
    let request = request.header("Cookie", &format!("sid={sid}")).body("application/json", br#"{"description":"x"}"#);
    let (answer, reached) = gateway.upstream_of(|| gateway.send(&request));
    assert_eq!(answer.status, 200, "{answer}");
    let forwarded = reached.iter().find(|record| record.target == "/api/resource/ToDo").expect("it");
    assert_eq!((forwarded.user(), forwarded.body.as_slice()), (BOB, &br#"{"description":"x"}"#[..]));
}

#[test]
fn the_upstream_hears_who_the_peer_is_and_which_site_is_meant() {
    let gateway = TestGateway::start();
    let (_, reached) = gateway.upstream_of(|| gateway.get("/api/method/ping"));
    let forwarded = &reached[0];
    assert_eq!(forwarded.headers("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(forwarded.headers("x-forwarded-proto"), ["http"]);
    assert_eq!(forwarded.headers("x-frappe-site-name"), [crate::standin::SITE]);
    assert_eq!(forwarded.headers("host"), [&gateway.url()[7..]]);
}

#[test]
fn a_large_upload_and_a_large_answer_stream() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let content: Vec<u8> = b"0123456789abcdef".repeat(500_000);
    let request = Request::new("POST", "/api/method/echo").bearer(&tokens.access);
    let answer = gateway.send(&request.body("application/octet-stream", &content));
    let echoed = answer.json()["message"].clone();
    let digest = Sha256::digest(&content).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    assert_eq!((&echoed["body_length"], &echoed["body_sha256"]), (&8_000_000.into(), &digest.into()));
    let answer = gateway.send(&Request::get("/api/method/large?bytes=20000000").bearer(&tokens.access));
    assert_eq!((answer.status, answer.body.len()), (200, 20_000_000));
}

#[test]
fn a_streamed_answer_arrives_piece_by_piece() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let mut connection = gateway.connect();
    let head = format!(
        "GET /api/method/stream?chunks=1000&ms=100 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        tokens.access
    );
    connection.write(head.as_bytes()).expect("it reads");
    assert_eq!(connection.head().expect("a head").status, 200);
    // The whole takes longer than this connection waits.
    let first = connection.chunk().expect("a piece").expect("a piece");
    assert!(first.starts_with(b"piece 1\n"), "{first:?}");
}

fn upgrade(gateway: &TestGateway, path: &str, fields: &str) -> (crate::support::Answer, Connection) {
    let mut connection = gateway.connect();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    );
    connection.write(request.as_bytes()).expect("it reads");
    let answer = connection.answer(false).expect("an answer");
    (answer, connection)
}

#[test]
fn a_websocket_passes_both_ways() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let bearer = format!("Authorization: Bearer {}\r\n", tokens.access);
    for (path, fields) in [("/ws-echo", bearer.as_str()), ("/socket.io/?EIO=4&transport=websocket", "")] {
        let (answer, mut connection) = upgrade(&gateway, path, fields);
        assert_eq!(answer.status, 101, "{path}: {answer}");
        assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        for _ in 0..3 {
            connection.write(&[0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2]).expect("it reads");
            assert_eq!(connection.exactly(4).expect("a frame"), [0x81, 2, b'h', b'i']);
        }
        // In a body this would wait, for it may become a reserved method.
        connection.write(&[0x81, 0x84, 0, 0, 0, 0, b'c', b'=', b'f', b'r']).expect("it reads");
        assert_eq!(connection.exactly(6).expect("a frame"), [0x81, 4, b'c', b'=', b'f', b'r']);
        connection.write(&[0x88, 0x80, 0, 0, 0, 0]).expect("it reads");
        assert_eq!(connection.exactly(2).expect("a frame"), [0x88, 0]);
    }
    let (answer, _) = upgrade(&gateway, "/ws-echo", "Authorization: Bearer emp_at_junk\r\n");
    assert_eq!(answer.status, 401, "{answer}");
}

#[test]
fn on_socket_io_the_token_is_checked_and_goes_as_it_came() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let request = Request::get("/socket.io/?EIO=4&transport=polling").bearer(&tokens.access);
    let (_, reached) = gateway.upstream_of(|| gateway.send(&request));
    let forwarded = reached.iter().find(|record| record.target.starts_with("/socket.io")).expect("it");
    assert_eq!(forwarded.headers("authorization"), [format!("Bearer {}", tokens.access)]);
    // Any cookie, but no session, which would count instead of the token.
    assert_eq!(forwarded.header("cookie").as_deref(), Some("by=token"));
    let junk = Request::get("/socket.io/?EIO=4&transport=polling").bearer("junk");
    assert_eq!(gateway.without_upstream("junk", || gateway.send(&junk)).status, 401);
}

#[test]
fn a_route_may_demand_a_token_and_scopes() {
    let gateway = Setup::new()
        .route(
            "path = '/api/resource/{doctype}/{name}'\nmethods = ['GET']\nauth = 'bearer'\nscopes = ['read:{doctype}']",
        )
        .route("path = '/api/resource/{doctype}'\nauth = 'bearer'\nscopes = ['read:{doctype}']\nstrict = true")
        .route("path = '/api/method/status'\nauth = 'deny'")
        .start();
    let guest = Request::get("/api/resource/Customer/Acme");
    let answer = gateway.without_upstream("no token", || gateway.send(&guest));
    assert_eq!((answer.status, answer.json()["exc_type"].as_str()), (401, Some("AuthenticationError")));
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("Bearer realm=") && !challenge.contains("error="), "{challenge}");

    let scoped = gateway.tokens(ALICE, crate::support::SCOPED, &[("scope", "openid read:Customer")]);
    let all = gateway.tokens(ALICE, SHOP, &[]);
    let call = |path: &str, token: &str| gateway.send(&Request::get(path).bearer(token));
    assert_eq!(call("/api/resource/Customer/Acme", &scoped.access).status, 200);
    assert_eq!(call("/api/resource/Customer/Acme", &all.access).status, 200, "all stands for it");
    assert_eq!(call("/api/resource/Customer", &all.access).status, 403, "but not where the rule is strict");
    let answer = gateway.without_upstream("another doctype", || call("/api/resource/ToDo/todo-1", &scoped.access));
    assert_eq!((answer.status, answer.error().as_str()), (403, "insufficient_scope"));
    assert!(answer.header("www-authenticate").is_some_and(|value| value.contains("scope=\"read:ToDo\"")), "{answer}");
    let answer = gateway.without_upstream("denied", || call("/api/method/status", &all.access));
    assert_eq!(answer.status, 403, "{answer}");
}

#[test]
fn a_logout_that_passes_is_felt_at_the_authorization_endpoint() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let sid = browser.sid().to_owned();
    assert_eq!(browser.get(&crate::support::authorize_url(SHOP, &[])).status, 200);
    browser.get("/api/method/logout");
    browser.cookies.insert("sid".to_owned(), sid);
    let answer = browser.get(&crate::support::authorize_url(SHOP, &[]));
    assert_eq!(answer.status, 302, "{answer}");
    assert!(answer.location().contains("/login?redirect-to="), "{answer}");
}
