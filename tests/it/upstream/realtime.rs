//! `/socket.io` on a realtime server of its own, which asks through the gateway who a client is (facts §12; the answers
//! are those of Frappe 15's own realtime server).

use super::ended::PROMISED;
use crate::{
    standin::{ALICE, BOB, Realtime, SITE},
    support::{Answer, Browser, Request, SHOP, Setup, TestGateway, WebSocket, until},
};

const SOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
const POLL: &str = "/socket.io/?EIO=4&transport=polling";

fn gateway(realtime: &Realtime) -> TestGateway {
    Setup::new().set("erpnext.socketio_url", realtime.url()).start()
}

fn joined(said: &str) {
    assert!(said.starts_with(&format!("40/{SITE},{{\"sid\":")), "{said}");
}

#[test]
fn a_browser_joins_by_websocket_and_is_known_by_its_login_session() {
    let realtime = Realtime::start();
    let gateway = gateway(&realtime);
    let browser = Browser::of(&gateway, ALICE);
    let cookie = format!("sid={}; user_id=x", browser.sid());
    let origin = gateway.url();
    let fields = [("Cookie", cookie.as_str()), ("Origin", origin.as_str())];
    let mut socket = WebSocket::open(&gateway, SOCKET, &fields).expect("an upgrade");
    joined(&socket.join(SITE));
    assert_eq!(realtime.joined(), [ALICE]);
    // The realtime server has asked by the session, through the public URL (decision 8).
    let asked = format!("/api/method/frappe.realtime.get_user_info?sid={}", browser.sid());
    assert_eq!(gateway.standin.count(|record| record.target == asked), 1);
    realtime.emit("list_update", "{\"doctype\":\"ToDo\"}");
    assert_eq!(socket.hear().expect("an event"), format!("42/{SITE},[\"list_update\",{{\"doctype\":\"ToDo\"}}]"));
    socket.say(&format!("42/{SITE},[\"ping\"]"));
    assert_eq!(socket.hear().expect("an answer"), format!("42/{SITE},[\"pong\"]"));
    let handshake = realtime.asked().pop().expect("the handshake");
    assert_eq!(handshake.headers("host"), [&origin[7..]]);
    assert_eq!(handshake.headers("origin"), [origin.as_str()]);
    assert_eq!(handshake.headers("x-frappe-site-name"), [SITE]);
    assert_eq!(handshake.headers("cookie"), [format!("sid={}", browser.sid())]);
    assert_eq!(handshake.headers("x-forwarded-for"), ["127.0.0.1"]);
    drop(socket);
    until("the realtime server has noticed", || realtime.joined().is_empty().then_some(()));
}

/// Decision 11, as Frappe 15 has it: a `sid` of any kind beside the token would count instead of it.
#[test]
fn a_client_with_a_token_joins_as_its_user_without_cookie_or_origin() {
    let realtime = Realtime::start();
    let gateway = gateway(&realtime);
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let bearer = format!("Bearer {}", tokens.access);
    let other_session = format!("sid={}", gateway.standin.login(BOB));
    for cookie in [None, Some("sid=Guest"), Some(other_session.as_str())] {
        let mut fields = vec![("Authorization", bearer.as_str())];
        fields.extend(cookie.map(|cookie| ("Cookie", cookie)));
        let mut socket = WebSocket::open(&gateway, SOCKET, &fields).expect("an upgrade");
        joined(&socket.join(SITE));
        assert_eq!(realtime.joined(), [ALICE], "{cookie:?}");
        let handshake = realtime.asked().pop().expect("the handshake");
        assert_eq!(handshake.headers("authorization"), [bearer.as_str()]);
        assert_eq!(handshake.headers("cookie"), ["by=token"]);
        drop(socket);
        until("it has left", || realtime.joined().is_empty().then_some(()));
    }
    // ERPNext itself never sees the token.
    assert_eq!(gateway.standin.count(|record| record.text().contains(&tokens.access)), 0);
}

#[test]
fn a_token_that_is_not_good_reaches_no_realtime_server() {
    let realtime = Realtime::start();
    let gateway = gateway(&realtime);
    let junk = [("Authorization", "Bearer emp_at_junk")];
    let Err(answer) = WebSocket::open(&gateway, SOCKET, &junk) else { panic!("it was let in") };
    assert_eq!(answer.status, 401, "{answer}");
    let answer = gateway.send(&Request::get(POLL).bearer("junk"));
    assert_eq!(answer.status, 401, "{answer}");
    assert!(realtime.asked().is_empty());
}

