//! Refreshes: rotation with grace and reuse, tokens that stay, tokens that are added.

use std::time::Duration;

use super::{DAY, GRACE, HOUR, Tested, all, can_refresh, feed, hash, is_active, issued, later, rotate, start, step};
use crate::{
    clock::UnixTime,
    oauth::GrantId,
    store::{RefreshOutcome, RefreshStep, RefreshSuccession, RefreshTokenFacts},
};

const SECOND: Duration = Duration::from_secs(1);

async fn refreshed(store: &Tested, step: RefreshStep) -> RefreshOutcome {
    store.rotate_refresh(step).await.expect("an answer")
}

async fn facts(store: &Tested, token: &str, now: UnixTime) -> RefreshTokenFacts {
    store.refresh_token(hash(token), now).await.expect("an answer").expect("known")
}

fn reused() -> RefreshOutcome {
    RefreshOutcome::Reused(GrantId::new("g"))
}

async fn assert_ended(store: &Tested, refresh: &[&str], now: UnixTime) {
    for token in refresh {
        assert!(!can_refresh(store, token, now).await, "{token}");
    }
    assert!(!is_active(store, "g access", now).await);
    assert_eq!(feed(store).await, [GrantId::new("g")]);
}

pub async fn a_rotated_token_gives_its_successor_within_the_grace(store: Tested) {
    issued(&store, "g").await;
    let (first, retry) = (later(SECOND), later(GRACE));
    assert_eq!(refreshed(&store, step("g refresh", rotate("second"), first)).await, RefreshOutcome::Refreshed);
    assert!(is_active(&store, &format!("g refresh access at {first}"), first).await);
    let replaced = facts(&store, "g refresh", first).await;
    assert_eq!((replaced.rotated_at, replaced.newest, replaced.expires_at), (Some(first), false, later(DAY)));
    assert_eq!(refreshed(&store, step("g refresh", rotate("second"), retry)).await, RefreshOutcome::Graced);
    assert!(is_active(&store, &format!("g refresh access at {retry}"), retry).await);
    let successor = facts(&store, "second", retry).await;
    assert_eq!((successor.generation, successor.issued_at, successor.newest), (1, first, true));
    assert_eq!(successor.expires_at, retry.plus(DAY), "the end slides with each use");
    assert_eq!(refreshed(&store, step("second", rotate("third"), retry)).await, RefreshOutcome::Refreshed);
    assert_eq!(facts(&store, "third", retry).await.generation, 2);
}

pub async fn a_rotated_token_ends_the_grant_after_the_grace(store: Tested) {
    issued(&store, "g").await;
    refreshed(&store, step("g refresh", rotate("second"), start())).await;
    let late = later(GRACE);
    assert_eq!(refreshed(&store, step("g refresh", rotate("second"), late)).await, reused());
    assert!(!is_active(&store, &format!("g refresh access at {late}"), late).await);
    assert_ended(&store, &["g refresh", "second"], late).await;
    assert_eq!(refreshed(&store, step("second", rotate("third"), late)).await, RefreshOutcome::Absent);
}

pub async fn a_retry_after_the_successor_was_used_ends_the_grant(store: Tested) {
    issued(&store, "g").await;
    refreshed(&store, step("g refresh", rotate("second"), start())).await;
    refreshed(&store, step("second", rotate("third"), start())).await;
    assert_eq!(refreshed(&store, step("g refresh", rotate("second"), later(SECOND))).await, reused());
    assert_ended(&store, &["g refresh", "second", "third"], later(SECOND)).await;
}

pub async fn a_retry_after_the_successor_was_kept_ends_the_grant(store: Tested) {
    issued(&store, "g").await;
    refreshed(&store, step("g refresh", rotate("second"), start())).await;
    assert_eq!(refreshed(&store, step("second", RefreshSuccession::Keep, start())).await, RefreshOutcome::Refreshed);
    assert_eq!(refreshed(&store, step("g refresh", rotate("second"), later(SECOND))).await, reused());
    assert_ended(&store, &["g refresh", "second"], later(SECOND)).await;
}

