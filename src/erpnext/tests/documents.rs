//! Clients that a document describes, beside those that were registered.

use std::{sync::Arc, time::Duration};

use super::site::Site;
use crate::{
    clock::{Clock, UnixTime},
    erpnext::{ClientRegistry, DescribedClient, RegisteredClients, Registration, Seen, TakenUp},
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

const fn good(at: UnixTime) -> Seen {
    Seen { at, withdrawn: false }
}

async fn take(site: &Site<EmbeddedStore>, registry: &ClientRegistry, (name, says): (&str, &str)) -> TakenUp {
    take_as_of(site, registry, (&id(name), says), site.clock.now()).await
}

async fn take_as_of(
    site: &Site<EmbeddedStore>,
    registry: &ClientRegistry,
    (id, says): (&ClientId, &str),
    fetched_at: UnixTime,
) -> TakenUp {
    take_of(site, registry, DescribedClient { id, metadata: metadata(says), fetched_at }, 2).await
}

async fn take_of(
    site: &Site<EmbeddedStore>,
    registry: &ClientRegistry,
    described: DescribedClient<'_>,
    most: u64,
) -> TakenUp {
    let (now, unguessable) = (site.clock.now(), Secret::new(format!("{} {}", described.id, site.clock.now())));
    registry.take_described(described, now, most, unguessable).await.expect("kept")
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
    assert_eq!(here.described(&id("a")), Some(good(site.clock.now())));
    site.clock.advance(25 * 60 * MINUTE);
    assert_eq!(take(&site, &here, ("a", "Another")).await, TakenUp::Same);
    assert_eq!(here.described(&id("a")), Some(good(site.clock.now())), "it is noted once a day");
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
    site.clock.advance(44 * MINUTE);
    assert_eq!(take(&site, &registry, ("next", "Next")).await, TakenUp::Full);
    site.clock.advance(MINUTE);
    assert_eq!(take(&site, &registry, ("next", "Next")).await, TakenUp::New);
    assert!(registry.client(&id("idle")).await.expect("an answer").is_none());
    registry.write_uses().await;
    site.clock.advance(45 * MINUTE);
    let registration = Registration {
        id: ClientId::new("dcr-x"),
        secret: None,
        metadata: metadata("Registered"),
        registered_at: site.clock.now(),
        seen: None,
    };
    assert!(registry.register(&registration, TokenHash::of("x"), 2).await.expect("kept"), "for a registration too");
    site.clock.advance(45 * MINUTE);
    assert_eq!(take(&site, &registry, ("more", "More")).await, TakenUp::Full, "one is used, one was registered");
}

#[tokio::test]
async fn what_was_withdrawn_stays_so_until_it_was_fetched_again() {
    let site = Site::start_now();
    let (here, elsewhere) = (registry(&site, true), registry(&site, true));
    let before = site.clock.now();
    take(&site, &here, ("a", "Agent")).await;
    elsewhere.refresh_registered().await.expect("read");
    site.clock.advance(MINUTE);
    let (gone_at, withdraws) = (site.clock.now(), async |at| {
        elsewhere.withdraw_described(&id("a"), at, site.clock.now()).await.expect("kept")
    });
    assert!(!withdraws(before.minus(MINUTE)).await, "it was seen since");
    assert!(withdraws(gone_at).await);
    let gone = Some(Seen { at: gone_at, withdrawn: true });
    let again = registry(&site, true);
    again.refresh_registered().await.expect("read");
    assert_eq!((elsewhere.described(&id("a")), again.described(&id("a"))), (gone, gone), "also after a restart");
    site.clock.advance(MINUTE);
    here.refresh_registered().await.expect("read");
    assert_eq!(take_as_of(&site, &here, (&id("a"), "Agent"), before).await, TakenUp::Withdrawn, "kept from before");
    assert_eq!(take(&site, &here, ("a", "Agent")).await, TakenUp::Same);
    assert_eq!(here.described(&id("a")), Some(good(site.clock.now())));
}

#[tokio::test]
async fn an_older_document_takes_no_newer_ones_place() {
    let site = Site::start_now();
    let (here, elsewhere) = (registry(&site, true), registry(&site, true));
    let before = site.clock.now();
    take(&site, &here, ("a", "Old")).await;
    site.clock.advance(MINUTE);
    let after = site.clock.now();
    assert_eq!(take(&site, &elsewhere, ("a", "New")).await, TakenUp::Changed);
    site.clock.advance(25 * 60 * MINUTE);
    for stale in [&here, &elsewhere] {
        stale.refresh_registered().await.expect("read");
        assert_eq!(take_as_of(&site, stale, (&id("a"), "Old"), before).await, TakenUp::Same);
        assert_eq!(stale.client(&id("a")).await.expect("an answer").expect("a client").name, "New");
    }
    assert_eq!(here.described(&id("a")), Some(good(after)));
    assert_eq!(take_as_of(&site, &here, (&id("a"), "New"), after).await, TakenUp::Same);
    assert_eq!(here.described(&id("a")), Some(good(after)), "when it was fetched, not when it was asked for");
}

#[tokio::test]
async fn a_document_with_keys_is_noted_each_hour() {
    let site = Site::start_now();
    let registry = registry(&site, true);
    let signing = || {
        let jwks = serde_json::json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        }]});
        ClientMetadata {
            token_endpoint_auth_method: crate::oauth::ClientAuthMethod::PrivateKeyJwt,
            jwks: Some(jwks),
            ..metadata("Agent")
        }
    };
    for (advanced, noted) in [(0, true), (59, false), (1, true)] {
        site.clock.advance(advanced * MINUTE);
        let described = DescribedClient { id: &id("a"), metadata: signing(), fetched_at: site.clock.now() };
        take_of(&site, &registry, described, 2).await;
        assert_eq!(registry.described(&id("a")) == Some(good(site.clock.now())), noted, "{advanced}");
    }
}

