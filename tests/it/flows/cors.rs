//! Which scripts may read the endpoints' answers.

use crate::{
    standin::ALICE,
    support::{Answer, METHOD, Request, SHOP, Setup, TestGateway},
};

fn preflight(gateway: &TestGateway, path: &str, origin: &str) -> Answer {
    let request = Request::new("OPTIONS", path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,content-type");
    gateway.without_upstream(path, || gateway.send(&request))
}

fn allowed(answer: &Answer) -> Option<&str> {
    assert_eq!(answer.header("access-control-allow-credentials"), None, "{answer}");
    answer.header("access-control-allow-origin")
}

#[test]
fn a_preflight_opens_the_endpoints_to_the_clients_origins_and_the_configured_ones() {
    let gateway = Setup::new().set("cors.allowed_origins", vec!["https://tools.example".to_owned()]).start();
    for endpoint in ["get_token", "revoke_token", "openid_profile", "introspect_token"] {
        let path = format!("{METHOD}{endpoint}");
        for origin in ["https://shop.example", "https://client.example", "https://tools.example"] {
            let answer = preflight(&gateway, &path, origin);
            assert_eq!((answer.status, allowed(&answer)), (204, Some(origin)), "{endpoint}: {answer}");
            assert!(answer.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
            let headers = answer.header("access-control-allow-headers").unwrap_or_default().to_ascii_lowercase();
            assert!(headers.contains("authorization") && headers.contains("content-type"), "{answer}");
        }
        for origin in ["https://evil.example", "https://shop.example.evil.example", "http://shop.example", "null"] {
            let answer = preflight(&gateway, &path, origin);
            assert_eq!(allowed(&answer), None, "{endpoint}, {origin}: {answer}");
        }
    }
    for endpoint in ["authorize", "approve"] {
        let answer = preflight(&gateway, &format!("{METHOD}{endpoint}"), "https://shop.example");
        assert_eq!(allowed(&answer), None, "{endpoint}: {answer}");
    }
    for path in ["/.well-known/openid-configuration", "/.well-known/jwks.json", "/.well-known/oauth-protected-resource"]
    {
        assert_eq!(allowed(&preflight(&gateway, path, "https://anybody.example")), Some("*"), "{path}");
    }
}

#[test]
fn an_answer_is_open_to_the_origins_of_its_own_client_alone() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let refresh = |origin: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
        let request = Request::form(&format!("{METHOD}get_token"), &form).basic(SHOP.id, SHOP.secret);
        gateway.send(&request.header("Origin", origin))
    };
    let answer = refresh("https://shop.example");
    assert_eq!((answer.status, allowed(&answer)), (200, Some("https://shop.example")));
    assert!(answer.headers("vary").iter().any(|value| value.contains("Origin")), "{answer}");
    assert_eq!(allowed(&refresh("https://client.example")), None, "another client's");
    let profile = |origin: &str| {
        let request = Request::get(&format!("{METHOD}openid_profile")).bearer(&tokens.access);
        gateway.send(&request.header("Origin", origin))
    };
    let answer = profile("https://shop.example");
    assert_eq!((answer.status, allowed(&answer)), (200, Some("https://shop.example")));
    assert_eq!(allowed(&profile("https://client.example")), None, "another client's");
    assert_eq!(allowed(&profile("https://evil.example")), None);
}
