//! Requests that succeed, and what stands beside a reference.

use serde_json::{Value, json};

use super::{Fapi, Shown, reference};
use crate::{
    conformance::suite::AuthorizationRequest,
    support::{METHOD, Request, token_hash},
};

/// `happy-flow`: two clients, the second with a state of 128 characters; the token of one is worth nothing with the key of the other
#[test]
fn two_clients_each_get_tokens_that_are_bound_to_their_key() {
    let fapi = Fapi::start();
    let (first, _) = fapi.flow(&fapi.first, &fapi.request(&fapi.first));
    let request = fapi.request(&fapi.second).with("state", &"Zq7-".repeat(32));
    let (second, claims) = fapi.flow(&fapi.second, &request);
    assert_eq!(claims["aud"], fapi.second.client.id);
    let foreign = fapi.call(&fapi.first.holder, &second.access, &[]);
    assert_eq!(foreign.status, 401, "{foreign}");
    fapi.acts(&fapi.first.holder, &first.access);
}

/// `user-rejects-authentication`
#[test]
fn a_user_who_denies_is_told_to_the_client() {
    let fapi = Fapi::start();
    let request = fapi.request(&fapi.first);
    let reference = reference(&fapi.push(&fapi.first, &request, &Shown::default()));
    let mut visitor = fapi.suite.visitor();
    visitor.decision = "deny";
    let visit = visitor.visit(Fapi::by_reference(&fapi.first, &reference).get());
    assert_eq!(fapi.suite.error(&request, &visit), "access_denied");
}

/// The names of what comes back with a code where no state was pushed.
fn without_state(fapi: &Fapi, beside: impl FnOnce(AuthorizationRequest) -> AuthorizationRequest) {
    let request = fapi.request(&fapi.first).without("state");
    let reference = reference(&fapi.push(&fapi.first, &request, &Shown::default()));
    let visit = fapi.suite.visitor().visit(beside(Fapi::by_reference(&fapi.first, &reference)).get());
    let mut names = visit.names();
    names.sort_unstable();
    assert_eq!(names, ["code", "iss"]);
    let tokens = fapi.tokens(&fapi.first, visit.parameter("code").expect("a code"));
    assert!(fapi.id_token(&fapi.first, &tokens).get("s_hash").is_none());
}

/// `ensure-authorization-request-without-state-success`
#[test]
fn no_state_comes_back_where_none_was_pushed() {
    without_state(&Fapi::start(), |request| request);
}

/// `state-only-outside-request-object-not-used`
#[test]
fn a_state_beside_the_reference_is_not_used() {
    without_state(&Fapi::start(), |request| request.with("state", "beside"));
}

/// `ensure-authorization-request-without-nonce-success`
#[test]
fn no_nonce_comes_back_where_none_was_pushed() {
    let fapi = Fapi::start();
    let (_, claims) = fapi.flow(&fapi.first, &fapi.request(&fapi.first).without("nonce"));
    assert!(claims.get("nonce").is_none(), "{claims}");
}

/// `ensure-authorization-request-with-64-char-nonce-success`
#[test]
fn a_nonce_of_64_characters_comes_back() {
    let fapi = Fapi::start();
    fapi.flow(&fapi.first, &fapi.request(&fapi.first).with("nonce", &"nOnCe-64".repeat(8)));
}

/// `ensure-authorization-request-with-long-nonce`: 384 characters
#[test]
fn a_long_nonce_comes_back_whole() {
    let fapi = Fapi::start();
    fapi.flow(&fapi.first, &fapi.request(&fapi.first).with("nonce", &"nOnCe384".repeat(48)));
}

/// `ensure-authorization-request-with-long-state`: 1000 characters
#[test]
fn a_long_state_comes_back_whole() {
    let fapi = Fapi::start();
    fapi.flow(&fapi.first, &fapi.request(&fapi.first).with("state", &"sTaTe-10".repeat(125)));
}

/// `ensure-other-scope-order-succeeds`
#[test]
fn scopes_have_no_order() {
    let fapi = Fapi::start();
    let request = fapi.request(&fapi.first);
    let (one, _) = fapi.flow(&fapi.first, &request.clone().with("scope", "openid email profile"));
    let (other, _) = fapi.flow(&fapi.first, &request.with("scope", "profile email openid"));
    let scopes = |body: &Value| {
        let mut scopes: Vec<_> = body["scope"].as_str().expect("a scope").split(' ').map(str::to_owned).collect();
        scopes.sort_unstable();
        scopes
    };
    assert_eq!(scopes(&one.body), scopes(&other.body));
}

