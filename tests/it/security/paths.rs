//! Paths that two parsers could read in two ways, over a raw socket and under rules: T39, T40, T42, T43, T44, T45.

use crate::{
    standin::ALICE,
    support::{SCOPED, Setup, TestGateway},
};

/// `/assets` is open to anybody, the API is not.
fn start() -> TestGateway {
    Setup::new()
        .route("path = '/assets/**'\nauth = 'pass'")
        .route("path = '/public/**'\nauth = 'pass'")
        .route("path = '/api/resource/{doctype}/**'\nmethods = ['GET']\nauth = 'bearer'\nscopes = ['read:{doctype}']")
        .route("path = '/api/method/login'")
        .route("path = '/api/**'\nauth = 'bearer'\nscopes = ['site']")
        .start()
}

fn ask(gateway: &TestGateway, line: &[u8], token: Option<&str>) -> u16 {
    let bearer = token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"));
    let mut raw = line.to_vec();
    raw.extend(format!(" HTTP/1.1\r\nHost: erp\r\n{bearer}Connection: close\r\n\r\n").bytes());
    let answer = gateway.raw(&raw);
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {text}"))
}

fn stopped(gateway: &TestGateway, line: &[u8], token: &str, allowed: &[u16]) {
    let what = String::from_utf8_lossy(line).into_owned();
    for token in [None, Some(token)] {
        let status = gateway.without_upstream(&what, || ask(gateway, line, token));
        assert!(allowed.contains(&status), "{what}, {token:?}: {status}");
    }
}

/// T39, T40
#[test]
fn no_path_reaches_the_api_by_the_rule_of_another() {
    let gateway = start();
    let token = gateway.tokens(ALICE, SCOPED, &[("scope", "openid read:Customer")]).access;
    for target in [
        "/public/../api/resource/User",
        "/assets/%2e%2e/api/resource/User",
        "/assets/..%2fapi/resource/User",
        "/assets/..;/api/resource/User",
        "/assets/%2E%2E%2Fapi/resource/User",
        "/assets/.%2e/api/resource/User",
        "/assets/x/..%5c..%5capi/resource/User",
        "//api/resource/User",
        "/api/./resource/User",
        "/api/resource/User/.",
        "/api\\resource\\User",
        "/api/resource/Customer/../User",
        "/api/resource/Customer%2f..%2fUser",
        "/%61pi/resource/User",
        "/api%2fresource%2fUser",
    ] {
        stopped(&gateway, format!("GET {target}").as_bytes(), &token, &[400, 401, 403]);
    }
}

/// T42, T43
#[test]
fn no_control_byte_fragment_or_broken_encoding_gets_through() {
    let gateway = start();
    let token = gateway.tokens(ALICE, SCOPED, &[("scope", "openid read:Customer")]).access;
    for line in [
        &b"GET /api/resource/User#/assets/x"[..],
        b"GET /assets/x#/../api/resource/User",
        b"GET /assets/%00",
        b"GET /assets/%0d%0aX:%20y",
        b"GET /assets/a\x01b",
        b"GET /assets/a\x7fb",
        b"GET /assets/a\x00b",
        b"GET /assets/\xff",
        b"GET /assets/%ff",
        b"GET /assets/%c0%af",
        b"GET /assets/%c0%ae%c0%ae/api",
        b"GET /assets/%e0%80%af",
        b"GET /assets/%zz",
        b"GET /assets/a b",
    ] {
        stopped(&gateway, line, &token, &[400]);
    }
    stopped(&gateway, b"GET /api/resource/User%23/assets/x", &token, &[401, 403]);
}

/// T44
#[test]
fn a_doubly_encoded_path_stays_one_literal() {
    let gateway = start();
    let target = "/assets/%252e%252e%252fapi/resource/User";
    let (status, seen) = gateway.upstream_of(|| ask(&gateway, format!("GET {target}").as_bytes(), None));
    assert_eq!(status, 404);
    assert_eq!(seen.iter().map(|record| record.target.as_str()).collect::<Vec<_>>(), [target]);
}

/// T45
#[test]
fn only_the_origin_form_is_served() {
    let gateway = start();
    let token = gateway.tokens(ALICE, SCOPED, &[("scope", "openid read:Customer")]).access;
    for line in [
        "GET http://other/api/resource/User",
        "GET http://erp/assets/x",
        "GET other:443",
        "GET api/resource/User",
        "GET *",
        "OPTIONS *",
        "OPTIONS http://other/api",
    ] {
        stopped(&gateway, line.as_bytes(), &token, &[400, 401, 403]);
    }
}
