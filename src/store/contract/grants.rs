//! Issuing, and what is known of tokens.

use super::{DAY, HOUR, Tested, access, can_refresh, grant, hash, is_active, issued, later, start};
use crate::store::{AccessTokenFacts, NewGrant, RefreshTokenFacts, StoreError};

pub async fn an_access_token_is_known_until_it_expires(store: Tested) {
    let new = issued(&store, "g").await;
    issued(&store, "other").await;
    let facts = store.access_token(hash("g access"), start()).await.expect("an answer");
    assert_eq!(store.grant(&new.grant.id).await.expect("an answer"), Some(new.grant.clone()));
    let expected = AccessTokenFacts {
        grant: new.grant,
        scopes: new.access.scopes,
        issued_at: new.access.issued_at,
        expires_at: new.access.expires_at,
        last_used: None,
        dpop_key: new.access.dpop_key,
        resources: new.access.resources,
    };
    assert_eq!(facts, Some(expected));
    assert!(is_active(&store, "g access", later(HOUR).minus(std::time::Duration::from_millis(1))).await);
    assert!(!is_active(&store, "g access", later(HOUR)).await);
    assert!(!is_active(&store, "unknown", start()).await);
    assert!(!is_active(&store, "g refresh", start()).await, "a refresh token is no access token");
}

pub async fn a_grant_without_refresh_token_is_issued(store: Tested) {
    let mut new = NewGrant { refresh: None, ..grant("g") };
    new.grant.auth_time = None;
    new.grant.session_claim = None;
    new.grant.id_token_claims.clear();
    new.grant.userinfo_claims.clear();
    store.issue_grant(new.clone()).await.expect("issued");
    let facts = store.access_token(hash("g access"), start()).await.expect("an answer").expect("active");
    assert_eq!(facts.grant, new.grant);
    assert!(!can_refresh(&store, "g refresh", start()).await);
}

pub async fn a_grant_id_is_used_once(store: Tested) {
    issued(&store, "g").await;
    let again = NewGrant { access: access("second", start()), refresh: None, ..grant("g") };
    assert!(matches!(store.issue_grant(again).await, Err(StoreError::Unavailable(_))));
    assert!(is_active(&store, "g access", start()).await);
    assert!(!is_active(&store, "second", start()).await, "a failed step leaves nothing");
}

pub async fn a_refresh_token_is_known_until_it_expires(store: Tested) {
    let new = issued(&store, "g").await;
    let facts = store.refresh_token(hash("g refresh"), start()).await.expect("an answer");
    let expected = RefreshTokenFacts {
        grant: new.grant,
        generation: 0,
        issued_at: start(),
        expires_at: later(DAY),
        rotated_at: None,
        newest: true,
    };
    assert_eq!(facts, Some(expected));
    assert!(!can_refresh(&store, "g refresh", later(DAY)).await);
    assert!(!can_refresh(&store, "g access", start()).await, "an access token is no refresh token");
}
