//! A request of this way as the admission sees it.

use bytes::{Bytes, BytesMut};
use http::Method;
use tokio::io::AsyncReadExt;

use super::{Downstream, Request};
use crate::{
    http1::FieldLines,
    proxy::admission::{Applying, BrokenBody},
};

/// A piece of a body is at most this long.
const PIECE: usize = 16 * 1024;

/// A request whose body comes from the peer's connection.
pub(super) struct Incoming<'r, 'h, 'd, D> {
    pub(super) request: &'r Request<'h>,
    pub(super) connection: &'d mut D,
    /// What of the connection was read before, the next request's beginning perhaps behind the body.
    pub(super) preread: &'d mut BytesMut,
    /// So much of the body has not been read.
    pub(super) left: usize,
}

impl<'h, D: Downstream> Applying for Incoming<'_, 'h, '_, D> {
    type Fields = FieldLines<'h>;

    fn fields(&self) -> &FieldLines<'h> {
        &self.request.fields
    }

    fn method(&self) -> &Method {
        &self.request.method
    }

    fn target(&self) -> &[u8] {
        self.request.target.as_bytes()
    }

    fn has_body(&mut self) -> bool {
        self.request.body > 0
    }

    fn upgrades(&self) -> bool {
        false
    }

    async fn read(&mut self, _left: usize) -> Result<Option<Bytes>, BrokenBody> {
        if self.left == 0 {
            return Ok(None);
        }
        let piece = if self.preread.is_empty() {
            let most = self.left.min(PIECE);
            let mut piece = BytesMut::with_capacity(most);
            let limit = u64::try_from(most).map_err(|_| BrokenBody)?;
            let read = (&mut *self.connection).take(limit).read_buf(&mut piece).await.map_err(|_| BrokenBody)?;
            if read == 0 {
                return Err(BrokenBody);
            }
            piece
        } else {
            self.preread.split_to(self.left.min(self.preread.len()))
        };
        self.left -= piece.len();
        Ok(Some(piece.freeze()))
    }
}
