//! Cookies on their way up and down: what must not reach ERPNext, and what tells that a login session began or ended.

use http::{HeaderValue, header::COOKIE, header::SET_COOKIE};
use percent_encoding::percent_decode;

use crate::http1::{Fields, FieldsMut, TooManyFields};

/// The cookies that are ours begin so; they never go upstream.
const OURS: &[u8] = b"__Host-empress";
/// ERPNext's OAuth would believe this one, and nothing else on the server needs it (decision 9).
const CLAIMED_USER: &[u8] = b"user_id";
/// The cookie that is a login session.
const LOGIN_SESSION: &[u8] = b"sid";
/// No name of a user is longer in ERPNext.
const LONGEST_NAME: usize = 140;
/// The value of it that is nobody's.
const GUEST: &[u8] = b"Guest";
/// What Frappe sets while a login still asks for a second factor: nobody has logged in, and nobody out (seen on 15.44.2).
const PENDING: &[u8] = b"Administrator";

/// What an answer says of the browser's login session.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(super) enum LoginChange<'a> {
    /// It sets one that the request did not have.
    Began {
        /// Its cookie.
        sid: &'a str,
        /// How long the browser is to keep it.
        max_age: Option<u64>,
    },
    /// It takes the request's away.
    Ended,
}

fn pairs(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value.split(|byte| *byte == b';').map(|pair| match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
        None => (pair, &[][..]),
    })
}

fn is_private(name: &[u8]) -> bool {
    let name = name.trim_ascii();
    name == CLAIMED_USER || name.get(..OURS.len()).is_some_and(|start| start.eq_ignore_ascii_case(OURS))
}

/// Removes the cookies that must not reach ERPNext, and makes one line of several: HTTP/2 lets a browser split them, and
/// ERPNext's server would join them with a comma (RFC 9113 §8.2.3).
pub(super) fn drop_private(request: &mut impl FieldsMut) -> Result<(), TooManyFields> {
    let private = |value: &[u8]| pairs(value).any(|(name, _)| is_private(name));
    let several = request.each(&COOKIE).take(2).count() > 1;
    if !several && !request.each(&COOKIE).any(private) {
        return Ok(());
    }
    let mut kept: Vec<u8> = Vec::new();
    for value in request.each(&COOKIE) {
        for pair in value.split(|byte| *byte == b';') {
            let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
            let pair = pair.trim_ascii();
            if pair.is_empty() || is_private(name) {
                continue;
            }
            if !kept.is_empty() {
                kept.extend_from_slice(b"; ");
            }
            kept.extend_from_slice(pair);
        }
    }
    request.remove(&COOKIE);
    match HeaderValue::from_bytes(&kept) {
        Ok(value) if !kept.is_empty() => request.set(COOKIE, value),
        _ => Ok(()),
    }
}

/// The login sessions that a request names; ERPNext goes by one of them.
pub(super) fn login_sessions(headers: &impl Fields) -> impl Iterator<Item = &str> {
    headers
        .each(&COOKIE)
        .flat_map(pairs)
        .filter(|(name, value)| name.trim_ascii() == LOGIN_SESSION && is_login_session(value.trim_ascii()))
        .filter_map(|(_, value)| std::str::from_utf8(value.trim_ascii()).ok())
}

fn is_login_session(sid: &[u8]) -> bool {
    !sid.is_empty() && sid != GUEST && sid != PENDING
}

/// What an answer to a request says of the browser's login session; ERPNext repeats the cookie with every answer.
pub(super) fn login_change<'a>(request: &impl Fields, answer: &'a impl Fields) -> Option<LoginChange<'a>> {
    let set = answer.each(&SET_COOKIE).find_map(|value| {
        let (name, sid) = pairs(value).next()?;
        (name.trim_ascii() == LOGIN_SESSION).then(|| (sid.trim_ascii(), value))
    });
    let (sid, value) = set.filter(|(sid, _)| *sid != PENDING)?;
    if !is_login_session(sid) {
        return login_sessions(request).next().map(|_| LoginChange::Ended);
    }
    let sid = std::str::from_utf8(sid).ok()?;
    let known = login_sessions(request).any(|sent| sent == sid);
    (!known).then(|| LoginChange::Began { sid, max_age: max_age(value) })
}

