//! Access tokens as JWTs (RFC 9068), and introspection as one (RFC 9701).

use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use serde_json::{Value, json};

use crate::{
    standin::ALICE,
    support::{APP, LEGACY, METHOD, Request, SERVICE, SHOP, Setup, TestGateway, claims, header, until},
};

const INTROSPECTION: &str = "application/token-introspection+jwt";

fn with_jwts() -> TestGateway {
    Setup::new().set("tokens.access_format", "jwt").start()
}

/// The claims by the published keys, as a resource server reads them.
fn verified(gateway: &TestGateway, audience: &str, jwt: &str) -> Value {
    let keys: JwkSet = serde_json::from_value(gateway.get("/.well-known/jwks.json").json()).expect("keys");
    let kid = header(jwt)["kid"].as_str().expect("a kid").to_owned();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[gateway.url()]);
    validation.set_audience(&[audience]);
    validation.validate_exp = false;
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_jwk(keys.find(&kid).expect("a published key")).expect("a key");
    jsonwebtoken::decode(jwt, &key, &validation).expect("a good signature").claims
}

#[test]
fn an_access_token_can_be_read_by_whoever_knows_the_published_keys() {
    let gateway = with_jwts();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    assert_eq!(header(&tokens.access)["typ"], "at+jwt");
    let told = verified(&gateway, &gateway.url(), &tokens.access);
    assert_eq!((&told["client_id"], &told["scope"]), (&json!(SHOP.id), &tokens.body["scope"]));
    assert_eq!(told["sub"], claims(&tokens.id_token)["sub"]);
    assert_eq!(told["exp"].as_u64().expect("a time") - told["iat"].as_u64().expect("a time"), 3600);
    assert!(told["auth_time"].is_u64() && told["jti"].as_str().is_some_and(|id| id.len() >= 22));
    for private in ["email", "name", "roles"] {
        assert!(told.get(private).is_none(), "{private} is for userinfo");
    }
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(gateway.profile(&tokens.access).json()["email"], ALICE);
    assert_eq!(gateway.introspect(SHOP, &tokens.access)["active"], true);
    let again = gateway.refresh(SHOP, &tokens.refresh, &[]).member("access_token");
    assert_eq!(header(&again)["typ"], "at+jwt");
    assert_ne!(claims(&again)["jti"], told["jti"]);
    gateway.acts_as(&again, ALICE);
}

#[test]
fn every_grant_gives_one_and_the_key_of_a_bound_one_is_in_it() {
    let gateway = with_jwts();
    for client in [LEGACY, APP] {
        let tokens = gateway.tokens(ALICE, client, &[]);
        assert_eq!(header(&tokens.access)["typ"], "at+jwt", "{}", client.id);
        gateway.acts_as(&tokens.access, ALICE);
    }
    let answer = gateway.as_client(SERVICE, "get_token", &[("grant_type", "client_credentials")]);
    let token = answer.member("access_token");
    assert_eq!(claims(&token)["client_id"], SERVICE.id);
    assert_eq!(gateway.whoami(&token).status, 200);
}

#[test]
fn it_ends_at_once_and_outlives_a_change_of_format_and_a_restart() {
    let mut gateway = with_jwts();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let other = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(gateway.revoke(SHOP, &tokens.access).status, 200);
    gateway.refuses("a revoked one", &tokens.access);
    gateway.restart_with(Setup::new());
    gateway.refuses("a revoked one", &tokens.access);
    gateway.acts_as(&other.access, ALICE);
    assert!(gateway.tokens(ALICE, SHOP, &[]).access.starts_with("emp_at_"));
}

#[test]
fn one_of_ours_is_known_where_foreign_tokens_pass() {
    let setup = || Setup::new().set("tokens.access_format", "jwt").route("path = '/api/method/echo'\nauth = 'pass'");
    let gateway = setup().start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let echo = |token: &str| gateway.send(&Request::get("/api/method/echo").bearer(token));
    assert_eq!(echo(&tokens.access).json()["message"]["user"], ALICE);
    gateway.revoke(SHOP, &tokens.access);
    gateway.without_upstream("a revoked one", || assert_eq!(echo(&tokens.access).status, 401));
}

#[test]
fn a_jwt_expires_when_it_says_so() {
    let gateway = Setup::new().set("tokens.access_format", "jwt").set("tokens.access_ttl", "3s").start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    until("it has expired", || (gateway.whoami(&tokens.access).status == 401).then_some(()));
}

#[test]
fn an_introspection_answer_is_signed_for_the_client_that_asks_for_it() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let ask = |token: &str, accept: &str| {
        let request = Request::form(&format!("{METHOD}introspect_token"), &[("token", token)]);
        gateway.send(&request.basic(SHOP.id, SHOP.secret).header("Accept", accept))
    };
    for accept in [INTROSPECTION, "application/json, Application/Token-Introspection+JWT;q=0.9"] {
        let answer = ask(&tokens.access, accept);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(INTROSPECTION)), "{answer}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(header(&answer.text())["typ"], "token-introspection+jwt");
        let told = verified(&gateway, SHOP.id, &answer.text());
        assert!(told["iat"].is_u64() && told.get("exp").is_none() && told.get("sub").is_none());
        assert_eq!(told["token_introspection"], gateway.introspect(SHOP, &tokens.access));
    }
    let told = verified(&gateway, SHOP.id, &ask("emp_at_junk", INTROSPECTION).text());
    assert_eq!(told["token_introspection"], json!({ "active": false }));
    gateway.refuses("it is no access token", &ask(&tokens.access, INTROSPECTION).text());
    let plain = ask(&tokens.access, "application/json");
    assert_eq!(plain.header("content-type"), Some("application/json"));
    // Without credentials there is nobody to sign for.
    let open = gateway.tokens(ALICE, LEGACY, &[]);
    let request = Request::form(&format!("{METHOD}introspect_token"), &[("token", &open.access)]);
    let answer = gateway.send(&request.header("Accept", INTROSPECTION));
    assert_eq!((answer.header("content-type"), &answer.json()["active"]), (Some("application/json"), &json!(true)));
}
