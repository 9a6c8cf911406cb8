//! OpenID Connect's ways to steer login and consent.

use crate::{
    standin::{ALICE, BOB},
    support::{APP, Answer, Browser, LEGACY, METHOD, SHOP, TRUSTED, TestGateway, Tokens, authorize_url, claims, pause},
};

fn is_consent_page(page: &Answer) -> bool {
    page.status == 200 && page.text().contains("value=\"allow\"")
}

fn is_sign_in_page(page: &Answer) -> bool {
    page.status == 200 && page.text().contains("value=\"sign_in\"") && !page.text().contains("value=\"allow\"")
}

#[test]
fn a_consent_is_remembered_for_its_scopes_and_asked_for_again_on_request() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    browser.code(SHOP, &[("scope", "openid")]);
    let answer = browser.get(&authorize_url(SHOP, &[("scope", "openid")]));
    assert_eq!(answer.status, 302, "{answer}");
    assert!(answer.parameter("code").is_some(), "{answer}");
    assert!(is_consent_page(&browser.get(&authorize_url(SHOP, &[("scope", "openid all")]))), "a wider scope");
    assert!(is_consent_page(&browser.get(&authorize_url(SHOP, &[("scope", "openid"), ("prompt", "consent")]))));
    let elsewhere = SHOP.other_redirect_uri();
    let there = [("scope", "openid"), ("redirect_uri", elsewhere.as_str())];
    assert!(is_consent_page(&browser.get(&authorize_url(SHOP, &there))), "another redirect URI");
    let mut bob = Browser::of(&gateway, BOB);
    assert!(is_consent_page(&bob.get(&authorize_url(SHOP, &[("scope", "openid")]))), "another user");
}

#[test]
fn a_consent_is_not_remembered_for_a_public_client_on_loopback() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    browser.code(APP, &[]);
    assert!(is_consent_page(&browser.get(&authorize_url(APP, &[]))));
}

#[test]
fn a_client_that_skips_consent_gets_its_code_at_once() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let answer = browser.get(&authorize_url(TRUSTED, &[]));
    assert_eq!(answer.status, 302, "{answer}");
    Tokens::of(&gateway.exchange(TRUSTED, &answer.parameter("code").expect("a code"), &[]));
}

#[test]
fn a_denial_goes_back_to_the_client() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(SHOP, &[]));
    let answer = browser.decide(&page, "deny");
    assert_eq!((answer.status, answer.redirected_error().as_str()), (303, "access_denied"));
    assert_eq!(answer.parameter("state").as_deref(), Some("s1"));
    assert_eq!(answer.parameter("iss"), Some(gateway.url()));
    assert!(is_consent_page(&browser.get(&authorize_url(SHOP, &[]))), "nothing is remembered");
    assert_eq!(browser.decide(&page, "allow").status, 403, "the decision is used up");
}

#[test]
fn prompt_none_shows_no_page_and_ends_nothing() {
    let gateway = TestGateway::start();
    let none = [("prompt", "none"), ("scope", "openid")];
    let mut browser = Browser::new(&gateway);
    assert_eq!(browser.get(&authorize_url(SHOP, &none)).redirected_error(), "login_required");
    browser.login(ALICE);
    assert_eq!(browser.get(&authorize_url(SHOP, &none)).redirected_error(), "consent_required");
    browser.code(SHOP, &[("scope", "openid")]);
    assert!(browser.get(&authorize_url(SHOP, &none)).parameter("code").is_some());
    let old = [("prompt", "none"), ("scope", "openid"), ("max_age", "0")];
    assert_eq!(browser.get(&authorize_url(SHOP, &old)).redirected_error(), "login_required");
    assert_eq!(browser.get("/api/method/frappe.auth.get_logged_user").json()["message"], ALICE);
    for prompt in ["none login", "create", "none consent"] {
        let answer = browser.get(&authorize_url(SHOP, &[("prompt", prompt)]));
        assert_eq!(answer.redirected_error(), "invalid_request", "{prompt}");
    }
}

