//! Clients that register themselves (RFC 7591), and manage their registration (RFC 7592).

use serde_json::{Value, json};

use crate::{
    standin::ALICE,
    support::{Auth, Browser, Request, Setup, TestGateway, Tokens, registration, registration_path, until},
};

const URI: &str = "http://127.0.0.1/cb";
const SCOPES: [(&str, &str); 1] = [("scope", "openid email")];

fn gateway() -> TestGateway {
    Setup::new().open_to_registration().start()
}

#[test]
fn a_public_client_registers_and_gets_tokens_at_once() {
    let gateway = gateway();
    let registered = gateway.registered(URI, &json!({"token_endpoint_auth_method": "none"}));
    let body = &registered.body;
    assert!(body.get("client_secret").is_none() && body.get("client_secret_expires_at").is_none(), "{body}");
    assert_eq!(body["scope"], "openid profile email");
    assert_eq!(body["response_types"], json!(["code"]));
    let client = registered.client();
    // PKCE is required, and the port of a loopback URI is the client's to choose.
    let mut browser = Browser::of(&gateway, ALICE);
    let plain =
        browser.authorize(client, &[("scope", "openid"), ("code_challenge", ""), ("code_challenge_method", "")]);
    assert_eq!(plain.redirected_error(), "invalid_request");
    let page = browser.get(&crate::support::authorize_url(client, &SCOPES));
    assert!(page.text().contains("Agent"), "{page}");
    let tokens = gateway.tokens(ALICE, client, &SCOPES);
    assert_eq!(tokens.body["scope"], "openid email");
    assert_eq!(gateway.profile(&tokens.access).json()["email"], ALICE);
    let next = Tokens::of(&gateway.refresh(client, &tokens.refresh, &[]));
    assert_ne!(next.refresh, tokens.refresh, "rotated");
    let beyond = browser.authorize(client, &[("scope", "all")]);
    assert_eq!(beyond.redirected_error(), "invalid_scope");
}