#[test]
fn a_page_of_another_site_is_refused_and_no_host_but_the_public_one_is_ever_asked() {
    let realtime = Realtime::start();
    let gateway = gateway(&realtime);
    let cookie = format!("sid={}", gateway.standin.login(ALICE));
    let evil = [("Cookie", cookie.as_str()), ("Origin", "https://evil.example")];
    let mut socket = WebSocket::open(&gateway, SOCKET, &evil).expect("an upgrade");
    assert_eq!(socket.join(SITE), format!("44/{SITE},{{\"message\":\"Invalid origin\"}}"));
    // `Host` and `Origin` of the peer's choice: bench's nginx has server names against that.
    let made_up = [("Cookie", cookie.as_str()), ("Host", "evil.example"), ("Origin", "http://evil.example")];
    let mut socket = WebSocket::open(&gateway, SOCKET, &made_up).expect("an upgrade");
    joined(&socket.join(SITE));
    let handshake = realtime.asked().pop().expect("the handshake");
    assert_eq!(handshake.headers("origin"), [gateway.url()]);
    assert_eq!(handshake.headers("host"), [&gateway.url()[7..]]);
}

fn poll(gateway: &TestGateway, session: &str, bearer: &str, packet: Option<&str>) -> Answer {
    let target = format!("{POLL}&sid={session}");
    let request = match packet {
        Some(packet) => Request::new("POST", &target).body("text/plain;charset=UTF-8", packet.as_bytes()),
        None => Request::get(&target),
    };
    gateway.send(&request.bearer(bearer))
}

/// A session of Engine.IO that has joined.
fn polled(gateway: &TestGateway, bearer: &str) -> String {
    let open = gateway.send(&Request::get(POLL).bearer(bearer));
    assert_eq!(open.status, 200, "{open}");
    let open: serde_json::Value = serde_json::from_slice(&open.body[1..]).expect("JSON");
    let session = open["sid"].as_str().expect("a session").to_owned();
    assert_eq!(poll(gateway, &session, bearer, Some(&format!("40/{SITE},"))).text(), "ok");
    joined(&poll(gateway, &session, bearer, None).text());
    session
}

#[test]
fn a_client_that_polls_joins_and_waits_for_events() {
    let realtime = Realtime::start();
    let gateway = Setup::new()
        .set("erpnext.socketio_url", realtime.url())
        // Long enough for ERPNext here; a poll is held for longer.
        .set("erpnext.response_timeout", "5s")
        .start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let session = polled(&gateway, &tokens.access);
    assert_eq!(realtime.joined(), [ALICE]);
    let target =
        format!("GET {POLL}&sid={session} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", tokens.access);
    let (mut waiting, polls) = (gateway.connect(), realtime.asked().len());
    waiting.write(target.as_bytes()).expect("it reads");
    until("the poll waits", || (realtime.asked().len() > polls).then_some(()));
    crate::support::pause(std::time::Duration::from_secs(6));
    realtime.emit("late", "1");
    let answer = waiting.answer(false).expect("an event");
    assert_eq!((answer.status, answer.text()), (200, format!("42/{SITE},[\"late\",1]")));
    assert_eq!(answer.header("vary"), Some("Origin"));
}

#[test]
fn a_poll_ends_with_its_token_and_the_next_one_is_refused() {
    let realtime = Realtime::start();
    let gateway = gateway(&realtime);
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let session = polled(&gateway, &tokens.access);
    let target = format!("{POLL}&sid={session}");
    let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n", tokens.access);
    let (mut waiting, polls) = (gateway.connect(), realtime.asked().len());
    waiting.write(head.as_bytes()).expect("it reads");
    until("the poll waits", || (realtime.asked().len() > polls).then_some(()));
    assert_eq!(gateway.revoke(SHOP, &tokens.access).status, 200);
    let begun = tokio::time::Instant::now();
    assert_eq!(waiting.rest().expect("its end"), b"");
    assert!(begun.elapsed() < PROMISED);
    assert_eq!(poll(&gateway, &session, &tokens.access, None).status, 401);
}
