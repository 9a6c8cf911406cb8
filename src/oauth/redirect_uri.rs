//! Redirect URIs: what may be registered, and which presented one matches (RFC 6749 §3.1.2, RFC 8252 §7.3).

use serde::{Deserialize, Deserializer, Serialize};
use url::{Host, Url};

/// A registered redirect URI: absolute, without fragment, with a scheme that carries no script.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct RedirectUri(String);

/// Why a URI can't be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedirectUri {
    /// Not an absolute URI of visible ASCII characters.
    #[error("a redirect URI is an absolute URI of visible ASCII characters")]
    NotAbsolute,
    /// It has a fragment (RFC 6749 §3.1.2).
    #[error("a redirect URI has no fragment")]
    Fragment,
    /// A scheme that a browser runs or reads from itself.
    #[error("the schemes javascript, data, vbscript, blob, about and file are refused")]
    Scheme,
    /// User information in the authority: it hides the real host.
    #[error("a redirect URI has no user information")]
    UserInformation,
    /// A host with a character that no host's name has. In a page's `form-action` a `;` or `,` would begin something else.
    #[error("the host of a redirect URI is an address, or a name of letters, digits, '-', '.' and '_'")]
    Host,
}

const REFUSED_SCHEMES: [&str; 6] = ["javascript", "data", "vbscript", "blob", "about", "file"];

impl RedirectUri {
    /// Takes a URI for registration. It is kept as written: matching is byte for byte.
    ///
    /// # Errors
    /// [`InvalidRedirectUri`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, InvalidRedirectUri> {
        if !text.bytes().all(|b| matches!(b, 0x21..=0x7e)) || text.contains('\\') {
            return Err(InvalidRedirectUri::NotAbsolute);
        }
        let url = Url::parse(text).map_err(|_| InvalidRedirectUri::NotAbsolute)?;
        if REFUSED_SCHEMES.contains(&url.scheme()) {
            return Err(InvalidRedirectUri::Scheme);
        }
        if url.fragment().is_some() {
            return Err(InvalidRedirectUri::Fragment);
        }
        let has_origin = url.origin().is_tuple();
        let after_scheme = text.get(url.scheme().len()..).and_then(|rest| rest.strip_prefix("://"));
        let authority = after_scheme.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
        if has_origin && authority.is_empty() {
            return Err(InvalidRedirectUri::NotAbsolute);
        }
        // The URL parser sees no user in `http://@host/`; others may.
        if !url.username().is_empty() || url.password().is_some() || (has_origin && authority.contains('@')) {
            return Err(InvalidRedirectUri::UserInformation);
        }
        if has_origin && !url.host().as_ref().is_some_and(is_named_plainly) {
            return Err(InvalidRedirectUri::Host);
        }
        Ok(Self(text.to_owned()))
    }

    /// The URI as it was registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a presented URI is this one: byte for byte, but for the port of a loopback address (RFC 8252 §7.3).
    #[must_use]
    pub fn matches(&self, presented: &str) -> bool {
        self.0 == presented || self.matches_on_another_port(presented)
    }

    fn matches_on_another_port(&self, presented: &str) -> bool {
        let Some((host, rest)) = self.loopback() else { return false };
        let Some(after_host) = presented.strip_prefix("http://").and_then(|p| p.strip_prefix(host)) else {
            return false;
        };
        let after_port = match after_host.strip_prefix(':') {
            Some(port) => {
                let digits = port.bytes().take_while(u8::is_ascii_digit).count();
                let number = port.get(..digits).and_then(|digits| digits.parse::<u16>().ok());
                if number.is_none_or(|number| number == 0) {
                    return false;
                }
                port.get(digits..).unwrap_or_default()
            }
            None => after_host,
        };
        after_port == rest
    }

    /// Whether the URI leads over http to a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback().is_some()
    }

    /// Host as written and what follows the port, when this is a loopback URI.
    fn loopback(&self) -> Option<(&str, &str)> {
        let after_scheme = self.0.strip_prefix("http://")?;
        let host = ["127.0.0.1", "[::1]", "localhost"].into_iter().find(|host| after_scheme.starts_with(host))?;
        let after_host = after_scheme.get(host.len()..)?;
        let rest = after_host
            .strip_prefix(':')
            .map_or(after_host, |port| port.trim_start_matches(|c: char| c.is_ascii_digit()));
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
    }

    /// The origin (`https://shop.example.com`), or the scheme (`myapp:`) of a URI that has none: what a page's
    /// `form-action` must name for the way back to be open.
    #[must_use]
    pub fn origin_or_scheme(&self) -> String {
        Url::parse(&self.0).map_or_else(
            |_| String::new(),
            |url| {
                let origin = url.origin();
                if origin.is_tuple() { origin.ascii_serialization() } else { format!("{}:", url.scheme()) }
            },
        )
    }

    /// Whether the URI is https: the peer at its end has shown a certificate.
    #[must_use]
    pub fn is_https(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| {
            url.scheme() == "https" && matches!(url.host(), Some(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)))
        })
    }
}

