//! How a token may be presented, and for what: T33, T37, T38, T41.

use crate::{
    standin::{ALICE, BOB},
    support::{Request, SHOP, Setup, TestGateway, is_invalid_token, query},
};

const ECHO: &str = "/api/method/echo";

/// T33
#[test]
fn a_token_is_only_of_use_as_what_it_is() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.without_upstream("a refresh token", || {
        gateway.refuses("a refresh token as bearer", &tokens.refresh);
        is_invalid_token("a refresh token", &gateway.profile(&tokens.refresh));
    });
    let answer = gateway.refresh(SHOP, &tokens.access, &[]);
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"));
    let mut browser = crate::support::Browser::of(&gateway, ALICE);
    let code = browser.code(SHOP, &[]);
    gateway.refuses("a code as bearer", &code);
    assert_eq!(gateway.refresh(SHOP, &code, &[]).error(), "invalid_grant");
    gateway.acts_as(&tokens.access, ALICE);
}

/// T37
#[test]
fn a_malformed_or_second_authorization_header_is_400() {
    let gateway = TestGateway::start();
    let token = gateway.tokens(ALICE, SHOP, &[]).access;
    let one = |value: &str| Request::get(ECHO).header("Authorization", value);
    let requests = [
        ("two words", one(&format!("Bearer {token} b"))),
        ("no token", one("Bearer")),
        ("a tab", one(&format!("bearer\t{token}"))),
        ("quotes", one(&format!("Bearer \"{token}\""))),
        ("a comma", one(&format!("Bearer {token}, Bearer {token}"))),
        ("two headers", one(&format!("Bearer {token}")).header("Authorization", &format!("Bearer {token}"))),
        ("an API key beside it", one(&format!("Bearer {token}")).header("authorization", "token k:s")),
        ("our token as another scheme", one(&format!("token {token}"))),
    ];
    for (what, request) in requests {
        let answer = gateway.without_upstream(what, || gateway.send(&request));
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"), "{what}: {answer}");
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert!(challenge.contains("error=\"invalid_request\""), "{what}: {answer}");
        assert!(!answer.text().contains(&token) && !challenge.contains(&token), "{what}: {answer}");
    }
    for scheme in ["bearer", "BEARER", "bEaReR"] {
        let answer = gateway.send(&one(&format!("{scheme} {token}")));
        assert_eq!(answer.json()["message"]["user"], ALICE, "{scheme}");
    }
}

/// T37
#[test]
fn a_token_in_the_query_or_the_form_is_never_accepted() {
    let gateway = Setup::new().route("path = '/api/method/echo'\nauth = 'bearer'").start();
    let token = gateway.tokens(ALICE, SHOP, &[]).access;
    let pair = query(&[("access_token", &token)]);
    for request in [
        Request::get(&format!("{ECHO}?{pair}")),
        Request::form(ECHO, &[("access_token", &token)]),
        Request::get(&format!("/api/method/frappe.integrations.oauth2.openid_profile?{pair}")),
        Request::form("/api/method/frappe.integrations.oauth2.openid_profile", &[("access_token", &token)]),
    ] {
        let answer = gateway.without_upstream("in the query", || gateway.send(&request));
        assert!(matches!(answer.status, 400 | 401), "{answer}");
        assert!(!answer.text().contains(&token), "{answer}");
    }
    let both = Request::get(&format!("{ECHO}?{pair}")).bearer(&token);
    let answer = gateway.without_upstream("two methods", || gateway.send(&both));
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"));
    // Where no token is demanded ERPNext must not take it for one either.
    let open = Request::get(&format!("/api/method/frappe.auth.get_logged_user?{pair}"));
    assert_ne!(gateway.send(&open).status, 200);
}

/// T37
#[test]
fn a_bad_token_beside_a_good_cookie_is_still_refused() {
    let gateway = TestGateway::start();
    let sid = gateway.standin.login(ALICE);
    for token in ["junk", "emp_at_junk", "a.b.c"] {
        let request = Request::get(ECHO).bearer(token).header("Cookie", &format!("sid={sid}"));
        let answer = gateway.without_upstream(token, || gateway.send(&request));
        is_invalid_token(token, &answer);
    }
}

/// T38
#[test]
fn a_login_session_in_the_query_is_refused_but_on_the_one_method() {
    let gateway = TestGateway::start();
    let sid = gateway.standin.login(BOB);
    for target in [
        "/api/method/frappe.auth.get_logged_user?sid=",
        "/app?sid=",
        "/?a=b&sid=",
        "/api/resource/Customer?s%69d=",
        "/api/method/frappe.realtime.get_user_info/x?cmd=frappe.auth.get_logged_user&sid=",
    ] {
        let answer = gateway.without_upstream(target, || gateway.get(&format!("{target}{sid}")));
        assert_eq!(answer.status, 400, "{target}: {answer}");
    }
    let info = format!("/api/method/frappe.realtime.get_user_info?sid={sid}");
    let answer = gateway.get(&info);
    assert_eq!(answer.json()["message"]["user"], BOB);
    assert!(answer.headers("set-cookie").is_empty(), "{answer}");
    let elsewhere = Request::form(&info, &[("cmd", "frappe.auth.get_logged_user")]);
    let answer = gateway.without_upstream("a method in the body", || gateway.send(&elsewhere));
    assert_eq!(answer.status, 400, "{answer}");
    let with_cookie = Request::get(&info).header("Cookie", "a=b");
    assert_eq!(gateway.without_upstream("a cookie beside", || gateway.send(&with_cookie)).status, 400);
}

/// T41
#[test]
fn a_query_that_looks_like_a_public_path_opens_nothing() {
    let gateway = Setup::new()
        .route("path = '/assets/**'\nauth = 'pass'")
        .route("path = '/api/resource/{doctype}'\nauth = 'bearer'")
        .route("path = '/api/resource/{doctype}/{name}'\nauth = 'bearer'")
        .start();
    for target in [
        "/api/resource/Customer?x=/assets/a.js",
        "/api/resource/Customer?/public",
        "/api/resource/Customer/Acme?/assets/a.js",
        "/api/resource/Customer?x=%2fassets%2fa.js&y=/../assets",
        "/api/resource/Customer;/assets/a.js",
    ] {
        let answer = gateway.without_upstream(target, || gateway.get(target));
        assert!(matches!(answer.status, 400 | 401), "{target}: {answer}");
    }
}
