//! Headers that say who or what a request is.

use crate::{
    standin::{ALICE, SITE, User},
    support::{Browser, Request, SHOP, Setup, TestGateway, Tokens},
};

const ECHO: &str = "/api/method/echo";

fn with(fields: &[(&str, &str)]) -> Request {
    fields.iter().fold(Request::get(ECHO), |request, (name, value)| request.header(name, value))
}

/// T47
#[test]
fn what_a_peer_says_of_another_target_or_host_is_dropped() {
    let gateway = Setup::new().route("path = '/api/method/echo'\nauth = 'bearer'").start();
    let fields = [
        ("X-Forwarded-Uri", "/assets/x"),
        ("X-Original-URL", "/assets/x"),
        ("X-Original-URI", "/assets/x"),
        ("X-Rewrite-URL", "/assets/x"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Forwarded-Port", "1"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("Forwarded", "for=1.2.3.4;host=evil.example;proto=https"),
    ];
    let answer = gateway.without_upstream("no token", || gateway.send(&with(&fields)));
    assert_eq!(answer.status, 401, "{answer}");
    let token = gateway.tokens(ALICE, SHOP, &[]).access;
    let (_, reached) = gateway.upstream_of(|| gateway.send(&with(&fields).bearer(&token)));
    let forwarded = reached.iter().find(|record| record.target == ECHO).expect("it");
    assert_eq!(forwarded.headers("x-forwarded-proto"), ["http"]);
    for (name, _) in fields.iter().filter(|(name, _)| *name != "X-Forwarded-Proto") {
        assert!(forwarded.header(name).is_none(), "{name}: {}", forwarded.text());
    }
    // Nor do our own documents believe it.
    let document = Request::get("/.well-known/openid-configuration").header("X-Forwarded-Host", "evil.example");
    assert!(!gateway.send(&document.header("X-Forwarded-Proto", "https")).text().contains("evil"));
}

/// T48
#[test]
fn the_upstream_sees_the_address_of_the_connection_alone() {
    let gateway = TestGateway::start();
    for fields in [
        &[("X-Forwarded-For", "1.2.3.4")][..],
        &[("X-Forwarded-For", "1.2.3.4"), ("x-forwarded-for", "5.6.7.8, 9.9.9.9")],
        &[("X-Real-IP", "1.2.3.4"), ("True-Client-IP", "1.2.3.4"), ("CF-Connecting-IP", "1.2.3.4")],
        &[("X-Forwarded-For", "1.2.3.4"), ("Connection", "X-Real-IP"), ("X-Real-IP", "1.2.3.4")],
    ] {
        let (_, reached) = gateway.upstream_of(|| gateway.send(&with(fields)));
        assert_eq!(reached[0].headers("x-forwarded-for"), ["127.0.0.1"], "{fields:?}");
        assert_eq!(reached[0].client_address, "127.0.0.1", "{fields:?}");
        assert!(!reached[0].text().contains("1.2.3.4"), "{}", reached[0].text());
    }
    let nominated = with(&[("X-Forwarded-For", "1.2.3.4"), ("Connection", "X-Forwarded-For")]);
    assert_eq!(gateway.without_upstream("nominated", || gateway.send(&nominated)).status, 400);
}

/// T48
#[test]
fn a_trusted_proxy_is_believed_up_to_the_first_that_is_not() {
    let gateway = Setup::new().set("server.trusted_proxies", vec!["127.0.0.0/8".to_owned()]).start();
    for (sent, seen) in [("9.9.9.9", "9.9.9.9"), ("1.2.3.4, 9.9.9.9", "9.9.9.9"), ("9.9.9.9, 127.0.0.7", "9.9.9.9")] {
        let request = with(&[("X-Forwarded-For", sent), ("X-Forwarded-Proto", "https")]);
        let (_, reached) = gateway.upstream_of(|| gateway.send(&request));
        let forwarded = reached.iter().find(|record| record.target == ECHO).expect("it");
        assert_eq!(forwarded.headers("x-forwarded-for"), [seen], "{sent}");
        assert_eq!(forwarded.headers("x-forwarded-proto"), ["https"]);
    }
}

/// T49
#[test]
fn headers_that_choose_site_user_or_file_are_dropped_in_every_spelling() {
    let gateway = TestGateway::start();
    gateway.standin.add_site("other");
    let fields = [
        ("X-Frappe-Site-Name", "other"),
        ("x-frappe_site-name", "other"),
        ("X_Frappe_Site_Name", "other"),
        ("X_Forwarded_For", "1.2.3.4"),
        ("x_forwarded-for", "1.2.3.4"),
        ("Frappe-Authorization-Source", "X"),
        ("Frappe_Authorization_Source", "X"),
        ("X-Use-X-Accel-Redirect", "1"),
        ("X_Use_X_Accel_Redirect", "1"),
        ("X-Remote-User", "Administrator"),
        ("Remote-User", "Administrator"),
        ("Remote-Addr", "1.2.3.4"),
        ("Remote_Addr", "1.2.3.4"),
    ];
    let (_, reached) = gateway.upstream_of(|| gateway.send(&with(&fields)));
    check(&reached[0]);
    for (name, value) in fields {
        let (answer, reached) = gateway.upstream_of(|| gateway.send(&with(&[(name, value), ("Connection", name)])));
        assert!(reached.len() == 1 || (answer.status == 400 && reached.is_empty()), "{name}: {answer}");
        reached.iter().for_each(check);
    }
    // A name that Connection lists is no way to lose what we say.
    for name in ["X-Forwarded-For", "X-Frappe-Site-Name", "X-Forwarded-Proto", "Authorization"] {
        let token = gateway.tokens(ALICE, SHOP, &[]).access;
        let request = with(&[("Connection", &format!("close, {name}"))]).bearer(&token);
        let (answer, reached) = gateway.upstream_of(|| gateway.send(&request));
        let forwarded: Vec<_> = reached.iter().filter(|record| record.target == ECHO).collect();
        assert!(forwarded.len() == 1 || answer.status >= 400, "{name}: {answer}");
        for record in forwarded {
            check(record);
            assert!(name == "Authorization" || record.user() == ALICE, "{name}: {}", record.text());
        }
    }
}

fn check(record: &crate::standin::Recorded) {
    assert_eq!(record.headers("x-frappe-site-name"), [SITE], "{}", record.text());
    assert_eq!((record.site.as_deref(), record.client_address.as_str()), (Some(SITE), "127.0.0.1"));
    for (name, value) in record.fields() {
        assert!(!name.contains('_'), "{name}");
        assert!(!matches!(value.as_str(), "other" | "1.2.3.4" | "Administrator"), "{name}: {value}");
    }
    for name in ["frappe-authorization-source", "x-use-x-accel-redirect", "x-remote-user", "remote-addr"] {
        assert!(record.header(name).is_none(), "{name}");
    }
}

/// T49
#[test]
fn a_private_file_comes_as_itself_whatever_the_peer_asks_for() {
    let gateway = TestGateway::start();
    let token = gateway.tokens(ALICE, SHOP, &[]).access;
    for name in ["X-Use-X-Accel-Redirect", "X_Use_X_Accel_Redirect", "x-use_x-accel-redirect"] {
        let request = Request::get("/private/files/alice.txt").bearer(&token).header(name, "1");
        let answer = gateway.send(&request);
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello private"), "{name}");
        assert!(answer.header("x-accel-redirect").is_none(), "{answer}");
    }
}

/// T73
#[test]
fn a_user_s_name_with_any_letters_splits_no_header_and_no_line_of_the_log() {
    for name in ["o'neil,\"the,third\"@example.com", "müller=?utf-8?@exämple.com", "x\r\nX-Injected: 1\r\n@example.com"]
    {
        let gateway = Setup::new().start_on(|standin| standin.add_user(User::system(name, "a-password")));
        let mut browser = Browser::new(&gateway);
        browser.cookies.insert("sid".to_owned(), gateway.standin.login(name));
        let code = browser.code(SHOP, &[]);
        let tokens = Tokens::of(&gateway.exchange(SHOP, &code, &[]));
        let (answer, reached) = gateway.upstream_of(|| gateway.whoami(&tokens.access));
        assert_eq!(answer.json()["message"], name);
        assert!(reached.iter().all(|record| record.header("x-injected").is_none()));
        assert!(answer.header("x-injected").is_none(), "{answer}");
        assert_eq!(gateway.introspect(SHOP, &tokens.access)["username"], name);
        for line in gateway.log().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            assert!(line["level"].is_string(), "{line}");
        }
    }
}

/// T80
#[test]
fn a_preflight_or_another_options_request_passes_no_rule_and_is_scrubbed() {
    let gateway = Setup::new().route("path = '/api/method/echo'\nauth = 'bearer'").start();
    let preflight = || {
        Request::new("OPTIONS", ECHO)
            .header("Origin", "https://evil.example")
            .header("Access-Control-Request-Method", "GET")
            .header("X-Frappe-Site-Name", "other")
            .header("X-Remote-User", "Administrator")
    };
    let answer = gateway.without_upstream("no token", || gateway.send(&preflight()));
    assert_eq!(answer.status, 401, "{answer}");
    assert_eq!(answer.header("access-control-allow-origin"), None, "{answer}");
    let token = gateway.tokens(ALICE, SHOP, &[]).access;
    let (_, reached) = gateway.upstream_of(|| gateway.send(&preflight().bearer(&token)));
    let forwarded = reached.iter().find(|record| record.target == ECHO).expect("it");
    assert_eq!(
        (forwarded.headers("x-frappe-site-name"), forwarded.headers("x-remote-user").len()),
        (vec![SITE.to_owned()], 0)
    );
}
