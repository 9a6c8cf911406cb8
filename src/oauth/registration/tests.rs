//! What may be registered.

use super::*;

fn policy() -> RegistrationPolicy {
    RegistrationPolicy {
        scopes: Scopes::parse("openid profile email").expect("scopes"),
        redirect_hosts: Vec::new(),
        loopback: true,
    }
}

fn asked(json: &str) -> RequestedMetadata {
    serde_json::from_str(json).expect("metadata")
}

fn with_uri(uri: &str) -> RequestedMetadata {
    RequestedMetadata { redirect_uris: Some(vec![uri.to_owned()]), ..RequestedMetadata::default() }
}

#[test]
fn what_is_left_out_has_the_defaults_of_the_rfc() {
    let metadata = policy().check(with_uri("https://app.example/cb")).expect("good");
    assert_eq!(metadata.token_endpoint_auth_method, ClientAuthMethod::Basic);
    assert_eq!(metadata.grant_types, [GrantType::AuthorizationCode]);
    assert_eq!(metadata.response_types, [ResponseType::CODE]);
    assert_eq!(metadata.scope.to_string(), "openid profile email");
    let client = metadata.to_client(ClientId::new("c"), None);
    assert_eq!((client.mode, client.pkce, client.name.as_str()), (ClientMode::Strict, Pkce::Required, "c"));
}

/// T64
#[test]
fn redirect_uris_that_lead_astray_are_refused() {
    for uri in [
        "http://app.example/cb",
        "https://app.example/cb#f",
        "javascript:alert(1)",
        "data:text/html,x",
        "http://localhost.evil/cb",
        "https://169.254.169.254/cb",
        "https://127.0.0.1/cb",
        "https://[::1]/cb",
        "https://2130706433/cb",
        "https://intranet/cb",
        "https://localhost/cb",
        "https://x.localhost/cb",
        "https://good@evil.example/cb",
        "myapp:/cb",
        "ftp://app.example/cb",
        "wss://app.example/cb",
        "/cb",
        "",
    ] {
        let refused = policy().check(with_uri(uri));
        assert!(matches!(refused, Err(InvalidMetadata::RedirectUri(_))), "{uri}: {refused:?}");
    }
    for uri in [
        "https://app.example/cb",
        "http://127.0.0.1/cb",
        "http://[::1]:7/cb",
        "http://localhost:33418/",
        "com.example.app:/cb",
    ] {
        assert!(policy().check(with_uri(uri)).is_ok(), "{uri}");
    }
    let none = policy().check(RequestedMetadata::default());
    assert!(matches!(none, Err(InvalidMetadata::RedirectUri(_))));
}

#[test]
fn hosts_and_loopback_are_the_operators_to_allow() {
    let hosts =
        RegistrationPolicy { redirect_hosts: vec!["app.example".to_owned(), "intranet".to_owned()], ..policy() };
    for (uri, allowed) in [
        ("https://app.example:8443/cb", true),
        ("https://intranet/cb", true),
        ("https://other.example/cb", false),
        ("https://app.example.evil/cb", false),
        ("http://localhost/cb", true),
    ] {
        assert_eq!(hosts.check(with_uri(uri)).is_ok(), allowed, "{uri}");
    }
    let strict = RegistrationPolicy { loopback: false, ..policy() };
    assert!(strict.check(with_uri("http://127.0.0.1/cb")).is_err());
}

/// T65
#[test]
fn what_is_beyond_the_policy_is_refused_or_narrowed() {
    let base = r#""redirect_uris":["https://app.example/cb"]"#;
    for more in [
        r#""grant_types":["password"]"#,
        r#""grant_types":["authorization_code","password"]"#,
        r#""grant_types":["implicit"]"#,
        r#""grant_types":["client_credentials"]"#,
        r#""grant_types":["refresh_token"]"#,
        r#""grant_types":[]"#,
        r#""response_types":["token"]"#,
        r#""response_types":["code id_token"]"#,
        r#""response_types":[]"#,
        r#""token_endpoint_auth_method":"private_key_jwt""#,
        r#""token_endpoint_auth_method":"client_secret""#,
        r#""token_endpoint_auth_method":"x""#,
        r#""scope":"all""#,
        r#""scope":"\"""#,
        r#""jwks_uri":"https://app.example/jwks""#,
        r#""jwks":{"keys":[]}"#,
        r#""logo_uri":"http://169.254.169.254/latest""#,
        r#""policy_uri":"javascript:alert(1)""#,
        r#""client_name":"a\nb""#,
        r#""client_name":"a\u202eb""#,
    ] {
        let refused = policy().check(asked(&format!("{{{base},{more}}}")));
        assert!(matches!(refused, Err(InvalidMetadata::Metadata(_))), "{more}: {refused:?}");
    }
    let narrowed = policy().check(asked(&format!(
        r#"{{{base},"scope":"openid all","grant_types":["refresh_token","authorization_code","urn:ietf:params:oauth:grant-type:device_code"],
        "client_name":" Shop ","logo_uri":"https://169.254.169.254/logo","unknown":1,"tos_uri":null}}"#
    )));
    let narrowed = narrowed.expect("good");
    assert_eq!(narrowed.scope.to_string(), "openid");
    assert_eq!(narrowed.grant_types, [GrantType::AuthorizationCode, GrantType::RefreshToken]);
    assert_eq!(narrowed.client_name.as_deref(), Some("Shop"));
    let again: ClientMetadata =
        serde_json::from_str(&serde_json::to_string(&narrowed).expect("JSON")).expect("the same");
    assert_eq!(again, narrowed);
}
