//! Codes and tokens that are bound to a key, and proofs of it.

use serde_json::{Value, json};

use super::{Fapi, Shown, is_error, reference};
use crate::support::SigningClient;

/// What the plan accepts where a code is not exchanged for want of its key.
const NOT_PROVEN: [&str; 3] = ["invalid_request", "invalid_grant", "invalid_dpop_proof"];

fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

/// A whole flow in which every proof has these claims: at the endpoint of pushed requests, the token endpoint, the API.
fn goes_with(proof: &[(&str, Value)]) {
    let fapi = Fapi::start();
    let request = fapi.request(&fapi.first);
    let shown = || Shown { proof: Some(proof), ..Shown::default() };
    let reference = reference(&fapi.push(&fapi.first, &request, &shown()));
    let visit = fapi.suite.visitor().visit(Fapi::by_reference(&fapi.first, &reference).get());
    let answer = fapi.exchange(&fapi.first, &fapi.suite.code(&request, &visit), &shown());
    assert_eq!(answer.status, 200, "{answer}");
    let called = fapi.call(&fapi.first.holder, &answer.member("access_token"), proof);
    assert_eq!(called.status, 200, "{called}");
}

/// `check-dpop-proof-nbf-exp`
#[test]
fn a_proof_may_say_from_when_and_until_when_it_is_good() {
    goes_with(&[("nbf", json!(now())), ("exp", json!(now() + 300))]);
}

/// `ensure-dpopproof-with-iat-10seconds-before-succeeds`
#[test]
fn a_proof_may_be_ten_seconds_old() {
    goes_with(&[("iat", json!(now() - 10))]);
}

/// `ensure-dpopproof-with-iat-10seconds-after-succeeds`
#[test]
fn a_proof_may_be_ten_seconds_ahead() {
    goes_with(&[("iat", json!(now() + 10))]);
}

/// `ensure-mismatched-dpop-jkt-fails`
#[test]
fn a_request_that_names_another_key_than_its_proof_is_refused() {
    let fapi = Fapi::start();
    let request = fapi.request(&fapi.first).with("dpop_jkt", &SigningClient::new().thumbprint());
    let answer = fapi.push(&fapi.first, &request, &Shown { proof: Some(&[]), ..Shown::default() });
    is_error(&answer, &["invalid_request", "invalid_dpop_proof"]);
}

/// `ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt`
#[test]
fn a_code_of_a_request_with_a_proof_needs_that_key() {
    let fapi = Fapi::start();
    let request = fapi.request(&fapi.first);
    let pushed = fapi.push(&fapi.first, &request, &Shown { proof: Some(&[]), ..Shown::default() });
    let visit = fapi.suite.visitor().visit(Fapi::by_reference(&fapi.first, &reference(&pushed)).get());
    let other = SigningClient::new();
    let shown = Shown { proof: Some(&[]), holder: Some(&other), ..Shown::default() };
    is_error(&fapi.exchange(&fapi.first, &fapi.suite.code(&request, &visit), &shown), &NOT_PROVEN);
}

/// `ensure-token-endpoint-fails-with-mismatched-dpop-jkt`
#[test]
fn a_code_of_a_request_that_names_a_key_needs_that_key() {
    let fapi = Fapi::start();
    let code = fapi.code(&fapi.first, &fapi.request(&fapi.first).with("dpop_jkt", &SigningClient::new().thumbprint()));
    let shown = Shown { proof: Some(&[]), ..Shown::default() };
    is_error(&fapi.exchange(&fapi.first, &code, &shown), &NOT_PROVEN);
}

/// `ensure-dpopproof-at-par-endpoint-binding-success`
#[test]
fn a_code_of_a_request_with_a_proof_is_exchanged_by_that_key() {
    goes_with(&[]);
}

/// `ensure-dpop-auth-code-binding-success`
#[test]
fn a_code_of_a_request_that_names_its_key_twice_is_exchanged_by_that_key() {
    let fapi = Fapi::start();
    let request = fapi.request(&fapi.first).with("dpop_jkt", &fapi.first.holder.thumbprint());
    let pushed = fapi.push(&fapi.first, &request, &Shown { proof: Some(&[]), ..Shown::default() });
    let visit = fapi.suite.visitor().visit(Fapi::by_reference(&fapi.first, &reference(&pushed)).get());
    let tokens = fapi.tokens(&fapi.first, &fapi.suite.code(&request, &visit));
    fapi.acts(&fapi.first.holder, &tokens.access);
}

/// `ensure-holder-of-key-required`
#[test]
fn without_a_proof_no_token_is_issued() {
    let fapi = Fapi::start();
    let code = fapi.code(&fapi.first, &fapi.request(&fapi.first));
    is_error(&fapi.exchange(&fapi.first, &code, &Shown::default()), &NOT_PROVEN);
}
