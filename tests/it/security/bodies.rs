//! What a body must not say, and that every other body arrives as it was sent: T02, T03, T04, decision 7.

use sha2::{Digest, Sha256};

use crate::{
    standin::{ALICE, Recorded},
    support::{Answer, Request, SHOP, Setup, TestGateway},
};

const ECHO: &str = "/api/method/echo";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=B";
const NATIVE: &str = "frappe.integrations.oauth2.get_token";

fn part(name: &str, value: &str) -> String {
    format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

/// A POST in chunks of so many bytes, as raw bytes.
fn chunked(content_type: &str, body: &str, size: usize) -> Vec<u8> {
    let mut raw = format!(
        "POST /anything HTTP/1.1\r\nHost: erp\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n"
    )
    .into_bytes();
    for chunk in body.as_bytes().chunks(size) {
        raw.extend(format!("{:x}\r\n", chunk.len()).bytes());
        raw.extend(chunk);
        raw.extend(b"\r\n");
    }
    raw.extend(b"0\r\n\r\n");
    raw
}

/// The same with its length, as raw bytes.
fn sized(content_type: &str, body: &str) -> Vec<u8> {
    format!(
        "POST /anything HTTP/1.1\r\nHost: erp\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn status(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}

fn none_whole(what: &str, seen: &[Recorded]) {
    let whole: Vec<_> = seen.iter().filter(|record| record.complete && record.path() == "/anything").collect();
    assert!(whole.is_empty(), "{what}: reached ERPNext whole");
}

/// ERPNext takes `sid` from a form or a JSON body before the cookie, and before an API key (facts §0.2; 03, 50).
#[test]
fn a_session_in_the_body_is_refused_in_every_kind_and_spelling() {
    let gateway = TestGateway::start();
    let sid = gateway.standin.login(ALICE);
    for (content_type, body) in [
        (FORM, format!("sid={sid}")),
        (FORM, format!("a=b&s%69d={sid}")),
        (FORM, format!("sid=&x=1&sid={sid}")),
        (FORM, "a=b&sid".to_owned()),
        ("application/json", format!("{{\"sid\":\"{sid}\"}}")),
        ("application/json; charset=utf-8", format!("{{\"a\":{{}},\"\\u0073i\\u0064\" : \"{sid}\"}}")),
        ("application/vnd.api+json", format!("{{\"sid\":null,\"sid\":\"{sid}\"}}")),
        (MULTIPART, format!("{}{}--B--\r\n", part("a", "1"), part("sid", &sid))),
        (MULTIPART, format!("--B\nContent-Disposition: form-data;\n name=sid\n\n{sid}\n--B--")),
    ] {
        let target = "/api/method/frappe.auth.get_logged_user";
        let request = Request::new("POST", target).body(content_type, body.as_bytes());
        let answer = gateway.without_upstream(&body, || gateway.send(&request));
        assert_eq!(answer.status, 400, "{body}: {answer}");
        assert_eq!(answer.member("error_description"), "A session must not be in the body.");
        assert!(!answer.text().contains(&sid), "{answer}");
    }
    // ERPNext reads the body of a GET, too.
    let get =
        Request::new("GET", "/api/method/frappe.auth.get_logged_user").body(FORM, format!("sid={sid}").as_bytes());
    assert_eq!(gateway.without_upstream("a GET", || gateway.send(&get)).status, 400);
    assert!(!gateway.log().contains(&sid));
}

/// T02, T03, T04: bytes of a stream may be under way when a match is found, but ERPNext never has the request whole.
#[test]
fn no_stream_with_a_session_or_a_native_method_reaches_erpnext_whole() {
    let gateway = TestGateway::start();
    let filler = "a".repeat((1 << 20) + 1);
    let bodies = [
        (FORM, "a=b&sid=x".to_owned()),
        (FORM, "a=b&sid".to_owned()),
        (FORM, format!("a={filler}&s%69d=x")),
        (FORM, format!("a={filler}&cmd={NATIVE}")),
        ("application/json", "{\"a\":1,\"sid\":2}".to_owned()),
        ("application/json", format!("{{\"a\":\"{filler}\",\"cmd\":\"{NATIVE}\"}}")),
        (MULTIPART, format!("{}{}--B--", part("a", &filler), part("cmd", NATIVE))),
        (MULTIPART, format!("{}{}--B--", part("a", &filler), part("sid", "x"))),
        (MULTIPART, "--B\rContent-Disposition: x; name=cmd\r\r".to_owned() + NATIVE + "\r--B--"),
    ];
    for (content_type, body) in &bodies {
        let what = format!("{content_type}, {} bytes", body.len());
        for raw in [sized(content_type, body), chunked(content_type, body, 7919), chunked(content_type, body, 60_000)] {
            let (answer, seen) = gateway.upstream_of(|| gateway.raw(&raw));
            // Where much of the body has yet to be read when it is refused, a reset may overtake the answer.
            assert!(matches!(status(&answer), 0 | 400 | 403), "{what}: {}", String::from_utf8_lossy(&answer));
            none_whole(&what, &seen);
        }
    }
    // Byte by byte.
    let (answer, seen) = gateway.upstream_of(|| gateway.raw(&chunked(FORM, &format!("x=1&cmd={NATIVE}"), 1)));
    assert_eq!(status(&answer), 403);
    none_whole("byte by byte", &seen);
}

#[test]
fn a_body_that_could_be_read_in_two_ways_is_refused() {
    let gateway = TestGateway::start();
    let field = format!("{}--B--", part("a", "1"));
    for (what, content_type, body) in [
        ("two boundaries", "multipart/form-data; boundary=B; boundary=C", field.clone()),
        ("an escaped boundary", "multipart/form-data; boundary*=utf-8''B", field.clone()),
        ("a preamble", MULTIPART, format!("x{field}")),
        (
            "an encoded name",
            MULTIPART,
            "--B\r\nContent-Disposition: x; name*=utf-8''%73id\r\n\r\n1\r\n--B--".to_owned(),
        ),
        ("no name", MULTIPART, "--B\r\nX: y\r\n\r\n1\r\n--B--".to_owned()),
    ] {
        let request = Request::new("POST", "/anything").body(content_type, body.as_bytes());
        let answer = gateway.without_upstream(what, || gateway.send(&request));
        assert_eq!(answer.status, 400, "{what}: {answer}");
    }
    let two_types = Request::new("POST", "/anything").header("Content-Type", "text/plain").body(FORM, b"a=1");
    assert_eq!(gateway.without_upstream("two types", || gateway.send(&two_types)).status, 400);
}

/// T68
#[test]
fn failed_logins_by_cmd_count_whatever_the_path_is() {
    let gateway = Setup::new().set("limits.login_failures", "3/m").start();
    let log_in = || {
        let request = Request::form("/anything", &[("cmd", "login"), ("usr", ALICE), ("pwd", "wrong")]);
        request.header("Accept", "application/json")
    };
    for _ in 0..3 {
        assert_eq!(gateway.send(&log_in()).status, 401);
    }
    let answer = gateway.without_upstream("a fourth", || gateway.send(&log_in()));
    assert_eq!(answer.status, 429, "{answer}");
    let streamed = gateway.raw(&chunked(FORM, "cmd=login&usr=alice&pwd=wrong", 7919));
    assert!(streamed.starts_with(b"HTTP/1.1 403 "), "a fifth: {}", String::from_utf8_lossy(&streamed));
}

/// T68. By whatever way: the form, the query, JSON, `cmd`.
#[test]
fn a_user_guessed_at_from_everywhere_is_closed_to_who_guesses_and_open_to_others() {
    let gateway = Setup::new()
        .set("limits.login_failures", "8/m")
        .set("server.trusted_proxies", vec!["127.0.0.0/8".to_owned()])
        .start();
    let from = |n: u32, request: Request| {
        let request = request.header("X-Forwarded-For", &format!("10.0.0.{n}"));
        gateway.send(&request.header("Accept", "application/json")).status
    };
    let login = "/api/method/login";
    let (upper, spaced) = (ALICE.to_uppercase(), format!(" {ALICE}"));
    for n in 0..4 {
        let json = format!("{{\"usr\":\"{ALICE}\",\"pwd\":\"wrong\"}}");
        for request in [
            Request::form(login, &[("usr", &upper), ("pwd", "wrong")]),
            Request::form("/x", &[("cmd", "login"), ("usr", &spaced), ("pwd", "wrong")]),
            Request::new("POST", login).body("application/json", json.as_bytes()),
        ] {
            assert_eq!(from(n, request), 401);
        }
    }
    let again = || Request::get(&format!("{login}?usr={ALICE}&pwd=wrong"));
    assert_eq!(gateway.without_upstream("a fourth from there", || from(1, again())), 429);
    let right = [("usr", ALICE), ("pwd", crate::standin::ALICE_PASSWORD)];
    assert_eq!(from(200, Request::form(login, &right)), 200, "the user, from elsewhere");
    assert_eq!(from(1, Request::form(login, &[("usr", "bob@example.com"), ("pwd", "wrong")])), 401, "another user");
}

/// ERPNext fails with 500 at showing a failed login as a page.
#[test]
fn a_failed_login_counts_when_it_was_to_be_shown_as_a_page() {
    let gateway = Setup::new().set("limits.login_failures", "3/m").start();
    let log_in =
        || Request::form("/", &[("cmd", "login"), ("usr", ALICE), ("pwd", "wrong")]).header("Accept", "text/html");
    for _ in 0..3 {
        assert_eq!(gateway.send(&log_in()).status, 500);
    }
    assert_eq!(gateway.without_upstream("a fourth", || gateway.send(&log_in())).status, 429);
    let other = Request::form("/", &[("cmd", "frappe.ping")]);
    assert_ne!(gateway.send(&other).status, 429, "what is no login goes on");
}

/// Werkzeug reads these as fields: a `filename*x` is no file's name to it.
#[test]
fn a_part_that_only_looks_like_a_file_is_refused() {
    let gateway = TestGateway::start();
    for key in ["filename*x", "filename**", "filename*0", "filename*0*", "FILENAME*1"] {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=\"cmd\"; {key}=1\r\n\r\nfrappe.auth.get_logged_user\r\n--b--\r\n"
        );
        let request = Request::new("POST", "/anything").body("multipart/form-data; boundary=b", body.as_bytes());
        assert_eq!(gateway.without_upstream(key, || gateway.send(&request)).status, 400, "{key}");
    }
}

fn arrived(what: &str, answer: &Answer, body: &str) {
    assert_eq!(answer.status, 200, "{what}: {answer}");
    let echo = &answer.json()["message"];
    assert_eq!(echo["body_length"], body.len(), "{what}");
    let sent = Sha256::digest(body.as_bytes()).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    assert_eq!(echo["body_sha256"], sent, "{what}");
}

#[test]
fn every_other_body_arrives_as_it_was_sent() {
    let gateway = TestGateway::start();
    let token = gateway.tokens(ALICE, SHOP, &[]).access;
    let mut connection = gateway.connect();
    for length in [1, 65_535, 65_536, 65_537, 131_073, (1 << 20) - 3, 1 << 20, (1 << 20) + 70_000] {
        let filler = "sid=1&\"cmd\":\r\n--C\r\n".repeat(length / 19 + 1)[..length].replace('&', "+");
        let bodies = [
            (FORM, format!("a={filler}")),
            ("application/json", serde_json::json!({ "a": filler, "b": { "sid": 1 } }).to_string()),
            (MULTIPART, format!("{}--B--\r\n", part("a", &filler))),
            ("application/octet-stream", filler),
        ];
        for (content_type, body) in bodies {
            let request = Request::new("POST", ECHO).bearer(&token).body(content_type, body.as_bytes());
            let answer = connection.send(&request).expect("the connection is kept");
            arrived(&format!("{content_type}, {length}"), &answer, &body);
        }
    }
}

#[test]
fn what_waits_at_the_end_of_a_stream_is_sent_with_it() {
    let gateway = TestGateway::start();
    for body in ["a=1&si", "a=1&x=frappe.integ", "cm"] {
        let (answer, seen) = gateway.upstream_of(|| gateway.raw(&chunked(FORM, body, 3)));
        assert_eq!(status(&answer), 404, "{body}: {}", String::from_utf8_lossy(&answer));
        let record = seen.iter().find(|record| record.path() == "/anything").expect("forwarded");
        assert!(record.complete, "{body}");
        assert_eq!(String::from_utf8_lossy(&record.body), body);
    }
}

/// A held body is sent again as a whole when ERPNext has lost the shadow token (51).
#[test]
fn a_held_body_is_sent_again_whole_with_a_new_credential() {
    let gateway = TestGateway::start();
    let token = gateway.tokens(ALICE, SHOP, &[]).access;
    gateway.acts_as(&token, ALICE);
    gateway.standin.delete_all_bearers();
    let body = format!("a={}", "x".repeat(500_000));
    let answer = gateway.send(&Request::new("POST", ECHO).bearer(&token).body(FORM, body.as_bytes()));
    arrived("after a renewal", &answer, &body);
    assert_eq!(answer.json()["message"]["user"], ALICE);
}
