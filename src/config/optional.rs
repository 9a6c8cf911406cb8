//! Keys where the empty text means "none".

use serde::{
    Deserialize, Deserializer,
    de::{Error, IntoDeserializer, value},
};

/// For `#[serde(deserialize_with)]`: the empty text is `None`, any other is taken as a `T`.
pub(super) fn empty_is_none<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    let text: value::StringDeserializer<value::Error> = text.into_deserializer();
    T::deserialize(text).map(Some).map_err(D::Error::custom)
}
