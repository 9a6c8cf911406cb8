//! Several servers of one site.

use std::{fs, process::Command};

use crate::{
    standin::{ALICE, Failure, StandIn},
    support::{Answer, Browser, Request, SHOP, Setup, TestGateway, until},
};

const PING: &str = "/api/method/ping";
const WRITE: &str = "/api/resource/ToDo";

/// A gateway before two servers of one site.
fn two() -> (TestGateway, StandIn) {
    let standin = StandIn::start();
    let other = standin.twin();
    let gateway = TestGateway::before(standin, Setup::new().beside(other.url()));
    (gateway, other)
}

fn arrived(standin: &StandIn, target: &str) -> usize {
    standin.count(|record| record.target == target && !is_check(record))
}

fn is_check(record: &crate::standin::Recorded) -> bool {
    record.header("user-agent").is_some_and(|agent| agent.contains("health check"))
}

fn is_up(gateway: &TestGateway, url: &str) -> bool {
    gateway.metric(&format!("empress_upstream_up{{upstream=\"{url}\"}}")) > 0.0
}

fn write(gateway: &TestGateway, sid: &str) -> Answer {
    let request = Request::new("POST", WRITE).header("Cookie", &format!("sid={sid}"));
    gateway.send(&request.body("application/json", br#"{"description":"x"}"#))
}

#[test]
fn requests_are_shared_and_connections_kept() {
    let (gateway, other) = two();
    let before = (gateway.standin.connections(), other.connections());
    let mut connection = gateway.connect();
    for _ in 0..20 {
        assert_eq!(connection.send(&Request::get("/api/method/frappe.ping")).expect("an answer").status, 200);
    }
    for (standin, before) in [(&gateway.standin, before.0), (&other, before.1)] {
        assert_eq!(arrived(standin, "/api/method/frappe.ping"), 10);
        // One for the requests; the checks make their own.
        let checks = standin.count(is_check) as u64;
        assert!(standin.connections() - before <= 3 + checks, "{} connections", standin.connections() - before);
        let sent = gateway.metric(&format!("empress_upstream_requests_total{{upstream=\"{}\"}}", standin.url()));
        assert!(sent >= 10.0, "{sent}");
        assert!(is_up(&gateway, &standin.url()));
    }
}

#[test]
fn a_server_that_is_away_costs_no_request_and_comes_back_by_itself() {
    let (gateway, other) = two();
    let sid = gateway.standin.login(ALICE);
    other.fail(Failure::Refuse);
    // Nothing was sent where the connection failed, so a write goes to the other server, too.
    for _ in 0..6 {
        assert_eq!(write(&gateway, &sid).status, 200);
        assert_eq!(gateway.get(PING).status, 200);
    }
    assert_eq!(arrived(&gateway.standin, WRITE), 6);
    until("it is out", || (!is_up(&gateway, &other.url())).then_some(()));
    let failed = gateway.metric(&format!("empress_upstream_connect_failures_total{{upstream=\"{}\"}}", other.url()));
    assert!((1.0..=4.0).contains(&failed), "it is left alone: {failed} connections were tried");
    other.heal();
    until("it takes requests again", || {
        assert_eq!(gateway.get("/api/method/frappe.ping").status, 200);
        (arrived(&other, "/api/method/frappe.ping") > 0).then_some(())
    });
    assert!(is_up(&gateway, &other.url()));
    assert!(gateway.log().contains("the upstream is out") && gateway.log().contains("takes requests again"));
}

#[test]
fn with_all_servers_away_requests_get_502_and_the_first_that_comes_back_is_found() {
    let (gateway, other) = two();
    gateway.standin.fail(Failure::Refuse);
    other.fail(Failure::Refuse);
    for _ in 0..3 {
        assert_eq!(gateway.get(PING).status, 502);
    }
    other.heal();
    // Both count as away: they are tried all the same.
    assert_eq!(gateway.get(PING).status, 200);
}

#[test]
fn a_server_that_answers_its_checks_with_errors_gets_no_requests() {
    let (gateway, other) = two();
    other.fail_on(PING, Failure::Status(503));
    until("it is out", || (!is_up(&gateway, &other.url())).then_some(()));
    other.forget_requests();
    for _ in 0..6 {
        assert_eq!(gateway.get("/api/method/frappe.ping").status, 200);
    }
    assert_eq!(arrived(&other, "/api/method/frappe.ping"), 0);
    other.heal();
    until("it is well", || is_up(&gateway, &other.url()).then_some(()));
}

#[test]
fn what_may_happen_twice_is_sent_to_another_server_when_one_breaks_off_and_a_write_is_not() {
    let (gateway, other) = two();
    let sid = gateway.standin.login(ALICE);
    for target in ["/api/method/frappe.ping", WRITE] {
        other.fail_on(target, Failure::CloseAtOnce);
    }
    for _ in 0..4 {
        assert_eq!(gateway.get("/api/method/frappe.ping").status, 200);
    }
    assert_eq!(arrived(&gateway.standin, "/api/method/frappe.ping"), 4);
    assert!(arrived(&other, "/api/method/frappe.ping") >= 1, "it was asked, and broke off");
    let (mut statuses, mut tries) = (Vec::new(), 0);
    while tries < 4 {
        statuses.push(write(&gateway, &sid).status);
        tries += 1;
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 502, 502]);
    assert_eq!((arrived(&gateway.standin, WRITE), arrived(&other, WRITE)), (2, 2), "each write once");
    // One worker's crash is no reason to take the whole server out.
    assert!(is_up(&gateway, &other.url()));
}

/// ERPNext's methods take PUT as well as POST, and insert or rename: no PUT of theirs is idempotent.
#[test]
fn a_put_is_sent_again_only_to_a_document() {
    let (gateway, other) = two();
    let sid = gateway.standin.login(ALICE);
    for (target, again) in [("/api/method/frappe.client.insert", false), ("/api/resource/ToDo/1", true)] {
        other.fail_on(target, Failure::CloseAtOnce);
        let put = Request::new("PUT", target).header("Cookie", &format!("sid={sid}"));
        let put = put.body("application/json", br#"{"description":"x"}"#);
        let statuses: Vec<u16> = (0..4).map(|_| gateway.send(&put).status).collect();
        let failed = statuses.iter().filter(|status| **status == 502).count();
        assert_eq!(failed, if again { 0 } else { 2 }, "{target}: {statuses:?}");
        let arrived = (arrived(&gateway.standin, target), arrived(&other, target));
        assert!(if again { arrived.0 == 4 && arrived.1 >= 1 } else { arrived == (2, 2) }, "{target}: {arrived:?}");
    }
}

#[test]
fn the_gateways_own_calls_go_to_a_server_that_lives() {
    let standin = StandIn::start();
    let other = standin.twin();
    let gateway = TestGateway::before(standin, Setup::new().beside(other.url()).set("erpnext.user_ttl", "1s"));
    let asks = |standin: &StandIn| {
        standin.forget_requests();
        until("it is asked for users", || {
            (standin.count(|record| record.target.starts_with("/api/resource/User?")) > 0).then_some(())
        });
    };
    gateway.standin.fail(Failure::Refuse);
    // Users, login sessions, a shadow token: all of it asked where somebody answers.
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    asks(&other);
    gateway.standin.heal();
    other.fail(Failure::Refuse);
    asks(&gateway.standin);
    gateway.acts_as(&tokens.access, ALICE);
    until("it is ready", || (gateway.admin("/readyz").status == 200).then_some(()));
}

#[test]
fn a_name_with_an_address_that_nobody_listens_on_is_served_by_the_other() {
    let standin = StandIn::start();
    // ::1 and 127.0.0.1 where the machine has both; the stand-in is on the second alone.
    let url = format!("http://localhost:{}", standin.port());
    let gateway = TestGateway::before(standin, Setup::new().beside(url));
    for _ in 0..6 {
        assert_eq!(gateway.get(PING).status, 200);
    }
}

#[test]
fn check_online_says_which_server_does_not_answer() {
    let (gateway, other) = two();
    let check = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_empress-gateway"));
        command.args(["check", "--online", "--config"]).arg(gateway.folder().join("gateway.toml"));
        let output = command.output().expect("the binary runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = check();
    assert_eq!(code, Some(0), "{said}");
    other.fail(Failure::Refuse);
    let (code, said) = check();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("erpnext: {}: no connection", other.url())), "{said}");
    assert!(!said.contains(&gateway.standin.url()), "{said}");
    assert!(fs::metadata(gateway.folder().join("empress.db")).is_ok());
}

#[test]
fn a_login_on_one_server_holds_on_the_other() {
    let (gateway, other) = two();
    let mut browser = Browser::of(&gateway, ALICE);
    for _ in 0..4 {
        assert_eq!(browser.get("/api/method/frappe.auth.get_logged_user").json()["message"], ALICE);
    }
    assert!(arrived(&other, "/api/method/frappe.auth.get_logged_user") >= 1);
}
