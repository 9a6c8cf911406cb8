//! *Connected applications*: what a user sees, and ends.

use crate::{
    standin::{ALICE, BOB},
    support::{Answer, Browser, ES256, METHOD, Request, SHOP, Setup, TestGateway, Tokens, authorize_url, query, until},
};

fn path() -> String {
    format!("{METHOD}connected_apps")
}

fn shown(browser: &mut Browser<'_>) -> Answer {
    let page = browser.get(&path());
    assert_eq!(page.status, 200, "{page}");
    page
}

fn granted(gateway: &TestGateway, browser: &mut Browser<'_>) -> Tokens {
    let code = browser.code(SHOP, &[]);
    Tokens::of(&gateway.exchange(SHOP, &code, &[]))
}

/// The token of the form that ends a client's access.
fn token_for(page: &Answer, client: &str) -> String {
    let html = page.text();
    let start = format!("name=\"client\" value=\"{client}\"");
    let at = html.find(&start).unwrap_or_else(|| panic!("no {client}: {page}"));
    let rest = &html[at..];
    let at = rest.find("name=\"token\" value=\"").expect("a token") + "name=\"token\" value=\"".len();
    rest[at..].split('"').next().expect("its end").to_owned()
}

#[test]
fn a_user_sees_the_applications_and_ends_the_access_of_one() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    assert!(shown(&mut browser).text().contains("No application"), "nothing yet");
    let (first, second) = (granted(&gateway, &mut browser), granted(&gateway, &mut browser));
    let code = browser.code(ES256, &[]);
    let other = Tokens::of(&gateway.exchange(ES256, &code, &[]));
    let mut bob = Browser::of(&gateway, BOB);
    let bobs = granted(&gateway, &mut bob);
    let page = shown(&mut browser);
    let html = page.text();
    for part in ["Shop connector", "es256", ALICE, "Access since 20", "Not used lately", "do everything on"] {
        assert!(html.contains(part), "{part}: {page}");
    }
    assert_eq!(html.matches("<section>").count(), 2, "one entry for an application: {page}");
    assert!(!html.contains(BOB), "{page}");
    gateway.acts_as(&first.access, ALICE);
    let token = token_for(&page, SHOP.id);
    let answer = browser.post(&path(), &[("client", SHOP.id), ("token", &token)]);
    assert_eq!((answer.status, answer.location()), (303, format!("{}{}", gateway.url(), path()).as_str()), "{answer}");
    for (what, tokens) in [("the first", &first), ("the second", &second)] {
        gateway.refuses(what, &tokens.access);
        assert_eq!(gateway.refresh(SHOP, &tokens.refresh, &[]).error(), "invalid_grant");
    }
    gateway.acts_as(&other.access, ALICE);
    gateway.acts_as(&bobs.access, BOB);
    let page = shown(&mut browser);
    assert!(!page.text().contains("Shop connector") && page.text().contains("es256"), "{page}");
    assert!(browser.get(&authorize_url(SHOP, &[])).text().contains("value=\"allow\""), "the consent is forgotten");
}

#[test]
fn a_remembered_consent_alone_is_shown_too_and_can_be_forgotten() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let tokens = granted(&gateway, &mut browser);
    gateway.revoke(SHOP, &tokens.refresh);
    let page = shown(&mut browser);
    assert!(page.text().contains("without asking you"), "{page}");
    let token = token_for(&page, SHOP.id);
    browser.post(&path(), &[("client", SHOP.id), ("token", &token)]);
    assert!(shown(&mut browser).text().contains("No application"));
    assert!(browser.get(&authorize_url(SHOP, &[])).text().contains("value=\"allow\""));
}

#[test]
fn whoever_is_not_logged_in_is_sent_to_the_login_page_and_back() {
    let gateway = TestGateway::start();
    let answer = Browser::new(&gateway).get(&path());
    assert_eq!(answer.status, 302, "{answer}");
    assert_eq!(answer.parameter("redirect-to"), Some(format!("{}{}", gateway.url(), path())));
    let gateway = Setup::new().set("login.page", "gateway").start();
    let mut browser = Browser::new(&gateway);
    let answer = browser.get(&path());
    let page = browser.get(answer.location());
    assert!(page.text().contains("type=\"password\"") && !page.text().contains("name=\"handle\""), "{page}");
    let token = crate::support::hidden(&page, "token");
    let form = [("token", token.as_str()), ("usr", ALICE), ("pwd", crate::standin::ALICE_PASSWORD)];
    let answer = browser.post(&format!("{METHOD}login"), &form);
    assert_eq!((answer.status, answer.location()), (303, format!("{}{}", gateway.url(), path()).as_str()), "{answer}");
    shown(&mut browser);
}

/// T25: what ends an access is bound to the login session and the application that it was shown for.
#[test]
fn an_access_ends_only_by_the_form_that_its_user_was_shown() {
    let gateway = TestGateway::start();
    let (mut alice, mut bob) = (Browser::of(&gateway, ALICE), Browser::of(&gateway, BOB));
    let (hers, his) = (granted(&gateway, &mut alice), granted(&gateway, &mut bob));
    let token = token_for(&shown(&mut alice), SHOP.id);
    let form = |client, token| [("client", client), ("token", token)];
    for (what, answer) in [
        ("no token", alice.post(&path(), &form(SHOP.id, ""))),
        ("another application", alice.post(&path(), &form(ES256.id, &token))),
        ("another login session", bob.post(&path(), &form(SHOP.id, &token))),
        ("nobody", Browser::new(&gateway).post(&path(), &form(SHOP.id, &token))),
        (
            "another site",
            alice.send(Request::form(&path(), &form(SHOP.id, &token)).header("Origin", "https://evil.example")),
        ),
    ] {
        assert_eq!(answer.status, 403, "{what}: {answer}");
    }
    assert_eq!(alice.get(&format!("{}?{}", path(), query(&form(SHOP.id, &token)))).status, 200, "a GET ends nothing");
    gateway.acts_as(&hers.access, ALICE);
    gateway.acts_as(&his.access, BOB);
}

#[test]
fn the_last_use_is_told_once_it_is_written() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let tokens = granted(&gateway, &mut browser);
    gateway.acts_as(&tokens.access, ALICE);
    until("the use is written", || shown(&mut browser).text().contains("Last used on 20").then_some(()));
}
