//! Token exchange (RFC 8693): a backend that acts for a user with a token of its own.

use serde_json::{Value, json};

use super::dpop::Holder;
use crate::{
    standin::{ALICE, BOB},
    support::{
        ACCESS_TOKEN_TYPE, APP, BACKEND, BACKEND_BLOCK, Browser, METHOD, RELAY, RELAY_BLOCK, SCOPED, SERVICE, SHOP,
        Setup, TestGateway, Tokens, claims, exchange_token_request, hidden,
    },
};

fn start() -> TestGateway {
    Setup::new().client(BACKEND_BLOCK).client(RELAY_BLOCK).start()
}

#[test]
fn a_backend_gets_a_token_of_its_own_for_the_same_user_that_does_less() {
    let gateway = start();
    let subject = gateway.tokens(ALICE, SHOP, &[]);
    let answer = gateway.exchange_token(BACKEND, &subject.access, &[("scope", "openid")]);
    let tokens = Tokens::of(&answer);
    let body = tokens.body.as_object().expect("an object");
    let members: Vec<_> = body.keys().map(String::as_str).collect();
    assert_eq!(members, ["access_token", "expires_in", "issued_token_type", "scope", "token_type"], "{answer}");
    assert_eq!((&body["issued_token_type"], &body["token_type"]), (&json!(ACCESS_TOKEN_TYPE), &json!("Bearer")));
    assert_eq!(body["scope"], "openid");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    gateway.acts_as(&tokens.access, ALICE);
    gateway.acts_as(&subject.access, ALICE);
    assert_eq!(gateway.profile(&tokens.access).json()["email"], ALICE);
    let (of_subject, told) = (gateway.introspect(SHOP, &subject.access), gateway.introspect(BACKEND, &tokens.access));
    assert_eq!((&told["client_id"], &told["scope"]), (&json!("backend"), &json!("openid")));
    assert_eq!(told["act"], json!({"sub": "backend"}));
    assert_eq!(of_subject.get("act"), None);
    for claim in ["sub", "username", "exp", "iss"] {
        assert_eq!(told[claim], of_subject[claim], "{claim}");
    }
    assert!(gateway.log().contains("\\\"event\\\":\\\"token_exchanged\\\""), "{}", gateway.log());
}

#[test]
fn without_a_scope_the_new_token_has_what_the_token_and_the_client_both_have() {
    let gateway = start();
    let granted = |client, subject: &str, extra: &[(&str, &str)]| {
        Tokens::of(&gateway.exchange_token(client, subject, extra)).body["scope"].clone()
    };
    let all = gateway.tokens(ALICE, APP, &[]);
    assert_eq!(granted(BACKEND, &all.access, &[]), "all openid");
    assert_eq!(granted(BACKEND, &all.access, &[("scope", "")]), "all openid");
    let scoped = gateway.tokens(ALICE, SCOPED, &[("scope", "openid read:ToDo read:Customer")]);
    assert_eq!(granted(BACKEND, &scoped.access, &[]), "openid read:Customer");
    assert_eq!(granted(BACKEND, &scoped.access, &[("scope", "read:Customer")]), "read:Customer");
}

#[test]
fn the_life_of_the_new_token_is_what_is_left_of_the_first() {
    let gateway = start();
    let subject = gateway.tokens(ALICE, SHOP, &[]);
    let store = rusqlite::Connection::open(gateway.folder().join("empress.db")).expect("opened");
    let expires_at = std::time::UNIX_EPOCH.elapsed().expect("a time").as_millis() + 120_000;
    let expires_at = i64::try_from(expires_at).expect("a time");
    store.execute("UPDATE access_tokens SET expires_at = ?1", [expires_at]).expect("changed");
    let tokens = Tokens::of(&gateway.exchange_token(BACKEND, &subject.access, &[]));
    let left = tokens.body["expires_in"].as_u64().expect("a number");
    assert!((60..=120).contains(&left), "{left}");
    let told = gateway.introspect(BACKEND, &tokens.access);
    assert_eq!(told["exp"], json!(expires_at / 1000), "not a second longer");
}

#[test]
fn who_acted_before_stands_within_who_acts() {
    let gateway = start();
    let subject = gateway.tokens(ALICE, SHOP, &[]);
    let first = Tokens::of(&gateway.exchange_token(BACKEND, &subject.access, &[("scope", "openid")]));
    let second = Tokens::of(&gateway.exchange_token(RELAY, &first.access, &[]));
    gateway.acts_as(&second.access, ALICE);
    let told = gateway.introspect(RELAY, &second.access);
    assert_eq!((&told["client_id"], &told["username"]), (&json!("relay"), &json!(ALICE)));
    assert_eq!(told["act"], json!({"sub": "relay", "act": {"sub": "backend"}}));
    let own = Tokens::of(&gateway.exchange_token(BACKEND, &first.access, &[]));
    let told = gateway.introspect(BACKEND, &own.access);
    assert_eq!(told["act"], json!({"sub": "backend", "act": {"sub": "backend"}}), "its own may be narrowed, too");
}

#[test]
fn tokens_of_a_service_user_are_exchanged_too() {
    let block = BACKEND_BLOCK.replace("'shop'", "'service'");
    let gateway = Setup::new().client(&block).start();
    let subject = Tokens::of(&gateway.as_client(SERVICE, "get_token", &[("grant_type", "client_credentials")]));
    let tokens = Tokens::of(&gateway.exchange_token(BACKEND, &subject.access, &[("scope", "read:Customer")]));
    gateway.acts_as(&tokens.access, BOB);
}

