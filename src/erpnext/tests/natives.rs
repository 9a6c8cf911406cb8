//! Tokens that ERPNext issued itself.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    site::Site,
    standin::{ALICE, BOB, Bearer, Failure, ORDINARY_CLIENT},
};
use crate::{
    clock::{Clock, UnixTime},
    erpnext::{Directory, NativeTokens, Possible, agent::CALLS_AT_ONCE},
    oauth::{TokenHash, UserName},
    store::{EmbeddedStore, Store},
};

fn bearer(token: &str, user: &str) -> Bearer {
    Bearer { refresh_token: Some(format!("{token}-refresh")), ..Bearer::new(token, ORDINARY_CLIENT, user) }
}

async fn read(site: &Site<EmbeddedStore>) -> Arc<NativeTokens> {
    let natives = Arc::new(site.erpnext.native_tokens());
    natives.recall().await.expect("the store answers");
    natives.round().await.expect("a round");
    natives
}

/// Whether the store has it, with its end.
async fn end_of(site: &Site<EmbeddedStore>, token: &str) -> Option<UnixTime> {
    let facts = site.store.access_token(TokenHash::of(token), UnixTime::default()).await.expect("an answer");
    facts.map(|facts| facts.expires_at)
}

#[tokio::test]
async fn all_rows_are_read_but_the_gateway_s_own() {
    let site = Site::start_now();
    site.standin.set_time_zone("Asia/Kolkata", 330);
    site.standin.add_bearer(bearer("n1", ALICE));
    site.standin.add_bearer(bearer("n2", BOB));
    site.standin.add_bearer(Bearer { client: None, ..bearer("without-client", BOB) });
    let alice = site.user(ALICE).await;
    site.erpnext.credential(&alice).await.expect("a shadow token");
    let natives = read(&site).await;
    for token in ["n1", "n2"] {
        assert_eq!(natives.possible(&TokenHash::of(token)), Possible::Yes);
        let end = end_of(&site, token).await.expect("known");
        let left = end.since(site.clock.now()).as_secs();
        assert!((3590..=3660).contains(&left), "the row's time is the site's: {left}");
    }
    let shadow = site.standin.bearer_rows().into_iter().find(|row| row.access_token.starts_with("emp_sh_"));
    for none in [shadow.expect("a row").access_token.as_str(), "without-client", "N1", "junk"] {
        assert_eq!(natives.possible(&TokenHash::of(none)), Possible::No, "{none}");
    }
}

#[tokio::test]
async fn many_rows_are_read_in_pages_and_the_living_ones_first() {
    let site = Site::start_now();
    for number in 0..1234 {
        site.standin.add_bearer(bearer(&format!("n{number}"), ALICE));
    }
    let natives = read(&site).await;
    assert!((0..1234).all(|number| natives.possible(&TokenHash::of(&format!("n{number}"))) == Possible::Yes));
    assert_eq!(site.store.native_tokens().await.expect("an answer").len(), 1234);
    let lists = || site.calls("GET", "/api/resource/OAuth%20Bearer%20Token?");
    assert_eq!(lists(), 6, "those that live first, and then all");
    natives.round().await.expect("a round");
    assert_eq!(lists(), 9, "what changed in the last minutes is read again: a slow request may have been among it");
    // A second process on the same store knows them before it has asked.
    let other = Arc::new(site.erpnext.native_tokens());
    assert_eq!(other.possible(&TokenHash::of("n1")), Possible::Unknown);
    other.recall().await.expect("the store answers");
    assert_eq!(other.possible(&TokenHash::of("n1")), Possible::Yes);
    assert_eq!(other.possible(&TokenHash::of("x")), Possible::Unknown, "it may have come since");
    site.standin.add_bearer(bearer("n-new", ALICE));
    let before = lists();
    other.round().await.expect("a round");
    let asked = site.standin.requests();
    let mut asked = asked.iter().filter(|request| request.target.starts_with("/api/resource/OAuth%20Bearer%20Token?"));
    let first = asked.nth(before).expect("asked");
    assert!(first.target.contains("%3E%3D"), "what came since is read before all: {}", first.target);
    assert_eq!(other.possible(&TokenHash::of("n-new")), Possible::Yes);
    assert_eq!(other.possible(&TokenHash::of("x")), Possible::No);
}

