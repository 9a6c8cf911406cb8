//! Response types and modes of the authorization endpoint (RFC 6749 §3.1.1, OAuth 2.0 Multiple Response Types).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the authorization endpoint is asked to give: at least one of code, token and id_token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResponseType {
    /// An authorization code.
    pub code: bool,
    /// An access token, in the fragment.
    pub token: bool,
    /// An id_token, in the fragment.
    pub id_token: bool,
}

/// The text names no response type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown response type")]
pub struct UnknownResponseType;

impl ResponseType {
    /// `code` alone.
    pub const CODE: Self = Self { code: true, token: false, id_token: false };
    /// Everything that puts a token into the fragment.
    pub const IMPLICIT: [Self; 6] = [
        Self { code: false, token: true, id_token: false },
        Self { code: false, token: false, id_token: true },
        Self { code: false, token: true, id_token: true },
        Self { code: true, token: false, id_token: true },
        Self { code: true, token: true, id_token: false },
        Self { code: true, token: true, id_token: true },
    ];

    /// Takes a `response_type`: words in any order, none twice.
    ///
    /// # Errors
    /// [`UnknownResponseType`] for another word, a repetition, or none.
    pub fn parse(text: &str) -> Result<Self, UnknownResponseType> {
        let mut parsed = Self { code: false, token: false, id_token: false };
        for word in text.split(' ') {
            let part = match word {
                "code" => &mut parsed.code,
                "token" => &mut parsed.token,
                "id_token" => &mut parsed.id_token,
                _ => return Err(UnknownResponseType),
            };
            if std::mem::replace(part, true) {
                return Err(UnknownResponseType);
            }
        }
        Ok(parsed)
    }

    /// Whether the answer goes into the fragment unless asked otherwise.
    #[must_use]
    pub const fn uses_fragment(self) -> bool {
        self.token || self.id_token
    }
}

impl fmt::Display for ResponseType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [(self.code, "code"), (self.id_token, "id_token"), (self.token, "token")];
        let words: Vec<_> = words.into_iter().filter_map(|(on, word)| on.then_some(word)).collect();
        f.write_str(&words.join(" "))
    }
}

impl Serialize for ResponseType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResponseType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// How the answer travels to the redirect URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query.
    Query,
    /// In the fragment.
    Fragment,
    /// As a form that the browser posts (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

impl ResponseMode {
    /// Takes a `response_mode`; `None` when it is not one of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "query" => Some(Self::Query),
            "fragment" => Some(Self::Fragment),
            "form_post" => Some(Self::FormPost),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_may_come_in_any_order_but_not_twice() {
        assert_eq!(
            ResponseType::parse("token id_token code").map(|r| r.to_string()),
            Ok("code id_token token".to_owned())
        );
        for text in ["", "code code", "foo", "code  token", "CODE"] {
            assert_eq!(ResponseType::parse(text), Err(UnknownResponseType), "{text:?}");
        }
    }
}
