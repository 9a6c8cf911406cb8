//! How an authorization request may be sent, and what must not be in it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    conformance::suite::{AuthorizationRequest, FIRST, Mode, Suite},
    support::Answer,
};

/// oidcc-ensure-request-with-unknown-parameter-succeeds
pub fn an_unknown_parameter_is_ignored(mode: Mode) {
    let suite = Suite::start(mode);
    suite.flow(&mut suite.visitor(), FIRST, &suite.request(FIRST).with("extra", "foobar"));
}

/// oidcc-ensure-post-request-succeeds: in a browser that has not logged in
pub fn an_authorization_request_may_be_posted(mode: Mode) {
    let suite = Suite::start(mode);
    let request = suite.request(FIRST);
    let visit = suite.visitor().visit(request.post());
    assert_eq!(visit.logins, 1);
    suite.rest_of_flow(FIRST, &request, visit, &[]);
}

/// A page for people, which says what is wrong and leads nowhere.
fn is_error_page(page: &Answer, what: &str) {
    assert_eq!(page.status, 400, "{page}");
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{page}");
    assert!(page.header("location").is_none() && page.text().contains(what), "{page}");
    assert!(!page.text().contains("certification.openid.net"), "nothing leads there: {page}");
}

/// oidcc-ensure-registered-redirect-uri
pub fn a_redirect_uri_that_is_not_registered_is_an_error_page(mode: Mode) {
    let suite = Suite::start(mode);
    let uri = format!("{}/QzmX7hKd0b", FIRST.redirect_uri);
    let visit = suite.visitor().visit(suite.request(FIRST).with("redirect_uri", &uri).get());
    is_error_page(visit.page(), "redirect_uri");
}

/// An unsigned request object that holds this request.
fn unsigned(request: &AuthorizationRequest) -> String {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&request.json().to_string()))
}

/// What stands beside a request object: `state` and `nonce` are in the object alone.
fn beside(request: &AuthorizationRequest) -> AuthorizationRequest {
    request.clone().without("state").without("nonce").without("response_mode")
}

/// oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported: refused as unsupported, upon which the suite skips it
pub fn a_request_uri_is_refused_with_its_own_error(mode: Mode) {
    let suite = Suite::start(mode);
    assert_eq!(suite.discovery()["request_uri_parameter_supported"], false);
    let request = beside(&suite.request(FIRST)).with("request_uri", "https://www.certification.openid.net/requests/1");
    let visit = suite.gateway.without_upstream("the URI is not fetched", || suite.visitor().visit(request.get()));
    assert_eq!(visit.parameter("error"), Some("request_uri_not_supported"));
}

/// oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported: the same
pub fn a_request_object_is_refused_with_its_own_error(mode: Mode) {
    let suite = Suite::start(mode);
    assert_eq!(suite.discovery()["request_parameter_supported"], false);
    let whole = suite.request(FIRST);
    let visit = suite.visitor().visit(beside(&whole).with("request", &unsigned(&whole)).get());
    assert_eq!(visit.parameter("error"), Some("request_not_supported"));
}

/// oidcc-ensure-request-object-with-redirect-uri
pub fn a_request_object_does_not_mend_a_wrong_redirect_uri(mode: Mode) {
    let suite = Suite::start(mode);
    let whole = suite.request(FIRST);
    let wrong = format!("{}_invalid", FIRST.redirect_uri);
    let request = beside(&whole).with("redirect_uri", &wrong).with("request", &unsigned(&whole));
    is_error_page(suite.visitor().visit(request.get()).page(), "redirect_uri");
}
