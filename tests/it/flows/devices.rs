//! The device authorization grant (RFC 8628), from the device's request to its tokens.

use rusqlite::Connection;

use crate::{
    standin::{ALICE, ALICE_PASSWORD, BOB},
    support::{
        Answer, Browser, DEVICE_GRANT, Device, METHOD, SHOP, Setup, TV, TV_BLOCK, TestGateway, Tokens, claims, hidden,
        until,
    },
};

fn start() -> TestGateway {
    Setup::new().client(TV_BLOCK).start()
}

fn is_error(answer: &Answer, code: &str) {
    assert_eq!((answer.status, answer.error().as_str()), (400, code), "{answer}");
}

fn allow(browser: &mut Browser<'_>, device: &Device) {
    let page = browser.type_code(&device.user_code);
    let page = browser.decide_device(&page, "allow");
    assert!(page.status == 200 && page.text().contains("The device has access"), "{page}");
}

#[test]
fn a_device_gets_tokens_once_its_user_has_typed_the_code_and_allowed_it() {
    let gateway = start();
    let device = Device::ask(&gateway, TV, &[("scope", "all openid")]);
    let url = format!("{}{METHOD}device", gateway.url());
    assert_eq!(device.body["verification_uri"], url);
    assert_eq!(device.body["verification_uri_complete"], format!("{url}?user_code={}", device.user_code));
    assert_eq!((device.body["expires_in"].as_u64(), device.body["interval"].as_u64()), (Some(600), Some(5)));
    assert!(device.code.starts_with("emp_dc_"), "{}", device.body);
    is_error(&device.poll(&gateway, TV), "authorization_pending");
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.type_code(&device.user_code.to_lowercase().replace('-', " "));
    let html = page.text();
    for part in ["Living room asks for access to", ALICE, "do everything on", &device.user_code, "value=\"deny\""] {
        assert!(html.contains(part), "{part}: {page}");
    }
    assert!(!html.contains("<script"), "{page}");
    browser.decide_device(&page, "allow");
    let tokens = Tokens::of(&device.poll(&gateway, TV));
    assert_eq!(tokens.body["scope"], "all openid");
    gateway.acts_as(&tokens.access, ALICE);
    let id_token = claims(&tokens.id_token);
    assert_eq!((&id_token["aud"], &id_token["email"]), (&TV.id.into(), &ALICE.into()));
    assert!(id_token["auth_time"].is_u64() && id_token.get("nonce").is_none(), "{id_token}");
    let again = Tokens::of(&gateway.refresh(TV, &tokens.refresh, &[]));
    gateway.acts_as(&again.access, ALICE);
    let page = browser.get(&format!("{METHOD}connected_apps"));
    assert!(page.text().contains("Living room"), "it is shown, and can be ended: {page}");
}

#[test]
fn a_device_that_is_denied_gets_nothing() {
    let gateway = start();
    let device = Device::ask(&gateway, TV, &[]);
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.type_code(&device.user_code);
    let page = browser.decide_device(&page, "deny");
    assert!(page.text().contains("The device has no access"), "{page}");
    is_error(&device.poll(&gateway, TV), "access_denied");
    is_error(&device.poll(&gateway, TV), "invalid_grant");
    assert_eq!(browser.type_code(&device.user_code).status, 400, "the code is used up");
}

#[test]
fn codes_that_have_expired_are_good_for_nothing() {
    let gateway = start();
    let (waiting, allowed) = (Device::ask(&gateway, TV, &[]), Device::ask(&gateway, TV, &[]));
    let mut browser = Browser::of(&gateway, ALICE);
    allow(&mut browser, &allowed);
    let page = browser.type_code(&waiting.user_code);
    let store = Connection::open(gateway.folder().join("empress.db")).expect("opened");
    store.execute("UPDATE devices SET expires_at = 1", []).expect("changed");
    is_error(&waiting.poll(&gateway, TV), "expired_token");
    is_error(&allowed.poll(&gateway, TV), "expired_token");
    assert_eq!(browser.decide_device(&page, "allow").status, 403);
    let page = browser.type_code(&waiting.user_code);
    assert!(page.status == 400 && page.text().contains("has expired"), "{page}");
}

