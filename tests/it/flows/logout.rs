//! Logout: by the client, by ERPNext's own page, and what ends with a login session.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::{
    standin::{ALICE, BOB, Failure},
    support::{
        APP, Answer, Browser, Client, METHOD, Receiver, SHOP, Setup, TestGateway, Tokens, authorize_url, claims,
        claims_by_jwks, header, parameters, query, until,
    },
};

const BYE: &str = "https://shop.example/bye?from=erp";
const SECRET: &str = "canary-secret-of-the-other-0123456789";
/// Asks for all of it: its grants end with the login session.
const BOUND: Client = SHOP.named("bound", "https://bound.example/cb").with_secret(SECRET);

/// The shop may be left for [`BYE`] and is told of logouts, as is the other client.
fn setup(receiver: &Receiver) -> Setup {
    let (shop, bound) = (receiver.url("/shop"), receiver.url("/bound"));
    Setup::new()
        .without_client(SHOP.id)
        .client(&format!(
            "id = 'shop'\nname = 'Shop connector'\nsecret = '{}'\nredirect_uris = ['{}']\n\
             post_logout_redirect_uris = ['{BYE}']\nbackchannel_logout_uri = '{shop}'",
            SHOP.secret, SHOP.redirect_uri
        ))
        .client(&format!(
            "id = 'bound'\nsecret = '{SECRET}'\nredirect_uris = ['{}']\n\
             backchannel_logout_uri = '{bound}'\nends_with_login = true",
            BOUND.redirect_uri
        ))
}

fn end_session(pairs: &[(&str, &str)]) -> String {
    format!("{METHOD}end_session?{}", query(pairs))
}

fn tokens(gateway: &TestGateway, browser: &mut Browser<'_>, client: Client, scope: &str) -> Tokens {
    let code = browser.code(client, &[("scope", scope)]);
    Tokens::of(&gateway.exchange(client, &code, &[]))
}

fn is_logged_in(browser: &mut Browser<'_>) -> bool {
    browser.get("/api/method/frappe.auth.get_logged_user").status == 200
}

fn is_question(page: &Answer) -> bool {
    page.status == 200 && page.text().contains("value=\"logout\"")
}

#[test]
fn a_client_with_a_hint_logs_the_user_out_and_gets_the_browser_back() {
    let receiver = Receiver::start();
    let gateway = setup(&receiver).start();
    let mut browser = Browser::of(&gateway, ALICE);
    let online = tokens(&gateway, &mut browser, SHOP, "openid all");
    let offline = tokens(&gateway, &mut browser, SHOP, "openid all offline_access");
    let mut elsewhere = Browser::of(&gateway, ALICE);
    let other = tokens(&gateway, &mut elsewhere, SHOP, "openid all");
    let sessions = gateway.standin.sessions().len();
    let hint = [("id_token_hint", online.id_token.as_str()), ("post_logout_redirect_uri", BYE), ("state", "a&b ü")];
    let answer = browser.get(&end_session(&hint));
    assert_eq!((answer.status, answer.location()), (302, format!("{BYE}&state=a%26b%20%C3%BC").as_str()), "{answer}");
    assert_eq!(gateway.standin.sessions().len(), sessions - 1, "ERPNext's login session has ended");
    assert!(!browser.cookies.contains_key("sid"), "and the browser has forgotten it");
    assert!(!is_logged_in(&mut browser) && is_logged_in(&mut elsewhere));
    gateway.refuses("a grant of the login session", &online.access);
    assert_eq!(gateway.refresh(SHOP, &online.refresh, &[]).error(), "invalid_grant");
    gateway.acts_as(&offline.access, ALICE);
    gateway.acts_as(&other.access, ALICE);
    // The same again: nobody is logged in, the browser goes back at once.
    let answer = browser.get(&end_session(&hint));
    assert_eq!(answer.status, 302, "{answer}");
}

