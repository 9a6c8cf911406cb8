//! The peer while it waits for its answer.

use std::{
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use http::StatusCode;
use tokio::io::{AsyncWriteExt, ReadBuf};

use super::{Downstream, Failure, answer::Answer, written};
use crate::proxy::upstream::LinkFailure;

/// What a peer sends while it waits for its answer is kept up to this; what is more waits in its socket.
const MOST_EARLY: usize = 2048;

/// The connection to it, and what it sends too early: the beginning of its next request.
pub(super) struct Peer<'d, D> {
    pub(super) connection: &'d mut D,
    pub(super) early: &'d mut BytesMut,
    /// How much of that has come since the request began.
    come: usize,
}

/// Why nothing more comes of an answer.
pub(super) enum Ended {
    /// The upstream's doing.
    Link(LinkFailure),
    /// The peer has gone.
    PeerGone,
}

impl<'d, D: Downstream> Peer<'d, D> {
    /// The one at the other end of `connection`.
    pub(super) const fn new(connection: &'d mut D, early: &'d mut BytesMut) -> Self {
        Self { connection, early, come: 0 }
    }

    /// Sends these bytes now.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sending = async {
            self.connection.write_all(bytes).await?;
            self.connection.flush().await
        };
        sending.await.map_err(|_: std::io::Error| Failure::PeerGone)
    }

    /// Passes on an answer that another one follows; a `100` is for a body, and that has been sent.
    pub(super) async fn interim(&mut self, answer: &Answer, head: &[u8]) -> Result<(), Failure> {
        if answer.status == StatusCode::CONTINUE {
            return Ok(());
        }
        let Ok(mut fields) = answer.fields(head) else { return Ok(()) };
        fields.remove_hop_by_hop();
        let mut out = Vec::new();
        written::status_line(&mut out, answer.status, answer.reason(head));
        fields.write(&mut out);
        out.extend_from_slice(b"\r\n");
        self.send(&out).await
    }

    /// Ready when the peer has gone. What it sends meanwhile is kept.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.come < MOST_EARLY {
            let mut room = [const { MaybeUninit::uninit() }; MOST_EARLY];
            let mut read = ReadBuf::uninit(&mut room);
            match ready!(Pin::new(&mut *self.connection).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {
                    self.come += read.filled().len();
                    self.early.extend_from_slice(read.filled());
                }
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
        // Nobody reads it any more, which would tell that it has been cut.
        if self.connection.cut().is_done(cx) { Poll::Ready(()) } else { Poll::Pending }
    }
}
