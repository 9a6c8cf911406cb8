//! What a user has allowed clients, and the end of it.

use super::{DAY, HOUR, Tested, feed, grant, hash, is_active, later, scopes, start, user};
use crate::{
    oauth::{ClientId, GrantId},
    store::{Connection, Consent},
};

async fn granted(store: &Tested, id: &str, client: &str, scope: &str) {
    let mut new = grant(id);
    (new.grant.client, new.grant.scopes) = (ClientId::new(client), scopes(scope));
    store.issue_grant(new).await.expect("issued");
}

async fn consented(store: &Tested, client: &str) {
    let consent = Consent {
        client: ClientId::new(client),
        user: user("alice"),
        redirect_uri: "https://client.example/back".to_owned(),
        scopes: scopes("openid"),
        agent: false,
        given_at: start(),
        expires_at: later(DAY),
    };
    store.put_consent(consent).await.expect("put");
}

pub async fn a_user_sees_what_clients_may_do(store: Tested) {
    let alice = user("alice");
    granted(&store, "a", "shop", "openid").await;
    granted(&store, "b", "shop", "openid").await;
    granted(&store, "c", "shop", "all openid").await;
    granted(&store, "d", "ended", "openid").await;
    consented(&store, "app").await;
    store.revoke_grant(&GrantId::new("d"), start()).await.expect("revoked");
    store.note_uses(vec![(GrantId::new("b"), later(HOUR)), (GrantId::new("d"), later(HOUR))]).await.expect("noted");
    let facts = store.access_token(hash("b access"), start()).await.expect("an answer").expect("active");
    assert_eq!(facts.last_used, Some(later(HOUR)));
    let row = |client: &str, scope: &str, last_used, acts| Connection {
        client: ClientId::new(client),
        scopes: scopes(scope),
        since: start(),
        last_used,
        acts,
    };
    let mut known = store.connections(&alice, start()).await.expect("an answer");
    known.sort_by_key(|connection| (connection.client.clone(), connection.scopes.to_string()));
    let expected = [
        row("app", "openid", None, false),
        row("shop", "all openid", None, true),
        row("shop", "openid", Some(later(HOUR)), true),
    ];
    assert_eq!(known, expected);
    assert_eq!(store.connections(&user("bob"), start()).await.expect("an answer"), []);
    let other = crate::store::GrantUser { sub: user("bob").sub, ..alice.clone() };
    assert_eq!(store.connections(&other, start()).await.expect("an answer"), [], "somebody else under the name");
    assert_eq!(store.connections(&alice, later(DAY * 400)).await.expect("an answer"), []);
}

pub async fn a_user_ends_what_one_client_may_do(store: Tested) {
    let alice = user("alice");
    granted(&store, "a", "shop", "openid").await;
    granted(&store, "b", "app", "openid").await;
    consented(&store, "shop").await;
    consented(&store, "app").await;
    let ended = store.end_connection(&alice.name, &ClientId::new("shop"), start()).await.expect("ended");
    assert_eq!(ended, [GrantId::new("a")]);
    assert_eq!(feed(&store).await, [GrantId::new("a")]);
    assert!(!is_active(&store, "a access", start()).await && is_active(&store, "b access", start()).await);
    let left = store.connections(&alice, start()).await.expect("an answer");
    assert!(left.iter().all(|connection| connection.client.as_str() == "app") && !left.is_empty(), "{left:?}");
    let nobody = store.end_connection(&user("bob").name, &ClientId::new("app"), start()).await.expect("an answer");
    assert_eq!(nobody, []);
}
