//! What of a query ERPNext would act upon, read as werkzeug reads it: pairs apart by `&`, `+` a blank, percent-decoded.

use std::{borrow::Cow, str::Utf8Chunk};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

use super::{body::LOGIN_NAME, target::hex};

/// A query string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query<'a>(&'a str);

impl<'a> Query<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Whether any parameter has this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The decoded values of the parameters of this name.
    pub fn values(&self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        self.pairs().filter(move |(key, _)| decode(key) == name).map(|(_, value)| decode(value))
    }

    /// The user's name that it has for a login.
    #[must_use]
    pub fn login_name(&self) -> Option<Cow<'a, str>> {
        self.values(LOGIN_NAME).next()
    }

    /// The decoded values of all parameters.
    pub(super) fn all_values(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.pairs().map(|(_, value)| decode(value))
    }

    /// All parameters, decoded.
    pub(super) fn owned_pairs(&self) -> Vec<(String, String)> {
        let owned = |text| decode(text).into_owned();
        self.pairs().map(|(name, value)| (owned(name), owned(value))).collect()
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        // Most requests have no query: it must cost nothing.
        let query = Some(self.0).filter(|query| !query.is_empty());
        let pairs = query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
}

/// Incomplete encodings stay as they are, and bytes that are no UTF-8 stay encoded: as werkzeug does it.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        decoded.push(match (byte, tail) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = after;
                    high << 4 | low
                }
                _ => b'%',
            },
            _ => *byte,
        });
    }
    Cow::Owned(String::from_utf8(decoded).unwrap_or_else(|error| with_encodings(error.as_bytes())))
}

/// The text, with an encoding for each byte that is no part of one.
fn with_encodings(bytes: &[u8]) -> String {
    let chunk = |chunk: Utf8Chunk<'_>| {
        let encoded = percent_encode(chunk.invalid(), NON_ALPHANUMERIC);
        format!("{}{encoded}", chunk.valid())
    };
    bytes.utf8_chunks().map(chunk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded_once() {
        let query = Query::new("a=1&%63md=x%2Ey+z&cmd=%2566&cmd&sid%00=1");
        assert_eq!(query.values("cmd").collect::<Vec<_>>(), ["x.y z", "%66", ""]);
        assert!(!query.has("sid"));
        assert!(Query::new("x=1&s%69d").has("sid"));
        assert!(!Query::new("").has("") && !Query::new("a&&b&").has(""));
        assert_eq!(Query::new("&=&").owned_pairs(), [(String::new(), String::new())]);
    }

    #[test]
    fn what_is_no_encoding_stays() {
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("%ff"), "%FF");
        assert_eq!(decode("a%e2%82+%c3%a9%ED%A0%80"), "a%E2%82 \u{e9}%ED%A0%80");
    }
}