#[test]
fn a_link_with_the_code_fills_the_form_and_decides_nothing() {
    let gateway = start();
    let device = Device::ask(&gateway, TV, &[]);
    let link = device.body["verification_uri_complete"].as_str().expect("a link").to_owned();
    let mut browser = Browser::new(&gateway);
    let answer = browser.get(&link);
    assert_eq!((answer.status, answer.parameter("redirect-to")), (302, Some(link.clone())), "{answer}");
    browser.login(ALICE);
    let page = browser.get(&link);
    assert!(page.text().contains(&format!("value=\"{}\"", device.user_code)), "{page}");
    assert!(!page.text().contains("Living room") && !page.text().contains("value=\"allow\""), "{page}");
    is_error(&device.poll(&gateway, TV), "authorization_pending");
}

#[test]
fn the_gateways_own_login_page_leads_back_to_the_code() {
    let gateway = Setup::new().client(TV_BLOCK).set("login.page", "gateway").start();
    let device = Device::ask(&gateway, TV, &[]);
    let link = device.body["verification_uri_complete"].as_str().expect("a link").to_owned();
    for (link, code) in [(format!("{}{METHOD}device", gateway.url()), ""), (link, device.user_code.as_str())] {
        let mut browser = Browser::new(&gateway);
        let answer = browser.get(&link);
        let page = browser.get(answer.location());
        assert_eq!(hidden(&page, "device"), code);
        let token = hidden(&page, "token");
        let form = [("device", code), ("token", token.as_str()), ("usr", ALICE), ("pwd", ALICE_PASSWORD)];
        let answer = browser.post(&format!("{METHOD}login"), &form);
        assert_eq!((answer.status, answer.location()), (303, link.as_str()), "{answer}");
        assert!(browser.get(&link).text().contains("name=\"user_code\""));
    }
}

#[test]
fn a_device_asks_for_scopes_and_a_grant_that_its_client_has() {
    let gateway = start();
    let ask = |client, form: &[(&str, &str)]| gateway.as_client(client, "device_authorization", form);
    is_error(&ask(SHOP, &[]), "unauthorized_client");
    is_error(&ask(TV, &[("scope", "read:Customer")]), "invalid_scope");
    let wrong = ask(SHOP.with_secret("wrong"), &[]);
    assert_eq!((wrong.status, wrong.error().as_str()), (401, "invalid_client"));
    is_error(&gateway.as_client(TV, "get_token", &[("grant_type", DEVICE_GRANT)]), "invalid_request");
    is_error(
        &gateway.as_client(TV, "get_token", &[("grant_type", DEVICE_GRANT), ("device_code", "x")]),
        "invalid_grant",
    );
    is_error(&gateway.as_client(SHOP, "get_token", &[("grant_type", DEVICE_GRANT)]), "unauthorized_client");
    let narrow = Device::ask(&gateway, TV, &[("scope", "openid")]);
    allow(&mut Browser::of(&gateway, ALICE), &narrow);
    assert_eq!(Tokens::of(&narrow.poll(&gateway, TV)).body["scope"], "openid");
}

#[test]
fn only_users_who_may_use_the_client_can_allow_it_and_still_must_when_it_takes_the_tokens() {
    let block = format!("{TV_BLOCK}\nallowed_roles = ['System Manager']");
    let gateway = Setup::new().client(&block).set("erpnext.user_ttl", "1s").start();
    let (first, second) = (Device::ask(&gateway, TV, &[]), Device::ask(&gateway, TV, &[]));
    let answer = Browser::of(&gateway, BOB).type_code(&first.user_code);
    assert_eq!(answer.status, 403, "{answer}");
    let mut alice = Browser::of(&gateway, ALICE);
    let page = alice.type_code(&second.user_code);
    allow(&mut alice, &first);
    gateway.standin.set_roles(ALICE, &["Sales User"]);
    until("the role is known as gone", || (alice.type_code(&second.user_code).status == 403).then_some(()));
    assert_eq!(alice.decide_device(&page, "allow").status, 403);
    is_error(&first.poll(&gateway, TV), "invalid_grant");
}
