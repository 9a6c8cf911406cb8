//! Requests over HTTP/1.1 that want nothing special and have no body, or one that is held, which is nearly all of them,
//! forwarded without Pingora's proxy: from the bytes of a checked head to the bytes of the upstream's, and the answer back,
//! with no header map and no channel. The rules are those of all other requests: route, admission, headers, retry, answer.
//! What is anything else is declined before anything has been done about it, and goes the other way.

mod answer;
mod body;
mod exchange;
mod incoming;
pub(super) mod own;
mod peer;
mod relay;
mod written;

use std::{borrow::Cow, sync::Arc};

use bytes::{Buf, BytesMut};
use http::{HeaderValue, Method};
use tokio::io::{AsyncRead, AsyncWrite};

use self::{incoming::Incoming, peer::Peer};
use super::{
    Gateway,
    access_log::{self, Served},
    admission::Applicant,
    body::HELD_BODY,
    context::{DownstreamPeer, Outcome, RequestContext},
    lease::{Cut, Lease},
    refuse::Refused,
    request_headers,
};
use crate::{
    http1::{FieldLine, FieldLines},
    route::{Route, Service, Target},
};

/// A head that has been checked.
#[derive(Clone, Copy, Debug)]
pub struct Head<'h> {
    /// All of it.
    pub bytes: &'h [u8],
    /// Its method.
    pub method: &'h [u8],
    /// Its request target.
    pub target: &'h [u8],
    /// Where its field lines are.
    pub lines: &'h [FieldLine],
    /// How long its body is, in bytes.
    pub body: u64,
    /// Whether the connection goes on after the answer.
    pub persists: bool,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// Nothing was done: it is to go the other way.
    Declined,
    /// It was answered, and the connection takes another one.
    Answered,
    /// It was answered, and the connection is to be closed.
    Last,
    /// There is no answer, or not a whole one: the connection is to be dropped.
    Broken,
}

/// The connection that a request came on.
pub trait Downstream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Who is at its other end, and the address of that as text.
    fn peer(&mut self) -> (DownstreamPeer, HeaderValue);

    /// Ends it from elsewhere.
    fn cut(&self) -> Arc<Cut>;
}

/// Forwards what it can without Pingora's proxy.
pub trait Forward: Clone + Send + Sync + 'static {
    /// Forwards a request. `early` is what was read behind its head; afterwards it is what the peer has sent of its next
    /// request already.
    fn forward<D: Downstream>(
        &self,
        head: Head<'_>,
        downstream: &mut D,
        early: &mut BytesMut,
    ) -> impl Future<Output = Forwarded> + Send {
        let _ = (head, downstream, early);
        async { Forwarded::Declined }
    }
}

/// A request that goes this way.
struct Request<'h> {
    method: Method,
    /// As it came.
    target: &'h str,
    /// As it is sent.
    sent: Cow<'h, str>,
    fields: FieldLines<'h>,
    /// How long its body is.
    body: usize,
    persists: bool,
}

