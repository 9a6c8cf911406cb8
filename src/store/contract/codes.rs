//! Codes, and the tombstones that they leave.

use std::time::Duration;

use super::{DAY, HOUR, Tested, all, code, feed, grant, hash, is_active, later, start};
use crate::{
    oauth::GrantId,
    store::{NewGrant, TakenCode},
};

pub async fn a_code_is_taken_as_it_was_put(store: Tested) {
    store.put_code(hash("code"), code("g")).await.expect("put");
    let taken = store.take_code(hash("code"), start()).await.expect("taken");
    assert_eq!(taken, TakenCode::Taken(Box::new(code("g"))));
}

pub async fn an_unknown_and_an_expired_code_are_absent(store: Tested) {
    store.put_code(hash("code"), code("g")).await.expect("put");
    assert_eq!(store.take_code(hash("other"), start()).await.expect("an answer"), TakenCode::Absent);
    let end = code("g").expires_at;
    assert_eq!(store.take_code(hash("code"), end).await.expect("an answer"), TakenCode::Absent);
}

pub async fn of_200_takers_of_a_code_one_gets_it(store: Tested) {
    store.put_code(hash("code"), code("g")).await.expect("put");
    let takers = (0..200).map(|_| {
        let store = store.clone();
        async move { store.take_code(hash("code"), start()).await.expect("an answer") }
    });
    let outcomes = all(takers).await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, TakenCode::Taken(_))).count(), 1);
    let replayed = TakenCode::Replayed(GrantId::new("g"));
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == replayed).count(), 199);
}

async fn taken_and_issued(store: &Tested) -> NewGrant {
    store.put_code(hash("code"), code("g")).await.expect("put");
    store.take_code(hash("code"), start()).await.expect("taken");
    let new = NewGrant { from_code: Some(hash("code")), ..grant("g") };
    store.issue_grant(new.clone()).await.expect("issued");
    new
}

pub async fn a_replayed_code_ends_its_grant(store: Tested) {
    taken_and_issued(&store).await;
    assert!(is_active(&store, "g access", start()).await);
    let replayed = store.take_code(hash("code"), start()).await.expect("an answer");
    assert_eq!(replayed, TakenCode::Replayed(GrantId::new("g")));
    assert!(!is_active(&store, "g access", start()).await);
    // Once more changes nothing.
    assert_eq!(store.take_code(hash("code"), start()).await.expect("an answer"), replayed);
    assert_eq!(feed(&store).await, [GrantId::new("g")]);
}

pub async fn a_grant_issued_after_the_replay_of_its_code_is_ended(store: Tested) {
    store.put_code(hash("code"), code("g")).await.expect("put");
    store.take_code(hash("code"), start()).await.expect("taken");
    store.take_code(hash("code"), start()).await.expect("replayed");
    store.issue_grant(NewGrant { from_code: Some(hash("code")), ..grant("g") }).await.expect("issued");
    assert!(!is_active(&store, "g access", start()).await);
    assert_eq!(feed(&store).await, [GrantId::new("g")]);
}

pub async fn a_grant_from_a_code_that_nobody_knows_is_ended(store: Tested) {
    store.issue_grant(NewGrant { from_code: Some(hash("code")), ..grant("g") }).await.expect("issued");
    assert!(!is_active(&store, "g access", start()).await);
}

pub async fn a_tombstone_outlives_the_code_while_its_grant_lives(store: Tested) {
    let replayed = TakenCode::Replayed(GrantId::new("g"));
    store.put_code(hash("unissued"), code("g")).await.expect("put");
    let taken_at = later(Duration::from_secs(599));
    store.take_code(hash("unissued"), taken_at).await.expect("taken");
    taken_and_issued(&store).await;
    // At least ten minutes from its use, and as long as the refresh token of its grant.
    for now in [taken_at.plus(Duration::from_secs(599)), later(DAY).minus(HOUR)] {
        store.purge(now, 100).await.expect("purged");
        store.purge(now, 100).await.expect("purged");
        if now < later(HOUR) {
            assert_eq!(store.take_code(hash("unissued"), now).await.expect("an answer"), replayed);
            store.issue_grant(grant("other")).await.expect("issued");
        }
    }
    assert_eq!(store.take_code(hash("code"), later(DAY).minus(HOUR)).await.expect("an answer"), replayed);
}

pub async fn tombstones_that_stay_do_not_end_a_round_of_purging(store: Tested) {
    for id in ["one", "two", "three"] {
        store.put_code(hash(id), code(id)).await.expect("put");
        store.take_code(hash(id), start()).await.expect("taken");
        let new = NewGrant { from_code: Some(hash(id)), ..grant(id) };
        store.issue_grant(new).await.expect("issued");
    }
    // Before anything else of them ends.
    let now = start().plus(Duration::from_secs(600));
    let mut rounds = Vec::new();
    for _ in 0..3 {
        rounds.push(store.purge(now, 2).await.expect("purged"));
    }
    assert_eq!(rounds, [2, 1, 0]);
}
