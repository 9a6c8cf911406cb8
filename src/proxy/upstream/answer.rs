//! What becomes of an answer's header on its way down, and what a failure is to the peer.

use http::{
    StatusCode, Version,
    header::{SET_COOKIE, TRANSFER_ENCODING},
};
use pingora::{Error, ErrorSource, ErrorType, http::ResponseHeader, proxy::Session};

use crate::proxy::{
    Gateway, body,
    context::{Renewal, RequestContext},
    lease::{self, ENDED},
    refuse::Refused,
    request_headers::X_REQUEST_ID,
};

/// Marks the error that only says: once more, with the new credential.
pub(super) const RENEWED: ErrorType = ErrorType::new("CredentialRenewed");

/// What ERPNext answers to a wrong password: 500 where it would show the failure as a page, and fails at that.
const FAILED_LOGIN: [StatusCode; 2] = [StatusCode::UNAUTHORIZED, StatusCode::INTERNAL_SERVER_ERROR];

/// What becomes of an answer's header on its way down.
pub(in crate::proxy) async fn take_answer(
    gateway: &Gateway,
    session: &mut Session,
    answer: &mut ResponseHeader,
    context: &mut RequestContext,
) -> pingora::Result<()> {
    if answer.status.is_informational() && answer.status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(());
    }
    if answer.status == StatusCode::UNAUTHORIZED && renew(gateway, session, context).await {
        let mut once_more = Error::create(RENEWED, ErrorSource::Upstream, None, None);
        once_more.set_retry(true);
        return Err(once_more);
    }
    context.answered_after = Some(context.started.elapsed());
    gateway.parts.metrics.upstream.answered(answer.status.as_u16());
    if FAILED_LOGIN.contains(&answer.status) && context.may_log_in() {
        gateway.login_failures().count_login(context.login.as_ref(), context.peer.address, context.now);
        gateway.parts.logins.failed(context.peer.address);
    }
    if context.hides_cookies() {
        answer.remove_header(&SET_COOKIE);
    } else if answer.headers.contains_key(SET_COOKIE) {
        gateway
            .parts
            .logins
            .observe(&session.req_header().headers, &answer.headers, context.now, context.peer.address)
            .await;
    }
    answer.insert_header(X_REQUEST_ID.clone(), context.request_id.clone())?;
    lease::take_for(gateway, session, answer, context);
    Ok(())
}

/// A client of HTTP/1.0 knows no chunks: its answer ends with the connection (RFC 9112 §6.1, §6.3).
pub(in crate::proxy) fn without_chunks(session: &mut Session, answer: &mut ResponseHeader) {
    if session.req_header().version == Version::HTTP_10 && answer.headers.contains_key(TRANSFER_ENCODING) {
        answer.remove_header(&TRANSFER_ENCODING);
        session.as_downstream_mut().set_keepalive(None);
    }
}

/// Whether the request should be sent once more with a credential that has replaced the one that ERPNext refused. Only
/// where it can be: its body has arrived whole and is still held.
async fn renew(gateway: &Gateway, session: &mut Session, context: &mut RequestContext) -> bool {
    let Some(permit) = context.permit.as_mut().filter(|_| context.renewal == Renewal::None) else { return false };
    let held = session.as_downstream_mut().is_body_done() && !session.as_downstream().retry_buffer_truncated();
    if !held || session.as_downstream().is_upgrade_req() {
        return false;
    }
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
