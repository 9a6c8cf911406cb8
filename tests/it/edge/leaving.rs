//! The drain, and what the admin listener says.

use std::{sync::Arc, time::Duration};

use empress_gateway::server::{
    lifecycle::Drained,
    signals::{Ended, SignalWatch},
};
use signal_hook::{
    consts::{SIGHUP, SIGTERM},
    low_level::raise,
};
use tokio::{net::TcpStream, sync::oneshot, task::spawn_blocking, time::Instant};

use super::{
    frames::{ACK, GOAWAY, PING, frame, get},
    harness::{Client, PATIENCE, Site},
    tls_site::TlsSite,
};

#[tokio::test]
async fn an_idle_server_leaves_at_once() {
    let site = Site::start().await;
    let mut idle = site.connect().await;
    idle.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(idle.answer().await.status, 200);
    let start = Instant::now();
    let drained = spawn_blocking(move || site.running.stop()).await.unwrap();
    assert_eq!(drained, Drained::Whole);
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    assert_eq!(idle.closed().await.0, "");
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_server_leaves() {
    let site = Site::start().await;
    let mut client = site.connect().await;
    client.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n").await;
    site.upstream.arrived().await;
    let (done, drained) = oneshot::channel();
    site.running.begin_stop(move |how| done.send(how).unwrap());
    assert_eq!(admin(&site, "GET /readyz").await.0, 503, "not ready while draining");
    site.upstream.release();
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(drained.await.unwrap(), Drained::Whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_streams_in_flight_are_answered_before_the_server_leaves() {
    let site = TlsSite::start().await;
    let (mut busy, mut idle) = (site.http2(), site.http2());
    busy.send(&get(1, "/held")).unwrap();
    site.site.upstream.arrived().await;
    let (done, mut drained) = oneshot::channel();
    site.site.running.begin_stop(move |how| done.send(how).unwrap());
    // Each is told to open no more streams, and asked whether it has heard that.
    for client in [&mut busy, &mut idle] {
        client.until(0, |frame| frame.kind == GOAWAY).expect("it is told");
        let asked = client.until(0, |frame| frame.kind == PING).expect("it is asked");
        client.send(&frame(PING, ACK, 0, &asked.payload)).unwrap();
    }
    idle.closed();
    assert!(drained.try_recv().is_err(), "somebody is still waiting for his answer");
    site.site.upstream.release();
    assert_eq!(busy.outcome(1).status(), Some(200));
    assert_eq!(drained.await.unwrap(), Drained::Whole);
}

#[tokio::test]
async fn the_grace_ends_a_drain_that_does_not() {
    let site = Site::with(|settings| settings.shutdown_grace = Duration::from_millis(200)).await;
    let mut client = site.connect().await;
    client.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n").await;
    site.upstream.arrived().await;
    let drained = spawn_blocking(move || site.running.stop()).await.unwrap();
    assert_eq!(drained, Drained::CutOff(1));
}

async fn admin(site: &Site, request_line: &str) -> (u16, String) {
    let mut client = Client::new(TcpStream::connect(site.running.admin_address()).await.unwrap());
    client.send(format!("{request_line} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    let answer = client.answer().await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn the_admin_listener_answers_for_health_readiness_and_metrics_only() {
    let site = Site::start().await;
    assert_eq!(admin(&site, "GET /healthz").await.0, 200);
    assert_eq!(admin(&site, "GET /readyz?verbose").await, (200, "{\"status\":\"ready\"}\n".to_owned()));
    assert_eq!(admin(&site, "GET /metrics").await, (200, "empress_up 1\n".to_owned()));
    assert_eq!(admin(&site, "POST /metrics").await.0, 405);
    assert_eq!(admin(&site, "GET /healthz/../api").await.0, 404);
    assert_eq!(admin(&site, "GET /").await.0, 404);
}

#[tokio::test]
async fn the_paths_of_the_admin_listener_mean_nothing_on_the_others() {
    let site = Site::start().await;
    for path in ["/metrics", "/healthz", "/readyz"] {
        let answer = site.ask(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "0"), "the upstream's answer");
    }
    assert_eq!(site.upstream.requests().len(), 3);
}

/// In one test, since signals are the whole process's.
#[tokio::test]
async fn one_signal_drains_a_second_leaves_at_once_and_a_hangup_does_not_kill() {
    let site = Site::start().await;
    let signals = SignalWatch::install().unwrap();
    raise(SIGHUP).unwrap();
    raise(SIGTERM).unwrap();
    let ended = spawn_blocking(move || signals.run(&site.running, &())).await.unwrap();
    assert_eq!(ended, Ended::Drained(Drained::Whole));

    let Site { upstream, running, .. } = Site::start().await;
    let running = Arc::new(running);
    let address = running.addresses()[0].address;
    let signals = SignalWatch::install().unwrap();
    let mut client = Client::new(TcpStream::connect(address).await.unwrap());
    client.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n").await;
    upstream.arrived().await;
    let waiting = spawn_blocking(move || signals.run(&running, &()));
    raise(SIGTERM).unwrap();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    raise(SIGTERM).unwrap();
    assert_eq!(waiting.await.unwrap(), Ended::AtOnce);
}
