//! Our own answers: a Pingora session as a plain request, and a plain response written back.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, Method, Request, Response, Uri,
    header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING},
};
use pingora::{http::ResponseHeader, proxy::Session};
use tokio::time::{Instant, timeout_at};

use super::{context::RequestContext, refuse::Refused, request_headers::X_REQUEST_ID};
use crate::{endpoints::MOST_BODY, route::Target};

/// In this time the whole body of a request for one of our endpoints must have arrived.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The request as our endpoints take it, its body read to the end.
pub(super) async fn read_request(session: &mut Session, target: &str) -> Result<Request<Bytes>, Refused> {
    let header = session.req_header();
    let uri: Uri = target.parse().map_err(|_| Refused::BadRequest)?;
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = header.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = header.headers.clone();
    if announced_length(request.headers()).is_some_and(|length| length > MOST_BODY) {
        return Err(Refused::BodyTooLarge);
    }
    *request.body_mut() = read_body(session).await?;
    Ok(request)
}

fn announced_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read_body(session: &mut Session) -> Result<Bytes, Refused> {
    if session.as_downstream_mut().is_body_empty() {
        return Ok(Bytes::new());
    }
    if session.req_header().headers.contains_key(EXPECT) {
        session.as_downstream_mut().write_continue_response().await.map_err(|_| Refused::BodyBroken)?;
    }
    let deadline = Instant::now() + BODY_TIMEOUT;
    let mut body = BytesMut::new();
    loop {
        let read = timeout_at(deadline, session.as_downstream_mut().read_request_body());
        let chunk = read.await.map_err(|_| Refused::BodyTooSlow)?.map_err(|_| Refused::BodyBroken)?;
        let Some(chunk) = chunk else { return Ok(body.freeze()) };
        if body.len() + chunk.len() > MOST_BODY {
            return Err(Refused::BodyTooLarge);
        }
        body.extend_from_slice(&chunk);
    }
}

/// Writes an answer of ours. A request for `HEAD` gets its header alone.
pub(super) async fn write(
    session: &mut Session,
    context: &RequestContext,
    answer: Response<Bytes>,
) -> pingora::Result<()> {
    let (parts, body) = answer.into_parts();
    let bodiless = parts.status == http::StatusCode::NO_CONTENT || parts.status == http::StatusCode::NOT_MODIFIED;
    let mut header = ResponseHeader::build(parts.status, Some(parts.headers.len() + 2))?;
    for (name, value) in &parts.headers {
        let framing = [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION].contains(name);
        if !framing {
            header.append_header(name.clone(), value.clone())?;
        }
    }
    header.insert_header(X_REQUEST_ID.clone(), context.request_id.clone())?;
    let silent = bodiless || session.req_header().method == Method::HEAD;
    if !bodiless && (!silent || !body.is_empty()) {
        header.insert_header(CONTENT_LENGTH, body.len())?;
    }
    let ends = silent || body.is_empty();
    session.write_response_header(Box::new(header), ends).await?;
    if !ends {
        session.write_response_body(Some(body), true).await?;
    }
    Ok(())
}

/// The target of a request, as text.
pub(super) fn target(raw: &[u8]) -> Result<Target<'_>, Refused> {
    let text = std::str::from_utf8(raw).map_err(|_| Refused::Target(crate::route::BadTarget::NotUtf8))?;
    Target::parse(text).map_err(Refused::Target)
}