/// `ensure-different-nonce-inside-and-outside-request-object`
#[test]
fn the_nonce_is_the_pushed_one() {
    let fapi = Fapi::start();
    let request = fapi.request(&fapi.first);
    let reference = reference(&fapi.push(&fapi.first, &request, &Shown::default()));
    let beside = Fapi::by_reference(&fapi.first, &reference).with("nonce", "another");
    let code = fapi.suite.code(&request, &fapi.suite.visitor().visit(beside.get()));
    let tokens = fapi.tokens(&fapi.first, &code);
    assert_eq!(fapi.id_token(&fapi.first, &tokens)["nonce"].as_str(), request.value("nonce"));
}

/// `ensure-different-state-inside-and-outside-request-object`
#[test]
fn the_state_is_the_pushed_one() {
    let fapi = Fapi::start();
    let request = fapi.request(&fapi.first);
    let reference = reference(&fapi.push(&fapi.first, &request, &Shown::default()));
    let beside = Fapi::by_reference(&fapi.first, &reference).with("state", "another");
    fapi.suite.code(&request, &fapi.suite.visitor().visit(beside.get()));
}

/// `access-token-type-header-case-sensitivity`
#[test]
fn the_name_of_the_scheme_has_no_case() {
    let fapi = Fapi::start();
    let (tokens, _) = fapi.flow(&fapi.first, &fapi.request(&fapi.first));
    let url = format!("{}{}", fapi.suite.gateway.url(), super::RESOURCE);
    let answer = super::with_nonce(|nonce| {
        let changes = [("ath", token_hash(&tokens.access)), ("nonce", nonce.unwrap_or_default())];
        let request = Request::get(super::RESOURCE).header("Authorization", &format!("dpOp {}", tokens.access));
        fapi.suite.gateway.send(&request.header("DPoP", &fapi.first.holder.proof(("GET", &url), &changes)))
    });
    assert_eq!(answer.status, 200, "{answer}");
}

/// `test-claims-parameter-identity-claims`: all standard claims of discovery, asked for in every form and in both places, with some that
/// nobody knows. The suite warns of those that its user has not; Alice has no picture and no address of either kind.
#[test]
fn claims_that_are_asked_for_by_name_are_told() {
    const STANDARD: [&str; 20] = [
        "sub",
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "website",
        "email",
        "email_verified",
        "gender",
        "birthdate",
        "zoneinfo",
        "locale",
        "phone_number",
        "phone_number_verified",
        "address",
        "updated_at",
    ];
    let fapi = Fapi::start();
    let supported = fapi.suite.discovery()["claims_supported"].clone();
    let supported = supported.as_array().expect("claims").iter().filter_map(Value::as_str);
    let supported: Vec<_> = supported.filter(|claim| STANDARD.contains(claim)).collect();
    let forms = [Value::Null, json!({"essential": true}), json!({"essential": false}), json!({})];
    let asked = supported.iter().zip(forms.iter().cycle());
    let mut asked: serde_json::Map<_, _> = asked
        .map(|(claim, form)| ((*claim).to_owned(), if *claim == "sub" { Value::Null } else { form.clone() }))
        .collect();
    asked.insert("x_nobody_knows".to_owned(), Value::Null);
    let claims = json!({"id_token": asked, "userinfo": asked, "x_elsewhere": {"name": null}});
    let (tokens, id_token) = fapi.flow(&fapi.first, &fapi.request(&fapi.first).with("claims", &claims.to_string()));
    let path = format!("{METHOD}openid_profile");
    let url = format!("{}{path}", fapi.suite.gateway.url());
    let answer = super::with_nonce(|nonce| {
        let changes = [("ath", token_hash(&tokens.access)), ("nonce", nonce.unwrap_or_default())];
        let request = Request::get(&path).header("Authorization", &format!("DPoP {}", tokens.access));
        fapi.suite.gateway.send(&request.header("DPoP", &fapi.first.holder.proof(("GET", &url), &changes)))
    });
    assert_eq!(answer.status, 200, "{answer}");
    let userinfo = answer.json();
    assert_eq!(userinfo["sub"], id_token["sub"]);
    let told = |claim: &&&str| userinfo.get(**claim).or_else(|| id_token.get(**claim)).is_none();
    let missing: Vec<_> = supported.iter().filter(told).collect();
    assert_eq!(missing, [&"picture"], "{userinfo} {id_token}");
    assert!(userinfo.get("x_nobody_knows").is_none() && id_token.get("x_nobody_knows").is_none());
}
