//! The form of a token request, and the headers of what it earns: T67, T78, T84, T85.

use crate::{
    standin::ALICE,
    support::{APP, Answer, Browser, LEGACY, METHOD, POST, Request, SHOP, Setup, TestGateway, Tokens, VERIFIER, query},
};

fn path() -> String {
    format!("{METHOD}get_token")
}

/// T84
#[test]
fn json_a_query_a_huge_body_and_a_repeated_parameter_are_refused() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let code = browser.code(SHOP, &[]);
    let pairs = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", SHOP.redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    let object: serde_json::Map<_, _> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    let json = serde_json::Value::Object(object).to_string();
    let twice: Vec<_> = pairs.into_iter().chain([("grant_type", "authorization_code")]).collect();
    let in_query = format!("{}?{}", path(), query(&pairs));
    let secret = query(&[("client_id", SHOP.id), ("client_secret", SHOP.secret)]);
    let authenticated = |request: Request| request.basic(SHOP.id, SHOP.secret);
    let huge = vec![b'a'; 10 << 20];
    for (what, request, status) in [
        ("JSON", authenticated(Request::new("POST", &path())).body("application/json", json.as_bytes()), 415),
        ("no content type", authenticated(Request::new("POST", &path())), 415),
        ("query", authenticated(Request::form(&in_query, &[])), 400),
        ("query and form", authenticated(Request::form(&in_query, &pairs)), 400),
        ("a secret in the query", Request::form(&format!("{}?{secret}", path()), &pairs), 400),
        ("twice", authenticated(Request::form(&path(), &twice)), 400),
        ("huge", authenticated(Request::new("POST", &path())).body("application/x-www-form-urlencoded", &huge), 413),
        (
            "no UTF-8",
            authenticated(Request::new("POST", &path())).body("application/x-www-form-urlencoded", b"a=%ff"),
            400,
        ),
    ] {
        let answer = gateway.without_upstream(what, || gateway.send(&request));
        assert_eq!((answer.status, answer.error().as_str()), (status, "invalid_request"), "{what}: {answer}");
    }
    // None of it has used the code.
    Tokens::of(&gateway.exchange(SHOP, &code, &[]));
}

/// T85
#[test]
fn a_secret_in_header_and_form_is_one_method_too_many() {
    let gateway = TestGateway::start();
    for client in [SHOP, POST, LEGACY] {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", "x"),
            ("client_id", client.id),
            ("client_secret", client.secret),
        ];
        let answer = gateway.send(&Request::form(&path(), &form).basic(client.id, client.secret));
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_request"), "{}: {answer}", client.id);
    }
    // Naming itself in the form is no second method, unless it names another.
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", SHOP.id)];
    let answer = gateway.send(&Request::form(&path(), &form).basic(SHOP.id, SHOP.secret));
    assert_eq!(answer.error(), "invalid_grant");
    let answer = gateway.send(&Request::form(&path(), &form).basic(POST.id, POST.secret));
    assert!(matches!(answer.error().as_str(), "invalid_request" | "invalid_client"), "{answer}");
}

fn is_not_stored(what: &str, answer: &Answer) {
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}: {answer}");
    assert_eq!(answer.header("pragma"), Some("no-cache"), "{what}: {answer}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}: {answer}");
    assert_ne!(answer.header("access-control-allow-origin"), Some("*"), "{what}: {answer}");
    assert_eq!(answer.header("access-control-allow-credentials"), None, "{what}: {answer}");
}

/// T78
#[test]
fn what_tells_of_tokens_and_users_is_nobodys_to_keep() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&crate::support::authorize_url(SHOP, &[]));
    is_not_stored("the consent page", &page);
    let redirect = browser.decide(&page, "allow");
    assert_eq!(redirect.header("cache-control"), Some("no-store"), "{redirect}");
    let answer = gateway.exchange(SHOP, &redirect.parameter("code").expect("a code"), &[]);
    is_not_stored("tokens", &answer);
    let tokens = Tokens::of(&answer);
    is_not_stored("userinfo", &gateway.profile(&tokens.access));
    is_not_stored("introspection", &gateway.as_client(SHOP, "introspect_token", &[("token", &tokens.access)]));
    is_not_stored("an error", &gateway.refresh(SHOP, "x", &[]));
    is_not_stored("a failed authentication", &gateway.refresh(SHOP.with(crate::support::Auth::None), "x", &[]));
    is_not_stored("a refused token", &gateway.profile("x"));
    is_not_stored("a refused request", &gateway.whoami("x"));
    is_not_stored("a revocation", &gateway.revoke(SHOP, &tokens.access));
    is_not_stored("a wrong method", &gateway.get(&path()));
    for path in ["/.well-known/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-protected-resource"]
    {
        let answer = gateway.get(path);
        assert!(answer.header("cache-control").is_some_and(|value| value.contains("max-age=")), "{answer}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{answer}");
    }
}

/// T67
#[test]
fn who_guesses_secrets_is_slowed_down_and_successes_never_are() {
    let gateway = Setup::new().set("limits.token_failures", "10/m").start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    for _ in 0..20 {
        Tokens::of(&gateway.refresh(SHOP, &tokens.refresh, &[]));
    }
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
    let guess = |n: u32| gateway.send(&Request::form(&path(), &form).basic(SHOP.id, &format!("guess-{n}")));
    let answers: Vec<_> = (0..12).map(guess).collect();
    assert!(answers[..10].iter().all(|answer| answer.status == 401));
    let limited = &answers[11];
    assert_eq!(limited.status, 429, "{limited}");
    assert!(limited.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()), "{limited}");
    // The API is not the token endpoint: a user with a token goes on.
    gateway.acts_as(&tokens.access, ALICE);
}

/// T67
#[test]
fn a_client_guessed_at_from_a_hundred_addresses_slows_the_guesses_down_and_not_the_client() {
    let gateway = Setup::new()
        .set("limits.token_failures", "10/m")
        .set("server.trusted_proxies", vec!["127.0.0.0/8".to_owned()])
        .start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
    let from = |n: u32, secret: &str| {
        let request = Request::form(&path(), &form).basic(SHOP.id, secret);
        gateway.send(&request.header("X-Forwarded-For", &format!("10.0.0.{n}")))
    };
    let guesses: Vec<_> = (0..100).map(|n| from(n, &format!("guess-{n}"))).collect();
    assert!(guesses[..9].iter().all(|answer| answer.status == 401));
    let slowed = &guesses[99];
    assert!(slowed.status == 429 && slowed.header("retry-after").is_some(), "{slowed}");
    assert_eq!(from(200, SHOP.secret).status, 200, "the right client from elsewhere");
    assert_eq!(from(5, SHOP.secret).status, 200, "and from an address that has guessed once");
}

/// T67
#[test]
fn introspection_without_credentials_is_limited_by_its_misses() {
    let gateway = Setup::new().set("limits.introspection_misses", "5/m").start();
    let tokens = gateway.tokens(ALICE, LEGACY, &[]);
    let path = format!("{METHOD}introspect_token");
    for _ in 0..10 {
        assert_eq!(gateway.send(&Request::form(&path, &[("token", &tokens.access)])).json()["active"], true);
    }
    let statuses: Vec<_> = (0..7).map(|_| gateway.send(&Request::form(&path, &[("token", "x")])).status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429]);
    assert_eq!(gateway.introspect(SHOP, &tokens.access)["active"], true, "a client with credentials goes on");
    let public = gateway.tokens(ALICE, APP, &[]);
    gateway.acts_as(&public.access, ALICE);
}
