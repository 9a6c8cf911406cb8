//! How many are fetched at a time, and for whom; what is told of it.

use super::*;
use crate::clock::Clock;

/// Waits until so many have asked.
async fn until_asked(server: &Server, times: usize) {
    for _ in 0..200 {
        if server.asked() == times {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.asked(), times);
}

/// Asks for this of a host that does not answer, as a client that came by itself.
fn ask(sets: &Arc<KeySets>, url: &str) {
    let (sets, url) = (Arc::clone(sets), super::url(url));
    tokio::spawn(async move { sets.for_assertion(ClientSource::Registered, &url, &by("a")).await });
}

#[tokio::test]
async fn a_host_that_does_not_answer_takes_two_places_and_leaves_the_rest() {
    let (server, clock) = (Server::start(String::new()).await, start());
    let sets = Arc::new(server.key_sets(&clock));
    for number in 0..20 {
        ask(&sets, &format!("https://{HOST}:{}/{number}", server.port));
    }
    until_asked(&server, 2).await;
    server.says(json_answer(&key_set("a"), ""));
    let elsewhere = url(&format!("https://{}:{}/jwks", other(0), server.port));
    let fetched = sets.for_assertion(ClientSource::Registered, &elsewhere, &by("a")).await;
    assert!(fetched.document.is_ok() && !fetched.has_failed, "{fetched:?}");
}

#[tokio::test]
async fn clients_that_came_by_themselves_take_no_places_of_those_of_the_operator() {
    let (server, clock) = (Server::start(String::new()).await, start());
    let sets = Arc::new(server.key_sets(&clock));
    for number in 0..2 * OTHERS {
        ask(&sets, &format!("https://{}:{}/{number}", other(number / 2), server.port));
    }
    until_asked(&server, 2 * OTHERS).await;
    server.says(json_answer(&key_set("a"), ""));
    let begun = tokio::time::Instant::now();
    let (url, assertion) = (server.url(), by("a"));
    let theirs = sets.for_assertion(ClientSource::Document, &url, &assertion);
    let (known, theirs) = tokio::join!(keys_for(&sets, &url, &assertion), theirs);
    assert!(known.is_ok(), "{known:?}");
    assert!(theirs.document.is_ok() && !theirs.has_failed, "waiting is not failing: {theirs:?}");
    assert!(begun.elapsed() > Duration::from_secs(1), "all of theirs were taken");
}

#[tokio::test]
async fn a_fetch_in_vain_is_told_once_also_where_there_are_keys_from_before() {
    let (server, clock) = (Server::start(json_answer(&key_set("a"), "")).await, start());
    let sets = server.key_sets(&clock);
    let now = async || {
        let fetched = sets.for_assertion(ClientSource::Registered, &server.url(), &by("a")).await;
        (fetched.document.is_ok(), fetched.at, fetched.has_failed)
    };
    let begun = start().now();
    assert_eq!(now().await, (true, begun, false));
    server.says(answer("503 Away", "", ""));
    clock.advance(minutes(10));
    assert_eq!(now().await, (true, begun, true));
    assert_eq!(now().await, (true, begun, false), "nobody was asked");
}
