//! Clients that were registered here.

use super::{DAY, HOUR, Tested, can_refresh, hash, issued, later, start};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId},
    secret::Secret,
    store::{RegisteredClient, RemovedClient},
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
    assert!(store.change_registered_client(&one.id, Secret::new("another")).await.expect("changed"));
    assert!(!store.change_registered_client(&ClientId::new("nobody"), Secret::new("x")).await.expect("an answer"));
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
