//! The parameters of a request: from a query, a form, or a JSON object.

use std::{borrow::Cow, convert::Infallible, fmt};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use percent_encoding::percent_decode;
use zeroize::Zeroize;

/// Names and values in their order, decoded. Values are wiped when they are dropped: secrets, codes and passwords are
/// among them.
#[derive(Default)]
pub struct Parameters(Vec<(String, String)>);

/// Why parameters can't be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadParameters {
    /// Not UTF-8, or not of the form that its content type names.
    Malformed,
    /// A parameter that may stand once stands twice (RFC 6749 §3.1).
    Repeated(String),
}

/// May be sent more than once (RFC 8707 §2, RFC 8693 §2.1).
const REPEATABLE: [&str; 2] = ["resource", "audience"];
const MOST_PARAMETERS: usize = 256;

impl Parameters {
    /// Takes a query or a urlencoded form.
    ///
    /// # Errors
    /// [`BadParameters::Malformed`].
    pub fn urlencoded(bytes: &[u8]) -> Result<Self, BadParameters> {
        let pairs = bytes.split(|b| *b == b'&').filter(|pair| !pair.is_empty());
        let parameters: Result<Vec<_>, _> = pairs.map(decode_pair).collect();
        Self::bounded(parameters?)
    }

    /// Takes a JSON object whose values are texts, numbers or booleans.
    ///
    /// # Errors
    /// [`BadParameters::Malformed`].
    pub fn json(bytes: &[u8]) -> Result<Self, BadParameters> {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(bytes).map_err(|_| BadParameters::Malformed)?;
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => Some(text),
            serde_json::Value::Number(number) => Some(number.to_string()),
            serde_json::Value::Bool(flag) => Some(flag.to_string()),
            serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
        };
        Self::bounded(object.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect())
    }

    /// Takes a multipart form (RFC 7578).
    ///
    /// # Errors
    /// [`BadParameters::Malformed`].
    pub async fn multipart(content_type: &str, body: Bytes) -> Result<Self, BadParameters> {
        let boundary = multer::parse_boundary(content_type).map_err(|_| BadParameters::Malformed)?;
        let mut form = multer::Multipart::new(stream::once(async { Ok::<_, Infallible>(body) }).boxed(), boundary);
        let mut parameters = Vec::new();
        while let Some(field) = form.next_field().await.map_err(|_| BadParameters::Malformed)? {
            let Some(name) = field.name().map(str::to_owned) else { return Err(BadParameters::Malformed) };
            let value = field.bytes().await.map_err(|_| BadParameters::Malformed)?;
            parameters.push((name, String::from_utf8(value.to_vec()).map_err(|_| BadParameters::Malformed)?));
        }
        Self::bounded(parameters)
    }

    fn bounded(parameters: Vec<(String, String)>) -> Result<Self, BadParameters> {
        if parameters.len() > MOST_PARAMETERS { Err(BadParameters::Malformed) } else { Ok(Self(parameters)) }
    }

    /// These parameters, once none of them is repeated that may not be.
    ///
    /// # Errors
    /// [`BadParameters::Repeated`] with its name.
    pub fn without_repetition(self) -> Result<Self, BadParameters> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            let again = self.0.iter().skip(index + 1).any(|(other, _)| other == name);
            if again && !REPEATABLE.contains(&name.as_str()) {
                return Err(BadParameters::Repeated(name.clone()));
            }
        }
        Ok(self)
    }

    /// The value of a parameter; one sent without a value counts as left out (RFC 6749 §3.1).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.sent(name).filter(|value| !value.is_empty())
    }

    /// The value of a parameter, the empty one too.
    #[must_use]
    pub fn sent(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The parameters whose names begin so, by the rest of the name.
    pub fn beginning_with<'p>(&'p self, start: &'p str) -> impl Iterator<Item = (&'p str, &'p str)> {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(start)?, value.as_str())))
    }

    /// The values of a parameter that may be repeated; those without a value count as left out.
    pub fn each<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let sent = self.0.iter().filter(move |(other, _)| other == name);
        sent.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// How often a parameter was sent.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.0.iter().filter(|(other, _)| other == name).count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Parameters {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}

/// The names alone: values are codes, secrets, passwords.
impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

fn decode_pair(pair: &[u8]) -> Result<(String, String), BadParameters> {
    let mut halves = pair.splitn(2, |b| *b == b'=');
    let name = halves.next().unwrap_or_default();
    let value = halves.next().unwrap_or_default();
    Ok((decode(name)?, decode(value)?))
}

fn decode(bytes: &[u8]) -> Result<String, BadParameters> {
    let spaced: Vec<u8> = bytes.iter().map(|b| if *b == b'+' { b' ' } else { *b }).collect();
    let decoded: Cow<'_, [u8]> = percent_decode(&spaced).into();
    String::from_utf8(decoded.into_owned()).map_err(|_| BadParameters::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plus_and_percent_are_decoded_once() {
        let form = Parameters::urlencoded(b"scope=all+openid&state=%2B%2520&empty=&alone").expect("a form");
        assert_eq!(form.get("scope"), Some("all openid"));
        assert_eq!(form.get("state"), Some("+%20"));
        assert_eq!(form.get("empty"), None);
        assert_eq!(form.sent("empty"), Some(""));
        assert_eq!(form.sent("alone"), Some(""));
        assert_eq!(form.sent("none"), None);
    }

    #[test]
    fn a_repeated_parameter_is_refused_unless_it_may_repeat() {
        let form = |text: &str| Parameters::urlencoded(text.as_bytes()).and_then(Parameters::without_repetition);
        assert_eq!(form("a=1&b=2&a=1").map(|_| ()), Err(BadParameters::Repeated("a".to_owned())));
        assert!(form("resource=1&resource=2&audience=3&audience=4").is_ok());
    }

    #[test]
    fn what_is_not_utf8_is_malformed() {
        assert_eq!(Parameters::urlencoded(b"a=%ff").map(|_| ()), Err(BadParameters::Malformed));
    }

    #[tokio::test]
    async fn a_multipart_form_is_read() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nrefresh_token\r\n--x--\r\n";
        let form = Parameters::multipart("multipart/form-data; boundary=x", Bytes::from(body)).await.expect("a form");
        assert_eq!(form.get("grant_type"), Some("refresh_token"));
        assert!(Parameters::multipart("multipart/form-data", Bytes::from(body)).await.is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Parameters::urlencoded(&bytes).map(|form| form.get("a").map(str::to_owned));
            let _ = Parameters::json(&bytes);
        }
    }
}
