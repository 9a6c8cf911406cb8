//! Answers of an upstream on their way to the peer: no panic, the same bytes however they arrive, and what the peer gets has one
//! head and one end.
#![no_main]

use empress_fuzz::same_in_pieces;
use empress_gateway::fuzzing::{ChunkScan, passed};
use http::Method;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let method = if choice % 4 == 0 { Method::HEAD } else { Method::GET };
    let unframed = !bytes.windows(7).any(|window| window.eq_ignore_ascii_case(b"chunked"));
    let got = same_in_pieces(bytes, |size| {
        passed(bytes, &method, size).map(|(out, whole)| (Got::of(&out, &method, whole), whole))
    });
    let Some((got, whole)) = got else { return };
    if whole && unframed {
        assert!(got.body.len() <= bytes.len(), "no byte is made up");
    }
});

/// What an HTTP/1 client makes of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Got {
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Got {
    fn of(out: &[u8], method: &Method, whole: bool) -> Self {
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut parsed = httparse::Response::new(&mut fields);
        let Ok(httparse::Status::Complete(length)) = parsed.parse(out) else { panic!("the head is no head") };
        let status = parsed.code.expect("a status");
        let mut fields: Vec<(String, Vec<u8>)> =
            parsed.headers.iter().map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec())).collect();
        let values = |name: &str| {
            let named = fields.iter().filter(|(other, _)| other == name);
            named.map(|(_, value)| value.as_slice()).collect::<Vec<_>>()
        };
        for name in ["keep-alive", "proxy-connection", "te", "trailer", "upgrade", "proxy-authenticate"] {
            assert_eq!(values(name).len(), 0, "{name}");
        }
        assert_eq!(values("connection"), [b"keep-alive"]);
        let (codings, lengths) = (values("transfer-encoding").len(), values("content-length").len());
        let rest = &out[length..];
        let empty = *method == Method::HEAD || status < 200 || matches!(status, 204 | 304);
        let body = if empty {
            rest.to_vec()
        } else if codings > 0 {
            assert_eq!((codings, lengths), (1, 0), "one framing");
            dechunked(rest, whole)
        } else {
            let [length] = values("content-length")[..] else { panic!("one length") };
            let said: u64 = std::str::from_utf8(length).ok().and_then(|text| text.parse().ok()).expect("a length");
            let here = u64::try_from(rest.len()).expect("64 bits");
            assert!(if whole { here == said } else { here <= said }, "{here} of {said}");
            rest.to_vec()
        };
        assert!(!empty || body.is_empty(), "a body where there is none");
        fields.retain(|(name, _)| name != "date");
        Self { status, fields, body }
    }
}

/// The chunks' data, when they are all there; else as much as can be told.
fn dechunked(mut rest: &[u8], whole: bool) -> Vec<u8> {
    let mut scan = ChunkScan::new();
    assert_eq!(scan.advance(rest), Ok(rest.len()), "nothing follows the last chunk");
    assert_eq!(scan.is_done(), whole);
    let mut data = Vec::new();
    while let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let here = &rest[start..];
        data.extend(&here[..size.min(here.len())]);
        rest = here.get(size.saturating_add(2)..).unwrap_or_default();
        if size == 0 {
            break;
        }
    }
    data
}
