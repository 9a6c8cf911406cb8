//! Refresh tokens that are used again: T35, T36.

use std::time::Duration;

use crate::{
    standin::ALICE,
    support::{APP, SCOPED, SHOP, Setup, TestGateway, Tokens, pause, until},
};

fn is_invalid_grant(gateway: &TestGateway, what: &str, refresh: &str) {
    let answer = gateway.refresh(APP, refresh, &[]);
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"), "{what}");
}

/// T35
#[test]
fn a_refresh_token_that_comes_back_after_the_grace_ends_the_grant() {
    let gateway = Setup::new().set("tokens.refresh_grace", "500ms").start();
    let first = gateway.tokens(ALICE, APP, &[]);
    let second = Tokens::of(&gateway.refresh(APP, &first.refresh, &[]));
    gateway.acts_as(&second.access, ALICE);
    pause(Duration::from_millis(600));
    is_invalid_grant(&gateway, "after the grace", &first.refresh);
    gateway.refuses("the family's newest access token", &second.access);
    gateway.refuses("the family's first access token", &first.access);
    is_invalid_grant(&gateway, "the family's newest refresh token", &second.refresh);
    until("it is noted", || gateway.log().contains("refresh_token_reused").then_some(()));
}

/// T35
#[test]
fn a_grandparent_ends_the_grant_even_within_the_grace() {
    let gateway = Setup::new().set("tokens.refresh_grace", "5m").start();
    let first = gateway.tokens(ALICE, APP, &[]);
    let second = Tokens::of(&gateway.refresh(APP, &first.refresh, &[]));
    let third = Tokens::of(&gateway.refresh(APP, &second.refresh, &[]));
    gateway.acts_as(&third.access, ALICE);
    is_invalid_grant(&gateway, "the grandparent", &first.refresh);
    gateway.refuses("the family's newest access token", &third.access);
    is_invalid_grant(&gateway, "the newest refresh token", &third.refresh);
}

/// T35
#[test]
fn within_the_grace_the_parent_gives_the_same_successor() {
    let gateway = Setup::new().set("tokens.refresh_grace", "5m").start();
    let first = gateway.tokens(ALICE, APP, &[]);
    let second = Tokens::of(&gateway.refresh(APP, &first.refresh, &[]));
    let again = Tokens::of(&gateway.refresh(APP, &first.refresh, &[]));
    assert_eq!(again.refresh, second.refresh);
    gateway.acts_as(&again.access, ALICE);
    gateway.acts_as(&second.access, ALICE);
}

/// T36
#[test]
fn a_refresh_can_not_widen_the_scope() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SCOPED, &[("scope", "openid read:Customer")]);
    for scope in ["all", "openid read:Customer read:ToDo", "read:ToDo", "admin"] {
        let answer = gateway.refresh(SCOPED, &tokens.refresh, &[("scope", scope)]);
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_scope"), "{scope}");
    }
    Tokens::of(&gateway.refresh(SCOPED, &tokens.refresh, &[]));
    let tokens = gateway.tokens(ALICE, SHOP, &[("scope", "openid")]);
    assert_eq!(gateway.refresh(SHOP, &tokens.refresh, &[("scope", "all openid")]).error(), "invalid_scope");
}
