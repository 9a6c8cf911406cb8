//! The answer's body, from the upstream's connection to the peer's.

use std::{future::poll_fn, task::Poll};

use bytes::{Buf, BytesMut};

use super::{
    Downstream, Failure,
    answer::Answer,
    body::Body,
    peer::{Ended, Peer},
};
use crate::proxy::{
    lease::Lease,
    upstream::{Link, LinkFailure},
};

/// Room for what comes at once of a long body.
const READ: usize = 32 * 1024;

/// A connection on which an answer has begun.
pub(super) struct Relay {
    pub(super) link: Link,
    /// What has been read of it and not been passed on.
    pub(super) buffer: BytesMut,
}

impl Relay {
    /// Waits for more of the answer.
    pub(super) async fn more<D: Downstream>(&mut self, peer: &mut Peer<'_, D>) -> Result<(), Ended> {
        poll_fn(|cx| match self.link.poll_more(cx, &mut self.buffer) {
            Poll::Ready(read) => Poll::Ready(read.map_err(Ended::Link)),
            Poll::Pending => peer.poll_gone(cx).map(|()| Err(Ended::PeerGone)),
        })
        .await
    }

    /// Passes the answer on: `out`, which is its head for the peer, and its body. Gives the connection back if it serves
    /// another request.
    pub(super) async fn pass<D: Downstream>(
        mut self,
        mut out: Vec<u8>,
        answer: &Answer,
        peer: &mut Peer<'_, D>,
        (sent, lease): (&mut usize, Option<&Lease>),
    ) -> Result<Option<Link>, Failure> {
        let mut body = answer.body;
        self.buffer.advance(answer.length);
        loop {
            *sent += body.pass(&mut self.buffer, &mut out).map_err(|_| Failure::BrokenOff("InvalidChunk"))?;
            if lease.is_some_and(Lease::has_ended) {
                return Err(Failure::TokenEnded);
            }
            peer.send(&out).await?;
            if body == Body::Ended {
                return Ok(Some(self.link).filter(|link| answer.persists && link.is_clean() && self.buffer.is_empty()));
            }
            out.clear();
            self.buffer.reserve(READ);
            match self.more(peer).await {
                Ok(()) => {}
                Err(Ended::Link(LinkFailure::Closed)) if body.closed(&mut out) => {
                    peer.send(&out).await?;
                    return Ok(None);
                }
                Err(Ended::Link(failure)) => return Err(Failure::BrokenOff(failure.kind())),
                Err(Ended::PeerGone) => return Err(Failure::PeerGone),
            }
        }
    }
}