#[tokio::test]
async fn uses_that_are_not_written_yet_count_when_others_make_room() {
    let site = Site::start_now();
    let registry = registry(&site, true);
    for name in ["used", "idle"] {
        take(&site, &registry, (name, name)).await;
        let client = registry.client(&id(name)).await.expect("an answer").expect("a client");
        if name == "used" {
            registry.note_use(&client, site.clock.now());
            site.clock.advance(MINUTE);
        }
    }
    site.clock.advance(2 * 60 * MINUTE);
    assert_eq!(take(&site, &registry, ("next", "Next")).await, TakenUp::New);
    assert!(registry.client(&id("used")).await.expect("an answer").is_some());
    assert!(registry.client(&id("idle")).await.expect("an answer").is_none());
}

#[tokio::test]
async fn a_host_has_only_so_many_clients_that_nobody_uses() {
    let site = Site::start_now();
    let registry = registry(&site, true);
    let take = async |id: &str| {
        let (id, fetched_at) = (ClientId::new(id), site.clock.now());
        take_of(&site, &registry, DescribedClient { id: &id, metadata: metadata("Agent"), fetched_at }, 100).await
    };
    for number in 0..10 {
        assert_eq!(take(&format!("https://agent.example/{number}")).await, TakenUp::New);
        site.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(take("https://agent.example/more").await, TakenUp::CrowdedHost);
    assert_eq!(take("https://other.example/more").await, TakenUp::New);
    let first = registry.client(&id("0")).await.expect("an answer").expect("a client");
    registry.note_use(&first, site.clock.now());
    assert_eq!(take("https://agent.example/more").await, TakenUp::New, "one is used now");
    site.clock.advance(45 * MINUTE);
    assert_eq!(take("https://agent.example/still-more").await, TakenUp::New);
    assert!(registry.client(&id("0")).await.expect("an answer").is_some());
    assert!(registry.client(&id("1")).await.expect("an answer").is_none(), "it had the time to be used");
}

#[tokio::test]
async fn a_client_in_use_is_not_removed_however_soon_others_are() {
    const TTL: Duration = Duration::from_secs(12 * 3600);
    let site = Site::start_now();
    let registered = RegisteredClients::new(Arc::clone(&site.store) as _, false).with_documents(true);
    let registry = ClientRegistry::new(Vec::new()).with_registered(registered.removed_after(TTL));
    take(&site, &registry, ("used", "used")).await;
    let client = registry.client(&id("used")).await.expect("an answer").expect("a client");
    for _ in 0..20 {
        registry.note_use(&client, site.clock.now());
        site.clock.advance(60 * MINUTE);
        let removed = registry.remove_unused(TTL, site.clock.now(), 10).await.expect("an answer");
        assert!(removed.is_empty(), "{removed:?}");
    }
    site.clock.advance(TTL + TTL / 4);
    assert_eq!(registry.remove_unused(TTL, site.clock.now(), 10).await.expect("an answer").len(), 1);
}
