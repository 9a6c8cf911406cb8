//! Request heads: what two parsers could read in two ways never reaches the upstream. T42, T43, T45, T50, T51, T54, T57, T86, plain and
//! behind TLS.

use rustls::version::TLS13;
use tokio::io::AsyncWriteExt;

use super::{
    harness::Site,
    tls_site::{TlsSite, exchange},
};

/// Each is answered with its status and the connection closed, and the upstream gets nothing.
async fn are_refused(cases: &[(u16, &str)]) {
    let site = Site::start().await;
    for (status, request) in cases {
        let mut client = site.connect().await;
        client.send(request).await;
        let answer = client.answer().await;
        assert_eq!(answer.status, *status, "{request:?}");
        assert!(answer.head.contains("\r\nConnection: close\r\n"), "{request:?}");
        client.send("").await;
        assert_eq!(client.closed().await.0, "", "{request:?}: closed, with nothing more");
    }
    assert_eq!(site.upstream.received(), "", "nothing reached the upstream");
    assert_eq!(site.refusals().len(), cases.len(), "each refusal is counted");
    are_refused_behind_tls(cases).await;
}

async fn are_refused_behind_tls(cases: &[(u16, &str)]) {
    let site = TlsSite::with(false, |_| ()).await;
    for (status, request) in cases {
        let (sent, begins) = ((*request).to_owned(), format!("HTTP/1.1 {status} "));
        let answer = site.client(&TLS13, &["http/1.1"], move |stream| exchange(stream, &sent)).await;
        assert!(answer.starts_with(&begins), "{request:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{request:?}: closed, with nothing more");
    }
    assert_eq!(site.site.upstream.received(), "");
    assert_eq!(site.site.refusals().len(), cases.len());
}

