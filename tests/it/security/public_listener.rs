//! T01, T05, T06, T77: what is ERPNext's business on the public listener, and what never reaches it.

use crate::{
    standin::ALICE,
    support::{Browser, Request, TestGateway, query},
};

/// T77
#[test]
fn the_admin_listeners_paths_are_erpnexts_on_the_public_one() {
    let gateway = TestGateway::start();
    for path in ["/metrics", "/healthz", "/readyz"] {
        let (answer, reached) = gateway.upstream_of(|| gateway.get(path));
        assert_eq!(answer.status, 404, "{path}: {answer}");
        assert_eq!(reached.iter().filter(|record| record.target == path).count(), 1, "{path}");
        assert!(!answer.text().contains("empress_"), "{path}: {answer}");
        assert_eq!(gateway.admin(path).status, 200, "{path}");
    }
    assert!(gateway.admin("/metrics").text().contains("empress_"));
}

/// T01
#[test]
fn a_cmd_in_the_query_does_not_reach_erpnexts_own_oauth() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    for method in ["introspect_token", "get_token", "approve", "revoke_token", "openid_profile", "handle_wellknown"] {
        let pairs = query(&[("cmd", &format!("frappe.integrations.oauth2.{method}")), ("token", "x")]);
        for path in ["/", "/api/method/ping", "/app", "/assets/x", "/api/resource/User"] {
            let target = format!("{path}?{pairs}");
            let answer = gateway.without_upstream(&target, || browser.get(&target));
            assert_eq!(answer.status, 403, "{target}: {answer}");
        }
    }
    // ERPNext's other methods are its own business.
    assert_eq!(gateway.get("/?cmd=frappe.ping").status, 200);
}

/// T05, T06
#[test]
fn no_spelling_of_a_path_reaches_erpnexts_own_oauth() {
    let gateway = TestGateway::start();
    for target in [
        "/api/method/frappe.integrations.oauth2.get_token/x",
        "/api//method/frappe.integrations.oauth2.get_token",
        "//api/method/frappe.integrations.oauth2.get_token",
        "/api/./method/frappe.integrations.oauth2.get_token",
        "/x/../api/method/frappe.integrations.oauth2.get_token",
        "/api/method/%66rappe.integrations.oauth2.get_token",
        "/api/method/frappe%2Eintegrations%2Eoauth2%2Eget_token",
        "/api/method%2ffrappe.integrations.oauth2.get_token",
        "/api/v1/method/frappe.integrations.oauth2.get_token/",
        "/api/v2/method/frappe.integrations.oauth2.get_token",
        "/api/v2/method/User/frappe.integrations.oauth2.get_token",
        "/.well-known/%6fpenid-configuration",
    ] {
        for request in [Request::get(target), Request::form(target, &[("grant_type", "x")])] {
            let answer = gateway.without_upstream(target, || gateway.send(&request));
            assert!([200, 400, 401, 404, 405].contains(&answer.status), "{target}: {answer}");
        }
    }
}

/// T02, T03
#[test]
fn a_cmd_in_the_body_does_not_reach_erpnexts_own_oauth() {
    let gateway = TestGateway::start();
    let method = "frappe.integrations.oauth2.get_token";
    let json = serde_json::json!({ "cmd": method }).to_string();
    let part = format!("--b\r\nContent-Disposition: form-data; name=\"cmd\"\r\n\r\n{method}\r\n--b--\r\n");
    for (what, request) in [
        ("a form", Request::form("/anything", &[("cmd", method), ("grant_type", "x")])),
        ("JSON", Request::new("POST", "/").body("application/json", json.as_bytes())),
        ("JSON", Request::new("POST", "/").body("application/json; charset=x", json.as_bytes())),
        ("JSON", Request::new("POST", "/").body("application/vnd.api+json", json.as_bytes())),
        ("parts", Request::new("POST", "/").body("multipart/form-data; boundary=b", part.as_bytes())),
    ] {
        let answer = gateway.without_upstream(what, || gateway.send(&request));
        assert_eq!(answer.status, 403, "{what}: {answer}");
    }
}

/// T02, T04
#[test]
fn a_cmd_in_a_body_of_unknown_length_or_a_large_one_never_reaches_erpnext_whole() {
    let gateway = TestGateway::start();
    let method = "frappe.integrations.oauth2.get_token";
    let chunk = format!("cmd={method}&grant_type=x");
    let chunked = format!(
        "POST /anything HTTP/1.1\r\nHost: erp\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{chunk}\r\n0\r\n\r\n",
        chunk.len()
    );
    let filler = "a".repeat(1 << 20);
    let large = format!("x={filler}&cmd={method}");
    let large = format!(
        "POST /anything HTTP/1.1\r\nHost: erp\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{large}",
        large.len()
    );
    for (what, request) in [("chunked", chunked), ("large", large)] {
        let (answer, seen) = gateway.upstream_of(|| gateway.raw(request.as_bytes()));
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{what}: {}", String::from_utf8_lossy(&answer));
        assert!(seen.iter().all(|request| !request.complete || request.path() != "/anything"), "{what}");
    }
}

#[test]
fn bodies_that_only_mention_a_reserved_method_pass_whole() {
    let gateway = TestGateway::start();
    let text = format!("see /api/method/frappe.integrations.oauth2.authorize {}", "b".repeat(200_000));
    for length in [60, text.len()] {
        let form = [("description", &text[..length])];
        let answer = gateway.send(&Request::form("/api/method/echo", &form));
        assert_eq!(answer.status, 200, "{length}: {answer}");
        let sent = crate::support::query(&[("description", &text[..length])]).len();
        assert_eq!(answer.json()["message"]["body_length"], sent, "{length}");
    }
}
