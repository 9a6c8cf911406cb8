//! The reading of a request head that came over HTTP/2: what `h2` has let through, held to the same rules as over HTTP/1.
//!
//! `h2` resets streams whose pseudo-header fields are missing, doubled or misplaced, that have upper-case or
//! connection-specific fields, or a body that is not as long as they said (RFC 9113 §8.2, §8.3, §8.1.1).

use http::{
    HeaderName,
    header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST},
    uri::Scheme,
};
use pingora::http::RequestHeader;

use crate::{
    http1::MAX_FIELDS,
    server::edge::head::{HeadRefusal, check_method, check_target, content_length, is_host},
};

/// Means something over HTTP/1 only.
static HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// Checks a head, and takes out what must not go further.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(request: &mut RequestHeader) -> Result<(), HeadRefusal> {
    check_method(request.method.as_str().as_bytes())?;
    // An authority stands in the target only as long as that is a URI. In `:path` none may.
    check_target(request.raw_path())?;
    if request.uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTPS && *scheme != Scheme::HTTP) {
        return Err(HeadRefusal::Target);
    }
    // A browser sends each cookie as a field of its own (RFC 9113 §8.2.3).
    let cookies = request.headers.get_all(COOKIE).iter().count();
    if request.headers.len() - cookies + cookies.min(1) > MAX_FIELDS {
        return Err(HeadRefusal::TooLarge);
    }
    check_host(request)?;
    let mut lengths = request.headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next().map(|length| content_length(length.as_bytes()));
    if length == Some(None) || lengths.next().is_some() {
        return Err(HeadRefusal::ContentLength);
    }
    // Nobody waits for `100 Continue` here: windows say when a body may come.
    let awaited = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if !request.headers.get_all(EXPECT).iter().all(awaited) {
        return Err(HeadRefusal::Expectation);
    }
    request.remove_header(&EXPECT);
    request.remove_header(&HTTP2_SETTINGS);
    Ok(())
}

/// One host, in `:authority` or `Host`, or the same in both.
fn check_host(request: &RequestHeader) -> Result<(), HeadRefusal> {
    let mut hosts = request.headers.get_all(HOST).iter().map(http::HeaderValue::as_bytes);
    let (host, another) = (hosts.next(), hosts.next());
    let authority = request.uri.authority().map(|authority| authority.as_str().as_bytes());
    let named = authority.or(host).ok_or(HeadRefusal::Host)?;
    let same = host.is_none_or(|host| host.eq_ignore_ascii_case(named));
    if another.is_none() && same && is_host(named) { Ok(()) } else { Err(HeadRefusal::Host) }
}

#[cfg(test)]
mod tests {
    use http::{Method, Uri, Version};

    use super::*;

    fn checked(uri: &str, fields: &[(&'static str, &'static str)]) -> Result<RequestHeader, HeadRefusal> {
        let mut request = RequestHeader::build(Method::POST, b"/", None).unwrap();
        request.set_uri(uri.parse::<Uri>().unwrap());
        request.set_version(Version::HTTP_2);
        for (name, value) in fields {
            request.append_header(*name, *value).unwrap();
        }
        check(&mut request).map(|()| request)
    }

    #[test]
    fn a_host_is_named_once_or_twice_the_same() {
        assert!(checked("https://x:1/", &[]).is_ok());
        assert!(checked("https://x/", &[("host", "X")]).is_ok());
        assert!(checked("/", &[("host", "[::1]:80")]).is_ok());
        for (uri, fields) in [
            ("/", &[][..]),
            ("https://x/", &[("host", "y")]),
            ("https://x/", &[("host", "x"), ("host", "x")]),
            ("https://a@x/", &[]),
            ("/", &[("host", "a b")]),
            ("/", &[("host", "")]),
        ] {
            assert_eq!(checked(uri, fields).unwrap_err(), HeadRefusal::Host, "{uri} {fields:?}");
        }
    }

    #[test]
    fn a_length_is_said_once_in_digits() {
        assert!(checked("https://x/", &[("content-length", "5")]).is_ok());
        for fields in [&[("content-length", "+5")][..], &[("content-length", "5"), ("content-length", "5")]] {
            assert_eq!(checked("https://x/", fields).unwrap_err(), HeadRefusal::ContentLength, "{fields:?}");
        }
    }

    #[test]
    fn fields_are_counted_and_all_cookies_are_one() {
        let (fields, cookies) = ([("x", "1")].repeat(99), [("cookie", "a=b")].repeat(300));
        assert!(checked("https://x/", &[&fields[..], &cookies].concat()).is_ok());
        let more = [&fields[..], &[("x", "1")], &cookies].concat();
        assert_eq!(checked("https://x/", &more).unwrap_err(), HeadRefusal::TooLarge);
    }

    #[test]
    fn an_expectation_goes_no_further() {
        let request = checked("https://x/", &[("expect", "100-Continue"), ("http2-settings", "AAMAAABk")]).unwrap();
        assert!(!request.headers.contains_key(EXPECT) && !request.headers.contains_key("http2-settings"));
        assert_eq!(checked("https://x/", &[("expect", "tea")]).unwrap_err(), HeadRefusal::Expectation);
    }
}
