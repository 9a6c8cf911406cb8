//! What the gateway says of itself.

use serde_json::{Value, json};

use crate::support::{METHOD, Request, TestGateway};

const PATHS: [&str; 4] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/api/method/frappe.integrations.oauth2.openid_configuration",
    "/api/v2/method/frappe.integrations.oauth2.get_openid_configuration/",
];

#[test]
fn discovery_names_every_endpoint_on_the_public_origin() {
    let gateway = TestGateway::start();
    let url = gateway.url();
    let documents = gateway.without_upstream("discovery", || PATHS.map(|path| gateway.get(path)));
    for answer in &documents {
        assert_eq!(answer.status, 200, "{answer}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert!(answer.header("cache-control").is_some_and(|value| value.contains("max-age=")), "{answer}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.json(), documents[0].json());
    }
    let document = documents[0].json();
    assert_eq!(document["issuer"], url.as_str());
    for (member, method) in [
        ("authorization_endpoint", "authorize"),
        ("token_endpoint", "get_token"),
        ("userinfo_endpoint", "openid_profile"),
        ("revocation_endpoint", "revoke_token"),
        ("introspection_endpoint", "introspect_token"),
    ] {
        assert_eq!(document[member], format!("{url}{METHOD}{method}"), "{member}");
    }
    assert_eq!(document["jwks_uri"], format!("{url}/.well-known/jwks.json"));
    let flags = [
        ("request_parameter_supported", false),
        ("request_uri_parameter_supported", false),
        ("authorization_response_iss_parameter_supported", true),
    ];
    for (member, value) in flags {
        assert_eq!(document[member], value, "{member}");
    }
    let lists = |member: &str, wanted: &[&str]| {
        let list = document[member].as_array().unwrap_or_else(|| panic!("{member}"));
        wanted.iter().all(|wanted| list.contains(&Value::from(*wanted)))
    };
    assert!(lists("scopes_supported", &["all", "openid", "read:Customer"]), "{document}");
    assert!(lists("response_types_supported", &["code", "token", "code id_token"]), "{document}");
    assert!(lists("grant_types_supported", &["authorization_code", "refresh_token", "client_credentials"]));
    assert!(lists("token_endpoint_auth_methods_supported", &["client_secret_basic", "client_secret_post", "none"]));
    assert!(lists("id_token_signing_alg_values_supported", &["RS256", "ES256", "EdDSA"]), "{document}");
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert!(lists("prompt_values_supported", &["none", "login", "consent"]), "{document}");
    assert!(document.get("registration_endpoint").is_none(), "it is off");
}

#[test]
fn resource_metadata_names_the_resource_below_its_path() {
    let gateway = TestGateway::start();
    let url = gateway.url();
    for (below, resource) in [("", ""), ("/api/resource", "/api/resource")] {
        let answer = gateway.get(&format!("/.well-known/oauth-protected-resource{below}"));
        assert_eq!(answer.status, 200, "{answer}");
        let metadata = answer.json();
        assert_eq!(metadata["resource"], format!("{url}{resource}"));
        assert_eq!(metadata["authorization_servers"], json!([url]));
        assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
    }
}

#[test]
fn the_published_keys_are_public_ones() {
    let gateway = TestGateway::start();
    let answer = gateway.get("/.well-known/jwks.json");
    assert!(answer.header("cache-control").is_some_and(|value| value.contains("max-age=")), "{answer}");
    let keys = answer.json()["keys"].as_array().expect("keys").clone();
    assert!(!keys.is_empty());
    for key in &keys {
        assert_eq!(key["use"], "sig", "{key}");
        assert!(key["kid"].is_string() && key["alg"].is_string(), "{key}");
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none(), "{private}: {key}");
        }
    }
    for kind in ["RSA", "EC", "OKP"] {
        assert!(keys.iter().any(|key| key["kty"] == kind), "{kind}: {answer}");
    }
}

#[test]
fn head_answers_as_get_does_without_its_body() {
    let gateway = TestGateway::start();
    for path in [PATHS[0], "/.well-known/jwks.json", "/.well-known/oauth-protected-resource"] {
        let (get, head) = (gateway.get(path), gateway.send(&Request::new("HEAD", path)));
        assert_eq!((head.status, head.body.len()), (200, 0), "{head}");
        // It may be left out (RFC 9110 §9.3.2), but not be another.
        assert!(head.header("content-length").is_none_or(|length| length == get.body.len().to_string()), "{head}");
        for name in ["content-type", "cache-control", "access-control-allow-origin"] {
            assert_eq!(head.header(name), get.header(name), "{name}");
        }
    }
}
