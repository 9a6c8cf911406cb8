//! Agents: what their users tick, what they read and write, and how much of it in a day.

use serde_json::json;

use crate::{
    standin::{ALICE, BOB},
    support::{
        AGENT, AGENT_SCOPE, Answer, Browser, DEVICE_GRANT, Device, METHOD, Request, SHOP, Setup, TV, Tokens,
        authorize_url, hidden, until,
    },
};

const CUSTOMERS: &str = "/api/resource/Customer";
const ECHO: &str = "/api/method/echo";

fn post(target: &str) -> Request {
    Request::new("POST", target).body("application/json", b"{}")
}

fn lacks(scope: &str, answer: &Answer) {
    assert_eq!((answer.status, answer.error().as_str()), (403, "insufficient_scope"), "{answer}");
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(challenge.contains(&format!("scope=\"{scope}\"")), "{answer}");
}

#[test]
fn an_agent_reads_and_writes_what_its_user_ticks() {
    let gateway = Setup::new().agent("").start();
    let reader = gateway.ticked(ALICE, AGENT, AGENT_SCOPE, &[]);
    assert_eq!(reader.body["scope"], "openid erp:read", "it is told what it was granted");
    gateway.acts_as(&reader.access, ALICE);
    for method in ["GET", "HEAD"] {
        assert_eq!(gateway.send(&Request::new(method, CUSTOMERS).bearer(&reader.access)).status, 200, "{method}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let request = Request::new(method, ECHO).bearer(&reader.access);
        lacks("erp:write", &gateway.without_upstream(method, || gateway.send(&request)));
    }
    let writer = gateway.ticked(BOB, AGENT, AGENT_SCOPE, &["erp:write"]);
    assert_eq!(writer.body["scope"], "openid erp:read erp:write");
    assert_eq!(gateway.send(&post(ECHO).bearer(&writer.access)).status, 200);
    gateway.acts_as(&writer.access, BOB);
    // Only who the user is: nothing of ERPNext.
    let profile = gateway.tokens(ALICE, AGENT, &[("scope", "openid email")]);
    lacks("erp:read", &gateway.whoami(&profile.access));
    assert_eq!(gateway.profile(&profile.access).json()["email"], ALICE);
    // Others need none of this.
    let shop = gateway.tokens(ALICE, SHOP, &[]);
    assert_eq!(gateway.send(&post(ECHO).bearer(&shop.access)).status, 200);
    assert_eq!(gateway.introspect(AGENT, &reader.access)["scope"], "openid erp:read");
}

#[test]
fn the_consent_page_says_what_an_agent_is_and_leaves_writes_unticked() {
    let gateway = Setup::new().agent("scopes = ['openid', 'erp:read', 'erp:write', 'read:Customer']").start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(AGENT, &[("scope", "openid erp:read erp:write read:Customer")]));
    let html = page.text();
    for part in [
        "Robot asks for access to",
        "This is an agent",
        "<li>see everything on 127.0.0.1 that you may see</li>",
        "<input type=\"checkbox\" name=\"grant:erp:write\" value=\"yes\">",
        "create, change and delete records",
        "name=\"grant:read:Customer\"",
    ] {
        assert!(html.contains(part), "{part}: {page}");
    }
    assert!(!html.contains("checked") && !html.contains("<script") && !html.contains("registered itself"), "{page}");
    let shop = browser.get(&authorize_url(SHOP, &[])).text();
    assert!(!shop.contains("checkbox") && !shop.contains("This is an agent"), "{shop}");
    // Nothing but boxes, and none ticked: nothing is granted.
    let page = browser.get(&authorize_url(AGENT, &[("scope", "erp:write")]));
    assert!(!page.text().contains("<ul"), "{page}");
    assert_eq!(browser.allow_with(&page, &[]).redirected_error(), "access_denied");
}

#[test]
fn a_remembered_consent_covers_what_was_granted_and_more_is_asked_for() {
    let gateway = Setup::new().agent("").start();
    let mut browser = Browser::of(&gateway, ALICE);
    let mut asks = |scope: &str, ticks: Option<&[&str]>| {
        let answer = browser.get(&authorize_url(AGENT, &[("scope", scope)]));
        let asked = answer.status == 200;
        if let (true, Some(ticks)) = (asked, ticks) {
            browser.allow_with(&answer, ticks);
        }
        asked
    };
    assert!(asks("openid erp:read erp:write", Some(&[])));
    assert!(!asks("openid erp:read", None), "granted before");
    assert!(asks("openid erp:read erp:write", Some(&["erp:write"])), "never granted");
    assert!(!asks("openid erp:read erp:write", None), "granted by now");
}

