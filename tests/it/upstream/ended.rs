//! T76: what a bearer token has opened ends with it, within five seconds of when the gateway knows.

use std::{io, time::Duration};

use tokio::time::Instant;

use crate::{
    standin::{ALICE, BOB, Bearer, ORDINARY_CLIENT, ORDINARY_CLIENT_SECRET, Realtime, SITE},
    support::{Client, Connection, SHOP, Setup, TestGateway, WebSocket, until},
};

/// What is promised, and far more that a machine with other work may add. `proxy/lease.rs` itself holds to the five
/// seconds.
pub(super) const PROMISED: Duration = Duration::from_secs(30);
const ECHO: &str = "/ws-echo";

fn open(gateway: &TestGateway, token: &str) -> WebSocket {
    let bearer = format!("Bearer {token}");
    WebSocket::open(gateway, ECHO, &[("Authorization", &bearer)]).expect("an upgrade")
}

fn echoes(socket: &mut WebSocket) {
    socket.say("hello");
    assert_eq!(socket.hear().expect("an echo"), "hello");
}

/// Waits for the end of an idle connection.
fn ends(socket: &mut WebSocket) -> Duration {
    let begun = Instant::now();
    let error = socket.hear().expect_err("nothing is said");
    assert!(!matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "it did not end: {error}");
    begun.elapsed()
}

#[test]
fn an_idle_websocket_ends_when_its_token_is_revoked_and_others_do_not() {
    let gateway = TestGateway::start();
    let (revoked, other) = (gateway.tokens(ALICE, SHOP, &[]), gateway.tokens(ALICE, SHOP, &[]));
    let (mut ended, mut kept) = (open(&gateway, &revoked.access), open(&gateway, &other.access));
    let cookie = format!("sid={}", gateway.standin.login(ALICE));
    let mut browser = WebSocket::open(&gateway, ECHO, &[("Cookie", &cookie)]).expect("an upgrade");
    for socket in [&mut ended, &mut kept, &mut browser] {
        echoes(socket);
    }
    assert_eq!(gateway.revoke(SHOP, &revoked.access).status, 200);
    let took = ends(&mut ended);
    assert!(took < PROMISED, "{took:?}");
    echoes(&mut kept);
    echoes(&mut browser);
    assert!(gateway.metric("empress_access_ended_total") > 0.0);
    until("it is in the log", || gateway.log().contains("token_ended").then_some(()));
}

#[test]
fn a_busy_websocket_ends_too() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let mut socket = open(&gateway, &tokens.access);
    echoes(&mut socket);
    assert_eq!(gateway.revoke(SHOP, &tokens.access).status, 200);
    let begun = Instant::now();
    let mut frame = vec![0x81, 0x85, 0, 0, 0, 0];
    frame.extend(b"hello");
    while socket.write(&frame).is_ok() && socket.hear().is_ok() {
        assert!(begun.elapsed() < PROMISED, "it goes on");
    }
}

#[test]
fn a_websocket_ends_when_its_token_expires() {
    let gateway = Setup::new().set("tokens.access_ttl", "10s").start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let mut socket = open(&gateway, &tokens.access);
    echoes(&mut socket);
    let took = ends(&mut socket);
    assert!(took < Duration::from_secs(10) + PROMISED, "{took:?}");
}

#[test]
fn a_websocket_ends_when_its_user_is_disabled_or_gone() {
    let gateway = Setup::new().set("erpnext.user_ttl", "1s").start();
    let (alice, bob) = (gateway.tokens(ALICE, SHOP, &[]), gateway.tokens(BOB, SHOP, &[]));
    let (mut of_alice, mut of_bob) = (open(&gateway, &alice.access), open(&gateway, &bob.access));
    echoes(&mut of_alice);
    gateway.standin.set_enabled(ALICE, false);
    // What the gateway knows of users is at most `user_ttl` old.
    let took = ends(&mut of_alice);
    assert!(took < Duration::from_secs(1) + PROMISED, "{took:?}");
    echoes(&mut of_bob);
    gateway.standin.delete_user(BOB);
    ends(&mut of_bob);
}

const DEMO: Client = Client::erpnext(ORDINARY_CLIENT, ORDINARY_CLIENT_SECRET, "http://localhost:3000/cb");

