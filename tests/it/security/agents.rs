//! Agents that try to do more than they were granted.

use serde_json::json;

use crate::{
    standin::ALICE,
    support::{AGENT, AGENT_SCOPE, Answer, Browser, METHOD, Request, SHOP, Setup, TestGateway, authorize_url, hidden},
};

fn lacks_write(what: &str, answer: &Answer) {
    assert_eq!((answer.status, answer.error().as_str()), (403, "insufficient_scope"), "{what}: {answer}");
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(challenge.contains("scope=\"erp:write\""), "{what}: {answer}");
}

/// One that may read, and its token.
fn reader(setup: Setup) -> (TestGateway, String) {
    let gateway = setup.agent("").start();
    let token = gateway.ticked(ALICE, AGENT, AGENT_SCOPE, &[]).access;
    (gateway, token)
}

/// T46: nothing makes a write look like a read.
#[test]
fn a_get_that_may_write_is_a_write() {
    let (gateway, token) = reader(Setup::new());
    for target in [
        "/api/method/frappe.client.delete?doctype=Customer&name=Acme",
        "/api/v2/method/frappe.client.set_value?doctype=Customer&name=Acme",
        "/api/method/%66rappe.client.delete",
        "/api/method/frappe.desk.reportview.delete_items?doctype=Customer&items=[]",
        "/api/method/upload_file",
        "/?cmd=frappe.client.delete&doctype=Customer&name=Acme",
        "/api/resource/Customer?cmd=frappe.client.insert",
        "/api/resource/Customer/Acme?run_method=submit",
        "/api/v2/document/Customer/Acme/method/submit",
        "/api/method/run_doc_method?dt=Customer&dn=Acme&method=submit",
        "/api/resource/Customer/Acme?_method=DELETE",
    ] {
        for method in ["GET", "HEAD"] {
            let request = Request::new(method, target).bearer(&token);
            let answer = gateway.without_upstream(target, || gateway.send(&request));
            assert_eq!(answer.status, 403, "{method} {target}: {answer}");
        }
        lacks_write(target, &gateway.send(&Request::get(target).bearer(&token)));
    }
    for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        let request = Request::get("/api/resource/Customer/Acme").bearer(&token).header(name, "DELETE");
        lacks_write(name, &gateway.without_upstream(name, || gateway.send(&request)));
        let request = Request::new("DELETE", "/api/resource/Customer/Acme").bearer(&token).header(name, "GET");
        lacks_write(name, &gateway.without_upstream(name, || gateway.send(&request)));
    }
}

/// T46: Frappe takes `cmd` from the body of a GET, too.
#[test]
fn a_get_with_a_body_is_a_write() {
    for setup in [Setup::new(), Setup::new().route("path = '/api/method/other'\nauth = 'bearer'")] {
        let (gateway, token) = reader(setup);
        let body = json!({"cmd": "frappe.client.delete", "doctype": "Customer", "name": "Acme"}).to_string();
        for (kind, body) in [
            ("application/json", body.as_str()),
            ("application/x-www-form-urlencoded", "cmd=frappe.client.delete"),
            ("text/plain", "x"),
        ] {
            let request = Request::get("/api/method/echo").bearer(&token).body(kind, body.as_bytes());
            lacks_write(kind, &gateway.without_upstream(kind, || gateway.send(&request)));
        }
        let chunked = format!(
            "GET /api/method/echo HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {token}\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            gateway.port()
        );
        let answer = gateway.without_upstream("chunked", || gateway.raw(chunked.as_bytes()));
        assert!(answer.starts_with(b"HTTP/1.1 403"), "{}", String::from_utf8_lossy(&answer));
    }
}

/// T25: decision and ticks are all that the form may say, and ticks of nothing but what the page has boxes for.
#[test]
fn forged_ticks_are_refused() {
    let gateway = Setup::new().agent("").start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(AGENT, &[("scope", "openid erp:read")]));
    for forged in ["erp:write", "all", "erp:read", "openid", "", "x y"] {
        let answer = browser.allow_with(&page, &[forged]);
        assert!(answer.status == 403 && answer.header("location").is_none(), "{forged}: {answer}");
    }
    let (handle, token) = (hidden(&page, "handle"), hidden(&page, "token"));
    let form = [("handle", handle.as_str()), ("token", &token), ("decision", "allow"), ("scope", "openid erp:write")];
    let answer = browser.post(&format!("{METHOD}approve"), &form);
    let code = answer.parameter("code").unwrap_or_else(|| panic!("the refused ones did not use it up: {answer}"));
    assert_eq!(gateway.exchange(AGENT, &code, &[]).json()["scope"], "openid erp:read");
    // A client that is no agent has no boxes.
    let page = browser.get(&authorize_url(SHOP, &[("scope", "openid")]));
    assert_eq!(browser.allow_with(&page, &["all"]).status, 403);
    assert_eq!(browser.allow_with(&page, &["openid"]).status, 403);
}

#[test]
fn what_was_not_granted_is_not_had_by_asking_again() {
    let (gateway, _) = reader(Setup::new());
    let mut browser = Browser::of(&gateway, ALICE);
    let tokens = gateway.ticked(ALICE, AGENT, ("scope", "openid erp:read erp:write offline_access"), &[]);
    assert_eq!(gateway.refresh(AGENT, &tokens.refresh, &[AGENT_SCOPE]).error(), "invalid_scope");
    let silent = browser.get(&authorize_url(AGENT, &[AGENT_SCOPE, ("prompt", "none")]));
    assert_eq!(silent.redirected_error(), "consent_required");
    let beyond = browser.get(&authorize_url(AGENT, &[("scope", "all erp:read")]));
    assert_eq!(beyond.redirected_error(), "invalid_scope");
    // With openid what nobody knows is left out: there is no box for it, and no grant.
    let page = browser.get(&authorize_url(AGENT, &[("scope", "openid all erp:read"), ("prompt", "consent")]));
    assert!(!page.text().contains("grant:all"), "{page}");
    assert_eq!(browser.allow_with(&page, &["all"]).status, 403);
}

/// A rule that names scopes holds for agents, too: `erp:read` is not `all`.
#[test]
fn rules_hold_on_top() {
    let rule = "path = '/api/resource/{doctype}'\nmethods = ['GET']\nauth = 'bearer'\nscopes = ['read:{doctype}']";
    let (gateway, token) = reader(Setup::new().route(rule));
    for target in ["/api/resource/Customer", "/api/method/echo"] {
        let answer = gateway.without_upstream(target, || gateway.send(&Request::get(target).bearer(&token)));
        assert_eq!((answer.status, answer.error().as_str()), (403, "insufficient_scope"), "{answer}");
    }
}