/// The user that an answer names besides the login session that it sets, as ERPNext's own scripts are told.
pub(super) fn user_of_login(answer: &impl Fields) -> Option<String> {
    let mut set = answer.each(&SET_COOKIE).filter_map(|value| pairs(value).next());
    let (_, user) = set.find(|(name, _)| name.trim_ascii() == CLAIMED_USER)?;
    let user = percent_decode(user.trim_ascii()).decode_utf8().ok()?;
    (!user.is_empty() && user.len() <= LONGEST_NAME).then(|| user.into_owned())
}

fn max_age(value: &[u8]) -> Option<u64> {
    let (_, age) = pairs(value).skip(1).find(|(name, _)| name.trim_ascii().eq_ignore_ascii_case(b"max-age"))?;
    std::str::from_utf8(age.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use pingora::http::RequestHeader;

    use super::*;

    fn sent(cookies: &[&'static str]) -> HeaderMap {
        cookies.iter().map(|cookie| (COOKIE, HeaderValue::from_static(cookie))).collect()
    }

    fn set(cookies: &[&'static str]) -> HeaderMap {
        cookies.iter().map(|cookie| (SET_COOKIE, HeaderValue::from_static(cookie))).collect()
    }

    fn upstream_cookie(cookies: &[&'static str]) -> Option<String> {
        let mut request = RequestHeader::build("GET", b"/", None).expect("a request");
        for cookie in cookies {
            request.append_header("Cookie", *cookie).expect("a header");
        }
        drop_private(&mut request).expect("dropped");
        request.headers.get(COOKIE).map(|value| value.to_str().expect("ASCII").to_owned())
    }

    /// T17
    #[test]
    fn the_claimed_user_and_our_own_cookies_never_go_upstream() {
        let kept =
            upstream_cookie(&["sid=a; user_id=Administrator; x=1", " user_id =b;__Host-empress-request=c;y=\"2\""]);
        assert_eq!(kept.as_deref(), Some("sid=a; x=1; y=\"2\""));
        assert_eq!(upstream_cookie(&["user_id=b"]), None);
        assert_eq!(upstream_cookie(&["sid=a;  full_name=B"]).as_deref(), Some("sid=a;  full_name=B"));
        assert_eq!(upstream_cookie(&["user_id"]), None);
    }

    #[test]
    fn a_new_login_session_is_noticed_and_a_repeated_one_is_not() {
        let answer = set(&["full_name=A", "sid=new; Expires=x; Max-Age=612000; HttpOnly"]);
        let began = Some(LoginChange::Began { sid: "new", max_age: Some(612_000) });
        assert_eq!(login_change(&sent(&[]), &answer), began);
        assert_eq!(login_change(&sent(&["sid=old; x=1"]), &answer), began);
        assert_eq!(login_change(&sent(&["sid=Guest"]), &answer), began);
        assert_eq!(login_change(&sent(&["x=1; sid=new"]), &answer), None);
        let pending = set(&["sid=Administrator; Max-Age=612000; HttpOnly"]);
        assert_eq!(login_change(&sent(&[]), &pending), None);
        assert_eq!(login_change(&sent(&["sid=old"]), &pending), None, "a second factor is asked for");
    }

    #[test]
    fn the_user_of_a_login_is_the_one_that_the_answer_names() {
        let user = |cookies: &[&'static str]| user_of_login(&set(cookies));
        assert_eq!(user(&["sid=new", "user_id=a%40example.com; Path=/"]).as_deref(), Some("a@example.com"));
        assert_eq!(user(&["sid=new", "user_id=; Path=/"]), None);
        assert_eq!(user(&["sid=new", "user_id=%ff; Path=/"]), None);
        assert_eq!(user(&["sid=new"]), None);
    }

    #[test]
    fn a_login_session_that_is_taken_away_has_ended() {
        for answer in ["sid=Guest; Path=/", "sid=; Max-Age=0"] {
            assert_eq!(login_change(&sent(&["sid=old"]), &set(&[answer])), Some(LoginChange::Ended));
            assert_eq!(login_change(&sent(&["sid=Guest"]), &set(&[answer])), None);
        }
        assert_eq!(login_change(&sent(&["sid=old"]), &set(&["x=1"])), None);
    }
}
