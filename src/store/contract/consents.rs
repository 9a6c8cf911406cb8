//! Consents and login sessions.

use super::{DAY, HOUR, Tested, all, end, hash, later, scopes, start, user};
use crate::{
    oauth::{ClientId, Subject, UserName},
    store::{ClientSession, Consent},
};

const BACK: &str = "https://client.example/back";

fn consent() -> Consent {
    Consent {
        client: ClientId::new("client"),
        user: user("alice"),
        redirect_uri: BACK.to_owned(),
        scopes: scopes("all openid"),
        agent: false,
        given_at: start(),
        expires_at: later(DAY),
    }
}

pub async fn a_consent_is_bound_to_client_user_subject_and_redirect_uri(store: Tested) {
    store.put_consent(consent()).await.expect("put");
    let ask = |client: &'static str, name: &'static str, sub: Subject, uri: &'static str, now| {
        let store = store.clone();
        async move {
            let (client, name) = (ClientId::new(client), UserName::new(name));
            store.consent(&client, &name, &sub, uri, now).await.expect("an answer")
        }
    };
    let sub = || user("alice").sub;
    assert_eq!(ask("client", "alice", sub(), BACK, start()).await, Some(consent()));
    assert_eq!(ask("other", "alice", sub(), BACK, start()).await, None);
    assert_eq!(ask("client", "bob", sub(), BACK, start()).await, None);
    assert_eq!(ask("client", "alice", Subject::new("somebody else"), BACK, start()).await, None);
    assert_eq!(ask("client", "alice", sub(), "https://client.example/", start()).await, None);
    assert_eq!(ask("client", "alice", sub(), BACK, later(DAY)).await, None);
}

pub async fn a_consent_replaces_the_earlier_one(store: Tested) {
    store.put_consent(consent()).await.expect("put");
    let narrower = Consent { scopes: scopes("openid"), agent: true, given_at: later(HOUR), ..consent() };
    store.put_consent(narrower.clone()).await.expect("put");
    let (client, user) = (ClientId::new("client"), user("alice"));
    let kept = store.consent(&client, &user.name, &user.sub, BACK, start()).await.expect("an answer");
    assert_eq!(kept, Some(narrower));
}

pub async fn a_login_is_known_until_it_expires_or_ends(store: Tested) {
    store.put_login(hash("login"), start(), later(HOUR)).await.expect("put");
    let at = |now| store.login(hash("login"), now);
    assert_eq!(at(start()).await.expect("an answer"), Some(start()));
    assert_eq!(at(later(HOUR)).await.expect("an answer"), None);
    assert_eq!(store.login(hash("other"), start()).await.expect("an answer"), None);
    store.end_login(end("login", &[], &[])).await.expect("ended");
    assert_eq!(at(start()).await.expect("an answer"), None);
}

pub async fn a_session_claim_is_kept_per_login_and_client(store: Tested) {
    let claim = |login: &'static str, client: &'static str, candidate: &str| {
        let (store, candidate) = (store.clone(), candidate.to_owned());
        async move {
            let candidate =
                ClientSession { client: ClientId::new(client), claim: candidate, user: Some(user("alice")) };
            store.session_claim(hash(login), candidate, later(HOUR)).await.expect("a claim")
        }
    };
    let first = all((0..10).map(|number| claim("login", "client", &format!("candidate {number}")))).await;
    assert!(first.iter().all(|one| *one == first[0]), "{first:?}");
    assert_eq!(claim("login", "client", "later").await, first[0]);
    assert_eq!(claim("login", "other", "later").await, "later");
    assert_eq!(claim("other", "client", "another").await, "another");
    store.end_login(end("login", &[], &[])).await.expect("ended");
    assert_eq!(claim("login", "client", "after the logout").await, "after the logout");
}
