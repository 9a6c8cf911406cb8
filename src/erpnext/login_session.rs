//! Frappe's login sessions: whose one is, whether a password is right, and their end.

use std::{net::IpAddr, time::Duration};

use http::{Method, StatusCode};
use serde_json::{Map, Value};

use super::{
    DirectoryError, LogIn, LoginCookies, LoginProbe, PasswordCheck,
    agent::{Agent, As, Call, Payload},
    answer::{Answer, Message, is_login_sid},
};
use crate::{oauth::UserName, secret::Secret};

/// The user that stands for nobody.
pub(super) const GUEST: &str = "Guest";

/// Whose login session this is; `None`: nobody's.
pub(super) async fn login_session(agent: &Agent, probe: &LoginProbe) -> Result<Option<UserName>, DirectoryError> {
    if !is_login_sid(probe.sid.expose()) {
        return Ok(None);
    }
    let call = Call::get("login session", &["api", "method", "frappe.auth.get_logged_user"], As::Login(probe));
    let Some(answer) = agent.send(call).await?.for_user()? else { return Ok(None) };
    let name = answer.read::<Message<String>>()?.message;
    Ok(if name.is_empty() || name.eq_ignore_ascii_case(GUEST) { None } else { Some(UserName::new(name)) })
}

/// Ends a login session; one that has ended, or that ERPNext does not take from this address, is no error. A GET, since
/// ERPNext asks for a CSRF token on a POST.
pub(super) async fn end_login_session(agent: &Agent, probe: &LoginProbe) -> Result<(), DirectoryError> {
    if !is_login_sid(probe.sid.expose()) {
        return Ok(());
    }
    let call = Call::get("logout", &["api", "method", "logout"], As::Login(probe));
    agent.send(call).await?.for_user().map(|_| ())
}

/// How long ERPNext keeps a login session, unless its cookie says otherwise.
pub const LOGIN_LIFE: Duration = Duration::from_secs(170 * 3600);

/// Logs a user in by ERPNext's own login.
pub(super) async fn log_in(
    agent: &Agent,
    username: &str,
    password: &Secret,
    peer: IpAddr,
) -> Result<LogIn, DirectoryError> {
    let call = Call {
        what: "login",
        method: Method::POST,
        path: &["api", "method", "login"],
        query: &[],
        payload: Payload::Form(&[("usr", username), ("pwd", password.expose())]),
        by: As::Guest(peer),
    };
    let answer = agent.send(call).await?;
    match answer.sid() {
        Some(sid) => {
            let life = answer.sid_max_age().map_or(LOGIN_LIFE, Duration::from_secs);
            Ok(LogIn::In(LoginCookies { sid: sid.clone(), lines: answer.cookies().to_vec(), life }))
        }
        None => judge_without_session(&answer),
    }
}

/// Checks a password by ERPNext's own login, and ends the login session that came of it, whatever it was.
pub(super) async fn check_password(
    agent: &Agent,
    username: &str,
    password: &Secret,
    peer: IpAddr,
) -> Result<PasswordCheck, DirectoryError> {
    let cookies = match log_in(agent, username, password, peer).await? {
        LogIn::In(cookies) => cookies,
        LogIn::Wrong => return Ok(PasswordCheck::Wrong),
        LogIn::Elsewhere => return Ok(PasswordCheck::SecondFactor),
    };
    let probe = LoginProbe { sid: cookies.sid, peer };
    let user = login_session(agent, &probe).await;
    if let Err(error) = end_login_session(agent, &probe).await {
        tracing::warn!(%error, "the login session of a password check could not be ended");
    }
    Ok(user?.map_or(PasswordCheck::Wrong, PasswordCheck::Right))
}

fn judge_without_session(answer: &Answer) -> Result<LogIn, DirectoryError> {
    match answer.status() {
        StatusCode::TOO_MANY_REQUESTS => Err(answer.unavailable()),
        status if status.is_client_error() => Ok(LogIn::Wrong),
        status if status.is_success() => {
            let fields = answer.read::<Map<String, Value>>()?;
            let asks_for_more = ["verification", "tmp_id", "redirect_to"].iter().any(|key| fields.contains_key(*key));
            Ok(if asks_for_more { LogIn::Elsewhere } else { LogIn::Wrong })
        }
        // A locked account is a SecurityException, which Frappe answers like a crash of its own.
        _ => match answer.read::<Map<String, Value>>() {
            Ok(fields) if fields.get("exc_type").is_some_and(|kind| kind == "SecurityException") => Ok(LogIn::Wrong),
            Ok(_) | Err(_) => Err(answer.unavailable()),
        },
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;

    fn judged(status: u16, body: &'static str) -> Result<LogIn, DirectoryError> {
        let status = StatusCode::from_u16(status).expect("a status");
        judge_without_session(&Answer::new("password", status, &HeaderMap::new(), Bytes::from_static(body.as_bytes())))
    }

    #[test]
    fn a_login_that_asks_for_more_is_a_second_factor() {
        let one_time_password = r#"{"verification":{"method":"OTP App"},"tmp_id":"1a2b"}"#;
        let reset = r#"{"message":"Password Reset","redirect_to":"/update-password?key=1"}"#;
        assert!(matches!(judged(200, one_time_password), Ok(LogIn::Elsewhere)));
        assert!(matches!(judged(200, reset), Ok(LogIn::Elsewhere)));
        assert!(matches!(judged(200, r#"{"message":"Logged In"}"#), Ok(LogIn::Wrong)), "nobody is logged in");
    }

    #[test]
    fn a_locked_account_is_wrong_and_a_crash_is_unavailable() {
        let locked = r#"{"exception":"frappe.exceptions.SecurityException: …","exc_type":"SecurityException"}"#;
        assert!(matches!(judged(500, locked), Ok(LogIn::Wrong)));
        assert!(matches!(judged(401, r#"{"message":"Invalid login credentials"}"#), Ok(LogIn::Wrong)));
        let crash = r#"{"exc_type":"OperationalError"}"#;
        for (status, body) in [(500, crash), (502, "<html>"), (429, "{}"), (200, "<html>")] {
            assert!(matches!(judged(status, body), Err(DirectoryError::Unavailable(_))), "{status} {body}");
        }
    }
}
