//! id_tokens as clients check them.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::json;
use sha2::{Digest, Sha256, Sha512};

use crate::{
    standin::{ALICE, BOB},
    support::{
        Browser, EDDSA, ES256, SCOPED, SHOP, Setup, TestGateway, Tokens, authorize_url, claims, claims_by_jwks, header,
        until,
    },
};

#[test]
fn each_algorithm_is_verified_with_the_published_keys() {
    let gateway = TestGateway::start();
    let clients = [(SHOP, Algorithm::RS256), (ES256, Algorithm::ES256), (EDDSA, Algorithm::EdDSA)];
    for (client, algorithm) in clients {
        let tokens = gateway.tokens(ALICE, client, &[("nonce", "n-1")]);
        let head = header(&tokens.id_token);
        assert_eq!(head["typ"], "JWT", "{head}");
        let claims = claims_by_jwks(&gateway, client, algorithm, &tokens.id_token);
        // OpenID Connect Core §3.1.3.6: the hash of the signature's algorithm.
        let half = match algorithm {
            Algorithm::EdDSA => URL_SAFE_NO_PAD.encode(&Sha512::digest(tokens.access.as_bytes())[..32]),
            _ => URL_SAFE_NO_PAD.encode(&Sha256::digest(tokens.access.as_bytes())[..16]),
        };
        assert_eq!(claims["at_hash"], half);
        assert_eq!((&claims["azp"], &claims["nonce"]), (&client.id.into(), &"n-1".into()));
        assert_eq!(claims["exp"].as_u64().expect("exp") - claims["iat"].as_u64().expect("iat"), 3600);
        assert_eq!((&claims["name"], &claims["email"]), (&"Alice Anders".into(), &ALICE.into()));
        assert_eq!((&claims["given_name"], &claims["family_name"]), (&"Alice".into(), &"Anders".into()));
        assert!(claims["roles"].as_array().is_some_and(|roles| roles.contains(&json!("Desk User"))), "{claims}");
        assert!(claims.get("picture").is_none(), "she has none: {claims}");
    }
}

#[test]
fn the_subject_is_erpnexts_own_and_that_of_userinfo() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let subject = gateway.standin.user(ALICE).and_then(|alice| alice.sub).expect("a subject");
    assert_eq!(claims(&tokens.id_token)["sub"], subject);
    let profile = gateway.profile(&tokens.access);
    assert_eq!(profile.json()["sub"], subject);
    assert_eq!(profile.json()["iss"], gateway.url());
    assert_eq!(gateway.introspect(SHOP, &tokens.access)["sub"], subject);
}

#[test]
fn without_the_scope_openid_there_is_no_id_token_and_userinfo_is_forbidden() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SCOPED, &[("scope", "read:Customer")]);
    assert!(tokens.id_token.is_empty());
    assert_eq!(tokens.body["scope"], "read:Customer");
    let answer = gateway.profile(&tokens.access);
    assert_eq!((answer.status, answer.error().as_str()), (403, "insufficient_scope"));
    assert!(answer.header("www-authenticate").is_some_and(|value| value.contains("scope=\"openid\"")), "{answer}");
    assert_eq!(answer.json()["exc_type"], "PermissionError");
}

#[test]
fn claims_follow_the_scopes_of_a_client_that_registered_them() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SCOPED, &[("scope", "openid email")]);
    for told in [claims(&tokens.id_token), gateway.profile(&tokens.access).json()] {
        assert_eq!(told["email"], ALICE);
        assert!(told.get("name").is_none() && told.get("roles").is_none(), "{told}");
    }
    // An OpenID Connect request drops scopes that nobody knows, and says what is left.
    let tokens = gateway.tokens(ALICE, SCOPED, &[("scope", "openid write:Everything profile")]);
    assert_eq!(tokens.body["scope"], "openid profile");
    assert_eq!(claims(&tokens.id_token)["name"], "Alice Anders");
}

#[test]
fn a_refreshed_id_token_tells_of_the_same_login_without_the_nonce() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[("nonce", "n-1")]);
    let first = claims(&tokens.id_token);
    let refreshed = Tokens::of(&gateway.refresh(SHOP, &tokens.refresh, &[]));
    let second = claims_by_jwks(&gateway, SHOP, Algorithm::RS256, &refreshed.id_token);
    for claim in ["sub", "auth_time", "sid", "azp", "aud", "iss"] {
        assert!(!first[claim].is_null(), "{claim}: {first}");
        assert_eq!(second[claim], first[claim], "{claim}");
    }
    assert!(second.get("nonce").is_none(), "{second}");
}

#[test]
fn the_claim_sid_is_one_per_login_session_and_client_and_nothing_of_erpnexts_cookie() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, BOB);
    let mut sid = |client| {
        let code = browser.code(client, &[]);
        let tokens = Tokens::of(&gateway.exchange(client, &code, &[]));
        claims(&tokens.id_token)["sid"].as_str().expect("sid").to_owned()
    };
    let (first, again, other) = (sid(SHOP), sid(SHOP), sid(ES256));
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!(!browser.sid().contains(&first) && !first.contains(browser.sid()));
}

