//! Addresses of the web: origins (RFC 6454), the public URL and where the upstream listens.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error};
use url::{Host, Url};

/// The text is no such address; the message says what one looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// No origin.
    #[error(
        "write an origin: http:// or https://, a host in lower case, a port if it is not the usual one, and nothing after it (no path, no trailing slash)"
    )]
    Origin,
    /// Plain HTTP where browsers and their secrets come.
    #[error("the public URL begins with https:// (http:// only for localhost, 127.0.0.1 and [::1])")]
    NotHttps,
    /// No network.
    #[error("write an address or a network in CIDR notation: \"10.0.0.0/8\", \"192.0.2.7\", \"fd00::/8\"")]
    Network,
}

/// An origin in the one way to write it, so that two are equal when their texts are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    text: String,
    host: String,
    port: u16,
    https: bool,
}

impl Origin {
    /// `https://erp.example.com`: scheme, host, and port where it is not the scheme's own.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host; an IPv6 address without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, the scheme's own where none is written.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the scheme is https.
    #[must_use]
    pub const fn is_https(&self) -> bool {
        self.https
    }

    /// What stands after the scheme, as a `Host` header has it.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.text.split_once("://").map_or(&self.text, |(_, authority)| authority)
    }

    /// Whether the host is this machine's own.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl Origin {
    /// `http://127.0.0.1:PORT`.
    pub(super) fn on_loopback(port: u16) -> Self {
        let host = "127.0.0.1".to_owned();
        Self { text: format!("http://{host}:{port}"), host, port, https: false }
    }
}

impl FromStr for Origin {
    type Err = InvalidAddress;
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let url = Url::parse(text).map_err(|_| InvalidAddress::Origin)?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(InvalidAddress::Origin),
        };
        let host = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            None => return Err(InvalidAddress::Origin),
        };
        // Only the canonical spelling passes: no path, user information, upper case or needless port.
        if url.origin().ascii_serialization() != text {
            return Err(InvalidAddress::Origin);
        }
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(InvalidAddress::Origin)?;
        Ok(Self { text: text.to_owned(), host, port, https })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The origin that browsers see, and the issuer: https, or a loopback host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicUrl(Origin);

impl PublicUrl {
    /// What stands in for the one key that has no default.
    pub(super) fn example() -> Self {
        let (text, host) = ("https://erp.example.com".to_owned(), "erp.example.com".to_owned());
        Self(Origin { text, host, port: 443, https: true })
    }

    /// The URL: an origin, without path or trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The same as an origin.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.0
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.0.is_loopback()
    }
}

impl FromStr for PublicUrl {
    type Err = InvalidAddress;
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let origin: Origin = text.parse()?;
        if origin.is_https() || origin.is_loopback() { Ok(Self(origin)) } else { Err(InvalidAddress::NotHttps) }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for PublicUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// For `#[serde(deserialize_with)]`: networks, where a lone address is the network of itself.
pub(super) fn networks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let parse = |text: &String| {
        let alone = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>().or_else(|_| alone()).map_err(|_| InvalidAddress::Network)
    };
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(parse).collect::<Result<_, _>>().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_tells_its_parts() {
        let origin: Origin = "https://erp.example.com:8443".parse().expect("an origin");
        assert_eq!((origin.host(), origin.port(), origin.is_https()), ("erp.example.com", 8443, true));
        assert_eq!(origin.authority(), "erp.example.com:8443");
        let origin: Origin = "http://[::1]".parse().expect("an origin");
        assert_eq!((origin.host(), origin.port(), origin.authority()), ("::1", 80, "[::1]"));
    }

    #[test]
    fn only_a_bare_origin_in_its_one_spelling_passes() {
        for text in [
            "",
            "erp.example.com",
            "https://erp.example.com/",
            "https://erp.example.com/erp",
            "https://erp.example.com?x",
            "https://erp.example.com#x",
            "https://user@erp.example.com",
            "https://ERP.example.com",
            "https://erp.example.com:443",
            "https://erp.example.com:0",
            "ftp://erp.example.com",
            "https://",
            " https://erp.example.com",
        ] {
            assert_eq!(text.parse::<Origin>(), Err(InvalidAddress::Origin), "{text:?}");
        }
    }

    #[test]
    fn the_public_url_is_https_but_for_loopback() {
        for text in ["https://erp.example.com", "http://localhost:8080", "http://127.0.0.1", "http://[::1]:8080"] {
            assert!(text.parse::<PublicUrl>().is_ok(), "{text}");
        }
        for text in ["http://erp.example.com", "http://localhost.evil.example", "http://10.0.0.1"] {
            assert_eq!(text.parse::<PublicUrl>(), Err(InvalidAddress::NotHttps), "{text}");
        }
    }
}
