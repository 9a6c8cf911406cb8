//! ERPNext is away, slow or broken.

use crate::{
    standin::{ALICE, ALICE_PASSWORD, Failure},
    support::{Answer, Browser, PASSWORD, Request, SHOP, Setup, TestGateway, authorize_url, until},
};

const PING: &str = "/api/method/ping";

fn json_and_page(gateway: &TestGateway, token: &str, status: u16) {
    for request in [Request::get(PING), Request::get(PING).bearer(token)] {
        let json = gateway.send(&request.clone().header("Accept", "application/json"));
        assert_eq!(json.status, status, "{json}");
        assert!(json.json()["error"].is_string() && json.json()["exc_type"].is_string(), "{json}");
        let page = gateway.send(&request.html());
        assert_eq!(page.status, status, "{page}");
        assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page}");
        assert!(page.text().contains("<html"), "{page}");
    }
}

fn unavailable(answer: &Answer) {
    assert_eq!((answer.status, answer.error().as_str()), (503, "temporarily_unavailable"), "{answer}");
    assert!(answer.header("retry-after").is_some(), "{answer}");
}

#[test]
fn with_erpnext_away_requests_get_502_and_nothing_is_issued_and_all_recovers() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    let mut browser = Browser::of(&gateway, ALICE);
    gateway.standin.fail(Failure::Refuse);
    json_and_page(&gateway, &tokens.access, 502);
    let sid = browser.sid().to_owned();
    let ask = Request::get(&authorize_url(SHOP, &[])).header("Cookie", &format!("sid={sid}"));
    unavailable(&gateway.send(&ask));
    let form = [("grant_type", "password"), ("username", ALICE), ("password", ALICE_PASSWORD)];
    unavailable(&gateway.as_client(PASSWORD, "get_token", &form));
    gateway.refuses("an unknown token", "emp_at_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    gateway.standin.heal();
    until("it is well again", || (gateway.whoami(&tokens.access).status == 200).then_some(()));
    assert!(browser.get(&authorize_url(SHOP, &[])).status < 400);
}

#[test]
fn readyz_tells_that_erpnext_is_away_and_healthz_that_the_process_lives() {
    let gateway = Setup::new().set("erpnext.user_ttl", "1s").start();
    gateway.standin.fail(Failure::Refuse);
    let away = until("it is not ready", || Some(gateway.admin("/readyz")).filter(|answer| answer.status == 503));
    assert!(away.text().contains("erpnext"), "{away}");
    assert_eq!(gateway.admin("/healthz").status, 200);
    gateway.standin.heal();
    until("it is ready again", || (gateway.admin("/readyz").status == 200).then_some(()));
}

#[test]
fn an_erpnext_that_does_not_answer_is_504() {
    let mut gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    // Only now: each call of the steps before may take a busy machine longer than this.
    gateway.restart_with(Setup::new().set("erpnext.response_timeout", "500ms"));
    until("it serves the token again", || (gateway.whoami(&tokens.access).status == 200).then_some(()));
    gateway.standin.fail_on(PING, Failure::Hang);
    json_and_page(&gateway, &tokens.access, 504);
    gateway.standin.heal();
    until("it is well again", || (gateway.get(PING).status == 200).then_some(()));
}

#[test]
fn an_erpnext_that_talks_nonsense_is_502_and_its_own_errors_pass() {
    let gateway = TestGateway::start();
    gateway.standin.fail_on(PING, Failure::Garbage);
    assert_eq!(gateway.get(PING).status, 502);
    gateway.standin.heal();
    gateway.standin.fail_on(PING, Failure::CloseAtOnce);
    assert_eq!(gateway.get(PING).status, 502);
    gateway.standin.heal();
    for status in [500, 502, 503] {
        gateway.standin.fail_on(PING, Failure::Status(status));
        let answer = gateway.get(PING);
        assert_eq!(answer.status, status);
        assert!(answer.text().contains("<html"), "ERPNext's own: {answer}");
        gateway.standin.heal();
    }
}

#[test]
fn a_user_whose_state_is_unknown_is_neither_let_through_nor_called_inactive() {
    let mut gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.standin.fail(Failure::Refuse);
    gateway.restart_with(Setup::new().without_erpnext());
    let answer = gateway.whoami(&tokens.access);
    assert_eq!(answer.status, 503, "{answer}");
    assert!(answer.header("retry-after").is_some() && answer.header("www-authenticate").is_none(), "{answer}");
    unavailable(&gateway.as_client(SHOP, "introspect_token", &[("token", &tokens.access)]));
    unavailable(&gateway.refresh(SHOP, &tokens.refresh, &[]));
    gateway.standin.heal();
    until("it is ready", || (gateway.admin("/readyz").status == 200).then_some(()));
    gateway.acts_as(&tokens.access, ALICE);
}

#[test]
fn a_slow_answer_holds_nobody_else_up() {
    let gateway = TestGateway::start();
    gateway.standin.fail_on("frappe.ping", Failure::Hang);
    let mut slow = gateway.connect();
    let request = format!("GET /api/method/frappe.ping HTTP/1.1\r\nHost: {}\r\n\r\n", &gateway.url()[7..]);
    slow.write(request.as_bytes()).expect("it reads");
    until("ERPNext has it", || {
        (gateway.standin.count(|record| record.target.ends_with("frappe.ping")) > 0).then_some(())
    });
    // Behind it each of these would wait for longer than its client does.
    for _ in 0..20 {
        assert_eq!(gateway.get(PING).status, 200);
    }
}