#[test]
fn a_logout_may_be_posted_and_the_login_session_is_found_by_the_get_that_follows() {
    let receiver = Receiver::start();
    let gateway = setup(&receiver).start();
    let mut browser = Browser::of(&gateway, ALICE);
    let hint = tokens(&gateway, &mut browser, SHOP, "openid").id_token;
    // Another site's form: no cookie of ERPNext's comes with it (SameSite=Lax).
    let form = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE), ("state", "s1")];
    let mut without = Browser::new(&gateway);
    let answer = without.post(&format!("{METHOD}end_session"), &form);
    assert_eq!(answer.status, 303, "{answer}");
    let again = answer.location();
    assert!(again.starts_with(&gateway.url()) && !again.contains("hint"), "{again}");
    let answer = browser.get(again);
    assert_eq!((answer.status, answer.location()), (302, format!("{BYE}&state=s1").as_str()), "{answer}");
    assert!(!is_logged_in(&mut browser));
    assert_eq!(browser.get(again).status, 400, "it is used up");
}

#[test]
fn without_a_hint_the_user_is_asked_and_may_stay() {
    let receiver = Receiver::start();
    let gateway = setup(&receiver).start();
    let mut browser = Browser::of(&gateway, ALICE);
    let named = [("client_id", SHOP.id), ("post_logout_redirect_uri", BYE), ("state", "s1")];
    let page = browser.get(&end_session(&named));
    assert!(is_question(&page) && page.text().contains(ALICE) && page.text().contains("Shop connector"), "{page}");
    let stayed = browser.decide(&page, "stay");
    assert_eq!(stayed.status, 200, "{stayed}");
    assert!(is_logged_in(&mut browser));
    assert_eq!(browser.decide(&page, "logout").status, 403, "the question is answered");
    let page = browser.get(&end_session(&named));
    let answer = browser.decide(&page, "logout");
    assert_eq!((answer.status, answer.location()), (303, format!("{BYE}&state=s1").as_str()), "{answer}");
    assert!(!is_logged_in(&mut browser));
    // The hint names somebody else than the one who has logged in.
    let mut bob = Browser::of(&gateway, BOB);
    let hint = tokens(&gateway, &mut bob, SHOP, "openid").id_token;
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&end_session(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE)]));
    assert!(is_question(&page) && page.text().contains(ALICE), "{page}");
    assert!(is_logged_in(&mut browser));
    // With nothing at all there is nowhere to go afterwards.
    let page = browser.get(&end_session(&[]));
    assert!(is_question(&page), "{page}");
    let answer = browser.decide(&page, "logout");
    assert_eq!(answer.status, 200, "{answer}");
    assert!(!is_logged_in(&mut browser));
}

fn logout_token(receiver: &Receiver, path: &str) -> String {
    until("the client is told", || {
        let posted = receiver.posted();
        let posted = posted.iter().find(|posted| posted.head.starts_with(&format!("POST {path} ")))?;
        assert!(posted.head.to_lowercase().contains("content-type: application/x-www-form-urlencoded"), "{posted:?}");
        let form = parameters(&posted.body);
        assert_eq!(form.len(), 1, "{form:?}");
        Some(form[0].1.clone())
    })
}

fn is_logout_token(gateway: &TestGateway, token: &str, client: Client, id_token: &Value) {
    let head = header(token);
    assert_eq!(head["typ"], "logout+jwt", "{head}");
    let told = claims_by_jwks(gateway, client, Algorithm::RS256, token);
    assert_eq!((&told["sub"], &told["sid"]), (&id_token["sub"], &id_token["sid"]), "{told}");
    assert_eq!(told["events"], json!({"http://schemas.openid.net/event/backchannel-logout": {}}));
    assert!(told.get("nonce").is_none() && told["jti"].is_string() && told["iat"].is_u64(), "{told}");
}

