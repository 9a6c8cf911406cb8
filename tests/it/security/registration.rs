//! Clients that register themselves with what they must not have.

use std::{io::ErrorKind, net::TcpListener};

use serde_json::{Value, json};

use crate::{
    standin::ALICE,
    support::{
        CHALLENGE, Client, JWT_BEARER, METHOD, Request, SHOP, Setup, SigningClient, TestGateway, client_request,
        registration, registration_path,
    },
};

const URI: &str = "https://agent.example/cb";

fn gateway() -> TestGateway {
    Setup::new().open_to_registration().start()
}

fn refused(gateway: &TestGateway, metadata: &Value, error: &str) {
    let answer = gateway.without_upstream("registration", || gateway.register(metadata));
    assert_eq!((answer.status, answer.error().as_str()), (400, error), "{metadata}: {answer}");
}

/// T64
#[test]
fn redirect_uris_that_lead_astray_are_refused() {
    let gateway = gateway();
    for uri in [
        "http://agent.example/cb",
        "https://agent.example/cb#f",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://169.254.169.254/cb",
        "https://127.0.0.1/cb",
        "https://intranet/cb",
        "app:/cb",
    ] {
        refused(&gateway, &json!({"redirect_uris": [URI, uri]}), "invalid_redirect_uri");
    }
    refused(&gateway, &json!({"redirect_uris": []}), "invalid_redirect_uri");
    refused(&gateway, &json!({"redirect_uris": URI}), "invalid_client_metadata");
    refused(&gateway, &json!([]), "invalid_client_metadata");
}

