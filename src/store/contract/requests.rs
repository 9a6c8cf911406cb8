//! Authorization requests.

use std::time::Duration;

use super::{Tested, all, hash, later, scopes, start};
use crate::{
    oauth::{AuthorizationRequest, ClientId, Prompt, RedirectTarget, Resources, ResponseMode, ResponseType},
    store::PendingRequest,
};

const MINUTE: Duration = Duration::from_secs(60);

fn request() -> PendingRequest {
    PendingRequest {
        request: AuthorizationRequest {
            client_id: ClientId::new("client"),
            redirect_uri: RedirectTarget { uri: "https://client.example/back".to_owned(), named: false },
            response_type: ResponseType::CODE,
            response_mode: ResponseMode::Query,
            state: Some("state".to_owned()),
            scopes: scopes("openid"),
            nonce: Some("nonce".to_owned()),
            code_challenge: None,
            prompt: Prompt { login: true, ..Prompt::default() },
            max_age: Some(300),
            hinted_subject: None,
            login_hint: Some("alice@example.com".to_owned()),
            id_token_claims: Vec::new(),
            userinfo_claims: Vec::new(),
            dpop_key: None,
            resources: Resources::default(),
            needs_auth_time: false,
            ui_locales: None,
        },
        browser: hash("cookie"),
        received_at: start(),
        expires_at: later(10 * MINUTE),
    }
}

pub async fn a_request_is_found_until_it_is_taken(store: Tested) {
    store.put_request(hash("handle"), request()).await.expect("put");
    let found = store.request(hash("handle"), start()).await.expect("an answer");
    assert_eq!(found, Some(request()));
    assert_eq!(store.request(hash("other"), start()).await.expect("an answer"), None);
    assert_eq!(store.take_request(hash("handle"), start()).await.expect("taken"), Some(request()));
    assert_eq!(store.take_request(hash("handle"), start()).await.expect("an answer"), None);
    assert_eq!(store.request(hash("handle"), start()).await.expect("an answer"), None);
}

pub async fn of_many_takers_of_a_request_one_gets_it(store: Tested) {
    store.put_request(hash("handle"), request()).await.expect("put");
    let takers = (0..50).map(|_| {
        let store = store.clone();
        async move { store.take_request(hash("handle"), start()).await.expect("an answer") }
    });
    assert_eq!(all(takers).await.into_iter().flatten().count(), 1);
}

pub async fn an_expired_request_is_absent(store: Tested) {
    store.put_request(hash("handle"), request()).await.expect("put");
    let end = later(10 * MINUTE);
    assert_eq!(store.request(hash("handle"), end).await.expect("an answer"), None);
    assert_eq!(store.take_request(hash("handle"), end).await.expect("an answer"), None);
}

pub async fn of_many_users_of_what_may_be_used_once_one_is_first(store: Tested) {
    let end = later(MINUTE);
    let users = (0..50).map(|_| {
        let store = store.clone();
        async move { store.first_use(hash("assertion"), end).await.expect("an answer") }
    });
    assert_eq!(all(users).await.into_iter().filter(|first| *first).count(), 1);
    assert!(store.first_use(hash("another"), end).await.expect("an answer"));
    store.purge(start(), 100).await.expect("purged");
    assert!(!store.first_use(hash("assertion"), end).await.expect("an answer"), "it has not expired");
    store.purge(end, 100).await.expect("purged");
    assert!(store.first_use(hash("assertion"), later(2 * MINUTE)).await.expect("an answer"));
}