#[test]
fn prompt_login_asks_first_then_ends_the_login_and_a_new_one_satisfies_it() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(SHOP, &[("prompt", "login")]));
    assert!(is_sign_in_page(&page), "{page}");
    assert!(page.text().contains(ALICE), "{page}");
    assert_eq!(browser.get("/api/method/frappe.auth.get_logged_user").status, 200, "a GET ends nothing");
    let sessions = gateway.standin.sessions().len();
    let answer = browser.decide(&page, "sign_in");
    assert_eq!(answer.status, 303, "{answer}");
    assert_eq!(gateway.standin.sessions().len(), sessions - 1, "the login session has ended");
    let resume = answer.parameter("redirect-to").expect("the way back");
    assert!(answer.location().starts_with(&format!("{}/login?", gateway.url())), "{answer}");
    assert_eq!(browser.get(&resume).status, 302, "to the login page again");
    browser.login(ALICE);
    let page = browser.get(&resume);
    assert!(is_consent_page(&page), "{page}");
    assert!(browser.decide(&page, "allow").parameter("code").is_some());
}

#[test]
fn max_age_wants_a_young_login_and_auth_time_tells_it() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let young = browser.code(SHOP, &[("max_age", "1000")]);
    let first = claims(&Tokens::of(&gateway.exchange(SHOP, &young, &[])).id_token);
    pause(std::time::Duration::from_millis(2100));
    let page = browser.get(&authorize_url(SHOP, &[("max_age", "1")]));
    assert!(is_sign_in_page(&page), "{page}");
    let resume = browser.decide(&page, "sign_in").parameter("redirect-to").expect("the way back");
    browser.login(ALICE);
    let answer = browser.get(&resume);
    let answer = if answer.status == 200 { browser.decide(&answer, "allow") } else { answer };
    let code = answer.parameter("code").unwrap_or_else(|| panic!("{answer}"));
    let second = claims(&Tokens::of(&gateway.exchange(SHOP, &code, &[])).id_token);
    let time = |claims: &serde_json::Value| claims["auth_time"].as_u64().expect("auth_time");
    assert!(time(&second) >= time(&first) + 2, "{first} {second}");
    assert_eq!(browser.get(&authorize_url(SHOP, &[("max_age", "-1")])).redirected_error(), "invalid_request");
}

#[test]
fn id_token_hint_names_the_user_who_must_be_logged_in() {
    let gateway = TestGateway::start();
    let alice = gateway.tokens(ALICE, SHOP, &[]);
    let hint = [("id_token_hint", alice.id_token.as_str()), ("prompt", "none")];
    let mut browser = Browser::of(&gateway, ALICE);
    assert!(browser.get(&authorize_url(SHOP, &hint)).parameter("code").is_some());
    let mut bob = Browser::of(&gateway, BOB);
    assert_eq!(bob.get(&authorize_url(SHOP, &hint)).redirected_error(), "login_required");
    // Another client's, a changed one and junk are no hints.
    let legacy = gateway.tokens(ALICE, LEGACY, &[]);
    let changed = alice.id_token.replacen(".e", ".f", 1);
    for hint in [legacy.id_token.as_str(), changed.as_str(), "junk", "a.b.c"] {
        let answer = browser.get(&authorize_url(SHOP, &[("id_token_hint", hint)]));
        assert_eq!(answer.redirected_error(), "invalid_request", "{hint}");
    }
    let answer = browser.get(&authorize_url(LEGACY, &[("id_token_hint", legacy.id_token.as_str())]));
    assert!(is_consent_page(&answer) || answer.status == 302 && answer.parameter("code").is_some(), "{answer}");
}

#[test]
fn somebody_else_can_sign_in_from_the_consent_page() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(SHOP, &[]));
    let answer = browser.decide(&page, "sign_in");
    let resume = answer.parameter("redirect-to").expect("the way back");
    browser.login(BOB);
    let page = browser.get(&resume);
    assert!(is_consent_page(&page) && page.text().contains(BOB) && !page.text().contains(ALICE), "{page}");
    let code = browser.decide(&page, "allow").parameter("code").expect("a code");
    gateway.acts_as(&Tokens::of(&gateway.exchange(SHOP, &code, &[])).access, BOB);
}