#[test]
fn the_clients_of_a_login_session_are_told_of_its_end() {
    let receiver = Receiver::start();
    let gateway = setup(&receiver).start();
    let mut browser = Browser::of(&gateway, ALICE);
    let shop = tokens(&gateway, &mut browser, SHOP, "openid");
    let bound = tokens(&gateway, &mut browser, BOUND, "openid");
    tokens(&gateway, &mut browser, APP, "openid");
    browser.get(&end_session(&[("id_token_hint", &shop.id_token)]));
    for (path, client, tokens) in [("/shop", SHOP, &shop), ("/bound", BOUND, &bound)] {
        let token = logout_token(&receiver, path);
        is_logout_token(&gateway, &token, client, &claims(&tokens.id_token));
        // It is no id_token, though the same key has signed it for the same client.
        let answer = browser.get(&end_session(&[("id_token_hint", &token)]));
        assert!(answer.status == 400 && answer.header("location").is_none(), "{answer}");
    }
    until("both are told", || (gateway.metric("empress_logout_notices_total{outcome=\"told\"}") >= 2.0).then_some(()));
    assert_eq!(receiver.posted().len(), 2, "each once");
}

#[test]
fn a_client_that_does_not_take_it_is_told_again_also_after_a_restart() {
    let receiver = Receiver::start();
    let mut gateway = setup(&receiver).start();
    receiver.answer(503);
    let mut browser = Browser::of(&gateway, ALICE);
    let shop = tokens(&gateway, &mut browser, SHOP, "openid");
    browser.get(&end_session(&[("id_token_hint", &shop.id_token)]));
    let first = logout_token(&receiver, "/shop");
    gateway.restart();
    receiver.answer(200);
    let posted = until("it is told again", || {
        let posted = receiver.posted();
        (posted.len() > 1).then_some(posted)
    });
    let second = parameters(&posted.last().expect("it was told again").body)[0].1.clone();
    is_logout_token(&gateway, &second, SHOP, &claims(&shop.id_token));
    assert_ne!(claims(&first)["jti"], claims(&second)["jti"]);
}

#[test]
fn a_logout_in_erpnext_ends_the_grants_of_clients_that_ask_for_it() {
    let receiver = Receiver::start();
    let gateway = setup(&receiver).start();
    let mut browser = Browser::of(&gateway, ALICE);
    let shop = tokens(&gateway, &mut browser, SHOP, "openid all");
    let bound = tokens(&gateway, &mut browser, BOUND, "openid all");
    let offline = tokens(&gateway, &mut browser, BOUND, "openid all offline_access");
    assert_eq!(browser.get("/api/method/logout").status, 200);
    gateway.refuses("a grant that ends with the login session", &bound.access);
    gateway.acts_as(&shop.access, ALICE);
    gateway.acts_as(&offline.access, ALICE);
    logout_token(&receiver, "/shop");
    logout_token(&receiver, "/bound");
}

#[test]
fn a_code_is_worth_nothing_after_the_logout() {
    let receiver = Receiver::start();
    let gateway = setup(&receiver).start();
    let mut browser = Browser::of(&gateway, ALICE);
    let hint = tokens(&gateway, &mut browser, SHOP, "openid").id_token;
    let code = browser.authorize(SHOP, &[]).parameter("code").expect("a code");
    browser.get(&end_session(&[("id_token_hint", &hint)]));
    let tokens = Tokens::of(&gateway.exchange(SHOP, &code, &[]));
    gateway.refuses("a token of a code from before the logout", &tokens.access);
    assert_eq!(gateway.refresh(SHOP, &tokens.refresh, &[]).error(), "invalid_grant");
}

#[test]
fn with_erpnext_away_a_logout_is_503_and_can_be_tried_again() {
    let receiver = Receiver::start();
    let gateway = setup(&receiver).start();
    let mut browser = Browser::of(&gateway, ALICE);
    let hint = tokens(&gateway, &mut browser, SHOP, "openid").id_token;
    let out = end_session(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE)]);
    gateway.standin.fail(Failure::Refuse);
    assert_eq!(browser.get(&out).status, 503);
    gateway.standin.heal();
    let answer = until("ERPNext is back", || Some(browser.get(&out)).filter(|answer| answer.status == 302));
    assert_eq!(answer.location(), BYE);
    assert!(!is_logged_in(&mut browser));
    assert!(browser.get(&authorize_url(SHOP, &[])).location().contains("/login?"), "and a new login is asked for");
}
