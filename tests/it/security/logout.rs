//! The end session endpoint leads nowhere that it was not told of, and ends nothing on anybody's word but the user's or its own.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use crate::{
    standin::ALICE,
    support::{Answer, Browser, Client, ES256, METHOD, SHOP, Setup, TestGateway, Tokens, claims, header, pause, query},
};

const BYE: &str = "https://shop.example/bye";

fn setup() -> Setup {
    Setup::new().without_client(SHOP.id).client(&format!(
        "id = 'shop'\nname = 'Shop connector'\nsecret = '{}'\nredirect_uris = ['{}']\npost_logout_redirect_uris = ['{BYE}']",
        SHOP.secret, SHOP.redirect_uri
    ))
}

fn hint_for(gateway: &TestGateway, browser: &mut Browser<'_>, client: Client) -> String {
    let code = browser.code(client, &[]);
    Tokens::of(&gateway.exchange(client, &code, &[])).id_token
}

fn log_out(browser: &mut Browser<'_>, pairs: &[(&str, &str)]) -> Answer {
    browser.get(&format!("{METHOD}end_session?{}", query(pairs)))
}

fn is_logged_in(browser: &mut Browser<'_>) -> bool {
    browser.get("/api/method/frappe.auth.get_logged_user").status == 200
}

/// A page of ours, 400, that leads nowhere; the login session goes on.
fn is_refused(what: &str, browser: &mut Browser<'_>, answer: &Answer) {
    assert_eq!((answer.status, answer.header("location")), (400, None), "{what}: {answer}");
    assert!(is_logged_in(browser), "{what}");
}

