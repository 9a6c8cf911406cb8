//! The head of an upstream's answer, in place, and how its body ends (RFC 9112 §6.3).
//!
//! Stricter than Pingora is: no folded lines, no blanks before a colon, at most [`MAX_FIELDS`] fields, no extensions of
//! chunks and no trailers. gunicorn, nginx and the servers of Python's own send none of that.

use std::{mem::MaybeUninit, ops::Range};

use http::{Method, StatusCode, header::CONTENT_LENGTH};

use super::body::Body;
use crate::http1::{FieldLine, FieldLines, FieldsMut, MAX_FIELDS, TooManyFields, chunks::ChunkScan};

/// A longer head is no answer of ERPNext's.
const LONGEST_HEAD: usize = 256 * 1024;

/// What a head says, and where in it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// How long the head is.
    pub(super) length: usize,
    reason: Range<usize>,
    lines: Vec<FieldLine>,
    /// The length that is said more than once, where it counts: the peer is told it once.
    pub(super) repeated_length: Option<u64>,
    /// How the body ends.
    pub(super) body: Body,
    /// Whether the connection serves another request after this.
    pub(super) persists: bool,
}

/// It is no answer that two parsers would read in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadAnswer;

/// What is said by the fields that matter here.
#[derive(Default)]
struct Said {
    length: Option<u64>,
    repeated: bool,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

impl Answer {
    /// Reads the head at the front of `buffer`, once it is there whole.
    ///
    /// # Errors
    /// [`BadAnswer`]: nothing more is to be made of the connection.
    pub(super) fn read(buffer: &[u8], method: &Method) -> Result<Option<Self>, BadAnswer> {
        let mut room = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let length = match config.parse_response_with_uninit_headers(&mut parsed, buffer, &mut room) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if buffer.len() < LONGEST_HEAD => return Ok(None),
            Ok(httparse::Status::Partial) | Err(_) => return Err(BadAnswer),
        };
        let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(BadAnswer)?;
        let within = |text: &[u8]| {
            let start = (text.as_ptr() as usize).saturating_sub(buffer.as_ptr() as usize);
            start..start + text.len()
        };
        let reason = parsed.reason.map_or(0..0, |reason| within(reason.as_bytes()));
        let mut said = Said::default();
        let mut lines = Vec::with_capacity(parsed.headers.len());
        for field in parsed.headers.iter() {
            said.take(field.name, field.value)?;
            lines.push(FieldLine::new(&within(field.name.as_bytes()), &within(field.value)));
        }
        let http11 = parsed.version == Some(1);
        let body = said.body(status, method);
        let persists = body != Body::UntilClose && !said.close && (http11 || said.keep_alive);
        // Two framings are an attack on somebody: the connection ends with this answer.
        let persists = persists && !(said.chunked && (said.length.is_some() || !http11));
        let repeated_length = said.length.filter(|_| said.repeated && !said.chunked);
        Ok(Some(Self { status, length, reason, lines, repeated_length, body, persists }))
    }

    /// Its fields. Beside chunks a length says nothing of the body, and must not be believed (RFC 9112 §6.3).
    ///
    /// # Errors
    /// More than [`MAX_FIELDS`].
    pub(super) fn fields<'h>(&'h self, head: &'h [u8]) -> Result<FieldLines<'h>, TooManyFields> {
        let mut fields = FieldLines::new(head, &self.lines)?;
        if matches!(self.body, Body::Chunked(_)) {
            fields.remove(&CONTENT_LENGTH);
        }
        Ok(fields)
    }

    /// What the server calls the status.
    pub(super) fn reason<'h>(&self, head: &'h [u8]) -> &'h [u8] {
        head.get(self.reason.clone()).unwrap_or_default()
    }

    /// An answer that another one follows (RFC 9110 §15.2).
    pub(super) fn is_interim(&self) -> bool {
        self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS
    }
}

