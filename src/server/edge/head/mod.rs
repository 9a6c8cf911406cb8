//! The strict reading of an HTTP/1 request head: bytes in, facts or a refusal out, nothing else.
//!
//! Whatever two parsers could read in two ways is refused here (RFC 9112 §11.2), so that the parser behind this one and
//! the upstream behind that can't disagree about where a request begins, ends or goes.

mod lines;
mod reason;

use std::ops::Range;

use memchr::memchr_iter;

use self::lines::{Lines, field};
pub use self::reason::HeadRefusal;
use crate::{
    http1::{FieldLine, MAX_FIELDS},
    proxy::Head,
};

const MAX_METHOD: usize = 32;
/// Few requests have more.
const USUAL_FIELDS: usize = 16;

/// What the connection loop must know about a head that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadFacts {
    /// Where in the head the method is.
    pub method: Range<usize>,
    /// Where in the head the request target is.
    pub target: Range<usize>,
    /// How the body ends.
    pub framing: Framing,
    /// The client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// A websocket handshake: what follows may stop being HTTP.
    pub websocket: bool,
    /// What must be changed before the head goes further, in its order.
    pub edits: Vec<Edit>,
    /// Where its field lines are.
    pub lines: Vec<FieldLine>,
    /// The client speaks HTTP/1.1 and means to go on after this request (RFC 9112 §9.3).
    pub persists: bool,
    /// The client speaks HTTP/1.1, and its connection has no options but to go on or not.
    pub is_usual: bool,
}

impl HeadFacts {
    /// The head for forwarding, from the front of `buffer`; `None` where the request wants something special.
    #[must_use]
    pub fn head<'h>(&'h self, buffer: &'h [u8], may_persist: bool) -> Option<Head<'h>> {
        let Framing::Length(body) = self.framing else { return None };
        if !self.is_usual || self.websocket || !self.edits.is_empty() {
            return None;
        }
        let text = |range: &Range<usize>| buffer.get(range.clone()).unwrap_or_default();
        Some(Head {
            body,
            bytes: buffer,
            method: text(&self.method),
            target: text(&self.target),
            lines: &self.lines,
            persists: may_persist && self.persists,
        })
    }
}

/// A change to the head: a field line that the gateway answers itself or doesn't support is taken out, a byte of the
/// target that isn't legal in a URI, but that clients send and servers take, is encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced.
    pub range: Range<usize>,
    /// By what.
    pub with: &'static str,
}

impl Edit {
    fn drop_line(range: Range<usize>) -> Self {
        Self { range, with: "" }
    }
}

/// How the body of a request ends (RFC 9112 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// After this many bytes; 0: there is no body.
    Length(u64),
    /// With the last chunk.
    Chunked,
}

/// How far a head has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// Its end isn't there yet.
    Incomplete,
    /// It is this many bytes long, its blank line included.
    Complete(usize),
    /// A line ended in a bare LF: no need to wait for more.
    BareLineEnd,
}

/// Looks for the end of the head in `buffer`, from `*scanned` on, and moves that forward.
#[must_use]
pub fn arrival(buffer: &[u8], scanned: &mut usize) -> Arrival {
    let fresh = buffer.get(*scanned..).unwrap_or_default();
    for offset in memchr_iter(b'\n', fresh) {
        let end = *scanned + offset + 1;
        let head = buffer.get(..end).unwrap_or_default();
        if !head.ends_with(b"\r\n") {
            return Arrival::BareLineEnd;
        }
        if head.ends_with(b"\r\n\r\n") {
            return Arrival::Complete(end);
        }
    }
    *scanned = buffer.len();
    Arrival::Incomplete
}

/// Checks a whole head, from the method to its blank line.
///
/// # Errors
/// The first rule that it breaks.
pub fn check(head: &[u8]) -> Result<HeadFacts, HeadRefusal> {
    let mut lines = Lines::of(head);
    let request_line = lines.next_line()?;
    let (method, target, version) = request_line_parts(head, request_line)?;
    let edits = escapes(head, target.clone());
    let mut seen = Fields { edits, lines: Vec::with_capacity(USUAL_FIELDS), ..Fields::default() };
    loop {
        let start = lines.at();
        let line = lines.next_line()?;
        if line.is_empty() {
            break;
        }
        if seen.lines.len() == MAX_FIELDS {
            return Err(HeadRefusal::TooLarge);
        }
        let (name, value) = field(head, line)?;
        seen.lines.push(FieldLine::new(&name, &value));
        let text = |range: Range<usize>| head.get(range).unwrap_or_default();
        seen.take(text(name), text(value), start..lines.at())?;
    }
    if lines.at() != head.len() {
        return Err(HeadRefusal::BareLineEnd);
    }
    seen.facts(method, target, version)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

type RequestLine = (Range<usize>, Range<usize>, Version);

fn request_line_parts(head: &[u8], line: Range<usize>) -> Result<RequestLine, HeadRefusal> {
    let start = line.start;
    let mut parts = head.get(line).unwrap_or_default().split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(HeadRefusal::RequestLine);
    };
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        _ => return Err(HeadRefusal::Version),
    };
    check_method(method)?;
    check_target(target)?;
    let target_start = start + method.len() + 1;
    Ok((start..start + method.len(), target_start..target_start + target.len(), version))
}

