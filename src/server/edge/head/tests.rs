//! What the rules let through is what every parser behind them reads in the same way.

use proptest::prelude::*;

use super::*;

fn facts(head: &str) -> HeadFacts {
    check(head.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal:?}: {head:?}"))
}

#[test]
fn framing_is_read_from_the_one_field_that_says_it() {
    assert_eq!(facts("GET / HTTP/1.1\r\nHost: x\r\n\r\n").framing, Framing::Length(0));
    assert_eq!(facts("POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 007\r\n\r\n").framing, Framing::Length(7));
    assert_eq!(facts("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n").framing, Framing::Chunked);
}

#[test]
fn a_websocket_handshake_is_one_only_with_both_fields_and_without_a_body() {
    let websocket = |fields: &str| {
        let facts = facts(&format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n"));
        (facts.websocket, facts.edits.len())
    };
    assert_eq!(websocket("Connection: Upgrade\r\nUpgrade: websocket\r\n"), (true, 0));
    assert_eq!(websocket("Upgrade: websocket\r\n"), (false, 1));
    assert_eq!(websocket("Connection: Upgrade\r\nUpgrade: h2c\r\n"), (false, 1));
    assert_eq!(websocket("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"), (false, 1));
    assert_eq!(websocket("Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n"), (false, 2));
    assert_eq!(websocket("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n"), (false, 1));
}

#[test]
fn only_spaces_and_tabs_around_a_value_are_none_of_it() {
    assert_eq!(facts("POST / HTTP/1.1\r\nHost:a\r\nContent-Length:\t 5 \t\r\n\r\n").framing, Framing::Length(5));
    for value in ["\u{c}5", "5\u{c}", "\u{b}5", " \u{c} 5"] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:{value}\r\n\r\n");
        assert_eq!(check(head.as_bytes()), Err(HeadRefusal::FieldValue), "{value:?}");
    }
}

#[test]
fn every_refusal_has_a_status_that_closes() {
    assert_eq!(HeadRefusal::Chunk.status(), 400);
    assert_eq!(HeadRefusal::Timeout.status(), 408);
    assert_eq!(check(b"GET / HTTP/1.1\r\n").unwrap_err(), HeadRefusal::BareLineEnd, "no blank line");
}

/// Each byte that may stand in a target, in a path and in a query: Pingora's parser must take it (after the edits).
#[test]
fn no_target_that_passes_here_fails_in_pingora() {
    for byte in b'!'..=b'~' {
        for target in [format!("/a{}b", char::from(byte)), format!("/a?b={}c", char::from(byte))] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
            let Ok(facts) = check(head.as_bytes()) else {
                assert_eq!(byte, b'#', "{target}");
                continue;
            };
            let sent = crate::server::edge::edited(head.as_bytes().into(), &facts.edits);
            let sent = std::str::from_utf8(&sent).unwrap().split(' ').nth(1).unwrap().to_owned();
            let taken = pingora::http::RequestHeader::build("GET", sent.as_bytes(), None);
            assert!(taken.is_ok(), "{sent}");
        }
    }
}

proptest! {
    /// The parser behind this one ends the head in the same place, with the same method, target and fields.
    #[test]
    fn what_passes_reads_the_same_in_httparse(
        head in "(GET|POST|get) [/a?#\" ]{0,4} HTTP/1.[012]\r\n(Host: x\r?\n)?([A-z-]{0,3}[ :]{1,2}[a\t \r\n,]{0,3}\r\n){0,3}\r\n"
    ) {
        if let Ok(facts) = check(head.as_bytes()) {
            let mut fields = [httparse::EMPTY_HEADER; 101];
            let mut parsed = httparse::Request::new(&mut fields);
            prop_assert_eq!(parsed.parse(head.as_bytes()), Ok(httparse::Status::Complete(head.len())));
            prop_assert_eq!(parsed.method, head.get(facts.method));
            prop_assert_eq!(parsed.path, head.get(facts.target));
            prop_assert_eq!(parsed.headers.len(), head.matches("\r\n").count() - 2);
        }
    }

    #[test]
    fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = check(&bytes);
        let mut scanned = 0;
        let _ = arrival(&bytes, &mut scanned);
        prop_assert!(scanned <= bytes.len());
    }

    #[test]
    fn the_end_of_a_head_is_found_however_it_arrives(cut in 0_usize..40) {
        let head = b"GET / HTTP/1.1\r\nHost: example\r\n\r\nrest";
        let mut scanned = 0;
        let first = arrival(&head[..cut.min(head.len())], &mut scanned);
        let second = arrival(head, &mut scanned);
        prop_assert_eq!(if first == Arrival::Incomplete { second } else { first }, Arrival::Complete(33));
    }
}
