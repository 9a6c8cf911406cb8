//! When a request is sent once more, and to whom: where nothing of it can have arrived, or where it may arrive twice.

use http::{Method, header::CONTENT_LENGTH};
use pingora::{Error, ErrorSource, ErrorType, proxy::Session};

use super::{Upstreams, answer::RENEWED, upgrades};
use crate::proxy::context::{Renewal, RequestContext};

/// Before what names a document in ERPNext's API.
const DOCUMENTS: [&[u8]; 2] = [b"/api/resource/", b"/api/v2/document/"];

/// A connection failed: nothing was sent, so that any request may go to another server.
pub(in crate::proxy) fn after_failed_connection(
    upstreams: &Upstreams,
    error: &mut Error,
    context: &mut RequestContext,
) {
    error.set_retry(goes_elsewhere(upstreams, context));
}

/// Takes down that a connection failed, and tells whether there is another to try.
pub(in crate::proxy) fn goes_elsewhere(upstreams: &Upstreams, context: &mut RequestContext) -> bool {
    let pool = upstreams.of(context);
    if let Some(member) = context.attempts.fail() {
        pool.unreachable(&member);
    }
    let moved = pool.may_have_moved() && !context.attempts.looked_up;
    context.attempts.looked_up = true;
    moved || pool.has_another(&context.attempts)
}

/// A server broke the connection off: whether there is another that has not failed the request.
pub(in crate::proxy) fn goes_on(upstreams: &Upstreams, context: &mut RequestContext) -> bool {
    context.attempts.fail();
    upstreams.of(context).has_another(&context.attempts)
}

/// An attempt failed on its way. It is made again with a renewed credential; after a connection that had gone stale; and
/// with another server where this one broke the connection off. Only what may happen twice, and can be sent twice.
pub(in crate::proxy) fn after_failure(
    upstreams: &Upstreams,
    session: &mut Session,
    error: &mut Error,
    reused: bool,
    context: &mut RequestContext,
) {
    if context.renewal == Renewal::Pending && error.etype() == &RENEWED {
        context.renewal = Renewal::Done;
        error.set_retry(true);
        return;
    }
    let request = session.req_header();
    if !may_happen_twice(&request.method, request.raw_path(), context.seen_in_body().call)
        || upgrades(session)
        || session.response_written().is_some()
        || !body_is_held(session)
    {
        error.set_retry(false);
        return;
    }
    error.retry.decide_reuse(reused);
    if !error.retry() && broke_off(error) {
        error.set_retry(goes_on(upstreams, context));
    }
}

/// Whether a request may reach ERPNext twice; its body may have named a method to be called.
pub(in crate::proxy) fn may_happen_twice(method: &Method, target: &[u8], calls_a_method: bool) -> bool {
    // Its methods take PUT too, and may insert or rename: only what names a document is idempotent (RFC 9110 §9.2.2).
    let of_document =
        || DOCUMENTS.iter().any(|path| target.starts_with(path)) && !target.contains(&b'?') && !calls_a_method;
    method.is_safe() || (method.is_idempotent() && of_document())
}

/// Whether the server closed the connection in place of an answer. One that is only slow may be at work.
fn broke_off(error: &Error) -> bool {
    error.esource() == &ErrorSource::Upstream
        && matches!(error.etype(), ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError)
}

/// Whether the body can be sent from its start again. One of unknown length has been looked through as it passed, and may
/// have been held back in part.
fn body_is_held(session: &mut Session) -> bool {
    let known = session.req_header().headers.contains_key(CONTENT_LENGTH);
    let downstream = session.as_downstream_mut();
    downstream.is_body_empty() || (known && downstream.is_body_done() && !downstream.retry_buffer_truncated())
}
