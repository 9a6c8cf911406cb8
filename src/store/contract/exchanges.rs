//! Grants that were made from others by token exchange, and end with them.

use super::{
    DAY, GRACE, HOUR, Tested, can_refresh, code, feed, grant, hash, is_active, issued, later, rotate, start, step,
};
use crate::{
    oauth::{Actor, ClientId, GrantId, UserName},
    store::{ClientSession, NativeRow, NativeState, NewGrant, RefreshOutcome, TakenCode},
};

/// Issues a grant of the client `backend` that is made from another one.
async fn made(store: &Tested, id: &str, from: &str) -> NewGrant {
    let mut new = NewGrant { refresh: None, made_from: Some(GrantId::new(from)), ..grant(id) };
    new.grant.client = ClientId::new("backend");
    new.grant.act = Actor::after(new.grant.act.as_ref(), new.grant.client.clone());
    store.issue_grant(new.clone()).await.expect("issued");
    new
}

/// Issues a grant with a line of others made from it.
async fn with_line(store: &Tested, id: &str) {
    issued(store, id).await;
    made(store, &format!("{id} 1"), id).await;
    made(store, &format!("{id} 2"), &format!("{id} 1")).await;
}

fn line(id: &str) -> Vec<GrantId> {
    vec![GrantId::new(id), GrantId::new(format!("{id} 1")), GrantId::new(format!("{id} 2"))]
}

async fn has_ended(store: &Tested, id: &str) {
    for grant in line(id) {
        assert!(!is_active(store, &format!("{grant} access"), start()).await, "{grant}");
    }
}

fn sorted(mut grants: Vec<GrantId>) -> Vec<GrantId> {
    grants.sort();
    grants
}

pub async fn a_grant_ends_with_the_one_that_it_was_made_from(store: Tested) {
    with_line(&store, "a").await;
    let beside = made(&store, "a beside", "a").await;
    with_line(&store, "b").await;
    let facts = store.access_token(hash("a beside access"), start()).await.expect("an answer").expect("active");
    assert_eq!(facts.grant, beside.grant);
    let of = async |id: &str| store.grants_made_from(&GrantId::new(id)).await.expect("an answer");
    assert_eq!(sorted(of("a").await), ["a 1", "a 2", "a beside"].map(GrantId::new));
    assert_eq!(of("a 1").await, [GrantId::new("a 2")]);
    assert_eq!(of("a 2").await, []);
    assert!(store.revoke_grant(&GrantId::new("b 1"), start()).await.expect("revoked"));
    for (id, lives) in [("b", true), ("b 1", false), ("b 2", false)] {
        assert_eq!(is_active(&store, &format!("{id} access"), start()).await, lives, "{id}");
    }
    assert!(store.revoke_grant(&GrantId::new("a"), start()).await.expect("revoked"));
    has_ended(&store, "a").await;
    assert!(!is_active(&store, "a beside access", start()).await);
    assert!(is_active(&store, "b access", start()).await);
    let ended = ["a", "a 1", "a 2", "a beside", "b 1", "b 2"].map(GrantId::new);
    assert_eq!(sorted(feed(&store).await), ended, "each is told, and once");
    assert_eq!(of("a").await.len(), 3, "those that have ended, too");
}

pub async fn a_grant_made_from_one_that_has_ended_is_ended(store: Tested) {
    issued(&store, "a").await;
    store.revoke_grant(&GrantId::new("a"), start()).await.expect("revoked");
    made(&store, "late", "a").await;
    made(&store, "of nothing", "unknown").await;
    for id in ["late", "of nothing"] {
        assert!(!is_active(&store, &format!("{id} access"), start()).await, "{id}");
    }
}

pub async fn grants_of_others_end_with_those_that_they_were_made_from_whatever_ends_these(store: Tested) {
    let (alice, client) = (UserName::new("alice"), ClientId::new("client"));
    with_line(&store, "a").await;
    assert_eq!(sorted(store.revoke_client(&client, start()).await.expect("revoked")), line("a"));
    has_ended(&store, "a").await;
    with_line(&store, "b").await;
    assert_eq!(sorted(store.end_connection(&alice, &client, start()).await.expect("ended")), line("b"));
    has_ended(&store, "b").await;
    with_line(&store, "c").await;
    assert_eq!(sorted(store.revoke_user(&alice, start()).await.expect("revoked")), line("c"));
    has_ended(&store, "c").await;
    let session = ClientSession { client, claim: "sid".to_owned(), user: Some(super::user("alice")) };
    store.session_claim(hash("login"), session, later(DAY)).await.expect("a claim");
    with_line(&store, "d").await;
    let ended = store.end_login(super::end("login", &["client"], &[])).await.expect("ended");
    assert_eq!(sorted(ended), line("d"));
    has_ended(&store, "d").await;
    let told = ["a", "b", "c", "d"].into_iter().flat_map(line).collect();
    assert_eq!(sorted(feed(&store).await), sorted(told));
}

pub async fn a_reuse_ends_what_was_made_from_the_grant(store: Tested) {
    with_line(&store, "a").await;
    store.rotate_refresh(step("a refresh", rotate("a next"), start())).await.expect("an answer");
    let late = step("a refresh", rotate("a next"), later(GRACE * 2));
    let outcome = store.rotate_refresh(late).await.expect("an answer");
    assert_eq!(outcome, RefreshOutcome::Reused(GrantId::new("a")));
    has_ended(&store, "a").await;

    store.put_code(hash("code"), code("b")).await.expect("put");
    store.take_code(hash("code"), start()).await.expect("taken");
    store.issue_grant(NewGrant { from_code: Some(hash("code")), ..grant("b") }).await.expect("issued");
    made(&store, "b 1", "b").await;
    made(&store, "b 2", "b 1").await;
    assert!(is_active(&store, "b 2 access", start()).await);
    let replayed = store.take_code(hash("code"), start()).await.expect("an answer");
    assert_eq!(replayed, TakenCode::Replayed(GrantId::new("b")));
    has_ended(&store, "b").await;

    let row = |state| NativeRow {
        access: hash("native access"),
        refresh: Some(hash("native refresh")),
        grant: grant("c").grant,
        expires_at: later(HOUR),
        refresh_expires_at: later(DAY),
        edition: "1".to_owned(),
        state,
    };
    store.import_natives(vec![row(NativeState::Active)], start()).await.expect("imported");
    made(&store, "c 1", "c").await;
    made(&store, "c 2", "c 1").await;
    let imported = store.import_natives(vec![row(NativeState::Revoked)], start()).await.expect("imported");
    assert_eq!(sorted(imported.ended), line("c"));
    has_ended(&store, "c").await;
    assert!(!can_refresh(&store, "native refresh", start()).await);
    assert_eq!(sorted(feed(&store).await), sorted(["a", "b", "c"].into_iter().flat_map(line).collect()));
}
