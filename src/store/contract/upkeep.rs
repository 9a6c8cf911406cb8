//! Counts, purging, readiness, and many at once.

use super::{DAY, HOUR, Tested, all, can_refresh, code, feed, grant, hash, is_active, issued, later, start};
use crate::{
    oauth::{Allowance, ClientId, GrantId},
    store::{AllowanceUse, NewGrant, RevocationSeq},
};

pub async fn allowances_add_up(store: Tested) {
    let uses =
        |client: &str, allowance, count, last| AllowanceUse { client: ClientId::new(client), allowance, count, last };
    let first = vec![uses("a", Allowance::NoPkce, 2, later(HOUR)), uses("b", Allowance::NoPkce, 1, start())];
    store.count_allowances(first).await.expect("counted");
    let second = vec![uses("a", Allowance::NoPkce, 3, start()), uses("a", Allowance::Hs256, 1, start())];
    store.count_allowances(second).await.expect("counted");
    store.count_allowances(Vec::new()).await.expect("nothing to count");
    let mut all = store.allowance_uses().await.expect("counts");
    all.sort_by_key(|one| (one.client.clone(), one.allowance));
    let expected = [
        uses("a", Allowance::NoPkce, 5, later(HOUR)),
        uses("a", Allowance::Hs256, 1, start()),
        uses("b", Allowance::NoPkce, 1, start()),
    ];
    assert_eq!(all, expected);
}

pub async fn living_grants_are_counted_by_client(store: Tested) {
    issued(&store, "long").await;
    issued(&store, "ended").await;
    store.issue_grant(NewGrant { refresh: None, ..grant("short") }).await.expect("issued");
    store.revoke_grant(&GrantId::new("ended"), start()).await.expect("revoked");
    let client = grant("long").grant.client;
    assert_eq!(store.living_grants(start()).await.expect("counts"), [(client.clone(), 2)]);
    assert_eq!(store.living_grants(later(HOUR)).await.expect("counts"), [(client, 1)]);
    assert!(store.living_grants(later(DAY)).await.expect("counts").is_empty());
}

pub async fn purging_goes_in_batches_and_spares_what_lives(store: Tested) {
    for number in 0..10 {
        let id = format!("short {number}");
        store.issue_grant(NewGrant { refresh: None, ..grant(&id) }).await.expect("issued");
        store.put_login(hash(&id), start(), later(HOUR)).await.expect("put");
    }
    issued(&store, "long").await;
    store.put_code(hash("code"), code("unborn")).await.expect("put");
    assert_eq!(store.purge(start(), 100).await.expect("purged"), 0, "nothing has expired");
    let mut gone = 0;
    for _ in 0..20 {
        let now = store.purge(later(HOUR), 3).await.expect("purged");
        // At most three each of codes, access tokens, grants, logins.
        assert!(now <= 12, "{now}");
        gone += now;
    }
    assert_eq!(gone, 1 + 11 + 10 + 10, "the code, the access tokens, the short grants, the logins");
    assert!(can_refresh(&store, "long refresh", later(HOUR)).await);
    assert_eq!(store.purge(later(DAY), 100).await.expect("purged"), 2, "the long grant and its refresh token");
}

pub async fn purging_forgets_the_feed_but_not_its_end(store: Tested) {
    issued(&store, "g").await;
    store.revoke_grant(&GrantId::new("g"), start()).await.expect("revoked");
    let end = store.last_revocation().await.expect("the end");
    store.purge(later(HOUR), 100).await.expect("purged");
    assert_eq!(feed(&store).await, [GrantId::new("g")], "it is kept for a day");
    store.purge(later(DAY), 100).await.expect("purged");
    assert_eq!(feed(&store).await, []);
    assert_eq!(store.last_revocation().await.expect("the end"), end);
    issued(&store, "next").await;
    store.revoke_grant(&GrantId::new("next"), start()).await.expect("revoked");
    let news = store.revocations_after(end).await.expect("the feed");
    assert!(matches!(&news[..], [one] if one.seq > end && one.seq > RevocationSeq::default()));
}

pub async fn the_store_is_ready(store: Tested) {
    store.ready().await.expect("ready");
}

pub async fn many_writers_at_once_all_succeed(store: Tested) {
    let writers = (0..64).map(|writer| {
        let store = store.clone();
        async move {
            for number in 0..8 {
                let id = format!("{writer} {number}");
                store.issue_grant(grant(&id)).await.expect("issued");
                assert!(is_active(&store, &format!("{id} access"), start()).await, "seen by who wrote it");
            }
        }
    });
    all(writers).await;
    let ended = store.revoke_client(&ClientId::new("client"), start()).await.expect("revoked");
    assert_eq!(ended.len(), 64 * 8);
}