impl Said {
    fn take(&mut self, name: &str, value: &[u8]) -> Result<(), BadAnswer> {
        let options = || value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        if name.eq_ignore_ascii_case("content-length") {
            for length in options() {
                let digits = std::str::from_utf8(length).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
                let length = digits.and_then(|digits| digits.parse().ok()).ok_or(BadAnswer)?;
                let before = self.length.replace(length);
                if before.is_some_and(|other| other != length) {
                    return Err(BadAnswer);
                }
                self.repeated |= before.is_some();
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if self.chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(BadAnswer);
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case("connection") {
            // It would take the framing away.
            if options().any(|option| option.eq_ignore_ascii_case(b"content-length")) {
                return Err(BadAnswer);
            }
            self.close |= options().any(|option| option.eq_ignore_ascii_case(b"close"));
            self.keep_alive |= options().any(|option| option.eq_ignore_ascii_case(b"keep-alive"));
        }
        Ok(())
    }

    fn body(&self, status: StatusCode, method: &Method) -> Body {
        let none = status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match (none || method == Method::HEAD, self.chunked, self.length) {
            (true, ..) | (_, false, Some(0)) => Body::Ended,
            (_, true, _) => Body::Chunked(ChunkScan::new()),
            (_, false, Some(length)) => Body::Left(length),
            (_, false, None) => Body::UntilClose,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(text: &str, method: &Method) -> Result<Option<(Body, bool, String)>, BadAnswer> {
        let answer = Answer::read(text.as_bytes(), method)?;
        Ok(answer.map(|answer| (answer.body, answer.persists, text.split_at(answer.length).1.to_owned())))
    }

    fn body(fields: &str) -> Result<(Body, bool), BadAnswer> {
        let taken = take(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), &Method::GET)?;
        taken.map(|(body, persists, _)| (body, persists)).ok_or(BadAnswer)
    }

    #[test]
    fn a_body_ends_as_its_head_says() {
        let chunked = Body::Chunked(ChunkScan::new());
        assert_eq!(body("Content-Length: 5\r\n"), Ok((Body::Left(5), true)));
        assert_eq!(body("content-length: 5, 5\r\nContent-Length: 5\r\n"), Ok((Body::Left(5), true)));
        assert_eq!(body("Content-Length: 0\r\n"), Ok((Body::Ended, true)));
        assert_eq!(body("Transfer-Encoding: Chunked\r\n"), Ok((chunked, true)));
        assert_eq!(body("Transfer-Encoding: chunked\r\nConnection: x, Close\r\n"), Ok((chunked, false)));
        assert_eq!(body(""), Ok((Body::UntilClose, false)));
        for none in ["HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified"] {
            let taken = take(&format!("{none}\r\nContent-Length: 5\r\n\r\n"), &Method::GET);
            assert_eq!(taken, Ok(Some((Body::Ended, true, String::new()))), "{none}");
        }
        let head = take("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &Method::HEAD);
        assert_eq!(head, Ok(Some((Body::Ended, true, String::new()))));
    }

    /// T50, for answers
    #[test]
    fn what_could_be_read_in_two_ways_is_no_answer_or_the_last_one() {
        let both = body("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n").expect("chunked counts");
        assert_eq!(both, (Body::Chunked(ChunkScan::new()), false));
        for fields in [
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: \r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Connection: Content-Length\r\nContent-Length: 5\r\n",
        ] {
            assert_eq!(body(fields), Err(BadAnswer), "{fields}");
        }
        assert_eq!(take("HTTP/2.0 200 OK\r\n\r\n", &Method::GET), Err(BadAnswer));
        assert_eq!(take("\0", &Method::GET), Err(BadAnswer));
    }

    #[test]
    fn a_head_is_taken_once_it_is_whole_and_what_follows_is_left() {
        let whole = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc";
        for cut in 0..whole.len() - 3 {
            assert_eq!(take(whole.get(..cut).expect("ASCII"), &Method::GET), Ok(None), "{cut}");
        }
        assert_eq!(take(whole, &Method::GET), Ok(Some((Body::Left(3), true, "abc".to_owned()))));
        let old = "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n";
        let taken = take(old, &Method::GET).expect("an answer").expect("whole");
        assert!(!taken.1, "RFC 9112 §6.1");
        let without = whole.replace("Connection: keep-alive\r\n", "");
        assert_eq!(take(&without, &Method::GET), Ok(Some((Body::Left(3), false, "abc".to_owned()))));
    }
}
