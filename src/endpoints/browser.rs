//! The browser behind a request: its login session's cookie, our own small cookie that ties a stored request to it, and
//! where it is sent within our own origin.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use super::{
    Endpoints,
    respond::{Answer, no_store, set},
};
use crate::{oauth::TokenHash, secret::Secret};

/// Our cookie. `__Host-` binds it to the origin, and needs https (RFC 6265bis §4.1.3.2).
const COOKIE_HTTPS: &str = "__Host-empress-browser";
/// On loopback without TLS there is no such prefix.
const COOKIE_HTTP: &str = "empress-browser";

/// What the cookies of a request tell.
#[derive(Debug)]
pub(super) struct Browser {
    /// The cookie `sid`, unless it is a guest's.
    pub sid: Option<Secret>,
    mark: Option<Secret>,
    https: bool,
}

impl Browser {
    pub(super) fn of(headers: &HeaderMap, https: bool) -> Self {
        let sid = cookie(headers, "sid").filter(|sid| sid != "Guest");
        let mark = cookie(headers, cookie_name(https)).filter(|mark| (16..=128).contains(&mark.len()));
        Self { sid: sid.map(Secret::new), mark: mark.map(Secret::new), https }
    }

    /// The hash that is no browser's.
    pub(super) fn nobody() -> TokenHash {
        TokenHash::of("")
    }

    /// The hash that stands for whichever browser brings a pushed request; no browser's, and not [`Self::nobody`]'s.
    pub(super) fn pushed() -> TokenHash {
        TokenHash::of("pushed")
    }

    /// Whether it is the browser that a request was stored for.
    pub(super) fn is(&self, stored: &TokenHash) -> bool {
        self.mark.as_ref().is_some_and(|mark| TokenHash::of(mark.expose()) == *stored)
    }

    /// The hash of its mark, made if it has none; with the `Set-Cookie` that it needs then.
    pub(super) fn marked(&self, fresh: impl FnOnce() -> String) -> (TokenHash, Option<String>) {
        if let Some(mark) = &self.mark {
            return (TokenHash::of(mark.expose()), None);
        }
        let mark = fresh();
        (TokenHash::of(&mark), Some(self.marking_cookie(&mark)))
    }
}

/// Whether it can be known again, and by what.
impl Browser {
    pub(super) const fn mark(&self) -> Option<&Secret> {
        self.mark.as_ref()
    }

    pub(super) const fn is_marked(&self) -> bool {
        self.mark.is_some()
    }

    /// Marks it if it has no mark; gives the `Set-Cookie` that it needs then.
    pub(super) fn mark_with(&mut self, fresh: impl FnOnce() -> String) -> Option<String> {
        if self.is_marked() {
            return None;
        }
        let mark = fresh();
        let cookie = self.marking_cookie(&mark);
        self.mark = Some(Secret::new(mark));
        Some(cookie)
    }

    fn marking_cookie(&self, mark: &str) -> String {
        let secure = if self.https { "; Secure" } else { "" };
        format!("{}={mark}; Path=/; HttpOnly; SameSite=Lax{secure}", cookie_name(self.https))
    }
}

fn cookie_name(https: bool) -> &'static str {
    if https { COOKIE_HTTPS } else { COOKIE_HTTP }
}

/// The value of a cookie; of several with one name none is believed.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    // Another cookie may hold any bytes.
    let lines = headers.get_all(header::COOKIE).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let mut values = lines.flat_map(|line| values_of(&line, name));
    let value = values.next()?;
    if values.any(|other| other != value) || value.is_empty() { None } else { Some(value) }
}

fn values_of(line: &str, name: &str) -> Vec<String> {
    let pairs = line.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(other, _)| *other == name).map(|(_, value)| value.trim_matches('"').to_owned()).collect()
}

/// A redirect within our own origin.
pub(super) fn see(status: StatusCode, location: &str, cookie: Option<&str>) -> Answer {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    set(&mut answer, header::LOCATION, location);
    set(&mut answer, header::REFERRER_POLICY, "same-origin");
    no_store(&mut answer);
    add_cookie(&mut answer, cookie);
    answer
}

pub(super) fn add_cookie(answer: &mut Answer, cookie: Option<&str>) {
    if let Some(cookie) = cookie {
        set(answer, header::SET_COOKIE, cookie);
    }
}

/// Takes ERPNext's five cookies from a browser, as its own logout does (transcript 62).
pub(super) fn expired_login_cookies(https: bool) -> impl Iterator<Item = HeaderValue> {
    const EXPIRED: &str = "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax";
    let secure = if https { "; Secure" } else { "" };
    let cookies = ["sid", "user_id", "full_name", "system_user", "user_image"].into_iter();
    cookies.filter_map(move |name| HeaderValue::try_from(format!("{name}=; {EXPIRED}{secure}")).ok())
}

impl Endpoints {
    /// 128 random bits as text.
    pub(super) fn unguessable(&self) -> String {
        let bytes = self.issuer.random.bytes::<16>();
        bytes.iter().fold(String::with_capacity(32), |text, byte| text + &format!("{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static(cookie))])
    }

    #[test]
    fn the_login_session_is_that_of_sid_alone() {
        let browser = Browser::of(&headers("user_id=Administrator; sid=abc"), true);
        assert_eq!(browser.sid, Some(Secret::new("abc")));
        assert_eq!(Browser::of(&headers("sid=Guest"), true).sid, None);
        assert_eq!(Browser::of(&headers("sid=a; sid=b"), true).sid, None);
        assert_eq!(Browser::of(&headers("xsid=a"), true).sid, None);
        let odd = HeaderValue::from_bytes(b"theme=\xff; sid=abc").expect("a header");
        let odd = HeaderMap::from_iter([(header::COOKIE, odd)]);
        assert_eq!(Browser::of(&odd, true).sid, Some(Secret::new("abc")));
    }

    #[test]
    fn a_browser_is_known_by_its_mark() {
        let browser = Browser::of(&HeaderMap::new(), true);
        let (hash, cookie) = browser.marked(|| "0123456789abcdef".to_owned());
        assert_eq!(
            cookie.as_deref(),
            Some("__Host-empress-browser=0123456789abcdef; Path=/; HttpOnly; SameSite=Lax; Secure")
        );
        let back = Browser::of(&headers("__Host-empress-browser=0123456789abcdef"), true);
        assert!(back.is(&hash));
        assert!(!browser.is(&hash));
        assert_eq!(back.marked(String::new).1, None);
    }
}
