//! The door to the peer for everything that goes no further: the only place that writes refusals and failures.

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::json;

use crate::{
    access::{
        Denial, NONCE_HEADER, Realm,
        agents::{Budget, UsedUp},
    },
    http1::Fields,
    route::{BadTarget, Refusal},
};

/// When it is worth trying again.
const RETRY_SECONDS: &str = "5";

/// Why a request goes no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its target can't be read in one way alone.
    Target(BadTarget),
    /// Its method is not for a proxy: `CONNECT`, `TRACE`.
    Method,
    /// Its target is refused.
    Route(Refusal),
    /// A login session in the query and cookies besides.
    SidBesideCookie,
    /// The bearer check.
    Access(Denial),
    /// The same at a resource of its own, whose path this is.
    AccessTo(Denial, String),
    /// Too many logins failed from the peer's address; in so many seconds one may be tried again.
    TooManyLogins(u64),
    /// The agent's budget of the day is used up.
    BudgetUsedUp(UsedUp),
    /// A value of its body names a method of ERPNext's own OAuth.
    ReservedValue,
    /// Its body.
    Body(BodyRefusal),
    /// Its body is larger than our endpoints take.
    BodyTooLarge,
    /// Its body does not arrive.
    BodyTooSlow,
    /// Its body breaks off or is malformed.
    BodyBroken,
    /// ERPNext can't be reached, or breaks off.
    UpstreamFailed,
    /// ERPNext does not answer in time.
    UpstreamTooSlow,
    /// The peer sent something that can't be forwarded.
    BadRequest,
    /// We failed.
    Internal,
}

/// Why a body must not reach ERPNext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyRefusal {
    /// A field of it is a login session's.
    Session,
    /// It chooses a method, and is too large or too indefinite to be judged for it.
    Call,
    /// It could be read in two ways, or ERPNext may read it otherwise than we do.
    Unreadable,
    /// It is larger than one that can be judged by the rules.
    TooLarge,
    /// It must be judged by the rules, and has no length.
    NoLength,
}

/// How a refusal is told.
struct Told {
    status: StatusCode,
    error: &'static str,
    description: String,
    exc_type: &'static str,
    reason: &'static str,
}

impl Told {
    fn new(status: StatusCode, error: &'static str, reason: &'static str, description: impl Into<String>) -> Self {
        let exc_type = match status {
            StatusCode::FORBIDDEN => "PermissionError",
            StatusCode::NOT_FOUND => "DoesNotExistError",
            _ if status.is_server_error() => "ServiceUnavailableError",
            _ => "ValidationError",
        };
        Self { status, error, description: description.into(), exc_type, reason }
    }
}

