//! Header fields, in a map or as they stand in the bytes of a head. Rules about fields are written once, for both.

use std::ops::Range;

use http::{HeaderMap, HeaderName, HeaderValue};

/// More field lines than this no head may have.
pub const MAX_FIELDS: usize = 100;
/// Names up to this length are looked at without allocating.
const USUAL_NAME: usize = 64;
/// So many are mostly put in.
const USUAL_ADDED: usize = 8;

/// Header fields, however they are kept.
pub trait Fields {
    /// The values of the lines with this name, in their order.
    fn each<'f>(&'f self, name: &HeaderName) -> impl Iterator<Item = &'f [u8]>;

    /// Whether there is a line with this name.
    fn has(&self, name: &HeaderName) -> bool {
        self.each(name).next().is_some()
    }
}

/// Header fields that can be changed.
pub trait FieldsMut: Fields {
    /// Removes the lines with this name.
    fn remove(&mut self, name: &HeaderName);

    /// Removes the lines whose name, in lower case, is such a one.
    fn remove_where(&mut self, is_one: impl Fn(&[u8]) -> bool);

    /// Puts one line in the place of those with this name.
    ///
    /// # Errors
    /// [`TooManyFields`]; nothing may be sent then.
    fn set(&mut self, name: HeaderName, value: HeaderValue) -> Result<(), TooManyFields>;
}

/// There is no room for another field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many header fields")]
pub struct TooManyFields;

impl Fields for HeaderMap {
    fn each<'f>(&'f self, name: &HeaderName) -> impl Iterator<Item = &'f [u8]> {
        self.get_all(name).iter().map(HeaderValue::as_bytes)
    }

    fn has(&self, name: &HeaderName) -> bool {
        self.contains_key(name)
    }
}

/// Where in a head a field line has its name and its value, without the blanks around that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldLine {
    name: (u32, u32),
    value: (u32, u32),
}

impl FieldLine {
    /// Of a head of less than four gigabytes.
    #[must_use]
    pub fn new(name: &Range<usize>, value: &Range<usize>) -> Self {
        let short = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { name: (short(name.start), short(name.end)), value: (short(value.start), short(value.end)) }
    }
}

/// The field lines of a head, some taken out and others put in.
#[derive(Clone, Debug)]
pub struct FieldLines<'h> {
    head: &'h [u8],
    lines: &'h [FieldLine],
    /// A bit for each line that is taken out.
    removed: u128,
    added: Vec<(HeaderName, HeaderValue)>,
}

const _: () = assert!(MAX_FIELDS <= 128, "a bit for each line");

impl<'h> FieldLines<'h> {
    /// All of these lines of `head`.
    ///
    /// # Errors
    /// More than [`MAX_FIELDS`].
    pub fn new(head: &'h [u8], lines: &'h [FieldLine]) -> Result<Self, TooManyFields> {
        if lines.len() > MAX_FIELDS {
            return Err(TooManyFields);
        }
        Ok(Self { head, lines, removed: 0, added: Vec::new() })
    }

    /// Appends the lines to a head that is being written.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (name, value) in self.left() {
            write_line(out, name, value);
        }
        for (name, value) in &self.added {
            write_line(out, name.as_str().as_bytes(), value.as_bytes());
        }
    }

    /// Removes what means something to the next hop alone: these names, and those that `Connection` names
    /// (RFC 9110 §7.6.1).
    pub fn remove_hop_by_hop(&mut self) {
        let named: Vec<&'h [u8]> = self
            .left()
            .filter(|(name, _)| name.eq_ignore_ascii_case(b"connection"))
            .flat_map(|(_, value)| value.split(|byte| *byte == b','))
            .map(<[u8]>::trim_ascii)
            // These two are in the list, and say nothing of other lines.
            .filter(|option| !option.eq_ignore_ascii_case(b"close") && !option.eq_ignore_ascii_case(b"keep-alive"))
            .collect();
        self.remove_lines(|name| is_hop_by_hop(name) || named.iter().any(|option| option.eq_ignore_ascii_case(name)));
    }

    fn text(&self, (start, end): (u32, u32)) -> &'h [u8] {
        let place = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        self.head.get(place(start)..place(end)).unwrap_or_default()
    }

    /// The length first: few lines have it.
    fn is_named(&self, line: &FieldLine, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        let length = usize::try_from(line.name.1 - line.name.0);
        length == Ok(name.len()) && self.text(line.name).eq_ignore_ascii_case(name)
    }

    /// Names and values of the head's own lines that have not been taken out.
    fn left(&self) -> impl Iterator<Item = (&'h [u8], &'h [u8])> {
        let lines = self.lines.iter().enumerate().filter(|(at, _)| self.removed & (1 << at) == 0);
        lines.map(|(_, line)| (self.text(line.name), self.text(line.value)))
    }

    fn remove_lines(&mut self, is_one: impl Fn(&[u8]) -> bool) {
        for (at, line) in self.lines.iter().enumerate() {
            if self.removed & (1 << at) == 0 && is_one(self.text(line.name)) {
                self.removed |= 1 << at;
            }
        }
    }
}

impl Fields for FieldLines<'_> {
    fn each<'f>(&'f self, name: &HeaderName) -> impl Iterator<Item = &'f [u8]> {
        let searched = name.as_str().as_bytes();
        let added = self.added.iter().filter(move |(name, _)| name.as_str().as_bytes() == searched);
        let added = added.map(|(_, value)| value.as_bytes());
        let name = name.clone();
        let left = self.lines.iter().enumerate();
        let left = left.filter(move |(at, line)| self.removed & (1 << at) == 0 && self.is_named(line, &name));
        left.map(|(_, line)| self.text(line.value)).chain(added)
    }
}

