//! Clients that are registered in ERPNext (transcript 06) work as they are, and what becomes of them there counts here.

use crate::{
    standin::{self, ALICE, BOB, CAROL, Failure, ORDINARY_CLIENT, ORDINARY_CLIENT_SECRET},
    support::{Auth, Browser, Client, METHOD, Request, Setup, TestGateway, Tokens, header, parameters, until},
};

/// The stand-in's own client, as an integrator has it.
const DEMO: Client = Client::erpnext(ORDINARY_CLIENT, ORDINARY_CLIENT_SECRET, "http://localhost:3000/cb");

fn changed(gateway: &TestGateway, change: impl FnOnce(&mut standin::Client)) {
    let mut client = gateway.standin.client(ORDINARY_CLIENT).expect("it");
    change(&mut client);
    gateway.standin.add_client(client);
}

#[test]
fn a_client_of_erpnext_works_with_the_secret_that_it_has() {
    let gateway = Setup::new().in_step().start();
    let tokens = gateway.tokens(ALICE, DEMO, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(header(&tokens.id_token)["alg"], "HS256", "as ERPNext signs");
    for client in [DEMO, DEMO.with(Auth::Post), DEMO.with(Auth::None)] {
        let refreshed = Tokens::of(&gateway.refresh(client, &tokens.refresh, &[]));
        gateway.acts_as(&refreshed.access, ALICE);
    }
    let wrong = gateway.refresh(DEMO.with_secret("4fc44bd405"), &tokens.refresh, &[]);
    assert_eq!((wrong.status, wrong.error().as_str()), (401, "invalid_client"));
    assert!(
        gateway.get("/.well-known/openid-configuration").json()["id_token_signing_alg_values_supported"]
            .as_array()
            .is_some_and(|algorithms| algorithms.contains(&"HS256".into()))
    );
}

#[test]
fn a_client_made_a_moment_ago_is_known_and_an_unknown_one_is_a_page() {
    let gateway = Setup::new().in_step().set("erpnext.client_sync_interval", "1h").start();
    let uri = "https://new.example/cb";
    gateway.standin.add_client(standin::Client::new("made-just-now", "0123456789", uri));
    let tokens = gateway.tokens(BOB, Client::erpnext("made-just-now", "0123456789", uri), &[]);
    gateway.acts_as(&tokens.access, BOB);
    let mut browser = Browser::of(&gateway, BOB);
    let answer = browser.get(&format!("{METHOD}authorize?client_id=nobody&response_type=code"));
    assert_eq!((answer.status, answer.header("location")), (400, None));
}

#[test]
fn redirect_uris_stand_apart_by_any_white_space() {
    let gateway = Setup::new().in_step().start();
    changed(&gateway, |client| {
        client.redirect_uris = "https://a.example/cb\n\thttps://b.example/cb  ".to_owned();
        client.default_redirect_uri = "https://a.example/cb".to_owned();
    });
    let mut browser = Browser::of(&gateway, ALICE);
    for uri in ["https://a.example/cb", "https://b.example/cb"] {
        until("the change is heard of", || {
            let answer = browser.authorize(DEMO, &[("redirect_uri", uri)]);
            answer.header("location").filter(|location| location.starts_with(uri)).map(|_| ())
        });
    }
    let old = browser.authorize(DEMO, &[]);
    assert_eq!((old.status, old.header("location")), (400, None));
}

#[test]
fn an_implicit_client_gets_its_token_in_the_fragment_and_no_code() {
    let gateway = Setup::new().in_step().start();
    let uri = "https://spa.example/cb";
    gateway.standin.add_client(standin::Client {
        grant_type: "Implicit".to_owned(),
        response_type: "Token".to_owned(),
        ..standin::Client::new("spa", "0123456789", uri)
    });
    let spa = Client::erpnext("spa", "0123456789", uri);
    let mut browser = Browser::of(&gateway, ALICE);
    let plain = [("code_challenge", ""), ("code_challenge_method", "")];
    let answer = browser.authorize(spa, &[("response_type", "token"), plain[0], plain[1]]);
    let (back, fragment) = answer.location().split_once('#').expect("a fragment");
    assert_eq!(back, uri);
    let token = parameters(fragment).into_iter().find(|(name, _)| name == "access_token").expect("a token").1;
    gateway.acts_as(&token, ALICE);
    let code = browser.authorize(spa, &plain);
    assert_eq!(code.parameter("error").as_deref(), Some("unauthorized_client"), "{code}");
}

/// Roles are the effective ones (transcript 60): *Desk User* comes by itself.
#[test]
fn allowed_roles_are_honoured_at_every_step() {
    let gateway = Setup::new().in_step().start();
    // As every client of ERPNext's: for Desk Users, whom nobody assigns that role.
    let mut carol = Browser::of(&gateway, CAROL);
    assert_eq!(carol.authorize(DEMO, &[]).parameter("error").as_deref(), Some("access_denied"));
    gateway.tokens(BOB, DEMO, &[]);
    changed(&gateway, |client| client.allowed_roles = vec!["System Manager".to_owned()]);
    until("the change is heard of", || {
        let mut bob = Browser::of(&gateway, BOB);
        (bob.authorize(DEMO, &[]).parameter("error").as_deref() == Some("access_denied")).then_some(())
    });
    let tokens = gateway.tokens(ALICE, DEMO, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    // T76: a role that is lost during a live token.
    gateway.standin.set_roles(ALICE, &[]);
    until("the token is refused", || (gateway.whoami(&tokens.access).status == 401).then_some(()));
    assert_eq!(gateway.refresh(DEMO, &tokens.refresh, &[]).error(), "invalid_grant");
    assert_eq!(gateway.introspect(DEMO, &tokens.access)["active"], false);
    gateway.standin.set_roles(ALICE, &["System Manager"]);
    until("the role is back", || (gateway.whoami(&tokens.access).status == 200).then_some(()));
}

/// T76
#[test]
fn a_deleted_client_ends_with_its_tokens() {
    let gateway = Setup::new().in_step().start();
    let tokens = gateway.tokens(ALICE, DEMO, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    gateway.standin.delete_client(ORDINARY_CLIENT);
    until("the token is refused", || (gateway.whoami(&tokens.access).status == 401).then_some(()));
    let refused = gateway.refresh(DEMO, &tokens.refresh, &[]);
    assert_eq!((refused.status, refused.error().as_str()), (401, "invalid_client"));
    // Another client under the old id does not get the old grants back.
    gateway.standin.add_client(standin::Client::new(ORDINARY_CLIENT, ORDINARY_CLIENT_SECRET, DEMO.redirect_uri));
    until("the new one is known", || {
        (gateway.refresh(DEMO, &tokens.refresh, &[]).error() == "invalid_grant").then_some(())
    });
    gateway.refuses("a token of the deleted client", &tokens.access);
    assert!(gateway.log().contains("client_gone"), "the audit trail says so");
}

#[test]
fn a_changed_client_is_asked_for_consent_again() {
    let gateway = Setup::new().in_step().start();
    let mut browser = Browser::of(&gateway, ALICE);
    let asked = |browser: &mut Browser<'_>| {
        let answer = browser.get(&crate::support::authorize_url(DEMO, &[]));
        answer.status == 200 && answer.text().contains("name=\"handle\"")
    };
    assert!(asked(&mut browser));
    browser.code(DEMO, &[]);
    assert!(!asked(&mut browser), "the consent is remembered");
    changed(&gateway, |client| client.app_name = "Somebody else".to_owned());
    until("the change is heard of", || asked(&mut browser).then_some(()));
}

#[test]
fn the_operator_overrides_mode_and_allowances_of_single_clients() {
    let block = format!("id = '{ORDINARY_CLIENT}'\nmode = 'strict'\nallow = ['no_secret']");
    let gateway = Setup::new().in_step().client(&block).start();
    let tokens = gateway.tokens(ALICE, DEMO, &[]);
    assert_eq!(header(&tokens.id_token)["alg"], "RS256", "strict");
    let refreshed = Tokens::of(&gateway.refresh(DEMO.with(Auth::None), &tokens.refresh, &[]));
    assert_eq!(refreshed.refresh, tokens.refresh, "strict: it stays");
    let open = Request::form(&format!("{METHOD}introspect_token"), &[("token", &tokens.access)]);
    assert_eq!(gateway.send(&open).json()["active"], false, "and no longer open to everybody");
}

#[test]
fn the_password_grant_is_off_until_the_operator_switches_it_on() {
    let form = [("grant_type", "password"), ("username", ALICE), ("password", standin::ALICE_PASSWORD)];
    let gateway = Setup::new().in_step().start();
    assert_eq!(gateway.as_client(DEMO, "get_token", &form).error(), "unauthorized_client");
    let gateway = Setup::new().in_step().set("erpnext.password_grant", true).start();
    gateway.acts_as(&Tokens::of(&gateway.as_client(DEMO, "get_token", &form)).access, ALICE);
}

#[test]
fn the_last_known_clients_serve_while_erpnext_is_away_also_after_a_restart() {
    let mut gateway = Setup::new().in_step().set("erpnext.user_ttl", "1h").start();
    let tokens = gateway.tokens(ALICE, DEMO, &[]);
    gateway.standin.fail_on("OAuth%20Client", Failure::Status(500));
    gateway.restart_with(Setup::new().in_step().set("erpnext.user_ttl", "1h").without_erpnext());
    let refreshed = Tokens::of(&gateway.refresh(DEMO, &tokens.refresh, &[]));
    gateway.acts_as(&refreshed.access, ALICE);
    let unknown = gateway.refresh(Client::erpnext("unknown", "x", ""), &tokens.refresh, &[]);
    assert_eq!((unknown.status, unknown.error().as_str()), (503, "temporarily_unavailable"), "nobody can tell");
}

#[test]
fn the_gateway_s_own_client_is_nobody_s() {
    let gateway = Setup::new().in_step().start();
    let own = Client::erpnext(standin::SHADOW_CLIENT, "shadow-secret", "http://localhost/unused");
    let mut browser = Browser::of(&gateway, ALICE);
    assert_eq!(browser.authorize(own, &[]).status, 400);
    let form = [("grant_type", "client_credentials")];
    assert_eq!(gateway.as_client(own, "get_token", &form).error(), "invalid_client");
}