impl Refused {
    /// The word for it in logs and metrics.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Access(denial) | Self::AccessTo(denial, _) => denial.reason(),
            _ => self.told().reason,
        }
    }

    /// Whether the connection can't be used any further.
    pub(super) const fn ends_connection(&self) -> bool {
        matches!(
            self,
            Self::ReservedValue
                | Self::Body(_)
                | Self::BodyTooLarge
                | Self::BodyTooSlow
                | Self::BodyBroken
                | Self::Method
        )
    }

    /// The answer.
    pub(super) fn answer(&self, headers: &impl Fields, realm: &Realm) -> Response<Bytes> {
        match self {
            Self::Access(denial) => return deny(denial, realm, ""),
            Self::AccessTo(denial, resource) => return deny(denial, realm, resource),
            _ => {}
        }
        let told = self.told();
        let wants_html = headers.each(&ACCEPT).any(|value| value.windows(9).any(|w| w == b"text/html"));
        let mut answer = if wants_html { page(&told) } else { object(&told) };
        *answer.status_mut() = told.status;
        finish(&mut answer);
        if let Self::TooManyLogins(seconds) | Self::BudgetUsedUp(UsedUp { retry_after: seconds, .. }) = self {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*seconds));
        }
        answer
    }

    fn told(&self) -> Told {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        match self {
            Self::Target(why) => Told::new(BAD, "invalid_request", "target", capitalised(&why.to_string())),
            Self::Method => {
                Told::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "method", "This method is not allowed.")
            }
            Self::Route(refusal) => route(*refusal),
            Self::TooManyLogins(_) => Told::new(
                StatusCode::TOO_MANY_REQUESTS,
                "invalid_request",
                "too_many_logins",
                "Too many logins have failed. Try again later.",
            ),
            Self::BudgetUsedUp(used_up) => budget(used_up.budget),
            Self::SidBesideCookie => Told::new(
                BAD,
                "invalid_request",
                "sid_beside_cookie",
                "A session in the query and cookies exclude each other.",
            ),
            Self::ReservedValue => route(Refusal::ReservedMethod),
            Self::Body(refusal) => body(*refusal),
            Self::BodyTooLarge => {
                Told::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", "body_too_large", "The body is too large.")
            }
            Self::BodyTooSlow => Told::new(
                StatusCode::REQUEST_TIMEOUT,
                "invalid_request",
                "body_too_slow",
                "The body did not arrive in time.",
            ),
            Self::BodyBroken | Self::BadRequest => {
                Told::new(BAD, "invalid_request", "malformed", "The request is malformed.")
            }
            Self::UpstreamFailed => {
                unavailable(StatusCode::BAD_GATEWAY, "upstream_failed", "The site can't be reached.")
            }
            Self::UpstreamTooSlow => {
                unavailable(StatusCode::GATEWAY_TIMEOUT, "upstream_too_slow", "The site did not answer in time.")
            }
            Self::Internal | Self::Access(_) | Self::AccessTo(..) => {
                unavailable(StatusCode::SERVICE_UNAVAILABLE, "internal", "The request can't be served at the moment.")
            }
        }
    }
}

fn budget(budget: Budget) -> Told {
    let told = |reason, text: &str| Told::new(StatusCode::TOO_MANY_REQUESTS, "budget_used_up", reason, text);
    match budget {
        Budget::Requests => told("requests_used_up", "This client has used up its requests of the day (UTC)."),
        Budget::Writes => {
            told("writes_used_up", "This client has used up its writes of the day (UTC). It can still read.")
        }
    }
}

fn body(refusal: BodyRefusal) -> Told {
    let told = |status, reason, text: &str| Told::new(status, "invalid_request", reason, text);
    match refusal {
        BodyRefusal::Session => told(StatusCode::BAD_REQUEST, "sid_in_body", "A session must not be in the body."),
        BodyRefusal::Call => Told::new(
            StatusCode::FORBIDDEN,
            "access_denied",
            "cmd_in_stream",
            "A large body must not choose the method: name it in the path.",
        ),
        BodyRefusal::Unreadable => {
            told(StatusCode::BAD_REQUEST, "unreadable_body", "The body can't be read in one way alone.")
        }
        BodyRefusal::TooLarge => told(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large_to_judge",
            "The body is larger than the 1 MiB that can be checked against the rules.",
        ),
        BodyRefusal::NoLength => told(
            StatusCode::LENGTH_REQUIRED,
            "length_needed",
            "The body must be checked against the rules: send it with a Content-Length.",
        ),
    }
}

fn route(refusal: Refusal) -> Told {
    const BAD: StatusCode = StatusCode::BAD_REQUEST;
    match refusal {
        Refusal::SidInQuery => Told::new(BAD, "invalid_request", "sid_in_query", "A session must not be in the query."),
        Refusal::AmbiguousMethod => {
            Told::new(BAD, "invalid_request", "ambiguous_cmd", "The query has more than one cmd.")
        }
        Refusal::ReservedMethod => {
            Told::new(StatusCode::FORBIDDEN, "access_denied", "reserved_cmd", "This method may not be called by cmd.")
        }
        Refusal::Closed => Told::new(StatusCode::NOT_FOUND, "not_found", "closed", "There is nothing here."),
        Refusal::Denied => Told::new(StatusCode::FORBIDDEN, "access_denied", "denied", "This may not be used."),
    }
}

