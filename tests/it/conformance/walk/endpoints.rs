//! Each endpoint answers as what it is called, and to its methods alone.

use jsonwebtoken::Algorithm;

use super::Walk;
use crate::{
    standin::ALICE,
    support::{Answer, Browser, Request, SHOP, TV, authorize_url, claims_by_jwks, client_request, parameters},
};

/// Refuses every method but these, and says which there are.
fn takes_only(walk: &Walk, path: &str, methods: &[&str]) {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let answer = walk.gateway.send(&Request::new(method, path).header("Content-Length", "0"));
        assert_eq!(answer.status == 405, !methods.contains(&method), "{method} {path}: {answer}");
        if answer.status == 405 {
            let allowed = answer.header("allow").unwrap_or_default();
            assert!(methods.iter().all(|method| allowed.contains(method)), "{method} {path}: {answer}");
        }
    }
}

fn is_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.error().as_str()), (status, code), "{answer}");
}

pub fn authorization(walk: &Walk, path: &str) {
    takes_only(walk, path, &["GET", "POST"]);
    is_error(&walk.gateway.get(path), 400, "invalid_request");
    let url = authorize_url(SHOP, &[]);
    let query = url.strip_prefix(path).and_then(|rest| rest.strip_prefix('?')).expect("it is where requests go");
    assert!(Browser::new(&walk.gateway).get(&url).location().contains("/login?"));
    let pairs = parameters(query);
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(walk.gateway.send(&Request::form(path, &pairs)).status, 303);
}

pub fn token(walk: &Walk, path: &str) {
    takes_only(walk, path, &["POST"]);
    is_error(&walk.gateway.send(&Request::form(path, &[("grant_type", "authorization_code")])), 401, "invalid_client");
    let tokens = walk.gateway.tokens(ALICE, SHOP, &[]);
    walk.gateway.acts_as(&tokens.access, ALICE);
}

pub fn pushed_request(walk: &Walk, path: &str) {
    takes_only(walk, path, &["POST"]);
    let url = authorize_url(SHOP, &[]);
    let pairs = parameters(url.split_once('?').expect("a query").1);
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let (_, name) = path.rsplit_once('.').expect("a method");
    let pushed = walk.gateway.send(&client_request(SHOP, name, &pairs));
    let reference = pushed.json()["request_uri"].as_str().expect("a reference").to_owned();
    let query = crate::support::query(&[("client_id", SHOP.id), ("request_uri", &reference)]);
    let answer = Browser::new(&walk.gateway).get(&format!("{}authorize?{query}", crate::support::METHOD));
    assert!(answer.location().contains("/login?"), "{answer}");
}

pub fn device_authorization(walk: &Walk, path: &str) {
    takes_only(walk, path, &["POST"]);
    is_error(&walk.gateway.send(&Request::form(path, &[])), 401, "invalid_client");
    let answer = walk.gateway.send(&client_request(TV, "device_authorization", &[]));
    let page = Browser::of(&walk.gateway, ALICE).get(&answer.member("verification_uri"));
    assert!(page.status == 200 && page.text().contains("name=\"user_code\""), "{page}");
}

pub fn userinfo(walk: &Walk, path: &str) {
    takes_only(walk, path, &["GET", "POST"]);
    let answer = walk.gateway.get(path);
    assert!(answer.status == 401 && answer.header("www-authenticate").is_some(), "{answer}");
    let tokens = walk.gateway.tokens(ALICE, SHOP, &[]);
    let answer = walk.gateway.send(&Request::get(path).bearer(&tokens.access));
    assert_eq!(answer.json()["email"], ALICE);
}

pub fn revocation(walk: &Walk, path: &str) {
    takes_only(walk, path, &["POST"]);
    let tokens = walk.gateway.tokens(ALICE, SHOP, &[]);
    let (_, name) = path.rsplit_once('.').expect("a method");
    let answer = walk.gateway.send(&client_request(SHOP, name, &[("token", &tokens.access)]));
    assert_eq!(answer.status, 200, "{answer}");
    walk.gateway.refuses("a revoked token", &tokens.access);
}

pub fn introspection(walk: &Walk, path: &str) {
    takes_only(walk, path, &["POST"]);
    let tokens = walk.gateway.tokens(ALICE, SHOP, &[]);
    let (_, name) = path.rsplit_once('.').expect("a method");
    let answer = walk.gateway.send(&client_request(SHOP, name, &[("token", &tokens.access)]));
    assert_eq!(answer.json()["active"], true, "{answer}");
}

pub fn jwks(walk: &Walk, path: &str) {
    assert_eq!(path, "/.well-known/jwks.json");
    takes_only(walk, path, &["GET"]);
    let tokens = walk.gateway.tokens(ALICE, SHOP, &[]);
    claims_by_jwks(&walk.gateway, SHOP, Algorithm::RS256, &tokens.id_token);
}

/// What is not listed is not there.
pub fn no_registration(walk: &Walk) {
    let answer = walk.gateway.register(&serde_json::json!({"redirect_uris": ["https://a.example/cb"]}));
    assert_eq!(answer.status, 404, "{answer}");
}

/// What no client may use is not listed.
pub fn no_device_authorization(walk: &Walk) {
    is_error(&walk.gateway.as_client(SHOP, "device_authorization", &[]), 400, "unauthorized_client");
}

pub fn registration(walk: &Walk, path: &str) {
    let metadata = serde_json::json!({"redirect_uris": ["https://agent.example/cb"]});
    let registered = walk.gateway.registered("https://agent.example/cb", &metadata);
    let answer = walk.gateway.send(&registered.manage(&walk.gateway, "GET"));
    assert_eq!(answer.json()["client_id"], registered.id(), "{answer}");
    takes_only(walk, path, &["POST"]);
    let tokens = walk.gateway.tokens(ALICE, registered.client(), &[("scope", "openid")]);
    assert!(!tokens.id_token.is_empty());
}

/// Whether a client can be used that only a document describes.
pub fn takes_documents(walk: &Walk) -> bool {
    let client = walk.publisher.describe("/client.json", &serde_json::json!({}));
    let answer = Browser::of(&walk.gateway, ALICE).authorize(client, &[("scope", "openid")]);
    if answer.status == 400 {
        return false;
    }
    let code = answer.parameter("code").unwrap_or_else(|| panic!("no code: {answer}"));
    walk.gateway.exchange(client, &code, &[]).status == 200
}
