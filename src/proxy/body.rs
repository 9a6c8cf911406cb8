//! Request bodies on their way up, looked through for methods of ERPNext's own OAuth. A small body of known length is
//! judged before anything goes upstream; any other as it streams by, and what may be part of a match waits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use pingora::{Error, ErrorType, proxy::Session};
use tokio::time::{Instant, timeout_at};

use super::refuse::Refused;
use crate::route::BodyScan;

/// What Pingora can hold and send when the body has been read before the request goes upstream.
const HELD_BODY: usize = 64 * 1024;
/// In this time a body that is held must have arrived.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// A body that streams by.
#[derive(Debug, Default)]
pub struct BodyWatch {
    scan: BodyScan,
    waiting: BytesMut,
    /// The body was read and judged before.
    done: bool,
}

/// Reads and judges a small body of known length. Any other is left to [`BodyWatch::pass`].
pub(super) async fn judge_small(session: &mut Session, watch: &mut BodyWatch) -> Result<(), Refused> {
    let length = session.req_header().headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if !length.is_some_and(|length| (1..=HELD_BODY).contains(&length)) || session.as_downstream().is_upgrade_req() {
        return Ok(());
    }
    session.as_downstream_mut().enable_retry_buffering();
    let deadline = Instant::now() + BODY_TIMEOUT;
    loop {
        let read = timeout_at(deadline, session.as_downstream_mut().read_request_body());
        let piece = read.await.map_err(|_| Refused::BodyTooSlow)?.map_err(|_| Refused::BodyBroken)?;
        let Some(piece) = piece else { break };
        watch.scan.push(&piece).map_err(|_| Refused::ReservedValue)?;
    }
    watch.done = true;
    Ok(())
}

impl BodyWatch {
    /// Passes on the next piece, but for what may be part of a match.
    ///
    /// # Errors
    /// When a value is reserved: the request ends there, and ERPNext never gets it whole.
    pub(super) fn pass(&mut self, body: &mut Option<Bytes>, ends: bool) -> pingora::Result<()> {
        if self.done {
            return Ok(());
        }
        let Some(piece) = body.take() else { return Ok(()) };
        if self.scan.push(&piece).is_err() {
            return Err(Error::explain(ErrorType::HTTPStatus(403), "a value of the body names a reserved method"));
        }
        *body = if self.scan.is_undecided() && !ends {
            self.waiting.extend_from_slice(&piece);
            Some(Bytes::new())
        } else if self.waiting.is_empty() {
            Some(piece)
        } else {
            self.waiting.extend_from_slice(&piece);
            Some(self.waiting.split().freeze())
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(watch: &mut BodyWatch, piece: &'static str, ends: bool) -> pingora::Result<Option<Bytes>> {
        let mut body = Some(Bytes::from_static(piece.as_bytes()));
        watch.pass(&mut body, ends).map(|()| body)
    }

    #[test]
    fn what_may_be_part_of_a_match_waits_and_then_goes_on() {
        let mut watch = BodyWatch::default();
        assert_eq!(pass(&mut watch, "a=1&cmd=frappe.", false).expect("open"), Some(Bytes::new()));
        let passed = pass(&mut watch, "ping", true).expect("another method");
        assert_eq!(passed, Some(Bytes::from_static(b"a=1&cmd=frappe.ping")));
    }

    #[test]
    fn a_match_over_two_pieces_ends_the_request() {
        let mut watch = BodyWatch::default();
        assert_eq!(pass(&mut watch, "cmd=frappe.integrations", false).expect("open"), Some(Bytes::new()));
        assert!(pass(&mut watch, ".oauth2.approve", true).is_err());
    }

    #[test]
    fn what_waits_when_the_body_ends_goes_with_the_end() {
        let mut watch = BodyWatch::default();
        let passed = pass(&mut watch, "cmd=frappe.integ", true).expect("no match");
        assert_eq!(passed, Some(Bytes::from_static(b"cmd=frappe.integ")));
    }
}
