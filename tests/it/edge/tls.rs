//! The same rules behind TLS, HTTP/2, and the handshake's own deadline. T50 to T53, T58, T87.

use std::{io::Write, time::Duration};

use empress_gateway::server::edge::Minimum;
use rustls::version::{TLS12, TLS13};
use tokio::time::Instant;

use super::{
    frames::{Http2, Outcome, PREFACE, get},
    harness::{PATIENCE, until},
    tls_site::{SHORT, TlsSite, all, exchange},
};

async fn start(http2: bool) -> TlsSite {
    TlsSite::with(http2, |settings| {
        // A busy machine takes its time for a handshake, too.
        settings.edge.header_timeout = Duration::from_secs(4);
        settings.edge.keepalive_timeout = Duration::from_secs(2);
        settings.edge.receiving = Minimum { rate: 1000, window: SHORT };
    })
    .await
}

#[tokio::test]
async fn requests_are_checked_and_served_behind_tls_as_without() {
    let site = start(true).await;
    for version in [&TLS12, &TLS13] {
        let answer = site
            .client(version, &[], |stream| {
                exchange(stream, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")
            })
            .await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n3"), "{answer}");
    }
    for refused in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\nHost: x\n\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n",
    ] {
        let answer = site.client(&TLS13, &["http/1.1"], move |stream| exchange(stream, refused)).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    // T53: what follows a handshake that the upstream did not agree to.
    let handshake = "GET /api HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    let smuggling = format!("{handshake}GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = site.client(&TLS13, &["http/1.1"], move |stream| exchange(stream, &smuggling)).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.matches("HTTP/1.1 ").count() == 1, "{answer}");
    assert_eq!(site.site.upstream.requests().len(), 3);
    assert!(!site.site.upstream.received().contains("smuggled"));
}

/// At once, since each takes its time.
/// T58, T87
#[tokio::test]
async fn handshakes_prefaces_heads_and_bodies_that_do_not_end_are_ended() {
    let site = start(true).await;
    let start = Instant::now();
    let handshake = async { site.site.connect().await.closed().await.0 };
    let preface = site.client(&TLS13, &["h2"], |mut stream| {
        stream.write_all(&PREFACE[..10]).unwrap();
        all(stream)
    });
    let head = site.client(&TLS13, &[], |stream| exchange(stream, "GET / HT"));
    let body = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\nabc";
    let body = site.client(&TLS13, &[], |stream| exchange(stream, body));
    let (handshake, preface, head, body) = tokio::join!(handshake, preface, head, body);
    assert_eq!((handshake.as_str(), preface.as_slice()), ("", &b""[..]));
    assert!(head.starts_with("HTTP/1.1 408 "), "{head}");
    assert!(!body.starts_with("HTTP/1.1 200 "), "{body}");
    assert!(start.elapsed() < PATIENCE / 2, "{:?}", start.elapsed());
    until("all are counted", || site.site.refusals().len() == 3).await;
    let mut refusals = site.site.refusals();
    refusals.sort_unstable();
    assert_eq!(refusals, ["slow_body", "timeout", "tls_handshake_timeout"]);
}

#[tokio::test]
async fn http2_is_offered_and_served_and_an_idle_connection_ends() {
    let site = start(true).await;
    let (protocol, answer, after) = site
        .client(&TLS13, &["h2", "http/1.1"], |stream| {
            let protocol = stream.conn.alpn_protocol().map(<[u8]>::to_vec);
            let mut client = Http2::with(stream, &get(1, "/"));
            let outcome = client.outcome(1);
            let start = Instant::now();
            client.closed();
            (protocol, outcome, start.elapsed())
        })
        .await;
    assert_eq!(protocol.as_deref(), Some(&b"h2"[..]));
    assert_eq!(answer, Outcome::Answer(200, b"0".to_vec()));
    assert!(after < PATIENCE / 2, "{after:?}");
    assert_eq!(site.site.upstream.requests().len(), 1);
    assert!(site.site.upstream.received().starts_with("GET / HTTP/1.1\r\n"));
}

#[tokio::test]
async fn http2_is_not_offered_when_it_is_off() {
    let site = start(false).await;
    let protocol =
        site.client(&TLS13, &["h2", "http/1.1"], |stream| stream.conn.alpn_protocol().map(<[u8]>::to_vec)).await;
    assert_eq!(protocol.as_deref(), Some(&b"http/1.1"[..]));
}
