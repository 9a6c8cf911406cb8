//! Client assertions (RFC 7523) that are not as they should be.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::{Fapi, Shown, exchange, is_error, reference};
use crate::support::{JWT_BEARER, METHOD, Request, Setup};

fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

/// A code is not exchanged with such an assertion; it is with a right one.
fn refused_with_code(changes: &[(&str, Value)]) {
    let fapi = Fapi::start();
    let code = fapi.code(&fapi.first, &fapi.request(&fapi.first));
    let answer = fapi.exchange(&fapi.first, &code, &Shown { assertion: changes, proof: Some(&[]), holder: None });
    is_error(&answer, &["invalid_client"]);
    fapi.tokens(&fapi.first, &code);
}

/// A request is not taken with such an assertion.
fn refused_with_request(changes: impl FnOnce(&Fapi) -> Vec<(&'static str, Value)>) {
    let fapi = Fapi::start();
    let changes = changes(&fapi);
    let request = fapi.request(&fapi.first);
    let answer = fapi.push(&fapi.first, &request, &Shown { assertion: &changes, ..Shown::default() });
    is_error(&answer, &["invalid_client"]);
    reference(&fapi.push(&fapi.first, &request, &Shown::default()));
}

/// `ensure-client-assertion-with-exp-is-5-minutes-in-past-fails`
#[test]
fn an_assertion_that_has_ended_is_refused() {
    refused_with_code(&[("exp", json!(now() - 300))]);
}

/// `ensure-client-assertion-with-wrong-aud-fails`
#[test]
fn an_assertion_for_another_server_is_refused() {
    refused_with_code(&[("aud", json!("https://other.example"))]);
}

/// `ensure-client-assertion-with-no-sub-fails`
#[test]
fn an_assertion_without_a_subject_is_refused() {
    refused_with_code(&[("sub", Value::Null)]);
}

/// `ensure-client-assertion-in-token-endpoint`
#[test]
fn a_client_that_shows_nothing_is_refused() {
    let fapi = Fapi::start();
    let code = fapi.code(&fapi.first, &fapi.request(&fapi.first));
    let form = [&exchange(&fapi.first, &code)[..], &[("client_id", fapi.first.client.id)]].concat();
    let answer = fapi.suite.gateway.send(&Request::form(&format!("{METHOD}get_token"), &form));
    is_error(&answer, &["invalid_client", "invalid_request"]);
}

/// `ensure-signed-client-assertion-with-RS256-fails`
#[test]
fn an_assertion_by_rs256_is_refused() {
    let fapi = Fapi::with(Setup::new(), Algorithm::PS256);
    let code = fapi.code(&fapi.first, &fapi.request(&fapi.first));
    let assertion = fapi.first.key.fresh_by(Algorithm::RS256, &fapi.suite.gateway, fapi.first.client);
    let shown = [JWT_BEARER, ("client_assertion", assertion.as_str())];
    let form = [&exchange(&fapi.first, &code)[..], &shown].concat();
    is_error(&fapi.suite.gateway.send(&Request::form(&format!("{METHOD}get_token"), &form)), &["invalid_client"]);
    fapi.tokens(&fapi.first, &code);
}

/// `par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted`
#[test]
fn a_client_whose_clock_is_8_seconds_ahead_is_understood() {
    let fapi = Fapi::start();
    let soon = now() + 8;
    let changes = [("iat", json!(soon)), ("nbf", json!(soon))];
    let shown = Shown { assertion: &changes, ..Shown::default() };
    reference(&fapi.push(&fapi.first, &fapi.request(&fapi.first), &shown));
}

/// `par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails`
#[test]
fn an_assertion_of_a_time_to_come_is_refused() {
    refused_with_request(|_| {
        let later = now() + 62;
        vec![("iat", json!(later)), ("nbf", json!(later)), ("exp", json!(later + 60))]
    });
}

/// `par-test-array-as-audience-fails`
#[test]
fn a_list_of_audiences_is_refused() {
    refused_with_request(|fapi| {
        let url = fapi.suite.gateway.url();
        vec![(
            "aud",
            json!([url, format!("{url}{METHOD}get_token"), format!("{url}{METHOD}pushed_authorization_request")]),
        )]
    });
}

/// `par-test-par-endpoint-url-as-audience-fails`
#[test]
fn the_endpoint_of_pushed_requests_is_no_audience() {
    refused_with_request(|fapi| {
        vec![("aud", json!(format!("{}{METHOD}pushed_authorization_request", fapi.suite.gateway.url())))]
    });
}

/// `par-test-token-endpoint-url-as-audience-fails`
#[test]
fn the_token_endpoint_is_no_audience() {
    refused_with_request(|fapi| vec![("aud", json!(format!("{}{METHOD}get_token", fapi.suite.gateway.url())))]);
}
