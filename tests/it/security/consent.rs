//! The consent form: T07, T25, T38.

use crate::{
    standin::{ALICE, BOB},
    support::{Answer, Browser, METHOD, Request, SHOP, TestGateway, authorize_url, hidden},
};

const APPROVE: &str = "/api/method/frappe.integrations.oauth2.approve";

fn is_forbidden(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 403, "{what}: {answer}");
    assert!(answer.header("location").is_none(), "{what}: {answer}");
}

/// T25
#[test]
fn a_decision_counts_only_with_the_token_of_its_own_page_once() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(SHOP, &[]));
    let other = browser.get(&authorize_url(SHOP, &[("state", "s2")]));
    let (handle, token) = (hidden(&page, "handle"), hidden(&page, "token"));
    let (other_handle, other_token) = (hidden(&other, "handle"), hidden(&other, "token"));
    let allow = ("decision", "allow");
    let mut post = |what: &str, form: &[(&str, &str)]| is_forbidden(what, &browser.post(APPROVE, form));
    post("no token", &[("handle", &handle), allow]);
    post("an empty token", &[("handle", &handle), ("token", ""), allow]);
    post("a foreign token", &[("handle", &handle), ("token", "AAAA"), allow]);
    post("the token of another page", &[("handle", &handle), ("token", &other_token), allow]);
    post("the handle of another page", &[("handle", &other_handle), ("token", &token), allow]);
    post("no handle", &[("token", &token), allow]);
    post("a forged handle", &[("handle", "emp_ah_x"), ("token", &token), allow]);
    let form = [("handle", handle.as_str()), ("token", token.as_str()), allow];
    // What the form says besides does not count.
    let more: Vec<_> = form.into_iter().chain([("redirect_uri", "https://evil.example"), ("scope", "x")]).collect();
    let answer = browser.post(APPROVE, &more);
    assert!(answer.location().starts_with("https://shop.example/cb?code="), "{answer}");
    is_forbidden("replayed", &browser.post(APPROVE, &form));
}

/// T25, T38
#[test]
fn a_decision_from_another_login_session_or_browser_is_refused() {
    let gateway = TestGateway::start();
    let mut alice = Browser::of(&gateway, ALICE);
    let page = alice.get(&authorize_url(SHOP, &[]));
    let (handle, token) = (hidden(&page, "handle"), hidden(&page, "token"));
    let form = [("handle", handle.as_str()), ("token", token.as_str()), ("decision", "allow")];
    let mut bob = Browser::of(&gateway, BOB);
    is_forbidden("another browser", &bob.post(APPROVE, &form));
    // The same browser, in which somebody else has logged in meanwhile.
    let sid = alice.cookies.insert("sid".to_owned(), bob.sid().to_owned()).expect("a session");
    is_forbidden("another login session", &alice.post(APPROVE, &form));
    alice.cookies.remove("sid");
    is_forbidden("no login session", &alice.post(APPROVE, &form));
    // Another login session of the same user.
    alice.cookies.insert("sid".to_owned(), gateway.standin.login(ALICE));
    is_forbidden("another session of hers", &alice.post(APPROVE, &form));
    alice.cookies.insert("sid".to_owned(), sid.clone());
    let evil = Request::form(APPROVE, &form).header("Origin", "https://evil.example");
    is_forbidden("another site's page", &alice.send(evil));
    // A login session that has ended is nobody's.
    gateway.standin.end_login_session(&sid);
    is_forbidden("an ended session", &alice.post(APPROVE, &form));
}

/// T25
#[test]
fn the_consent_page_can_not_be_framed() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(SHOP, &[]));
    assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("frame-ancestors 'none'")));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
}

/// T07
#[test]
fn approve_is_no_matter_of_a_get() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(SHOP, &[]));
    let (handle, token) = (hidden(&page, "handle"), hidden(&page, "token"));
    let pairs = crate::support::query(&[("handle", &handle), ("token", &token), ("decision", "allow")]);
    for path in ["/api/method/", "/api/v1/method/", "/api/v2/method/"] {
        let target = format!("{path}frappe.integrations.oauth2.approve?{pairs}");
        let answer = gateway.without_upstream(path, || browser.get(&target));
        assert_eq!(answer.status, 405, "{answer}");
    }
    let native =
        format!("{METHOD}approve?client_id={}&redirect_uri=x&response_type=code", crate::standin::ORDINARY_CLIENT);
    assert_eq!(gateway.without_upstream("ERPNext's own", || browser.get(&native)).status, 405);
}
