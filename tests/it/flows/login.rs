//! The gateway's own login page.

use std::fs;

use crate::{
    standin::{ALICE, ALICE_PASSWORD, AsksFor, BOB, BOB_PASSWORD, Failure},
    support::{
        Answer, Browser, METHOD, Receiver, Request, SHOP, Setup, TestGateway, Tokens, authorize_url, claims, hidden,
        parameters, until,
    },
};

fn setup() -> Setup {
    Setup::new().set("login.page", "gateway")
}

fn login_path() -> String {
    format!("{METHOD}login")
}

fn is_login_page(page: &Answer) -> bool {
    page.text().contains("type=\"password\"") && page.text().contains(&format!("action=\"{}\"", login_path()))
}

/// Goes to the login page that an authorization request leads to.
fn asked(browser: &mut Browser<'_>, extra: &[(&str, &str)]) -> Answer {
    let answer = browser.get(&authorize_url(SHOP, extra));
    assert_eq!(answer.status, 302, "{answer}");
    let page = browser.get(answer.location());
    assert!(page.status == 200 && is_login_page(&page), "{page}");
    page
}

fn enter(browser: &mut Browser<'_>, page: &Answer, user: &str, password: &str) -> Answer {
    let (handle, token) = (hidden(page, "handle"), hidden(page, "token"));
    browser.post(&login_path(), &[("handle", &handle), ("token", &token), ("usr", user), ("pwd", password)])
}

/// Follows a login back to the request, and consents.
fn go_on(browser: &mut Browser<'_>, answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{answer}");
    let answer = browser.get(answer.location());
    let answer = if answer.status == 200 { browser.decide(&answer, "allow") } else { answer };
    answer.parameter("code").unwrap_or_else(|| panic!("no code: {answer}"))
}

#[test]
fn a_user_logs_in_on_the_gateways_page_and_goes_on_with_the_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let trail = folder.path().join("audit.jsonl");
    let gateway = setup().set("log.audit_file", trail.display().to_string()).start();
    let mut browser = Browser::new(&gateway);
    let page = asked(&mut browser, &[("login_hint", "alice@example.com"), ("ui_locales", "de")]);
    assert!(page.text().contains("value=\"alice@example.com\""), "the hint is filled in: {page}");
    assert!(page.text().contains("lang=\"de\"") && page.text().contains("Shop connector"), "{page}");
    let (answer, reached) = gateway.upstream_of(|| enter(&mut browser, &page, ALICE, ALICE_PASSWORD));
    let logins: Vec<_> = reached.iter().filter(|record| record.target == "/api/method/login").collect();
    let [login] = logins.as_slice() else { panic!("one login: {}", logins.len()) };
    assert!(login.headers("cookie").is_empty() && login.headers("authorization").is_empty());
    assert_eq!(login.client_address, "127.0.0.1");
    // All that ERPNext sets for a browser is set, with its attributes.
    let cookies: Vec<String> = answer.headers("set-cookie").iter().map(|line| (*line).to_owned()).collect();
    for name in ["sid", "system_user", "full_name", "user_id", "user_image"] {
        assert!(cookies.iter().any(|line| line.starts_with(&format!("{name}="))), "{name}: {cookies:?}");
    }
    assert!(cookies.iter().any(|line| line.starts_with("sid=") && line.contains("HttpOnly")), "{cookies:?}");
    let code = go_on(&mut browser, &answer);
    let tokens = Tokens::of(&gateway.exchange(SHOP, &code, &[]));
    assert!(claims(&tokens.id_token)["auth_time"].is_u64());
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(browser.get("/api/method/frappe.auth.get_logged_user").json()["message"], ALICE);
    let trail = fs::read_to_string(trail).expect("the audit trail");
    assert!(trail.lines().any(|line| line.contains("\"login\"") && line.contains(ALICE)), "{trail}");
    assert!(!gateway.log().contains(ALICE_PASSWORD) && !gateway.log().contains(browser.sid()));
}

