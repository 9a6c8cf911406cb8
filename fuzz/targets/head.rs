//! Request heads: no panic, and nothing passes that RFC 9112 leaves open or that another parser reads otherwise.
#![no_main]

use empress_fuzz::same_in_pieces;
use empress_gateway::server::edge::head::{Arrival, Framing, HeadFacts, arrival, check};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = same_in_pieces(bytes, |size| arrived(bytes, size));
    let Ok(facts) = check(bytes) else { return };
    assert_eq!(whole, Arrival::Complete(bytes.len()));
    lines_end_in_crlf(bytes);
    let read = Reading::of(bytes);
    assert_eq!(read.method.as_bytes(), &bytes[facts.method.clone()]);
    assert_eq!(read.target.as_bytes(), &bytes[facts.target.clone()]);
    read.agrees(&facts);
    let edited = edited(bytes, &facts);
    let again = check(&edited).expect("an edited head is sound");
    assert!(again.edits.is_empty() && !again.expects_continue);
    assert_eq!((again.framing, again.websocket), (facts.framing, facts.websocket));
    let target = std::str::from_utf8(&edited[again.target.clone()]).expect("ASCII");
    assert!(!target.contains(['"', '<', '>', '`', '#', ' ']), "{target}");
    Reading::of(&edited).agrees(&again);
});

fn arrived(bytes: &[u8], size: usize) -> Arrival {
    let (mut scanned, mut buffer) = (0, Vec::new());
    for piece in bytes.chunks(size) {
        buffer.extend(piece);
        match arrival(&buffer, &mut scanned) {
            Arrival::Incomplete => {}
            other => return other,
        }
    }
    Arrival::Incomplete
}

fn lines_end_in_crlf(bytes: &[u8]) {
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' => assert!(at > 0 && bytes[at - 1] == b'\r', "a bare LF"),
            b'\r' => assert_eq!(bytes.get(at + 1), Some(&b'\n'), "a bare CR"),
            0 => panic!("a NUL"),
            _ => {}
        }
    }
    let blank = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    assert_eq!(blank, Some(bytes.len() - 4), "one blank line, at the end");
    let folded = bytes.windows(3).any(|window| matches!(window, [b'\r', b'\n', b' ' | b'\t']));
    assert!(!folded, "a folded line");
}

/// The head as httparse reads it, which is what Pingora has.
struct Reading {
    method: String,
    target: String,
    minor: u8,
    fields: Vec<(String, Vec<u8>)>,
}

impl Reading {
    fn of(bytes: &[u8]) -> Self {
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut request = httparse::Request::new(&mut fields);
        let status = request.parse(bytes).expect("httparse takes it");
        assert_eq!(status, httparse::Status::Complete(bytes.len()));
        Self {
            method: request.method.expect("a method").to_owned(),
            target: request.path.expect("a target").to_owned(),
            minor: request.version.expect("a version"),
            fields: request
                .headers
                .iter()
                .map(|field| (field.name.to_ascii_lowercase(), field.value.trim_ascii().to_vec()))
                .collect(),
        }
    }

    fn values(&self, name: &str) -> Vec<&[u8]> {
        self.fields.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_slice()).collect()
    }

    fn agrees(&self, facts: &HeadFacts) {
        assert!(self.target.starts_with('/'));
        assert!(!["CONNECT", "TRACE"].contains(&self.method.as_str()));
        let (lengths, codings) = (self.values("content-length"), self.values("transfer-encoding"));
        let framing = match (lengths.as_slice(), codings.as_slice()) {
            ([], []) => Framing::Length(0),
            ([length], []) => {
                assert!(length.iter().all(u8::is_ascii_digit), "{length:?}");
                Framing::Length(std::str::from_utf8(length).expect("digits").parse().expect("a length"))
            }
            ([], [coding]) => {
                assert!(coding.eq_ignore_ascii_case(b"chunked") && self.minor == 1, "{coding:?}");
                Framing::Chunked
            }
            _ => panic!("a body whose end is ambiguous"),
        };
        assert_eq!(facts.framing, framing);
        let hosts = self.values("host").len();
        assert!(hosts == 1 || (hosts == 0 && self.minor == 0), "{hosts} hosts");
        for option in self.values("connection").iter().flat_map(|value| value.split(|byte| *byte == b',')) {
            let option = option.trim_ascii().to_ascii_lowercase();
            assert!(![&b"host"[..], b"content-length", b"transfer-encoding"].contains(&option.as_slice()));
        }
    }
}

fn edited(bytes: &[u8], facts: &HeadFacts) -> Vec<u8> {
    let (mut edited, mut at) = (Vec::new(), 0);
    for edit in &facts.edits {
        assert!(at <= edit.range.start && edit.range.end <= bytes.len(), "edits in their order");
        edited.extend(&bytes[at..edit.range.start]);
        edited.extend(edit.with.bytes());
        at = edit.range.end;
    }
    edited.extend(&bytes[at..]);
    edited
}
