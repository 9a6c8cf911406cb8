//! Documents of clients that lead astray, or are none.

use std::{io::ErrorKind, net::TcpListener};

use serde_json::json;

use crate::{
    standin::ALICE,
    support::{
        Answer, Auth, Browser, Client, JWT_BEARER, LOOPBACK, METHOD, Publisher, Request, SHOP, Setup, SigningClient,
        TestGateway, authorize_url, client_request, registration_path,
    },
};

fn named(id: &str) -> Client {
    SHOP.named(id.to_owned().leak(), LOOPBACK).with_secret("").with(Auth::None)
}

/// What a browser is shown for a request of this client's: a page of ours.
fn shown(gateway: &TestGateway, client: Client) -> Answer {
    let answer = gateway
        .without_upstream(client.id, || Browser::new(gateway).get(&authorize_url(client, &[("scope", "openid")])));
    assert!(answer.status >= 400, "{}: {answer}", client.id);
    assert_eq!(answer.header("location"), None, "{}", client.id);
    answer
}

/// T64
#[test]
fn ids_that_lead_to_where_only_the_gateway_may_go_are_not_fetched() {
    let setup = Setup::new().set("registration.rate", "1000/s");
    let gateway = setup.set("registration.metadata_documents", true).start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let port = listener.local_addr().expect("an address").port();
    for id in [
        format!("https://127.0.0.1:{port}/client.json"),
        format!("https://localhost:{port}/client.json"),
        format!("https://[::1]:{port}/client.json"),
        format!("https://2130706433:{port}/client.json"),
        "https://127.0.0.1/client.json".to_owned(),
        "https://[::ffff:7f00:1]/client.json".to_owned(),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        // The system's look-up of the name has a loopback address.
        "https://localhost/client.json".to_owned(),
        "https://user@agent.example/client.json".to_owned(),
        "https://agent.example/client.json#x".to_owned(),
        "https://agent.example/a/../client.json".to_owned(),
        "https://agent.example/client.json?x=1".to_owned(),
        "https://agent.example".to_owned(),
    ] {
        let page = shown(&gateway, named(&id));
        assert_eq!(page.status, 400, "{id}: {page}");
        assert!(page.text().contains("can’t go on"), "{id}: {page}");
        assert!(page.text().contains("the document at the client_id"), "{id}: {page}");
        for endpoint in ["pushed_authorization_request", "get_token", "device_authorization"] {
            let request = client_request(named(&id), endpoint, &[("grant_type", "refresh_token")]);
            let answer = gateway.without_upstream(&id, || gateway.send(&request));
            assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"), "{id}: {answer}");
        }
    }
    let http = shown(&gateway, named(&format!("http://127.0.0.1:{port}/client.json")));
    assert!(http.text().contains("unknown"), "an id as any other: {http}");
    let fetched = listener.accept();
    assert!(fetched.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "{fetched:?}");
}

