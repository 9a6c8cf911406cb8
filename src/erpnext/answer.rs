//! What ERPNext answers, and what its status means to whom.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::SET_COOKIE};
use serde::{Deserialize, de::DeserializeOwned};

use super::DirectoryError;
use crate::secret::Secret;

/// An answer, read whole.
pub(super) struct Answer {
    what: &'static str,
    status: StatusCode,
    body: Bytes,
    sid: Option<Secret>,
    cookies: Vec<HeaderValue>,
}

/// How `/api/method/…` wraps what it returns.
#[derive(Deserialize)]
pub(super) struct Message<T> {
    pub(super) message: T,
}

/// How `/api/resource/…` wraps what it returns.
#[derive(Deserialize)]
pub(super) struct Data<T> {
    pub(super) data: T,
}

impl Answer {
    pub(super) fn new(what: &'static str, status: StatusCode, headers: &HeaderMap, body: Bytes) -> Self {
        let sid = sid_that_is_set(headers);
        // Only those of a login session are anybody's.
        let cookies = headers.get_all(SET_COOKIE).iter().filter(|_| sid.is_some()).cloned().collect();
        Self { what, status, body, sid, cookies }
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The value of the cookie `sid` that the answer sets, if it is a login session's.
    pub(super) const fn sid(&self) -> Option<&Secret> {
        self.sid.as_ref()
    }

    /// The cookies that come with a login session, each as it was set.
    pub(super) fn cookies(&self) -> &[HeaderValue] {
        &self.cookies
    }

    /// How long the browser is to keep the login session, in seconds.
    pub(super) fn sid_max_age(&self) -> Option<u64> {
        let mut lines = self.cookies.iter().filter_map(|line| line.to_str().ok());
        let sid = lines.rfind(|line| line.starts_with("sid="))?;
        let ages = sid.split(';').filter_map(|part| part.trim().split_once('='));
        ages.filter(|(name, _)| name.eq_ignore_ascii_case("max-age")).find_map(|(_, age)| age.parse().ok())
    }

    /// The answer to a call of the gateway's account; `None` on 404. `needs` says which right the call takes.
    pub(super) fn for_account(self, needs: &str) -> Result<Option<Self>, DirectoryError> {
        match self.status {
            status if status.is_success() => Ok(Some(self)),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED => Err(DirectoryError::Refused(format!(
                "{}: the gateway's API key is not accepted (401). Put the key:secret of the gateway's enabled ERPNext \
                 account into [erpnext].api_key_file, or run `empress-gateway setup-erpnext`",
                self.what
            ))),
            StatusCode::FORBIDDEN => Err(DirectoryError::Refused(format!(
                "{}: the gateway's ERPNext account may not (403). Its role needs {needs}: grant it in the Role \
                 Permissions Manager, or run `empress-gateway setup-erpnext`",
                self.what
            ))),
            _ => Err(self.unavailable()),
        }
    }

    /// The answer to a call on behalf of a user; `None` when ERPNext does not know the user by that credential.
    pub(super) fn for_user(self) -> Result<Option<Self>, DirectoryError> {
        match self.status {
            status if status.is_success() => Ok(Some(self)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(None),
            _ => Err(self.unavailable()),
        }
    }

    pub(super) fn unavailable(&self) -> DirectoryError {
        DirectoryError::Unavailable(format!("{}: unexpected status {}", self.what, self.status.as_u16()))
    }

    /// The body as JSON of this shape. The parser's own words are left out: they repeat values.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, DirectoryError> {
        serde_json::from_slice(&self.body)
            .map_err(|_| DirectoryError::Unavailable(format!("{}: an answer that can't be understood", self.what)))
    }
}

/// The values that are nobody's: of a guest, and, while a login still asks for a second factor, of whom Frappe works as
/// meanwhile (seen on 15.44.2).
const NOBODYS: [&str; 2] = ["Guest", "Administrator"];

/// Whether the text can be the `sid` of a login session: anything else is never sent on.
pub(super) fn is_login_sid(sid: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let nobodys = NOBODYS.iter().any(|nobodys| sid.eq_ignore_ascii_case(nobodys));
    (1..=140).contains(&sid.len()) && sid.bytes().all(plain) && !nobodys
}

fn sid_that_is_set(headers: &HeaderMap) -> Option<Secret> {
    let cookies = headers.get_all(SET_COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut sids = cookies.filter_map(|cookie| cookie.split(';').next()?.trim().strip_prefix("sid="));
    sids.next_back().filter(|sid| is_login_sid(sid)).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, cookies: &[&str]) -> Answer {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(SET_COOKIE, cookie.parse().expect("a header"));
        }
        Answer::new("a call", StatusCode::from_u16(status).expect("a status"), &headers, Bytes::from_static(b"{}"))
    }

    #[test]
    fn the_login_session_is_read_from_the_last_sid_that_is_set() {
        let sid = |cookies: &[&str]| answer(200, cookies).sid().map(|sid| sid.expose().to_owned());
        assert_eq!(sid(&["full_name=x; Path=/", "sid=ab12; Path=/; HttpOnly"]), Some("ab12".to_owned()));
        assert_eq!(sid(&["sid=Guest; Path=/"]), None);
        assert_eq!(sid(&["sid=ab12; Path=/", "sid=; Path=/"]), None);
        assert_eq!(sid(&[]), None);
        let age = |cookies: &[&str]| answer(200, cookies).sid_max_age();
        assert_eq!(age(&["sid=ab12; Expires=x; Max-Age=864000; HttpOnly"]), Some(864_000));
        assert_eq!(age(&["user_id=x; Max-Age=1", "sid=ab12; HttpOnly"]), None);
    }

    #[test]
    fn what_can_be_no_sid_is_not_sent_on() {
        for sid in ["", "Guest", "guest", "Administrator", "a;b", "a b", "a\r\nb", "ä"] {
            assert!(!is_login_sid(sid), "{sid:?}");
        }
        assert!(is_login_sid("3b929b4b0509e2305a9081343ed369c666ae94cda023977147d3fdeb"));
    }

    #[test]
    fn a_refusal_of_the_account_says_what_to_do_and_everything_odd_is_unavailable() {
        let refused = answer(403, &[]).for_account("read on User").err().expect("refused").to_string();
        assert!(refused.contains("read on User"), "{refused}");
        assert!(matches!(answer(401, &[]).for_account(""), Err(DirectoryError::Refused(_))));
        assert!(matches!(answer(404, &[]).for_account(""), Ok(None)));
        assert!(matches!(answer(403, &[]).for_user(), Ok(None)));
        for status in [302, 417, 429, 500, 502, 503] {
            assert!(matches!(answer(status, &[]).for_account(""), Err(DirectoryError::Unavailable(_))), "{status}");
            assert!(matches!(answer(status, &[]).for_user(), Err(DirectoryError::Unavailable(_))), "{status}");
        }
        assert!(matches!(answer(200, &[]).read::<Message<String>>(), Err(DirectoryError::Unavailable(_))));
    }
}
