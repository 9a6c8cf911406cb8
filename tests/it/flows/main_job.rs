//! The main job from end to end.

use crate::{
    standin::{ALICE, BOB, Recorded},
    support::{Browser, Request, SHOP, TestGateway, Tokens, VERIFIER, authorize_url, claims_by_jwks},
};

/// Whether a forwarded request came as the gateway must send it: with the user's shadow token alone.
fn is_with_shadow_token(record: &Recorded) -> bool {
    let authorization = record.headers("authorization");
    authorization.len() == 1
        && authorization[0].starts_with("Bearer emp_sh_")
        && record.header("cookie").is_none()
        && record.complete
}

#[test]
fn from_login_and_consent_to_an_api_call_a_refresh_and_a_revocation() {
    let gateway = TestGateway::start();
    let mut browser = Browser::new(&gateway);

    // A guest is sent to ERPNext's own login page.
    let answer = browser.get(&authorize_url(SHOP, &[("nonce", "n-1")]));
    assert_eq!(answer.status, 302, "{answer}");
    let resume = answer.parameter("redirect-to").expect("the way back");
    assert!(answer.location().starts_with(&format!("{}/login?redirect-to=", gateway.url())), "{answer}");

    // After the login its page goes where it was told to: the consent page.
    browser.login(ALICE);
    let page = browser.get(&resume);
    assert_eq!(page.status, 200, "{page}");
    for shown in ["Shop connector", ALICE, "Allow", "Deny"] {
        assert!(page.text().contains(shown), "{shown}: {page}");
    }
    let answer = browser.decide(&page, "allow");
    assert_eq!(answer.status, 303, "{answer}");
    assert!(answer.location().starts_with("https://shop.example/cb?code=emp_ac_"), "{answer}");
    assert_eq!(answer.parameter("state").as_deref(), Some("s1"));
    assert_eq!(answer.parameter("iss"), Some(gateway.url()));

    // The code becomes tokens.
    let code = answer.parameter("code").expect("a code");
    let answer = gateway.exchange(SHOP, &code, &[]);
    let tokens = Tokens::of(&answer);
    assert!(tokens.access.starts_with("emp_at_") && tokens.refresh.starts_with("emp_rt_"), "{answer}");
    assert_eq!(tokens.body["token_type"], "Bearer");
    assert_eq!(tokens.body["expires_in"], 3600);
    assert_eq!(tokens.body["scope"], "all openid");
    let claims = claims_by_jwks(&gateway, SHOP, jsonwebtoken::Algorithm::RS256, &tokens.id_token);
    assert_eq!((&claims["nonce"], &claims["email"]), (&"n-1".into(), &ALICE.into()));
    assert!(claims["auth_time"].is_u64(), "the login was seen: {claims}");

    // The API takes the token for its user; ERPNext sees a credential of its own and nothing of the browser's.
    let call = Request::get("/api/resource/Customer/Acme?fields=%5B%22name%22%5D")
        .bearer(&tokens.access)
        .header("Cookie", "sid=somebody; user_id=Administrator");
    let (answer, reached) = gateway.upstream_of(|| gateway.send(&call));
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!(answer.json()["data"]["customer_name"], "Acme");
    assert!(answer.headers("set-cookie").is_empty(), "{answer}");
    let forwarded = reached.iter().find(|record| record.target.starts_with("/api/resource/Customer")).expect("it");
    assert_eq!(forwarded.target, "/api/resource/Customer/Acme?fields=%5B%22name%22%5D");
    assert_eq!(forwarded.user(), ALICE);
    assert!(is_with_shadow_token(forwarded), "{}", forwarded.text());
    assert!(!forwarded.text().contains(&tokens.access));

    // A second call goes with the same shadow token.
    gateway.acts_as(&tokens.access, ALICE);
    let shadows = gateway.standin.bearer_rows().len();
    assert_eq!(shadows, 1);

    // Userinfo, refresh, introspection.
    let profile = gateway.profile(&tokens.access);
    assert_eq!(profile.status, 200, "{profile}");
    assert_eq!(profile.json()["sub"], claims["sub"]);
    let refreshed = Tokens::of(&gateway.refresh(SHOP, &tokens.refresh, &[]));
    gateway.acts_as(&refreshed.access, ALICE);
    let told = gateway.introspect(SHOP, &refreshed.access);
    assert_eq!((&told["active"], &told["username"]), (&true.into(), &ALICE.into()));
    assert_eq!((&told["client_id"], &told["scope"]), (&"shop".into(), &"all openid".into()));

    // A revocation ends all of the grant, for the next request.
    let answer = gateway.revoke(SHOP, &refreshed.access);
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    gateway.refuses("the revoked token", &refreshed.access);
    gateway.refuses("the first token of the grant", &tokens.access);
    assert_eq!(gateway.refresh(SHOP, &tokens.refresh, &[]).error(), "invalid_grant");
    assert_eq!(gateway.introspect(SHOP, &refreshed.access), serde_json::json!({ "active": false }));
}

#[test]
fn two_users_of_one_client_are_kept_apart() {
    let gateway = TestGateway::start();
    let alice = gateway.tokens(ALICE, SHOP, &[]);
    let bob = gateway.tokens(BOB, SHOP, &[]);
    gateway.acts_as(&alice.access, ALICE);
    gateway.acts_as(&bob.access, BOB);
    assert_eq!(gateway.revoke(SHOP, &alice.refresh).status, 200);
    gateway.refuses("alice's", &alice.access);
    gateway.acts_as(&bob.access, BOB);
}

#[test]
fn tokens_and_keys_survive_a_restart_and_the_shadow_token_is_used_again() {
    let mut gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    let keys = gateway.get("/.well-known/jwks.json").json();
    gateway.restart();
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(gateway.get("/.well-known/jwks.json").json(), keys);
    assert_eq!(gateway.standin.bearer_rows().len(), 1, "no second shadow token");
    Tokens::of(&gateway.refresh(SHOP, &tokens.refresh, &[]));
}

#[test]
fn a_shadow_token_that_was_deleted_in_erpnext_is_made_again_while_the_request_waits() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    gateway.standin.delete_all_bearers();
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(gateway.standin.bearer_rows().len(), 1);
}

#[test]
fn every_way_for_a_client_to_authenticate_works_and_no_other() {
    use crate::support::{APP, Auth, Client, LEGACY, POST};
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let mut exchange = |client: Client, shown: Client| {
        let code = browser.code(client, &[]);
        gateway.exchange(shown, &code, &[])
    };
    for client in [SHOP, POST, APP, LEGACY, LEGACY.with(Auth::Basic)] {
        Tokens::of(&exchange(client, client));
    }
    // The method that is not the client's, and no authentication where a secret is needed.
    for shown in [SHOP.with(Auth::Post), SHOP.with(Auth::None), POST.with(Auth::Basic), POST.with(Auth::None)] {
        let client = if shown.id == SHOP.id { SHOP } else { POST };
        let answer = exchange(client, shown);
        assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"), "{shown:?}");
        assert_eq!(answer.header("www-authenticate").is_some(), shown.auth == Auth::Basic, "{answer}");
    }
    // A wrong secret is refused even of a client that may leave it out.
    let code = browser.code(LEGACY, &[]);
    let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("code_verifier", VERIFIER)];
    let request = Request::form(&format!("{}get_token", crate::support::METHOD), &form).basic(LEGACY.id, "4fc44bd405");
    assert_eq!(gateway.send(&request).error(), "invalid_client");
}