#[test]
fn the_audience_may_be_named_and_is_the_issuer() {
    let gateway = start();
    let (subject, issuer) = (gateway.tokens(ALICE, SHOP, &[]), gateway.url());
    let ask = |extra: &[(&str, &str)]| gateway.exchange_token(BACKEND, &subject.access, extra);
    let types = ("requested_token_type", ACCESS_TOKEN_TYPE);
    gateway.acts_as(&Tokens::of(&ask(&[("audience", &issuer), types])).access, ALICE);
    for audience in ["https://other.example", "backend", &format!("{issuer}/")] {
        assert_eq!(ask(&[("audience", audience)]).error(), "invalid_target", "{audience}");
        assert_eq!(ask(&[("audience", &issuer), ("audience", audience)]).error(), "invalid_target", "{audience}");
    }
}

#[test]
fn a_token_for_a_part_of_the_site_is_exchanged_for_that_part_at_most() {
    let gateway = start();
    let (mcp, orders) = (format!("{}/api/method/echo", gateway.url()), format!("{}/orders", gateway.url()));
    let aud = |token: &str| gateway.introspect(BACKEND, token)["aud"].clone();
    let ask = |subject: &str, resource: &str| gateway.exchange_token(BACKEND, subject, &[("resource", resource)]);
    let whole = gateway.tokens(ALICE, SHOP, &[]);
    assert_eq!(aud(&Tokens::of(&ask(&whole.access, &mcp)).access), json!([mcp]));
    let part = gateway.tokens(ALICE, SHOP, &[("resource", &mcp)]);
    let tokens = Tokens::of(&gateway.exchange_token(BACKEND, &part.access, &[]));
    assert_eq!(aud(&tokens.access), json!([mcp]));
    gateway.refuses("for another resource", &tokens.access);
    assert_eq!(ask(&part.access, &orders).error(), "invalid_target");
    assert_eq!(ask(&part.access, &gateway.url()).error(), "invalid_target");
}

#[test]
fn a_jwt_is_exchanged_for_a_jwt_that_says_who_acts() {
    let gateway = Setup::new().client(BACKEND_BLOCK).set("tokens.access_format", "jwt").start();
    let subject = gateway.tokens(ALICE, SHOP, &[]);
    let tokens = Tokens::of(&gateway.exchange_token(BACKEND, &subject.access, &[("scope", "openid")]));
    gateway.acts_as(&tokens.access, ALICE);
    let (told, of_subject) = (claims(&tokens.access), claims(&subject.access));
    assert_eq!((&told["client_id"], &told["act"]), (&json!("backend"), &json!({"sub": "backend"})));
    assert_eq!((&told["sub"], &told["exp"]), (&of_subject["sub"], &of_subject["exp"]));
    assert_eq!(of_subject.get("act"), None);
    assert_eq!(gateway.exchange_token(BACKEND, &subject.id_token, &[]).error(), "invalid_request");
    gateway.revoke(SHOP, &subject.access);
    gateway.refuses("ended with the first", &tokens.access);
}

#[test]
fn a_proof_binds_the_new_token_and_a_bound_token_is_exchanged_by_the_holder_of_its_key() {
    let gateway = start();
    let holder = Holder::new(&gateway);
    let exchanged = |subject: &str| {
        let request = exchange_token_request(BACKEND, subject, &[]);
        let tokens = Tokens::of(&holder.proven(&request, "get_token"));
        assert_eq!(tokens.body["token_type"], "DPoP");
        let told = gateway.introspect(BACKEND, &tokens.access);
        assert_eq!(told["cnf"]["jkt"], json!(holder.key.thumbprint()));
        holder.acts(&tokens.access);
    };
    exchanged(&gateway.tokens(ALICE, SHOP, &[]).access);
    exchanged(&holder.tokens(SHOP, &[]).access);
}

#[test]
fn a_user_sees_the_backend_and_ends_its_access_alone() {
    let gateway = start();
    let mut browser = Browser::of(&gateway, ALICE);
    let code = browser.code(SHOP, &[]);
    let subject = Tokens::of(&gateway.exchange(SHOP, &code, &[]));
    let tokens = Tokens::of(&gateway.exchange_token(BACKEND, &subject.access, &[]));
    let path = format!("{METHOD}connected_apps");
    let page = browser.get(&path);
    assert!(page.text().contains("Order desk") && page.text().contains("Shop connector"), "{page}");
    // The entries are in the order of ids.
    assert_eq!(hidden(&page, "client"), BACKEND.id);
    let form = [("client", BACKEND.id), ("token", &hidden(&page, "token"))];
    assert_eq!(browser.post(&path, &form).status, 303);
    gateway.refuses("ended by the user", &tokens.access);
    gateway.acts_as(&subject.access, ALICE);
}

#[test]
fn discovery_has_the_grant_while_a_client_may_use_it() {
    let listed = |gateway: &TestGateway| {
        let document = gateway.get("/.well-known/openid-configuration").json();
        document["grant_types_supported"]
            .as_array()
            .expect("a list")
            .contains(&Value::from(crate::support::EXCHANGE_GRANT))
    };
    let mut gateway = start();
    assert!(listed(&gateway));
    gateway.reload(Setup::new());
    assert!(!listed(&gateway));
}
