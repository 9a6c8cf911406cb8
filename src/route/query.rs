//! What of a query ERPNext would act upon, read as werkzeug reads it: pairs apart by `&`, `+` a blank, percent-decoded.

use std::borrow::Cow;

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
        self.pairs().filter(|pair| *pair != ("", "")).map(|(name, value)| (owned(name), owned(value))).collect()
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let pairs = (!self.0.is_empty()).then(|| self.0.split('&'));
        pairs.into_iter().flatten().map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
}

/// Incomplete encodings stay as they are, invalid UTF-8 is replaced: as Python does it.
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
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
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
        assert!(!Query::new("").has(""));
    }

    #[test]
    fn what_is_no_encoding_stays() {
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("%ff"), "\u{fffd}");
    }
}
