//! The parameters of a body that is held whole.

use serde_json::{Map, Value};

use super::{BodyKind, multipart::Multipart};
use crate::route::{LOGIN_METHOD, Query};

/// The field of a login that names the user.
pub(in crate::route) const LOGIN_NAME: &str = "usr";

/// The parameters that ERPNext takes from a body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    pairs: Vec<(String, Value)>,
    document: Document,
}

/// What the body is where ERPNext reads it as a document, whatever its content type says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::route) enum Document {
    /// It is none.
    #[default]
    None,
    /// This one.
    Object(Map<String, Value>),
    /// It looks like one, and can't be read.
    Unreadable,
}

/// Python may read this body, we can't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

impl Fields {
    /// The parameters of a body of this kind.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn parse(kind: &BodyKind, body: &[u8]) -> Result<Self, Unreadable> {
        let text = |pairs: Vec<(String, String)>| pairs.into_iter().map(|(name, value)| (name, Value::String(value)));
        let mut fields = Self::default();
        match kind {
            BodyKind::Json if body.is_empty() => {}
            BodyKind::Json => match serde_json::from_slice(body).map_err(|_| Unreadable)? {
                Value::Object(object) => {
                    fields.pairs.extend(object.clone());
                    fields.document = Document::Object(object);
                }
                list @ Value::Array(_) => fields.pairs.push(("data".to_owned(), list)),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            },
            BodyKind::Form => {
                let body = std::str::from_utf8(body).map_err(|_| Unreadable)?;
                fields.pairs.extend(text(Query::new(body).owned_pairs()));
                fields.document = Document::of(body.as_bytes());
            }
            BodyKind::Multipart(boundary) => {
                fields.pairs.extend(text(Multipart::fields(boundary, body).map_err(|_| Unreadable)?));
            }
            BodyKind::Other => fields.document = Document::of(body),
        }
        Ok(fields)
    }

    /// Whether they ask for a login with a password.
    #[must_use]
    pub fn logs_in(&self) -> bool {
        self.values("cmd").any(|cmd| cmd.as_str() == Some(LOGIN_METHOD))
    }

    /// The user's name that they have for a login.
    #[must_use]
    pub fn login_name(&self) -> Option<&str> {
        self.values(LOGIN_NAME).find_map(Value::as_str)
    }

    /// The values of this name.
    pub(crate) fn values<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f Value> {
        self.pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value)
    }

    /// The body as a document.
    pub(in crate::route) const fn document(&self) -> &Document {
        &self.document
    }
}

impl Document {
    fn of(body: &[u8]) -> Self {
        if !body.trim_ascii_start().starts_with(b"{") {
            return Self::None;
        }
        serde_json::from_slice(body).map_or(Self::Unreadable, Self::Object)
    }
}
