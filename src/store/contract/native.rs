use super::*;
use crate::store::{KeptClient, NativeCount, NativeRow, NativeState};

fn native(name: &str) -> NativeRow {
    let NewGrant { grant, .. } = grant(&format!("native-{name}"));
    NativeRow {
        access: hash(&format!("{name} access")),
        refresh: Some(hash(&format!("{name} refresh"))),
        grant,
        expires_at: later(HOUR),
        refresh_expires_at: later(DAY * 365),
        edition: "1".to_owned(),
        state: NativeState::Active,
    }
}

async fn import(store: &Tested, row: NativeRow) -> crate::store::NativeImport {
    store.import_natives(vec![row], start()).await.expect("imported")
}

pub async fn a_native_row_is_a_grant_like_any_other(store: Tested) {
    let imported = import(&store, native("a")).await;
    assert_eq!((imported.added, imported.ended.len(), imported.spent.len()), (1, 0, 0));
    assert_eq!(import(&store, native("a")).await.added, 0, "the same row again");
    let facts = store.access_token(hash("a access"), start()).await.expect("an answer").expect("known");
    assert_eq!((facts.grant.id.as_str(), facts.expires_at), ("native-a", later(HOUR)));
    assert!(!is_active(&store, "a access", later(HOUR)).await);
    assert!(can_refresh(&store, "a refresh", later(DAY * 300)).await);
    assert_eq!(store.native_tokens().await.expect("an answer"), [hash("a access")]);
    assert!(store.revoke_grant(&GrantId::new("native-a"), start()).await.expect("revoked"));
    assert!(!is_active(&store, "a access", start()).await && !can_refresh(&store, "a refresh", start()).await);
}

pub async fn a_native_row_that_ended_here_does_not_come_back_and_is_spent(store: Tested) {
    import(&store, native("a")).await;
    store.revoke_user(&UserName::new("alice"), start()).await.expect("revoked");
    let again = import(&store, NativeRow { edition: "2".to_owned(), ..native("a") }).await;
    assert_eq!((again.added, again.spent), (0, vec![hash("a access")]));
    assert!(!is_active(&store, "a access", start()).await);
    // Also when the grant is long purged.
    store.purge(later(DAY * 400), 100).await.expect("purged");
    for (token, known) in [("a access", true), ("a refresh", true), ("b access", false)] {
        assert_eq!(store.native_is_known(hash(token)).await.expect("an answer"), known, "{token}");
    }
    assert_eq!(import(&store, native("a")).await.added, 0);
    assert!(!is_active(&store, "a access", start()).await);
}

pub async fn a_native_row_that_is_revoked_upstream_ends_its_grant(store: Tested) {
    import(&store, native("a")).await;
    let revoked = NativeRow { state: NativeState::Revoked, edition: "2".to_owned(), ..native("a") };
    let imported = import(&store, revoked.clone()).await;
    assert_eq!((imported.ended, imported.spent.len()), (vec![GrantId::new("native-a")], 0));
    assert_eq!(feed(&store).await, [GrantId::new("native-a")]);
    assert!(!can_refresh(&store, "a refresh", start()).await);
    assert!(import(&store, revoked).await.ended.is_empty(), "once");
    let unknown = NativeRow { state: NativeState::Revoked, ..native("b") };
    assert_eq!(import(&store, unknown).await.added, 0);
}

pub async fn a_native_row_that_changes_upstream_changes_here(store: Tested) {
    import(&store, native("a")).await;
    let changed = NativeRow { edition: "2".to_owned(), expires_at: later(HOUR * 3), ..native("a") };
    assert_eq!(import(&store, changed).await.ended, [GrantId::new("native-a")], "what is in memory is looked up anew");
    assert!(is_active(&store, "a access", later(HOUR * 2)).await);
}

pub async fn a_native_refresh_token_is_adopted_once_by_many_at_once(store: Tested) {
    import(&store, native("a")).await;
    assert!(store.living_grants(start()).await.expect("an answer").is_empty(), "before its first refresh");
    let refreshes = (0..10).map(|number| {
        let (store, added) = (store.clone(), RefreshSuccession::Add { added: hash(&format!("ours {number}")) });
        let mut step = step("a refresh", added, later(HOUR));
        step.access.hash = hash(&format!("ours access {number}"));
        async move { store.rotate_refresh(step).await.expect("an answer") }
    });
    let outcomes = all(refreshes).await;
    assert!(outcomes.iter().all(|outcome| *outcome == super::super::RefreshOutcome::Refreshed), "{outcomes:?}");
    for number in 0..10 {
        let facts = store.refresh_token(hash(&format!("ours {number}")), later(HOUR)).await.expect("an answer");
        assert_eq!(facts.expect("known").grant.id.as_str(), "native-a");
    }
    assert_eq!(store.living_grants(later(HOUR)).await.expect("an answer"), [(ClientId::new("client"), 1)]);
    let facts = store.refresh_token(hash("a refresh"), later(HOUR)).await.expect("an answer").expect("still known");
    assert!(facts.is_adopted());
    // Its own access token has expired: ERPNext's row has done its work, and the grant goes on without it.
    let row = NativeRow { expires_at: later(HOUR), ..native("a") };
    let imported = store.import_natives(vec![row], later(HOUR * 2)).await.expect("imported");
    assert_eq!(imported.spent, [hash("a access")]);
    store.forget_natives(vec![hash("a access")], later(HOUR * 2)).await.expect("forgotten");
    assert!(
        can_refresh(&store, "a refresh", later(HOUR * 2)).await && can_refresh(&store, "ours 1", later(HOUR * 2)).await
    );
}

