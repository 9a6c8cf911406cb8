//! Those who keep us waiting over HTTP/2, each stream for itself. T58, T87.

use std::time::Duration;

use empress_gateway::server::edge::Minimum;
use tokio::time::{Instant, sleep};

use super::{
    frames::{
        DATA, END_STREAM, Frame, HEADERS, Http2, Outcome, PING, WINDOW_UPDATE, block, frame, get, headers,
        initial_window, request, window_update,
    },
    harness::{PATIENCE, Site, until},
    tls_site::TlsSite,
};

/// Long enough for a machine that does other things besides; a drip moves a tenth of what it must.
const MINIMUM: Minimum = Minimum { rate: 1000, window: Duration::from_millis(500) };
/// Between the bytes of a drip.
const DRIP: Duration = Duration::from_millis(10);

const LARGE: usize = 10 << 20;

/// One that is impatient with bodies and readers.
async fn impatient() -> TlsSite {
    TlsSite::with(true, |settings| {
        settings.edge.receiving = MINIMUM;
        settings.edge.sending = MINIMUM;
    })
    .await
}

fn post(stream: u32, path: &str) -> Vec<u8> {
    headers(0, stream, &request("POST", path, &[]))
}

/// Serves another stream of the same connection.
fn another(client: &mut Http2, stream: u32) {
    client.send(&[get(stream, "/other"), window_update(stream, 100)].concat()).unwrap();
    assert_eq!(client.outcome(stream).status(), Some(200), "served meanwhile");
}

/// Whether somebody has been refused, of which one can be certain after so long.
fn refused(site: &Site, begun: Instant) -> bool {
    assert!(begun.elapsed() < PATIENCE, "nobody is refused");
    !site.refusals().is_empty()
}