#[test]
fn a_minimal_id_token_has_only_what_the_claims_parameter_asks_for() {
    let minimal = "id = 'scoped'\nsecret = 'canary-secret-of-minimal-0123456789'\nid_token_claims = 'minimal'\n\
                   redirect_uris = ['https://client.example/cb']";
    let gateway = Setup::new().without_client(SCOPED.id).client(minimal);
    let gateway = gateway.start();
    let client = SCOPED.with_secret("canary-secret-of-minimal-0123456789");
    let mut browser = Browser::of(&gateway, ALICE);
    let mut told = |extra: &[(&str, &str)]| {
        let code = browser.code(client, extra);
        claims(&Tokens::of(&gateway.exchange(client, &code, &[])).id_token)
    };
    let bare = told(&[("scope", "openid")]);
    assert!(bare.get("email").is_none() && bare.get("roles").is_none(), "{bare}");
    let asked = told(&[("scope", "openid"), ("claims", r#"{"id_token":{"email":{"essential":true}}}"#)]);
    assert_eq!(asked["email"], ALICE);
    assert!(asked.get("name").is_none(), "{asked}");
}

#[test]
fn a_changed_profile_is_told_once_the_user_is_believed_no_longer() {
    let gateway = Setup::new().set("erpnext.user_ttl", "1s").start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    assert!(gateway.profile(&tokens.access).json().get("picture").is_none());
    gateway.standin.set_image(ALICE, Some("/files/alice.png"));
    let picture = until("the picture is told", || {
        let told = gateway.profile(&tokens.access).json();
        told["picture"].as_str().map(str::to_owned)
    });
    assert_eq!(picture, format!("{}/files/alice.png", gateway.url()));
}

#[test]
fn the_standard_scopes_open_what_erpnext_knows_of_the_user() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SCOPED, &[("scope", "openid profile phone address")]);
    for told in [claims(&tokens.id_token), gateway.profile(&tokens.access).json()] {
        for (claim, value) in [
            ("name", "Alice Anders"),
            ("preferred_username", "alice"),
            ("gender", "female"),
            ("birthdate", "1990-02-03"),
            ("zoneinfo", "Asia/Kolkata"),
            ("locale", "en"),
            ("phone_number", "+49 30 5550100"),
        ] {
            assert_eq!(told[claim], value, "{claim}: {told}");
        }
        assert_eq!(told["address"], serde_json::json!({"formatted": "Unter den Linden 1, Berlin"}));
        assert!(told.get("email").is_none(), "{told}");
    }
    // A client of ERPNext's kind gets with `openid` what ERPNext tells, and no more.
    let tokens = gateway.tokens(ALICE, SHOP, &[("scope", "openid")]);
    let told = gateway.profile(&tokens.access).json();
    assert!(told.get("phone_number").is_none() && told.get("gender").is_none(), "{told}");
    // Of a user who has none of it there is none of it.
    let tokens = gateway.tokens(BOB, SCOPED, &[("scope", "openid phone address")]);
    let told = gateway.profile(&tokens.access).json();
    assert!(told.get("phone_number").is_none() && told.get("address").is_none(), "{told}");
}

#[test]
fn claims_are_asked_for_by_name_of_id_token_and_userinfo_and_consented_to() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let bare = [("scope", "openid")];
    browser.code(SCOPED, &bare);
    let asks = |claims| [("scope", "openid"), ("claims", claims)];
    let asked = asks(r#"{"userinfo":{"phone_number":{"essential":true}},"id_token":{"email":null,"roles":null}}"#);
    let page = browser.get(&authorize_url(SCOPED, &asked));
    assert!(page.text().contains("phone") && page.text().contains("value=\"allow\""), "not consented to yet: {page}");
    let code = browser.decide(&page, "allow").parameter("code").expect("a code");
    let tokens = Tokens::of(&gateway.exchange(SCOPED, &code, &[]));
    let (id_token, userinfo) = (claims(&tokens.id_token), gateway.profile(&tokens.access).json());
    assert_eq!((&id_token["email"], &userinfo["phone_number"]), (&ALICE.into(), &"+49 30 5550100".into()));
    assert!(id_token.get("phone_number").is_none() && userinfo.get("email").is_none(), "{id_token} {userinfo}");
    assert!(id_token.get("roles").is_none(), "its scope is not registered: {id_token}");
    assert_eq!(tokens.body["scope"], "openid");
    let refreshed = Tokens::of(&gateway.refresh(SCOPED, &tokens.refresh, &[]));
    assert_eq!(gateway.profile(&refreshed.access).json()["phone_number"], "+49 30 5550100");
    assert!(browser.get(&authorize_url(SCOPED, &asked)).parameter("code").is_some(), "it is remembered");
    for (asked, error) in [
        ("[]", "invalid_request"),
        (r#"{"userinfo":{"email":1}}"#, "invalid_request"),
        (r#"{"id_token":{"acr":{"essential":true,"values":["x"]}}}"#, "unmet_authentication_requirements"),
        (r#"{"id_token":{"sub":{"value":"somebody else"}}}"#, "login_required"),
    ] {
        assert_eq!(browser.get(&authorize_url(SCOPED, &asks(asked))).redirected_error(), error, "{asked}");
    }
}

#[test]
fn an_essential_auth_time_wants_a_login_whose_time_is_known() {
    let gateway = TestGateway::start();
    // A login that went past the gateway.
    let mut browser = Browser::new(&gateway);
    browser.cookies.insert("sid".to_owned(), gateway.standin.login(ALICE));
    let essential = [("scope", "openid"), ("claims", r#"{"id_token":{"auth_time":{"essential":true}}}"#)];
    let page = browser.get(&authorize_url(SHOP, &essential));
    assert!(page.text().contains("value=\"sign_in\"") && !page.text().contains("value=\"allow\""), "{page}");
    let voluntary = browser.get(&authorize_url(SHOP, &[("scope", "openid")]));
    assert!(voluntary.text().contains("value=\"allow\""), "{voluntary}");
    let resume = browser.decide(&page, "sign_in").parameter("redirect-to").expect("the way back");
    browser.login(ALICE);
    let page = browser.get(&resume);
    let code = browser.decide(&page, "allow").parameter("code").expect("a code");
    let tokens = Tokens::of(&gateway.exchange(SHOP, &code, &[]));
    assert!(claims(&tokens.id_token)["auth_time"].is_u64());
}
