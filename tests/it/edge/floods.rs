//! Those who send more than anybody needs, and those who come in numbers: bounded, and others are served meanwhile. T58.

use rustls::version::TLS13;

use super::{
    frames::{
        CONTINUATION, DATA, HEADERS, Http2, Outcome, PING, PRIORITY, SETTINGS, block, cancel, frame, get, headers,
        request, window_update,
    },
    harness::{Client, until},
    tls_site::{TlsSite, exchange},
};

/// The server has ended the connection of a flood, and serves others.
fn ends(site: &TlsSite, what: &str, mut client: Http2, mut bytes: impl FnMut(u32) -> Vec<u8>) -> u32 {
    let mut other = site.http2();
    let mut stream = 1;
    let sent = client.flood(|count| {
        if count % 100 == 0 {
            other.send(&get(stream, "/other")).unwrap();
            assert_eq!(other.outcome(stream).status(), Some(200), "{what}: served meanwhile");
            stream += 2;
        }
        bytes(count)
    });
    other.send(&get(stream, "/other")).unwrap();
    assert_eq!(other.outcome(stream).status(), Some(200), "{what}: served afterwards");
    sent
}

/// T58
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_carry_nothing_are_a_flood_when_they_are_many() {
    let kinds = [
        ("PING", frame(PING, 0, 0, &[0; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
        ("WINDOW_UPDATE", window_update(0, 1)),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 1])),
        ("unknown frames", frame(0xfe, 0, 0, b"x")),
        ("empty DATA", frame(DATA, 0, 1, &[])),
        ("trailers without an end", headers(0, 1, &block(&[("x", "1")]))),
        ("cancelled requests that nobody made", cancel(1)),
    ];
    let site = TlsSite::start().await;
    for (what, bytes) in kinds {
        let mut client = site.http2();
        client.send(&headers(0, 1, &request("POST", "/held", &[("content-length", "9")]))).unwrap();
        ends(&site, what, client, |_| bytes.repeat(10));
    }
    let refusals = site.site.refusals();
    assert!(refusals.iter().all(|refusal| *refusal == "http2_flood"), "{refusals:?}");
    assert!(refusals.len() >= 5, "h2 itself ends the others: {refusals:?}");
}

/// T58
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_cancelled_again_and_again_end_the_connection() {
    let site = TlsSite::start().await;
    let one = |count: u32| [get(2 * count + 1, "/cancelled"), cancel(2 * count + 1)].concat();
    ends(&site, "one by one", site.http2(), one);
    let many = |count: u32| (100 * count..100 * (count + 1)).flat_map(one).collect();
    ends(&site, "a hundred at once", site.http2(), many);
    let reached = site.site.upstream.requests().iter().filter(|request| request.contains("/cancelled")).count();
    assert!(reached <= 500, "{reached}");
}

/// What `h2` can't tell from requests that are no longer wanted: each had reached the upstream.
/// T58
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_cancelled_once_they_are_under_way_end_the_connection_too() {
    let site = TlsSite::start().await;
    let mut client = site.http2();
    let mut cancelled = 0;
    while site.site.refusals().is_empty() {
        assert!(cancelled < 1000, "it goes on for ever");
        let stream = 2 * cancelled + 1;
        // An error is the connection having ended.
        let _ = client.send(&get(stream, "/held"));
        let reached = usize::try_from(cancelled).unwrap();
        let goes_on = || site.site.upstream.requests().len() > reached || !site.site.refusals().is_empty();
        until("it is under way", goes_on).await;
        let _ = client.send(&cancel(stream));
        cancelled += 1;
    }
    assert!(cancelled >= 200, "who leaves a page may cancel a hundred requests: {cancelled}");
    assert_eq!(site.site.refusals(), ["http2_flood"]);
    client.closed();
}

/// T58
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_beyond_a_hundred_at_once_are_not_taken() {
    const REFUSED_STREAM: u32 = 7;
    let site = TlsSite::start().await;
    let mut client = site.http2();
    client.send(&(0..150).flat_map(|count| get(2 * count + 1, "/held")).collect::<Vec<_>>()).unwrap();
    for count in 100..150 {
        assert_eq!(client.outcome(2 * count + 1), Outcome::Reset(REFUSED_STREAM), "{count}");
    }
    let held = || site.site.upstream.requests().iter().filter(|request| request.contains("/held")).count();
    until("the others are held", || held() == 100).await;
    // Who goes on like that loses the connection.
    let _ = (150..10_000).try_for_each(|count| client.send(&get(2 * count + 1, "/held")));
    client.closed();
    let mut other = site.http2();
    other.send(&get(1, "/other")).unwrap();
    assert_eq!(other.outcome(1).status(), Some(200));
    assert_eq!(held(), 100);
}

/// T58
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_block_without_an_end_is_bounded() {
    let site = TlsSite::start().await;
    for (what, part) in [("empty", Vec::new()), ("small", block(&[("x", "1")])), ("large", vec![0; 16 * 1024])] {
        let mut client = site.http2();
        client.send(&frame(HEADERS, 1, 1, &request("GET", "/endless", &[]))).unwrap();
        let sent = ends(&site, what, client, |_| frame(CONTINUATION, 0, 1, &part));
        assert!(sent < 5000, "{what}: {sent}");
    }
    assert!(!site.site.upstream.received().contains("/endless"));
}

/// T58
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_connections_of_an_address_share_the_requests_that_it_may_have_in_flight() {
    let site = TlsSite::with(true, |settings| settings.edge.connections.per_address = 3).await;
    let mut client = site.http2();
    client.send(&[get(1, "/held"), get(3, "/held"), get(5, "/held")].concat()).unwrap();
    until("three are held", || site.site.upstream.requests().len() == 3).await;
    client.send(&get(7, "/fourth")).unwrap();
    assert_eq!(client.outcome(7), Outcome::Answer(429, b"{\"error\":\"Too Many Requests\"}\n".to_vec()));
    let answer =
        site.client(&TLS13, &[], |stream| exchange(stream, "GET /over-http1 HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("\r\nRetry-After: 1\r\n"), "{answer}");
    assert_eq!(site.site.refusals(), ["max_requests_per_address"; 2]);
    assert_eq!(site.site.upstream.requests().len(), 3);
    // A request that is cancelled makes room for another.
    client.send(&cancel(1)).unwrap();
    let served = (9_u32..10_000).step_by(2).find(|stream| {
        client.send(&get(*stream, "/later")).unwrap();
        client.outcome(*stream).status() == Some(200)
    });
    assert!(served.is_some());
}

/// T58
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_hangs_counts_as_a_connection() {
    let site = TlsSite::with(true, |settings| settings.edge.connections.per_address = 1).await;
    let hanging = site.site.connect().await;
    until("it is open", || site.site.running.open_connections() == 1).await;
    let mut second: Client<_> = site.site.connect().await;
    assert_eq!(second.closed().await.0, "");
    assert_eq!(site.site.refusals(), ["max_connections_per_address"]);
    drop(hanging);
    until("it is gone", || site.site.running.open_connections() == 0).await;
    let mut third = site.http2();
    third.send(&get(1, "/")).unwrap();
    assert_eq!(third.outcome(1).status(), Some(200));
}