#[test]
fn a_wrong_password_is_said_on_the_page_and_counted_with_those_that_pass_by() {
    let gateway = setup().set("limits.login_failures", "5/m").start();
    let mut browser = Browser::new(&gateway);
    let mut page = asked(&mut browser, &[]);
    for (user, password) in [(ALICE, "wrong"), ("nobody@example.com", "x"), (ALICE, ""), ("", "")] {
        page = enter(&mut browser, &page, user, password);
        assert_eq!(page.status, 403, "{page}");
        assert!(is_login_page(&page) && page.text().contains("role=\"alert\""), "{page}");
        assert!(user.is_empty() || page.text().contains(&format!("value=\"{user}\"")), "{page}");
        assert!(page.headers("set-cookie").iter().all(|line| !line.starts_with("sid=")), "{page}");
    }
    let wrong = Request::form("/api/method/login", &[("usr", ALICE), ("pwd", "wrong")]);
    assert_eq!(gateway.send(&wrong).status, 401);
    let refused = gateway.without_upstream("past the limit", || enter(&mut browser, &page, ALICE, ALICE_PASSWORD));
    assert_eq!(refused.status, 429, "{refused}");
    assert!(is_login_page(&refused) && refused.header("retry-after").is_some(), "{refused}");
    assert_eq!(gateway.send(&wrong).status, 429, "the limit is one");
}

/// T25: the login form is tied to the browser and to the request that it was shown for.
#[test]
fn a_login_counts_only_from_the_page_that_this_browser_was_shown() {
    let gateway = setup().start();
    let mut browser = Browser::new(&gateway);
    let page = asked(&mut browser, &[]);
    let (handle, token) = (hidden(&page, "handle"), hidden(&page, "token"));
    let form = |handle: &str, token: &str| {
        [("handle", handle), ("token", token), ("usr", ALICE), ("pwd", ALICE_PASSWORD)]
            .map(|(name, value)| (name, value.to_owned()))
    };
    let post = |browser: &mut Browser<'_>, form: &[(&str, String)]| {
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        gateway.without_upstream("a forged login", || browser.post(&login_path(), &form))
    };
    let mut other = Browser::new(&gateway);
    let its = asked(&mut other, &[]);
    for (what, answer) in [
        ("another browser", post(&mut other, &form(&handle, &token))),
        ("no token", post(&mut browser, &form(&handle, ""))),
        ("the token of another request", post(&mut browser, &form(&handle, &hidden(&its, "token")))),
        ("no request", post(&mut browser, &form("", &token))),
        ("no such request", post(&mut browser, &form("emp_rq_x", &token))),
    ] {
        assert_eq!(answer.status, 403, "{what}: {answer}");
    }
    let foreign = Request::form(&login_path(), &[("handle", &handle), ("token", &token)])
        .header("Origin", "https://evil.example");
    assert_eq!(browser.send(foreign).status, 403, "another site's page");
    assert_eq!(
        browser.get(&format!("{}?handle={handle}&usr=a&pwd=b", login_path())).status,
        200,
        "a GET logs nobody in"
    );
    assert!(browser.cookies.get("sid").is_none_or(|sid| sid == "Guest"));
    assert_eq!(enter(&mut browser, &page, ALICE, ALICE_PASSWORD).status, 303, "and it works");
}

#[test]
fn whoever_erpnext_asks_for_more_goes_on_at_erpnexts_own_page() {
    let gateway = setup().start();
    for asks_for in [AsksFor::SecondFactor, AsksFor::NewPassword] {
        gateway.standin.ask_for(BOB, asks_for);
        let mut browser = Browser::new(&gateway);
        let page = asked(&mut browser, &[]);
        let answer = enter(&mut browser, &page, BOB, BOB_PASSWORD);
        assert_eq!(answer.status, 303, "{answer}");
        assert!(answer.location().starts_with(&format!("{}/login?redirect-to=", gateway.url())), "{answer}");
        assert!(!answer.location().contains("key"), "{answer}");
        let resume = answer.parameter("redirect-to").expect("the way back");
        gateway.standin.ask_for(BOB, AsksFor::Nothing);
        browser.login(BOB);
        let page = browser.get(&resume);
        let answer = if page.status == 200 { browser.decide(&page, "allow") } else { page };
        assert!(answer.parameter("code").is_some(), "{answer}");
    }
}