impl FieldsMut for FieldLines<'_> {
    fn remove(&mut self, name: &HeaderName) {
        for (at, line) in self.lines.iter().enumerate() {
            if self.is_named(line, name) {
                self.removed |= 1 << at;
            }
        }
        self.added.retain(|(other, _)| other != name);
    }

    fn remove_where(&mut self, is_one: impl Fn(&[u8]) -> bool) {
        self.remove_lines(|name| {
            let mut usual = [0; USUAL_NAME];
            let Some(lower) = usual.get_mut(..name.len()) else { return is_one(&name.to_ascii_lowercase()) };
            lower.copy_from_slice(name);
            lower.make_ascii_lowercase();
            is_one(lower)
        });
        self.added.retain(|(name, _)| !is_one(name.as_str().as_bytes()));
    }

    fn set(&mut self, name: HeaderName, value: HeaderValue) -> Result<(), TooManyFields> {
        self.remove(&name);
        if self.added.len() >= MAX_FIELDS {
            return Err(TooManyFields);
        }
        if self.added.is_empty() {
            self.added.reserve(USUAL_ADDED);
        }
        self.added.push((name, value));
        Ok(())
    }
}

fn is_hop_by_hop(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 10] = [
        b"te",
        b"trailer",
        b"upgrade",
        b"connection",
        b"keep-alive",
        b"http2-settings",
        b"proxy-connection",
        b"transfer-encoding",
        b"proxy-authenticate",
        b"proxy-authorization",
    ];
    NAMES.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// Appends a field line to a head that is being written.
pub fn write_line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, COOKIE, HOST};

    use super::*;

    fn lines(head: &str) -> Vec<FieldLine> {
        let mut at = 0;
        let mut lines = Vec::new();
        for line in head.split_inclusive("\r\n") {
            let colon = at + line.find(": ").expect("a field line");
            lines.push(FieldLine::new(&(at..colon), &(colon + 2..at + line.len() - 2)));
            at += line.len();
        }
        lines
    }

    fn written(head: &str, change: impl FnOnce(&mut FieldLines<'_>)) -> String {
        let lines = lines(head);
        let mut fields = FieldLines::new(head.as_bytes(), &lines).expect("few");
        change(&mut fields);
        let mut out = Vec::new();
        fields.write(&mut out);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn lines_stay_as_they_came_unless_they_are_taken_out_or_replaced() {
        let head = "Host: x\r\nCOOKIE: a=1\r\ncookie: b=2\r\nX-Other: 1\r\n";
        assert_eq!(written(head, |_| ()), head);
        assert_eq!(written(head, |fields| fields.remove(&COOKIE)), "Host: x\r\nX-Other: 1\r\n");
        let replaced = written(head, |fields| {
            fields.set(HOST, HeaderValue::from_static("y")).expect("room");
            fields.set(AUTHORIZATION, HeaderValue::from_static("1")).expect("room");
            fields.set(AUTHORIZATION, HeaderValue::from_static("2")).expect("room");
        });
        assert_eq!(replaced, "COOKIE: a=1\r\ncookie: b=2\r\nX-Other: 1\r\nhost: y\r\nauthorization: 2\r\n");
    }

    #[test]
    fn values_are_those_that_would_be_written() {
        let head = "Cookie: a=1\r\nCOOKIE: b=2\r\n";
        let lines = lines(head);
        let mut fields = FieldLines::new(head.as_bytes(), &lines).expect("few");
        assert_eq!(fields.each(&COOKIE).collect::<Vec<_>>(), [b"a=1", b"b=2"]);
        assert!(fields.has(&COOKIE) && !fields.has(&HOST));
        fields.set(COOKIE, HeaderValue::from_static("c=3")).expect("room");
        assert_eq!(fields.each(&COOKIE).collect::<Vec<_>>(), [b"c=3"]);
        fields.remove(&COOKIE);
        assert!(!fields.has(&COOKIE));
    }

    #[test]
    fn names_are_judged_in_lower_case_however_long_they_are() {
        let long = format!("X-{}", "A".repeat(200));
        let head = format!("X-Remote-User: 1\r\nHost: x\r\n{long}: 1\r\n");
        let left = written(&head, |fields| fields.remove_where(|name| name.starts_with(b"x-")));
        assert_eq!(left, "Host: x\r\n");
    }

    #[test]
    fn what_is_for_the_next_hop_alone_goes_no_further() {
        let head = "Connection: close, X-Mine\r\nconnection: Keep-Alive,x-too\r\nX-MINE: 1\r\nX-Too: 1\r\n\
            Keep-Alive: timeout=5\r\nTE: trailers\r\nProxy-Authorization: x\r\nUpgrade: h2c\r\nClose: kept\r\nHost: x\r\n";
        assert_eq!(
            written(head, |fields| {
                fields.remove_hop_by_hop();
            }),
            "Close: kept\r\nHost: x\r\n"
        );
    }

    #[test]
    fn more_lines_than_may_be_are_refused() {
        let lines = vec![FieldLine::new(&(0..0), &(0..0)); MAX_FIELDS + 1];
        assert_eq!(FieldLines::new(b"", &lines).expect_err("too many"), TooManyFields);
    }
}
