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
use crate::{http1::FieldLines, proxy::upstream::LinkFailure};

/// What a peer sends before it is answered is kept up to this; what is more waits in its socket.
const MOST_EARLY: usize = 2048;

/// The connection to it, and what it sends too early: the beginning of its next request.
pub(super) struct Peer<'d, D> {
    pub(super) connection: &'d mut D,
    pub(super) early: &'d mut BytesMut,
}

/// Why nothing more comes of an answer.
pub(super) enum Ended {
    /// The upstream's doing.
    Link(LinkFailure),
    /// The peer has gone.
    PeerGone,
}

impl<D: Downstream> Peer<'_, D> {
    /// Sends these bytes now.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sending = async {
            self.connection.write_all(bytes).await?;
            self.connection.flush().await
        };
        sending.await.map_err(|_: std::io::Error| Failure::PeerGone)
    }

    /// Passes on an answer that another one follows; a `100` is for a body, and there is none.
    pub(super) async fn interim(&mut self, answer: &Answer, head: &[u8]) -> Result<(), Failure> {
        if answer.status == StatusCode::CONTINUE {
            return Ok(());
        }
        let Ok(mut fields) = FieldLines::new(head, &answer.lines) else { return Ok(()) };
        fields.remove_hop_by_hop();
        let mut out = Vec::new();
        written::status_line(&mut out, answer.status, answer.reason(head));
        fields.write(&mut out);
        out.extend_from_slice(b"\r\n");
        self.send(&out).await
    }

    /// Ready when the peer has gone. What it sends meanwhile is kept.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.early.len() < MOST_EARLY {
            let mut room = [const { MaybeUninit::uninit() }; MOST_EARLY];
            let mut read = ReadBuf::uninit(&mut room);
            match ready!(Pin::new(&mut *self.connection).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => self.early.extend_from_slice(read.filled()),
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }
}
