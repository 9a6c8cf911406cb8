//! What it costs to scan a request's body as it streams by.
#![expect(clippy::expect_used, reason = "a bench may panic")]

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use empress_gateway::{
    random::{Random, SeededRandom},
    route::{BodyKind, BodyScan},
};

const LENGTH: usize = 1 << 20;
/// As they come from a socket.
const PIECE: usize = 16 * 1024;

fn random() -> Vec<u8> {
    let mut bytes = vec![0; LENGTH];
    SeededRandom::new(1).fill(&mut bytes);
    bytes
}

/// Random letters of base64.
fn letters() -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |byte: u8| LETTERS.get(usize::from(byte % 64)).copied().unwrap_or(b'A');
    random().into_iter().map(letter).collect()
}

fn lines() -> Vec<u8> {
    let line = b"2026-11-24,\"Customer 0042\",ACC-SINV-2026-00042,1024.50,EUR,Draft,All Territories\r\n";
    line.iter().copied().cycle().take(LENGTH).collect()
}

fn file(content: Vec<u8>) -> Vec<u8> {
    let head = b"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n".to_vec();
    [head, content, b"\r\n--B--\r\n".to_vec()].concat()
}

fn main() {
    let multipart = || BodyKind::Multipart(b"B".to_vec());
    let json = [b"{\"filedata\":\"".to_vec(), letters(), b"\"}".to_vec()].concat();
    let form = [b"doc=".to_vec(), letters()].concat();
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group("scan a body");
    for (name, kind, body) in [
        ("multipart, random bytes", multipart(), file(random())),
        ("multipart, lines of text", multipart(), file(lines())),
        ("multipart, base64", multipart(), file(letters())),
        ("JSON, base64", BodyKind::Json, json),
        ("form, base64", BodyKind::Form, form),
        ("another kind, random bytes", BodyKind::Other, random()),
    ] {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut scan = BodyScan::new(&kind);
                black_box(&body).chunks(PIECE).try_for_each(|piece| scan.push(piece)).expect("it passes");
            });
        });
    }
    group.finish();
    criterion.final_summary();
}
