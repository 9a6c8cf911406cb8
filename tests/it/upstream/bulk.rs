//! Large bodies pass in constant memory, long answers without a total time limit.

use std::{fs, io, time::Duration};

use sha2::{Digest, Sha256};

use crate::{
    standin::ALICE,
    support::{Connection, Request, SHOP, Setup, TestGateway},
};

const SIZE: u64 = 256 << 20;
/// What buffers, caches and the allocator may take besides; a body held whole would be many times this.
const GROWTH: u64 = 48 << 20;
const BOUNDARY: &str = "----WebKitFormBoundary7MA4YWxkTrZu0gW";

/// The most memory that the process has ever had.
fn peak(gateway: &TestGateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.pid())).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes * 1024
}

/// Uploads a file of so many bytes as Desk does; its SHA-256 as sent and as received.
fn upload(gateway: &TestGateway, token: &str, size: u64) -> (String, String) {
    let before = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"is_private\"\r\n\r\n1\r\n--{BOUNDARY}\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"large.bin\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let after = format!("\r\n--{BOUNDARY}--\r\n");
    let head = format!(
        "POST /api/method/upload_file HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n",
        before.len() as u64 + size + after.len() as u64
    );
    let mut connection = gateway.connect();
    connection.write(format!("{head}{before}").as_bytes()).expect("it reads");
    // No piece twice alike in a row, and line ends that begin no boundary.
    let mut piece: Vec<u8> = b"0123456789abcde\r\n-".repeat(3641);
    piece.truncate(64 << 10);
    let (mut left, mut hash) = (size, Sha256::new());
    while left > 0 {
        piece[0] = piece[0].wrapping_add(1);
        let part = &piece[..usize::try_from(left.min(piece.len() as u64)).expect("a piece's size")];
        connection.write(part).expect("it reads");
        hash.update(part);
        left -= part.len() as u64;
    }
    connection.write(after.as_bytes()).expect("it reads");
    let answer = connection.answer(false).expect("an answer");
    assert_eq!(answer.status, 200, "{answer}");
    let file = answer.json()["message"].clone();
    assert_eq!(file["file_size"], size);
    let sent = hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    (sent, file["sha256"].as_str().expect("a hash").to_owned())
}

/// Reads an answer of so many bytes, and lets go of each piece at once.
fn download(gateway: &TestGateway, token: &str, size: u64) {
    let mut connection = gateway.connect();
    let request =
        format!("GET /api/method/large?bytes={size} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    connection.write(request.as_bytes()).expect("it reads");
    let head = connection.head().expect("a head");
    assert_eq!((head.status, head.header("content-length")), (200, Some(size.to_string().as_str())));
    let mut left = size;
    while left > 0 {
        let part = left.min(64 << 10);
        let piece = connection.exactly(usize::try_from(part).expect("a piece's size")).expect("the next piece");
        assert!(piece.iter().all(|byte| *byte == b'x'));
        left -= part;
    }
}

#[test]
fn a_large_upload_and_a_large_download_take_no_memory() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    upload(&gateway, &tokens.access, 1 << 20);
    download(&gateway, &tokens.access, 1 << 20);
    let before = peak(&gateway);
    let (sent, received) = upload(&gateway, &tokens.access, SIZE);
    assert_eq!(sent, received);
    download(&gateway, &tokens.access, SIZE);
    // The kernel sums its counters up lazily: a later reading may be some pages lower.
    let grown = peak(&gateway).saturating_sub(before);
    assert!(grown < GROWTH, "{} MiB more", grown >> 20);
}

#[test]
fn a_report_may_take_longer_than_any_timeout_as_long_as_something_comes() {
    let gateway = Setup::new().set("erpnext.response_timeout", "6s").start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    let request = Request::get("/api/method/stream?chunks=40&ms=200").bearer(&tokens.access);
    let begun = tokio::time::Instant::now();
    let answer = gateway.send(&request);
    assert_eq!(answer.status, 200, "{answer}");
    assert!(answer.text().ends_with("piece 40\n"), "{answer}");
    assert!(begun.elapsed() > Duration::from_secs(6));
}

#[test]
fn an_answer_that_falls_silent_breaks_off() {
    let gateway = Setup::new().set("erpnext.response_timeout", "5s").start();
    let mut connection: Connection = gateway.connect();
    connection.write(b"GET /api/method/stream?chunks=3&ms=120000 HTTP/1.1\r\nHost: x\r\n\r\n").expect("it reads");
    assert_eq!(connection.head().expect("a head").status, 200);
    assert!(connection.chunk().expect("a piece").is_some());
    let error = connection.chunk().expect_err("it must not seem whole");
    // That would be our own patience.
    assert!(!matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut), "it goes on: {error}");
}
