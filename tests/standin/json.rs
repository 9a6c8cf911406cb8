//! JSON whose objects keep the order of their keys, as Frappe's answers do.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

/// A JSON value that is written in the order in which it was built.
#[derive(Clone, Debug)]
pub enum Json {
    /// Anything whose inner order does not matter.
    Leaf(Value),
    /// An object, in order.
    Map(Vec<(String, Json)>),
    /// A list.
    List(Vec<Json>),
}

impl Json {
    /// The compact text, as Frappe writes it.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("JSON can be written")
    }

    /// An object from its pairs.
    pub fn map<const N: usize>(pairs: [(&str, Json); N]) -> Self {
        Self::Map(pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// The object with one more pair at its end; anything else is left alone.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Json>) -> Self {
        if let Self::Map(pairs) = &mut self {
            pairs.push((key.to_owned(), value.into()));
        }
        self
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Leaf(value) => value.serialize(serializer),
            Self::List(items) => items.serialize(serializer),
            Self::Map(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                for (key, value) in pairs {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<T: Into<Value>> From<T> for Json {
    fn from(value: T) -> Self {
        Self::Leaf(value.into())
    }
}
