//! Clients that are registered in ERPNext.

use std::sync::Arc;

use super::{
    site::Site,
    standin::{self, Failure, ORDINARY_CLIENT, SHADOW_CLIENT},
};
use crate::{
    erpnext::{ClientRegistry, ClientRules, DirectoryError},
    oauth::{Client, ClientId, ClientMode},
    store::EmbeddedStore,
};

fn rules() -> ClientRules {
    ClientRules { mode: ClientMode::Compat, password_grant: false, overrides: Vec::new() }
}

fn registry(site: &Site<EmbeddedStore>) -> ClientRegistry {
    ClientRegistry::with_upstream(Vec::new(), Some(site.erpnext.clients(rules())))
}

async fn client(registry: &ClientRegistry, id: &str) -> Option<Arc<Client>> {
    registry.client(&ClientId::new(id)).await.expect("an answer")
}

fn lists(site: &Site<EmbeddedStore>) -> usize {
    site.calls("GET", "/api/resource/OAuth%20Client?")
}

#[tokio::test]
async fn all_clients_are_listed_but_the_gateway_s_own() {
    let site = Site::start_now();
    site.standin.add_client(standin::Client {
        redirect_uris: "https://a.example/cb\nhttps://b.example/cb".to_owned(),
        allowed_roles: vec!["Sales User".to_owned(), "System Manager".to_owned()],
        ..standin::Client::new("shop", "4fc44bd404", "https://a.example/cb")
    });
    let registry = registry(&site);
    let changes = registry.sync().await.expect("an answer");
    assert_eq!(changes.added, [ClientId::new(ORDINARY_CLIENT), ClientId::new("shop")]);
    let shop = client(&registry, "shop").await.expect("a client");
    assert_eq!((shop.redirect_uris.len(), shop.allowed_roles.len()), (2, 2));
    assert_eq!(registry.known().iter().count(), 2);
    assert!(registry.known().redirect_origins.contains("https://b.example"));
    let before = site.standin.requests().len();
    assert!(client(&registry, SHADOW_CLIENT).await.is_none(), "it is nobody's to use");
    assert!(site.standin.requests().len() > before, "it was asked for, and left out");
}

#[tokio::test]
async fn a_change_is_read_and_what_did_not_change_is_not() {
    let site = Site::start_now();
    let registry = registry(&site);
    registry.sync().await.expect("an answer");
    let before = lists(&site);
    assert!(registry.sync().await.expect("an answer").is_empty());
    assert_eq!(lists(&site), before + 1, "one list of names and times");
    let changed =
        standin::Client { app_name: "Renamed".to_owned(), ..site.standin.client(ORDINARY_CLIENT).expect("it") };
    site.standin.add_client(changed);
    assert_eq!(registry.sync().await.expect("an answer").changed, [ClientId::new(ORDINARY_CLIENT)]);
    assert_eq!(client(&registry, ORDINARY_CLIENT).await.expect("a client").name, "Renamed");
}

#[tokio::test]
async fn a_deleted_client_is_gone() {
    let site = Site::start_now();
    let registry = registry(&site);
    registry.sync().await.expect("an answer");
    site.standin.delete_client(ORDINARY_CLIENT);
    assert_eq!(registry.sync().await.expect("an answer").gone, [ClientId::new(ORDINARY_CLIENT)]);
    assert!(client(&registry, ORDINARY_CLIENT).await.is_none());
}

#[tokio::test]
async fn an_unknown_id_is_looked_up_at_once_and_a_miss_is_remembered_briefly() {
    let site = Site::start_now();
    let registry = registry(&site);
    registry.sync().await.expect("an answer");
    site.standin.add_client(standin::Client::new("new", "1", "https://a.example/cb"));
    assert!(client(&registry, "new").await.is_some(), "made in Desk a moment ago");
    assert!(client(&registry, "NEW").await.is_none(), "MariaDB compares without regard to case, we do not");
    let before = lists(&site);
    assert!(client(&registry, "later").await.is_none());
    assert_eq!(lists(&site), before + 1, "of what is not there no roles are asked for");
    let before = lists(&site);
    site.standin.add_client(standin::Client::new("later", "1", "https://a.example/cb"));
    assert!(client(&registry, "later").await.is_none());
    assert_eq!(lists(&site), before);
    site.clock.advance(std::time::Duration::from_secs(10));
    assert!(client(&registry, "later").await.is_some());
    for odd in ["", "a b", "\u{e4}", &"x".repeat(200)] {
        assert!(client(&registry, odd).await.is_none());
    }
}

#[tokio::test]
async fn look_ups_of_unknown_ids_are_limited_and_known_clients_do_not_suffer() {
    let site = Site::start_now();
    let registry = registry(&site);
    registry.sync().await.expect("an answer");
    let mut refused = 0;
    for number in 0..60 {
        let outcome = registry.client(&ClientId::new(format!("junk{number}"))).await;
        refused += usize::from(matches!(outcome, Err(DirectoryError::Unavailable(_))));
    }
    assert_eq!(refused, 40);
    assert!(client(&registry, ORDINARY_CLIENT).await.is_some());
}

#[tokio::test]
async fn the_last_list_serves_while_erpnext_is_away() {
    let site = Site::start_now();
    let before = registry(&site);
    before.sync().await.expect("an answer");
    before.keep().await;
    site.standin.fail(Failure::Refuse);
    let registry = registry(&site);
    assert!(registry.client(&ClientId::new(ORDINARY_CLIENT)).await.is_err(), "nobody can tell");
    registry.recall().await.expect("the store answers");
    let known = client(&registry, ORDINARY_CLIENT).await.expect("from the store");
    assert!(known.secret.as_ref().is_some_and(|secret| secret.matches(standin::ORDINARY_CLIENT_SECRET)));
    assert!(registry.sync().await.is_err());
    assert!(client(&registry, ORDINARY_CLIENT).await.is_some(), "a failed round takes nothing away");
    // What was deleted meanwhile is noticed when it is back.
    site.standin.delete_client(ORDINARY_CLIENT);
    site.standin.heal();
    assert_eq!(registry.sync().await.expect("an answer").gone, [ClientId::new(ORDINARY_CLIENT)]);
    // A process that ends before it has ended the grants leaves the change to the next one.
    let next = self::registry(&site);
    next.recall().await.expect("the store answers");
    assert_eq!(next.sync().await.expect("an answer").gone, [ClientId::new(ORDINARY_CLIENT)]);
    next.keep().await;
    let last = self::registry(&site);
    last.recall().await.expect("the store answers");
    assert!(last.sync().await.expect("an answer").gone.is_empty());
}

#[tokio::test]
async fn a_client_of_the_file_comes_before_one_of_erpnext() {
    let site = Site::start_now();
    let block = crate::config::ClientSettings { id: ORDINARY_CLIENT.to_owned(), ..Default::default() };
    let registry = ClientRegistry::with_upstream(vec![block.to_client()], Some(site.erpnext.clients(rules())));
    registry.sync().await.expect("an answer");
    assert!(client(&registry, ORDINARY_CLIENT).await.expect("a client").is_public());
    site.standin.delete_client(ORDINARY_CLIENT);
    assert!(registry.sync().await.expect("an answer").is_empty(), "what becomes of the other is nothing to it");
    assert!(client(&registry, ORDINARY_CLIENT).await.expect("a client").is_public());
}
