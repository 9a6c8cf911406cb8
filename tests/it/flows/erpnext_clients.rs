//! The flows that ERPNext's own clients use, as its test suite has them.

use crate::{
    standin::{ALICE, ALICE_PASSWORD, BOB},
    support::{
        Auth, Browser, IMPLICIT, LEGACY, METHOD, PASSWORD, Request, TestGateway, Tokens, claims_by_jwks,
        claims_by_secret, header, parameters,
    },
};

#[test]
fn a_login_without_a_token_fails_at_openid_profile() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let answer = browser.get(&format!("{METHOD}openid_profile"));
    assert_eq!(answer.status, 401, "{answer}");
    let challenge = answer.header("www-authenticate").expect("a challenge");
    assert!(challenge.starts_with("Bearer realm=") && !challenge.contains("error="), "{challenge}");
}

#[test]
fn a_code_flow_needs_no_client_secret() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let code = browser.code(LEGACY, &[("code_challenge", ""), ("code_challenge_method", "")]);
    let tokens = Tokens::of(&gateway.exchange(LEGACY, &code, &[("code_verifier", "")]));
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(gateway.profile(&tokens.access).json()["email"], ALICE);
    assert!(gateway.metric("empress_compat_total{allowance=\"no_secret\",client_id=\"legacy\"}") >= 1.0);
}

#[test]
fn a_code_flow_with_the_short_verifier_420() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let s256 = "21XaP8MJjpxCMRxgEzBP82sZ73PRLqkyBUta1R309J0";
    for method in ["S256", "s256"] {
        let challenge = [("code_challenge", s256), ("code_challenge_method", method)];
        let code = browser.code(LEGACY, &challenge);
        Tokens::of(&gateway.exchange(LEGACY, &code, &[("code_verifier", "420")]));
        let code = browser.code(LEGACY, &challenge);
        assert_eq!(gateway.exchange(LEGACY, &code, &[("code_verifier", "421")]).error(), "invalid_grant");
    }
    for method in ["plain", ""] {
        let challenge = [("code_challenge", "420"), ("code_challenge_method", method)];
        let code = browser.code(LEGACY, &challenge);
        Tokens::of(&gateway.exchange(LEGACY, &code, &[("code_verifier", "420")]));
    }
    assert!(gateway.metric("empress_compat_total{allowance=\"short_verifier\",client_id=\"legacy\"}") >= 1.0);
    assert!(gateway.metric("empress_compat_total{allowance=\"plain_pkce\",client_id=\"legacy\"}") >= 1.0);
}

#[test]
fn a_nonce_comes_back_in_an_id_token_that_the_client_secret_checks() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let code = browser.code(LEGACY, &[("nonce", "n-0S6_WzA2Mj"), ("scope", "openid all")]);
    let tokens = Tokens::of(&gateway.exchange(LEGACY, &code, &[]));
    assert_eq!(header(&tokens.id_token)["alg"], "HS256");
    let claims = claims_by_secret(&gateway, LEGACY, &tokens.id_token);
    assert_eq!((&claims["nonce"], &claims["email"]), (&"n-0S6_WzA2Mj".into(), &ALICE.into()));
    assert!(claims["roles"].as_array().is_some_and(|roles| roles.contains(&"System Manager".into())), "{claims}");
}

#[test]
fn the_implicit_flow_gives_a_token_in_the_fragment() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let extra = [("response_type", "token"), ("code_challenge", ""), ("code_challenge_method", "")];
    let answer = browser.authorize(IMPLICIT, &extra);
    let (uri, fragment) = answer.location().split_once('#').expect("a fragment");
    assert_eq!(uri, IMPLICIT.redirect_uri);
    let pairs = parameters(fragment);
    let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!((value("token_type"), value("expires_in")), (Some("Bearer"), Some("3600")));
    assert_eq!((value("state"), value("scope")), (Some("s1"), Some("all openid")));
    assert_eq!((value("code"), value("refresh_token")), (None, None));
    gateway.acts_as(value("access_token").expect("a token"), ALICE);
}

#[test]
fn the_hybrid_flow_gives_an_id_token_bound_to_code_and_token() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let extra = [("response_type", "code id_token token"), ("nonce", "n-2")];
    let answer = browser.authorize(IMPLICIT, &extra);
    let id_token = answer.parameter("id_token").expect("an id_token");
    let claims = claims_by_secret(&gateway, IMPLICIT, &id_token);
    assert_eq!(claims["nonce"], "n-2");
    assert!(claims["c_hash"].is_string() && claims["at_hash"].is_string(), "{claims}");
    gateway.acts_as(&answer.parameter("access_token").expect("a token"), ALICE);
    Tokens::of(&gateway.exchange(IMPLICIT, &answer.parameter("code").expect("a code"), &[]));
    // Without a nonce an id_token is not given there.
    let answer = browser.authorize(IMPLICIT, &[("response_type", "id_token")]);
    assert_eq!(answer.redirected_error(), "invalid_request");
    assert!(answer.location().contains('#'), "{answer}");
    // A client that is not allowed any of it is told so.
    let answer = browser.get(&crate::support::authorize_url(LEGACY, &[("response_type", "token")]));
    assert_eq!(answer.redirected_error(), "unauthorized_client");
}