pub async fn a_native_row_that_vanishes_upstream_ends_its_grant(store: Tested) {
    import(&store, native("a")).await;
    import(&store, native("b")).await;
    let ended = store.forget_natives(vec![hash("a access"), hash("x access")], start()).await.expect("forgotten");
    assert_eq!(ended, [GrantId::new("native-a")]);
    assert!(!is_active(&store, "a access", start()).await && !can_refresh(&store, "a refresh", start()).await);
    assert!(is_active(&store, "b access", start()).await);
    assert_eq!(store.native_tokens().await.expect("an answer"), [hash("b access")]);
    // It comes back, as from a backup: what has ended stays ended, and the row is to go.
    assert!(import(&store, native("a")).await.spent.is_empty());
    assert!(!is_active(&store, "a access", start()).await && !can_refresh(&store, "a refresh", start()).await);
    assert_eq!(import(&store, native("a")).await.spent, [hash("a access")]);
}

pub async fn native_rows_without_use_to_anybody_are_only_remembered(store: Tested) {
    let dead = NativeRow { refresh: None, expires_at: start(), ..native("a") };
    import(&store, dead).await;
    assert!(store.native_counts(start(), start()).await.expect("an answer").is_empty());
    // Two rows with one refresh token: the first one has it.
    import(&store, native("b")).await;
    let same = NativeRow { refresh: Some(hash("b refresh")), ..native("c") };
    import(&store, same).await;
    assert!(is_active(&store, "c access", start()).await);
    let facts = store.refresh_token(hash("b refresh"), start()).await.expect("an answer").expect("known");
    assert_eq!(facts.grant.id.as_str(), "native-b");
}

pub async fn native_tokens_are_counted_by_client_and_use(store: Tested) {
    for name in ["a", "b", "c"] {
        import(&store, native(name)).await;
    }
    let uses = vec![(hash("a access"), later(HOUR)), (hash("b refresh"), later(HOUR * 2)), (hash("x"), later(HOUR))];
    store.note_native_uses(uses).await.expect("noted");
    store.note_native_uses(vec![(hash("b refresh"), start())]).await.expect("noted");
    let counts = async |since, now| store.native_counts(since, now).await.expect("an answer");
    let all = NativeCount {
        client: ClientId::new("client"),
        access: 3,
        refresh: 3,
        used: 2,
        last_used: Some(later(HOUR * 2)),
    };
    assert_eq!(counts(start(), start()).await, std::slice::from_ref(&all));
    let later = NativeCount { access: 0, used: 1, ..all };
    assert_eq!(counts(super::later(HOUR * 2), super::later(HOUR)).await, [later]);
    store.revoke_client(&ClientId::new("client"), start()).await.expect("revoked");
    assert!(counts(start(), start()).await.is_empty());
}

pub async fn the_cursor_of_native_rows_is_kept(store: Tested) {
    assert_eq!(store.native_cursor().await.expect("an answer"), None);
    for cursor in ["", "2026-11-24 01:30:00.000000"] {
        store.put_native_cursor(cursor.to_owned()).await.expect("kept");
        assert_eq!(store.native_cursor().await.expect("an answer").as_deref(), Some(cursor));
    }
}

pub async fn the_list_of_upstream_clients_is_replaced_whole(store: Tested) {
    let client =
        |id: &str, document: &str| KeptClient { id: ClientId::new(id), document: crate::secret::Secret::new(document) };
    assert!(store.upstream_clients().await.expect("an answer").is_empty());
    let first = vec![client("a", "{\"secret\":1}"), client("b", "{}")];
    store.put_upstream_clients(first.clone()).await.expect("kept");
    assert_eq!(store.upstream_clients().await.expect("an answer"), first);
    store.put_upstream_clients(vec![client("b", "{}")]).await.expect("kept");
    assert_eq!(store.upstream_clients().await.expect("an answer"), [client("b", "{}")]);
}
