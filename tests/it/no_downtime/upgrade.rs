//! SIGUSR2, and sockets that somebody else has opened.

use std::{
    fs,
    net::TcpListener,
    os::fd::OwnedFd,
    process::{Command, Stdio},
    thread,
};

use command_fds::{CommandFdExt, FdMapping};

use super::load::{progress, under_load};
use crate::{
    standin::ALICE,
    support::{Connection, SHOP, Setup, TestGateway, until},
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
