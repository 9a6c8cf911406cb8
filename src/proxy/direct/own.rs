//! Answers of ours, as bytes.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode};
use pingora::protocols::http::date::get_cached_date;

use super::written::{end, field, status_line};
use crate::{
    access::{Denial, Realm},
    http1::Fields,
    proxy::{context::RequestContext, refuse::Refused},
};

/// An answer, but for what is another with each request.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) status: StatusCode,
    head: Vec<u8>,
    body: Bytes,
}

impl Ready {
    /// An answer whose header has no framing yet.
    pub(super) fn new(answer: &Response<Bytes>) -> Self {
        let mut head = Vec::with_capacity(512);
        let reason = answer.status().canonical_reason().unwrap_or_default();
        status_line(&mut head, answer.status(), reason.as_bytes());
        for (name, value) in answer.headers() {
            field(&mut head, name.as_str(), value.as_bytes());
        }
        field(&mut head, "content-length", answer.body().len().to_string().as_bytes());
        Self { status: answer.status(), head, body: answer.body().clone() }
    }

    /// The whole of it, for one request.
    pub(super) fn written(&self, context: &RequestContext, method: &Method, persists: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.head.len() + self.body.len() + 128);
        out.extend_from_slice(&self.head);
        field(&mut out, "x-request-id", context.request_id.as_bytes());
        field(&mut out, "date", get_cached_date().as_bytes());
        end(&mut out, persists);
        out.extend_from_slice(self.body.get(..self.sent(method)).unwrap_or_default());
        out
    }

    /// How much of the body the answer to a request of this method has.
    pub(super) fn sent(&self, method: &Method) -> usize {
        if method == Method::HEAD { 0 } else { self.body.len() }
    }
}

/// The answers to tokens that are not good, made once: a flood of those must cost less than what it asks for.
#[derive(Debug)]
pub(in crate::proxy) struct Denials(Vec<(Denial, Ready)>);

impl Denials {
    /// Those of this realm.
    pub(in crate::proxy) fn new(realm: &Realm) -> Self {
        let none = HeaderMap::new();
        let denials = [Denial::MalformedToken, Denial::InactiveToken, Denial::ForeignToken, Denial::NoToken];
        let ready = |denial: Denial| {
            let answer = Refused::Access(denial.clone()).answer(&none, realm);
            (denial, Ready::new(&answer))
        };
        Self(denials.into_iter().map(ready).collect())
    }

    /// The answer to a refusal.
    pub(super) fn answer<'d>(&'d self, refused: &Refused, fields: &impl Fields, realm: &Realm) -> Cow<'d, Ready> {
        let made = match refused {
            Refused::Access(denial) => self.0.iter().find(|(other, _)| other == denial),
            _ => None,
        };
        made.map_or_else(|| Cow::Owned(Ready::new(&refused.answer(fields, realm))), |(_, ready)| Cow::Borrowed(ready))
    }
}
