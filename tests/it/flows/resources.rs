//! Resource indicators (RFC 8707): tokens for a part of the site.

use serde_json::json;

use crate::{
    standin::ALICE,
    support::{
        APP, Browser, METHOD, Request, SERVICE, SHOP, Setup, TestGateway, Tokens, claims, client_request,
        exchange_request, is_invalid_token,
    },
};

const ECHO: &str = "/api/method/echo";
const WHOAMI: &str = "/api/method/frappe.auth.get_logged_user";

fn echo(gateway: &TestGateway) -> String {
    format!("{}{ECHO}", gateway.url())
}

fn refused_elsewhere(gateway: &TestGateway, what: &str, request: &Request) {
    let answer = gateway.without_upstream(what, || gateway.send(request));
    is_invalid_token(what, &answer);
    assert_eq!(answer.json()["error_description"], "The access token is for another resource.", "{what}");
}

/// T29, T61
#[test]
fn a_token_is_of_use_at_its_resource_alone() {
    let gateway = TestGateway::start();
    let resource = echo(&gateway);
    let tokens = gateway.tokens(ALICE, SHOP, &[("resource", &resource)]);
    let at = |target: &str| Request::get(target).bearer(&tokens.access);
    for good in [ECHO, "/api/method/echo/", "/api/method/echo?x=1", "//api/method/%65cho"] {
        assert_eq!(gateway.send(&at(good)).json()["message"]["user"], ALICE, "{good}");
    }
    for bad in [
        WHOAMI,
        "/api/method/echo2",
        "/api/resource/User",
        "/",
        "/api/method/echo?cmd=frappe.auth.get_logged_user",
        "/api/method/echo?%63md=frappe.auth.get_logged_user",
        "/socket.io/?EIO=4&transport=polling",
    ] {
        refused_elsewhere(&gateway, bad, &at(bad));
    }
    // Userinfo is the authorization server's own.
    assert_eq!(gateway.profile(&tokens.access).json()["email"], ALICE);
    assert_eq!(gateway.introspect(SHOP, &tokens.access)["aud"], json!([resource]));
}

#[test]
fn a_body_that_names_another_method_does_not_leave_the_resource() {
    for rules in [None, Some("path = '/api/method/echo'\nauth = 'bearer'")] {
        let setup = rules.map_or_else(Setup::new, |rule| Setup::new().route(rule));
        let gateway = setup.start();
        let tokens = gateway.tokens(ALICE, SHOP, &[("resource", &echo(&gateway))]);
        let form = [("cmd", "frappe.auth.get_logged_user")];
        refused_elsewhere(&gateway, "a form", &Request::form(ECHO, &form).bearer(&tokens.access));
        let json = Request::new("POST", ECHO).body("application/json", br#"{"cmd": "frappe.auth.get_logged_user"}"#);
        refused_elsewhere(&gateway, "JSON", &json.bearer(&tokens.access));
        let plain = Request::form(ECHO, &[("x", "1")]).bearer(&tokens.access);
        assert_eq!(gateway.send(&plain).json()["message"]["user"], ALICE);
    }
}

#[test]
fn what_was_granted_can_be_narrowed_and_not_widened() {
    let gateway = TestGateway::start();
    let (one, two) = (echo(&gateway), format!("{}{WHOAMI}", gateway.url()));
    let granted = [("resource", one.as_str()), ("resource", two.as_str())];
    let code = Browser::of(&gateway, ALICE).code(SHOP, &granted);
    let wide = format!("{}/", gateway.url());
    let tokens = Tokens::of(&gateway.exchange(SHOP, &code, &[("resource", &two)]));
    gateway.acts_as(&tokens.access, ALICE);
    refused_elsewhere(&gateway, "the other one", &Request::get(ECHO).bearer(&tokens.access));
    let answer = gateway.refresh(SHOP, &tokens.refresh, &[("resource", &wide)]);
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_target"), "{answer}");
    let both = Tokens::of(&gateway.refresh(SHOP, &tokens.refresh, &[]));
    gateway.acts_as(&both.access, ALICE);
    assert_eq!(gateway.send(&Request::get(ECHO).bearer(&both.access)).status, 200);
}

#[test]
fn who_named_none_may_ask_for_less_later() {
    let gateway = Setup::new().set("tokens.access_format", "jwt").start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    assert_eq!(claims(&tokens.access)["aud"], gateway.url());
    let narrow = gateway.refresh(SHOP, &tokens.refresh, &[("resource", &echo(&gateway))]).member("access_token");
    assert_eq!(claims(&narrow)["aud"], echo(&gateway));
    refused_elsewhere(&gateway, "elsewhere", &Request::get(WHOAMI).bearer(&narrow));
    let form = [("grant_type", "client_credentials"), ("resource", &echo(&gateway))];
    let service = gateway.as_client(SERVICE, "get_token", &form).member("access_token");
    assert_eq!(claims(&service)["aud"], echo(&gateway));
    refused_elsewhere(&gateway, "elsewhere", &Request::get(WHOAMI).bearer(&service));
    let whole = gateway.tokens(ALICE, APP, &[("resource", &format!("{}/", gateway.url()))]);
    gateway.acts_as(&whole.access, ALICE);
}

#[test]
fn what_is_no_resource_of_the_site_is_an_invalid_target() {
    let gateway = TestGateway::start();
    let fragment = format!("{}#x", echo(&gateway));
    for resource in ["https://other.example/api", "/api/method/echo", "urn:x", &fragment] {
        let answer = Browser::of(&gateway, ALICE).authorize(SHOP, &[("resource", resource)]);
        assert_eq!(answer.redirected_error(), "invalid_target", "{resource}");
        let code = Browser::of(&gateway, ALICE).code(SHOP, &[]);
        let answer = gateway.send(&exchange_request(SHOP, &code, &[("resource", resource)]));
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_target"), "{resource}");
        assert_eq!(gateway.exchange(SHOP, &code, &[]).status, 200, "the code is not used up: {resource}");
    }
    let pushed = [("response_type", "code"), ("redirect_uri", SHOP.redirect_uri), ("resource", "urn:x")];
    let answer = gateway.send(&client_request(SHOP, "pushed_authorization_request", &pushed));
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_target"), "{METHOD}: {answer}");
}
