//! One request, one answer: with which server, on which connection, and again where the first attempt can't be the last.

use std::sync::Arc;

use bytes::{Buf, BytesMut};
use http::StatusCode;

use super::{
    Answered, Downstream, Failure, Request,
    answer::Answer,
    peer::{Ended, Peer},
    relay::Relay,
    written,
};
use crate::proxy::{
    Gateway,
    context::{Renewal, RequestContext},
    lease::Cut,
    refuse::Refused,
    upstream::{
        Asked, Link, LinkFailure, Member, Taken, goes_elsewhere, goes_on, may_happen_twice, refused_by, take_answer,
    },
};

/// So many attempts at one request.
const MOST_ATTEMPTS: usize = 6;
/// Room for an answer that is short, its head included.
const FIRST_READ: usize = 8 * 1024;

/// What came of one attempt.
enum Attempt {
    /// An answer has begun.
    Answer(Relay, Answer),
    /// The server is to blame, in these words.
    Failed(Refused, &'static str, Again),
}

/// Whether an attempt that failed is worth another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// The connection had been used before, and the server may have closed it for that reason.
    Anywhere,
    /// The server broke off.
    Elsewhere,
    /// It may be at work still.
    No,
}

impl Gateway {
    /// Has the request answered by a server, and passes the answer on.
    pub(super) async fn exchange<D: Downstream>(
        &self,
        request: &Request<'_>,
        context: &mut RequestContext,
        peer: &mut Peer<'_, D>,
        answered: &mut Answered,
    ) -> Result<(), Failure> {
        let calls = context.seen_in_body().call;
        let twice = may_happen_twice(&request.method, request.sent.as_bytes(), calls);
        let body = context.body.as_ref().and_then(|body| body.whole()).unwrap_or_default();
        let mut anew = false;
        for _ in 0..MOST_ATTEMPTS {
            let (member, mut link, used) = self.link(context, anew).await?;
            self.upstreams.reached(context);
            let head = self.upstream_head(request, context).map_err(|_| Failure::Refused(Refused::Internal))?;
            link.begin(head.into(), body.clone());
            let (relay, answer) = match ask(link, request, peer).await? {
                Attempt::Answer(relay, answer) => (relay, answer),
                Attempt::Failed(refused, kind, again) => {
                    let again = match again {
                        Again::Anywhere if used => twice,
                        Again::Anywhere | Again::Elsewhere => twice && goes_on(&self.upstreams, context),
                        Again::No => false,
                    };
                    if again {
                        // Others that wait may be as dead.
                        anew = used;
                        continue;
                    }
                    return Err(Failure::Upstream(refused, kind.into()));
                }
            };
            if let Some(out) = self.taken(request, context, (&relay.buffer, &answer), peer.connection.cut()).await? {
                answered.status = answer.status.as_u16();
                let link = relay.pass(out, &answer, peer, (&mut answered.sent, context.lease.as_ref())).await?;
                if let Some(link) = link {
                    member.keep(link);
                }
                return Ok(());
            }
        }
        Err(Failure::Upstream(Refused::UpstreamFailed, "TooManyAttempts".into()))
    }

    /// A connection to the server whose turn it is, and whether it has been used before; `anew`: it must not have been.
    async fn link(&self, context: &mut RequestContext, anew: bool) -> Result<(Arc<Member>, Link, bool), Failure> {
        loop {
            let member = self.upstreams.next(context).await.map_err(unreachable)?;
            if let Some(link) = Some(&member).filter(|_| !anew).and_then(|member| member.used_link()) {
                return Ok((member, link, true));
            }
            // Apart, as all that is rare: a connection has room for what it waits on even while nothing is asked.
            match Box::pin(member.new_link(&self.connector)).await {
                Ok(link) => return Ok((member, link, false)),
                Err(error) if !goes_elsewhere(&self.upstreams, context) => return Err(unreachable(error)),
                Err(_) => {}
            }
        }
    }

    /// The head that the server gets.
    fn upstream_head(
        &self,
        request: &Request<'_>,
        context: &RequestContext,
    ) -> Result<Vec<u8>, crate::http1::TooManyFields> {
        let mut fields = request.fields.clone();
        fields.remove_hop_by_hop();
        self.headers.apply(&mut fields, context)?;
        let mut head = Vec::with_capacity(1024);
        for part in [request.method.as_str(), " ", &request.sent, " HTTP/1.1\r\n"] {
            head.extend_from_slice(part.as_bytes());
        }
        fields.write(&mut head);
        head.extend_from_slice(b"\r\n");
        Ok(head)
    }

    /// The head that the peer gets; `None`: the request is to be sent once more.
    async fn taken(
        &self,
        request: &Request<'_>,
        context: &mut RequestContext,
        (buffer, answer): (&BytesMut, &Answer),
        cut: Arc<Cut>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let internal = |_| Failure::Refused(Refused::Internal);
        let asked = Asked { method: &request.method, fields: &request.fields, is_held: true, cut: Some(cut) };
        let head = buffer.get(..answer.length).unwrap_or_default();
        let mut fields = answer.fields(head).map_err(internal)?;
        match take_answer(self, &asked, (answer.status, &mut fields), context).await.map_err(internal)? {
            Taken::Passes => Ok(Some(written::passed_head(fields, answer, head, request.persists))),
            Taken::OnceMore => {
                context.renewal = Renewal::Done;
                Ok(None)
            }
        }
    }
}

/// Sends the request, and waits for the head of an answer.
async fn ask<D: Downstream>(link: Link, request: &Request<'_>, peer: &mut Peer<'_, D>) -> Result<Attempt, Failure> {
    let mut relay = Relay { link, buffer: BytesMut::with_capacity(FIRST_READ) };
    let mut untouched = true;
    loop {
        match relay.more(peer).await {
            Ok(()) => untouched = false,
            Err(Ended::Link(failure)) => return Ok(failed(&failure, untouched)),
            Err(Ended::PeerGone) => return Err(Failure::PeerGone),
        }
        while let Some(answer) = match Answer::read(&relay.buffer, &request.method) {
            Ok(answer) => answer,
            Err(_) => return Ok(Attempt::Failed(Refused::UpstreamFailed, "InvalidHTTPHeader", Again::No)),
        } {
            if answer.status == StatusCode::SWITCHING_PROTOCOLS {
                // Nobody has asked for that.
                return Ok(Attempt::Failed(Refused::UpstreamFailed, "InvalidHTTPHeader", Again::No));
            }
            if !answer.is_interim() {
                return Ok(Attempt::Answer(relay, answer));
            }
            Box::pin(peer.interim(&answer, &relay.buffer)).await?;
            relay.buffer.advance(answer.length);
        }
    }
}

/// What a failure before the answer means; of an answer that has begun no other is to be had.
fn failed(failure: &LinkFailure, untouched: bool) -> Attempt {
    let again = if untouched { Again::Anywhere } else { Again::Elsewhere };
    match failure {
        LinkFailure::TooSlow => Attempt::Failed(Refused::UpstreamTooSlow, failure.kind(), Again::No),
        LinkFailure::Closed | LinkFailure::Broken(_) => Attempt::Failed(Refused::UpstreamFailed, failure.kind(), again),
    }
}

fn unreachable(mut error: Box<pingora::Error>) -> Failure {
    error.as_up();
    let refused = refused_by(&error).unwrap_or(Refused::UpstreamFailed);
    Failure::Upstream(refused, error.etype().as_str().to_owned().into())
}
