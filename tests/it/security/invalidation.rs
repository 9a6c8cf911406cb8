//! What is in memory, and how it ends: T59, T60, T76.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use tokio::time::Instant;

use crate::{
    standin::ALICE,
    support::{Browser, Connection, Over, Request, SHOP, Setup, TestGateway, Tokens, until},
};

const WHO: &str = "/api/method/frappe.auth.get_logged_user";

/// T59
#[test]
fn no_request_that_starts_after_the_revocation_was_answered_gets_through() {
    let gateway = TestGateway::start();
    for _ in 0..5 {
        let tokens = gateway.tokens(ALICE, SHOP, &[]);
        gateway.acts_as(&tokens.access, ALICE);
        let stop = AtomicBool::new(false);
        let request = Request::get(WHO).bearer(&tokens.access);
        let load = || {
            let (mut connection, mut seen) = (gateway.connect(), Vec::new());
            while !stop.load(Ordering::Relaxed) {
                let begun = Instant::now();
                match connection.send(&request) {
                    Ok(answer) => seen.push((begun, answer.status)),
                    Err(_) => connection = gateway.connect(),
                }
            }
            seen
        };
        let (revoked_at, seen) = thread::scope(|scope| {
            let running = Over(&stop);
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
            let permitted = || gateway.metric("empress_access_permitted_total");
            let before = permitted();
            until("the load runs", || (permitted() > before + 100.0).then_some(()));
            assert_eq!(gateway.revoke(SHOP, &tokens.access).status, 200);
            let revoked_at = Instant::now();
            let refused = || gateway.metric("empress_access_denied_total");
            let before = refused();
            until("the load is refused", || (refused() > before + 50.0).then_some(()));
            drop(running);
            let seen: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().expect("a thread")).collect();
            (revoked_at, seen)
        });
        let late: Vec<_> = seen.iter().filter(|(begun, _)| *begun > revoked_at).collect();
        assert!(late.len() > 20, "the load went on");
        assert!(late.iter().all(|(_, status)| *status == 401), "let through after the revocation");
        assert!(seen.iter().any(|(_, status)| *status == 200));
        assert!(seen.iter().all(|(_, status)| matches!(status, 200 | 401)));
    }
}

/// T60
#[test]
fn of_a_thousand_parallel_first_uses_one_looks_the_token_up_and_one_makes_the_credential() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let request = Request::get(WHO).bearer(&tokens.access);
    let mut connections: Vec<Connection> = (0..500).map(|_| gateway.connect()).collect();
    let (misses, made) = ("empress_cache_lookups_total{result=\"miss\"}", "/api/resource/OAuth%20Bearer%20Token");
    let before = gateway.metric(misses);
    thread::scope(|scope| {
        for connection in &mut connections {
            scope.spawn(|| {
                for _ in 0..2 {
                    let answer = connection.send(&request).expect("an answer");
                    assert_eq!((answer.status, answer.json()["message"].as_str()), (200, Some(ALICE)), "{answer}");
                }
            });
        }
    });
    assert!(gateway.metric(misses) >= before + 1.0);
    let made = gateway.standin.count(|record| record.method == "POST" && record.target.starts_with(made));
    assert_eq!((made, gateway.standin.bearer_rows().len()), (1, 1));
}

/// T61
#[test]
fn a_token_that_was_good_for_one_route_is_judged_again_for_the_next() {
    let gateway = Setup::new()
        .route("path = '/api/resource/{doctype}/{name}'\nauth = 'bearer'\nscopes = ['read:{doctype}']")
        .start();
    let tokens = gateway.tokens(ALICE, crate::support::SCOPED, &[("scope", "openid read:Customer")]);
    let call = |path: &str| gateway.send(&Request::get(path).bearer(&tokens.access)).status;
    for _ in 0..3 {
        assert_eq!(call("/api/resource/Customer/Acme"), 200);
        assert_eq!(call("/api/resource/ToDo/todo-1"), 403);
        assert_eq!(call("/api/resource/customer/Acme"), 403, "ERPNext's database does not mind letter case");
        assert_eq!(call("/api/v2/document/ToDo/todo-1"), 403);
        assert_eq!(call("/api/method/frappe.client.get_list?doctype=ToDo"), 403);
    }
}

/// T76
#[test]
fn a_disabled_user_loses_every_token_and_an_enabled_one_gets_them_back() {
    let gateway = Setup::new().set("erpnext.user_ttl", "1s").start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let mut browser = Browser::of(&gateway, ALICE);
    gateway.acts_as(&tokens.access, ALICE);
    let shadow = gateway.standin.bearer_rows()[0].access_token.clone();
    gateway.standin.set_enabled(ALICE, false);
    until("she is refused", || (gateway.whoami(&tokens.access).status == 401).then_some(()));
    gateway.refuses("a disabled user's", &tokens.access);
    assert_eq!(gateway.refresh(SHOP, &tokens.refresh, &[]).error(), "invalid_grant");
    let answer = browser.get(&crate::support::authorize_url(SHOP, &[]));
    assert!(answer.parameter("code").is_none(), "{answer}");
    until("her shadow token is deleted", || {
        let rows = gateway.standin.bearer_rows();
        rows.iter().all(|row| row.access_token != shadow).then_some(())
    });
    gateway.standin.set_enabled(ALICE, true);
    until("she is let in again", || (gateway.whoami(&tokens.access).status == 200).then_some(()));
    Tokens::of(&gateway.refresh(SHOP, &tokens.refresh, &[]));
}

/// T76
#[test]
fn another_user_under_the_same_name_does_not_inherit_tokens() {
    use crate::standin::User;
    let gateway = Setup::new().set("erpnext.user_ttl", "1s").start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    gateway.standin.delete_user(ALICE);
    let heir = User { sub: Some("another-subject".to_owned()), ..User::system(ALICE, crate::standin::ALICE_PASSWORD) };
    gateway.standin.add_user(heir);
    until("the token has ended", || (gateway.whoami(&tokens.access).status == 401).then_some(()));
    assert_eq!(gateway.refresh(SHOP, &tokens.refresh, &[]).error(), "invalid_grant");
    let hers = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&hers.access, ALICE);
    gateway.refuses("the old token", &tokens.access);
}
