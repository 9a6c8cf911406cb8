//! Clients that publish the keys that they sign with (`jwks_uri`).

use serde_json::json;

use crate::{
    standin::ALICE,
    support::{
        Answer, Auth, Browser, Client, JWT_BEARER, METHOD, Publisher, Request, SHOP, Setup, SigningClient, TestGateway,
        Tokens, VERIFIER,
    },
};

const BACKEND: Client = SHOP.named("backend", "https://backend.example/cb").with(Auth::None).with_secret("");
const REFRESH: [(&str, &str); 2] = [("grant_type", "refresh_token"), ("refresh_token", "x")];

fn setup(publisher: &Publisher) -> Setup {
    let block = format!(
        "id = 'backend'\nredirect_uris = ['{}']\njwks_uri = '{}'",
        BACKEND.redirect_uri,
        publisher.url("/jwks")
    );
    publisher.allowed_in(Setup::new()).client(&block)
}

fn signed(gateway: &TestGateway, client: Client, key: &SigningClient, form: &[(&str, &str)]) -> Answer {
    let assertion = key.fresh(gateway, client);
    let shown = [JWT_BEARER, ("client_assertion", assertion.as_str())];
    gateway.send(&Request::form(&format!("{METHOD}get_token"), &[form, &shown].concat()))
}

/// A client that is known is told that its refresh token is none, whatever else is told that it is not known.
fn error_of(gateway: &TestGateway, key: &SigningClient) -> String {
    signed(gateway, BACKEND, key, &REFRESH).error()
}

#[test]
fn keys_are_fetched_when_they_are_needed_and_change_without_a_reload() {
    let publisher = Publisher::start();
    let (first, second) = (SigningClient::new().named("first"), SigningClient::new().named("second"));
    publisher.publish("/jwks", &SigningClient::key_set(&[&first]));
    let gateway = setup(&publisher).start();
    assert_eq!(publisher.asked_at_all(), 0, "nobody has signed yet");
    let code = Browser::of(&gateway, ALICE).code(BACKEND, &[]);
    assert_eq!(publisher.asked_at_all(), 0);
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACKEND.redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    let tokens = Tokens::of(&signed(&gateway, BACKEND, &first, &exchange));
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(error_of(&gateway, &first), "invalid_grant");
    assert_eq!(publisher.asked("/jwks"), 1);
    // Another key, of which nobody was told.
    publisher.publish("/jwks", &SigningClient::key_set(&[&second]));
    assert_eq!(error_of(&gateway, &second), "invalid_grant");
    assert_eq!(error_of(&gateway, &first), "invalid_client", "the key before it was taken out");
    assert_eq!(error_of(&gateway, &SigningClient::new().named("stranger")), "invalid_client");
    assert_eq!(publisher.asked("/jwks"), 2, "not more than once a minute for a name that nobody knows");
}

#[test]
fn without_keys_nobody_is_let_in() {
    let publisher = Publisher::start();
    let key = SigningClient::new();
    let mut gateway = setup(&publisher).start();
    let mut answered = |status: &str, fields: &str, body: &str| {
        publisher.answer("/jwks", status, fields, body);
        // What failed is remembered for a while.
        gateway.restart();
        let answer = signed(&gateway, BACKEND, &key, &REFRESH);
        (answer.status, answer.error())
    };
    let refused = (401, "invalid_client".to_owned());
    let json = "Content-Type: application/json\r\n";
    let keys = SigningClient::key_set(&[&key]).to_string();
    assert_eq!(answered("404 Not Found", json, &keys), refused);
    assert_eq!(answered("302 Found", &format!("{json}Location: /jwks\r\n"), &keys), refused);
    assert_eq!(answered("200 OK", "Content-Type: text/html\r\n", &keys), refused);
    assert_eq!(answered("200 OK", json, &json!({"keys": []}).to_string()), refused);
    assert_eq!(answered("503 Away", json, &keys), (503, "temporarily_unavailable".to_owned()));
    assert_eq!(publisher.asked_at_all(), 5);
    assert_eq!(answered("200 OK", json, &keys), (400, "invalid_grant".to_owned()));
}

#[test]
fn a_client_registers_with_keys_that_it_publishes_or_gives() {
    let publisher = Publisher::start();
    let key = SigningClient::new();
    publisher.publish("/agent", &SigningClient::key_set(&[&key]));
    let gateway = publisher.allowed_in(Setup::new()).open_to_registration().start();
    let signing = "private_key_jwt";
    for keys in [json!({"jwks_uri": publisher.url("/agent")}), json!({"jwks": SigningClient::key_set(&[&key])})] {
        let mut more = keys.clone();
        more["token_endpoint_auth_method"] = signing.into();
        let registered = gateway.registered("https://agent.example/cb", &more);
        assert_eq!(registered.body.get("client_secret"), None, "{}", registered.body);
        assert_eq!(registered.body["token_endpoint_auth_method"], signing);
        for (name, value) in keys.as_object().expect("an object") {
            assert_eq!(&registered.body[name], value);
        }
        let client = registered.client();
        assert_eq!(signed(&gateway, client, &key, &REFRESH).error(), "invalid_grant");
        assert_eq!(signed(&gateway, client, &SigningClient::new(), &REFRESH).error(), "invalid_client");
        let read = gateway.send(&registered.manage(&gateway, "GET")).json();
        assert_eq!(read["jwks_uri"], registered.body["jwks_uri"]);
    }
}
