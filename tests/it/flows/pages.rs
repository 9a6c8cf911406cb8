//! The pages that users see.

use crate::{
    standin::ALICE,
    support::{Answer, Browser, Request, SHOP, TestGateway, authorize_url},
};

fn keeps_to_itself(page: &Answer) {
    let policy = page.header("content-security-policy").unwrap_or_else(|| panic!("no policy: {page}"));
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page}");
    let html = page.text();
    assert!(!html.contains("<script") && !html.contains("http-equiv") && !html.contains(" src="), "{page}");
    assert!(html.contains("name=\"viewport\"") && html.starts_with("<!doctype html>"), "{page}");
}

#[test]
fn the_consent_page_says_who_wants_what_and_loads_nothing() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(SHOP, &[]));
    keeps_to_itself(&page);
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.contains("form-action 'self' https://shop.example;"), "{policy}");
    for shown in ["Shop connector", ALICE, "shop.example", "name=\"decision\"", "value=\"deny\""] {
        assert!(page.text().contains(shown), "{shown}: {page}");
    }
}

#[test]
fn the_pages_speak_the_users_language() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    for (language, lang, allow) in [
        ("de-AT,en;q=0.5", "de", "Erlauben"),
        ("fr", "fr", "Autoriser"),
        ("es-MX", "es", "Permitir"),
        ("hi", "en", "Allow"),
    ] {
        browser.language = language;
        let page = browser.get(&authorize_url(SHOP, &[]));
        assert!(page.text().contains(&format!("<html lang=\"{lang}\">")), "{language}: {page}");
        assert!(page.text().contains(allow), "{language}: {page}");
    }
    let page = browser.get(&authorize_url(SHOP, &[("ui_locales", "fr-CA en")]));
    assert!(page.text().contains("Autoriser"), "{page}");
}

#[test]
fn an_error_that_must_not_reach_the_client_is_a_page_or_json_by_accept() {
    let gateway = TestGateway::start();
    let url = authorize_url(SHOP, &[("redirect_uri", "https://evil.example/<script>")]);
    let page = gateway.without_upstream("a page", || gateway.send(&Request::get(&url).html()));
    assert_eq!(page.status, 400, "{page}");
    keeps_to_itself(&page);
    assert!(!page.text().contains("evil.example"), "{page}");
    let json = gateway.get(&url);
    assert_eq!((json.status, json.error().as_str()), (400, "invalid_request"));
    assert_eq!(json.header("cache-control"), Some("no-store"));
}
