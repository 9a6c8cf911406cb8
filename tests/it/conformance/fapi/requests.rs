//! What must not be pushed, and what a reference is good for.

use std::time::Duration;

use super::{Fapi, Shown, exchange, is_error, is_error_page, reference};
use crate::{
    conformance::suite::AuthorizationRequest,
    support::{METHOD, Request, VERIFIER, pause},
};

/// What is pushed is refused there.
fn refused(change: impl FnOnce(AuthorizationRequest) -> AuthorizationRequest, allowed: &[&str]) {
    let fapi = Fapi::start();
    let answer = fapi.push(&fapi.first, &change(fapi.request(&fapi.first)), &Shown::default());
    is_error(&answer, allowed);
    assert!(answer.json().get("request_uri").is_none(), "{answer}");
}

/// `ensure-redirect-uri-in-authorization-request`
#[test]
fn a_request_without_a_redirect_uri_is_refused() {
    refused(|request| request.without("redirect_uri"), &["invalid_request"]);
}

/// `ensure-request-object-without-redirect-uri-fails`: also where no scope asks for one (the module of the plan with `plain_oauth`)
#[test]
fn a_request_of_plain_oauth_without_a_redirect_uri_is_refused() {
    refused(|request| request.without("redirect_uri").with("scope", "profile"), &["invalid_request"]);
}

/// `plain-fapi-tolerate-unregistered-redirect-uri`
#[test]
fn a_redirect_uri_that_is_not_registered_is_refused() {
    refused(
        |request| {
            let uri = format!("{}/QzmX7hKd0b", request.value("redirect_uri").expect("one"));
            request.with("redirect_uri", &uri)
        },
        &["invalid_request"],
    );
}

/// `ensure-response-type-code-idtoken-fails`
#[test]
fn an_id_token_does_not_come_through_the_browser() {
    let allowed = ["unsupported_response_type", "invalid_request", "unauthorized_client"];
    refused(|request| request.with("response_type", "code id_token"), &allowed);
}

/// `ensure-response-type-token-fails`
#[test]
fn a_token_does_not_come_through_the_browser() {
    let allowed = ["unsupported_response_type", "invalid_request", "unauthorized_client"];
    refused(|request| request.with("response_type", "token"), &allowed);
}

/// `par-authorization-request-containing-request_uri-form-param`
#[test]
fn a_reference_cannot_be_pushed() {
    refused(|request| request.with("request_uri", "urn:ietf:params:oauth:request_uri:x"), &["invalid_request"]);
}

/// `par-ensure-pkce-required`
#[test]
fn a_request_without_pkce_is_refused() {
    refused(|request| request.without("code_challenge").without("code_challenge_method"), &["invalid_request"]);
}

/// `par-plain-pkce-rejected`
#[test]
fn a_request_with_plain_pkce_is_refused() {
    refused(
        |request| request.with("code_challenge", VERIFIER).with("code_challenge_method", "plain"),
        &["invalid_request"],
    );
}

/// `par-attempt-invalid-http-method`
#[test]
fn requests_are_pushed_by_post_alone() {
    let fapi = Fapi::start();
    let put = Request::new("PUT", &format!("{METHOD}pushed_authorization_request")).header("Content-Length", "0");
    assert_eq!(fapi.suite.gateway.send(&put).status, 405);
}

/// `ensure-unsigned-authorization-request-without-using-par-fails`
#[test]
fn a_request_that_was_not_pushed_is_refused() {
    let fapi = Fapi::start();
    let request = fapi.request(&fapi.first);
    assert_eq!(fapi.suite.error(&request, &fapi.suite.visitor().visit(request.get())), "invalid_request");
}

/// `par-without-duplicate-parameters`
#[test]
fn beside_a_reference_the_client_id_is_enough() {
    let fapi = Fapi::start();
    let request = fapi.request(&fapi.first);
    let reference = reference(&fapi.push(&fapi.first, &request, &Shown::default()));
    let by_reference = Fapi::by_reference(&fapi.first, &reference);
    assert_eq!(by_reference.borrowed().len(), 2);
    let code = fapi.suite.code(&request, &fapi.suite.visitor().visit(by_reference.get()));
    fapi.tokens(&fapi.first, &code);
}

