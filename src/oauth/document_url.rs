//! URLs of documents that a client publishes itself: its keys (RFC 7591 §2, `jwks_uri`), and its metadata.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

const LONGEST: usize = 2048;

/// An absolute https URL without user information and fragment; or http with a loopback host, which nobody fetches unless
/// the operator has named the host.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentUrl {
    text: String,
    url: Url,
}

/// Why a text is no URL of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadDocumentUrl {
    /// Not an absolute URL of visible ASCII characters, or too long.
    #[error("must be an absolute URL of at most 2048 visible ASCII characters")]
    NotAbsolute,
    /// Another scheme than https.
    #[error("must be https (http only with a loopback host that the operator has allowed)")]
    Scheme,
    /// It has a fragment, or a user.
    #[error("must have no fragment and no user information")]
    Parts,
}

impl DocumentUrl {
    /// Reads it. It is kept as written.
    ///
    /// # Errors
    /// [`BadDocumentUrl`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadDocumentUrl> {
        let visible = text.bytes().all(|b| matches!(b, 0x21..=0x7e)) && !text.contains('\\');
        if !visible || text.len() > LONGEST {
            return Err(BadDocumentUrl::NotAbsolute);
        }
        let url = Url::parse(text).map_err(|_| BadDocumentUrl::NotAbsolute)?;
        if !has_scheme(text, &url) {
            return Err(BadDocumentUrl::Scheme);
        }
        let authority =
            text.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
        if authority.is_empty() {
            return Err(BadDocumentUrl::NotAbsolute);
        }
        // The URL parser sees no user in `https://@host/`; others may.
        if url.fragment().is_some() || authority.contains('@') {
            return Err(BadDocumentUrl::Parts);
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// The URL as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The URL as it is asked for.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The host, a name in lower case; an IPv6 address has its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// Whether it is https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether it leads to the standard port of https.
    #[must_use]
    pub fn is_on_standard_port(&self) -> bool {
        self.is_https() && self.url.port().is_none()
    }

    /// Whether the host is a name that the whole world may know: it has a dot, and is no address.
    #[must_use]
    pub fn has_public_name(&self) -> bool {
        match self.url.host() {
            Some(Host::Domain(name)) => {
                let name = name.trim_end_matches('.');
                name.contains('.') && !name.ends_with(".localhost")
            }
            Some(Host::Ipv4(_) | Host::Ipv6(_)) | None => false,
        }
    }

    /// Whether the URL may be the `client_id` of a client that a document describes: https, with a path, with nothing in it
    /// that a reader would resolve, in the one spelling that it has (Client ID Metadata Document §3).
    #[must_use]
    pub fn may_be_client_id(&self) -> bool {
        let path = self.url.path();
        // `url` has resolved dot segments and put the host into lower case: whoever wrote it otherwise wrote another text.
        self.is_https() && path.len() > 1 && self.url.query().is_none() && self.url.as_str() == self.text
    }
}

fn has_scheme(text: &str, url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let starts = |scheme: &str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    match url.scheme() {
        "https" => starts("https://"),
        "http" => loopback && starts("http://"),
        _ => false,
    }
}

impl fmt::Debug for DocumentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentUrl({})", self.text)
    }
}

impl TryFrom<String> for DocumentUrl {
    type Error = BadDocumentUrl;

    fn try_from(text: String) -> Result<Self, BadDocumentUrl> {
        Self::parse(&text)
    }
}

impl From<DocumentUrl> for String {
    fn from(url: DocumentUrl) -> Self {
        url.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_without_a_user_and_a_fragment_is_taken() {
        use BadDocumentUrl as E;
        for (text, refused) in [
            ("https://app.example/jwks", None),
            ("https://app.example", None),
            ("https://app.example:8443/jwks?a=b", None),
            ("HTTPS://App.Example/jwks", None),
            ("https://[2001:db8::1]/jwks", None),
            ("http://127.0.0.1:8000/jwks", None),
            ("http://localhost/jwks", None),
            ("http://app.example/jwks", Some(E::Scheme)),
            ("http://localhost.example/jwks", Some(E::Scheme)),
            ("file:///etc/passwd", Some(E::Scheme)),
            ("gopher://app.example/", Some(E::Scheme)),
            ("javascript:alert(1)", Some(E::Scheme)),
            ("https:app.example/jwks", Some(E::Scheme)),
            ("https:///app.example/jwks", Some(E::NotAbsolute)),
            ("https://a@app.example/jwks", Some(E::Parts)),
            ("https://@app.example/jwks", Some(E::Parts)),
            ("https://app.example/jwks#x", Some(E::Parts)),
            ("https://app.example/#", Some(E::Parts)),
            ("https://app.example\\@evil.example/", Some(E::NotAbsolute)),
            ("https://app.example/ x", Some(E::NotAbsolute)),
            ("https://bücher.example/", Some(E::NotAbsolute)),
            ("/jwks", Some(E::NotAbsolute)),
            ("", Some(E::NotAbsolute)),
        ] {
            assert_eq!(DocumentUrl::parse(text).err(), refused, "{text}");
        }
        let long = format!("https://app.example/{}", "a".repeat(LONGEST));
        assert_eq!(DocumentUrl::parse(&long), Err(E::NotAbsolute));
    }

    #[test]
    fn names_that_only_a_network_of_its_own_knows_are_not_public() {
        let is_public = |text: &str| DocumentUrl::parse(text).expect("a URL").has_public_name();
        assert!(is_public("https://app.example/"));
        for text in [
            "https://intranet/",
            "https://localhost/",
            "https://localhost./",
            "https://x.localhost/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://93.184.216.34/",
            "https://[::1]/",
        ] {
            assert!(!is_public(text), "{text}");
        }
    }

    #[test]
    fn a_client_id_has_a_path_and_one_spelling() {
        let may = |text: &str| DocumentUrl::parse(text).is_ok_and(|url| url.may_be_client_id());
        assert!(may("https://app.example/client.json"));
        assert!(may("https://app.example:8443/oauth/client"));
        for text in [
            "https://app.example",
            "https://app.example/",
            "https://app.example/a/../client.json",
            "https://app.example/./client.json",
            "https://app.example/%2e%2e/client.json",
            "https://app.example/client.json?x=1",
            "https://app.example/client.json?",
            "https://App.example/client.json",
            "https://app.example:443/client.json",
            "http://localhost/client.json",
        ] {
            assert!(!may(text), "{text}");
        }
    }
}