fn is_named_plainly(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')),
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    }
}

impl<'de> Deserialize<'de> for RedirectUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse(text).expect("a redirect URI")
    }

    #[test]
    fn only_the_same_bytes_match() {
        let registered = uri("https://good.example/cb");
        assert!(registered.matches("https://good.example/cb"));
        for presented in [
            "https://good.example.evil.com/cb",
            "https://good.example/cb/../x",
            "https://good.example/cb?x=1",
            "https://good.example/cb#f",
            "https://good.example/cb/",
            "https://GOOD.example/cb",
            "https://good.example@evil/cb",
            "//evil.com",
            "/\\evil.com",
            "https:evil.com",
            "\t//evil",
            "https://good.example:443/cb",
        ] {
            assert!(!registered.matches(presented), "{presented}");
        }
    }

    #[test]
    fn a_loopback_uri_matches_on_any_port() {
        for (registered, presented) in [
            ("http://127.0.0.1/cb", "http://127.0.0.1:51515/cb"),
            ("http://127.0.0.1:7000/cb", "http://127.0.0.1:51515/cb"),
            ("http://localhost:3000/", "http://localhost/"),
            ("http://[::1]/cb?a=b", "http://[::1]:1/cb?a=b"),
        ] {
            assert!(uri(registered).matches(presented), "{presented}");
        }
    }

    #[test]
    fn what_only_looks_like_loopback_does_not_match() {
        let registered = uri("http://127.0.0.1/cb");
        for presented in [
            "http://localhost.evil/cb",
            "http://127.0.0.1.evil/cb",
            "http://127.0.0.1:80@evil/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:1/other",
            "https://127.0.0.1:1/cb",
        ] {
            assert!(!registered.matches(presented), "{presented}");
        }
        assert!(!uri("http://localhost.example/cb").matches("http://localhost.example:1/cb"));
        assert!(!uri("http://[::1]/").matches("http://[::1]@evil/"));
    }

    #[test]
    fn dangerous_uris_are_not_registered() {
        use InvalidRedirectUri as E;
        for (text, reason) in [
            ("javascript:alert(1)", E::Scheme),
            ("data:text/html,x", E::Scheme),
            ("https://a.example/#f", E::Fragment),
            ("https://good@evil/", E::UserInformation),
            ("https://@evil/", E::UserInformation),
            ("ws:evil.com", E::NotAbsolute),
            ("https:///evil.com", E::NotAbsolute),
            ("//evil.com", E::NotAbsolute),
            ("https:evil.com", E::NotAbsolute),
            ("/\\evil.com", E::NotAbsolute),
            ("https://a.example/ b", E::NotAbsolute),
            ("https://a.example;sandbox/cb", E::Host),
            ("http://a.example,b/", E::Host),
            ("http://'self'/", E::Host),
            ("", E::NotAbsolute),
        ] {
            assert_eq!(RedirectUri::parse(text), Err(reason), "{text}");
        }
    }

    #[test]
    fn form_action_names_origin_or_scheme() {
        assert_eq!(uri("https://a.example:8443/cb?x=1").origin_or_scheme(), "https://a.example:8443");
        assert_eq!(uri("com.example.app:/cb").origin_or_scheme(), "com.example.app:");
    }
}
