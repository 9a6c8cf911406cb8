//! Clients that show who they are by a signature (RFC 7523), and requests that clients push (RFC 9126).

use serde_json::json;

use crate::{
    standin::ALICE,
    support::{
        Answer, Auth, Browser, Client, JWT_BEARER, METHOD, Request, SHOP, Setup, SigningClient, TestGateway, Tokens,
        authorize_url, client_request, parameters, query,
    },
};

/// Has a key, and no secret.
const BACKEND: Client = SHOP.named("backend", "https://backend.example/cb").with(Auth::None).with_secret("");

fn start(rest: &str) -> (TestGateway, SigningClient) {
    let key = SigningClient::new();
    (Setup::new().client(&SigningClient::block(&[&key], BACKEND, rest)).start(), key)
}

/// A request of the client's with this assertion.
fn signed(gateway: &TestGateway, endpoint: &str, assertion: &str, form: &[(&str, &str)]) -> Answer {
    let shown = [JWT_BEARER, ("client_assertion", assertion)];
    gateway.send(&Request::form(&format!("{METHOD}{endpoint}"), &[form, &shown].concat()))
}

/// The parameters of an authorization request.
fn request(client: Client, extra: &[(&str, &str)]) -> Vec<(String, String)> {
    let url = authorize_url(client, extra);
    parameters(url.split_once('?').expect("a query").1)
}

fn push(gateway: &TestGateway, client: Client, extra: &[(&str, &str)]) -> Answer {
    let pairs = request(client, extra);
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    gateway.send(&client_request(client, "pushed_authorization_request", &pairs))
}

fn reference(answer: &Answer) -> String {
    assert_eq!(answer.status, 201, "{answer}");
    answer.json()["request_uri"].as_str().expect("a reference").to_owned()
}

fn by_reference(client: Client, reference: &str) -> String {
    format!("{METHOD}authorize?{}", query(&[("client_id", client.id), ("request_uri", reference)]))
}

/// A reference as the browser of a user brings it, who consents.
fn bring(browser: &mut Browser<'_>, url: &str) -> Answer {
    let page = browser.get(url);
    if page.status == 200 { browser.decide(&page, "allow") } else { page }
}

#[test]
fn a_client_with_a_key_goes_through_the_code_flow_and_uses_every_endpoint_by_its_signature() {
    let (gateway, key) = start("require_pushed_authorization_requests = true");
    let assertion = |id: &str| key.assertion(&gateway, BACKEND, id, &[]);
    let direct = Browser::of(&gateway, ALICE).get(&authorize_url(BACKEND, &[]));
    assert_eq!(direct.redirected_error(), "invalid_request", "its requests must be pushed");
    let pairs = request(BACKEND, &[]);
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let pushed = reference(&signed(&gateway, "pushed_authorization_request", &assertion("1"), &pairs));
    let back = bring(&mut Browser::of(&gateway, ALICE), &by_reference(BACKEND, &pushed));
    assert_eq!(back.parameter("state").as_deref(), Some("s1"));
    let code = back.parameter("code").expect("a code");
    let exchange = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", BACKEND.redirect_uri),
        ("code_verifier", crate::support::VERIFIER),
    ];
    let tokens = Tokens::of(&signed(&gateway, "get_token", &assertion("2"), &exchange));
    gateway.acts_as(&tokens.access, ALICE);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
    let refreshed = Tokens::of(&signed(&gateway, "get_token", &assertion("3"), &refresh));
    let token = [("token", refreshed.access.as_str())];
    assert_eq!(signed(&gateway, "introspect_token", &assertion("4"), &token).json()["client_id"], BACKEND.id);
    assert_eq!(signed(&gateway, "revoke_token", &assertion("5"), &token).status, 200);
    gateway.refuses("a revoked token", &tokens.access);
}

#[test]
fn a_client_with_a_key_acts_by_itself() {
    let key = SigningClient::new();
    let rest = "grant_types = ['client_credentials']\nservice_user = 'bob@example.com'\nscopes = ['all']";
    let gateway = Setup::new().client(&SigningClient::block(&[&key], BACKEND, rest)).start();
    let assertion = key.assertion(&gateway, BACKEND, "1", &[]);
    let answer = signed(&gateway, "get_token", &assertion, &[("grant_type", "client_credentials")]);
    gateway.acts_as(&Tokens::of(&answer).access, "bob@example.com");
}

