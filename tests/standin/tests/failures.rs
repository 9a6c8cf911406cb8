//! The stand-in fails as it is told.

use std::time::Instant;

use super::*;

const PING: &str = "/api/method/ping";

#[test]
fn refused_connections_and_recovery_on_the_same_port() {
    let standin = StandIn::start();
    let port = standin.port();
    let mut kept = connect(&standin);
    kept.write_all(b"GET /api/method/ping HTTP/1.1\r\n").expect("it reads");
    standin.fail(Failure::Refuse);
    assert!(TcpStream::connect(standin.addr()).is_err());
    let mut rest = Vec::new();
    assert!(matches!(kept.read_to_end(&mut rest), Ok(0) | Err(_)));
    standin.heal();
    assert_eq!(get(&standin, PING, &[]).status, 200);
    assert_eq!((standin.port(), standin.url()), (port, format!("http://127.0.0.1:{port}")));
}

#[test]
fn answers_that_are_none() {
    let standin = StandIn::start();
    let ping = format!("GET {PING} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    standin.fail(Failure::CloseAtOnce);
    assert!(raw(&standin, b"").is_empty());
    standin.heal();
    standin.fail_on("ping", Failure::CloseAtOnce);
    assert!(raw(&standin, ping.as_bytes()).is_empty());
    assert_eq!(get(&standin, "/api/method/echo", &[]).status, 200);
    standin.heal();
    standin.fail(Failure::Garbage);
    assert!(!raw(&standin, ping.as_bytes()).starts_with(b"HTTP"));
    standin.heal();
    standin.fail(Failure::CloseMidBody);
    let cut = get(&standin, PING, &[]);
    assert_eq!((cut.status, cut.body.len(), cut.field("content-length").as_deref()), (200, 9, Some("18")));
    standin.heal();
    standin.fail(Failure::Hang);
    let mut stream = connect(&standin);
    stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout can be set");
    stream.write_all(ping.as_bytes()).expect("it reads");
    assert!(stream.read(&mut [0]).is_err());
}

#[test]
fn statuses_and_delays_for_some_paths_or_some_times() {
    let standin = StandIn::start();
    standin.fail(Failure::Status(502));
    standin.fail_on("/api/resource", Failure::Status(503));
    assert_eq!(get(&standin, PING, &[]).status, 502);
    assert_eq!(get(&standin, "/api/resource/User", &[]).status, 503);
    standin.heal();
    standin.fail_times(1, "ping", Failure::Status(500));
    assert_eq!((get(&standin, PING, &[]).status, get(&standin, PING, &[]).status), (500, 200));
    standin.fail_on("ping", Failure::Delay(Duration::from_millis(60)));
    let start = Instant::now();
    assert_eq!(get(&standin, PING, &[]).status, 200);
    assert!(start.elapsed() >= Duration::from_millis(60));
    assert_eq!(standin.requests().len(), 5);
}
