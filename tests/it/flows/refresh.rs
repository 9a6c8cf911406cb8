//! Refresh tokens: stable, rotated, and the grace in which parallel refreshes survive.

use std::thread;

use crate::{
    standin::ALICE,
    support::{APP, SCOPED, SHOP, Setup, TestGateway, Tokens},
};

#[test]
fn a_strict_confidential_client_keeps_its_refresh_token() {
    let gateway = TestGateway::start();
    let first = gateway.tokens(ALICE, SHOP, &[]);
    let mut access = vec![first.access.clone()];
    for _ in 0..3 {
        let tokens = Tokens::of(&gateway.refresh(SHOP, &first.refresh, &[]));
        assert_eq!(tokens.refresh, first.refresh);
        assert!(!access.contains(&tokens.access));
        access.push(tokens.access);
    }
    for token in &access {
        gateway.acts_as(token, ALICE);
    }
}

#[test]
fn a_strict_public_client_gets_another_refresh_token_each_time() {
    let gateway = TestGateway::start();
    let mut current = gateway.tokens(ALICE, APP, &[]);
    let mut seen = vec![current.refresh.clone()];
    for _ in 0..4 {
        current = Tokens::of(&gateway.refresh(APP, &current.refresh, &[]));
        assert!(!seen.contains(&current.refresh));
        seen.push(current.refresh.clone());
        gateway.acts_as(&current.access, ALICE);
    }
}

#[test]
fn parallel_refreshes_get_the_same_successor() {
    let gateway = TestGateway::start();
    let first = gateway.tokens(ALICE, APP, &[]);
    let answers: Vec<_> = thread::scope(|scope| {
        let refresh = || gateway.refresh(APP, &first.refresh, &[]);
        let threads: Vec<_> = (0..20).map(|_| scope.spawn(refresh)).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    let tokens: Vec<_> = answers.iter().map(Tokens::of).collect();
    for one in &tokens {
        assert_eq!(one.refresh, tokens[0].refresh);
        assert_ne!(one.refresh, first.refresh);
        gateway.acts_as(&one.access, ALICE);
    }
    let next = Tokens::of(&gateway.refresh(APP, &tokens[0].refresh, &[]));
    assert_ne!(next.refresh, tokens[0].refresh);
}

#[test]
fn the_grace_outlives_a_restart() {
    let mut gateway = Setup::new().set("tokens.refresh_grace", "5m").start();
    let first = gateway.tokens(ALICE, APP, &[]);
    let second = Tokens::of(&gateway.refresh(APP, &first.refresh, &[]));
    gateway.restart();
    let again = Tokens::of(&gateway.refresh(APP, &first.refresh, &[]));
    assert_eq!(again.refresh, second.refresh);
    gateway.acts_as(&second.access, ALICE);
    gateway.acts_as(&again.access, ALICE);
}

#[test]
fn a_narrower_scope_narrows_the_access_token_alone() {
    let gateway = TestGateway::start();
    let all = gateway.tokens(ALICE, SCOPED, &[("scope", "openid read:Customer")]);
    let narrow = Tokens::of(&gateway.refresh(SCOPED, &all.refresh, &[("scope", "read:Customer")]));
    assert_eq!(narrow.body["scope"], "read:Customer");
    assert!(narrow.id_token.is_empty());
    assert_eq!(gateway.profile(&narrow.access).status, 403);
    let whole = Tokens::of(&gateway.refresh(SCOPED, &narrow.refresh, &[]));
    assert_eq!(whole.body["scope"], "openid read:Customer");
    assert_eq!(gateway.profile(&whole.access).status, 200);
}

#[test]
fn a_refresh_token_is_of_no_use_to_another_client() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    assert_eq!(gateway.refresh(SCOPED, &tokens.refresh, &[]).error(), "invalid_grant");
    assert_eq!(gateway.refresh(APP, &tokens.refresh, &[]).error(), "invalid_grant");
    Tokens::of(&gateway.refresh(SHOP, &tokens.refresh, &[]));
}

#[test]
fn a_refresh_token_ends_with_its_time() {
    let setup = Setup::new().set("tokens.access_ttl", "1s").set("tokens.refresh_ttl", "2s");
    let gateway = setup.start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    crate::support::pause(std::time::Duration::from_millis(2100));
    let answer = gateway.refresh(SHOP, &tokens.refresh, &[]);
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"));
    gateway.refuses("an access token past its time", &tokens.access);
}