/// T50, T51, T86
#[tokio::test]
async fn ambiguous_framing_is_refused() {
    are_refused(&[
        (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nabcde"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5,5\r\n\r\nabcde"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\nabcde"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
        (
            400,
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (400, "POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nHost: x\r\nConnection: close, content-length\r\nContent-Length: 1\r\n\r\na"),
    ])
    .await;
}

/// T51, T86
#[tokio::test]
async fn lines_and_fields_out_of_form_are_refused() {
    are_refused(&[
        (400, "GET / HTTP/1.1\nHost: x\n\n"),
        (400, "GET / HTTP/1.1\r\nHost: x\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n\tfolded\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\n Host: x\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost : x\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost\t: x\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x\r\nX-A: a\x01b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x\r\nX-A: a\x7fb\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x\r\nX\0A: b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x\r\n: no name\r\n\r\n"),
        (417, "POST / HTTP/1.1\r\nHost: x\r\nExpect: something\r\nContent-Length: 1\r\n\r\na"),
    ])
    .await;
}

/// T45, T86
#[tokio::test]
async fn a_host_must_be_there_once_and_be_a_host() {
    are_refused(&[
        (400, "GET / HTTP/1.1\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x\r\nhOST: y\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x:80:90\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x:99999\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nHost: x\r\nConnection: host\r\n\r\n"),
    ])
    .await;
}

/// T42, T43, T45
#[tokio::test]
async fn only_an_origin_form_target_of_legal_bytes_passes() {
    are_refused(&[
        (400, "GET http://other/api HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "GET x:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
        (405, "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
        (405, "TRACE / HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "GET api/x HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "GET  HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "GET /a\x7f HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "GET /\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "GET /x#/assets/x HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "GET / HTTP/1.2\r\nHost: x\r\n\r\n"),
        (400, "GET / HTTP/2.0\r\nHost: x\r\n\r\n"),
        (400, "GET / http/1.1\r\nHost: x\r\n\r\n"),
        (400, "GET /\r\n\r\n"),
        (400, "get / HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "G(T / HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, " GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        (400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ])
    .await;
}

/// T57, T86
#[tokio::test]
async fn a_head_may_be_as_large_as_allowed_and_no_larger() {
    let site = Site::with(|settings| settings.edge.max_header = 4096).await;
    let frame = "GET / HTTP/1.1\r\nHost: x\r\nX-Fill: \r\n\r\n".len();
    let head = |size: usize| format!("GET / HTTP/1.1\r\nHost: x\r\nX-Fill: {}\r\n\r\n", "f".repeat(size - frame));
    assert_eq!(site.ask(head(4096)).await.status, 200);
    assert_eq!(site.ask(head(4097)).await.status, 431);
    assert_eq!(site.ask(format!("GET /{}", "a".repeat(5000))).await.status, 431, "its end need not be awaited");
    let fields = |count: usize| format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-A: 1\r\n".repeat(count - 1));
    assert_eq!(site.ask(fields(100)).await.status, 200);
    assert_eq!(site.ask(fields(101)).await.status, 431);
    let cookies = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "Cookie: a=b\r\n".repeat(300));
    assert_eq!(site.ask(cookies).await.status, 431);
    assert_eq!(site.upstream.requests().len(), 2);
}

/// T57
#[tokio::test]
async fn a_huge_head_is_answered_though_the_client_is_still_sending_it() {
    let site = Site::start().await;
    let mut client = site.connect().await;
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(900 * 1024));
    // The server may have closed before all of it is written: its answer counts.
    let _ = client.stream.write_all(head.as_bytes()).await;
    assert_eq!(client.answer().await.status, 431);
}

#[tokio::test]
async fn ordinary_heads_pass_as_they_are() {
    let site = Site::start().await;
    for head in [
        "GET /api/resource/User?filters=[[\"name\",\"=\",\"x\"]]&x=%23%2e HTTP/1.1\r\nHost: erp.example.com:8080\r\n",
        "GET / HTTP/1.1\r\nhost: [::1]:80\r\nX-Value: gr\u{fc}n\ttab\r\nX-Empty:\r\n",
        "OPTIONS /x HTTP/1.1\r\nHost: 127.0.0.1\r\nX:no-space\r\n",
        "\r\n\r\nGET /after-empty-lines HTTP/1.1\r\nHost: x\r\n",
        "GET /old HTTP/1.0\r\n",
    ] {
        let answer = site.ask(format!("{head}\r\n")).await;
        assert_eq!(answer.status, 200, "{head:?}");
    }
    let requests = site.upstream.requests();
    assert!(
        requests[0].starts_with("GET /api/resource/User?filters=[[%22name%22,%22=%22,%22x%22]]&x=%23%2e HTTP/1.1\r\n")
    );
    assert!(requests[1].contains("X-Value: gr\u{fc}n\ttab\r\n"));
}

/// T54
#[tokio::test]
async fn an_upgrade_to_h2c_is_not_heard() {
    let site = Site::start().await;
    let answer = site
        .ask("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nX-Last: 1\r\n\r\n")
        .await;
    assert_eq!(answer.status, 200);
    let received = site.upstream.received().to_ascii_lowercase();
    assert!(!received.contains("upgrade") && !received.contains("http2-settings"), "{received}");
    assert!(received.contains("x-last: 1"));
}

#[tokio::test]
async fn many_requests_share_a_connection_and_may_come_byte_by_byte() {
    let site = Site::start().await;
    let mut client = site.connect().await;
    for number in 0..50 {
        client.send(format!("POST /{number} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "3"));
    }
    for byte in b"POST /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" {
        client.send([*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(site.upstream.requests().len(), 51);
}

/// T50
#[tokio::test]
async fn pipelined_requests_are_never_smuggled() {
    let site = Site::start().await;
    let mut client = site.connect().await;
    client.send("GET /first HTTP/1.1\r\nHost: x\r\n\r\nGET /second HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(client.answer().await.status, 200);
    client.closed().await;
    assert_eq!(site.upstream.requests().len(), 1);
    assert!(!site.upstream.received().contains("/second"));
}
