//! Follows the chunked framing of a body as it passes, to know where the body ends and that its grammar holds.
//!
//! Stricter than RFC 9112 §7.1: no chunk extensions and no trailers. No client of a web application sends them, nor
//! does a server that ERPNext runs on, and parsers have read them in different ways before.

/// Larger chunk sizes than eight hexadecimal digits say are refused.
const MAX_SIZE_DIGITS: u8 = 8;

/// Where in the framing the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkScan(State);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size { digits: u8, size: u64 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    FinalCr,
    FinalLf,
    Done,
}

/// The byte at this place breaks the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadChunk {
    /// Its place in the bytes that were given last.
    pub at: usize,
}

impl Default for ChunkScan {
    fn default() -> Self {
        Self::new()
    }
}

impl ChunkScan {
    /// At the first byte of a body.
    #[must_use]
    pub fn new() -> Self {
        Self(State::Size { digits: 0, size: 0 })
    }

    /// The body has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.0 == State::Done
    }

    /// Goes on over `bytes`, and tells how many of them belong to the body; what follows its end is not looked at.
    ///
    /// # Errors
    /// The first byte that breaks the grammar.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<usize, BadChunk> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let State::Data { left } = self.0 {
                let here = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX).min(left);
                self.0 = if here == left { State::DataCr } else { State::Data { left: left - here } };
                at += usize::try_from(here).unwrap_or(usize::MAX);
                continue;
            }
            if self.is_done() {
                break;
            }
            self.0 = self.after(*byte).ok_or(BadChunk { at })?;
            at += 1;
        }
        Ok(at)
    }

    fn after(self, byte: u8) -> Option<State> {
        match (self.0, byte) {
            (State::Size { digits, size }, _) if byte.is_ascii_hexdigit() && digits < MAX_SIZE_DIGITS => {
                let digit = char::from(byte).to_digit(16)?;
                Some(State::Size { digits: digits + 1, size: size * 16 + u64::from(digit) })
            }
            (State::Size { digits: 1.., size }, b'\r') => Some(State::SizeLf { size }),
            (State::SizeLf { size: 0 }, b'\n') => Some(State::FinalCr),
            (State::SizeLf { size }, b'\n') => Some(State::Data { left: size }),
            (State::DataCr, b'\r') => Some(State::DataLf),
            (State::DataLf, b'\n') => Some(State::Size { digits: 0, size: 0 }),
            (State::FinalCr, b'\r') => Some(State::FinalLf),
            (State::FinalLf, b'\n') => Some(State::Done),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scan(body: &[u8]) -> Result<bool, usize> {
        let mut scan = ChunkScan::new();
        scan.advance(body).map(|_| scan.is_done()).map_err(|bad| bad.at)
    }

    #[test]
    fn a_body_ends_with_its_last_chunk_and_what_follows_is_not_looked_at() {
        assert_eq!(scan(b"5\r\nhello\r\n0\r\n\r\n"), Ok(true));
        assert_eq!(scan(b"5\r\nhello\r\n0\r\n\r\nGET /smuggled"), Ok(true));
        assert_eq!(scan(b"5\r\nhello\r\n0\r\n"), Ok(false));
        assert_eq!(scan(b""), Ok(false));
    }

    #[test]
    fn what_breaks_the_grammar_is_named_by_its_place() {
        assert_eq!(scan(b"5;a=b\r\nhello\r\n0\r\n\r\n"), Err(1), "extension");
        assert_eq!(scan(b"5\nhello"), Err(1), "bare LF");
        assert_eq!(scan(b"\r\nhello"), Err(0), "no size");
        assert_eq!(scan(b"5\r\nhelloworld"), Err(8), "longer than said");
        assert_eq!(scan(b"0\r\nX-Trailer: 1\r\n\r\n"), Err(3), "trailer");
        assert_eq!(scan(b"123456789\r\n"), Err(8), "a size that is too large");
        assert_eq!(scan(b"0x5\r\nhello"), Err(1));
        assert_eq!(scan(b"-5\r\nhello"), Err(0));
        assert_eq!(scan(b" 5\r\nhello"), Err(0));
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_answer(body in "[05;a\r\n]{0,40}", cut in 0_usize..40) {
            let whole = scan(body.as_bytes());
            let (first, second) = body.as_bytes().split_at(cut.min(body.len()));
            let mut scan = ChunkScan::new();
            let split = scan
                .advance(first)
                .map_err(|bad| bad.at)
                .and_then(|_| scan.advance(second).map_err(|bad| first.len() + bad.at))
                .map(|_| scan.is_done());
            prop_assert_eq!(whole, split);
        }
    }
}
