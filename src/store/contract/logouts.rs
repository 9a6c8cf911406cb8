//! The end of login sessions, and who is told of it.

use super::{DAY, HOUR, Tested, all, feed, grant, hash, is_active, later, scopes, start, user};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId, Subject},
    store::{ClientSession, EndOfLogin, LogoutNotice, NewGrant, PendingLogout},
};

fn clients(names: &[&str]) -> Vec<ClientId> {
    names.iter().copied().map(ClientId::new).collect()
}

/// The end of a login session with these clients' grants, and these to be told.
pub fn end(login: &str, ends: &[&str], notifies: &[&str]) -> EndOfLogin {
    let (ends, notifies) = (clients(ends), clients(notifies));
    EndOfLogin { login: hash(login), ends, notifies, now: start(), notices_expire_at: later(DAY) }
}

/// Uses a login session of Alice's for a client.
async fn used(store: &Tested, login: &str, client: &str) -> String {
    let (client, claim) = (ClientId::new(client), format!("{login} at {client}"));
    let session = ClientSession { client, claim, user: Some(user("alice")) };
    store.session_claim(hash(login), session, later(DAY)).await.expect("a claim")
}

async fn granted(store: &Tested, id: &str, client: &str, claim: &str) {
    let mut new = grant(id);
    new.grant.client = ClientId::new(client);
    new.grant.session_claim = Some(claim.to_owned());
    store.issue_grant(new).await.expect("issued");
}

fn a_minute_later(now: UnixTime, attempts: u32) -> UnixTime {
    now.plus(std::time::Duration::from_secs(60 * u64::from(attempts + 1)))
}

pub async fn a_login_session_ends_with_its_grants_and_no_others(store: Tested) {
    store.put_login(hash("login"), start(), later(HOUR)).await.expect("put");
    let (shop, app) = (used(&store, "login", "shop").await, used(&store, "login", "app").await);
    let other = used(&store, "other", "shop").await;
    for (id, client, claim) in [("a", "shop", &shop), ("b", "shop", &shop), ("c", "app", &app), ("d", "shop", &other)] {
        granted(&store, id, client, claim).await;
    }
    let mut offline = grant("e");
    (offline.grant.client, offline.grant.session_claim) = (ClientId::new("shop"), Some(shop));
    offline.grant.scopes = scopes("openid offline_access all");
    store.issue_grant(offline).await.expect("issued");
    let known = store.sessions_of_login(hash("login")).await.expect("an answer");
    let known: Vec<_> = known.iter().map(|session| (session.client.as_str(), session.user.clone())).collect();
    assert_eq!(known, [("app", Some(user("alice"))), ("shop", Some(user("alice")))]);
    let mut ended = store.end_login(end("login", &["shop"], &[])).await.expect("ended");
    ended.sort();
    assert_eq!(ended, ["a", "b"].map(GrantId::new));
    for (id, lives) in [("a", false), ("b", false), ("c", true), ("d", true), ("e", true)] {
        assert_eq!(is_active(&store, &format!("{id} access"), start()).await, lives, "{id}");
    }
    assert_eq!(feed(&store).await, ["a", "b"].map(GrantId::new));
    assert_eq!(store.login(hash("login"), start()).await.expect("an answer"), None);
    assert!(store.sessions_of_login(hash("login")).await.expect("an answer").is_empty());
    assert_eq!(store.end_login(end("login", &["shop"], &["shop"])).await.expect("nothing"), Vec::new());
}

pub async fn a_grant_of_a_login_session_that_has_ended_is_ended(store: Tested) {
    used(&store, "login", "client").await;
    let in_login = |id| NewGrant { in_login: Some(hash("login")), ..grant(id) };
    store.issue_grant(in_login("before")).await.expect("issued");
    store.end_login(end("login", &[], &[])).await.expect("ended");
    store.issue_grant(in_login("after")).await.expect("written");
    assert!(is_active(&store, "before access", start()).await, "nobody said that it ends");
    assert!(!is_active(&store, "after access", start()).await);
}

pub async fn a_login_session_goes_on_in_another(store: Tested) {
    store.put_login(hash("login"), start(), later(HOUR)).await.expect("put");
    let (shop, app) = (used(&store, "login", "shop").await, used(&store, "login", "app").await);
    let newer = used(&store, "again", "app").await;
    store.continue_login(hash("login"), hash("again")).await.expect("continued");
    assert_eq!(used(&store, "again", "shop").await, shop);
    assert_eq!(used(&store, "again", "app").await, newer);
    assert_ne!(newer, app);
    assert_eq!(store.login(hash("login"), start()).await.expect("an answer"), None);
    assert!(store.sessions_of_login(hash("login")).await.expect("an answer").is_empty());
}

pub async fn who_is_to_be_told_is_due_until_told(store: Tested) {
    let claim = used(&store, "login", "shop").await;
    used(&store, "login", "app").await;
    store.end_login(end("login", &[], &["shop"])).await.expect("ended");
    let due = |now| store.take_due_notices(now, a_minute_later, 10);
    let takers = all((0..10).map(|_| {
        let store = store.clone();
        async move { store.take_due_notices(start(), a_minute_later, 10).await }
    }))
    .await;
    let taken: Vec<LogoutNotice> = takers.into_iter().flat_map(|taken| taken.expect("an answer")).collect();
    let notice = |attempts| LogoutNotice {
        client: ClientId::new("shop"),
        claim: claim.clone(),
        sub: Some(Subject::new(user("alice").sub.as_str())),
        attempts,
    };
    assert_eq!(taken, [notice(0)], "of several takers one gets it");
    let minutes = |count: u64| later(std::time::Duration::from_secs(60 * count));
    assert_eq!(due(minutes(1)).await.expect("an answer"), [notice(1)], "nobody said that it was told");
    assert_eq!(due(minutes(2)).await.expect("an answer"), [], "the pause is longer now");
    assert_eq!(due(minutes(3)).await.expect("an answer"), [notice(2)]);
    store.drop_notice(&notice(2)).await.expect("dropped");
    assert_eq!(due(later(HOUR)).await.expect("an answer"), []);
}

pub async fn a_notice_is_given_up_in_the_end(store: Tested) {
    used(&store, "login", "shop").await;
    store.end_login(end("login", &[], &["shop"])).await.expect("ended");
    assert_eq!(store.take_due_notices(later(DAY), a_minute_later, 10).await.expect("an answer"), []);
    assert!(store.purge(later(DAY), 100).await.expect("purged") > 0);
}

pub async fn a_logout_request_is_found_until_it_is_taken(store: Tested) {
    let logout = PendingLogout {
        client: Some(ClientId::new("shop")),
        redirect_uri: Some("https://shop.example/bye".to_owned()),
        state: Some("state".to_owned()),
        hinted_subject: Some(Subject::new("alice")),
        ui_locales: None,
        browser: hash("cookie"),
        expires_at: later(HOUR),
    };
    store.put_logout(hash("handle"), logout.clone()).await.expect("put");
    assert_eq!(store.logout(hash("handle"), start()).await.expect("an answer"), Some(logout.clone()));
    assert_eq!(store.logout(hash("handle"), later(HOUR)).await.expect("an answer"), None, "expired");
    assert_eq!(store.request(hash("handle"), start()).await.expect("an answer"), None, "no authorization request");
    let takers = all((0..10).map(|_| {
        let store = store.clone();
        async move { store.take_logout(hash("handle"), start()).await }
    }))
    .await;
    let taken: Vec<_> = takers.into_iter().filter_map(|taken| taken.expect("an answer")).collect();
    assert_eq!(taken, [logout]);
}
