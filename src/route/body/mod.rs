//! What a request's body says that the gateway must know before ERPNext has it whole (decision 7), and the parameters that
//! rules ask for. The scan works on a stream, in constant memory; [`Fields`] on a body that is held.
//!
//! ERPNext takes its parameters from a JSON object, or from a form and the query together; werkzeug and Python's `json`
//! read them, so their reading counts here.

mod calm;
mod disposition;
mod fields;
mod keys;
mod kind;
mod multipart;
mod reserved;
#[cfg(test)]
mod tests;

pub(in crate::route) use fields::{Document, LOGIN_NAME};
pub use fields::{Fields, Unreadable};
pub use kind::{BadContentType, BodyKind};

use self::{
    calm::calm,
    keys::{FormKeys, JsonKeys, Word},
    multipart::Multipart,
    reserved::ReservedScan,
};

/// The name of a login session's field.
const SESSION: &str = "sid";
/// The field that names the method which ERPNext runs whatever the path says.
const CALL: &str = "cmd";
/// The field by which a file upload names the method that takes it.
const METHOD: &str = "method";

/// A scan of one body.
#[derive(Clone, Debug, Default)]
pub struct BodyScan {
    reserved: ReservedScan,
    names: Names,
    seen: Seen,
    guarded: Seen,
}

/// Which fields that choose a method there are, or are not to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// `cmd`
    pub call: bool,
    /// `method`
    pub method: bool,
}

/// Why a body must not reach ERPNext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A value names a method of ERPNext's own OAuth.
    ReservedValue,
    /// A field is a login session's.
    Session,
    /// A field chooses a method where that is guarded against.
    Call,
    /// A multipart form that could be read in two ways.
    Malformed,
}

#[derive(Clone, Debug, Default)]
enum Names {
    #[default]
    None,
    Form(FormKeys),
    Json(JsonKeys),
    Multipart(Box<Multipart>),
}

impl BodyScan {
    /// A scan of a body of this kind.
    #[must_use]
    pub fn new(kind: &BodyKind) -> Self {
        let names = match kind {
            BodyKind::Form => Names::Form(FormKeys::default()),
            BodyKind::Json => Names::Json(JsonKeys::default()),
            BodyKind::Multipart(boundary) => Names::Multipart(Box::new(Multipart::new(boundary))),
            BodyKind::Other => Names::None,
        };
        Self { names, ..Self::default() }
    }

    /// From here on these fields are refused, too: they can't be judged as they stream by.
    #[must_use]
    pub fn guarded(self, guarded: Seen) -> Self {
        let call = self.guarded.call || guarded.call;
        Self { guarded: Seen { call, method: self.guarded.method || guarded.method }, ..self }
    }

    /// Takes the next piece of the body.
    ///
    /// # Errors
    /// [`Found`] when it completes something that must not pass.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Found> {
        let mut rest = piece;
        loop {
            if self.is_at_rest() {
                (_, rest) = rest.split_at(calm(rest));
            }
            let Some((byte, after)) = rest.split_first() else { return Ok(()) };
            self.push_byte(*byte)?;
            rest = after;
        }
    }

    fn push_byte(&mut self, byte: u8) -> Result<(), Found> {
        self.reserved.push(byte).map_err(|_| Found::ReservedValue)?;
        let word = match &mut self.names {
            Names::None => None,
            Names::Form(keys) => keys.push(byte),
            Names::Json(keys) => keys.push(byte),
            Names::Multipart(multipart) => {
                let part = multipart.push(byte).map_err(|_| Found::Malformed)?;
                part.map(|part| part.name.bytes().fold(Word::default(), Word::with))
            }
        };
        word.map_or(Ok(()), |word| self.take(&word))
    }

    /// Whether what [`calm`] passes over would change nothing.
    fn is_at_rest(&self) -> bool {
        let names = match &self.names {
            Names::None => true,
            Names::Form(keys) => keys.are_at_rest(),
            Names::Json(keys) => keys.are_at_rest(),
            Names::Multipart(multipart) => multipart.is_at_rest(),
        };
        names && self.reserved.is_at_rest()
    }

    /// The body has ended.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn finish(&mut self) -> Result<(), Found> {
        match &mut self.names {
            Names::Form(keys) => keys.finish().map_or(Ok(()), |word| self.take(&word)),
            Names::None | Names::Json(_) | Names::Multipart(_) => Ok(()),
        }
    }

    /// Whether what came last may be the beginning of something that must not pass: it should wait.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        let open = match &self.names {
            Names::Form(keys) => keys.open(),
            Names::Json(keys) => keys.open(),
            Names::Multipart(multipart) if multipart.in_head() => return true,
            Names::None | Names::Multipart(_) => None,
        };
        self.reserved.is_undecided() || open.is_some_and(|word| word.begins(SESSION) || word.begins(CALL))
    }

    /// The fields that choose a method, among those that came by.
    #[must_use]
    pub const fn seen(&self) -> Seen {
        self.seen
    }

    fn take(&mut self, word: &Word) -> Result<(), Found> {
        if word.is(SESSION) {
            return Err(Found::Session);
        }
        self.seen.call |= word.is(CALL);
        self.seen.method |= word.is(METHOD);
        let guarded = (self.guarded.call && self.seen.call) || (self.guarded.method && self.seen.method);
        if guarded { Err(Found::Call) } else { Ok(()) }
    }
}