#[test]
fn a_confidential_client_gets_a_secret_that_it_needs() {
    let gateway = gateway();
    for method in ["client_secret_basic", "client_secret_post"] {
        let registered = gateway.registered("https://agent.example/cb", &json!({"token_endpoint_auth_method": method}));
        assert_eq!(registered.body["client_secret_expires_at"], 0);
        let client = registered.client();
        assert_eq!(client.secret.len(), 43, "256 bits");
        let mut browser = Browser::of(&gateway, ALICE);
        let code = browser.code(client, &SCOPES);
        let wrong = gateway.exchange(client.with_secret("wrong"), &code, &[]);
        assert_eq!((wrong.status, wrong.error().as_str()), (401, "invalid_client"));
        assert_eq!(gateway.exchange(client.with(Auth::None), &code, &[]).status, 401);
        let tokens = Tokens::of(&gateway.exchange(client, &code, &[]));
        assert!(!tokens.refresh.is_empty() && !tokens.id_token.is_empty());
    }
    let defaults = gateway.register(&json!({"redirect_uris": ["https://agent.example/cb"]})).json();
    assert_eq!(defaults["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(defaults["grant_types"], json!(["authorization_code"]));
}

#[test]
fn a_client_reads_changes_and_deletes_its_registration() {
    let gateway = gateway();
    let registered =
        gateway.registered(URI, &json!({"token_endpoint_auth_method": "none", "client_uri": "https://a.example/"}));
    let read = gateway.send(&registered.manage(&gateway, "GET"));
    assert_eq!((read.status, read.json()), (200, registered.body.clone()), "{read}");
    assert_eq!(read.header("cache-control"), Some("no-store"));
    let tokens = gateway.tokens(ALICE, registered.client(), &SCOPES);

    let put = |body: &Value| {
        let request = registered.manage(&gateway, "PUT");
        gateway.send(&request.body("application/json", body.to_string().as_bytes()))
    };
    let next = json!({"client_id": registered.id(), "redirect_uris": ["https://agent.example/new"], "scope": "openid"});
    let changed = put(&next);
    assert_eq!(changed.status, 200, "{changed}");
    let body = changed.json();
    assert!(body.get("client_uri").is_none(), "what is left out is gone: {body}");
    assert_eq!((&body["scope"], body["client_secret"].as_str().map(str::len)), (&json!("openid"), Some(43)));
    assert_eq!(body["registration_access_token"], registered.access_token());
    let old = Browser::of(&gateway, ALICE).get(&crate::support::authorize_url(registered.client(), &SCOPES));
    assert_eq!(old.status, 400, "the old redirect URI is none any more: {old}");
    let again =
        put(&json!({"client_id": registered.id(), "client_secret": body["client_secret"], "redirect_uris": [URI]}));
    assert_eq!(again.json()["client_secret"], body["client_secret"]);
    for (more, error) in [
        (json!({"client_id": "other"}), "invalid_client_metadata"),
        (json!({"client_secret": "mine"}), "invalid_client_metadata"),
        (json!({"client_id_issued_at": 1}), "invalid_client_metadata"),
        (json!({"registration_access_token": "x"}), "invalid_client_metadata"),
        (json!({"redirect_uris": ["http://evil.example/"]}), "invalid_redirect_uri"),
        (json!({"grant_types": ["password"]}), "invalid_client_metadata"),
    ] {
        let mut refused = next.clone();
        for (name, value) in more.as_object().expect("an object") {
            refused[name] = value.clone();
        }
        let answer = put(&refused);
        assert_eq!((answer.status, answer.error().as_str()), (400, error), "{more}: {answer}");
    }

    let deleted = gateway.send(&registered.manage(&gateway, "DELETE"));
    assert_eq!((deleted.status, deleted.body.len()), (204, 0), "{deleted}");
    gateway.refuses("of a deleted client", &tokens.access);
    assert_eq!(gateway.refresh(registered.client(), &tokens.refresh, &[]).error(), "invalid_client");
    let log = gateway.log();
    for event in ["client_registered", "client_registration_changed", "client_registration_deleted"] {
        assert!(log.contains(event), "{event}");
    }
    assert!(!log.contains(&registered.access_token()));
}

#[test]
fn a_registered_client_outlives_a_restart() {
    let mut gateway = gateway();
    let registered = gateway.registered(URI, &json!({"token_endpoint_auth_method": "none"}));
    gateway.restart();
    let tokens = gateway.tokens(ALICE, registered.client(), &SCOPES);
    assert_eq!(gateway.profile(&tokens.access).json()["email"], ALICE);
}

#[test]
fn a_client_that_nobody_uses_is_forgotten() {
    let mut gateway = gateway();
    let registered = gateway.registered(URI, &json!({"token_endpoint_auth_method": "none"}));
    gateway.restart_with(Setup::new().open_to_registration().set("registration.unused_ttl", "1ms"));
    until("it is forgotten", || (gateway.send(&registered.manage(&gateway, "GET")).status == 401).then_some(()));
    assert!(gateway.log().contains("client_expired"));
}

#[test]
fn an_initial_token_is_needed_where_there_is_one() {
    let gateway = Setup::new().open_to_registration().set("registration.initial_token", "let-me-in").start();
    let metadata = json!({"redirect_uris": [URI]});
    for request in [registration(&metadata), registration(&metadata).bearer("wrong")] {
        let answer = gateway.send(&request);
        assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_token"), "{answer}");
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer ")), "{answer}");
    }
    assert_eq!(gateway.send(&registration(&metadata).bearer("let-me-in")).status, 201);
}

#[test]
fn the_endpoint_is_announced_and_takes_its_methods_alone() {
    let gateway = gateway();
    let document = gateway.get("/.well-known/oauth-authorization-server").json();
    assert_eq!(document["registration_endpoint"], format!("{}{}", gateway.url(), registration_path()));
    for method in ["GET", "PUT", "DELETE"] {
        let answer = gateway.send(&Request::new(method, &registration_path()).header("Content-Length", "0"));
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST, OPTIONS")), "{method}: {answer}");
    }
    let form = gateway.send(&Request::form(&registration_path(), &[("redirect_uris", URI)]));
    assert_eq!(form.status, 415, "{form}");
    let managed = format!("{}?client_id=x", registration_path());
    assert_eq!(gateway.send(&Request::new("POST", &managed).body("application/json", b"{}")).status, 405);
    let more = format!("{managed}&a=b");
    assert_eq!(gateway.get(&more).error(), "invalid_request");
}
