//! What is known of one request on its way through the gateway.

use std::{net::IpAddr, time::Duration};

use http::HeaderValue;
use tokio::time::Instant;

use super::{body::BodyWatch, lease::Lease, request_headers::address_value, upstream::Attempts};
use crate::{
    access::Permit,
    clock::UnixTime,
    endpoints::LoginName,
    route::{Seen, Service, Terms},
};

/// What is known of a request; Pingora's `CTX`.
#[derive(Debug)]
pub struct RequestContext {
    /// `X-Request-Id`, made by us.
    pub request_id: HeaderValue,
    /// When the request arrived, for durations.
    pub started: Instant,
    /// When the request arrived, for rules.
    pub now: UnixTime,
    /// Who sent it.
    pub peer: DownstreamPeer,
    /// The address of that as text, where it has been made already.
    pub peer_text: Option<HeaderValue>,
    /// What became of it, for the log.
    pub outcome: Outcome,
    /// On which terms it is forwarded; `None` unless it is.
    pub terms: Option<Terms>,
    /// On whose behalf it is forwarded.
    pub permit: Option<Permit>,
    /// Where the renewal of the credential stands.
    pub renewal: Renewal,
    /// Looks through the body, if there is one. Apart, since Pingora moves a context about many times.
    pub body: Option<Box<BodyWatch>>,
    /// Who wants to log in, where it is a login whose body was read.
    pub login: Option<LoginName>,
    /// Which servers it was tried with.
    pub attempts: Attempts,
    /// Watches over the token while an answer may go on for long.
    pub lease: Option<Lease>,
    /// When ERPNext's answer began.
    pub answered_after: Option<Duration>,
}

/// Who is at the other end, as far as trusted proxies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DownstreamPeer {
    /// The address.
    pub address: IpAddr,
    /// Whether the browser or client speaks TLS.
    pub secure: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing yet.
    Pending,
    /// Answered by this endpoint of ours.
    Endpoint(&'static str),
    /// Refused by us, for this reason.
    Refused(&'static str),
    /// Forwarded.
    Forwarded(Service),
}

/// Whether the credential was renewed after an upstream 401 (at most once a request).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// There was no need.
    None,
    /// It was, and the request is to be sent again.
    Pending,
    /// It was, and the request has been sent again.
    Done,
}

impl RequestContext {
    /// The context of a request that arrives now.
    pub fn new(request_id: HeaderValue, now: UnixTime) -> Self {
        Self {
            request_id,
            started: Instant::now(),
            now,
            peer: DownstreamPeer { address: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), secure: false },
            peer_text: None,
            outcome: Outcome::Pending,
            terms: None,
            permit: None,
            renewal: Renewal::None,
            body: None,
            login: None,
            attempts: Attempts::default(),
            lease: None,
            answered_after: None,
        }
    }

    /// The address of who sent it, as text.
    pub fn peer_text(&self) -> HeaderValue {
        self.peer_text.clone().unwrap_or_else(|| address_value(self.peer.address))
    }

    /// Whether the request is forwarded on behalf of a token's user.
    pub const fn is_bearer(&self) -> bool {
        self.permit.is_some()
    }

    /// Whether it goes to the realtime server.
    pub fn is_realtime(&self) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.service == Service::Realtime)
    }

    /// What was seen in the body so far.
    pub fn seen_in_body(&self) -> Seen {
        self.body.as_ref().map(|body| body.seen()).unwrap_or_default()
    }

    /// Whether it may be a login with a password: ERPNext logs in by a body's `cmd` whatever the path is.
    pub fn may_log_in(&self) -> bool {
        self.body.as_ref().is_some_and(|body| body.may_log_in())
            || self.terms.as_ref().is_some_and(|terms| terms.may_log_in)
    }

    /// Whether the answer must not set cookies: it is not the browser's own. The realtime server sets none; ERPNext, where
    /// it stands in for one, would set those of a session in the query.
    pub fn hides_cookies(&self) -> bool {
        self.is_bearer() || self.is_realtime() || self.terms.as_ref().is_some_and(|terms| terms.sid_in_query)
    }
}
