//! Request bodies, `Expect`, and upgrades. T52, T53.

use std::time::Duration;

use super::harness::Site;

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

/// T52
#[tokio::test]
async fn a_chunked_body_out_of_form_is_refused_with_its_head() {
    let site = Site::start().await;
    for body in
        ["5;a=b\r\nhello\r\n0\r\n\r\n", "5\nhello\n0\n\n", "ffffffffffffffff1\r\n", "x\r\n", "0\r\nA: b\r\n\r\n"]
    {
        let mut client = site.connect().await;
        client.send(format!("{CHUNKED}{body}")).await;
        assert_eq!(client.answer().await.status, 400, "{body:?}");
        client.closed().await;
    }
    assert_eq!(site.upstream.received(), "");
}

/// T52
#[tokio::test]
async fn a_chunked_body_that_breaks_off_later_never_completes_upstream() {
    let site = Site::start().await;
    for body in [
        "5;a=b\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhelloworld\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\n",
    ] {
        let mut client = site.connect().await;
        client.send(CHUNKED).await;
        client.send("3\r\nabc\r\n").await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        client.send(format!("{body}GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!(client.answer().await.status, 400, "{body:?}");
        client.closed().await;
    }
    assert_eq!(site.upstream.requests(), Vec::<String>::new(), "no request was whole");
    assert!(!site.upstream.received().contains("smuggled"));
}

/// T50
#[tokio::test]
async fn the_bytes_after_a_body_are_not_part_of_it() {
    let site = Site::start().await;
    let mut client = site.connect().await;
    client
        .send("POST /one HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /two HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    assert_eq!(client.answer().await.body, "3");
    client.closed().await;
    assert_eq!(site.upstream.requests().len(), 1);
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_gets_it_once_and_the_upstream_is_not_asked() {
    let site = Site::start().await;
    let mut client = site.connect().await;
    for _ in 0..2 {
        client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 100);
        client.send("hello").await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "5"));
    }
    assert!(!site.upstream.received().to_ascii_lowercase().contains("expect"));
}

#[tokio::test]
async fn a_client_that_does_not_wait_gets_no_100_continue() {
    let site = Site::start().await;
    let answer = site.ask("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nContent-Length: 5\r\n\r\nhello").await;
    assert_eq!(answer.status, 200);
    let answer = site.ask("GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(answer.status, 200, "there is nothing to wait for");
}

#[tokio::test]
async fn a_large_upload_arrives_whole() {
    let site = Site::start().await;
    let body = "y".repeat(3 << 20);
    let answer = site.ask(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())).await;
    assert_eq!(answer.body, body.len().to_string());
}

const HANDSHAKE: &str = "HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

#[tokio::test]
async fn a_websocket_passes_once_the_upstream_agrees() {
    let site = Site::start().await;
    let mut client = site.connect().await;
    client.send(format!("GET /switch {HANDSHAKE}\r\n")).await;
    assert_eq!(client.answer().await.status, 101);
    client.send("frame").await;
    assert_eq!(client.raw(5).await, "frame");
}

/// T53
#[tokio::test]
async fn nothing_passes_after_a_websocket_handshake_that_the_upstream_did_not_agree_to() {
    let site = Site::start().await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut at_once = site.connect().await;
    at_once.send(format!("GET /api {HANDSHAKE}\r\n{smuggled}")).await;
    assert_eq!(at_once.answer().await.status, 200);
    assert_eq!(at_once.closed().await.0, "");
    let mut later = site.connect().await;
    later.send(format!("GET /api {HANDSHAKE}\r\n")).await;
    assert_eq!(later.answer().await.status, 200);
    later.send(smuggled).await;
    assert_eq!(later.closed().await.0, "");
    assert_eq!(site.upstream.requests().len(), 2);
    assert!(!site.upstream.received().contains("smuggled"));
}

#[tokio::test]
async fn a_handshake_with_a_body_is_no_handshake() {
    let site = Site::start().await;
    let answer = site.ask(format!("POST /api {HANDSHAKE}Content-Length: 3\r\n\r\nabc")).await;
    assert_eq!(answer.status, 200);
    assert!(!site.upstream.received().to_ascii_lowercase().contains("upgrade: websocket"));
}