#[tokio::test]
async fn of_many_rows_that_changed_in_one_moment_none_is_missed() {
    let site = Site::start_now();
    for number in 0..1300 {
        let user = if number % 3 == 0 { ALICE } else { BOB };
        site.standin.add_bearer(bearer(&format!("n{number}"), user));
    }
    site.standin.touch_bearers();
    site.standin.add_bearer(bearer("later", BOB));
    let natives = read(&site).await;
    assert_eq!(site.store.native_tokens().await.expect("an answer").len(), 1301);
    // While they are read again, a third of them goes.
    site.store.revoke_user(&UserName::new(ALICE), site.clock.now()).await.expect("revoked");
    site.clock.advance(Duration::from_secs(6 * 3600));
    assert!(natives.round().await.expect("a round").is_empty(), "no grant of Bob's has ended");
    assert!(site.standin.bearer_rows().iter().all(|row| row.user == BOB));
    assert!(end_of(&site, "n1").await.is_some() && end_of(&site, "later").await.is_some());
    assert_eq!(site.standin.count(|request| request.target.contains("name%22%2C%22%3E")), 0, "no token in a URL");
}

#[tokio::test]
async fn a_refresh_token_that_is_newer_than_the_last_round_is_asked_about() {
    let site = Site::start_now();
    let natives = read(&site).await;
    site.standin.add_bearer(bearer("n1", ALICE));
    assert!(!natives.read_new_refresh("junk").await.expect("an answer"));
    assert_eq!(natives.possible(&TokenHash::of("n1")), Possible::No);
    assert!(natives.read_new_refresh("n1-refresh").await.expect("an answer"));
    assert_eq!(natives.possible(&TokenHash::of("n1")), Possible::Yes);
    for number in 0..8 {
        natives.read_new_refresh(&format!("junk {number}")).await.expect("an answer");
    }
    assert!(natives.read_new_refresh("more junk").await.is_err(), "junk is asked about ten times a second");
    assert!(!natives.read_new_refresh("junk").await.expect("an answer"), "and for a while not again");
}

#[tokio::test]
async fn what_lives_is_read_before_what_has_expired() {
    let site = Site::start_now();
    for number in 0..700 {
        site.standin.add_bearer(Bearer { expires_in: -60, ..bearer(&format!("old{number}"), ALICE) });
    }
    site.standin.add_bearer(bearer("n1", ALICE));
    let natives = Arc::new(site.erpnext.native_tokens());
    // The first page has all that lives; the second, of all there are, fails.
    site.standin.fail_on("limit_start=500", Failure::Status(500));
    assert!(natives.round().await.is_err());
    assert_eq!(natives.possible(&TokenHash::of("n1")), Possible::Yes);
    assert_eq!(natives.possible(&TokenHash::of("x")), Possible::No);
    assert!(!natives.are_complete(), "nothing can be said of refresh tokens");
}

#[tokio::test]
async fn what_is_revoked_or_new_is_heard_of_by_its_time_of_change() {
    let site = Site::start_now();
    site.standin.add_bearer(bearer("n1", ALICE));
    let natives = read(&site).await;
    site.standin.set_bearer_status("n1", "Revoked");
    site.standin.add_bearer(bearer("n2", ALICE));
    assert_eq!(natives.round().await.expect("a round").len(), 1, "one grant has ended");
    assert!(end_of(&site, "n1").await.is_none() && end_of(&site, "n2").await.is_some());
}

#[tokio::test]
async fn what_is_deleted_is_heard_of_when_all_are_read_again() {
    let site = Site::start_now();
    site.standin.add_bearer(bearer("n1", ALICE));
    let natives = read(&site).await;
    site.standin.delete_bearer("n1");
    assert!(natives.round().await.expect("a round").is_empty());
    site.clock.advance(Duration::from_secs(6 * 3600));
    assert_eq!(natives.round().await.expect("a round").len(), 1);
    assert!(end_of(&site, "n1").await.is_none());
}

