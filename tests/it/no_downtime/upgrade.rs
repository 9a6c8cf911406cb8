//! SIGUSR2, and sockets that somebody else has opened.

use std::{
    fs,
    net::TcpListener,
    os::fd::OwnedFd,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use command_fds::{CommandFdExt, FdMapping};
use tokio::time::Instant;

use super::load::{progress, under_load};
use crate::{
    standin::{ALICE, BOB},
    support::{AGENT, AGENT_SCOPE, Connection, SHOP, Setup, TestGateway, WebSocket, until},
};

const PING: &str = "/api/method/ping";

#[test]
fn no_request_fails_and_no_token_is_lost_while_process_after_process_takes_over() {
    let mut gateway = TestGateway::start();
    let mut controls = gateway.controls();
    let mut successor = 0;
    under_load(&gateway, |seen| {
        for _ in 0..3 {
            successor = controls.upgrade();
            progress(seen);
        }
    });
    gateway.taken_over_by(successor);
    assert_eq!(gateway.admin("/readyz").status, 200);
    // What the new process ends is ended, and a signal to it is heard.
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(gateway.revoke(SHOP, &tokens.access).status, 200);
    gateway.refuses("revoked", &tokens.access);
    gateway.reload(Setup::new().set("limits.token_failures", "7/m"));
}

#[test]
fn what_is_under_way_is_finished_by_the_process_that_began_it() {
    let mut gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let mut slow = gateway.connect();
    let head = format!("Host: x\r\nAuthorization: Bearer {}\r\n\r\n", tokens.access);
    slow.write(format!("GET /api/method/stream?chunks=20&ms=100 HTTP/1.1\r\n{head}").as_bytes()).expect("it reads");
    assert_eq!(slow.head().expect("a head").status, 200);
    let mut controls = gateway.controls();
    let over = thread::spawn(move || controls.upgrade());
    let mut text = String::new();
    while let Some(piece) = slow.chunk().expect("it goes on") {
        text.push_str(&String::from_utf8_lossy(&piece));
    }
    assert!(text.ends_with("piece 20\n"), "{text}");
    gateway.taken_over_by(over.join().expect("it takes over"));
    gateway.acts_as(&tokens.access, ALICE);
}

/// T76: who leaves hears of it as who stays does.
#[test]
fn what_was_opened_before_ends_when_the_other_process_revokes_it() {
    const LONG: &str = "5m";
    let setup = Setup::new().set("cache.ttl", LONG).set("server.shutdown_grace", LONG);
    let mut gateway = setup.set("erpnext.user_ttl", "1s").agent("").start();
    let open = |token: &str| {
        let bearer = format!("Bearer {token}");
        let mut socket = WebSocket::open(&gateway, "/ws-echo", &[("Authorization", &bearer)]).expect("an upgrade");
        socket.say("hello");
        assert_eq!(socket.hear().expect("an echo"), "hello");
        socket
    };
    let (revoked, kept) = (gateway.tokens(ALICE, SHOP, &[]).access, gateway.tokens(ALICE, SHOP, &[]).access);
    let (of_agent, of_bob) =
        (gateway.ticked(ALICE, AGENT, AGENT_SCOPE, &[]).access, gateway.tokens(BOB, SHOP, &[]).access);
    let (mut of_revoked, mut of_kept) = (open(&revoked), open(&kept));
    let (mut of_stopped, mut of_disabled) = (open(&of_agent), open(&of_bob));
    let before = gateway.log().len();
    gateway.taken_over_by(gateway.controls().hand_over());

    assert_eq!(gateway.revoke(SHOP, &revoked).status, 200);
    ends("revoked", &mut of_revoked);
    let mut stop = Command::new(env!("CARGO_BIN_EXE_empress-gateway"));
    let stop = stop.args(["agents", "stop", "--config"]).arg(gateway.folder().join("gateway.toml"));
    assert!(stop.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it starts").success());
    ends("agents are stopped", &mut of_stopped);
    gateway.standin.set_enabled(BOB, false);
    ends("the user is disabled", &mut of_disabled);
    of_kept.say("still here");
    assert_eq!(of_kept.hear().expect("an echo"), "still here");
    assert!(!gateway.log()[before..].contains("\"stopped\""), "the process that is left serves that one still");
    drop(of_kept);
    until("it leaves", || gateway.log()[before..].contains("\"stopped\"").then_some(()));
}

/// Waits for the end of an idle connection.
fn ends(why: &str, socket: &mut WebSocket) {
    let begun = Instant::now();
    let error = socket.hear().expect_err("nothing is said");
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(30), "{why}: {error} after {took:?}");
}

#[test]
fn a_process_that_can_not_start_changes_nothing_and_the_next_one_may_try() {
    let mut gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let file = gateway.folder().join("gateway.toml");
    let good = fs::read_to_string(&file).expect("the configuration");
    fs::write(&file, "[broken").expect("a file");
    let mut controls = gateway.controls();
    controls.signal("-USR2");
    until("it has given up", || gateway.log().contains("the other process has not taken over").then_some(()));
    gateway.acts_as(&tokens.access, ALICE);
    fs::write(&file, good).expect("a file");
    gateway.taken_over_by(controls.upgrade());
    gateway.acts_as(&tokens.access, ALICE);
}

/// As systemd does it for a `.socket` unit.
#[test]
fn sockets_that_are_open_already_are_taken_over() {
    let gateway = Setup::new().unstarted();
    let listeners =
        [gateway.port(), gateway.admin_port()].map(|port| TcpListener::bind(("127.0.0.1", port)).expect("free"));
    // Who connects before there is anybody waits.
    let mut early = Connection::open(gateway.port()).expect("it listens");
    early.write(format!("GET {PING} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).expect("it is taken");
    let mappings =
        (3..).zip(listeners).map(|(child_fd, listener)| FdMapping { parent_fd: OwnedFd::from(listener), child_fd });
    let mut command = Command::new(env!("CARGO_BIN_EXE_empress-gateway"));
    let command = command.args(["serve", "--config"]).arg(gateway.write_configuration()).env("LISTEN_FDS", "2");
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.fd_mappings(mappings.collect()).expect("two descriptors").spawn().expect("it starts");
    let answer = early.answer(false);
    let admin = until("it is ready", || Some(gateway.admin("/readyz")).filter(|answer| answer.status == 200));
    child.kill().expect("it is our child");
    child.wait().expect("it is our child");
    assert_eq!((answer.expect("an answer").status, admin.status), (200, 200));
}