/// Methods are case-sensitive, and no registered one has another character: `get` is a trick or a mistake.
pub(super) fn check_method(method: &[u8]) -> Result<(), HeadRefusal> {
    if method.is_empty() || method.len() > MAX_METHOD || !method.iter().all(|b| b.is_ascii_uppercase() || *b == b'-') {
        return Err(HeadRefusal::RequestLine);
    }
    if matches!(method, b"CONNECT" | b"TRACE") { Err(HeadRefusal::Method) } else { Ok(()) }
}

/// Origin-form only: an absolute-form target would name a second host, and `*` has no path to decide on.
pub(super) fn check_target(target: &[u8]) -> Result<(), HeadRefusal> {
    let is_legal = target.first() == Some(&b'/') && target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#');
    if is_legal { Ok(()) } else { Err(HeadRefusal::Target) }
}

/// Frappe's users write `?filters=[["name","=","x"]]` as it is. The decoded target is the same.
fn escapes(head: &[u8], target: Range<usize>) -> Vec<Edit> {
    let start = target.start;
    let bytes = head.get(target).unwrap_or_default().iter().enumerate();
    bytes
        .filter_map(|(at, byte)| {
            let with = match byte {
                b'"' => "%22",
                b'<' => "%3C",
                b'>' => "%3E",
                b'`' => "%60",
                _ => return None,
            };
            Some(Edit { range: start + at..start + at + 1, with })
        })
        .collect()
}

/// What the fields that matter here said.
#[derive(Default)]
struct Fields {
    host: bool,
    length: Option<u64>,
    chunked: bool,
    expects_continue: bool,
    connection_upgrade: bool,
    websocket: Vec<Range<usize>>,
    close: bool,
    nominates: bool,
    edits: Vec<Edit>,
    lines: Vec<FieldLine>,
}

impl Fields {
    fn take(&mut self, name: &[u8], value: &[u8], line: Range<usize>) -> Result<(), HeadRefusal> {
        // Few names have a length that matters.
        if !matches!(name.len(), 4 | 6 | 7 | 10 | 14 | 17) {
            return Ok(());
        }
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("host") {
            if std::mem::replace(&mut self.host, true) || !is_host(value) {
                return Err(HeadRefusal::Host);
            }
        } else if is("content-length") {
            let length = content_length(value).ok_or(HeadRefusal::ContentLength)?;
            if self.length.replace(length).is_some() {
                return Err(HeadRefusal::ContentLength);
            }
        } else if is("transfer-encoding") {
            if std::mem::replace(&mut self.chunked, true) || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(HeadRefusal::TransferEncoding);
            }
        } else if is("connection") {
            self.connection(value)?;
        } else if is("expect") {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(HeadRefusal::Expectation);
            }
            self.expects_continue = true;
            self.edits.push(Edit::drop_line(line));
        } else if is("upgrade") {
            // Anything but a websocket (h2c above all) is answered as if it had not been asked for.
            if value.eq_ignore_ascii_case(b"websocket") {
                self.websocket.push(line);
            } else {
                self.edits.push(Edit::drop_line(line));
            }
        } else if is("http2-settings") {
            self.edits.push(Edit::drop_line(line));
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) -> Result<(), HeadRefusal> {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            let is = |other: &str| option.eq_ignore_ascii_case(other.as_bytes());
            // A field named here is removed on the way: never one that says where the request goes or ends.
            if is("host") || is("content-length") || is("transfer-encoding") {
                return Err(HeadRefusal::Connection);
            }
            self.connection_upgrade |= is("upgrade");
            self.close |= is("close");
            self.nominates |= !(option.is_empty() || is("close") || is("keep-alive"));
        }
        Ok(())
    }

    fn facts(mut self, method: Range<usize>, target: Range<usize>, version: Version) -> Result<HeadFacts, HeadRefusal> {
        let framing = match (self.length, self.chunked) {
            (Some(_), true) => return Err(HeadRefusal::ContentLength),
            (None, true) if version == Version::Http10 => return Err(HeadRefusal::TransferEncoding),
            (None, true) => Framing::Chunked,
            (length, false) => Framing::Length(length.unwrap_or(0)),
        };
        if version == Version::Http11 && !self.host {
            return Err(HeadRefusal::Host);
        }
        let websocket = version == Version::Http11
            && self.connection_upgrade
            && self.websocket.len() == 1
            && framing == Framing::Length(0);
        if !websocket {
            self.edits.extend(self.websocket.drain(..).map(Edit::drop_line));
            self.edits.sort_by_key(|edit| edit.range.start);
        }
        let expects_continue = self.expects_continue && version == Version::Http11 && framing != Framing::Length(0);
        let http11 = version == Version::Http11;
        Ok(HeadFacts {
            method,
            target,
            framing,
            expects_continue,
            websocket,
            edits: self.edits,
            lines: self.lines,
            persists: http11 && !self.close,
            is_usual: http11 && !self.nominates,
        })
    }
}

/// Digits only: no sign, no list, nothing that overflows.
pub(super) fn content_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// `host [":" port]` with a registered name, an IPv4 address or an IPv6 address in brackets.
pub(super) fn is_host(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    let (host_is_well_formed, rest) =
        if let Some((address, rest)) = text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            (address.parse::<std::net::Ipv6Addr>().is_ok(), rest)
        } else {
            let (host, rest) = text.find(':').map_or((text, ""), |colon| text.split_at(colon));
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            (!host.is_empty() && host.bytes().all(allowed), rest)
        };
    let port_is_well_formed = rest.is_empty()
        || rest
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok());
    host_is_well_formed && port_is_well_formed
}

#[cfg(test)]
mod tests;
