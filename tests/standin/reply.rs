//! An answer before it becomes bytes.

use std::time::Duration;

use super::json::Json;

/// What follows the head.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Bytes with a `Content-Length`.
    Full(Vec<u8>),
    /// Bytes as one chunk of a chunked body.
    Chunked(Vec<u8>),
    /// So many filler bytes with a `Content-Length`.
    Filler(u64),
    /// Pieces of a chunked body, each so much after the one before.
    Pieces { count: u64, pause: Duration },
    /// A websocket that echoes; the accept key.
    WebSocket(String),
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// `Content-Type`; empty for none.
    pub content_type: String,
    /// Fields between `Content-Length` and the cookies.
    pub fields: Vec<(String, String)>,
    /// The rest.
    pub payload: Payload,
    /// To wait before the head is sent.
    pub delay: Duration,
    /// A login or logout, or nothing, with respect to the cookies.
    pub cookies: Cookies,
}

/// Which of Frappe's five cookies an answer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cookies {
    /// None at all.
    None,
    /// Those of the session that the request has.
    Session,
    /// Those of the session, and then all five deleted.
    Cleared,
    /// Those of a login that still asks for a second factor: `sid` alone, of whom Frappe works as meanwhile.
    Pending,
}

impl Reply {
    /// Bytes of some type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type: content_type.to_owned(),
            fields: Vec::new(),
            payload: Payload::Full(body.into()),
            delay: Duration::ZERO,
            cookies: Cookies::Session,
        }
    }

    /// A JSON document.
    pub fn json(status: u16, body: &Json) -> Self {
        Self::new(status, "application/json", body.text())
    }

    /// An HTML page.
    pub fn html(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/html; charset=utf-8", body)
    }

    /// werkzeug's redirect, a page with a link.
    pub fn redirect(status: u16, location: &str) -> Self {
        let shown = location.replace('&', "&amp;");
        let page = format!(
            "<!doctype html>\n<html lang=en>\n<title>Redirecting...</title>\n<h1>Redirecting...</h1>\n\
             <p>You should be redirected automatically to the target URL: \
             <a href=\"{shown}\">{shown}</a>. If not, click the link.\n"
        );
        Self::html(status, page).field("Location", location)
    }

    /// A website redirect: no page, not to be cached.
    pub fn page_redirect(status: u16, page: &str, location: &str) -> Self {
        Self::html(status, "")
            .field("X-Page-Name", page)
            .field("X-From-Cache", "False")
            .field("Location", location)
            .field("Cache-Control", "no-store, no-cache, must-revalidate")
    }

    /// The reply with one more field.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The reply with another payload.
    #[must_use]
    pub fn payload(mut self, payload: Payload) -> Self {
        self.payload = payload;
        self
    }

    /// The reply with other cookies.
    #[must_use]
    pub fn cookies(mut self, cookies: Cookies) -> Self {
        self.cookies = cookies;
        self
    }
}

/// The reason phrase as werkzeug and gunicorn write it.
pub fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        201 => "CREATED",
        202 => "ACCEPTED",
        204 => "NO CONTENT",
        206 => "PARTIAL CONTENT",
        301 => "MOVED PERMANENTLY",
        302 => "FOUND",
        303 => "SEE OTHER",
        304 => "NOT MODIFIED",
        400 => "BAD REQUEST",
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        404 => "NOT FOUND",
        405 => "METHOD NOT ALLOWED",
        409 => "CONFLICT",
        413 => "REQUEST ENTITY TOO LARGE",
        417 => "EXPECTATION FAILED",
        429 => "TOO MANY REQUESTS",
        500 => "INTERNAL SERVER ERROR",
        502 => "BAD GATEWAY",
        503 => "SERVICE UNAVAILABLE",
        504 => "GATEWAY TIMEOUT",
        _ => "UNKNOWN",
    }
}
