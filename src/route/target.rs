//! The request target as ERPNext will understand it. WSGI servers decode the path once, `%2F` included, and werkzeug drops
//! doubled slashes at its start; a web server between may clean more. So: one spelling is decided on and forwarded, and
//! what two parsers could read in two ways is refused.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::query::Query;

/// A request target in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    decoded: Cow<'a, str>,
    canonical: Canonical<'a>,
    query: Option<&'a str>,
}

/// The path as it is forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Canonical<'a> {
    /// As it came.
    AsSent(&'a str),
    /// Written anew.
    Rewritten(String),
}

/// Why a request target is refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// Absolute, authority or asterisk form, or nothing at all.
    #[error("the request target must begin with a slash")]
    NoOriginForm,
    /// A control byte, a space or a `#`, plain or (control bytes) encoded.
    #[error("the request target has a character that must not be there")]
    Illegal,
    /// `%` without two hexadecimal digits.
    #[error("the request target has an incomplete percent-encoding")]
    Encoding,
    /// Overlong forms too.
    #[error("the path is not valid UTF-8")]
    NotUtf8,
    /// Plain or encoded.
    #[error("the path has a backslash")]
    Backslash,
    /// `.` or `..`, plain or encoded, also with a parameter (`..;x`).
    #[error("the path has a dot segment")]
    DotSegment,
    /// An empty segment made by an encoded slash: some parsers would drop it.
    #[error("the path has an encoded slash next to a slash")]
    EmptySegment,
}

impl<'a> Target<'a> {
    /// Takes a target in origin form. Slashes that follow a slash are dropped, encoded letters are decoded, an encoded
    /// slash becomes one (ERPNext sees no difference); a doubly encoded character stays what one decoding makes of it.
    /// Parsing what [`Self::forwarded`] gives changes nothing any more.
    ///
    /// # Errors
    /// [`BadTarget`] for what must not be forwarded at all.
    pub fn parse(raw: &'a str) -> Result<Self, BadTarget> {
        let (path, query) = match raw.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (raw, None),
        };
        if !path.starts_with('/') {
            return Err(BadTarget::NoOriginForm);
        }
        if raw.bytes().any(is_illegal) {
            return Err(BadTarget::Illegal);
        }
        if is_canonical(path) {
            return Ok(Self { decoded: Cow::Borrowed(path), canonical: Canonical::AsSent(path), query });
        }
        let decoded = decode(path)?;
        check_segments(&decoded)?;
        let canonical = Canonical::Rewritten(utf8_percent_encode(&decoded, NOT_PLAIN).to_string());
        Ok(Self { decoded: Cow::Owned(decoded), canonical, query })
    }

    /// The decoded path: what rules are matched against.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.decoded
    }

    /// The path as it is written in logs and sent upstream.
    #[must_use]
    pub fn canonical_path(&self) -> &str {
        match &self.canonical {
            Canonical::AsSent(path) => path,
            Canonical::Rewritten(path) => path,
        }
    }

    /// The query, as it came.
    #[must_use]
    pub fn query(&self) -> Query<'a> {
        Query::new(self.query.unwrap_or_default())
    }

    /// The target to be sent in place of the one that came; `None` when that was it already.
    #[must_use]
    pub fn rewritten(&self) -> Option<String> {
        match &self.canonical {
            Canonical::AsSent(_) => None,
            Canonical::Rewritten(_) => Some(self.forwarded()),
        }
    }

    /// The whole target as it is sent upstream.
    #[must_use]
    pub fn forwarded(&self) -> String {
        match self.query {
            Some(query) => format!("{}?{query}", self.canonical_path()),
            None => self.canonical_path().to_owned(),
        }
    }

    /// The segments of the decoded path; a slash at its end adds none.
    pub(super) fn segments(&self) -> impl Iterator<Item = &str> + Clone {
        segments(self.path())
    }
}

/// The segments of a path; a slash at its end adds none.
pub(super) fn segments(path: &str) -> impl Iterator<Item = &str> + Clone {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path).split('/').filter(|segment| !segment.is_empty())
}

const fn is_illegal(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | 0x7f | b'#')
}

/// Characters that stand for themselves in a path (RFC 3986 §3.3), the slash besides.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+')
        || matches!(byte, b',' | b';' | b'=' | b':' | b'@' | b'/')
}

/// The ASCII that [`is_plain`] is not.
const NOT_PLAIN: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Whether the path needs no closer look: the usual case. A dot after a slash gets one.
fn is_canonical(path: &str) -> bool {
    let mut after_slash = false;
    path.bytes().all(|byte| {
        let sound = is_plain(byte) && !(after_slash && matches!(byte, b'/' | b'.'));
        after_slash = byte == b'/';
        sound
    })
}

fn decode(path: &str) -> Result<String, BadTarget> {
    let mut decoded: Vec<u8> = Vec::with_capacity(path.len());
    let mut bytes = path.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digits = (bytes.next().and_then(hex), bytes.next().and_then(hex));
                let (Some(high), Some(low)) = digits else { return Err(BadTarget::Encoding) };
                decoded.push(high << 4 | low);
            }
            // A web server drops these; werkzeug does so at the start.
            b'/' if bytes.peek() == Some(&b'/') => {}
            _ => decoded.push(byte),
        }
    }
    let decoded = String::from_utf8(decoded).map_err(|_| BadTarget::NotUtf8)?;
    if decoded.chars().any(char::is_control) { Err(BadTarget::Illegal) } else { Ok(decoded) }
}

fn check_segments(decoded: &str) -> Result<(), BadTarget> {
    if decoded.contains('\\') {
        return Err(BadTarget::Backslash);
    }
    if decoded.contains("//") {
        return Err(BadTarget::EmptySegment);
    }
    let dots = |segment: &str| matches!(segment.split(';').next(), Some("." | ".."));
    if decoded.split('/').any(dots) { Err(BadTarget::DotSegment) } else { Ok(()) }
}

/// The value of a hexadecimal digit.
pub(super) const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