/// Why a request has no whole answer.
enum Failure {
    /// Nothing has been answered yet: this is.
    Refused(Refused),
    /// Nothing has been answered yet, and the upstream is to blame, in these words.
    Upstream(Refused, Cow<'static, str>),
    /// The answer has begun and can't be ended well, for this reason.
    BrokenOff(&'static str),
    /// The token that the answer was for is not good any more.
    TokenEnded,
    /// The peer is gone.
    PeerGone,
}

/// What has been answered.
struct Answered {
    status: u16,
    /// Bytes of the body, as they went.
    sent: usize,
}

impl Forward for Gateway {
    async fn forward<D: Downstream>(&self, head: Head<'_>, downstream: &mut D, early: &mut BytesMut) -> Forwarded {
        let Some((mut request, applicant)) = self.eligible(head) else { return Forwarded::Declined };
        let mut context = RequestContext::new(self.request_ids.next(), self.parts.clock.now());
        let (connected, text) = downstream.peer();
        context.peer = request_headers::downstream_peer(connected, &request.fields, &self.parts.trusted_proxies);
        context.peer_text = Some(text).filter(|_| context.peer.address == connected.address);
        let mut answered = Answered { status: 0, sent: 0 };
        let mut incoming = Incoming { request: &request, left: request.body, connection: downstream, preread: early };
        let admitted = self.admit(&mut incoming, &mut context, applicant).await;
        let left = incoming.left.saturating_sub(incoming.preread.len());
        let unread = incoming.left - left;
        let mut peer = Peer::new(downstream, early);
        // What is there of a body that was not read is passed over; what is not is not waited for.
        peer.early.advance(unread);
        request.persists &= left == 0;
        let result = match admitted {
            Ok(()) if left + unread == 0 => self.exchange(&request, &mut context, &mut peer, &mut answered).await,
            // There was no room any more to hold it.
            Ok(()) => Err(Failure::Refused(Refused::Internal)),
            Err(refused) => Err(Failure::Refused(refused)),
        };
        let forwarded = match result {
            Ok(()) if request.persists => Forwarded::Answered,
            Ok(()) => Forwarded::Last,
            Err(failure) => self.fail(&request, &mut context, &mut peer, (failure, &mut answered)).await,
        };
        let Answered { status, sent } = answered;
        let served = Served { method: &request.method, target: request.target.as_bytes(), status, sent };
        access_log::write(&served, &context);
        forwarded
    }
}

impl Gateway {
    /// The request, and what is to be admitted; `None` for what goes the other way.
    fn eligible<'h>(&self, head: Head<'h>) -> Option<(Request<'h>, Applicant)> {
        let method = Method::from_bytes(head.method).ok()?;
        let target = std::str::from_utf8(head.target).ok()?;
        let parsed = Target::parse(target).ok()?;
        let router = self.parts.router.load_full();
        let Route::Upstream(terms) = router.route(&method, &parsed) else { return None };
        let body = usize::try_from(head.body).ok().filter(|length| *length <= HELD_BODY)?;
        if terms.service != Service::Web || !self.room.has(body) {
            return None;
        }
        let sent = parsed.rewritten().map_or(Cow::Borrowed(target), Cow::Owned);
        let token_in_query = parsed.query().has("access_token");
        let fields = FieldLines::new(head.bytes, head.lines).ok()?;
        let request = Request { method, target, sent, fields, body, persists: head.persists };
        Some((request, Applicant { terms, token_in_query, router }))
    }

    /// Answers what can be answered of a failure, and writes down what is ours or the upstream's.
    async fn fail<D: Downstream>(
        &self,
        request: &Request<'_>,
        context: &mut RequestContext,
        peer: &mut Peer<'_, D>,
        (failure, answered): (Failure, &mut Answered),
    ) -> Forwarded {
        let (refused, persists) = match failure {
            Failure::Refused(refused) => {
                let persists = request.persists && !refused.ends_connection();
                (refused, persists)
            }
            Failure::Upstream(refused, kind) => {
                self.parts.metrics.upstream.failed(refused.reason());
                access_log::write_failure(("Upstream", &kind), context);
                (refused, false)
            }
            Failure::BrokenOff(kind) => {
                self.parts.metrics.upstream.failed(Refused::UpstreamFailed.reason());
                access_log::write_failure(("Upstream", kind), context);
                return Forwarded::Broken;
            }
            Failure::TokenEnded => {
                context.outcome = Outcome::Refused("token_ended");
                return Forwarded::Broken;
            }
            Failure::PeerGone => {
                if context.lease.as_ref().is_some_and(Lease::has_ended) {
                    context.outcome = Outcome::Refused("token_ended");
                }
                return Forwarded::Broken;
            }
        };
        context.outcome = Outcome::Refused(refused.reason());
        let ready = self.denials.answer(&refused, &request.fields, &self.parts.realm);
        answered.status = ready.status.as_u16();
        answered.sent = ready.sent(&request.method);
        let out = ready.written(context, &request.method, persists);
        match peer.send(&out).await {
            Ok(()) if persists => Forwarded::Answered,
            Ok(()) => Forwarded::Last,
            Err(_) => Forwarded::Broken,
        }
    }
}

/// What a peer gets of the bytes that an upstream sends in pieces of this size before it closes, and whether that is all of
/// an answer. `None`: they are no answer's.
#[cfg(fuzzing)]
pub fn passed(bytes: &[u8], method: &Method, size: usize) -> Option<(Vec<u8>, bool)> {
    let (mut buffer, mut begun) = (BytesMut::new(), None);
    let mut out = Vec::new();
    for piece in bytes.chunks(size) {
        buffer.extend_from_slice(piece);
        if begun.is_none() {
            let Some(answer) = answer::Answer::read(&buffer, method).ok()? else { continue };
            let fields = answer.fields(&buffer[..answer.length]).ok()?;
            out = written::passed_head(fields, &answer, &buffer, true);
            buffer.advance(answer.length);
            begun = Some(answer.body);
        }
        begun.as_mut()?.pass(&mut buffer, &mut out).ok()?;
    }
    let whole = begun?.closed(&mut out);
    Some((out, whole))
}
