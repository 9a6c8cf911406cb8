//! Request heads over HTTP/2: the same rules as over HTTP/1, whether `h2` or the edge holds them. T43, T45, T51, T54, T57, T86.

use super::{
    frames::{CONTINUATION, DATA, END_STREAM, HEADERS, Outcome, block, frame, get, headers, request},
    tls_site::TlsSite,
};

/// What may become of a request that is refused.
#[derive(Clone, Copy, Debug)]
enum Refused {
    With(u16),
    /// The stream is reset, as the protocol has it for a malformed request.
    Reset,
    /// One or the other, or with the whole connection: what can't be decoded is the end of it.
    Somehow,
}

/// Each is refused, nothing of it reaches the upstream, and the next request is served, on the same connection if it
/// still is one.
async fn are_refused(cases: Vec<(Refused, Vec<u8>)>) {
    let site = TlsSite::start().await;
    let requests = cases.len();
    for (number, (refused, bytes)) in cases.into_iter().enumerate() {
        let mut client = site.http2();
        client.send(&bytes).unwrap();
        let outcome = client.outcome(1);
        let as_expected = match (refused, &outcome) {
            (Refused::With(status), Outcome::Answer(given, _)) => *given == status,
            (Refused::Reset | Refused::Somehow, Outcome::Reset(_)) | (Refused::Somehow, Outcome::Closed(Some(_))) => {
                true
            }
            (Refused::Somehow, Outcome::Answer(given, _)) => (400..500).contains(given),
            _ => false,
        };
        assert!(as_expected, "{refused:?}, but {outcome:?}: {}", String::from_utf8_lossy(&bytes));
        if matches!(outcome, Outcome::Closed(_)) {
            client = site.http2();
        }
        client.send(&get(3, &format!("/after/{number}"))).unwrap();
        assert_eq!(client.outcome(3).status(), Some(200), "{}", String::from_utf8_lossy(&bytes));
    }
    let others = site.site.upstream.requests();
    assert_eq!(others.len(), requests);
    assert!(others.iter().all(|request| request.starts_with("GET /after/")), "{others:?}");
}

fn bodiless(block: &[u8]) -> Vec<u8> {
    headers(END_STREAM, 1, block)
}

fn with_body(more: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    [headers(0, 1, &request("POST", "/x", more)), frame(DATA, END_STREAM, 1, body)].concat()
}

/// T43, T45
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_path_of_legal_bytes_passes() {
    let paths: [&[u8]; 13] = [
        b"",
        b"*",
        b"api/x",
        b"http://other/api",
        b"https://x/",
        b"/a b",
        b"/a\tb",
        b"/a\0b",
        b"/a\r\nX: y",
        b"/a\x7f",
        b"/\xe9",
        b"/\xc0\xaf",
        "/\u{e9}".as_bytes(),
    ];
    let with_path = |path: &[u8]| -> Vec<u8> {
        let pseudo: [(&str, &[u8]); 4] =
            [(":method", b"OPTIONS"), (":scheme", b"https"), (":path", path), (":authority", b"x")];
        bodiless(&block(&pseudo))
    };
    are_refused(paths.into_iter().map(|path| (Refused::Somehow, with_path(path))).collect()).await;
}

