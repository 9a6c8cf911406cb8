//! Chunked bodies: no panic, the same verdict in pieces, and none but by the grammar of RFC 9112 §7.1 without extensions
//! and trailers.
#![no_main]

use empress_fuzz::same_in_pieces;
use empress_gateway::fuzzing::ChunkScan;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Done,
    Goes,
    Bad(usize),
}

fuzz_target!(|bytes: &[u8]| {
    let verdict = same_in_pieces(bytes, |size| scanned(bytes, size));
    assert_eq!(verdict, by_grammar(bytes));
});

fn scanned(bytes: &[u8], size: usize) -> Verdict {
    let (mut scan, mut before) = (ChunkScan::new(), 0);
    for piece in bytes.chunks(size) {
        if let Err(bad) = scan.advance(piece) {
            return Verdict::Bad(before + bad.at);
        }
        before += piece.len();
    }
    if scan.is_done() { Verdict::Done } else { Verdict::Goes }
}

/// The slow and simple reading: one chunk after the other.
fn by_grammar(bytes: &[u8]) -> Verdict {
    let mut at = 0;
    loop {
        let digits = bytes[at..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if digits > 8 {
            return Verdict::Bad(at + 8);
        }
        let size = std::str::from_utf8(&bytes[at..at + digits]).expect("digits");
        at += digits;
        if let Some(bad) = expected(bytes, &mut at, if digits == 0 { b"" } else { b"\r\n" }, digits == 0) {
            return bad;
        }
        // httparse reads a size of ours as we do.
        let line = format!("{size}\r\n");
        let number = u64::from_str_radix(size, 16).expect("a size");
        assert_eq!(httparse::parse_chunk_size(line.as_bytes()), Ok(httparse::Status::Complete((line.len(), number))));
        if number == 0 {
            return expected(bytes, &mut at, b"\r\n", false).unwrap_or(Verdict::Done);
        }
        let left = u64::try_from(bytes.len() - at).expect("64 bits");
        if left < number {
            return Verdict::Goes;
        }
        at += usize::try_from(number).expect("there is as much");
        if let Some(bad) = expected(bytes, &mut at, b"\r\n", false) {
            return bad;
        }
    }
}

/// Goes over what must come next; `Some`: it is not there, or not yet.
fn expected(bytes: &[u8], at: &mut usize, what: &[u8], digit_wanted: bool) -> Option<Verdict> {
    if digit_wanted {
        return Some(if *at < bytes.len() { Verdict::Bad(*at) } else { Verdict::Goes });
    }
    for byte in what {
        match bytes.get(*at) {
            Some(found) if found == byte => *at += 1,
            Some(_) => return Some(Verdict::Bad(*at)),
            None => return Some(Verdict::Goes),
        }
    }
    None
}
