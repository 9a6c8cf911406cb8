//! The adapter to Pingora; its types stop here. A phase does little and calls down: the router says where a request goes,
//! the access check on whose behalf, the endpoints answer what is ours, `refuse` says no.

mod access_log;
mod admission;
mod agents;
mod body;
mod context;
mod cookies;
mod direct;
mod fields;
mod lease;
mod local;
mod logins;
mod realtime;
mod refuse;
mod request_headers;
mod request_id;
mod room;
mod upstream;

use std::{ops::Deref, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Method};
use ipnet::IpNet;
use pingora::{
    Error, ErrorType,
    connectors::TransportConnector,
    http::{RequestHeader, ResponseHeader},
    modules::http::HttpModules,
    protocols::Digest,
    proxy::{FailToProxy, ProxyHttp, Session},
    upstreams::peer::HttpPeer,
};
use tokio::sync::watch;

pub use context::{DownstreamPeer, Outcome, Renewal, RequestContext};
#[cfg(fuzzing)]
pub use direct::passed;
pub use direct::{Downstream, Forward, Forwarded, Head};
pub use lease::Cut;
pub use logins::LoginWatch;
pub use request_headers::address_value;

use self::{
    access_log::Served,
    admission::Applicant,
    direct::own::Denials,
    lease::Lease,
    refuse::Refused,
    request_headers::UpstreamHeaders,
    request_id::RequestIds,
    room::Room,
    upstream::{Asked, Probe, Upstreams},
};
use crate::{
    access::{AccessCheck, Realm},
    clock::Clock,
    config::{ErpnextSettings, Origin},
    endpoints::{Endpoints, Peer},
    random::Random,
    route::{CurrentRouter, Endpoint, Route},
    telemetry::{metrics::Metrics, tally::Tally},
};

/// So long the rest of a refused request's body is read away to keep its connection; then the connection is closed.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// So many bytes of bodies may be held at once; what comes beyond is judged as it streams by.
const MOST_HELD: usize = 256 * 1024 * 1024;

/// What the gateway is made of.
pub struct GatewayParts {
    /// Where requests go.
    pub router: Arc<CurrentRouter>,
    /// On whose behalf.
    pub access: Arc<AccessCheck>,
    /// Our own answers.
    pub endpoints: Arc<Endpoints>,
    /// Sees logins pass.
    pub logins: LoginWatch,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For the names of requests.
    pub random: Arc<dyn Random>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Counts denials for the audit trail.
    pub tally: Arc<Tally>,
    /// Networks whose `X-Forwarded-For` and `-Proto` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where challenges point.
    pub realm: Realm,
    /// What browsers see.
    pub public_url: Origin,
}

/// The gateway as Pingora runs it. A copy is the same gateway.
#[derive(Clone)]
pub struct Gateway(Arc<Works>);

/// What the gateway works with.
pub struct Works {
    parts: GatewayParts,
    upstreams: Upstreams,
    headers: UpstreamHeaders,
    request_ids: RequestIds,
    room: Room,
    /// Makes the connections of what does not go through Pingora's proxy.
    connector: TransportConnector,
    denials: Denials,
}

impl Gateway {
    /// Puts the parts together. Nothing is connected to yet.
    #[must_use]
    pub fn new(parts: GatewayParts, settings: &ErpnextSettings) -> Self {
        let headers = UpstreamHeaders::new(settings, &parts.public_url);
        let request_ids = RequestIds::new(&*parts.random);
        let upstreams = Upstreams::new(settings, &parts.metrics.upstream);
        let (connector, denials) = (TransportConnector::new(None), Denials::new(&parts.realm));
        let room = Room::new(MOST_HELD);
        Self(Arc::new(Works { parts, upstreams, headers, request_ids, room, connector, denials }))
    }

    /// Looks after the servers behind us until `shutdown` says so: is to run beside the requests.
    pub fn upkeep(&self, shutdown: &watch::Receiver<bool>) -> impl Future<Output = ()> + Send + use<> {
        let public = HeaderValue::from_str(self.parts.public_url.authority());
        let host = self.headers.host.clone().or(public.ok()).unwrap_or_else(|| HeaderValue::from_static("localhost"));
        self.upstreams.upkeep(&Probe::new(host, self.headers.site_name.clone()), shutdown)
    }

