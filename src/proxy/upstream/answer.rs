//! What becomes of an answer's header on its way down, and what a failure is to the peer.

use std::sync::Arc;

use http::{
    Method, StatusCode, Version,
    header::{SET_COOKIE, TRANSFER_ENCODING},
};
use pingora::{Error, ErrorSource, ErrorType, http::ResponseHeader, proxy::Session};

use crate::{
    http1::{Fields, FieldsMut, TooManyFields},
    proxy::{
        Gateway, body,
        context::{Renewal, RequestContext},
        lease::{self, Cut, ENDED},
        refuse::Refused,
        request_headers::X_REQUEST_ID,
    },
};

/// What the rules for an answer ask of the request, as it came.
pub(in crate::proxy) struct Asked<'r, F> {
    pub(in crate::proxy) method: &'r Method,
    pub(in crate::proxy) fields: &'r F,
    /// Whether nothing of it is gone that would be needed to send it again.
    pub(in crate::proxy) is_held: bool,
    /// Ends its connection, where that is not shared.
    pub(in crate::proxy) cut: Option<Arc<Cut>>,
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Taken {
    /// It goes on to the peer.
    Passes,
    /// The request is to be sent once more, with the credential that it has now.
    OnceMore,
}

/// Marks the error that only says: once more, with the new credential.
pub(super) const RENEWED: ErrorType = ErrorType::new("CredentialRenewed");

/// What ERPNext answers to a wrong password: 500 where it would show the failure as a page, and fails at that.
const FAILED_LOGIN: [StatusCode; 2] = [StatusCode::UNAUTHORIZED, StatusCode::INTERNAL_SERVER_ERROR];

/// What becomes of an answer's header on its way down.
pub(in crate::proxy) async fn take_answer<F: Fields>(
    gateway: &Gateway,
    asked: &Asked<'_, F>,
    (status, answer): (StatusCode, &mut impl FieldsMut),
    context: &mut RequestContext,
) -> Result<Taken, TooManyFields> {
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Taken::Passes);
    }
    if status == StatusCode::UNAUTHORIZED && asked.is_held && Box::pin(renew(gateway, context)).await {
        return Ok(Taken::OnceMore);
    }
    context.answered_after = Some(context.started.elapsed());
    gateway.parts.metrics.upstream.answered(status.as_u16());
    if FAILED_LOGIN.contains(&status) && context.may_log_in() {
        gateway.login_failures().count_login(context.login.as_ref(), context.peer.address, context.now);
        gateway.parts.logins.failed(context.peer.address);
    }
    if context.hides_cookies() {
        answer.remove(&SET_COOKIE);
    } else if answer.has(&SET_COOKIE) {
        Box::pin(gateway.parts.logins.observe(asked.fields, answer, context.now, context.peer.address)).await;
    }
    answer.set(X_REQUEST_ID.clone(), context.request_id.clone())?;
    lease::take_for(gateway, asked, (status, answer), context);
    Ok(Taken::Passes)
}

/// The same for an answer in Pingora's hands.
pub(in crate::proxy) async fn take_pingoras(
    gateway: &Gateway,
    session: &mut Session,
    answer: &mut ResponseHeader,
    context: &mut RequestContext,
) -> pingora::Result<()> {
    let downstream = session.as_downstream_mut();
    let is_held = downstream.is_body_done() && !downstream.retry_buffer_truncated() && !downstream.is_upgrade_req();
    let request = session.req_header();
    let asked = Asked { method: &request.method, fields: &request.headers, is_held, cut: Cut::of_connection() };
    match take_answer(gateway, &asked, (answer.status, answer), context).await {
        Ok(Taken::Passes) => Ok(()),
        Ok(Taken::OnceMore) => {
            let mut once_more = Error::create(RENEWED, ErrorSource::Upstream, None, None);
            once_more.set_retry(true);
            Err(once_more)
        }
        Err(TooManyFields) => Err(Error::new_up(ErrorType::InvalidHTTPHeader)),
    }
}

/// A client of HTTP/1.0 knows no chunks: its answer ends with the connection (RFC 9112 §6.1, §6.3).
pub(in crate::proxy) fn without_chunks(session: &mut Session, answer: &mut ResponseHeader) {
    if session.req_header().version == Version::HTTP_10 && answer.headers.contains_key(TRANSFER_ENCODING) {
        answer.remove_header(&TRANSFER_ENCODING);
        session.as_downstream_mut().set_keepalive(None);
    }
}

/// Whether the request should be sent once more with a credential that has replaced the one that ERPNext refused.
async fn renew(gateway: &Gateway, context: &mut RequestContext) -> bool {
    let Some(permit) = context.permit.as_mut().filter(|_| context.renewal == Renewal::None) else { return false };
    let renewed = gateway.parts.access.renew_credential(permit).await;
    if renewed.is_some() {
        permit.credential = renewed;
        context.renewal = Renewal::Pending;
    }
    context.renewal == Renewal::Pending
}

/// What a failure is to the peer; `None` when the peer itself is gone.
pub(in crate::proxy) fn refused_by(error: &Error) -> Option<Refused> {
    if let Some(refused) = body::refused_by(error) {
        return Some(refused);
    }
    match (error.esource(), error.etype()) {
        (_, etype) if etype == &ENDED => None,
        (_, ErrorType::HTTPStatus(413)) => Some(Refused::BodyTooLarge),
        (_, ErrorType::HTTPStatus(status)) if *status < 500 => Some(Refused::BadRequest),
        (ErrorSource::Downstream, ErrorType::WriteError | ErrorType::ReadError | ErrorType::ConnectionClosed) => None,
        (ErrorSource::Downstream, ErrorType::ReadTimedout | ErrorType::WriteTimedout) => Some(Refused::BodyTooSlow),
        (ErrorSource::Downstream, _) => Some(Refused::BadRequest),
        (
            ErrorSource::Upstream | ErrorSource::Unset,
            ErrorType::ReadTimedout | ErrorType::WriteTimedout | ErrorType::ConnectTimedout,
        ) => Some(Refused::UpstreamTooSlow),
        (ErrorSource::Upstream, _) => Some(Refused::UpstreamFailed),
        (_, ErrorType::ConnectNoRoute | ErrorType::ConnectRefused | ErrorType::ConnectError) => {
            Some(Refused::UpstreamFailed)
        }
        (ErrorSource::Internal | ErrorSource::Unset, _) => Some(Refused::Internal),
    }
}