/// T58, T87
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_drips_ends_its_stream_and_the_others_of_the_connection_go_on() {
    let site = impatient().await;
    let mut client = site.http2();
    let begun = Instant::now();
    client.send(&post(1, "/drip")).unwrap();
    for stream in (3..).step_by(2) {
        if refused(&site.site, begun) {
            break;
        }
        client.send(&frame(DATA, 0, 1, b"x")).unwrap();
        another(&mut client, stream);
        sleep(DRIP).await;
    }
    assert!(matches!(client.outcome(1), Outcome::Reset(_)));
    assert!(begun.elapsed() >= MINIMUM.window);
    another(&mut client, 100_001);
    assert_eq!(site.site.refusals(), ["slow_body"]);
    assert!(!site.site.upstream.requests().iter().any(|request| request.contains("/drip")), "it was never whole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_stops_in_the_middle_of_a_frame_ends_the_connection() {
    let site = impatient().await;
    let mut client = site.http2();
    let whole = frame(DATA, END_STREAM, 1, &[b'x'; 1000]);
    client.send(&[&post(1, "/stuck")[..], &whole[..20]].concat()).unwrap();
    assert!(matches!(client.outcome(1), Outcome::Closed(_)));
    assert_eq!(site.site.refusals(), ["slow_body"]);
    assert_eq!(site.site.upstream.requests(), Vec::<String>::new());
}

/// T87
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_whose_window_stays_shut_ends_and_the_others_of_the_connection_go_on() {
    let site = impatient().await;
    let mut client = Http2::with(site.connect(), &initial_window(0));
    let begun = Instant::now();
    client.send(&get(1, "/large")).unwrap();
    client.until(1, |frame| frame.kind == HEADERS).expect("the answer begins");
    for stream in (3..).step_by(2) {
        if refused(&site.site, begun) {
            break;
        }
        another(&mut client, stream);
        sleep(DRIP).await;
    }
    assert!(matches!(client.outcome(1), Outcome::Reset(_)));
    assert!(begun.elapsed() >= MINIMUM.window);
    another(&mut client, 100_001);
    assert_eq!(site.site.refusals(), ["slow_reader"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_that_drip_or_that_the_connection_has_used_up_end_streams_too() {
    let site = impatient().await;
    let mut dripping = Http2::with(site.connect(), &initial_window(0));
    let begun = Instant::now();
    dripping.send(&get(1, "/large")).unwrap();
    while !refused(&site.site, begun) {
        dripping.send(&window_update(1, 1)).unwrap();
        sleep(DRIP).await;
    }
    assert!(matches!(dripping.outcome(1), Outcome::Reset(_)));
    // The stream's window is wide open, the connection's is what it was at first.
    let mut shut = Http2::with(site.connect(), &initial_window(1 << 30));
    shut.send(&get(1, "/large")).unwrap();
    assert!(matches!(shut.outcome(1), Outcome::Reset(_)));
    assert_eq!(site.site.refusals(), ["slow_reader"; 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_opens_its_windows_and_does_not_read_is_cut_off() {
    let site = impatient().await;
    let open = [initial_window(1 << 30), window_update(0, 1 << 30)].concat();
    let mut client = Http2::with(site.connect(), &open);
    client.send(&(0..8).flat_map(|number| get(2 * number + 1, "/large")).collect::<Vec<_>>()).unwrap();
    until("it is refused", || !site.site.refusals().is_empty()).await;
    assert_eq!(site.site.refusals(), ["slow_reader"]);
    until("it is gone", || site.site.running.open_connections() == 0).await;
}

/// Each takes its connection as far as it says and no further.
/// T58, T87
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_and_frames_that_do_not_end_are_ended_by_their_deadline() {
    const DEADLINE: Duration = Duration::from_secs(4);
    let site = TlsSite::with(true, |settings| settings.edge.header_timeout = DEADLINE).await;
    let begins = frame(HEADERS, END_STREAM, 3, &block(&[(":method", "GET")]));
    let held = get(1, "/held");
    let ping = frame(PING, 0, 0, &[0; 8]);
    let mut clients = [
        Vec::new(),
        begins.clone(),
        [&held[..], &begins[..]].concat(),
        [&held[..], &begins[..20]].concat(),
        [&held[..], &ping[..12]].concat(),
        [&held[..], &ping[..5]].concat(),
    ]
    .map(|bytes| {
        let mut client = site.http2();
        client.send(&bytes).unwrap();
        client
    });
    let mut dripping = site.http2();
    let mut other = site.http2();
    let begun = Instant::now();
    let drip = headers(END_STREAM, 3, &request("GET", "/drip", &[("x-fill", &"f".repeat(1000))]));
    for (byte, stream) in drip.chunks(1).zip((1..).step_by(2)) {
        if dripping.send(byte).is_err() {
            break;
        }
        other.send(&get(stream, "/other")).unwrap();
        assert_eq!(other.outcome(stream).status(), Some(200), "served meanwhile");
        sleep(DRIP).await;
    }
    assert!(begun.elapsed() >= DEADLINE);
    for client in &mut clients {
        client.closed();
    }
    let refusals = site.site.refusals();
    assert!(refusals.iter().all(|refusal| *refusal == "timeout"), "{refusals:?}");
    assert_eq!(refusals.len(), clients.len(), "all but the one that asked for nothing: {refusals:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_that_the_upstream_takes_is_not_the_clients_fault_over_http2() {
    let site = impatient().await;
    let mut client = site.http2();
    let head = headers(0, 1, &request("POST", "/held", &[("content-length", "2")]));
    client.send(&[head, frame(DATA, END_STREAM, 1, b"ab")].concat()).unwrap();
    site.site.upstream.arrived().await;
    sleep(MINIMUM.window * 2).await;
    site.site.upstream.release();
    assert_eq!(client.outcome(1), Outcome::Answer(200, b"2".to_vec()));
    assert_eq!(site.site.refusals(), Vec::<&str>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_keeps_pace_gets_and_sends_as_much_as_he_likes() {
    let site = impatient().await;
    let mut client = site.http2();
    client.send(&get(1, "/large")).unwrap();
    let mut taken = 0;
    while taken < LARGE {
        let Frame { payload, .. } = client.until(1, |frame| frame.kind == DATA).expect("more of the answer");
        taken += payload.len();
        let more = u32::try_from(payload.len()).unwrap();
        if more > 0 {
            client.send(&[window_update(0, more), window_update(1, more)].concat()).unwrap();
        }
    }
    let mut client = site.http2();
    upload(&mut client, 1, 1 << 20);
    assert_eq!(client.outcome(1), Outcome::Answer(200, (1 << 20).to_string().into_bytes()));
    assert_eq!(site.site.refusals(), Vec::<&str>::new());
}

/// Sends a body of this length as its windows open.
fn upload(client: &mut Http2, stream: u32, length: usize) {
    let head = request("POST", "/upload", &[("content-length", &length.to_string())]);
    client.send(&headers(0, stream, &head)).unwrap();
    let (mut of_stream, mut of_connection, mut left) = (65_535, 65_535, length);
    while left > 0 {
        let part = left.min(of_stream).min(of_connection).min(16 * 1024);
        if part == 0 {
            let opened = client.next().expect("a window");
            if opened.kind == WINDOW_UPDATE {
                let more = usize::try_from(u32::from_be_bytes(opened.payload[..4].try_into().unwrap())).unwrap();
                *(if opened.stream == 0 { &mut of_connection } else { &mut of_stream }) += more;
            }
            continue;
        }
        left -= part;
        (of_stream, of_connection) = (of_stream - part, of_connection - part);
        let flags = if left == 0 { END_STREAM } else { 0 };
        client.send(&frame(DATA, flags, stream, &vec![b'y'; part])).unwrap();
    }
}
