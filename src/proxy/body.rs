//! Request bodies on their way up, looked through for what must not reach ERPNext (decision 7). One of known length is held
//! up to a bound and judged before anything goes upstream; any other as it streams by, and what may be part of a match
//! waits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use pingora::{Error, ErrorType};
use tokio::time::{Instant, timeout_at};

use super::{
    admission::Applying,
    refuse::{BodyRefusal, Refused},
    room::{Place, Room},
};
use crate::{
    endpoints::LoginName,
    http1::Fields as _,
    route::{BodyKind, BodyScan, Fields, Found, Seen},
};

/// A body of known length up to this is held.
pub(super) const HELD_BODY: usize = 1024 * 1024;
/// In this time a body that is held must have arrived, and a second more for each KiB of it.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

const RESERVED_VALUE: ErrorType = ErrorType::new("ReservedValueInBody");
const SESSION: ErrorType = ErrorType::new("SessionInBody");
/// A method is asked for that may not be asked for in a body that streams by.
pub(super) const CALL: ErrorType = ErrorType::new("CallInBody");
const MALFORMED: ErrorType = ErrorType::new("MalformedBody");

/// What a request says of its body before it comes.
#[derive(Debug)]
pub(super) struct BodyHead {
    /// As what ERPNext reads it.
    pub(super) kind: BodyKind,
    length: Option<usize>,
    /// Whether its path or query asks for a login.
    pub(super) may_log_in: bool,
    /// Where it is to be held; `None` where it is not, or is already.
    place: Option<Place>,
    held: bool,
}

/// A body that is looked through.
#[derive(Debug, Default)]
pub struct BodyWatch {
    scan: BodyScan,
    waiting: BytesMut,
    /// The whole body, read and judged before.
    held: Option<Bytes>,
    /// Whether the held body may ask for a login with a password.
    logs_in: bool,
    /// The name that a held body has for a login.
    login: Option<LoginName>,
    /// Of all the memory for held bodies, this one's.
    place: Option<Place>,
}

impl BodyHead {
    /// That of a request; `None` where there is no body. Without room a body is judged as it streams by.
    pub(super) fn of(request: &mut impl Applying, room: &Room) -> Result<Option<Self>, Refused> {
        if !request.has_body() {
            return Ok(None);
        }
        let announced = request.fields().each(&CONTENT_LENGTH).next();
        let length = announced.and_then(|length| std::str::from_utf8(length).ok()?.parse::<usize>().ok());
        if length == Some(0) {
            return Ok(None);
        }
        // What asks for an upgrade is not held: if the upstream agrees, what comes is no body.
        let length = length.filter(|_| !request.upgrades());
        let kind =
            BodyKind::of(request.fields().each(&CONTENT_TYPE)).map_err(|_| Refused::Body(BodyRefusal::Unreadable))?;
        let place = length.filter(|length| *length <= HELD_BODY).and_then(|length| room.place_for(length));
        Ok(Some(Self { kind, length, may_log_in: false, held: place.is_some(), place }))
    }

    /// Whether it is held, and judged before anything goes upstream.
    pub(super) const fn is_held(&self) -> bool {
        self.held
    }

    /// Why it can't be judged as a whole.
    pub(super) const fn not_held(&self) -> Refused {
        match self.length {
            None => Refused::Body(BodyRefusal::NoLength),
            Some(length) if length > HELD_BODY => Refused::Body(BodyRefusal::TooLarge),
            // There is room again later.
            Some(_) => Refused::Internal,
        }
    }
}

impl BodyWatch {
    /// One for a body of this kind.
    pub(super) fn new(kind: &BodyKind) -> Self {
        Self { scan: BodyScan::new(kind), ..Self::default() }
    }

    /// These fields end the request, since they can't be judged as they stream by.
    pub(super) fn guard(&mut self, fields: Seen) {
        self.scan = std::mem::take(&mut self.scan).guarded(fields);
    }

    /// The fields that choose a method, among those that came by.
    pub(super) const fn seen(&self) -> Seen {
        self.scan.seen()
    }

    /// Whether it may ask for a login with a password: what streams by does with any method.
    pub(super) const fn may_log_in(&self) -> bool {
        if self.held.is_some() { self.logs_in } else { self.seen().call }
    }

    /// The name that a held body has for a login.
    pub(super) fn login(&self) -> Option<LoginName> {
        self.login.clone()
    }

    /// The whole body, where it is held.
    pub(super) fn whole(&self) -> Option<Bytes> {
        self.held.clone()
    }

    /// The parameters of a body that is held.
    pub(super) fn fields(&self, kind: &BodyKind) -> Result<Fields, Refused> {
        let body = self.held.as_deref().unwrap_or_default();
        Fields::parse(kind, body).map_err(|_| Refused::Body(BodyRefusal::Unreadable))
    }

