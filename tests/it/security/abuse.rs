//! Peers that lie about what they are, send too much, or guess.

use tokio::time::Instant;

use crate::{
    standin::ALICE,
    support::{METHOD, Request, SHOP, Setup, TestGateway},
};

const USERS: &str = "/api/resource/User";

fn guarded() -> TestGateway {
    Setup::new().route("path = '/api/resource/**'\nauth = 'bearer'").start()
}

/// T55
#[test]
fn who_says_it_is_a_health_check_is_asked_for_a_token_like_anybody() {
    let gateway = guarded();
    for agent in ["kube-probe/1.29", "ELB-HealthChecker/2.0", "GoogleHC/1.0", "Prometheus/2.45"] {
        let request = Request::get(USERS).header("User-Agent", agent);
        assert_eq!(gateway.without_upstream(agent, || gateway.send(&request)).status, 401, "{agent}");
    }
    for target in [
        "/healthz/../api/resource/User",
        "/readyz/%2e%2e/api/resource/User",
        "/metrics/..%2fapi/resource/User",
        "/healthz/..;/api/resource/User",
    ] {
        let status = gateway.without_upstream(target, || gateway.get(target)).status;
        assert!([400, 401].contains(&status), "{target}: {status}");
    }
}

/// T56
#[test]
fn cookies_that_make_no_sense_open_nothing() {
    let gateway = guarded();
    let long = format!("sid={}", "x".repeat(8000));
    let cookies: [&[u8]; 8] = [
        b"sid",
        b"=sid",
        b"sid=\"",
        b";;;;",
        b"sid=a; sid=b",
        b"user_id=Administrator; system_user=yes",
        b"sid=\xff\xfe",
        long.as_bytes(),
    ];
    for cookie in cookies {
        let what = String::from_utf8_lossy(cookie).into_owned();
        let head =
            [b"GET /api/resource/User HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: ", cookie, b"\r\n\r\n"];
        let answer = gateway.without_upstream(&what, || gateway.raw(&head.concat()));
        let line = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
        assert!(line.contains(" 401 ") || line.contains(" 400 "), "{what}: {line}");
    }
}

/// T57
#[test]
fn more_than_a_request_may_have_is_refused_and_takes_no_memory() {
    let gateway = TestGateway::start();
    let memory = || gateway.resident();
    let before = memory();
    let mut many = Request::get(USERS);
    for number in 0..300 {
        many = many.header(&format!("X-Field-{number}"), "x");
    }
    let cookies: Vec<_> = (0..1000).map(|number| format!("cookie_number_{number}={}", "x".repeat(40))).collect();
    let token = format!("{METHOD}get_token");
    let packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xc1];
    for (what, request, statuses) in [
        ("300 headers", many, &[400, 431][..]),
        ("1000 cookies", Request::get(USERS).header("Cookie", &cookies.join("; ")), &[400, 431]),
        ("a header of 2 MiB", Request::get(USERS).header("X", &"x".repeat(2 << 20)), &[431]),
        ("a form of 10 MB", Request::form(&token, &[("code", &"x".repeat(10 << 20))]), &[413]),
        (
            "a packed form",
            Request::new("POST", &token)
                .header("Content-Encoding", "gzip")
                .body("application/x-www-form-urlencoded", &packed),
            &[400, 401, 415],
        ),
    ] {
        let mut connection = gateway.connect();
        let answer = gateway.without_upstream(what, || {
            // It may be refused before all of it is sent.
            let _ = connection.write(&request.bytes("x"));
            connection.answer(false)
        });
        let status = answer.unwrap_or_else(|error| panic!("{what}: {error}")).status;
        assert!(statuses.contains(&status), "{what}: {status}");
    }
    let grown = memory().saturating_sub(before);
    assert!(grown < 40 << 20, "{} MiB more", grown >> 20);
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
}

/// T69. The medians of interleaved samples: a machine with other work moves both alike.
#[test]
fn an_unknown_client_and_a_wrong_secret_take_the_same_time() {
    let gateway = TestGateway::start();
    let path = format!("{METHOD}get_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x")];
    let requests =
        [SHOP.id, "hops"].map(|id| Request::form(&path, &form).basic(id, "a-secret-that-is-wrong-0123456789"));
    let mut connection = gateway.connect();
    let mut taken = [Vec::new(), Vec::new()];
    for _ in 0..1500 {
        for (request, taken) in requests.iter().zip(&mut taken) {
            let begun = Instant::now();
            let answer = connection.send(request).expect("an answer");
            taken.push(begun.elapsed());
            assert_eq!((answer.status, answer.error().as_str()), (401, "invalid_client"));
        }
    }
    let [wrong, unknown] = taken.map(|mut taken| {
        taken.sort_unstable();
        taken[taken.len() / 2].as_secs_f64()
    });
    assert!((0.8..1.25).contains(&(wrong / unknown)), "wrong secret {wrong} s, unknown client {unknown} s");
}
