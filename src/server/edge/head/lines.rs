//! The lines of a head, and what a field line is.

use std::ops::Range;

use memchr::memchr;

use super::HeadRefusal;

/// The lines of a head, one after the other.
pub(super) struct Lines<'a> {
    head: &'a [u8],
    at: usize,
}

impl<'a> Lines<'a> {
    /// From its first one on.
    pub(super) const fn of(head: &'a [u8]) -> Self {
        Self { head, at: 0 }
    }

    /// Where the next one begins.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The next one, without its end.
    pub(super) fn next_line(&mut self) -> Result<Range<usize>, HeadRefusal> {
        let rest = self.head.get(self.at..).unwrap_or_default();
        // A CR elsewhere in the line is a byte that nothing in it may have.
        let end = memchr(b'\n', rest).ok_or(HeadRefusal::BareLineEnd)?;
        let Some((b'\r', line)) = rest.get(..end).and_then(<[u8]>::split_last) else {
            return Err(HeadRefusal::BareLineEnd);
        };
        let line = self.at..self.at + line.len();
        self.at += end + 1;
        Ok(line)
    }
}

/// Name and value of a field line.
pub(super) fn field(head: &[u8], line: Range<usize>) -> Result<(Range<usize>, Range<usize>), HeadRefusal> {
    let text = head.get(line.clone()).unwrap_or_default();
    let colon = memchr(b':', text).ok_or(HeadRefusal::FieldName)?;
    let (name, rest) = text.split_at(colon);
    if name.is_empty() || !name.iter().all(|byte| TOKEN.get(usize::from(*byte)) == Some(&true)) {
        return Err(HeadRefusal::FieldName);
    }
    let value = rest.get(1..).unwrap_or_default();
    let (start, value) = without_blanks(line.start + colon + 1, value);
    // To the end, whatever comes: without a way out the compiler looks at many bytes at once.
    if !value.iter().fold(true, |legal, byte| legal & matches!(byte, b'\t' | 0x20..=0x7e | 0x80..)) {
        return Err(HeadRefusal::FieldValue);
    }
    Ok((line.start..line.start + colon, start..start + value.len()))
}

/// Without the spaces and tabs around it (RFC 9110 §5.6.3), and where it begins then; any other white space is a control
/// byte.
fn without_blanks(mut start: usize, mut value: &[u8]) -> (usize, &[u8]) {
    while let [b' ' | b'\t', rest @ ..] = value {
        (start, value) = (start + 1, rest);
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    (start, value)
}

/// Which bytes a token may have (RFC 9110 §5.6.2).
#[expect(clippy::indexing_slicing, reason = "the compiler looks whether it is within")]
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < table.len() {
        #[expect(clippy::cast_possible_truncation, reason = "it is less than 256")]
        let byte = at as u8;
        table[at] = byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~');
        at += 1;
    }
    table
};
