//! Userinfo, and which claims are told where.

use serde_json::Value;

use crate::{
    conformance::suite::{FIRST, Flow, Mode, Suite},
    standin::ALICE,
    support::{METHOD, Request},
};

/// The claims that each scope asks for (OpenID Connect Core §5.4).
const PROFILE: [&str; 14] = [
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
];
/// Those of them that the suite warns of: ERPNext does not know them, or not of Alice.
const UNKNOWN: [&str; 8] = [
    "middle_name",
    "nickname",
    "profile",
    "website",
    "updated_at",
    "email_verified",
    "phone_number_verified",
    "picture",
];

/// oidcc-userinfo-get
pub fn userinfo_is_asked_by_get(mode: Mode) {
    let suite = Suite::start(mode);
    let flow = suite.flow(&mut suite.visitor(), FIRST, &suite.request(FIRST));
    assert_eq!(flow.userinfo["sub"], flow.claims["sub"]);
}

/// oidcc-userinfo-post-header
pub fn userinfo_is_asked_by_post(mode: Mode) {
    let suite = Suite::start(mode);
    let flow = suite.flow(&mut suite.visitor(), FIRST, &suite.request(FIRST));
    let post = Request::new("POST", &format!("{METHOD}openid_profile")).bearer(&flow.tokens.access);
    let empty_form = Request::form(&format!("{METHOD}openid_profile"), &[]).bearer(&flow.tokens.access);
    for request in [post.header("Content-Length", "0"), empty_form] {
        assert_eq!(suite.userinfo(&request), flow.userinfo);
    }
}

/// oidcc-userinfo-post-body: RFC 6750 §2.2 need not be supported, and the suite ends with a warning. T37
pub fn userinfo_takes_no_token_from_a_body(mode: Mode) {
    let suite = Suite::start(mode);
    let flow = suite.flow(&mut suite.visitor(), FIRST, &suite.request(FIRST));
    let path = format!("{METHOD}openid_profile");
    let answer = suite.gateway.send(&Request::form(&path, &[("access_token", &flow.tokens.access)]));
    assert!((400..500).contains(&answer.status), "{answer}");
    assert!(!answer.text().contains("\"sub\""), "{answer}");
}

/// The claims of a scope come from userinfo, as far as they are known; that they are not all there is a warning of the suite's.
fn opened(suite: &Suite, scope: &str, wanted: &[&str]) -> Flow {
    let listed = suite.discovery()["scopes_supported"].clone();
    for scope in scope.split(' ') {
        assert!(listed.as_array().is_some_and(|listed| listed.contains(&scope.into())), "{scope} in {listed}");
    }
    let flow = suite.flow(&mut suite.visitor(), FIRST, &suite.request(FIRST).with("scope", scope));
    for name in wanted {
        assert_eq!(flow.userinfo.get(name).is_some(), !UNKNOWN.contains(name), "{name}: {}", flow.userinfo);
    }
    // What was not asked for is not told: in userinfo the rest, in the id_token all of it.
    let all = PROFILE.iter().chain(&["email", "email_verified", "address", "phone_number", "phone_number_verified"]);
    for name in all {
        assert!(wanted.contains(name) || flow.userinfo.get(name).is_none(), "{name}: {}", flow.userinfo);
        assert!(flow.claims.get(name).is_none(), "{name}: {}", flow.claims);
    }
    flow
}

/// oidcc-scope-profile
pub fn the_scope_profile_opens_what_erpnext_knows(mode: Mode) {
    let flow = opened(&Suite::start(mode), "openid profile", &PROFILE);
    assert_eq!(flow.userinfo["name"], "Alice Anders");
}

/// oidcc-scope-email
pub fn the_scope_email_opens_the_address_in_userinfo_alone(mode: Mode) {
    let flow = opened(&Suite::start(mode), "openid email", &["email", "email_verified"]);
    assert_eq!(flow.userinfo["email"], ALICE);
}

/// oidcc-scope-address
pub fn the_scope_address_opens_the_address(mode: Mode) {
    let flow = opened(&Suite::start(mode), "openid address", &["address"]);
    assert!(flow.userinfo["address"]["formatted"].is_string(), "{}", flow.userinfo);
}

/// oidcc-scope-phone
pub fn the_scope_phone_opens_the_number(mode: Mode) {
    opened(&Suite::start(mode), "openid phone", &["phone_number", "phone_number_verified"]);
}

/// oidcc-scope-all
pub fn all_scopes_together_open_all(mode: Mode) {
    let others = ["email", "email_verified", "address", "phone_number", "phone_number_verified"];
    let wanted: Vec<_> = PROFILE.into_iter().chain(others).collect();
    opened(&Suite::start(mode), "openid email phone address profile", &wanted);
}

/// oidcc-alternate-happy-flow, which has taken the place of oidcc-ensure-other-scope-order-succeeds
pub fn neither_scopes_nor_parameters_have_an_order(mode: Mode) {
    let suite = Suite::start(mode);
    let request = suite.request(FIRST).with("scope", "email openid").reversed();
    let flow = suite.flow(&mut suite.visitor(), FIRST, &request);
    assert_eq!(flow.userinfo["email"], ALICE);
    assert!(flow.userinfo.get("name").is_none() && flow.claims.get("email").is_none());
}

/// oidcc-claims-essential
pub fn an_essential_claim_comes_from_userinfo_alone(mode: Mode) {
    let suite = Suite::start(mode);
    assert_eq!(suite.discovery()["claims_parameter_supported"], Value::Bool(true));
    let request = suite.request(FIRST).with("claims", r#"{"userinfo":{"name":{"essential":true}}}"#);
    let flow = suite.flow(&mut suite.visitor(), FIRST, &request);
    assert_eq!(flow.userinfo["name"], "Alice Anders");
    assert!(flow.claims.get("name").is_none(), "{}", flow.claims);
    assert!(flow.userinfo.get("email").is_none(), "{}", flow.userinfo);
}