pub async fn a_retry_with_another_successor_ends_the_grant(store: Tested) {
    issued(&store, "g").await;
    issued(&store, "other").await;
    refreshed(&store, step("g refresh", rotate("second"), start())).await;
    let stolen = step("g refresh", rotate("other refresh"), later(SECOND));
    assert_eq!(refreshed(&store, stolen).await, reused());
    assert_ended(&store, &["g refresh", "second"], later(SECOND)).await;
    assert!(can_refresh(&store, "other refresh", later(SECOND)).await);
}

pub async fn a_rotated_token_is_reused_when_its_client_rotates_no_more(store: Tested) {
    for (id, succession) in
        [("keeps", RefreshSuccession::Keep), ("adds", RefreshSuccession::Add { added: hash("new") })]
    {
        issued(&store, id).await;
        let presented = format!("{id} refresh");
        refreshed(&store, step(&presented, rotate(&format!("{id} second")), start())).await;
        let again = refreshed(&store, step(&presented, succession, later(SECOND))).await;
        assert_eq!(again, RefreshOutcome::Reused(GrantId::new(id)));
    }
}

pub async fn of_20_refreshes_with_one_token_one_rotates_it(store: Tested) {
    issued(&store, "g").await;
    let refreshes = (0..20).map(|number| {
        let store = store.clone();
        let mut step = step("g refresh", rotate("second"), start());
        step.access.hash = hash(&format!("access {number}"));
        async move { store.rotate_refresh(step).await.expect("an answer") }
    });
    let outcomes = all(refreshes).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == RefreshOutcome::Refreshed).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == RefreshOutcome::Graced).count(), 19);
    for number in 0..20 {
        assert!(is_active(&store, &format!("access {number}"), start()).await, "{number}");
    }
    assert_eq!(facts(&store, "second", start()).await.generation, 1);
}

pub async fn a_kept_token_stays_and_its_end_moves(store: Tested) {
    issued(&store, "g").await;
    let mut now = start();
    for _ in 0..3 {
        now = now.plus(DAY).minus(HOUR);
        assert_eq!(refreshed(&store, step("g refresh", RefreshSuccession::Keep, now)).await, RefreshOutcome::Refreshed);
        assert!(is_active(&store, &format!("g refresh access at {now}"), now).await);
        let kept = facts(&store, "g refresh", now).await;
        assert_eq!((kept.expires_at, kept.generation, kept.newest, kept.rotated_at), (now.plus(DAY), 0, true, None));
        store.purge(now, 100).await.expect("purged");
    }
}

pub async fn an_added_token_leaves_the_earlier_ones_valid(store: Tested) {
    issued(&store, "g").await;
    let add = |name| RefreshSuccession::Add { added: hash(name) };
    let now = later(HOUR);
    assert_eq!(refreshed(&store, step("g refresh", add("second"), now)).await, RefreshOutcome::Refreshed);
    assert_eq!(refreshed(&store, step("second", add("third"), now)).await, RefreshOutcome::Refreshed);
    assert_eq!(refreshed(&store, step("g refresh", add("fourth"), now.plus(SECOND))).await, RefreshOutcome::Refreshed);
    for (token, generation, newest) in
        [("g refresh", 0, false), ("second", 1, false), ("third", 2, false), ("fourth", 1, true)]
    {
        let facts = facts(&store, token, now).await;
        assert_eq!((facts.generation, facts.newest, facts.rotated_at), (generation, newest, None), "{token}");
    }
    // Who goes on presenting the first one is not cut off when its first end comes.
    assert!(can_refresh(&store, "g refresh", later(DAY)).await);
    assert!(feed(&store).await.is_empty());
}

pub async fn a_refresh_with_an_unknown_an_expired_or_an_ended_token_is_absent(store: Tested) {
    issued(&store, "g").await;
    issued(&store, "ended").await;
    store.revoke_grant(&GrantId::new("ended"), start()).await.expect("revoked");
    for (token, now) in
        [("unknown", start()), ("g refresh", later(DAY)), ("ended refresh", start()), ("g access", start())]
    {
        for succession in [rotate("next"), RefreshSuccession::Keep, RefreshSuccession::Add { added: hash("next") }] {
            assert_eq!(refreshed(&store, step(token, succession, now)).await, RefreshOutcome::Absent, "{token}");
        }
        assert!(!is_active(&store, &format!("{token} access at {now}"), now).await);
    }
    assert!(!can_refresh(&store, "next", start()).await);
}
