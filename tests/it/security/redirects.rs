//! Redirect URIs: T18 to T20.

use crate::{
    standin::ALICE,
    support::{APP, Browser, SHOP, TestGateway, Tokens, authorize_url},
};

fn is_error_page(browser: &mut Browser<'_>, client: crate::support::Client, uri: &str) {
    let answer = browser.get(&authorize_url(client, &[("redirect_uri", uri)]));
    assert_eq!(answer.status, 400, "{uri}: {answer}");
    assert!(answer.header("location").is_none(), "{uri}: {answer}");
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{uri}: {answer}");
}

/// T18
#[test]
fn a_uri_that_only_resembles_a_registered_one_is_an_error_page() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    for uri in [
        "https://shop.example.evil.com/cb",
        "https://shop.example/cb/../x",
        "https://shop.example/cb?x=1",
        "https://shop.example/cb#f",
        "https://shop.example/cb/",
        "https://SHOP.example/cb",
        "HTTPS://shop.example/cb",
        "https://shop.example@evil.com/cb",
        "https://shop.example:443/cb",
        "https://shop.example/c%62",
        "http://shop.example/cb",
        "https://shop.example/cb\u{0}",
        " https://shop.example/cb",
        "https://shop.example",
        "https://client.example/cb",
    ] {
        is_error_page(&mut browser, SHOP, uri);
    }
}

/// T19
#[test]
fn a_uri_that_leads_elsewhere_by_its_form_is_an_error_page() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    for uri in [
        "//evil.com",
        "/\\evil.com",
        "https:evil.com",
        "\t//evil",
        "javascript:alert(1)",
        "data:text/html,x",
        "/cb",
        "cb",
        "\r\nSet-Cookie: a=b",
    ] {
        is_error_page(&mut browser, SHOP, uri);
        is_error_page(&mut browser, APP, uri);
    }
}

/// T20
#[test]
fn a_loopback_uri_matches_on_any_port_and_nothing_else_does() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let uri = "http://127.0.0.1:51515/cb";
    let page = browser.get(&authorize_url(APP, &[("redirect_uri", uri)]));
    let answer = browser.decide(&page, "allow");
    assert!(answer.location().starts_with("http://127.0.0.1:51515/cb?code="), "{answer}");
    let code = answer.parameter("code").expect("a code");
    Tokens::of(&gateway.exchange(APP, &code, &[("redirect_uri", uri)]));
    // The token request repeats the very port.
    let code = browser.code(APP, &[("redirect_uri", uri)]);
    assert_eq!(gateway.exchange(APP, &code, &[("redirect_uri", "http://127.0.0.1:51516/cb")]).error(), "invalid_grant");
    for uri in [
        "http://localhost.evil/cb",
        "http://localhost:51515/cb",
        "http://127.0.0.1.evil/cb",
        "http://127.0.0.1:80@evil/cb",
        "http://[::1]@evil/cb",
        "http://[::1]:51515/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:99999/cb",
        "http://127.0.0.1:51515/cb/",
        "http://127.0.0.1:51515/other2",
        "https://127.0.0.1:51515/cb",
        "http://127.1:51515/cb",
    ] {
        is_error_page(&mut browser, APP, uri);
    }
}