/// T54
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods_that_are_not_for_a_proxy_are_refused() {
    let connect = [(":method", "CONNECT"), (":authority", "x:80")];
    let websocket =
        [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":path", "/"), (":authority", "x")];
    are_refused(vec![
        (Refused::Somehow, headers(0, 1, &block(&connect))),
        (Refused::Somehow, headers(0, 1, &block(&websocket))),
        (Refused::With(405), bodiless(&request("TRACE", "/", &[]))),
        (Refused::With(400), bodiless(&request("get", "/", &[]))),
        (Refused::Somehow, bodiless(&request("G(T", "/", &[]))),
        (Refused::Somehow, bodiless(&request("", "/", &[]))),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pseudo_header_fields_must_be_there_once_and_first() {
    let usual = [(":method", "GET"), (":scheme", "https"), (":path", "/x"), (":authority", "x")];
    let without = |name: &str| {
        let rest: Vec<_> = usual.into_iter().filter(|(other, _)| *other != name).collect();
        bodiless(&block(&rest))
    };
    let twice = |name: &'static str, value: &'static str| bodiless(&block(&[&usual[..], &[(name, value)]].concat()));
    are_refused(vec![
        (Refused::Reset, without(":method")),
        (Refused::Reset, without(":scheme")),
        (Refused::Reset, without(":path")),
        (Refused::With(400), without(":authority")),
        (Refused::Reset, twice(":method", "GET")),
        (Refused::Reset, twice(":scheme", "https")),
        (Refused::Reset, twice(":path", "/y")),
        (Refused::Reset, twice(":authority", "y")),
        (Refused::Reset, twice(":status", "200")),
        (Refused::Reset, bodiless(&block(&[&[("x-first", "1")], &usual[..]].concat()))),
        (Refused::Somehow, bodiless(&block(&[&usual[..1], &[(":scheme", "ftp")], &usual[2..]].concat()))),
    ])
    .await;
}

/// T45
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_must_be_a_host_and_the_same_wherever_it_is_named() {
    let with_authority = |authority: &str, more: &[(&str, &str)]| {
        let pseudo = [(":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", authority)];
        bodiless(&block(&[&pseudo[..], more].concat()))
    };
    let with_host =
        |host: &str| bodiless(&block(&[(":method", "GET"), (":scheme", "https"), (":path", "/"), ("host", host)]));
    let mut cases: Vec<_> = ["", "a b", "u@a", "a/b", "a,b", "x:80:90", "x:99999", "[::1", "a%41", "a?b"]
        .into_iter()
        .flat_map(|host| [(Refused::Somehow, with_authority(host, &[])), (Refused::Somehow, with_host(host))])
        .collect();
    cases.push((Refused::With(400), with_authority("x", &[("host", "y")])));
    cases.push((Refused::With(400), with_authority("x", &[("host", "x"), ("host", "x")])));
    are_refused(cases).await;
}

/// T51
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fields_of_http1_and_fields_out_of_form_are_refused() {
    let with = |name: &str, value: &str| (Refused::Reset, bodiless(&request("GET", "/", &[(name, value)])));
    are_refused(vec![
        with("connection", "close"),
        with("connection", "content-length"),
        with("keep-alive", "1"),
        with("proxy-connection", "close"),
        with("upgrade", "websocket"),
        with("te", "gzip"),
        with("te", "trailers, gzip"),
        (Refused::Reset, with_body(&[("transfer-encoding", "chunked")], b"0\r\n\r\n")),
        (Refused::With(417), with_body(&[("expect", "something")], b"a")),
    ])
    .await;
}

/// `h2` takes these for a broken header block, which ends the connection: what follows can't be decoded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_values_that_are_none_end_the_request_or_the_connection() {
    let site = TlsSite::start().await;
    for (name, value) in [
        ("X-Upper", "1"),
        ("x y", "1"),
        ("", "1"),
        ("x:", "1"),
        ("x-a", "a\0b"),
        ("x-a", "a\r\nb: c"),
        ("x-a", "a\x7f"),
    ] {
        let mut client = site.http2();
        client.send(&bodiless(&request("GET", "/", &[(name, value)]))).unwrap();
        let outcome = client.outcome(1);
        assert!(outcome.status().is_none_or(|status| status == 400), "{name:?} {value:?}: {outcome:?}");
    }
    assert_eq!(site.site.upstream.received(), "");
}

/// T51
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_as_long_as_its_head_says() {
    let cases = [
        with_body(&[("content-length", "3")], b"abcGET /smuggled"),
        with_body(&[("content-length", "30")], b"abc"),
        with_body(&[("content-length", "+3")], b"abc"),
        with_body(&[("content-length", "3, 3")], b"abc"),
        with_body(&[("content-length", "-1")], b"abc"),
        with_body(&[("content-length", "")], b"abc"),
        with_body(&[("content-length", "99999999999999999999")], b"abc"),
        with_body(&[("content-length", "3"), ("content-length", "3")], b"abc"),
        with_body(&[("content-length", "3"), ("content-length", "4")], b"abc"),
    ];
    let site = TlsSite::start().await;
    for bytes in cases {
        let mut client = site.http2();
        client.send(&bytes).unwrap();
        let outcome = client.outcome(1);
        assert!(outcome.status().is_none_or(|status| status == 400), "{outcome:?} {}", String::from_utf8_lossy(&bytes));
    }
    assert_eq!(site.site.upstream.requests(), Vec::<String>::new(), "none was whole");
    assert!(!site.site.upstream.received().contains("smuggled"));
}

/// T57, T86
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_list_may_be_as_large_as_allowed_and_no_larger() {
    let site = TlsSite::with(true, |settings| settings.edge.max_header = 4096).await;
    let fields = |count: usize| -> Vec<u8> {
        let more: Vec<_> = (0..count).map(|_| ("x", "1")).collect();
        bodiless(&request("GET", "/", &more))
    };
    let filled = |size: usize| bodiless(&request("GET", "/", &[("x-fill", &"f".repeat(size))]));
    let cookies = bodiless(&request("GET", "/", &vec![("cookie", "a=b"); 1000]));
    let huge = [frame(HEADERS, END_STREAM, 1, &request("GET", "/", &[])), frame(CONTINUATION, 4, 1, &[0; 16 * 1024])];
    // Beyond any measure it is the end of the connection.
    for far_too_large in [cookies, huge.concat()] {
        let mut client = site.http2();
        client.send(&far_too_large).unwrap();
        assert!(matches!(client.outcome(1), Outcome::Closed(_)));
    }
    for (bytes, status) in [(fields(99), 200), (filled(3000), 200), (fields(101), 431), (filled(4096), 431)] {
        let mut client = site.http2();
        client.send(&bytes).unwrap();
        let outcome = client.outcome(1);
        assert_eq!(outcome.status(), Some(status), "{} bytes: {outcome:?}", bytes.len());
    }
    assert_eq!(site.site.upstream.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ordinary_requests_pass_as_over_http1() {
    let site = TlsSite::start().await;
    let mut client = site.http2();
    let post = request("POST", "/api?x=%23%2e", &[("te", "trailers"), ("expect", "100-continue"), ("x-value", "a\tb")]);
    client
        .send(&[headers(0, 1, &post), frame(DATA, 0, 1, b"hel"), frame(DATA, END_STREAM, 1, b"lo")].concat())
        .unwrap();
    assert_eq!(client.outcome(1).status(), Some(200));
    let by_host = block(&[(":method", "GET"), (":scheme", "https"), (":path", "/"), ("host", "[::1]:80")]);
    client.send(&headers(END_STREAM, 3, &by_host)).unwrap();
    assert_eq!(client.outcome(3).status(), Some(200));
    // A fragment is no part of what h2 takes for the path, so neither of what is decided on nor of what is forwarded.
    client.send(&get(5, "/x#/assets/x")).unwrap();
    assert_eq!(client.outcome(5).status(), Some(200));
    let requests = site.site.upstream.requests();
    assert!(requests[2].starts_with("GET /x HTTP/1.1\r\n"), "{requests:?}");
    assert!(
        requests[0].starts_with("POST /api?x=%23%2e HTTP/1.1\r\n") && requests[0].contains("\r\nhel\r\n"),
        "{requests:?}"
    );
    assert!(
        !requests[0].contains("xpect") && requests[0].to_ascii_lowercase().contains("\r\nhost: x\r\n"),
        "{requests:?}"
    );
    assert!(requests[1].to_ascii_lowercase().contains("\r\nhost: [::1]:80\r\n"), "{requests:?}");
    assert_eq!(site.site.refusals(), Vec::<&str>::new());
}
