//! The authorization endpoint: T13, T14, T17, T21 to T24.

use crate::{
    standin::{ALICE, BOB},
    support::{
        APP, Browser, CHALLENGE, MANAGERS, METHOD, Request, SHOP, TRUSTED, TestGateway, Tokens, authorize_url,
        parameters, query,
    },
};

/// T13
#[test]
fn a_public_client_without_a_code_challenge_is_refused() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let answer = browser.get(&authorize_url(APP, &[("code_challenge", ""), ("code_challenge_method", "")]));
    assert_eq!((answer.status, answer.redirected_error().as_str()), (302, "invalid_request"));
    assert!(answer.location().starts_with("http://127.0.0.1/cb?"), "{answer}");
    assert_eq!(answer.parameter("state").as_deref(), Some("s1"));
    assert_eq!(answer.parameter("iss"), Some(gateway.url()));
}

/// T14
#[test]
fn the_method_plain_named_or_implied_is_refused_of_a_strict_client() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    for client in [APP, SHOP] {
        for method in ["plain", "", "S512", "none"] {
            let answer = browser.get(&authorize_url(client, &[("code_challenge_method", method)]));
            assert_eq!(answer.redirected_error(), "invalid_request", "{method}");
        }
        for challenge in [&CHALLENGE[..42], "a b", &"a".repeat(129)] {
            let answer = browser.get(&authorize_url(client, &[("code_challenge", challenge)]));
            assert_eq!(answer.redirected_error(), "invalid_request", "{challenge}");
        }
    }
}

/// T17
#[test]
fn only_the_login_session_says_who_the_user_is() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, BOB);
    browser.cookies.insert("user_id".to_owned(), "Administrator".to_owned());
    browser.cookies.insert("full_name".to_owned(), "Administrator".to_owned());
    browser.cookies.insert("system_user".to_owned(), "yes".to_owned());
    let code = browser.code(SHOP, &[]);
    let tokens = Tokens::of(&gateway.exchange(SHOP, &code, &[]));
    assert_eq!(gateway.introspect(SHOP, &tokens.access)["username"], BOB);
    gateway.acts_as(&tokens.access, BOB);
    // The cookie alone, and two of one name, are nobody's.
    for cookie in ["user_id=alice%40example.com", "sid=Guest", "sid=junk", "sid=a; sid=b"] {
        let answer = gateway.send(&Request::get(&authorize_url(SHOP, &[])).header("Cookie", cookie));
        assert_eq!(answer.status, 302, "{cookie}: {answer}");
        assert!(answer.location().contains("/login?redirect-to="), "{cookie}: {answer}");
    }
}

/// T21
#[test]
fn a_repeated_client_redirect_uri_or_state_is_an_error_page() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    for (name, value) in [("client_id", SHOP.id), ("redirect_uri", SHOP.redirect_uri), ("state", "s1")] {
        let twice = format!("{}&{}", authorize_url(SHOP, &[]), query(&[(name, value)]));
        let answer = browser.get(&twice);
        assert_eq!(answer.status, 400, "{name}: {answer}");
        assert!(answer.header("location").is_none(), "{name}: {answer}");
        let other = format!("{}&{}", authorize_url(SHOP, &[]), query(&[(name, "https://evil.example")]));
        assert_eq!(gateway.get(&other).error(), "invalid_request", "{name}");
    }
    for name in ["scope", "nonce", "response_type", "code_challenge"] {
        let twice = format!("{}&{name}=openid&{name}=openid", authorize_url(SHOP, &[("nonce", "n")]));
        assert_eq!(browser.get(&twice).redirected_error(), "invalid_request", "{name}");
    }
}

/// T22
#[test]
fn the_way_to_the_login_page_stays_on_the_public_origin_whatever_the_parameters_hold() {
    let gateway = TestGateway::start();
    let url = gateway.url();
    for state in ["&redirect-to=//evil", "#evil", "%2f%2fevil", "a\r\nSet-Cookie: x=y", "//evil.com", "ä€\u{1f600}"]
    {
        for host in ["evil.example", &url[7..]] {
            let request = format!(
                "GET {} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n",
                authorize_url(SHOP, &[("state", state), ("login_hint", state)])
            );
            let raw = String::from_utf8_lossy(&gateway.raw(request.as_bytes())).into_owned();
            let head = raw.split("\r\n\r\n").next().expect("a head").to_ascii_lowercase();
            assert!(!head.contains("evil"), "{raw}");
            let locations: Vec<_> = head.lines().filter_map(|line| line.strip_prefix("location: ")).collect();
            assert_eq!(locations.len(), 1, "{raw}");
            let (page, rest) = locations[0].split_once('?').expect("a query");
            assert_eq!(page, format!("{url}/login"));
            let pairs = parameters(rest);
            assert_eq!(pairs.len(), 1, "{rest}");
            let (path, handle) = pairs[0].1.split_once('?').expect("a handle");
            assert_eq!((pairs[0].0.as_str(), path), ("redirect-to", format!("{url}{METHOD}authorize").as_str()));
            assert!(handle.starts_with("handle=emp_ah_") && !handle.contains('&'), "{handle}");
        }
    }
}

/// T23
#[test]
fn an_unknown_client_is_an_error_page_and_a_user_without_its_role_is_denied() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, BOB);
    for id in ["nobody", "", "SHOP", "shop%00", "shop "] {
        let answer = browser.get(&authorize_url(SHOP, &[("client_id", id)]));
        assert_eq!((answer.status, answer.header("location")), (400, None), "{id}: {answer}");
    }
    let answer = browser.get(&authorize_url(MANAGERS, &[("state", "s 2")]));
    assert_eq!(answer.redirected_error(), "access_denied");
    assert_eq!(answer.parameter("state").as_deref(), Some("s 2"));
    assert_eq!(answer.parameter("iss"), Some(gateway.url()));
}

/// T23
#[test]
fn a_client_that_is_taken_out_is_unknown_with_all_that_it_had() {
    let mut gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    gateway.restart_with(crate::support::Setup::new().without_client(SHOP.id));
    assert_eq!(gateway.get(&authorize_url(SHOP, &[])).status, 400);
    assert_eq!(gateway.refresh(SHOP, &tokens.refresh, &[]).error(), "invalid_client");
    gateway.refuses("a token of a client that is gone", &tokens.access);
    assert_eq!(gateway.introspect(TRUSTED, &tokens.access), serde_json::json!({ "active": false }));
}

/// T24
#[test]
fn every_answer_to_the_client_has_iss_and_the_exact_state() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let long = "x".repeat(4096);
    for state in ["a&b=c#d", "%26 +%2B", "ä€\u{1f600}", "\u{0}\r\n\t", "\"'<>\\", long.as_str()] {
        for (extra, name) in [(("prompt", "none"), "code"), (("response_type", "foo"), "error")] {
            for mode in ["query", "fragment"] {
                let asked = [("state", state), ("response_mode", mode), extra];
                let answer = browser.get(&authorize_url(TRUSTED, &asked));
                assert_eq!(answer.status, 302, "{state:?}: {answer}");
                assert!(answer.parameter(name).is_some(), "{state:?}: {answer}");
                assert_eq!(answer.parameter("state").as_deref(), Some(state));
                assert_eq!(answer.parameter("iss"), Some(gateway.url()));
                assert!(answer.location().starts_with(TRUSTED.redirect_uri), "{answer}");
            }
        }
    }
    let answer = browser.get(&authorize_url(TRUSTED, &[("state", "")]));
    assert_eq!(answer.parameter("state"), None, "none was sent");
}
