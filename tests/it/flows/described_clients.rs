//! Clients whose id is the URL of a document that describes them, and which are registered nowhere.

use serde_json::json;

use crate::{
    standin::ALICE,
    support::{
        Browser, Client, JWT_BEARER, METHOD, Publisher, Request, Setup, SigningClient, TestGateway, Tokens, VERIFIER,
        authorize_url, client_request, parameters, query,
    },
};

const OPENID: (&str, &str) = ("scope", "openid");
const PATH: &str = "/client.json";

fn start() -> (Publisher, TestGateway, Client) {
    let publisher = Publisher::start();
    let client = publisher.describe(PATH, &json!({}));
    let gateway = Setup::new().taking_documents(&publisher).start();
    (publisher, gateway, client)
}

#[test]
fn a_client_that_nobody_has_registered_goes_through_the_code_flow() {
    let (publisher, gateway, client) = start();
    assert_eq!(gateway.get("/.well-known/openid-configuration").json()["client_id_metadata_document_supported"], true);
    assert_eq!(publisher.asked_at_all(), 0);
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(client, &[OPENID]));
    assert_eq!(page.status, 200, "{page}");
    let text = page.text();
    assert!(text.contains("Agent") && text.contains("not registered here") && text.contains("localhost"), "{page}");
    let back = browser.decide(&page, "allow");
    let tokens = Tokens::of(&gateway.exchange(client, &back.parameter("code").expect("a code"), &[]));
    assert_eq!(tokens.body["scope"], "openid");
    assert_eq!(gateway.profile(&tokens.access).status, 200);
    let refreshed = Tokens::of(&gateway.refresh(client, &tokens.refresh, &[]));
    assert_eq!(gateway.introspect(crate::support::SHOP, &refreshed.access)["active"], true);
    let apps = browser.get(&format!("{METHOD}connected_apps"));
    assert!(apps.text().contains("Agent"), "{apps}");
    assert_eq!(gateway.revoke(client, &refreshed.access).status, 200);
    gateway.refuses("a revoked token", &refreshed.access);
    assert_eq!(publisher.asked(PATH), 1, "it is kept");
}

#[test]
fn a_client_may_push_its_request_and_sign_with_keys_that_it_publishes() {
    let publisher = Publisher::start();
    let key = SigningClient::new();
    publisher.publish("/jwks", &SigningClient::key_set(&[&key]));
    let signs = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": publisher.url("/jwks")});
    let client = publisher.describe("/signs", &signs);
    let gateway = Setup::new().taking_documents(&publisher).start();
    let signed = |endpoint: &str, form: &[(&str, &str)]| {
        let assertion = key.fresh(&gateway, client);
        let shown = [JWT_BEARER, ("client_assertion", assertion.as_str())];
        gateway.send(&Request::form(&format!("{METHOD}{endpoint}"), &[form, &shown].concat()))
    };
    let url = authorize_url(client, &[OPENID]);
    let pairs = parameters(url.split_once('?').expect("a query").1);
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let unsigned = gateway.send(&client_request(client, "pushed_authorization_request", &pairs));
    assert_eq!((unsigned.status, unsigned.error().as_str()), (401, "invalid_client"), "{unsigned}");
    let pushed = signed("pushed_authorization_request", &pairs);
    assert_eq!(pushed.status, 201, "{pushed}");
    let reference = pushed.json()["request_uri"].as_str().expect("a reference").to_owned();
    let mut browser = Browser::of(&gateway, ALICE);
    let url = format!("{METHOD}authorize?{}", query(&[("client_id", client.id), ("request_uri", &reference)]));
    let page = browser.get(&url);
    let code = browser.decide(&page, "allow").parameter("code").expect("a code");
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", client.redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    Tokens::of(&signed("get_token", &exchange));
    assert_eq!(publisher.asked("/signs"), 1);
}

#[test]
fn what_was_granted_goes_on_while_the_document_is_out_of_reach() {
    let (publisher, mut gateway, client) = start();
    let tokens = gateway.tokens(ALICE, client, &[OPENID]);
    publisher.answer(PATH, "503 Away", "", "");
    gateway.restart();
    assert_eq!(gateway.profile(&tokens.access).status, 200, "its token");
    let tokens = Tokens::of(&gateway.refresh(client, &tokens.refresh, &[]));
    assert_eq!(gateway.introspect(crate::support::SHOP, &tokens.access)["active"], true);
    let again = gateway.tokens(ALICE, client, &[OPENID]);
    assert_eq!(gateway.profile(&again.access).status, 200, "also what is new");
    assert!(publisher.asked(PATH) > 1, "it was asked for");
}

#[test]
fn a_document_that_is_gone_ends_what_its_client_can_do() {
    let (publisher, mut gateway, client) = start();
    let tokens = gateway.tokens(ALICE, client, &[OPENID]);
    publisher.answer(PATH, "404 Not Found", "", "");
    gateway.restart();
    let refused = gateway.refresh(client, &tokens.refresh, &[]);
    assert_eq!((refused.status, refused.error().as_str()), (401, "invalid_client"), "{refused}");
    let page = Browser::of(&gateway, ALICE).get(&authorize_url(client, &[OPENID]));
    assert_eq!(page.status, 400, "{page}");
    assert!(page.text().contains("its host does not have it"), "{page}");
}

