//! Who the user is, cookies, spellings, pages.

use super::*;

#[test]
fn a_login_sets_the_five_cookies() {
    let standin = StandIn::start();
    let answer = form(&standin, "/api/method/login", &[], "usr=Administrator&pwd=admin");
    assert_eq!(answer.status, 200);
    let expected = r#"{"message":"Logged In","home_page":"/app","full_name":"Administrator"}"#;
    assert_eq!(answer.text(), expected);
    let names = ["Server", "Date", "Connection", "Content-Type", "Content-Length", "Set-Cookie"];
    let mut order: Vec<_> = answer.head.split("\r\n").skip(1).filter_map(|line| line.split(':').next()).collect();
    order.dedup();
    assert_eq!(order, names);
    let cookies = answer.fields("set-cookie");
    assert_eq!(cookies.len(), 5);
    assert_eq!(answer.cookie("sid").len(), 56);
    assert!(cookies[0].ends_with("; Max-Age=612000; HttpOnly; Path=/; SameSite=Lax"));
    assert_eq!(cookies[1], "system_user=yes; Path=/; SameSite=Lax");
    let cookie = format!("Cookie: sid={}", answer.cookie("sid"));
    assert_eq!(get(&standin, LOGGED_USER, &[&cookie]).text(), r#"{"message":"Administrator"}"#);
    let info = get(&standin, "/api/method/frappe.realtime.get_user_info", &[&cookie]);
    assert_eq!(info.text(), r#"{"message":{"user":"Administrator","user_type":"System User"}}"#);
    assert_eq!(standin.sessions().len(), 1);
}

#[test]
fn logins_in_all_forms_and_the_failed_ones() {
    let standin = StandIn::start();
    let ok =
        |answer: Answer| assert_eq!((answer.status, answer.cookie("user_id")), (200, "alice%40example.com".to_owned()));
    ok(get(&standin, "/api/method/login?usr=alice@example.com&pwd=alice-secret", &[]));
    ok(form(&standin, "/", &[], "cmd=login&usr=alice%40example.com&pwd=alice-secret"));
    ok(form(&standin, "/login", &[], "cmd=login&usr=ALICE@example.com&pwd=alice-secret"));
    let body = r#"{"usr":"alice@example.com","pwd":"alice-secret"}"#;
    ok(json(&standin, "POST /api/method/login", &[], body));
    let website = form(&standin, "/api/method/login", &[], "usr=carol@example.com&pwd=carol-secret");
    assert!(website.text().starts_with(r#"{"message":"No App","home_page":"/me""#));
    assert_eq!(website.cookie("system_user"), "no");

    let wrong = form(&standin, "/api/method/login", &[], "usr=alice@example.com&pwd=no");
    assert_eq!(wrong.status, 401);
    assert!(wrong.text().starts_with(
        r#"{"message":"Invalid login credentials","exception":"frappe.exceptions.AuthenticationError","exc_type""#
    ));
    assert!(wrong.fields("set-cookie").is_empty());
    let none = form(&standin, "/api/method/login", &[], "usr=alice@example.com");
    assert_eq!(none.json()["message"], "Incomplete login details");
    standin.set_enabled(ALICE, false);
    let disabled = form(&standin, "/api/method/login", &[], "usr=alice@example.com&pwd=alice-secret");
    assert_eq!(disabled.json()["message"], "User disabled or missing");
    assert!(standin.sessions().iter().all(|session| session.user != ALICE));
}

#[test]
fn a_guest_is_refused_and_gets_guest_cookies() {
    let standin = StandIn::start();
    let answer = get(&standin, LOGGED_USER, &[]);
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json()["exc_type"], "PermissionError");
    assert_eq!((answer.cookie("sid"), answer.fields("set-cookie").len()), ("Guest".to_owned(), 5));
    assert_eq!(get(&standin, "/api/method/ping", &[]).text(), r#"{"message":"pong"}"#);
    let html = get(&standin, LOGGED_USER, &["Accept: text/html"]);
    assert_eq!((html.status, html.field("x-page-name").as_deref()), (403, Some("message")));
    let dead = get(&standin, "/api/method/ping", &["Cookie: sid=deadbeef"]);
    assert_eq!(dead.text(), r#"{"session_expired":1,"message":"pong"}"#);
    assert_eq!(dead.fields("set-cookie").len(), 10);
    let options = send(&standin, "OPTIONS /anything", &["Authorization: Bearer nope"], "");
    assert_eq!((options.status, options.fields("set-cookie").len()), (200, 0));
    assert_eq!(standin.requests()[0].user(), "Guest");
}

#[test]
fn a_bearer_wins_over_a_session_and_a_key_loses() {
    let standin = StandIn::start();
    standin.add_bearer(Bearer::new("BobsToken1", ORDINARY_CLIENT, BOB));
    let sid = standin.login(ALICE);
    let cookie = format!("Cookie: sid={sid}; user_id=alice%40example.com");
    let who = |fields: &[&str]| {
        let answer = get(&standin, LOGGED_USER, fields);
        (answer.status, answer.json()["message"].as_str().unwrap_or_default().to_owned())
    };
    let alice = || (200, ALICE.to_owned());
    let bob = || (200, BOB.to_owned());
    assert_eq!(who(&[&cookie, "Authorization: Bearer BobsToken1"]), bob());
    assert_eq!(who(&["Authorization: bEARER bOBStOKEN1"]), bob());
    assert_eq!(who(&[&cookie, "Authorization: Bearer nope"]), alice());
    assert_eq!(who(&[&cookie, GATEWAY]), alice());
    assert_eq!(who(&[GATEWAY]), (200, GATEWAY_USER.to_owned()));
    assert_eq!(who(&["Authorization: Basic Z2F0ZXdheS1rZXk6Z2F0ZXdheS1zZWNyZXQ="]), (200, GATEWAY_USER.to_owned()));
    assert_eq!(who(&["Authorization: token gateway-key:bad"]).0, 401);
    assert_eq!(who(&["Authorization: Basic QWxpY2U6eA=="]).0, 401);
    for ignored in ["Authorization: Bearer", "Authorization: Bearer a b", "Authorization: Bearer  BobsToken1"] {
        assert_eq!(who(&[ignored]).0, 403, "{ignored}");
    }
    let refused = get(&standin, "/api/method/ping", &["Authorization: Bearer nope"]);
    assert_eq!((refused.status, refused.field("content-length").as_deref()), (401, Some("380")));
    assert_eq!(refused.fields("set-cookie").len(), 10);
    assert_eq!(get(&standin, "/login", &["Authorization: Foo bar"]).status, 401);
    let by_query = get(&standin, &format!("{LOGGED_USER}?sid={sid}"), &[GATEWAY]);
    assert_eq!(by_query.text(), r#"{"message":"alice@example.com"}"#);
    let body = format!(r#"{{"sid":"{sid}"}}"#);
    let by_json = json(&standin, &format!("POST {LOGGED_USER}"), &[GATEWAY], &body);
    assert_eq!(by_json.json()["message"], ALICE);
    assert_eq!(standin.requests().last().map(|it| it.user().to_owned()), Some(ALICE.to_owned()));
    standin.end_login_session(&sid);
    let dead = get(&standin, LOGGED_USER, &[&cookie, "Authorization: Bearer BobsToken1"]);
    assert_eq!(dead.text(), r#"{"session_expired":1,"message":"bob@example.com"}"#);
}

#[test]
fn csrf_is_checked_on_the_cookies_session_before_the_bearer() {
    let standin = StandIn::start();
    standin.add_bearer(Bearer::new("AlicesToken", ORDINARY_CLIENT, ALICE));
    let (sid, token) = standin.login_with_csrf_token(BOB);
    let cookie = format!("Cookie: sid={sid}");
    let bearer = "Authorization: Bearer AlicesToken";
    let line = format!("POST {LOGGED_USER}");
    let refused = json(&standin, &line, &[&cookie, bearer], "{}");
    assert_eq!((refused.status, refused.body.len()), (400, 282));
    let header = format!("X-Frappe-CSRF-Token: {token}");
    assert_eq!(json(&standin, &line, &[&cookie, bearer, &header], "{}").json()["message"], ALICE);
    assert_eq!(json(&standin, &line, &[bearer], "{}").json()["message"], ALICE);
    let fresh = format!("Cookie: sid={}", standin.login(ALICE));
    assert_eq!(json(&standin, &line, &[&fresh], "{}").status, 200);
    assert_eq!(get(&standin, "/app", &[&fresh]).status, 200);
    assert_eq!(json(&standin, &line, &[&fresh], "{}").status, 400);
}

#[test]
fn every_spelling_reaches_the_method() {
    let standin = StandIn::start();
    let cookie = format!("Cookie: sid={}", standin.login(ALICE));
    let v1 = r#"{"message":"alice@example.com"}"#;
    for target in [
        "/api/method/frappe.auth.get_logged_user",
        "/api/v1/method/frappe.auth.get_logged_user",
        "/api/method/frappe.auth.get_logged_user/",
        "/api/method/frappe.auth.get_logged_user/x",
        "//api/method/frappe.auth.get_logged_user",
        "/api/method/frappe%2Eauth%2Eget_logged_user",
        "/api%2Fmethod/frappe.auth.get_logged_user",
        "/api/method/%66rappe.auth.get_logged_user",
        "/?cmd=frappe.auth.get_logged_user",
        "/login?cmd=frappe.auth.get_logged_user",
        "/api/method/ping?cmd=frappe.auth.get_logged_user",
        "http://other/api/method/frappe.auth.get_logged_user",
    ] {
        assert_eq!(get(&standin, target, &[&cookie]).text(), v1, "{target}");
    }
    let v2 = get(&standin, "/api/v2/method/frappe.auth.get_logged_user", &[&cookie]);
    assert_eq!(v2.text(), r#"{"data":"alice@example.com"}"#);
    let pong = get(&standin, &format!("{LOGGED_USER}?cmd=frappe.ping"), &[&cookie]);
    assert_eq!(pong.text(), r#"{"message":"pong"}"#);
    for (target, status) in [
        ("/api//method/frappe.auth.get_logged_user", 404),
        ("/api/method//frappe.auth.get_logged_user", 404),
        ("/API/method/frappe.auth.get_logged_user", 404),
        ("/./api/method/frappe.auth.get_logged_user", 404),
        ("/x/../api/method/frappe.auth.get_logged_user", 404),
        ("/api/method/frappe.auth.get_logged_user;x", 417),
        ("/api/method/frappe%252Eauth%252Eget_logged_user", 500),
        ("/api/v2/method/User/frappe.auth.get_logged_user", 417),
        ("/api/method/frappe/auth/get_logged_user", 500),
    ] {
        assert_eq!(get(&standin, target, &[&cookie]).status, status, "{target}");
    }
    let cmd = "cmd=frappe.auth.get_logged_user";
    assert_eq!(form(&standin, "/anything", &[&cookie], cmd).text(), v1);
    for kind in ["application/json", "application/json; charset=x", "application/vnd.api+json"] {
        let kind = format!("Content-Type: {kind}");
        let body = r#"{"cmd": "frappe.auth.get_logged_user"}"#;
        assert_eq!(send(&standin, "POST /anything", &[&cookie, &kind], body).text(), v1);
    }
    let body = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"cmd\"\r\n\r\nfrappe.auth.get_logged_user\r\n--b--\r\n";
    let kind = "Content-Type: multipart/form-data; boundary=b";
    assert_eq!(send(&standin, "POST /x", &[&cookie, kind], body).text(), v1);
}

#[test]
fn identity_headers_are_believed_in_every_spelling() {
    let standin = StandIn::start();
    let unknown = get(&standin, "/api/method/ping", &["X-Frappe-Site-Name: nosuchsite"]);
    assert_eq!((unknown.status, unknown.body.len()), (404, 112));
    assert_eq!(get(&standin, "/api/method/ping", &["x_frappe-site_name: nosuchsite"]).status, 404);
    standin.add_site("second");
    assert_eq!(get(&standin, "/api/method/ping", &["X-Frappe-Site-Name: second"]).status, 200);
    let recorded = standin.requests();
    assert_eq!(recorded[1].site.as_deref(), Some("nosuchsite"));
    let echo = get(&standin, "/api/method/echo", &["X_Forwarded_For: 6.6.6.6", "X-Forwarded-For: 1.1.1.1"]);
    assert_eq!(echo.json()["message"]["client_address"], "6.6.6.6");
    assert_eq!(standin.requests().last().map(|it| it.client_address.clone()), Some("6.6.6.6".to_owned()));
    let secure = get(&standin, "/api/method/ping", &["X-Forwarded-Proto: https"]);
    assert!(secure.fields("set-cookie").iter().all(|line| line.contains("; Secure;")));
}

#[test]
fn pages_and_files() {
    let standin = StandIn::start();
    let login = get(&standin, "/login?redirect-to=%2Fx", &[]);
    for part in ["id=\"login_email\"", "id=\"login_password\"", "btn-login"] {
        assert!(login.text().contains(part), "{part}");
    }
    let guest = get(&standin, "/app", &[]);
    assert_eq!((guest.status, guest.field("location").as_deref()), (301, Some("/login?redirect-to=%2Fapp")));
    let cookie = format!("Cookie: sid={}", standin.login(ALICE));
    assert!(get(&standin, "/app", &[&cookie]).text().contains(ALICE));
    assert_eq!(get(&standin, "/me", &[&cookie]).status, 200);
    let away = get(&standin, "/login?redirect-to=%2Fapi%2Fx%3Fa%3Db", &[&cookie]);
    assert_eq!((away.status, away.field("location").as_deref()), (302, Some("/api/x?a=b")));
    let home = get(&standin, "/login", &[&cookie]);
    assert_eq!(home.field("location").as_deref(), Some("/app"));
    assert_eq!(get(&standin, "/files/logo.svg", &[]).status, 200);
    assert_eq!(get(&standin, "/files/nope", &[]).field("x-page-name").as_deref(), Some("404"));
    let private = "/private/files/alice.txt";
    assert_eq!(get(&standin, private, &[]).status, 403);
    let own = get(&standin, private, &[&cookie]);
    assert_eq!(own.text(), "d\r\nhello private\r\n0\r\n\r\n");
    let accel = get(&standin, private, &[&cookie, "X-Use-X-Accel-Redirect: True"]);
    assert_eq!(accel.field("x-accel-redirect").as_deref(), Some("/protected/private/files/alice.txt"));
    assert!(accel.body.is_empty());
    let content = b"more".to_vec();
    standin.add_file(StoredFile { url: "/files/more".to_owned(), owner: BOB.to_owned(), content });
    assert_eq!(get(&standin, "/files/more", &[]).text(), "more");
    let out = get(&standin, "/api/method/logout", &[&cookie]);
    assert_eq!(out.text(), r#"{"message":"No App","home_page":"/login","full_name":"Guest"}"#);
    assert_eq!(out.fields("set-cookie").len(), 10);
    assert!(standin.sessions().is_empty());
}