#[test]
fn form_post_sends_the_answer_as_a_form_with_a_button() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.authorize(TRUSTED, &[("response_mode", "form_post"), ("state", "<\"&'>")]);
    assert_eq!(page.status, 200, "{page}");
    let html = page.text();
    assert!(
        html.contains("action=\"https:&#x2f;&#x2f;client.example")
            || html.contains("action=\"https://client.example/cb\""),
        "{page}"
    );
    assert!(html.contains("<button") && !html.contains("<\"&'>"), "{page}");
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("form-action https://client.example;"), "{policy}");
    assert!(policy.contains("script-src 'sha256-") && policy.contains("default-src 'none'"), "{policy}");
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let code = crate::support::hidden(&page, "code");
    Tokens::of(&gateway.exchange(TRUSTED, &code, &[]));
    // Errors go the same way.
    let answer = browser.get(&authorize_url(TRUSTED, &[("response_mode", "form_post"), ("prompt", "create")]));
    assert_eq!(crate::support::hidden(&answer, "error"), "invalid_request");
}

#[test]
fn response_modes_are_checked() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let answer = browser.get(&authorize_url(TRUSTED, &[("response_mode", "fragment")]));
    assert!(answer.location().contains("/cb#code="), "{answer}");
    let answer = browser.get(&authorize_url(TRUSTED, &[("response_mode", "telepathy")]));
    assert_eq!(answer.redirected_error(), "invalid_request");
    for (name, value) in [("request", "e30.e30."), ("request_uri", "https://evil.example/r")] {
        let answer = gateway.without_upstream(name, || browser.get(&authorize_url(TRUSTED, &[(name, value)])));
        assert_eq!(answer.redirected_error(), format!("{name}_not_supported"));
    }
    for response_type in ["", "code code", "foo"] {
        let answer = browser.get(&authorize_url(TRUSTED, &[("response_type", response_type)]));
        let expected = if response_type.is_empty() { "invalid_request" } else { "unsupported_response_type" };
        assert_eq!(answer.redirected_error(), expected, "{response_type}");
    }
    let answer = browser.get(&authorize_url(TRUSTED, &[("scope", "nonsense")]));
    assert_eq!(answer.redirected_error(), "invalid_scope");
}

#[test]
fn an_authorization_request_may_be_posted_and_goes_on_with_a_get() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let url = authorize_url(TRUSTED, &[]);
    let (path, query) = url.split_once('?').expect("a query");
    let pairs = crate::support::parameters(query);
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // A client's page sends it: the login session's cookie is not sent with it (SameSite=Lax).
    let sid = browser.cookies.remove("sid").expect("a session");
    let request = crate::support::Request::form(path, &pairs).header("Origin", "https://client.example");
    let answer = browser.send(request);
    assert_eq!(answer.status, 303, "{answer}");
    assert!(answer.location().starts_with(&format!("{}{METHOD}authorize?handle=", gateway.url())), "{answer}");
    browser.cookies.insert("sid".to_owned(), sid);
    let location = answer.location().to_owned();
    assert!(browser.get(&location).parameter("code").is_some());
    // The handle is of no use to another browser.
    let mut other = Browser::of(&gateway, ALICE);
    assert_eq!(other.get(&location).status, 400);
    let mixed = crate::support::Request::form(&url, &pairs);
    assert_eq!(browser.send(mixed).status, 400);
}

#[test]
fn the_page_that_asks_to_sign_in_again_opens_nothing_else() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(SHOP, &[("prompt", "login")]));
    assert!(is_sign_in_page(&page), "{page}");
    let answer = browser.decide(&page, "allow");
    assert_eq!(answer.status, 403, "{answer}");
}

#[test]
fn a_stored_request_gives_one_code() {
    let gateway = TestGateway::start();
    let mut browser = Browser::new(&gateway);
    let to_login = browser.get(&authorize_url(TRUSTED, &[]));
    let back = to_login.parameter("redirect-to").expect("the way back");
    browser.login(ALICE);
    assert!(browser.get(&back).parameter("code").is_some());
    let again = browser.get(&back);
    assert_eq!(again.status, 400, "{again}");
}