#[test]
fn a_document_that_was_withdrawn_does_not_come_back_with_an_outage() {
    let publisher = Publisher::start();
    let setup = || Setup::new().taking_documents(&publisher).set("registration.redirect_hosts", vec!["localhost"]);
    let mut gateway = setup().start();
    let html = ("200 OK", "Content-Type: text/html\r\n", String::new());
    let gone = ("404 Not Found", "", String::new());
    let elsewhere = publisher.document("/2", &json!({"redirect_uris": ["https://evil.example/cb"]})).to_string();
    let refused = ("200 OK", "Content-Type: application/json\r\n", elsewhere);
    for (number, (status, fields, body)) in [gone, html, refused].into_iter().enumerate() {
        let path = format!("/{number}");
        let client = publisher.describe(&path, &json!({}));
        let tokens = gateway.tokens(ALICE, client, &[OPENID]);
        let refreshed = |gateway: &TestGateway| {
            let answer = gateway.refresh(client, &tokens.refresh, &[]);
            (answer.status, if answer.status == 200 { String::new() } else { answer.error() })
        };
        publisher.answer(&path, status, fields, &body);
        gateway.restart();
        assert_eq!(refreshed(&gateway), (401, "invalid_client".to_owned()), "{status}");
        publisher.answer(&path, "503 Away", "", "");
        gateway.restart();
        assert_eq!(refreshed(&gateway), (503, "temporarily_unavailable".to_owned()), "{status}");
        let page = Browser::of(&gateway, ALICE).get(&authorize_url(client, &[OPENID]));
        assert_eq!(page.status, 503, "{page}");
        publisher.describe(&path, &json!({}));
        gateway.restart();
        assert_eq!(refreshed(&gateway).0, 200, "it is there again");
        publisher.answer(&path, "503 Away", "", "");
        gateway.restart();
        gateway.tokens(ALICE, client, &[OPENID]);
    }
}

#[test]
fn keys_that_are_not_in_the_document_any_more_introspect_and_revoke_nothing() {
    let publisher = Publisher::start();
    let (before, after) = (SigningClient::new().named("before"), SigningClient::new().named("after"));
    let describe = |key: &SigningClient| {
        let keys = SigningClient::key_set(&[key]);
        publisher.describe(PATH, &json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": keys}))
    };
    let client = describe(&before);
    let mut gateway = Setup::new().taking_documents(&publisher).start();
    let status = |gateway: &TestGateway, key: &SigningClient, endpoint: &str| {
        let assertion = key.fresh(gateway, client);
        let form = [("token", "x"), JWT_BEARER, ("client_assertion", assertion.as_str())];
        gateway.send(&Request::form(&format!("{METHOD}{endpoint}"), &form)).status
    };
    for endpoint in ["introspect_token", "revoke_token"] {
        describe(&before);
        gateway.restart();
        assert_eq!(status(&gateway, &before, endpoint), 200, "{endpoint}");
        describe(&after);
        gateway.restart();
        assert_eq!(status(&gateway, &before, endpoint), 401, "{endpoint}");
        assert_eq!(status(&gateway, &after, endpoint), 200, "{endpoint}");
        publisher.answer(PATH, "404 Not Found", "", "");
        gateway.restart();
        assert_eq!(status(&gateway, &after, endpoint), 401, "{endpoint}");
    }
}

#[test]
fn a_document_that_has_changed_counts_and_users_are_asked_anew() {
    let publisher = Publisher::start();
    let uri = publisher.url("/cb");
    let mut client = publisher.describe(PATH, &json!({"redirect_uris": [uri]}));
    client.redirect_uri = uri.leak();
    let setup = || Setup::new().taking_documents(&publisher).set("registration.redirect_hosts", vec!["localhost"]);
    let mut gateway = setup().start();
    let is_asked = |gateway: &TestGateway| {
        let mut browser = Browser::of(gateway, ALICE);
        let page = browser.get(&authorize_url(client, &[OPENID]));
        let asked = page.status == 200;
        if asked {
            browser.decide(&page, "allow");
        }
        asked
    };
    assert!(is_asked(&gateway) && !is_asked(&gateway), "the consent is remembered");
    gateway.restart();
    assert!(!is_asked(&gateway), "the same document");
    publisher.describe(PATH, &json!({"redirect_uris": [client.redirect_uri], "client_name": "Another"}));
    gateway.restart();
    assert!(is_asked(&gateway));
    publisher.describe(PATH, &json!({"redirect_uris": [publisher.url("/elsewhere")]}));
    gateway.restart();
    let page = Browser::of(&gateway, ALICE).get(&authorize_url(client, &[OPENID]));
    assert_eq!((page.status, page.header("location")), (400, None), "{page}");
    gateway.restart_with(setup().set("registration.metadata_documents", false));
    let page = Browser::of(&gateway, ALICE).get(&authorize_url(client, &[OPENID]));
    assert!(page.text().contains("unknown"), "switched off: {page}");
}