/// T75
#[test]
fn an_assertion_counts_once_for_its_client_and_this_server() {
    let (gateway, key) = start("");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let refused = |what: &str, assertion: &str, form: &[(&str, &str)]| {
        let answer = signed(&gateway, "get_token", assertion, form);
        assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"), "{what}: {answer}");
    };
    let assertion = key.assertion(&gateway, BACKEND, "once", &[]);
    // The client is known: what is refused is the refresh token.
    assert_eq!(signed(&gateway, "get_token", &assertion, &refresh).error(), "invalid_grant");
    refused("its jti again", &assertion, &refresh);
    refused("the jti of another assertion", &key.assertion(&gateway, BACKEND, "once", &[]), &refresh);
    let fresh = || key.assertion(&gateway, BACKEND, "fresh", &[]);
    let past = json!(1_000_000_000);
    for (what, changes) in [
        ("another audience", ("aud", json!("https://other.example"))),
        ("a list of audiences", ("aud", json!([gateway.url()]))),
        ("the token endpoint", ("aud", json!(format!("{}{METHOD}get_token", gateway.url())))),
        ("no subject", ("sub", json!(null))),
        ("past", ("exp", past)),
        ("no jti", ("jti", json!(null))),
    ] {
        refused(what, &key.assertion(&gateway, BACKEND, "fresh", &[changes]), &refresh);
    }
    refused("another key", &SigningClient::new().assertion(&gateway, BACKEND, "fresh", &[]), &refresh);
    refused("a client without keys", &key.assertion(&gateway, SHOP, "fresh", &[]), &refresh);
    let foreign = [refresh[0], refresh[1], ("client_id", SHOP.id)];
    refused("a client_id of another client", &fresh(), &foreign);
    refused("its id alone", "", &[refresh[0], refresh[1], ("client_id", BACKEND.id)]);
    let both = [refresh[0], refresh[1], ("client_id", BACKEND.id), ("client_secret", "x")];
    assert_eq!(signed(&gateway, "get_token", &fresh(), &both).error(), "invalid_request");
    assert_eq!(signed(&gateway, "get_token", &fresh(), &refresh).error(), "invalid_grant", "none of it used it up");
}

#[test]
fn a_pushed_request_goes_through_login_and_consent_and_its_errors_are_the_clients() {
    let gateway = Setup::new().start();
    let pushed = push(&gateway, SHOP, &[]);
    assert_eq!(pushed.header("cache-control"), Some("no-store"));
    assert_eq!(pushed.json()["expires_in"], 60);
    let mut stranger = Browser::new(&gateway);
    let login = stranger.get(&by_reference(SHOP, &reference(&pushed)));
    assert!(login.location().contains("/login?redirect-to="), "{login}");
    let code = bring(&mut Browser::of(&gateway, ALICE), &by_reference(SHOP, &reference(&push(&gateway, SHOP, &[]))));
    Tokens::of(&gateway.exchange(SHOP, &code.parameter("code").expect("a code"), &[]));
    for (what, extra, error) in [
        ("a redirect URI of nobody's", ("redirect_uri", "https://evil.example/cb"), "invalid_request"),
        ("an unknown scope", ("scope", "nonsense"), "invalid_scope"),
        ("a response type of others", ("response_type", "token"), "unauthorized_client"),
        ("a short challenge", ("code_challenge", "short"), "invalid_request"),
        ("a reference", ("request_uri", "urn:ietf:params:oauth:request_uri:x"), "invalid_request"),
    ] {
        let answer = push(&gateway, SHOP, &[extra]);
        assert_eq!((answer.status, answer.error().as_str()), (400, error), "{what}: {answer}");
        assert!(answer.header("location").is_none(), "{what}");
    }
    let unknown = push(&gateway, SHOP.with_secret("wrong"), &[]);
    assert_eq!((unknown.status, unknown.error().as_str()), (401, "invalid_client"));
    let in_query = Request::form(&format!("{METHOD}pushed_authorization_request?client_id=shop"), &[]);
    assert_eq!(gateway.send(&in_query).error(), "invalid_request");
}

/// T71
#[test]
fn a_reference_is_good_once_for_its_client_and_for_a_minute() {
    let gateway = Setup::new().start();
    let shown = |client: Client, reference: &str| {
        gateway.without_upstream(reference, || Browser::new(&gateway).get(&by_reference(client, reference)))
    };
    let is_page = |what: &str, answer: &Answer| {
        assert_eq!(answer.status, 400, "{what}: {answer}");
        assert!(answer.header("location").is_none(), "{what}");
    };
    let pushed = reference(&push(&gateway, SHOP, &[]));
    is_page("another client's", &shown(crate::support::POST, &pushed));
    is_page(
        "as a handle",
        &Browser::new(&gateway).get(&format!("{METHOD}authorize?{}", query(&[("handle", &pushed)]))),
    );
    assert!(shown(SHOP, &pushed).location().contains("/login?"), "none of it used it up");
    is_page("used before", &shown(SHOP, &pushed));
    is_page("unknown", &shown(SHOP, "urn:ietf:params:oauth:request_uri:unknown"));
    // Nothing else of what stands beside it counts.
    let beside = format!(
        "{}&redirect_uri=https%3A%2F%2Fevil.example%2Fcb",
        by_reference(SHOP, &reference(&push(&gateway, SHOP, &[("prompt", "none")])))
    );
    let answer = Browser::new(&gateway).get(&beside);
    assert!(answer.location().starts_with(SHOP.redirect_uri), "{answer}");
    assert_eq!(answer.redirected_error(), "login_required");
    // A URI of somebody else's is not fetched.
    let foreign = format!("{}&{}", authorize_url(SHOP, &[]), query(&[("request_uri", "https://evil.example/r")]));
    assert_eq!(Browser::new(&gateway).get(&foreign).redirected_error(), "request_uri_not_supported");
}
