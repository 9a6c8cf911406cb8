//! Clients that a document describes, beside those that were registered.

use std::{sync::Arc, time::Duration};

use super::site::Site;
use crate::{
    clock::Clock,
    erpnext::{ClientRegistry, RegisteredClients, Registration, TakenUp},
    oauth::{ClientId, ClientMetadata, ClientSource, RegistrationPolicy, RequestedMetadata, Scopes, TokenHash},
    secret::Secret,
    store::EmbeddedStore,
};

const MINUTE: Duration = Duration::from_secs(60);

fn registry(site: &Site<EmbeddedStore>, takes_documents: bool) -> ClientRegistry {
    let registered = RegisteredClients::new(Arc::clone(&site.store) as _, false);
    ClientRegistry::new(Vec::new()).with_registered(registered.with_documents(takes_documents))
}

fn id(name: &str) -> ClientId {
    ClientId::new(format!("https://agent.example/{name}"))
}

fn metadata(name: &str) -> ClientMetadata {
    let policy = RegistrationPolicy {
        scopes: Scopes::parse("openid").expect("scopes"),
        redirect_hosts: Vec::new(),
        loopback: true,
        document_hosts: Vec::new(),
    };
    let asked = RequestedMetadata {
        redirect_uris: Some(vec!["http://127.0.0.1/cb".to_owned()]),
        client_name: Some(name.to_owned()),
        token_endpoint_auth_method: Some("none".to_owned()),
        ..RequestedMetadata::default()
    };
    policy.check(asked).expect("good")
}

async fn take(site: &Site<EmbeddedStore>, registry: &ClientRegistry, (name, says): (&str, &str)) -> TakenUp {
    let (now, unguessable) = (site.clock.now(), Secret::new(format!("{name} {}", site.clock.now())));
    registry.take_described((&id(name), metadata(says)), now, 2, unguessable).await.expect("kept")
}

#[tokio::test]
async fn what_was_seen_is_known_to_all_processes_that_take_documents() {
    let site = Site::start_now();
    let (here, elsewhere, without) = (registry(&site, true), registry(&site, true), registry(&site, false));
    let known = async |registry: &ClientRegistry| registry.client(&id("a")).await.expect("an answer");
    assert!(known(&here).await.is_none());
    assert_eq!(take(&site, &here, ("a", "Agent")).await, TakenUp::New);
    let client = known(&here).await.expect("a client");
    assert_eq!((client.source, client.name.as_str()), (ClientSource::Document, "Agent"));
    assert_eq!(known(&elsewhere).await.expect("a client"), client);
    assert!(known(&without).await.is_none(), "it takes none");
    assert_eq!(take(&site, &elsewhere, ("a", "Agent")).await, TakenUp::Same);
    assert_eq!(take(&site, &elsewhere, ("a", "Another")).await, TakenUp::Changed);
    assert_eq!(here.described(&id("a")), Some(site.clock.now()));
    site.clock.advance(25 * 60 * MINUTE);
    assert_eq!(take(&site, &here, ("a", "Another")).await, TakenUp::Same);
    assert_eq!(here.described(&id("a")), Some(site.clock.now()), "it is noted once a day");
    assert_eq!(known(&here).await.expect("a client").name, "Another");
}

#[tokio::test]
async fn those_that_nobody_uses_make_room_and_no_others() {
    let site = Site::start_now();
    let registry = registry(&site, true);
    assert_eq!(take(&site, &registry, ("used", "Used")).await, TakenUp::New);
    let used = registry.client(&id("used")).await.expect("an answer").expect("a client");
    registry.note_use(&used, site.clock.now());
    assert_eq!(take(&site, &registry, ("idle", "Idle")).await, TakenUp::New);
    site.clock.advance(9 * MINUTE);
    assert_eq!(take(&site, &registry, ("next", "Next")).await, TakenUp::Full);
    site.clock.advance(MINUTE);
    assert_eq!(take(&site, &registry, ("next", "Next")).await, TakenUp::New);
    assert!(registry.client(&id("idle")).await.expect("an answer").is_none());
    registry.write_uses().await;
    site.clock.advance(10 * MINUTE);
    let registration = Registration {
        id: ClientId::new("dcr-x"),
        secret: None,
        metadata: metadata("Registered"),
        registered_at: site.clock.now(),
        seen_at: None,
    };
    assert!(registry.register(&registration, TokenHash::of("x"), 2).await.expect("kept"), "for a registration too");
    site.clock.advance(10 * MINUTE);
    assert_eq!(take(&site, &registry, ("more", "More")).await, TakenUp::Full, "one is used, one was registered");
}
