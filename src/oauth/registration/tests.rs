//! What may be registered.

use super::*;

fn policy() -> RegistrationPolicy {
    RegistrationPolicy {
        scopes: Scopes::parse("openid profile email").expect("scopes"),
        redirect_hosts: Vec::new(),
        loopback: true,
        document_hosts: Vec::new(),
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
        r#""token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[]}"#,
        r#""token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"oct","k":"AAAA"}]}"#,
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

const KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn signing(more: &str) -> RequestedMetadata {
    asked(&format!(
        r#"{{"redirect_uris":["https://app.example/cb"],"token_endpoint_auth_method":"private_key_jwt",{more}}}"#
    ))
}

#[test]
fn a_client_that_signs_gives_its_keys_or_says_where_they_are() {
    let given = policy().check(signing(&format!(r#""jwks":{{"keys":[{KEY}]}}"#))).expect("good");
    let client = given.to_client(ClientId::new("c"), None);
    assert!(matches!(client.keys, Some(KeySource::Given(_))) && !given.has_secret() && !client.is_public());
    let published = policy().check(signing(r#""jwks_uri":"https://app.example/jwks""#)).expect("good");
    let client = published.to_client(ClientId::new("c"), None);
    assert!(matches!(client.keys, Some(KeySource::At(url)) if url.as_str() == "https://app.example/jwks"));
    let again: ClientMetadata =
        serde_json::from_str(&serde_json::to_string(&published).expect("JSON")).expect("the same");
    assert_eq!(again, published);
    let both = format!(r#""jwks":{{"keys":[{KEY}]}},"jwks_uri":"https://app.example/jwks""#);
    assert!(policy().check(signing(&both)).is_err());
}

/// T64
#[test]
fn keys_are_not_fetched_from_where_only_the_gateway_may_go() {
    let check =
        |policy: &RegistrationPolicy, url: &str| policy.check(signing(&format!(r#""jwks_uri":"{url}""#))).is_ok();
    for url in [
        "http://app.example/jwks",
        "https://app.example:8443/jwks",
        "https://user@app.example/jwks",
        "https://app.example/jwks#x",
        "https://127.0.0.1/jwks",
        "https://[::1]/jwks",
        "https://169.254.169.254/latest/meta-data",
        "https://2130706433/jwks",
        "https://93.184.216.34/jwks",
        "https://intranet/jwks",
        "https://localhost/jwks",
        "http://localhost/jwks",
        "file:///etc/passwd",
        "",
    ] {
        assert!(!check(&policy(), url), "{url}");
    }
    let own = RegistrationPolicy { document_hosts: vec!["intranet".to_owned(), "localhost".to_owned()], ..policy() };
    assert!(check(&own, "https://intranet:8443/jwks") && check(&own, "http://localhost:8000/jwks"));
    assert!(!check(&own, "http://intranet/jwks") && !check(&own, "https://other/jwks"));
}