/// `par-attempt-to-use-request_uri-for-different-client`
#[test]
fn a_reference_is_worth_nothing_to_another_client() {
    let fapi = Fapi::start();
    let reference = reference(&fapi.push(&fapi.first, &fapi.request(&fapi.first), &Shown::default()));
    is_error_page(&fapi.suite.visitor().visit(Fapi::by_reference(&fapi.second, &reference).get()));
}

/// `par-attempt-reuse-request_uri`
#[test]
fn a_reference_is_good_once() {
    let fapi = Fapi::start();
    let request = fapi.request(&fapi.first);
    let reference = reference(&fapi.push(&fapi.first, &request, &Shown::default()));
    let by_reference = Fapi::by_reference(&fapi.first, &reference).get();
    let mut visitor = fapi.suite.visitor();
    let code = fapi.suite.code(&request, &visitor.visit(by_reference.clone()));
    fapi.tokens(&fapi.first, &code);
    is_error_page(&visitor.visit(by_reference));
}

/// `par-ensure-reused-request-uri-prior-to-auth-completion-succeeds`: in the same browser, and in no other. T71
#[test]
fn a_reference_is_of_the_browser_that_brought_it_until_its_user_has_decided() {
    let fapi = Fapi::start();
    let request = fapi.request(&fapi.first);
    let reference = reference(&fapi.push(&fapi.first, &request, &Shown::default()));
    let by_reference = Fapi::by_reference(&fapi.first, &reference).get();
    let mut visitor = fapi.suite.visitor();
    let login = visitor.browser.send(by_reference.clone());
    assert!(login.status == 302 && login.location().contains("login?"), "{login}");
    is_error_page(&fapi.suite.visitor().visit(by_reference.clone()));
    is_error_page(&visitor.visit(Fapi::by_reference(&fapi.second, &reference).get()));
    let code = fapi.suite.code(&request, &visitor.visit(by_reference.clone()));
    fapi.tokens(&fapi.first, &code);
    is_error_page(&visitor.visit(by_reference));
}

/// `par-attempt-to-use-expired-request_uri`
#[test]
fn a_reference_ends() {
    let fapi = Fapi::start();
    let pushed = fapi.push(&fapi.first, &fapi.request(&fapi.first), &Shown::default());
    let lives = pushed.json()["expires_in"].as_u64().expect("seconds");
    let by_reference = Fapi::by_reference(&fapi.first, &reference(&pushed)).get();
    pause(Duration::from_secs(lives + 1));
    is_error_page(&fapi.suite.visitor().visit(by_reference));
}

/// `ensure-pkce-code-verifier-required`
#[test]
fn a_code_without_its_verifier_is_worth_nothing() {
    let fapi = Fapi::start();
    let code = fapi.code(&fapi.first, &fapi.request(&fapi.first));
    let form: Vec<_> = exchange(&fapi.first, &code).into_iter().filter(|(name, _)| *name != "code_verifier").collect();
    let answer = fapi.send(&fapi.first, "get_token", &form, &Shown { proof: Some(&[]), ..Shown::default() });
    is_error(&answer, &["invalid_grant"]);
}

/// `incorrect-pkce-code-verifier-rejected`
#[test]
fn a_code_with_another_verifier_is_worth_nothing() {
    let fapi = Fapi::start();
    let code = fapi.code(&fapi.first, &fapi.request(&fapi.first));
    let wrong = VERIFIER.replace('d', "e");
    let form = exchange(&fapi.first, &code)
        .map(|pair| if pair.0 == "code_verifier" { (pair.0, wrong.as_str()) } else { pair });
    let answer = fapi.send(&fapi.first, "get_token", &form, &Shown { proof: Some(&[]), ..Shown::default() });
    is_error(&answer, &["invalid_grant"]);
}