#[test]
fn a_fresh_login_ends_the_earlier_one_only_when_it_has_succeeded() {
    let gateway = setup().start();
    let mut browser = Browser::new(&gateway);
    let page = asked(&mut browser, &[]);
    let answer = enter(&mut browser, &page, ALICE, ALICE_PASSWORD);
    let code = go_on(&mut browser, &answer);
    let first = claims(&Tokens::of(&gateway.exchange(SHOP, &code, &[])).id_token);
    let old = browser.sid().to_owned();
    for extra in [("prompt", "login"), ("max_age", "0")] {
        let page = asked(&mut browser, &[extra]);
        assert!(page.text().contains(&format!("value=\"{ALICE}\"")), "who is logged in is filled in: {page}");
        assert_eq!(enter(&mut browser, &page, ALICE, "wrong").status, 403);
        assert_eq!(browser.get("/api/method/frappe.auth.get_logged_user").status, 200, "nothing has ended");
        let answer = enter(&mut browser, &page, ALICE, ALICE_PASSWORD);
        let code = go_on(&mut browser, &answer);
        let again = claims(&Tokens::of(&gateway.exchange(SHOP, &code, &[])).id_token);
        assert_eq!(again["sid"], first["sid"], "to the client the same session goes on");
        assert!(again["auth_time"].as_u64() >= first["auth_time"].as_u64());
    }
    assert!(gateway.standin.sessions().iter().all(|session| session.sid != old), "the earlier one has ended");
    assert_eq!(gateway.standin.sessions().iter().filter(|session| session.user == ALICE).count(), 1);
}

#[test]
fn somebody_else_may_log_in_from_the_consent_page() {
    let receiver = Receiver::start();
    let gateway = setup()
        .without_client(SHOP.id)
        .client(&format!(
            "id = 'shop'\nname = 'Shop connector'\nsecret = '{}'\nredirect_uris = ['{}']\nbackchannel_logout_uri = '{}'",
            SHOP.secret,
            SHOP.redirect_uri,
            receiver.url("/out")
        ))
        .start();
    let mut browser = Browser::of(&gateway, ALICE);
    let code = browser.code(SHOP, &[("scope", "openid")]);
    let alice = claims(&Tokens::of(&gateway.exchange(SHOP, &code, &[])).id_token);
    let page = browser.get(&authorize_url(SHOP, &[("prompt", "select_account")]));
    let answer = browser.decide(&page, "sign_in");
    assert_eq!(answer.status, 303, "{answer}");
    assert_eq!(browser.get("/api/method/frappe.auth.get_logged_user").json()["message"], ALICE, "nothing has ended");
    let page = browser.get(answer.location());
    assert!(is_login_page(&page) && !page.text().contains(&format!("value=\"{ALICE}\"")), "{page}");
    let answer = enter(&mut browser, &page, BOB, BOB_PASSWORD);
    let code = go_on(&mut browser, &answer);
    gateway.acts_as(&Tokens::of(&gateway.exchange(SHOP, &code, &[("scope", "openid all")])).access, BOB);
    let told = until("the client is told that Alice has left", || receiver.posted().first().cloned());
    assert_eq!(claims(&parameters(&told.body)[0].1)["sid"], alice["sid"]);
}

#[test]
fn with_erpnext_away_the_page_says_so() {
    let gateway = setup().start();
    let mut browser = Browser::new(&gateway);
    let page = asked(&mut browser, &[]);
    gateway.standin.fail(Failure::Refuse);
    let answer = enter(&mut browser, &page, ALICE, ALICE_PASSWORD);
    assert!(answer.status == 503 && is_login_page(&answer), "{answer}");
    gateway.standin.heal();
    let answer = until("ERPNext is back", || {
        Some(enter(&mut browser, &page, ALICE, ALICE_PASSWORD)).filter(|answer| answer.status == 303)
    });
    go_on(&mut browser, &answer);
}

#[test]
fn the_page_is_not_there_unless_it_was_asked_for() {
    let gateway = TestGateway::start();
    let mut browser = Browser::new(&gateway);
    let answer = gateway.without_upstream("the page", || browser.get(&login_path()));
    assert_eq!(answer.status, 404, "{answer}");
    assert!(browser.get(&authorize_url(SHOP, &[])).location().starts_with(&format!("{}/login?", gateway.url())));
}
