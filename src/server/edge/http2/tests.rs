//! The watch alone: who is blamed for a stream that stands still.

use std::{future::poll_fn, time::Duration};

use tokio::time::{advance, timeout};

use super::watch::{Judgement, Patience, Watch};
use crate::server::edge::pace::Minimum;

const WINDOW: Duration = Duration::from_secs(10);
const MINIMUM: Minimum = Minimum { rate: 100, window: WINDOW };
const HEAD: Duration = Duration::from_secs(60);

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

fn headers(flags: u8, stream: u8) -> Vec<u8> {
    frame(1, 4 | flags, stream, b"block")
}

/// All that may be sent on a stream, in frames.
fn a_window_of_data() -> Vec<u8> {
    let mut frames = frame(0, 0, 1, &[0; 16_384]).repeat(3);
    frames.extend(frame(0, 0, 1, &[0; 16_383]));
    frames
}

fn watch() -> Watch {
    Watch::new(Patience { head: HEAD, receiving: MINIMUM, sending: MINIMUM })
}

/// What it says within this time.
async fn within(watch: &mut Watch, time: Duration) -> Option<Judgement> {
    timeout(time, poll_fn(|context| watch.poll_judge(context))).await.ok()
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_the_clients_fault_and_one_without_room_is_not() {
    let mut idle = watch();
    idle.received(&headers(0, 1)).unwrap();
    assert_eq!(within(&mut idle, WINDOW * 2).await, Some(Judgement::Reset("slow_body")));

    let mut full = watch();
    full.received(&[headers(0, 1), a_window_of_data()].concat()).unwrap();
    assert_eq!(within(&mut full, WINDOW * 3).await, None, "we have given no room for more");
    full.sent(&frame(8, 0, 1, &[0, 0, 1, 0]));
    assert_eq!(within(&mut full, WINDOW * 3).await, None, "nor has the connection");
    full.sent(&frame(8, 0, 0, &[0, 0, 1, 0]));
    assert_eq!(within(&mut full, WINDOW * 3).await, Some(Judgement::Reset("slow_body")));
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_the_client_only_once_it_has_begun_and_its_window_is_shut() {
    let mut watch = watch();
    watch.received(&frame(4, 0, 0, &[0, 4, 0, 0, 0, 5])).unwrap();
    watch.received(&headers(1, 1)).unwrap();
    assert_eq!(within(&mut watch, WINDOW * 3).await, None, "ERPNext takes its time");
    watch.sent(&headers(0, 1));
    watch.sent(&frame(0, 0, 1, b"four"));
    assert_eq!(within(&mut watch, WINDOW * 3).await, None, "there is room");
    watch.sent(&frame(0, 0, 1, b"5"));
    advance(WINDOW / 2).await;
    watch.received(&frame(8, 0, 1, &[0, 0, 0, 1])).unwrap();
    watch.sent(&frame(0, 0, 1, b"6"));
    let begun = tokio::time::Instant::now();
    assert_eq!(within(&mut watch, WINDOW * 3).await, Some(Judgement::Reset("slow_reader")));
    assert!(begun.elapsed() < WINDOW, "the first half of the wait counts");
}

#[tokio::test(start_paused = true)]
async fn who_takes_his_answer_steadily_is_left_alone_however_often_his_window_is_shut() {
    let mut watch = watch();
    watch.received(&frame(4, 0, 0, &[0, 4, 0, 0, 0, 0])).unwrap();
    watch.received(&headers(1, 1)).unwrap();
    watch.sent(&headers(0, 1));
    for _ in 0..60 {
        assert_eq!(within(&mut watch, Duration::from_secs(1)).await, None);
        watch.received(&frame(8, 0, 1, &[0, 0, 0, 200])).unwrap();
        watch.sent(&frame(0, 0, 1, &[0; 200]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_has_ended_or_was_reset_is_forgotten() {
    let mut watch = watch();
    watch.received(&[headers(1, 1), headers(0, 3), headers(0, 5)].concat()).unwrap();
    watch.sent(&headers(1, 1));
    watch.received(&frame(3, 0, 3, &[0, 0, 0, 8])).unwrap();
    watch.sent(&frame(3, 0, 5, &[0, 0, 0, 8]));
    assert_eq!(within(&mut watch, HEAD * 3).await, None);
}

#[tokio::test(start_paused = true)]
async fn an_order_to_end_a_stream_waits_until_a_frame_may_begin() {
    let mut watch = watch();
    let other = frame(0, 0, 3, &[0; 2000]);
    watch.received(&[&headers(0, 1)[..], &headers(0, 3), &other[..1500]].concat()).unwrap();
    assert_eq!(within(&mut watch, WINDOW * 2).await, Some(Judgement::Reset("slow_body")));
    assert!(watch.has_orders() && !watch.is_between_frames());
    let rest = [&other[1500..], &headers(1, 5)[..3]].concat();
    assert_eq!(watch.received(&rest), Ok(Some(other.len() - 1500)));
    let orders = watch.orders();
    assert_eq!(orders.len() % 13, 0);
    assert!(orders.starts_with(&[0, 0, 4, 8, 0, 0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff]));
    assert!(!watch.has_orders());
}

#[tokio::test(start_paused = true)]
async fn a_frame_or_block_without_an_end_and_a_connection_without_a_request_have_a_deadline() {
    assert_eq!(within(&mut watch(), HEAD * 2).await, Some(Judgement::Cut(None)));
    for begun in
        [&headers(1, 3)[..5], &headers(1, 3)[..12], &frame(1, 1, 3, b"no end")[..], &frame(6, 0, 0, &[0; 8])[..15]]
    {
        let mut watch = watch();
        watch.received(&headers(1, 1)).unwrap();
        watch.received(begun).unwrap();
        assert_eq!(within(&mut watch, HEAD / 2).await, None);
        assert_eq!(within(&mut watch, HEAD).await, Some(Judgement::Cut(Some("timeout"))));
    }
}