fn unavailable(status: StatusCode, reason: &'static str, description: &str) -> Told {
    Told::new(status, "temporarily_unavailable", reason, description)
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_ascii_uppercase(), letters.as_str()))
}

fn deny(denial: &Denial, realm: &Realm, resource: &str) -> Response<Bytes> {
    let denied = denial.answer();
    let mut answer = json_answer(denied.body().to_string());
    *answer.status_mut() = denied.status;
    if let Some(challenge) = realm.challenge(&denied, resource) {
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(nonce) = denied.nonce.and_then(|nonce| HeaderValue::try_from(nonce).ok()) {
        answer.headers_mut().insert(&NONCE_HEADER, nonce);
    }
    finish(&mut answer);
    answer
}

fn object(told: &Told) -> Response<Bytes> {
    json_answer(
        json!({ "error": told.error, "error_description": told.description, "exc_type": told.exc_type }).to_string(),
    )
}

fn json_answer(body: String) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(body));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// The texts are all ours and hold no markup.
fn page(told: &Told) -> Response<Bytes> {
    let (title, text) = (told.status.canonical_reason().unwrap_or("Error"), &told.description);
    let body = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n</html>\n"
    );
    let mut answer = Response::new(Bytes::from(body));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(
        http::header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    answer
}

fn finish(answer: &mut Response<Bytes>) {
    let unavailable = answer.status().is_server_error();
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if unavailable {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(refused: &Refused, accept: &'static str) -> Response<Bytes> {
        let headers: http::HeaderMap = [(ACCEPT, HeaderValue::from_static(accept))].into_iter().collect();
        refused.answer(&headers, &Realm::new("https://erp.example.com"))
    }

    fn body(answer: &Response<Bytes>) -> serde_json::Value {
        serde_json::from_slice(answer.body()).expect("JSON")
    }

    #[test]
    fn a_denied_token_is_challenged_and_told_in_json() {
        let answer = answer(&Refused::Access(Denial::InactiveToken), "text/html");
        assert_eq!(answer.status(), 401);
        assert!(answer.headers().contains_key(WWW_AUTHENTICATE));
        assert_eq!(answer.headers().get(CACHE_CONTROL), Some(&HeaderValue::from_static("no-store")));
        let body = body(&answer);
        assert_eq!((&body["error"], &body["exc_type"]), (&"invalid_token".into(), &"AuthenticationError".into()));
    }

    #[test]
    fn a_request_without_a_token_gets_no_error_code() {
        let body = body(&answer(&Refused::Access(Denial::NoToken), "*/*"));
        assert!(body.get("error").is_none());
    }

    #[test]
    fn what_is_away_says_when_to_come_again() {
        for (refused, status) in [
            (Refused::UpstreamFailed, 502),
            (Refused::UpstreamTooSlow, 504),
            (Refused::Internal, 503),
            (Refused::Access(Denial::LookupFailed), 503),
        ] {
            let answer = answer(&refused, "application/json");
            assert_eq!(answer.status(), status);
            assert!(answer.headers().contains_key(RETRY_AFTER), "{refused:?}");
            assert_eq!(body(&answer)["error"], "temporarily_unavailable");
        }
    }

    #[test]
    fn browsers_get_a_page() {
        let answer = answer(&Refused::UpstreamFailed, "text/html,application/xhtml+xml");
        assert!(answer.body().starts_with(b"<!doctype html>"));
        assert!(!answer.headers().contains_key(WWW_AUTHENTICATE));
    }

    #[test]
    fn refused_targets_are_bad_requests() {
        let answer = answer(&Refused::Target(BadTarget::DotSegment), "*/*");
        assert_eq!(answer.status(), 400);
        assert_eq!(body(&answer)["error_description"], "The path has a dot segment.");
    }
}