#[tokio::test]
async fn what_has_ended_here_is_deleted_in_erpnext() {
    let site = Site::start_now();
    site.standin.add_bearer(bearer("n1", ALICE));
    site.standin.add_bearer(bearer("n2", BOB));
    let natives = read(&site).await;
    site.store.revoke_user(&UserName::new(ALICE), site.clock.now()).await.expect("revoked");
    site.clock.advance(Duration::from_secs(6 * 3600));
    natives.round().await.expect("a round");
    let left: Vec<String> = site.standin.bearer_rows().into_iter().map(|row| row.access_token).collect();
    assert_eq!(left, ["n2"]);
}

#[tokio::test]
async fn erpnext_is_asked_whether_it_accepts_one_and_never_in_a_url() {
    let site = Site::start_now();
    site.standin.add_bearer(bearer("n1", ALICE));
    let natives = read(&site).await;
    let alice = UserName::new(ALICE);
    assert!(natives.accepts("n1", &alice).await.expect("an answer"));
    assert!(!natives.accepts("n1", &UserName::new(BOB)).await.expect("an answer"));
    assert!(natives.has_refresh("n1-refresh").await.expect("an answer"));
    assert!(!natives.has_refresh("N1-refresh").await.expect("an answer"), "MariaDB would take it");
    site.standin.set_bearer_status("n1", "Revoked");
    assert!(!natives.accepts("n1", &alice).await.expect("an answer"));
    assert!(!natives.has_refresh("n1-refresh").await.expect("an answer"));
    assert_eq!(site.standin.count(|request| request.target.contains("n1")), 0);
}

#[tokio::test]
async fn while_erpnext_is_away_nobody_can_tell_unless_all_were_read_before() {
    let site = Site::start_now();
    site.standin.add_bearer(bearer("n1", ALICE));
    site.standin.fail(Failure::Refuse);
    let natives = Arc::new(site.erpnext.native_tokens());
    assert!(natives.round().await.is_err());
    assert_eq!(natives.possible(&TokenHash::of("n1")), Possible::Unknown);
    site.standin.heal();
    natives.round().await.expect("a round");
    assert_eq!(natives.possible(&TokenHash::of("x")), Possible::No);
}

/// How many calls have asked for a row.
fn asked_for_rows(site: &Site<EmbeddedStore>) -> usize {
    site.calls("POST", "frappe.client.get_list")
}

/// T60
#[tokio::test]
async fn of_1000_unknown_tokens_at_once_erpnext_is_asked_about_a_few() {
    let site = Site::start_now();
    let natives = read(&site).await;
    let before = asked_for_rows(&site);
    let asked = join_all((0..1000).map(|number| {
        let natives = Arc::clone(&natives);
        tokio::spawn(async move { natives.read_new_refresh(&format!("junk {number}")).await })
    }));
    let answers: Vec<_> = asked.await.into_iter().map(|answer| answer.expect("no panic")).collect();
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(false))).count(), 10);
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 990, "nobody is told that there is none");
    assert_eq!(asked_for_rows(&site) - before, 10);
}

/// A request to the stand-in that is none of the gateway's, answered.
async fn ping(site: &Site<EmbeddedStore>) {
    let mut connection = TcpStream::connect(site.standin.addr()).await.expect("it listens");
    let request = b"GET /api/method/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    connection.write_all(request).await.expect("written");
    connection.read_to_end(&mut Vec::new()).await.expect("an answer");
}

/// T60
#[tokio::test]
async fn only_so_many_calls_are_under_way_at_a_time_and_the_others_wait_for_a_place() {
    let site = Site::start_now();
    let natives = read(&site).await;
    let before = asked_for_rows(&site);
    site.standin.fail_on("frappe.client.get_list", Failure::Hang);
    let mut calls: Vec<_> = (0..1000)
        .map(|number| {
            let natives = Arc::clone(&natives);
            tokio::spawn(async move { natives.has_refresh(&format!("n{number}-refresh")).await })
        })
        .collect();
    while asked_for_rows(&site) - before < CALLS_AT_ONCE {
        tokio::task::yield_now().await;
    }
    for _ in 0..20 {
        ping(&site).await;
    }
    assert_eq!(asked_for_rows(&site) - before, CALLS_AT_ONCE);
    site.standin.heal();
    let last = calls.split_off(CALLS_AT_ONCE);
    for hanging in calls {
        hanging.abort();
    }
    for call in last {
        assert_eq!(call.await.expect("no panic"), Ok(false));
    }
}
