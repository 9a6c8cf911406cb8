//! The servers behind us: where they are, how long they may take, and when a request is sent once more.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use http::{StatusCode, header::SET_COOKIE, header::UPGRADE};
use pingora::{
    Error, ErrorSource, ErrorType, OkOrErr, OrErr, http::ResponseHeader, proxy::Session, upstreams::peer::HttpPeer,
};

use super::{
    Gateway, body,
    context::{Renewal, RequestContext},
    refuse::Refused,
    request_headers::X_REQUEST_ID,
};
use crate::{
    config::{ErpnextSettings, Origin},
    endpoints::Counted,
    route::Service,
};

/// An idle connection to a server behind us is closed after this.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// After an upgrade both sides may be silent for so long; realtime servers ping more often.
const UPGRADED_TIMEOUT: Duration = Duration::from_secs(3600);
/// Marks the error that only says: once more, with the new credential.
const RENEWED: ErrorType = ErrorType::new("CredentialRenewed");

/// A server behind us.
pub(super) struct Server {
    origin: Origin,
    connect_timeout: Duration,
    response_timeout: Duration,
    /// As it was last resolved; forgotten when it can't be connected to, since its address may have changed.
    peer: ArcSwapOption<HttpPeer>,
}

/// The servers behind us.
pub(super) struct Servers {
    web: Server,
    /// `None`: the web server has it too.
    realtime: Option<Server>,
}

impl Servers {
    pub(super) fn new(settings: &ErpnextSettings) -> Self {
        let server = |origin: &Origin| Server {
            origin: origin.clone(),
            connect_timeout: settings.connect_timeout,
            response_timeout: settings.response_timeout,
            peer: ArcSwapOption::empty(),
        };
        Self {
            web: server(settings.urls.first().unwrap_or(&settings.url)),
            realtime: settings.socketio_url.as_ref().map(server),
        }
    }

    pub(super) fn of(&self, service: Service) -> &Server {
        match service {
            Service::Web => &self.web,
            Service::Realtime => self.realtime.as_ref().unwrap_or(&self.web),
        }
    }
}

impl Server {
    /// The peer of a request; an upgraded connection may be silent for longer.
    pub(super) async fn peer(&self, upgrades: bool) -> pingora::Result<Box<HttpPeer>> {
        let known = self.peer.load_full();
        let peer = match known {
            Some(peer) => peer,
            None => self.resolve().await?,
        };
        let mut peer = Box::new(HttpPeer::clone(&peer));
        if upgrades {
            peer.options.read_timeout = Some(UPGRADED_TIMEOUT);
        }
        Ok(peer)
    }

    pub(super) fn forget_address(&self) {
        self.peer.store(None);
    }

    async fn resolve(&self) -> pingora::Result<Arc<HttpPeer>> {
        let found = tokio::net::lookup_host((self.origin.host(), self.origin.port()));
        let mut addresses = found.await.or_err(ErrorType::ConnectNoRoute, "the upstream's name can't be resolved")?;
        let address = addresses.next().or_err(ErrorType::ConnectNoRoute, "the upstream's name has no address")?;
        let peer = Arc::new(self.peer_at(address));
        self.peer.store(Some(Arc::clone(&peer)));
        Ok(peer)
    }

    fn peer_at(&self, address: SocketAddr) -> HttpPeer {
        let mut peer = HttpPeer::new(address, self.origin.is_https(), self.origin.host().to_owned());
        peer.options.connection_timeout = Some(self.connect_timeout);
        peer.options.total_connection_timeout = Some(self.connect_timeout);
        peer.options.read_timeout = Some(self.response_timeout);
        peer.options.write_timeout = Some(self.response_timeout);
        peer.options.idle_timeout = Some(IDLE_TIMEOUT);
        peer
    }
}

/// Whether the request asks for an upgrade.
pub(super) fn upgrades(session: &Session) -> bool {
    session.req_header().headers.contains_key(UPGRADE) && session.as_downstream().is_upgrade_req()
}

/// Gives an upgraded connection the time that it may be silent.
pub(super) fn relax_downstream(session: &mut Session) {
    session.as_downstream_mut().set_read_timeout(Some(UPGRADED_TIMEOUT));
}

/// What becomes of an answer's header on its way down.
pub(super) async fn take_answer(
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
    if answer.status == StatusCode::UNAUTHORIZED && context.may_log_in() {
        gateway.login_failures().count(Counted::address(context.peer.address), context.now);
    }
    if context.hides_cookies() {
        answer.remove_header(&SET_COOKIE);
    } else if answer.headers.contains_key(SET_COOKIE) {
        gateway.parts.logins.observe(&session.req_header().headers, &answer.headers, context.now).await;
    }
    answer.insert_header(X_REQUEST_ID.clone(), context.request_id.clone())?;
    Ok(())
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

/// Whether a failed attempt is made again: always with a renewed credential; else only where nothing can have happened
/// yet, or where it may happen twice.
pub(super) fn decide_retry(session: &Session, error: &mut Error, reused: bool, context: &mut RequestContext) {
    if context.renewal == Renewal::Pending && error.etype() == &RENEWED {
        context.renewal = Renewal::Done;
        error.set_retry(true);
        return;
    }
    let repeatable = session.req_header().method.is_idempotent() && !session.as_downstream().retry_buffer_truncated();
    if repeatable {
        error.retry.decide_reuse(reused);
    } else {
        error.set_retry(false);
    }
}

/// What a failure is to the peer; `None` when the peer itself is gone.
pub(super) fn refused_by(error: &Error) -> Option<Refused> {
    if let Some(refused) = body::refused_by(error) {
        return Some(refused);
    }
    match (error.esource(), error.etype()) {
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