    /// Decides what becomes of a request. `true`: it has been answered.
    async fn dispatch(&self, session: &mut Session, context: &mut RequestContext) -> Result<bool, Refused> {
        self.meet(session, context);
        if matches!(session.req_header().method, Method::CONNECT | Method::TRACE) {
            return Err(Refused::Method);
        }
        let router = self.parts.router.load_full();
        let (route, rewritten, token_in_query) = {
            let target = local::target(session.req_header().raw_path())?;
            let route = router.route(&session.req_header().method, &target);
            let own = matches!(route, Route::Endpoint(_));
            let rewritten = if own { Some(target.forwarded()) } else { target.rewritten() };
            (route, rewritten, target.query().has("access_token"))
        };
        match route {
            Route::Endpoint(endpoint) => {
                Box::pin(self.answer(session, context, endpoint, &rewritten.unwrap_or_default())).await.map(|()| true)
            }
            Route::Refuse(refusal) => Err(Refused::Route(refusal)),
            Route::Upstream(terms) => {
                self.admit(session, context, Applicant { terms, token_in_query, router }).await?;
                if let Some(target) = rewritten {
                    request_headers::keep_authority(session.req_header_mut()).map_err(|_| Refused::BadRequest)?;
                    session.req_header_mut().set_raw_path(target.as_bytes()).map_err(|_| Refused::BadRequest)?;
                }
                Ok(false)
            }
        }
    }

    /// Takes down who sends the request.
    fn meet(&self, session: &Session, context: &mut RequestContext) {
        let digest = session.as_downstream().digest();
        let secure = digest.is_some_and(|digest| digest.ssl_digest.is_some());
        let address = session.client_addr().and_then(|address| address.as_inet()).map(std::net::SocketAddr::ip);
        let connected = DownstreamPeer { address: address.unwrap_or(context.peer.address), secure };
        context.peer =
            request_headers::downstream_peer(connected, &session.req_header().headers, &self.parts.trusted_proxies);
    }

    /// Has one of our endpoints answer.
    async fn answer(
        &self,
        session: &mut Session,
        context: &mut RequestContext,
        endpoint: Endpoint,
        target: &str,
    ) -> Result<(), Refused> {
        context.outcome = Outcome::Endpoint(endpoint.as_str());
        let request = local::read_request(session, target).await?;
        let served = self.parts.endpoints.serve(endpoint, request, Peer { address: context.peer.address });
        let answer = AssertUnwindSafe(served).catch_unwind().await.map_err(|_| Refused::Internal)?;
        self.parts.metrics.endpoints.answered(endpoint.as_str(), answer.status().as_u16());
        // A peer that has gone away is told by the log's status alone.
        local::write(session, context, answer).await.or(Ok(()))
    }

    /// Tells the peer why not.
    async fn refuse(&self, session: &mut Session, context: &mut RequestContext, refused: &Refused) -> u16 {
        context.outcome = Outcome::Refused(refused.reason());
        if refused.ends_connection() {
            session.as_downstream_mut().set_keepalive(None);
        }
        session.as_downstream_mut().set_total_drain_timeout(Some(DRAIN_TIMEOUT));
        let answer = refused.answer(&session.req_header().headers, &self.parts.realm);
        let status = answer.status().as_u16();
        if session.response_written().is_none() && local::write(session, context, answer).await.is_err() {
            session.as_downstream_mut().set_keepalive(None);
        }
        status
    }
}

impl Deref for Gateway {
    type Target = Works;

