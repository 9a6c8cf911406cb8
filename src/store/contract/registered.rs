//! Clients that were registered here.

use super::{DAY, HOUR, Tested, can_refresh, hash, issued, later, scopes, start, user};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId},
    secret::Secret,
    store::{ChangedClient, Consent, RegisteredClient, RemovedClient},
};

fn client(id: &str, registered_at: UnixTime) -> RegisteredClient {
    RegisteredClient {
        id: ClientId::new(id),
        document: Secret::new(format!("document of {id}")),
        registration_token: hash(id),
        registered_at,
        last_used: None,
    }
}

pub async fn a_registered_client_is_kept_changed_and_removed(store: Tested) {
    let (one, two) = (client("client", start()), client("other", start()));
    assert_eq!(store.registered_client(&one.id).await.expect("an answer"), None);
    assert!(store.register_client(one.clone(), 2).await.expect("registered"));
    assert!(store.register_client(two.clone(), 2).await.expect("registered"));
    assert!(!store.register_client(client("third", start()), 2).await.expect("there are two already"));
    assert_eq!(store.registered_clients().await.expect("all"), [one.clone(), two.clone()]);
    let count = store.registrations().await.expect("a count");
    let change = |document: &str, before: Option<&str>| ChangedClient {
        document: Secret::new(document),
        before: before.map(Secret::new),
        is_another: false,
    };
    assert!(store.change_registered_client(&one.id, change("another", None)).await.expect("changed"));
    let nobody = ClientId::new("nobody");
    for before in [None, Some("x")] {
        assert!(!store.change_registered_client(&nobody, change("x", before)).await.expect("an answer"));
    }
    let overtaken = change("x", Some("document of client"));
    assert!(!store.change_registered_client(&one.id, overtaken).await.expect("an answer"), "it was changed meanwhile");
    assert_eq!(store.registrations().await.expect("a count"), count + 1);
    let changed = RegisteredClient { document: Secret::new("another"), ..one.clone() };
    assert_eq!(store.registered_client(&one.id).await.expect("an answer"), Some(changed));
    issued(&store, "g").await;
    let removed = RemovedClient { id: one.id.clone(), ended: vec![GrantId::new("g")] };
    assert_eq!(store.remove_registered_client(&one.id, start()).await.expect("removed"), Some(removed));
    assert_eq!(store.remove_registered_client(&one.id, start()).await.expect("an answer"), None);
    assert!(!can_refresh(&store, "g refresh", start()).await, "its grants have ended");
    assert_eq!(store.registrations().await.expect("a count"), count + 2);
    assert_eq!(store.registered_clients().await.expect("all"), [two]);
}

pub async fn a_client_that_is_another_loses_its_consents_with_the_change(store: Tested) {
    let (one, two) = (client("client", start()), client("other", start()));
    let back = "https://client.example/back";
    for row in [&one, &two] {
        store.register_client(row.clone(), 2).await.expect("registered");
        let consent = Consent {
            client: row.id.clone(),
            user: user("alice"),
            redirect_uri: back.to_owned(),
            scopes: scopes("openid"),
            agent: false,
            given_at: start(),
            expires_at: later(DAY),
        };
        store.put_consent(consent).await.expect("put");
    }
    let alice = user("alice");
    let consents = async |id: &ClientId| {
        store.consent(id, &alice.name, &alice.sub, back, start()).await.expect("an answer").is_some()
    };
    let becomes = async |before: &str, document: &str, is_another| {
        let (document, before) = (Secret::new(document), Some(Secret::new(before)));
        let change = ChangedClient { document, before, is_another };
        store.change_registered_client(&one.id, change).await.expect("an answer")
    };
    assert!(becomes("document of client", "the same", false).await);
    assert!(consents(&one.id).await, "the same client");
    assert!(!becomes("something else", "another", true).await);
    assert!(consents(&one.id).await, "nothing was changed");
    assert!(becomes("the same", "another", true).await);
    assert!(!consents(&one.id).await);
    assert!(consents(&two.id).await, "another client's");
}

pub async fn a_client_that_never_was_used_gives_way_to_a_new_one(store: Tested) {
    for (id, at) in [("used", start()), ("idle", start().plus(HOUR / 4)), ("idle too", start().plus(HOUR / 2))] {
        store.register_client(client(id, at), 3).await.expect("registered");
    }
    store.note_client_uses(vec![(ClientId::new("used"), start())]).await.expect("noted");
    let almost = start().plus(HOUR + HOUR / 4).minus(std::time::Duration::from_millis(1));
    assert!(!store.register_client(client("early", almost), 3).await.expect("an answer"), "all may still begin");
    let count = store.registrations().await.expect("a count");
    assert!(store.register_client(client("new", start().plus(HOUR + HOUR / 4)), 3).await.expect("registered"));
    assert!(store.registrations().await.expect("a count") > count);
    let left: Vec<_> = store.registered_clients().await.expect("all").into_iter().map(|row| row.id).collect();
    assert_eq!(left, ["idle too", "new", "used"].map(ClientId::new));
}

pub async fn registered_clients_that_nobody_uses_are_removed(store: Tested) {
    for (id, at) in [("client", start()), ("new", later(DAY)), ("used", start())] {
        store.register_client(client(id, at), 10).await.expect("registered");
    }
    let used = ClientId::new("used");
    store.note_client_uses(vec![(used.clone(), later(DAY))]).await.expect("noted");
    store.note_client_uses(vec![(used.clone(), start())]).await.expect("an earlier use changes nothing");
    assert_eq!(
        store.registered_client(&used).await.expect("an answer").expect("it is there").last_used,
        Some(later(DAY))
    );
    issued(&store, "g").await;
    let gone = store.remove_unused_clients(later(HOUR), later(DAY), 10).await.expect("removed");
    assert_eq!(gone, [RemovedClient { id: ClientId::new("client"), ended: vec![GrantId::new("g")] }]);
    assert_eq!(store.remove_unused_clients(later(HOUR), later(DAY), 10).await.expect("an answer"), []);
    assert_eq!(store.remove_unused_clients(later(DAY), later(DAY), 1).await.expect("one of two").len(), 1);
    assert_eq!(store.registered_clients().await.expect("all").len(), 1);
}