    /// Reads and judges a body that is held.
    pub(super) async fn hold(&mut self, request: &mut impl Applying, head: &mut BodyHead) -> Result<(), Refused> {
        let (Some(length), Some(mut place)) = (head.length, head.place.take()) else { return Err(Refused::Internal) };
        let seconds = u64::try_from(length / 1024).unwrap_or_default();
        let deadline = Instant::now() + BODY_TIMEOUT + Duration::from_secs(seconds);
        let mut body = BytesMut::new();
        loop {
            let read = timeout_at(deadline, request.read(length.saturating_sub(body.len())));
            let piece = read.await.map_err(|_| Refused::BodyTooSlow)?.map_err(|_| Refused::BodyBroken)?;
            let Some(piece) = piece else { break };
            self.scan.push(&piece).map_err(refused)?;
            if !place.grow(piece.len()) {
                return Err(Refused::Internal);
            }
            body.extend_from_slice(&piece);
        }
        self.scan.finish().map_err(refused)?;
        let may_log_in = head.may_log_in || self.seen().call;
        match may_log_in.then(|| Fields::parse(&head.kind, &body)) {
            Some(Ok(fields)) => {
                self.logs_in = fields.logs_in();
                self.login = fields.login_name().map(LoginName::new);
            }
            // Python may read what we can't.
            Some(Err(_)) => self.logs_in = self.seen().call,
            None => {}
        }
        self.held = Some(body.freeze());
        self.place = Some(place);
        Ok(())
    }

    /// Passes on the next piece, but for what may be part of a match.
    ///
    /// # Errors
    /// When something must not pass: the request ends there, and ERPNext never gets it whole.
    pub(super) fn pass(&mut self, body: &mut Option<Bytes>, ends: bool) -> pingora::Result<()> {
        if let Some(held) = &self.held {
            *body = Some(if ends { held.clone() } else { Bytes::new() });
            return Ok(());
        }
        let piece = body.take();
        if let Some(piece) = &piece {
            self.scan.push(piece).map_err(|found| Error::new(kind_of(found)))?;
        }
        if ends {
            self.scan.finish().map_err(|found| Error::new(kind_of(found)))?;
        }
        let waits = !ends && self.scan.is_undecided();
        *body = if waits || !self.waiting.is_empty() {
            self.waiting.extend_from_slice(piece.as_deref().unwrap_or_default());
            Some(if waits { Bytes::new() } else { self.waiting.split().freeze() })
        } else {
            piece
        };
        Ok(())
    }
}

fn refused(found: Found) -> Refused {
    match found {
        Found::ReservedValue => Refused::ReservedValue,
        Found::Session => Refused::Body(BodyRefusal::Session),
        Found::Call => Refused::Body(BodyRefusal::Call),
        Found::Malformed => Refused::Body(BodyRefusal::Unreadable),
    }
}

const fn kind_of(found: Found) -> ErrorType {
    match found {
        Found::ReservedValue => RESERVED_VALUE,
        Found::Session => SESSION,
        Found::Call => CALL,
        Found::Malformed => MALFORMED,
    }
}

/// What an error of [`BodyWatch::pass`] is to the peer.
pub(super) fn refused_by(error: &Error) -> Option<Refused> {
    let found = [Found::ReservedValue, Found::Session, Found::Call, Found::Malformed];
    found.into_iter().find(|found| *error.etype() == kind_of(*found)).map(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(watch: &mut BodyWatch, piece: Option<&'static str>, ends: bool) -> pingora::Result<Option<Bytes>> {
        let mut body = piece.map(|piece| Bytes::from_static(piece.as_bytes()));
        watch.pass(&mut body, ends).map(|()| body)
    }

    #[test]
    fn what_may_be_part_of_a_match_waits_and_then_goes_on() {
        let mut watch = BodyWatch::default();
        assert_eq!(pass(&mut watch, Some("a=1&cmd=frappe."), false).expect("open"), Some(Bytes::new()));
        let passed = pass(&mut watch, Some("ping"), true).expect("another method");
        assert_eq!(passed, Some(Bytes::from_static(b"a=1&cmd=frappe.ping")));
    }

    #[test]
    fn a_match_over_two_pieces_ends_the_request() {
        let mut watch = BodyWatch::default();
        assert_eq!(pass(&mut watch, Some("cmd=frappe.integrations"), false).expect("open"), Some(Bytes::new()));
        let error = pass(&mut watch, Some(".oauth2.approve"), true).expect_err("a match");
        assert_eq!(refused_by(&error), Some(Refused::ReservedValue));
    }

    #[test]
    fn what_waits_when_the_body_ends_goes_with_the_end() {
        let mut watch = BodyWatch::default();
        let passed = pass(&mut watch, Some("cmd=frappe.integ"), true).expect("no match");
        assert_eq!(passed, Some(Bytes::from_static(b"cmd=frappe.integ")));
        let mut watch = BodyWatch::default();
        assert_eq!(pass(&mut watch, Some("cmd=frappe.integ"), false).expect("open"), Some(Bytes::new()));
        let passed = pass(&mut watch, None, true).expect("no match");
        assert_eq!(passed, Some(Bytes::from_static(b"cmd=frappe.integ")));
    }

    #[test]
    fn a_session_ends_the_request_even_when_the_body_ends_with_it() {
        let mut watch = BodyWatch::new(&BodyKind::Form);
        assert_eq!(pass(&mut watch, Some("a=1&sid"), false).expect("open"), Some(Bytes::new()));
        let error = pass(&mut watch, None, true).expect_err("a session");
        assert_eq!(refused_by(&error), Some(Refused::Body(BodyRefusal::Session)));
    }

    #[test]
    fn a_held_body_takes_the_place_of_what_pingora_has_kept() {
        let mut watch = BodyWatch { held: Some(Bytes::from_static(b"whole")), ..BodyWatch::default() };
        assert_eq!(pass(&mut watch, Some("le"), true).expect("judged"), Some(Bytes::from_static(b"whole")));
        assert_eq!(pass(&mut watch, Some("le"), true).expect("sent again"), Some(Bytes::from_static(b"whole")));
    }
}