#[test]
fn a_websocket_ends_when_its_client_is_deleted_in_erpnext() {
    let gateway = Setup::new().in_step().start();
    let (of_demo, of_shop) = (gateway.tokens(ALICE, DEMO, &[]), gateway.tokens(ALICE, SHOP, &[]));
    let (mut ended, mut kept) = (open(&gateway, &of_demo.access), open(&gateway, &of_shop.access));
    echoes(&mut ended);
    gateway.standin.delete_client(ORDINARY_CLIENT);
    until("the gateway knows", || (gateway.whoami(&of_demo.access).status == 401).then_some(()));
    let took = ends(&mut ended);
    assert!(took < PROMISED, "{took:?}");
    echoes(&mut kept);
}

#[test]
fn a_websocket_ends_when_its_user_loses_the_role_that_the_client_asks_for() {
    let gateway = Setup::new().in_step().start_on(|standin| {
        let mut client = standin.client(ORDINARY_CLIENT).expect("it");
        client.allowed_roles = vec!["System Manager".to_owned()];
        standin.add_client(client);
    });
    let tokens = gateway.tokens(ALICE, DEMO, &[]);
    let mut socket = open(&gateway, &tokens.access);
    echoes(&mut socket);
    gateway.standin.set_roles(ALICE, &[]);
    until("the gateway knows", || (gateway.whoami(&tokens.access).status == 401).then_some(()));
    let took = ends(&mut socket);
    assert!(took < PROMISED, "{took:?}");
}

/// A token that ERPNext issued, on ERPNext's own realtime server, and revoked in Desk.
#[test]
fn a_token_of_erpnexts_own_joins_as_its_user_and_ends_with_its_row() {
    const NATIVE: &str = "mkOkEgw4kHitB9RXtR7Kjyy6Auiwxq";
    let realtime = Realtime::start();
    let gateway = Setup::new()
        .in_step()
        .set("erpnext.socketio_url", realtime.url())
        .start_on(|standin| standin.add_bearer(Bearer::new(NATIVE, ORDINARY_CLIENT, ALICE)));
    let bearer = format!("Bearer {NATIVE}");
    let target = "/socket.io/?EIO=4&transport=websocket";
    let mut socket = WebSocket::open(&gateway, target, &[("Authorization", &bearer)]).expect("an upgrade");
    assert!(socket.join(SITE).starts_with("40"));
    assert_eq!(realtime.joined(), [ALICE]);
    gateway.standin.set_bearer_status(NATIVE, "Revoked");
    until("the gateway knows", || (gateway.whoami(NATIVE).status == 401).then_some(()));
    let took = ends(&mut socket);
    assert!(took < PROMISED, "{took:?}");
}

#[test]
fn on_the_realtime_server_it_leaves_the_rooms_of_its_user() {
    let realtime = Realtime::start();
    let gateway = Setup::new().set("erpnext.socketio_url", realtime.url()).start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let bearer = format!("Bearer {}", tokens.access);
    let target = "/socket.io/?EIO=4&transport=websocket";
    let mut socket = WebSocket::open(&gateway, target, &[("Authorization", &bearer)]).expect("an upgrade");
    assert!(socket.join(SITE).starts_with("40"));
    assert_eq!(realtime.joined(), [ALICE]);
    assert_eq!(gateway.revoke(SHOP, &tokens.access).status, 200);
    assert!(ends(&mut socket) < PROMISED);
    until("the realtime server has noticed", || realtime.joined().is_empty().then_some(()));
}

fn stream(gateway: &TestGateway, token: &str) -> Connection {
    let mut connection = gateway.connect();
    let head = format!(
        "GET /api/method/stream?chunks=1000&ms=100 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    connection.write(head.as_bytes()).expect("it reads");
    assert_eq!(connection.head().expect("a head").status, 200);
    assert!(connection.chunk().expect("a piece").is_some());
    connection
}

#[test]
fn an_answer_without_an_end_breaks_off_when_its_token_is_revoked() {
    let gateway = TestGateway::start();
    let (revoked, other) = (gateway.tokens(ALICE, SHOP, &[]), gateway.tokens(ALICE, SHOP, &[]));
    let (mut ended, mut kept) = (stream(&gateway, &revoked.access), stream(&gateway, &other.access));
    assert_eq!(gateway.revoke(SHOP, &revoked.access).status, 200);
    let begun = Instant::now();
    while let Ok(piece) = ended.chunk() {
        assert!(piece.is_some(), "it must not seem whole");
        assert!(begun.elapsed() < PROMISED, "it goes on");
    }
    assert!(kept.chunk().expect("a piece").is_some());
}
