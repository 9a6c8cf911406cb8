//! Ending grants, and the feed that tells of it.

use std::time::Duration;

use super::{DAY, Tested, can_refresh, code, feed, grant, hash, is_active, issued, later, scopes, start, user};
use crate::{
    oauth::{ClientId, GrantId, UserName},
    secret::Secret,
    store::{Consent, NewGrant, RevocationSeq, ShadowToken, TakenCode},
};

pub async fn a_revoked_grant_answers_for_no_token(store: Tested) {
    issued(&store, "g").await;
    issued(&store, "other").await;
    assert!(store.revoke_grant(&GrantId::new("g"), start()).await.expect("revoked"));
    assert!(!is_active(&store, "g access", start()).await);
    assert!(!can_refresh(&store, "g refresh", start()).await);
    assert!(is_active(&store, "other access", start()).await);
    assert_eq!(store.grant(&GrantId::new("g")).await.expect("an answer"), None);
    assert!(store.grant(&GrantId::new("other")).await.expect("an answer").is_some());
    assert!(!store.revoke_grant(&GrantId::new("g"), start()).await.expect("an answer"), "it had ended before");
    assert!(!store.revoke_grant(&GrantId::new("unknown"), start()).await.expect("an answer"));
}

fn grant_of(id: &str, client: &str, name: &str) -> NewGrant {
    let mut new = grant(id);
    new.grant.client = ClientId::new(client);
    new.grant.user = user(name);
    new
}

fn consent_of(client: &str, name: &str) -> Consent {
    Consent {
        client: ClientId::new(client),
        user: user(name),
        redirect_uri: "https://client.example/back".to_owned(),
        scopes: scopes("all"),
        agent: false,
        given_at: start(),
        expires_at: later(DAY),
    }
}

async fn has_consent(store: &Tested, client: &str, name: &str) -> bool {
    let Consent { client, user, redirect_uri, .. } = consent_of(client, name);
    store.consent(&client, &user.name, &user.sub, &redirect_uri, start()).await.expect("an answer").is_some()
}

/// Alice with two clients, bob with one of them: grants, consents, shadow tokens.
async fn two_users(store: &Tested) {
    for (id, client, name) in [("a1", "one", "alice"), ("a2", "two", "alice"), ("b1", "one", "bob")] {
        store.issue_grant(grant_of(id, client, name)).await.expect("issued");
        store.put_consent(consent_of(client, name)).await.expect("put");
        let token = Secret::new(format!("shadow of {name}"));
        let token = ShadowToken { token, sub: user(name).sub, created_at: start(), expires_at: later(DAY) };
        store.put_shadow_token(&user(name).name, token).await.expect("put");
    }
}

fn sorted(mut ids: Vec<GrantId>) -> Vec<String> {
    ids.sort();
    ids.iter().map(ToString::to_string).collect()
}

pub async fn a_revoked_user_loses_everything_and_others_nothing(store: Tested) {
    two_users(&store).await;
    let (alice, bob) = (UserName::new("alice"), UserName::new("bob"));
    assert_eq!(sorted(store.revoke_user(&alice, start()).await.expect("revoked")), ["a1", "a2"]);
    for (token, active) in [("a1 access", false), ("a2 access", false), ("b1 access", true)] {
        assert_eq!(is_active(&store, token, start()).await, active, "{token}");
    }
    assert!(!has_consent(&store, "one", "alice").await && !has_consent(&store, "two", "alice").await);
    assert!(has_consent(&store, "one", "bob").await);
    assert_eq!(store.shadow_token(&alice, start()).await.expect("an answer"), None);
    assert!(store.shadow_token(&bob, start()).await.expect("an answer").is_some());
    assert_eq!(sorted(feed(&store).await), ["a1", "a2"]);
    assert_eq!(store.revoke_user(&alice, start()).await.expect("an answer"), [], "nothing is left");
}

pub async fn a_revoked_client_loses_its_grants_and_consents(store: Tested) {
    two_users(&store).await;
    assert_eq!(sorted(store.revoke_client(&ClientId::new("one"), start()).await.expect("revoked")), ["a1", "b1"]);
    for (token, active) in [("a1 access", false), ("a2 access", true), ("b1 access", false)] {
        assert_eq!(is_active(&store, token, start()).await, active, "{token}");
    }
    assert!(!has_consent(&store, "one", "alice").await && !has_consent(&store, "one", "bob").await);
    assert!(has_consent(&store, "two", "alice").await);
    assert!(store.shadow_token(&UserName::new("alice"), start()).await.expect("an answer").is_some());
    assert_eq!(sorted(feed(&store).await), ["a1", "b1"]);
}

pub async fn an_open_code_is_void_after_its_user_or_client_was_revoked(store: Tested) {
    for name in ["untaken", "taken", "untaken by client", "bystander"] {
        let mut code = code(name);
        code.client = ClientId::new(if name.ends_with("client") { "other" } else { "client" });
        code.user = user(if name == "bystander" || name.ends_with("client") { "bob" } else { "alice" });
        store.put_code(hash(name), code).await.expect("put");
    }
    store.take_code(hash("taken"), start()).await.expect("taken");
    store.revoke_user(&UserName::new("alice"), start()).await.expect("revoked");
    store.revoke_client(&ClientId::new("other"), start()).await.expect("revoked");
    for name in ["untaken", "untaken by client"] {
        assert_eq!(store.take_code(hash(name), start()).await.expect("an answer"), TakenCode::Absent, "{name}");
    }
    store.issue_grant(NewGrant { from_code: Some(hash("taken")), ..grant("taken") }).await.expect("issued");
    assert!(!is_active(&store, "taken access", start()).await);
    assert!(matches!(store.take_code(hash("bystander"), start()).await, Ok(TakenCode::Taken(_))));
}

pub async fn the_feed_tells_each_ended_grant_once_and_in_order(store: Tested) {
    assert_eq!(store.last_revocation().await.expect("the end"), RevocationSeq::default());
    for id in ["a", "b", "c"] {
        issued(&store, id).await;
    }
    for id in ["b", "a", "b"] {
        store.revoke_grant(&GrantId::new(id), start()).await.expect("an answer");
    }
    let first = store.revocations_after(RevocationSeq::default()).await.expect("the feed");
    assert_eq!(feed(&store).await, [GrantId::new("b"), GrantId::new("a")]);
    let seen = store.last_revocation().await.expect("the end");
    assert_eq!(first.last().map(|last| last.seq), Some(seen));
    assert_eq!(store.revocations_after(seen).await.expect("the feed"), []);
    store.revoke_grant(&GrantId::new("c"), later(Duration::from_secs(1))).await.expect("revoked");
    let news = store.revocations_after(seen).await.expect("the feed");
    assert_eq!(news.iter().map(|news| news.grant.as_str()).collect::<Vec<_>>(), ["c"]);
    assert!(news.iter().all(|news| news.seq > seen));
}