#[test]
fn the_password_grant_checks_the_password_and_leaves_no_login_session_behind() {
    let gateway = TestGateway::start();
    let before = gateway.standin.sessions().len();
    let form = [("grant_type", "password"), ("username", ALICE), ("password", ALICE_PASSWORD), ("scope", "all openid")];
    let answer = gateway.as_client(PASSWORD, "get_token", &form);
    let tokens = Tokens::of(&answer);
    gateway.acts_as(&tokens.access, ALICE);
    assert!(tokens.id_token.is_empty(), "{answer}");
    assert!(!tokens.refresh.is_empty(), "{answer}");
    assert_eq!(gateway.standin.sessions().len(), before);
    let wrong = [("grant_type", "password"), ("username", ALICE), ("password", "alice-secret2")];
    let answer = gateway.as_client(PASSWORD, "get_token", &wrong);
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"));
    let answer = gateway.as_client(LEGACY, "get_token", &form);
    assert_eq!(answer.error(), "unauthorized_client");
}

#[test]
fn a_revocation_by_the_token_alone_ends_the_grant() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, LEGACY, &[]);
    assert_eq!(gateway.profile(&tokens.access).status, 200);
    let revoke = Request::form(&format!("{METHOD}revoke_token"), &[("token", &tokens.access)]);
    assert_eq!(gateway.send(&revoke).status, 200);
    assert_eq!(gateway.profile(&tokens.access).status, 401);
    assert_eq!(gateway.refresh(LEGACY, &tokens.refresh, &[]).error(), "invalid_grant");
    // A strict client's token is not ended by whoever has seen it.
    let tokens = gateway.tokens(ALICE, crate::support::SHOP, &[]);
    let revoke = Request::form(&format!("{METHOD}revoke_token"), &[("token", &tokens.access)]);
    assert_eq!(gateway.send(&revoke).error(), "invalid_client");
    gateway.acts_as(&tokens.access, ALICE);
}

#[test]
fn an_introspection_without_credentials_tells_of_compat_clients_tokens_alone() {
    let gateway = TestGateway::start();
    let introspect = |form: &[(&str, &str)]| gateway.send(&Request::form(&format!("{METHOD}introspect_token"), form));
    let legacy = gateway.tokens(BOB, LEGACY, &[]);
    let told = introspect(&[("token", &legacy.access)]).json();
    assert_eq!((&told["active"], &told["email"], &told["trusted_client"]), (&true.into(), &BOB.into(), &0.into()));
    // A refresh token needs its hint, and tells nothing of the user.
    let nothing = serde_json::json!({ "active": false });
    assert_eq!(introspect(&[("token", &legacy.refresh)]).json(), nothing);
    let told = introspect(&[("token", &legacy.refresh), ("token_type_hint", "refresh_token")]).json();
    assert_eq!((&told["active"], &told["email"], &told["token_type"]), (&true.into(), &().into(), &().into()));
    let strict = gateway.tokens(BOB, crate::support::SHOP, &[]);
    assert_eq!(introspect(&[("token", &strict.access)]).json(), nothing);
    // ERPNext's clients also send JSON, and forms in parts.
    let json = serde_json::json!({ "token": legacy.access }).to_string();
    let request = Request::new("POST", &format!("{METHOD}introspect_token")).body("application/json", json.as_bytes());
    assert_eq!(gateway.send(&request).json()["active"], true);
}

#[test]
fn a_token_request_may_come_as_a_multipart_form() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let exchange = |code: &str, client: crate::support::Client| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", client.redirect_uri),
            ("client_id", client.id),
            ("code_verifier", crate::support::VERIFIER),
        ];
        let parts = fields
            .map(|(name, value)| format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
        let body = parts.concat() + "--b--\r\n";
        let request = Request::new("POST", &format!("{METHOD}get_token"));
        gateway.send(&request.body("multipart/form-data; boundary=b", body.as_bytes()))
    };
    let code = browser.code(LEGACY, &[]);
    Tokens::of(&exchange(&code, LEGACY));
    let code = browser.code(crate::support::APP, &[]);
    assert_eq!(exchange(&code, crate::support::APP).status, 415);
}

#[test]
fn a_refresh_needs_no_client_id_and_earlier_refresh_tokens_go_on_working() {
    let gateway = TestGateway::start();
    let first = gateway.tokens(ALICE, LEGACY, &[]);
    let bare = |token: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        gateway.send(&Request::form(&format!("{METHOD}get_token"), &form))
    };
    let second = Tokens::of(&bare(&first.refresh));
    assert_ne!(second.refresh, first.refresh);
    let third = Tokens::of(&bare(&second.refresh));
    // The first one still works, and all access tokens live.
    let again = Tokens::of(&gateway.refresh(LEGACY.with(Auth::Basic), &first.refresh, &[]));
    for tokens in [&first, &second, &third, &again] {
        gateway.acts_as(&tokens.access, ALICE);
    }
    assert!(gateway.metric("empress_compat_total{allowance=\"old_refresh\",client_id=\"legacy\"}") >= 1.0);
    // A strict client must say who it is.
    let strict = gateway.tokens(ALICE, crate::support::APP, &[]);
    assert_eq!(bare(&strict.refresh).error(), "invalid_client");
}

#[test]
fn a_compat_client_gets_rs256_once_it_is_told_so() {
    let setup = crate::support::Setup::new();
    let gateway = setup.without_client(LEGACY.id).client(
        "id = 'legacy'\nsecret = '4fc44bd404'\nmode = 'compat'\nid_token_alg = 'RS256'\n\
         redirect_uris = ['http://localhost:3000/cb']",
    );
    let gateway = gateway.start();
    let tokens = gateway.tokens(ALICE, LEGACY, &[]);
    claims_by_jwks(&gateway, LEGACY, jsonwebtoken::Algorithm::RS256, &tokens.id_token);
}
