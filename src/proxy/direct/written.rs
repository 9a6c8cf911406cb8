//! The heads of answers, as bytes.

use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, DATE},
};
use pingora::protocols::http::date::get_cached_date;

use super::{answer::Answer, body::Body};
use crate::http1::{self, FieldLines, Fields, FieldsMut};

/// The head of an upstream's answer, as the peer gets it.
pub(super) fn passed_head(mut fields: FieldLines<'_>, answer: &Answer, head: &[u8], persists: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len() + 256);
    status_line(&mut out, answer.status, answer.reason(head));
    let chunked = matches!(answer.body, Body::Chunked(_) | Body::UntilClose);
    fields.remove_hop_by_hop();
    if let Some(length) = answer.repeated_length {
        // There is room: several lines are taken out for it.
        let _ = fields.set(CONTENT_LENGTH, HeaderValue::from(length));
    }
    fields.write(&mut out);
    if chunked {
        field(&mut out, "transfer-encoding", b"chunked");
    }
    if !fields.has(&DATE) {
        field(&mut out, "date", get_cached_date().as_bytes());
    }
    end(&mut out, persists);
    out
}

/// Begins a head.
pub(super) fn status_line(out: &mut Vec<u8>, status: StatusCode, reason: &[u8]) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

/// Ends a head, and tells the peer whether the connection goes on.
pub(super) fn end(out: &mut Vec<u8>, persists: bool) {
    let option: &[u8] = if persists { b"keep-alive" } else { b"close" };
    field(out, "connection", option);
    out.extend_from_slice(b"\r\n");
}

/// One field line.
pub(super) fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    http1::write_line(out, name.as_bytes(), value);
}
