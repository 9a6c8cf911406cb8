//! Recording, framing, echo, uploads, websockets.

use super::*;

#[test]
fn requests_are_kept_byte_for_byte() {
    let standin = StandIn::start();
    let bytes = b"POST /api/method/echo?a=b%20c HTTP/1.1\r\nhOST: x\r\nX-A:  1\r\nX-A: 2\r\nCookie: a=b; sid=x%20y\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\nGET /api/method/ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = raw(&standin, bytes);
    assert_eq!(String::from_utf8_lossy(&answer).matches("HTTP/1.1 200 OK").count(), 2);
    let requests = standin.requests();
    assert_eq!(requests.len(), 2);
    let first = &requests[0];
    assert!(bytes.starts_with(&first.raw_head));
    assert_eq!(first.raw_body, b"3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n");
    assert_eq!((first.body.as_slice(), first.body_length), (&b"abcde"[..], 5));
    assert_eq!(first.headers("x-a"), ["1", "2"]);
    assert_eq!(first.header("X-A").as_deref(), Some("1"));
    assert_eq!(first.fields().len(), 5);
    assert_eq!((first.path().as_str(), first.query("a").as_deref()), ("/api/method/echo", Some("b c")));
    assert_eq!(first.cookie("sid").as_deref(), Some("x y"));
    assert!(first.complete && first.text().contains("abc") && first.peer == "127.0.0.1");
    assert_eq!((first.status, first.connection, requests[1].connection), (Some(200), 1, 1));
    assert_eq!(standin.count(|it| it.method == "GET"), 1);
    assert_eq!(standin.connections(), 1);
    standin.forget_requests();
    standin.set_recording(false);
    get(&standin, "/", &[]);
    assert!(standin.requests().is_empty());
}

/// Waits until the stand-in has noticed that a connection ended.
fn recorded(standin: &StandIn) -> Recorded {
    for _ in 0..500 {
        if let Some(record) = standin.requests().into_iter().find(|it| it.problem.is_some()) {
            return record;
        }
        thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("nothing was recorded")
}

#[test]
fn broken_requests_are_flagged() {
    for (bytes, problem) in [
        (&b"GET / HT"[..], "the head never ended"),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc", "the body never ended"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "the body never ended"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "chunk size: \"x\""),
        (
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Content-Length and Transfer-Encoding",
        ),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "Content-Length: \"3\""),
        (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", "field: \"A : b\""),
        (b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", "field: \"A: b\\nC: d\""),
    ] {
        let standin = StandIn::start();
        let mut stream = connect(&standin);
        stream.write_all(bytes).expect("it reads");
        stream.shutdown(std::net::Shutdown::Write).expect("it can be shut down");
        let record = recorded(&standin);
        assert_eq!((record.complete, record.problem.as_deref()), (false, Some(problem)));
        assert!(bytes.starts_with(&record.raw_head));
    }
}

#[test]
fn echo_shows_what_arrived() {
    let standin = StandIn::start();
    let answer = send(&standin, "PATCH /api/method/echo?x=1", &["X-Odd_Name: v"], "hello");
    let said = answer.json()["message"].clone();
    assert_eq!(
        (said["user"].as_str(), said["method"].as_str(), said["query"].as_str()),
        (Some("Guest"), Some("PATCH"), Some("x=1"))
    );
    assert_eq!(said["headers"][2], serde_json::json!(["X-Odd_Name", "v"]));
    assert_eq!(said["body_sha256"], random::sha256_hex(b"hello"));
    assert_eq!(get(&standin, "/api/method/status?code=418", &[]).status, 418);
    assert_eq!(get(&standin, "/api/method/large?bytes=100000", &[]).body.len(), 100_000);
    let pieces = get(&standin, "/api/method/stream?chunks=2&ms=1", &[]);
    assert_eq!(pieces.text(), "8\r\npiece 1\n\r\n8\r\npiece 2\n\r\n0\r\n\r\n");
    let cookie = get(&standin, "/api/method/set_cookie?name=n&value=v", &[]);
    assert_eq!(cookie.cookie("n"), "v");
    assert_eq!(get(&standin, "/api/method/slow?ms=1", &[]).status, 200);
    let head = send(&standin, "HEAD /api/method/large?bytes=7", &[], "");
    assert_eq!((head.field("content-length").as_deref(), head.body.len()), (Some("7"), 0));
    assert_eq!(send(&standin, &format!("HEAD {LOGGED_USER}"), &[], "").status, 403);
}

#[test]
fn uploads_stream_and_large_ones_are_recorded_by_hash() {
    let standin = StandIn::start();
    let cookie = format!("Cookie: sid={}", standin.login(BOB));
    let content = "0123456789abcdef".repeat(200_000);
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n{content}\r\n--b\r\nContent-Disposition: form-data; name=\"is_private\"\r\n\r\n1\r\n--b--\r\n"
    );
    let kind = "Content-Type: multipart/form-data; boundary=\"b\"";
    let answer = send(&standin, "POST /api/method/upload_file", &[&cookie, kind, "Expect: 100-continue"], &body);
    assert!(answer.head.starts_with("HTTP/1.1 100 Continue"));
    let answer = parse(&answer.body);
    let said = answer.json()["message"].clone();
    assert_eq!((said["file_size"].as_u64(), said["is_private"].as_u64()), (Some(3_200_000), Some(1)));
    assert_eq!(said["sha256"], random::sha256_hex(content.as_bytes()));
    let record = standin.requests().remove(0);
    assert!(record.complete && record.body.is_empty() && record.raw_body.is_empty());
    assert_eq!(record.body_length, body.len() as u64);
    assert_eq!(record.body_sha256, random::sha256_hex(body.as_bytes()));
    assert_eq!(form(&standin, "/api/method/upload_file", &[], "x=y").status, 403);
    // Fields behind a megabyte of others, and large forms, are still read.
    let far = format!(
        "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n{content}\r\n--b\r\nContent-Disposition: form-data; name=\"cmd\"\r\n\r\nfrappe.ping\r\n--b--\r\n"
    );
    assert_eq!(send(&standin, "POST /x", &[kind], &far).text(), r#"{"message":"pong"}"#);
    assert_eq!(form(&standin, "/x", &[], &format!("a={content}&cmd=ping")).text(), r#"{"message":"pong"}"#);
}

#[test]
fn websockets_echo() {
    let standin = StandIn::start();
    for path in ["/ws-echo", "/socket.io/?EIO=4&transport=websocket"] {
        let mut stream = connect(&standin);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        // "hi" masked with 1 2 3 4, then a close frame.
        stream.write_all(&[0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2]).expect("it reads");
        stream.write_all(&[0x88, 0x80, 0, 0, 0, 0]).expect("it reads");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("it answers");
        let answer = parse(&bytes);
        assert_eq!((answer.status, answer.fields("set-cookie").len()), (101, 0));
        let accept = answer.field("sec-websocket-accept");
        assert_eq!(accept.as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(answer.body, [0x81, 2, b'h', b'i', 0x88, 0]);
    }
    let refused = get(&standin, "/ws-refused", &["Upgrade: websocket"]);
    assert_eq!(refused.status, 200);
    assert!(get(&standin, "/socket.io/?EIO=4&transport=polling", &[]).text().starts_with("0{\"sid\""));
    assert_eq!(get(&standin, "/ws-echo", &["Authorization: Bearer nope"]).status, 401);
}