#[test]
fn a_path_may_be_said_to_read_whatever_the_method() {
    let gateway = Setup::new()
        .agent("")
        .route("path = '/api/method/echo'\nauth = 'bearer'\nreads = true")
        .route("path = '/api/method/frappe.client.get_list'\nreads = true")
        .start();
    let reader = gateway.ticked(ALICE, AGENT, AGENT_SCOPE, &[]).access;
    let send = |target: &str, body: &str| {
        let request = Request::new("POST", target).body("application/json", body.as_bytes());
        gateway.send(&request.bearer(&reader))
    };
    let message = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#;
    assert_eq!(send(ECHO, message).status, 200);
    assert_eq!(send("/api/method/frappe.client.get_list", r#"{"doctype":"Customer"}"#).status, 200);
    lacks("erp:write", &send("/api/method/frappe.client.delete", r#"{"doctype":"Customer","name":"Acme"}"#));
    // Another method beside it is judged by itself.
    for (target, body) in [
        ("/api/method/echo?cmd=frappe.client.delete", "{}"),
        (ECHO, r#"{"cmd":"frappe.client.delete","doctype":"Customer","name":"Acme"}"#),
    ] {
        lacks("erp:write", &gateway.without_upstream(target, || send(target, body)));
    }
}

#[test]
fn a_device_of_an_agent_gets_what_its_user_ticks() {
    let block =
        format!("id = 'tv'\nname = 'Robot'\nauth_method = 'none'\nagent = true\ngrant_types = ['{DEVICE_GRANT}']");
    let gateway = Setup::new().client(&block).start();
    for (ticks, scope) in [(false, "openid erp:read"), (true, "openid erp:read erp:write")] {
        let device = Device::ask(&gateway, TV, &[AGENT_SCOPE]);
        let mut browser = Browser::of(&gateway, ALICE);
        let page = browser.type_code(&device.user_code);
        let html = page.text();
        assert!(html.contains("This is an agent") && html.contains("name=\"grant:erp:write\""), "{page}");
        let (code, token) = (hidden(&page, "user_code"), hidden(&page, "token"));
        let mut form = vec![("user_code", code.as_str()), ("token", &token), ("decision", "allow")];
        form.extend(ticks.then_some(("grant:erp:write", "yes")));
        let page = browser.post(&format!("{METHOD}device"), &form);
        assert!(page.text().contains("The device has access"), "{page}");
        assert_eq!(Tokens::of(&device.poll(&gateway, TV)).body["scope"], scope);
    }
}

#[test]
fn whoever_registers_itself_is_an_agent_unless_the_operator_trusts_it() {
    let uri = "https://robot.example/cb";
    let scopes = || vec!["openid".to_owned(), "erp:read".to_owned(), "erp:write".to_owned()];
    let setup = || Setup::new().open_to_registration().set("registration.scopes", scopes());
    let mut gateway = setup().start();
    let registered =
        gateway.registered(uri, &json!({"token_endpoint_auth_method": "none", "scope": "openid all erp:read"}));
    assert_eq!(registered.body["scope"], "openid erp:read");
    let client = registered.client();
    let scope = ("scope", "openid erp:read");
    let page = Browser::of(&gateway, ALICE).get(&authorize_url(client, &[scope]));
    for part in ["This is an agent", "This application registered itself. Nobody has checked its name."] {
        assert!(page.text().contains(part), "{page}");
    }
    let tokens = gateway.tokens(ALICE, client, &[scope]);
    gateway.acts_as(&tokens.access, ALICE);
    lacks("erp:write", &gateway.send(&post(ECHO).bearer(&tokens.access)));
    gateway.restart_with(setup().set("registration.agents", false));
    let page = Browser::of(&gateway, ALICE).get(&authorize_url(client, &[scope]));
    assert!(page.status == 200 && !page.text().contains("This is an agent"), "asked as what it is now: {page}");
    let tokens = gateway.tokens(ALICE, client, &[("scope", "openid")]);
    assert_eq!(gateway.send(&post(ECHO).bearer(&tokens.access)).status, 200);
}

/// The agent as any other client.
fn no_agent() -> Setup {
    let (id, secret, uri) = (AGENT.id, AGENT.secret, AGENT.redirect_uri);
    let keys = format!("id = '{id}'\nname = 'Robot'\nsecret = '{secret}'\nredirect_uris = ['{uri}']");
    Setup::new().client(&format!("{keys}\nscopes = ['openid', 'erp:read', 'erp:write', 'all']"))
}

#[test]
fn what_was_granted_to_an_agent_is_held_to_its_scopes_when_that_is_none_any_more() {
    let mut gateway = Setup::new().agent("requests_per_day = 1").start();
    let reader = gateway.ticked(ALICE, AGENT, AGENT_SCOPE, &[]);
    gateway.acts_as(&reader.access, ALICE);
    gateway.restart_with(no_agent());
    let refreshed = Tokens::of(&gateway.refresh(AGENT, &reader.refresh, &[])).access;
    for token in [&reader.access, &refreshed] {
        lacks("erp:write", &gateway.without_upstream("a write", || gateway.send(&post(ECHO).bearer(token))));
        gateway.acts_as(token, ALICE);
    }
    let all = gateway.tokens(ALICE, AGENT, &[("scope", "openid erp:read all")]).access;
    assert_eq!(gateway.send(&post(ECHO).bearer(&all)).status, 200, "all is all");
}

#[test]
fn a_remembered_consent_is_one_to_the_kind_of_client_that_asked() {
    let mut gateway = no_agent().start();
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(AGENT, &[AGENT_SCOPE]));
    browser.allow_with(&page, &[]);
    assert!(browser.get(&authorize_url(AGENT, &[AGENT_SCOPE])).parameter("code").is_some(), "remembered");
    gateway.restart_with(Setup::new().agent(""));
    let mut browser = Browser::of(&gateway, ALICE);
    let page = browser.get(&authorize_url(AGENT, &[AGENT_SCOPE]));
    assert!(page.status == 200 && page.text().contains("name=\"grant:erp:write\""), "nobody has ticked it: {page}");
    browser.allow_with(&page, &["erp:write"]);
    assert!(browser.get(&authorize_url(AGENT, &[AGENT_SCOPE])).parameter("code").is_some(), "remembered");
    gateway.restart_with(no_agent());
    let page = Browser::of(&gateway, ALICE).get(&authorize_url(AGENT, &[("scope", "openid")]));
    assert_eq!(page.status, 200, "without an agent's limits: {page}");
}

fn is_used_up(answer: &Answer, budget: &str) {
    assert_eq!((answer.status, answer.error().as_str()), (429, "budget_used_up"), "{answer}");
    let seconds: u64 = answer.header("retry-after").expect("a time").parse().expect("a number");
    assert!((1..=86_400).contains(&seconds), "{answer}");
    assert!(answer.json()["error_description"].as_str().is_some_and(|text| text.contains(budget)), "{answer}");
}

#[test]
fn a_budget_is_used_up_and_said_to_be() {
    let gateway = Setup::new().agent("requests_per_day = 4\nwrites_per_day = 1").start();
    let (one, other) = (
        gateway.ticked(ALICE, AGENT, AGENT_SCOPE, &["erp:write"]).access,
        gateway.ticked(BOB, AGENT, AGENT_SCOPE, &["erp:write"]).access,
    );
    let write = |token: &str| gateway.send(&post(ECHO).bearer(token));
    assert_eq!(write(&one).status, 200);
    let refused = gateway.without_upstream("a second write", || write(&other));
    is_used_up(&refused, "writes");
    gateway.acts_as(&other, BOB);
    gateway.acts_as(&one, ALICE);
    gateway.acts_as(&one, ALICE);
    for _ in 0..3 {
        is_used_up(&gateway.without_upstream("a fifth request", || gateway.whoami(&one)), "requests");
    }
    is_used_up(&write(&one), "requests");
    assert!((gateway.metric("empress_agent_budget_refused_total{budget=\"writes\"}") - 1.0).abs() < 0.1);
    assert!((gateway.metric("empress_agent_budget_refused_total{budget=\"requests\"}") - 4.0).abs() < 0.1);
    let log = gateway.log();
    assert_eq!(log.matches("an agent has used up its budget").count(), 2, "each is said once: {log}");
    assert_eq!(log.matches("agent_budget_used_up").count(), 2, "{log}");
    // Nobody else has one.
    let shop = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&shop.access, ALICE);
}

#[test]
fn a_budget_outlives_a_restart_and_is_shared_by_processes() {
    let setup = || Setup::new().set("agents.requests_per_day", 3).agent("");
    let mut gateway = setup().start();
    let token = gateway.ticked(ALICE, AGENT, AGENT_SCOPE, &[]).access;
    gateway.acts_as(&token, ALICE);
    gateway.acts_as(&token, ALICE);
    gateway.stop();
    gateway.restart();
    gateway.acts_as(&token, ALICE);
    is_used_up(&gateway.whoami(&token), "requests");

    // Another process on the same store, whose own requests none of these were.
    gateway.restart_with(Setup::new().set("agents.requests_per_day", 5).agent(""));
    let text = std::fs::read_to_string(gateway.write_configuration()).expect("a configuration");
    let mut second = Setup::new().by_hand().unstarted();
    let text = text
        .replace(&format!("127.0.0.1:{}\"", gateway.port()), &format!("127.0.0.1:{}\"", second.port()))
        .replace(&format!("127.0.0.1:{}\"", gateway.admin_port()), &format!("127.0.0.1:{}\"", second.admin_port()));
    write_private(&second.folder().join("gateway.toml"), &text);
    second.restart();
    assert_eq!(second.whoami(&token).status, 200, "the fourth");
    assert_eq!(gateway.whoami(&token).status, 200, "the fifth, whoever of them hears of it when");
    for each in [&gateway, &second] {
        until("it hears of the other's", || (each.whoami(&token).status == 429).then_some(()));
    }
}

fn write_private(file: &std::path::Path, text: &str) {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    let opened = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    opened.expect("a file").write_all(text.as_bytes()).expect("room");
}