/// T72
#[test]
fn a_hint_that_is_not_ours_or_not_this_clients_ends_nothing() {
    let gateway = setup().start();
    let mut browser = Browser::of(&gateway, ALICE);
    let good = hint_for(&gateway, &mut browser, SHOP);
    let foreign = hint_for(&gateway, &mut browser, ES256);
    let parts: Vec<_> = good.split('.').collect();
    let without_signature =
        |alg: &str| format!("{}.{}.", URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{alg}"}}"#)), parts[1]);
    let signed = |key: &[u8]| {
        let mut head = Header::new(Algorithm::HS256);
        head.kid = header(&good)["kid"].as_str().map(str::to_owned);
        jsonwebtoken::encode(&head, &claims(&good), &EncodingKey::from_secret(key)).expect("a JWT")
    };
    let jwks = gateway.get("/.well-known/jwks.json").text();
    let other_user = URL_SAFE_NO_PAD.encode(claims(&good).to_string().replace("\"sub\":\"", "\"sub\":\"x"));
    let hints = [
        ("alg none", without_signature("none")),
        ("alg None", without_signature("None")),
        ("no alg", format!("{}.{}.{}", URL_SAFE_NO_PAD.encode("{}"), parts[1], parts[2])),
        ("the client's secret as key", signed(SHOP.secret.as_bytes())),
        ("the published keys as key", signed(jwks.as_bytes())),
        ("other claims", format!("{}.{other_user}.{}", parts[0], parts[2])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("junk", "junk".to_owned()),
    ];
    for (what, hint) in &hints {
        for with_client in [&[("client_id", SHOP.id)][..], &[]] {
            let pairs = [&[("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE)], with_client].concat();
            let answer = log_out(&mut browser, &pairs);
            is_refused(what, &mut browser, &answer);
        }
    }
    // Another client's, told apart by `client_id` or by the address.
    for pairs in [
        [("id_token_hint", foreign.as_str()), ("client_id", SHOP.id)],
        [("id_token_hint", foreign.as_str()), ("post_logout_redirect_uri", BYE)],
        [("id_token_hint", good.as_str()), ("client_id", ES256.id)],
        [("id_token_hint", good.as_str()), ("client_id", "unknown")],
    ] {
        let answer = log_out(&mut browser, &pairs);
        is_refused("another client's", &mut browser, &answer);
    }
    let answer = log_out(&mut browser, &[("id_token_hint", &good), ("post_logout_redirect_uri", BYE)]);
    assert_eq!((answer.status, answer.location()), (302, BYE));
    assert!(!is_logged_in(&mut browser));
}

/// T72
#[test]
fn an_expired_id_token_of_ours_is_a_hint_and_an_expired_one_of_others_is_none() {
    let gateway = setup().set("tokens.access_ttl", "1s").start();
    let mut browser = Browser::of(&gateway, ALICE);
    let hint = hint_for(&gateway, &mut browser, SHOP);
    let told = claims(&hint);
    assert!(told["exp"].as_u64() <= told["iat"].as_u64().map(|issued| issued + 1), "{told}");
    pause(std::time::Duration::from_millis(2100));
    let parts: Vec<_> = hint.split('.').collect();
    let forged = format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode([7; 256]));
    let answer = log_out(&mut browser, &[("id_token_hint", &forged)]);
    is_refused("an expired one that is not ours", &mut browser, &answer);
    let answer = log_out(&mut browser, &[("id_token_hint", &hint), ("post_logout_redirect_uri", BYE)]);
    assert_eq!((answer.status, answer.location()), (302, BYE));
    assert!(!is_logged_in(&mut browser));
}

/// T72
#[test]
fn an_address_that_is_not_the_clients_byte_for_byte_is_a_page() {
    let gateway = setup().start();
    let mut browser = Browser::of(&gateway, ALICE);
    let hint = hint_for(&gateway, &mut browser, SHOP);
    for address in [
        "https://shop.example/bye/",
        "https://shop.example/bye?x=1",
        "https://shop.example/bye#x",
        "https://shop.example/BYE",
        "https://SHOP.example/bye",
        "https://shop.example:443/bye",
        "https://shop.example/bye/../bye",
        "https://shop.example.evil.example/bye",
        "https://shop.example@evil.example/bye",
        "http://shop.example/bye",
        "//evil.example/bye",
        "/bye",
        "javascript:alert(1)",
        SHOP.redirect_uri,
    ] {
        for named in [("id_token_hint", hint.as_str()), ("client_id", SHOP.id)] {
            let answer = log_out(&mut browser, &[named, ("post_logout_redirect_uri", address), ("state", "s1")]);
            is_refused(address, &mut browser, &answer);
            assert!(!answer.text().contains("evil.example"), "{address}: {answer}");
        }
    }
}

/// T72
#[test]
fn a_get_without_a_hint_asks_and_its_question_cannot_be_answered_for_the_user() {
    let gateway = setup().start();
    let mut browser = Browser::of(&gateway, ALICE);
    for pairs in
        [&[][..], &[("client_id", SHOP.id), ("post_logout_redirect_uri", BYE)], &[("post_logout_redirect_uri", BYE)]]
    {
        let page = log_out(&mut browser, pairs);
        assert_eq!((page.status, page.header("location")), (200, None), "{page}");
        assert!(page.text().contains("value=\"logout\""), "{page}");
        let policy = page.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("frame-ancestors 'none'"), "{page}");
        assert!(is_logged_in(&mut browser));
    }
    let page = log_out(&mut browser, &[("client_id", SHOP.id)]);
    // Another browser's page, a token that was guessed, another site's form.
    let mut other = Browser::of(&gateway, ALICE);
    assert_eq!(other.decide(&page, "logout").status, 403);
    let handle = crate::support::hidden(&page, "handle");
    let path = format!("{METHOD}end_session");
    let guessed = [("handle", handle.as_str()), ("token", "x"), ("decision", "logout")];
    assert_eq!(browser.post(&path, &guessed).status, 403);
    let token = crate::support::hidden(&page, "token");
    let form = [("handle", handle.as_str()), ("token", token.as_str()), ("decision", "logout")];
    let foreign = crate::support::Request::form(&path, &form).header("Origin", "https://evil.example");
    assert_eq!(browser.send(foreign).status, 403);
    assert!(is_logged_in(&mut browser) && is_logged_in(&mut other));
}