/// T64
#[test]
fn nothing_that_a_client_names_is_fetched() {
    let gateway = gateway();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let port = listener.local_addr().expect("an address").port();
    let at = |scheme: &str| format!("{scheme}://127.0.0.1:{port}/x");
    let signing =
        |url: &str| json!({"redirect_uris": [URI], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": url});
    refused(&gateway, &json!({"redirect_uris": [URI], "jwks_uri": at("https")}), "invalid_client_metadata");
    let port_of = |host: &str| format!("https://{host}:{port}/x");
    for url in [&at("https"), &at("http"), &port_of("localhost"), "https://169.254.169.254/x", "https://[::1]/x"] {
        refused(&gateway, &signing(url), "invalid_client_metadata");
    }
    for name in ["logo_uri", "client_uri", "tos_uri", "policy_uri"] {
        refused(&gateway, &json!({"redirect_uris": [URI], (name): at("http")}), "invalid_client_metadata");
        let registered = gateway.registered(URI, &json!({(name): at("https")}));
        assert_eq!(registered.body[name], at("https"));
    }
    let unknown = json!({"sector_identifier_uri": at("https"), "backchannel_logout_uri": at("https"), "request_uris": [at("https")]});
    let registered = gateway.registered(URI, &unknown);
    gateway.tokens(ALICE, registered.client(), &[("scope", "openid")]);
    let fetched = listener.accept();
    assert!(fetched.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "{fetched:?}");
}

/// T64
#[test]
fn large_metadata_is_413() {
    let gateway = gateway();
    let large = json!({"redirect_uris": [URI], "x": "a".repeat(1024 * 1024)});
    let answer = gateway.without_upstream("registration", || gateway.register(&large));
    assert_eq!(answer.status, 413, "{answer}");
}

/// T65
#[test]
fn what_is_beyond_the_policy_is_refused_or_narrowed_and_echoed() {
    let gateway = gateway();
    for more in [
        json!({"grant_types": ["password"]}),
        json!({"grant_types": ["authorization_code", "implicit"]}),
        json!({"response_types": ["token"]}),
        json!({"token_endpoint_auth_method": "tls_client_auth"}),
        json!({"scope": "all"}),
    ] {
        let mut metadata = more.clone();
        metadata["redirect_uris"] = json!([URI]);
        refused(&gateway, &metadata, "invalid_client_metadata");
    }
    let registered = gateway.registered(URI, &json!({"scope": "openid all read:Customer"}));
    assert_eq!(registered.body["scope"], "openid");
    let client = registered.client();
    let mut browser = crate::support::Browser::of(&gateway, ALICE);
    let answer = browser.authorize(client, &[("scope", "all")]);
    assert_eq!(answer.redirected_error(), "invalid_scope");
    let password = [("grant_type", "password"), ("username", ALICE), ("password", crate::standin::ALICE_PASSWORD)];
    assert_eq!(gateway.as_client(client, "get_token", &password).error(), "unauthorized_client");
}

/// T66
#[test]
fn a_registration_access_token_is_good_for_its_own_client_alone() {
    let gateway = gateway();
    let (one, other) = (gateway.registered(URI, &json!({})), gateway.registered(URI, &json!({})));
    let path = |id: &str| format!("{}?client_id={id}", registration_path());
    let unauthorized = |what: &str, request: &Request| {
        let answer = gateway.without_upstream(what, || gateway.send(request));
        assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_token"), "{what}: {answer}");
        answer
    };
    for method in ["GET", "PUT", "DELETE"] {
        let request = Request::new(method, &path(&other.id())).header("Content-Length", "0");
        unauthorized("without a token", &request);
        unauthorized("another client's", &request.clone().bearer(&one.access_token()));
        unauthorized("the client's secret", &request.bearer(other.client().secret));
    }
    assert_eq!(gateway.send(&other.manage(&gateway, "GET")).status, 200);
    assert_eq!(gateway.send(&one.manage(&gateway, "DELETE")).status, 204);
    let deleted = unauthorized("after the deletion", &one.manage(&gateway, "GET"));
    let unknown = unauthorized("unknown", &Request::get(&path("dcr-unknown")).bearer(&one.access_token()));
    assert_eq!(deleted.body, unknown.body, "the same is told of both");
    gateway.refuses("it is no token of the API", &other.access_token());
}

#[test]
fn an_address_registers_as_often_as_the_rate_says() {
    let gateway = Setup::new().open_to_registration().set("registration.rate", "2/h").start();
    let metadata = json!({"redirect_uris": [URI]});
    refused(&gateway, &json!({"redirect_uris": ["http://a.example/"]}), "invalid_redirect_uri");
    assert_eq!(gateway.register(&metadata).status, 201);
    assert_eq!(gateway.register(&metadata).status, 201);
    let answer = gateway.register(&metadata);
    assert_eq!(answer.status, 429, "{answer}");
    assert!(answer.header("retry-after").is_some(), "{answer}");
}

#[test]
fn there_are_only_so_many_registered_clients() {
    let gateway = Setup::new().open_to_registration().set("registration.max_clients", 2).start();
    let one = gateway.registered(URI, &json!({}));
    gateway.registered(URI, &json!({}));
    let full = gateway.send(&registration(&json!({"redirect_uris": [URI]})));
    assert_eq!((full.status, full.error().as_str()), (503, "temporarily_unavailable"), "{full}");
    assert_eq!(gateway.send(&one.manage(&gateway, "DELETE")).status, 204);
    gateway.registered(URI, &json!({}));
}

/// What a client is that anybody can make: it hears of its own tokens alone, and its requests count.
#[test]
fn whoever_registered_itself_hears_of_no_other_clients_tokens() {
    let gateway = Setup::new().open_to_registration().start();
    let stranger = gateway.registered(URI, &json!({}));
    let (theirs, own) = (gateway.tokens(ALICE, SHOP, &[]), gateway.tokens(ALICE, stranger.client(), &[]));
    for token in [&theirs.access, &theirs.refresh] {
        assert_eq!(gateway.introspect(stranger.client(), token), json!({ "active": false }));
    }
    assert_eq!(gateway.introspect(stranger.client(), &own.access)["active"], true);
    assert_eq!(gateway.introspect(SHOP, &own.access)["active"], true, "whom the operator knows hears of all");
}

#[test]
fn whoever_registered_itself_pushes_only_so_many_requests() {
    let gateway = Setup::new().open_to_registration().set("limits.authorize", "3/h").start();
    let push = |client: Client| {
        let form = [("response_type", "code"), ("redirect_uri", client.redirect_uri), ("code_challenge", CHALLENGE)];
        let form = [&form[..], &[("code_challenge_method", "S256")]].concat();
        gateway.send(&client_request(client, "pushed_authorization_request", &form)).status
    };
    let stranger = gateway.registered(URI, &json!({})).client();
    assert_eq!([0; 5].map(|_| push(stranger)), [201, 201, 201, 429, 429]);
    assert_eq!(push(SHOP), 201, "whom the operator knows is not counted");
}

#[test]
fn the_signatures_of_whoever_registered_itself_are_rows_and_count() {
    let gateway = Setup::new().open_to_registration().set("limits.authorize", "3/h").start();
    let key = SigningClient::new();
    let jwks = SigningClient::key_set(&[&key]);
    let stranger = gateway.registered(URI, &json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks}));
    let ask = |number: usize| {
        let assertion = key.assertion(&gateway, stranger.client(), &format!("number {number}"), &[]);
        let form = [("grant_type", "password"), JWT_BEARER, ("client_assertion", &assertion)];
        gateway.send(&Request::form(&format!("{METHOD}get_token"), &form)).status
    };
    assert_eq!([0, 1, 2, 3, 4].map(ask), [400, 400, 400, 429, 429]);
}
