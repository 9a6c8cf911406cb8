//! Those who keep us waiting, and those who come in numbers. T87 and the slow part of T58.

use std::time::Duration;

use empress_gateway::server::edge::Minimum;
use tokio::{
    io::AsyncReadExt,
    time::{Instant, sleep, timeout},
};

use super::harness::{PATIENCE, Site};

const SHORT: Duration = Duration::from_millis(200);

/// T58, T87
#[tokio::test]
async fn a_head_that_drips_is_ended_by_its_deadline_and_others_are_served_meanwhile() {
    // Long enough for the others, whatever else the machine does.
    let site = Site::with(|settings| settings.edge.header_timeout = Duration::from_secs(4)).await;
    let mut slow = site.connect().await;
    let (mut reader, mut writer) = tokio::io::split(&mut slow.stream);
    let drip = async {
        for byte in b"GET / HTTP/1.1\r\nHost: x\r\nX-Drip: dripdripdripdripdripdripdripdrip".iter().cycle() {
            if tokio::io::AsyncWriteExt::write_all(&mut writer, &[*byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let others = async {
        loop {
            assert_eq!(site.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 200);
            sleep(Duration::from_millis(50)).await;
        }
    };
    let mut answer = String::new();
    tokio::select! {
        () = drip => {}
        _ = reader.read_to_string(&mut answer) => {}
        () = others => {}
    }
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer:?}");
    assert!(!site.upstream.received().contains("Drip"));
}

/// T87
#[tokio::test]
async fn a_connection_on_which_nothing_is_asked_is_closed_without_a_word() {
    // Each with only one of the timeouts within our patience.
    let site = Site::with(|settings| settings.edge.header_timeout = SHORT).await;
    let begun = Instant::now();
    let (sent, _) = site.connect().await.closed().await;
    assert_eq!(sent, "");
    assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());

    let site = Site::with(|settings| settings.edge.keepalive_timeout = SHORT * 3).await;
    let mut served = site.connect().await;
    let begun = Instant::now();
    served.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(served.answer().await.status, 200);
    let (sent, _) = served.closed().await;
    assert_eq!(sent, "");
    assert!(begun.elapsed() >= SHORT * 3, "keepalive_timeout holds between requests: {:?}", begun.elapsed());
}

/// T58, T87
#[tokio::test]
async fn a_body_that_drips_is_cut_off() {
    let site = Site::with(|settings| settings.edge.receiving = Minimum { rate: 1000, window: SHORT }).await;
    for head in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
        let mut client = site.connect().await;
        let begun = Instant::now();
        client.send(format!("POST / HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n")).await;
        let (sent, _) = client.closed().await;
        assert!(!sent.starts_with("HTTP/1.1 200"), "{sent}");
        assert!(begun.elapsed() >= SHORT, "{:?}", begun.elapsed());
    }
    assert_eq!(site.refusals(), ["slow_body", "slow_body"]);
    assert_eq!(site.upstream.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn the_time_that_the_upstream_takes_is_not_the_clients_fault() {
    let site = Site::with(|settings| settings.edge.receiving = Minimum { rate: 1000, window: SHORT }).await;
    let mut client = site.connect().await;
    client.send("POST /held HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab").await;
    site.upstream.arrived().await;
    sleep(SHORT * 3).await;
    site.upstream.release();
    assert_eq!(client.answer().await.status, 200);
    assert_eq!(site.refusals(), Vec::<&str>::new());
}

/// T87
#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_cut_off() {
    let site = Site::with(|settings| settings.edge.sending = Minimum { rate: 1000, window: SHORT }).await;
    let mut client = site.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let refused = async {
        while site.refusals().is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, refused).await.expect("it is cut off in time");
    let (sent, _) = client.closed().await;
    assert!(sent.len() < 10 << 20, "{}", sent.len());
    assert_eq!(site.refusals(), ["slow_reader"]);
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once() {
    let site = Site::with(|settings| settings.edge.connections.per_address = 2).await;
    let mut held = [site.connect().await, site.connect().await];
    for client in &mut held {
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(client.answer().await.status, 200);
    }
    assert_eq!(site.connect().await.closed().await.0, "");
    assert_eq!(site.refusals(), ["max_connections_per_address"]);
    drop(held);
    while site.running.open_connections() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(site.ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 200);
}
