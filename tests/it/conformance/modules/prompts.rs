//! What a client says of the login and of the pages. Where a module wants two logins at two times, as much time passes here as there:
//! `auth_time` has seconds.

use std::time::Duration;

use serde_json::Value;

use crate::{
    conformance::suite::{FIRST, Flow, Mode, Suite},
    support::pause,
};

/// A request with one parameter more leads through login and consent to tokens all the same.
fn with_parameter(mode: Mode, name: &str, value: &str) -> Flow {
    let suite = Suite::start(mode);
    let flow = suite.flow(&mut suite.visitor(), FIRST, &suite.request(FIRST).with(name, value));
    assert_eq!(flow.visit.logins, 1);
    flow
}

/// oidcc-display-page
pub fn display_may_be_page(mode: Mode) {
    with_parameter(mode, "display", "page");
}

/// oidcc-display-popup
pub fn display_may_be_popup(mode: Mode) {
    with_parameter(mode, "display", "popup");
}

/// oidcc-login-hint: the hint that the suite makes when it is given none
pub fn a_login_hint_is_no_error(mode: Mode) {
    with_parameter(mode, "login_hint", "buffy@127.0.0.1");
}

/// oidcc-ui-locales
pub fn ui_locales_are_no_error(mode: Mode) {
    with_parameter(mode, "ui_locales", "se");
}

/// oidcc-claims-locales
pub fn claims_locales_are_no_error(mode: Mode) {
    with_parameter(mode, "claims_locales", "se");
}

/// oidcc-ensure-request-with-acr-values-succeeds: the gateway knows no classes and says none, of which the suite warns
pub fn acr_values_are_no_error(mode: Mode) {
    let flow = with_parameter(mode, "acr_values", "1 2");
    assert!(flow.claims.get("acr").is_none(), "{}", flow.claims);
}

/// oidcc-prompt-none-not-logged-in
pub fn prompt_none_without_a_login_is_an_error(mode: Mode) {
    let suite = Suite::start(mode);
    let request = suite.request(FIRST).with("prompt", "none").with("state", &"s".repeat(128));
    let visit = suite.visitor().visit(request.get());
    assert_eq!(suite.error(&request, &visit), "login_required");
    assert!(visit.passed.is_empty() && visit.logins == 0);
}

fn auth_time(claims: &Value) -> u64 {
    claims["auth_time"].as_u64().unwrap_or_else(|| panic!("no auth_time: {claims}"))
}

/// Two authorizations in one browser, the second of which asks nobody anything and tells of the same login.
fn same_login(mode: Mode, first: &[(&str, &str)], second: impl Fn(&Flow) -> Vec<(&'static str, String)>) {
    let suite = Suite::start(mode);
    let mut visitor = suite.visitor();
    let request = first.iter().fold(suite.request(FIRST), |request, (name, value)| request.with(name, value));
    let before = suite.flow(&mut visitor, FIRST, &request);
    let request = second(&before).iter().fold(suite.request(FIRST), |request, (name, value)| request.with(name, value));
    let after = suite.flow(&mut visitor, FIRST, &request);
    assert!(after.visit.logins == 0 && after.visit.passed.is_empty(), "nobody was asked");
    assert_eq!(after.claims["sub"], before.claims["sub"]);
    assert_eq!(auth_time(&after.claims), auth_time(&before.claims));
}

/// oidcc-prompt-none-logged-in
pub fn prompt_none_with_a_login_shows_no_page(mode: Mode) {
    same_login(mode, &[], |_| vec![("prompt", "none".to_owned())]);
}

/// oidcc-id-token-hint
pub fn an_id_token_is_a_hint_of_who_is_logged_in(mode: Mode) {
    same_login(mode, &[], |first| {
        vec![("prompt", "none".to_owned()), ("id_token_hint", first.tokens.id_token.clone())]
    });
}

/// oidcc-max-age-10000
pub fn a_login_younger_than_max_age_is_good_enough(mode: Mode) {
    same_login(mode, &[("max_age", "15000")], |_| vec![("max_age", "10000".to_owned())]);
}

/// Two authorizations in one browser, the second of which wants another login.
fn second_login(mode: Mode, wait: Duration, name: &str, value: &str) {
    let suite = Suite::start(mode);
    let mut visitor = suite.visitor();
    let before = suite.flow(&mut visitor, FIRST, &suite.request(FIRST));
    pause(wait);
    let after = suite.flow(&mut visitor, FIRST, &suite.request(FIRST).with(name, value));
    assert_eq!((before.visit.logins, after.visit.logins), (1, 1));
    assert_eq!(after.claims["sub"], before.claims["sub"]);
    let (first, second) = (auth_time(&before.claims), auth_time(&after.claims));
    assert!(second > first, "{first} {second}");
    assert!(second.abs_diff(jsonwebtoken::get_current_timestamp()) < 300, "{second}");
}

/// oidcc-prompt-login
pub fn prompt_login_asks_somebody_who_is_logged_in_again(mode: Mode) {
    second_login(mode, Duration::from_millis(1100), "prompt", "login");
}

/// oidcc-max-age-1
pub fn a_login_older_than_max_age_is_done_again(mode: Mode) {
    second_login(mode, Duration::from_millis(2100), "max_age", "1");
}
