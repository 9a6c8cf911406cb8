//! How much of an answer's body is still to come, and how its bytes go on to the peer.

use bytes::{Buf, BytesMut};

use crate::http1::chunks::ChunkScan;

/// What is still to come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing.
    Ended,
    /// So many bytes.
    Left(u64),
    /// Chunks, which go on as they are.
    Chunked(ChunkScan),
    /// Whatever comes until the server closes the connection; it goes on as chunks.
    UntilClose,
}

/// The chunks can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadFraming;

/// The last chunk.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

impl Body {
    /// Moves what has come of the body from `buffer` to `out`, in the framing that the peer gets, and tells how many bytes
    /// of the body that were. What follows the end of the body stays.
    ///
    /// # Errors
    /// [`BadFraming`]: the peer must not get an end of the body.
    pub(super) fn pass(&mut self, buffer: &mut BytesMut, out: &mut Vec<u8>) -> Result<usize, BadFraming> {
        let moved = match self {
            Self::Ended => return Ok(0),
            Self::Left(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
                *left -= u64::try_from(here).unwrap_or(u64::MAX);
                if *left == 0 {
                    *self = Self::Ended;
                }
                here
            }
            Self::Chunked(scan) => {
                let here = scan.advance(buffer).map_err(|_| BadFraming)?;
                if scan.is_done() {
                    *self = Self::Ended;
                }
                here
            }
            Self::UntilClose => {
                if !buffer.is_empty() {
                    out.extend_from_slice(format!("{:x}\r\n", buffer.len()).as_bytes());
                    out.extend_from_slice(buffer);
                    out.extend_from_slice(b"\r\n");
                }
                let moved = buffer.len();
                buffer.clear();
                return Ok(moved);
            }
        };
        out.extend_from_slice(buffer.get(..moved).unwrap_or_default());
        buffer.advance(moved);
        Ok(moved)
    }

    /// The server has closed the connection. Whether the body had come whole; if so, the peer's end of it is in `out`.
    pub(super) fn closed(&mut self, out: &mut Vec<u8>) -> bool {
        if *self == Self::UntilClose {
            out.extend_from_slice(LAST_CHUNK);
            *self = Self::Ended;
        }
        *self == Self::Ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(body: &mut Body, bytes: &str) -> (Result<usize, BadFraming>, String, String) {
        let (mut buffer, mut out) = (BytesMut::from(bytes), Vec::new());
        let moved = body.pass(&mut buffer, &mut out);
        (moved, String::from_utf8(out).expect("ASCII"), String::from_utf8(buffer.to_vec()).expect("ASCII"))
    }

    #[test]
    fn a_body_of_known_length_goes_on_to_its_last_byte_and_no_further() {
        let mut body = Body::Left(5);
        assert_eq!(pass(&mut body, "abc"), (Ok(3), "abc".to_owned(), String::new()));
        assert!(!body.closed(&mut Vec::new()), "it broke off");
        assert_eq!(pass(&mut body, "deHTTP/1.1"), (Ok(2), "de".to_owned(), "HTTP/1.1".to_owned()));
        assert_eq!(body, Body::Ended);
        assert_eq!(pass(&mut body, "x"), (Ok(0), String::new(), "x".to_owned()));
    }

    #[test]
    fn chunks_go_on_as_they_are_while_they_can_be_read() {
        let mut body = Body::Chunked(ChunkScan::new());
        assert_eq!(pass(&mut body, "3\r\nab"), (Ok(5), "3\r\nab".to_owned(), String::new()));
        assert!(!body.closed(&mut Vec::new()));
        assert_eq!(pass(&mut body, "c\r\n0\r\n\r\nx"), (Ok(8), "c\r\n0\r\n\r\n".to_owned(), "x".to_owned()));
        assert_eq!(body, Body::Ended);
        assert_eq!(pass(&mut Body::Chunked(ChunkScan::new()), "3\nabc").0, Err(BadFraming));
    }

    #[test]
    fn what_ends_with_the_connection_goes_on_as_chunks() {
        let mut body = Body::UntilClose;
        assert_eq!(pass(&mut body, "0123456789abcdef").1, "10\r\n0123456789abcdef\r\n");
        assert_eq!(pass(&mut body, "").1, "");
        let mut out = Vec::new();
        assert!(body.closed(&mut out));
        assert_eq!(out, LAST_CHUNK);
    }
}