    fn deref(&self) -> &Works {
        &self.0
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = RequestContext;

    fn new_ctx(&self) -> RequestContext {
        RequestContext::new(self.request_ids.next(), self.parts.clock.now())
    }

    /// None: answers pass as ERPNext made them.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, context: &mut RequestContext) -> pingora::Result<bool> {
        match self.dispatch(session, context).await {
            Ok(answered) => Ok(answered),
            Err(refused) => {
                self.refuse(session, context, &refused).await;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        context: &mut RequestContext,
    ) -> pingora::Result<Box<HttpPeer>> {
        // A poll is held before its answer begins.
        if context.is_realtime() {
            let request = session.req_header();
            let cut = Cut::of_connection();
            let asked = Asked { method: &request.method, fields: &request.headers, is_held: false, cut };
            lease::take(self, &asked, context);
        }
        self.upstreams.peer(session, context).await
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        _reused: bool,
        _peer: &HttpPeer,
        _fd: std::os::unix::io::RawFd,
        _digest: Option<&Digest>,
        context: &mut RequestContext,
    ) -> pingora::Result<()> {
        self.upstreams.reached(context);
        Ok(())
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        context: &mut RequestContext,
    ) -> pingora::Result<()> {
        Lease::check(context.lease.as_ref())?;
        // What a websocket carries is no body: nothing of it may wait.
        if session.as_downstream().was_upgraded() {
            return Ok(());
        }
        // Bytes behind a head that told of none, as before an upgrade, are looked through all the same.
        if context.body.is_none() && body.as_ref().is_none_or(Bytes::is_empty) {
            return Ok(());
        }
        let before = context.may_log_in();
        context.body.get_or_insert_default().pass(body, end_of_stream)?;
        // A body that streams by tells only now that it asks for a login.
        if !before && context.may_log_in() && self.check_logins(context).is_err() {
            return Err(pingora::Error::new(body::CALL));
        }
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        request: &mut RequestHeader,
        context: &mut RequestContext,
    ) -> pingora::Result<()> {
        self.headers.apply(request, context).map_err(|_| Error::new_in(ErrorType::InvalidHTTPHeader))
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        context: &mut RequestContext,
    ) -> pingora::Result<()> {
        upstream::take_pingoras(self, session, answer, context).await
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        answer: &mut ResponseHeader,
        _context: &mut RequestContext,
    ) -> pingora::Result<()> {
        upstream::without_chunks(session, answer);
        Ok(())
    }

    fn upstream_response_body_filter(
        &self,
        _session: &mut Session,
        _body: &mut Option<Bytes>,
        _end_of_stream: bool,
        context: &mut RequestContext,
    ) -> pingora::Result<Option<Duration>> {
        Lease::check(context.lease.as_ref()).map(|()| None)
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        context: &mut RequestContext,
        reused: bool,
    ) -> Box<Error> {
        upstream::after_failure(&self.upstreams, session, &mut error, reused, context);
        error
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        context: &mut RequestContext,
        mut error: Box<Error>,
    ) -> Box<Error> {
        upstream::after_failed_connection(&self.upstreams, &mut error, context);
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, context: &mut RequestContext) -> FailToProxy {
        let Some(refused) = upstream::refused_by(error) else {
            return FailToProxy { error_code: 0, can_reuse_downstream: false };
        };
        self.parts.metrics.upstream.failed(refused.reason());
        session.as_downstream_mut().set_keepalive(None);
        let error_code = self.refuse(session, context, &refused).await;
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, context: &mut RequestContext) {
        if context.lease.as_ref().is_some_and(Lease::has_ended) {
            context.outcome = Outcome::Refused("token_ended");
        }
        access_log::write(&Served::of(session), context);
        // A peer that goes away and a credential that was renewed are no errors of ours.
        if let Some(error) = error.filter(|error| upstream::refused_by(error).is_some()) {
            access_log::write_failure((error.esource().as_str(), error.etype().as_str()), context);
        }
    }

    /// Pingora's own has the query.
    fn request_summary(&self, session: &Session, context: &RequestContext) -> String {
        let id = context.request_id.to_str().unwrap_or_default();
        format!("{} {}, request {id}", session.req_header().method, access_log::path(session.req_header().raw_path()))
    }

    /// Always: Pingora's text of an error may hold what ERPNext sent, cookies too.
    fn suppress_error_log(&self, _session: &Session, _context: &RequestContext, _error: &Error) -> bool {
        true
    }
}
