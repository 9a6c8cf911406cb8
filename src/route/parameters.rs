//! The parameters of a call, as they may reach ERPNext: from the query, a form, or a JSON body. Which of two places counts
//! depends on the body's type; here a parameter that says two things says neither.

use serde_json::{Map, Value};

use super::{
    body::{Document, Fields},
    query::Query,
};

/// The parameters of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameters<'a> {
    pub(super) query: Query<'a>,
    /// Those of the body; `None`: there is none, or it has not been read.
    pub(super) fields: Option<&'a Fields>,
}

/// What a parameter says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Said {
    /// Nothing.
    Nothing,
    /// This, wherever it stands.
    One(Value),
    /// One of these.
    Many(Vec<Value>),
}

impl Said {
    /// All that it may say.
    pub(super) fn values(self) -> Vec<Value> {
        match self {
            Self::Nothing => Vec::new(),
            Self::One(value) => vec![value],
            Self::Many(values) => values,
        }
    }
}

impl Parameters<'_> {
    /// What the parameter of this name says.
    pub(super) fn said(&self, name: &str) -> Said {
        let in_query: Vec<_> = self.query.values(name).map(|value| Value::String(value.into_owned())).collect();
        let in_body: Vec<_> = self.fields.into_iter().flat_map(|fields| fields.values(name)).cloned().collect();
        let repeated = in_query.len() > 1 || in_body.len() > 1;
        let mut values: Vec<_> = in_query.into_iter().chain(in_body).collect();
        if !repeated {
            values.dedup();
        }
        if values.len() > 1 { Said::Many(values) } else { values.pop().map_or(Said::Nothing, Said::One) }
    }

    /// The texts that a parameter may say, but for empty ones.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let text = |value| match value {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => None,
        };
        self.said(name).values().into_iter().filter_map(text).collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.said(name) != Said::Nothing
    }

    /// The members of the document that a write to `/api/resource` takes: those of the parameters, of `data`, and of the
    /// body whatever its type. `Err`: one of them can't be read.
    pub(super) fn documents(&self) -> Result<Vec<Map<String, Value>>, ()> {
        let mut documents = Vec::new();
        let names = ["doctype", "name", "parenttype"];
        let flat =
            names.into_iter().flat_map(|name| self.said(name).values().into_iter().map(move |value| (name, value)));
        documents.extend(flat.map(|(name, value)| Map::from_iter([(name.to_owned(), value)])));
        for data in self.said("data").values() {
            match object(data) {
                Some(Value::Object(object)) => documents.push(object),
                Some(_) => {}
                None => return Err(()),
            }
        }
        match self.fields.map(Fields::document) {
            Some(Document::Object(object)) => documents.push(object.clone()),
            Some(Document::Unreadable) => return Err(()),
            Some(Document::None) | None => {}
        }
        Ok(documents)
    }
}

/// A value that may be written as JSON text. `None`: Python may read it, we can't.
pub(super) fn object(value: Value) -> Option<Value> {
    match value {
        Value::String(text) => {
            let trimmed = text.trim_start();
            if trimmed.starts_with(['{', '[']) { serde_json::from_str(trimmed).ok() } else { Some(Value::String(text)) }
        }
        value => Some(value),
    }
}
