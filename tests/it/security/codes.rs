//! Authorization codes: T09 to T12, T15, T16.

use std::{thread, time::Duration};

use crate::{
    standin::ALICE,
    support::{APP, Browser, CHALLENGE, SCOPED, SHOP, Setup, TRUSTED, TestGateway, Tokens, VERIFIER, pause, until},
};

/// T09
#[test]
fn of_two_hundred_parallel_takers_of_a_code_one_gets_tokens_and_the_replay_ends_them() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let code = browser.code(SHOP, &[]);
    let answers: Vec<_> = thread::scope(|scope| {
        let take = || gateway.exchange(SHOP, &code, &[]);
        let threads: Vec<_> = (0..200).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().expect("an answer")).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    // Where the replay came before the winner's grant was written, the winner may have been refused too.
    assert!(won.len() <= 1, "{} got tokens", won.len());
    for answer in &lost {
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"), "{answer}");
    }
    assert_eq!(won.len(), 1, "nobody got tokens");
    let tokens = Tokens::of(&won[0]);
    gateway.refuses("the winner's token", &tokens.access);
    assert_eq!(gateway.refresh(SHOP, &tokens.refresh, &[]).error(), "invalid_grant");
    assert!(gateway.log().contains("code_replayed"));
}

/// T09
#[test]
fn a_code_that_is_presented_again_ends_the_tokens_that_came_from_it() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let code = browser.code(SHOP, &[]);
    let tokens = Tokens::of(&gateway.exchange(SHOP, &code, &[]));
    gateway.acts_as(&tokens.access, ALICE);
    assert_eq!(gateway.exchange(SHOP, &code, &[]).error(), "invalid_grant");
    gateway.refuses("the first taker's token", &tokens.access);
}

/// T10
#[test]
fn a_code_past_its_time_is_worth_nothing() {
    let gateway = Setup::new().set("tokens.code_ttl", "1s").start();
    let mut browser = Browser::of(&gateway, ALICE);
    let code = browser.code(SHOP, &[]);
    pause(Duration::from_millis(1100));
    let answer = gateway.exchange(SHOP, &code, &[]);
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"));
}

/// T11
#[test]
fn a_code_that_another_client_presents_is_refused_burnt_and_noted() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let code = browser.code(SHOP, &[]);
    let answer = gateway.exchange(SCOPED, &code, &[("redirect_uri", SHOP.redirect_uri)]);
    assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"));
    assert_eq!(gateway.exchange(SHOP, &code, &[]).error(), "invalid_grant");
    until("it is noted", || gateway.log().contains("code_of_another_client").then_some(()));
}

/// T12
#[test]
fn the_redirect_uri_of_the_token_request_is_the_one_that_the_code_was_sent_to() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let other = SHOP.other_redirect_uri();
    for uri in [other.as_str(), "https://evil.example/cb", ""] {
        let code = browser.code(SHOP, &[]);
        let answer = gateway.exchange(SHOP, &code, &[("redirect_uri", uri)]);
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"), "{uri}");
        assert_eq!(gateway.exchange(SHOP, &code, &[]).error(), "invalid_grant", "the code is burnt");
    }
    let code = browser.code(SHOP, &[("redirect_uri", &other)]);
    Tokens::of(&gateway.exchange(SHOP, &code, &[("redirect_uri", &other)]));
}

/// T15
#[test]
fn a_verifier_that_is_missing_wrong_or_malformed_burns_the_code() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let (short, long) = ("a".repeat(42), "a".repeat(129));
    let wrong = VERIFIER.replace("dBj", "dBk");
    let illegal = format!("{VERIFIER}+");
    for (verifier, error) in [
        ("", "invalid_grant"),
        (wrong.as_str(), "invalid_grant"),
        (CHALLENGE, "invalid_grant"),
        (short.as_str(), "invalid_request"),
        (long.as_str(), "invalid_request"),
        (illegal.as_str(), "invalid_request"),
    ] {
        for client in [APP, TRUSTED] {
            let code = browser.code(client, &[]);
            let answer = gateway.exchange(client, &code, &[("code_verifier", verifier)]);
            assert_eq!((answer.status, answer.error().as_str()), (400, error), "{verifier}");
            assert_eq!(gateway.exchange(client, &code, &[]).error(), "invalid_grant", "the code is burnt");
        }
    }
}

/// T16
#[test]
fn a_verifier_without_a_challenge_is_a_downgrade_and_refused() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let code = browser.code(SHOP, &without);
    assert_eq!(gateway.exchange(SHOP, &code, &[]).error(), "invalid_grant");
    let code = browser.code(SHOP, &without);
    Tokens::of(&gateway.exchange(SHOP, &code, &[("code_verifier", "")]));
}

/// T09, T11
#[test]
fn other_tokens_changed_codes_and_junk_are_no_codes() {
    let gateway = TestGateway::start();
    let mut browser = Browser::of(&gateway, ALICE);
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let code = browser.code(SHOP, &[]);
    let changed = format!("{}A", &code[..code.len() - 1]);
    let changed = if changed == code { format!("{}B", &code[..code.len() - 1]) } else { changed };
    for junk in [changed.as_str(), tokens.access.as_str(), tokens.refresh.as_str(), "junk", "emp_ac_", "%00", "ä"] {
        let answer = gateway.exchange(SHOP, junk, &[]);
        assert_eq!((answer.status, answer.error().as_str()), (400, "invalid_grant"), "{junk}");
    }
    Tokens::of(&gateway.exchange(SHOP, &code, &[]));
}