/// T64
#[test]
fn documents_that_are_none_of_the_client_are_refused_and_not_repeated() {
    let publisher = Publisher::start();
    let gateway = Setup::new().taking_documents(&publisher).start();
    let marked = "canary-of-a-document";
    let json = "Content-Type: application/json\r\n";
    let good = |path: &str| publisher.document(path, &json!({})).to_string();
    publisher.answer("/html", "200 OK", "Content-Type: text/html\r\n", &good("/html"));
    publisher.answer("/redirect", "302 Found", &format!("Location: {}\r\n", publisher.url("/target")), "");
    publisher.publish("/target", &publisher.document("/redirect", &json!({})));
    publisher.answer("/broken", "200 OK", json, &format!("{{\"client_id\": \"{marked}\""));
    publisher.answer("/list", "200 OK", json, "[]");
    for (path, more) in [
        ("/other", json!({"client_id": publisher.url("/html")})),
        ("/slash", json!({"client_id": publisher.url("/slash/")})),
        ("/secret", json!({"client_secret": marked})),
        ("/basic", json!({"token_endpoint_auth_method": "client_secret_basic"})),
        ("/elsewhere", json!({"redirect_uris": ["https://evil.example/cb"]})),
        ("/http", json!({"redirect_uris": ["http://agent.example/cb"]})),
        ("/script", json!({"redirect_uris": ["javascript:alert(1)"]})),
        ("/password", json!({"grant_types": ["password"]})),
        ("/scope", json!({"scope": "all"})),
        ("/name", json!({"client_name": format!("{marked}\n")})),
        ("/types", json!({"redirect_uris": marked})),
        ("/long", json!({"client_name": marked.repeat(2000)})),
        ("/keys", json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://127.0.0.1/jwks"})),
    ] {
        publisher.publish(path, &publisher.document(path, &more));
    }
    for path in [
        "/none",
        "/html",
        "/redirect",
        "/broken",
        "/list",
        "/other",
        "/slash",
        "/secret",
        "/basic",
        "/elsewhere",
        "/http",
        "/script",
        "/password",
        "/scope",
        "/name",
        "/types",
        "/long",
        "/keys",
    ] {
        let page = shown(&gateway, named(&publisher.url(path)));
        assert_eq!(page.status, 400, "{path}: {page}");
        assert!(page.text().contains("the document at the client_id"), "{path}: {page}");
        assert!(!page.text().contains(marked) && !page.text().contains("evil.example"), "{path}: {page}");
        assert_eq!(publisher.asked(path), 1, "{path}");
    }
    assert_eq!(publisher.asked("/target"), 0);
    let again = shown(&gateway, named(&publisher.url("/none")));
    assert_eq!((again.status, publisher.asked("/none")), (400, 1), "a failure is remembered");
}

#[test]
fn an_address_has_so_many_unknown_documents_fetched_and_no_more() {
    let publisher = Publisher::start();
    let gateway = Setup::new().taking_documents(&publisher).set("registration.rate", "2/h").start();
    let client = publisher.describe("/known", &json!({}));
    gateway.tokens(ALICE, client, &[("scope", "openid")]);
    assert_eq!(shown(&gateway, named(&publisher.url("/none"))).status, 400);
    let limited = shown(&gateway, named(&publisher.url("/another")));
    assert_eq!((limited.status, publisher.asked("/another")), (429, 0), "{limited}");
    gateway.tokens(ALICE, client, &[("scope", "openid")]);
}

#[test]
fn a_client_of_a_document_has_no_registration_to_manage() {
    let publisher = Publisher::start();
    let gateway = Setup::new().taking_documents(&publisher).open_to_registration().start();
    let client = publisher.describe("/client", &json!({}));
    gateway.tokens(ALICE, client, &[("scope", "openid")]);
    let path = format!("{}?{}", registration_path(), crate::support::query(&[("client_id", client.id)]));
    for token in ["", "x", client.id] {
        let answer = gateway.send(&Request::get(&path).bearer(token));
        assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_token"), "{answer}");
    }
}

#[test]
fn there_are_only_so_many_described_clients() {
    let publisher = Publisher::start();
    let gateway = Setup::new().taking_documents(&publisher).set("registration.max_clients", 1).start();
    let first = publisher.describe("/first", &json!({}));
    gateway.tokens(ALICE, first, &[("scope", "openid")]);
    assert_eq!(shown(&gateway, publisher.describe("/second", &json!({}))).status, 503);
    gateway.tokens(ALICE, first, &[("scope", "openid")]);
}

#[test]
fn what_is_fetched_in_vain_for_described_and_registered_clients_counts_as_a_failure() {
    let publisher = Publisher::start();
    let setup = || Setup::new().taking_documents(&publisher).open_to_registration();
    let mut gateway = setup().start();
    let clients = ["/0", "/1", "/2"].map(|path| publisher.describe(path, &json!({})));
    let keys = ["/a", "/b", "/c"].map(|path| {
        let signs = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": publisher.url(path)});
        publisher.answer(path, "503 Away", "", "");
        (path, gateway.registered("https://agent.example/cb", &signs).client())
    });
    for client in clients {
        gateway.tokens(ALICE, client, &[("scope", "openid")]);
    }
    for path in ["/0", "/1", "/2"] {
        publisher.answer(path, "503 Away", "", "");
    }
    gateway.restart_with(setup().set("limits.token_failures", "2/h"));
    let answered = clients
        .map(|client| Browser::of(&gateway, ALICE).get(&authorize_url(client, &[("scope", "openid")])).status == 429);
    assert_eq!(answered, [false, false, true], "two go on without theirs");
    let asked = publisher.asked_at_all();
    gateway.restart_with(setup().set("limits.token_failures", "2/h"));
    let signed = |client: Client| {
        let assertion = SigningClient::new().fresh(&gateway, client);
        let form = [("grant_type", "refresh_token"), JWT_BEARER, ("client_assertion", assertion.as_str())];
        gateway.send(&Request::form(&format!("{METHOD}get_token"), &form)).status
    };
    assert_eq!(keys.map(|(_, client)| signed(client)), [503, 503, 429]);
    assert_eq!(publisher.asked_at_all(), asked + 2);
    assert_eq!(keys.map(|(path, _)| publisher.asked(path)), [1, 1, 0]);
}
