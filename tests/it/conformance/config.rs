//! `oidcc-config-certification-test-plan`.

use jsonwebtoken::jwk::JwkSet;
use serde_json::Value;

use super::suite::{Mode, Suite};

/// oidcc-discovery-endpoint-verification. The suite wants `https` of every endpoint; here it is the loopback that `public_url` may be.
#[test]
fn discovery_says_what_every_client_needs() {
    let suite = Suite::start(Mode::Query);
    let answer = suite.gateway.get("/.well-known/openid-configuration");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let document = answer.json();
    let issuer = suite.gateway.url();
    assert_eq!(document["issuer"], issuer.as_str());
    are_on_the_issuer(&document, &issuer);
    let wanted = [
        ("response_types_supported", "code"),
        ("subject_types_supported", "public"),
        ("id_token_signing_alg_values_supported", "RS256"),
        ("scopes_supported", "openid"),
        ("grant_types_supported", "authorization_code"),
        ("claims_supported", "sub"),
        ("code_challenge_methods_supported", "S256"),
    ];
    for (list, value) in wanted {
        assert!(texts(&document, list).contains(&value), "{list}: {document}");
    }
    for scope in texts(&document, "scopes_supported") {
        let is_token = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        assert!(!scope.is_empty() && scope.bytes().all(is_token), "{scope}: RFC 6749 A.4");
    }
    for list in ["ui_locales_supported", "claims_locales_supported"] {
        if document.get(list).is_some() {
            assert!(texts(&document, list).iter().all(|tag| is_language_tag(tag)), "{list}: {document}");
        }
    }
    for flag in ["claims_parameter_supported", "request_parameter_supported", "request_uri_parameter_supported"] {
        assert!(document[flag].is_boolean(), "{flag}: {document}");
    }
    are_public_keys(&suite);
}

fn texts<'d>(document: &'d Value, list: &str) -> Vec<&'d str> {
    let list = document[list].as_array().unwrap_or_else(|| panic!("{list}: {document}"));
    list.iter().map(|value| value.as_str().expect("text")).collect()
}

fn are_on_the_issuer(document: &Value, issuer: &str) {
    let endpoints = document.as_object().expect("an object").iter();
    let endpoints: Vec<_> = endpoints.filter(|(name, _)| name.ends_with("_endpoint") || *name == "jwks_uri").collect();
    for needed in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri"] {
        assert!(endpoints.iter().any(|(name, _)| *name == needed), "{needed}: {document}");
    }
    for (name, url) in endpoints {
        let path = url.as_str().and_then(|url| url.strip_prefix(issuer)).unwrap_or_default();
        assert!(path.starts_with('/'), "{name}: {url}");
    }
}

/// BCP 47 in its usual case.
fn is_language_tag(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    let is_language = (2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_lowercase());
    is_language && parts.all(|part| (2..=4).contains(&part.len()) && part.starts_with(|c: char| c.is_ascii_uppercase()))
}

fn are_public_keys(suite: &Suite) {
    let answer = suite.gateway.get("/.well-known/jwks.json");
    let keys = answer.json()["keys"].as_array().expect("keys").clone();
    let parsed: JwkSet = serde_json::from_value(answer.json()).expect("a key set");
    assert!(!keys.is_empty() && parsed.keys.len() == keys.len());
    let mut ids: Vec<_> = keys.iter().map(|key| key["kid"].as_str().expect("a kid")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), keys.len(), "each has an id of its own");
    for key in &keys {
        for part in ["n", "e", "x", "y"].iter().filter_map(|part| key[*part].as_str()) {
            assert!(part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{key}");
        }
        let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
        assert!(private.iter().all(|part| key.get(part).is_none()), "{key}");
    }
}
