//! As what ERPNext reads a body: werkzeug goes by the content type alone.

/// As what a body is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// `application/x-www-form-urlencoded`
    Form,
    /// `application/json`, `application/anything+json`
    Json,
    /// `multipart/form-data` with this boundary.
    Multipart(Vec<u8>),
    /// No parameters are taken from it.
    Other,
}

/// The content type could be read in two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadContentType;

impl BodyKind {
    /// The kind of a body with these content types.
    ///
    /// # Errors
    /// [`BadContentType`] for several of them, and for a boundary that two parsers could take for different ones.
    pub fn of<'h>(content_types: impl IntoIterator<Item = &'h [u8]>) -> Result<Self, BadContentType> {
        let mut content_types = content_types.into_iter();
        match (content_types.next(), content_types.next()) {
            (None, _) => Ok(Self::Other),
            (Some(content_type), None) => Self::of_one(content_type),
            (Some(_), Some(_)) => Err(BadContentType),
        }
    }

    fn of_one(content_type: &[u8]) -> Result<Self, BadContentType> {
        let (media, parameters) = match content_type.iter().position(|byte| *byte == b';') {
            Some(at) => content_type.split_at(at),
            None => (content_type, &[][..]),
        };
        let media = trimmed(media).to_ascii_lowercase();
        match media.as_slice() {
            b"application/x-www-form-urlencoded" => Ok(Self::Form),
            b"multipart/form-data" => boundary(parameters).map(|found| found.map_or(Self::Other, Self::Multipart)),
            b"application/json" => Ok(Self::Json),
            _ if media.starts_with(b"application/") && media.ends_with(b"+json") => Ok(Self::Json),
            _ => Ok(Self::Other),
        }
    }
}

/// Without what Python strips from a header that it has read as Latin-1, and somewhat more.
fn trimmed(mut text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| !byte.is_ascii_graphic();
    while let Some((_, rest)) = text.split_first().filter(|(first, _)| blank(first)) {
        text = rest;
    }
    while let Some((_, rest)) = text.split_last().filter(|(last, _)| blank(last)) {
        text = rest;
    }
    text
}

/// The one boundary; `None` when there is no word of one, so that ERPNext finds no fields.
fn boundary(parameters: &[u8]) -> Result<Option<Vec<u8>>, BadContentType> {
    if !parameters.to_ascii_lowercase().windows(8).any(|window| window == b"boundary") {
        return Ok(None);
    }
    let text = std::str::from_utf8(parameters).map_err(|_| BadContentType)?;
    let mut boundary = None;
    for parameter in text.split(';').map(str::trim).filter(|parameter| !parameter.is_empty()) {
        let (key, value) = parameter.split_once('=').ok_or(BadContentType)?;
        let value = match value.strip_prefix('"') {
            Some(quoted) => quoted.strip_suffix('"').filter(|text| text.bytes().all(is_quotable)),
            None => Some(value).filter(|text| text.bytes().all(is_token)),
        };
        let value = value.filter(|text| !text.is_empty()).ok_or(BadContentType)?;
        let sound = !key.is_empty() && key.bytes().all(|byte| is_token(byte) && byte != b'*');
        let again = key.eq_ignore_ascii_case("boundary") && boundary.replace(value).is_some();
        if !sound || again {
            return Err(BadContentType);
        }
    }
    boundary.map(|boundary| Some(boundary.as_bytes().to_vec())).ok_or(BadContentType)
}

/// What a token is made of (RFC 9110 §5.6.2).
pub(super) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.')
        || matches!(byte, b'^' | b'`' | b'|' | b'~')
}

/// What stands between quotation marks for itself: no escapes, and no `%`, which werkzeug may decode.
const fn is_quotable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'%' | b';')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(content_type: &str) -> Result<BodyKind, BadContentType> {
        BodyKind::of([content_type.as_bytes()])
    }

    #[test]
    fn the_media_type_decides_in_any_case_and_with_any_parameters() {
        for (content_type, expected) in [
            ("application/x-www-form-urlencoded", BodyKind::Form),
            (" Application/X-WWW-Form-urlencoded ; charset=utf-8", BodyKind::Form),
            ("application/json", BodyKind::Json),
            ("application/json;charset=x", BodyKind::Json),
            ("application/vnd.api+json", BodyKind::Json),
            ("APPLICATION/PROBLEM+JSON; a", BodyKind::Json),
            ("text/json", BodyKind::Other),
            ("text/plain; x=application/json", BodyKind::Other),
            ("multipart/form-data; boundary=ab-c_1", BodyKind::Multipart(b"ab-c_1".to_vec())),
            ("Multipart/Form-Data; charset=utf-8; Boundary=\"a b:=\"", BodyKind::Multipart(b"a b:=".to_vec())),
            ("multipart/form-data", BodyKind::Other),
            ("multipart/mixed; boundary=x", BodyKind::Other),
        ] {
            assert_eq!(kind(content_type), Ok(expected), "{content_type}");
        }
        assert_eq!(BodyKind::of([]), Ok(BodyKind::Other));
    }

    #[test]
    fn a_boundary_that_can_be_read_in_two_ways_is_refused() {
        for content_type in [
            "multipart/form-data; boundary=a=b",
            "multipart/form-data; boundary=a; boundary=b",
            "multipart/form-data; boundary*=utf-8''a",
            "multipart/form-data; boundary*0=a",
            "multipart/form-data; boundary =a",
            "multipart/form-data; boundary=\"a\\\"b\"",
            "multipart/form-data; boundary=\"a%22b\"",
            "multipart/form-data; boundary=\"a;b\"",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"\"",
            "multipart/form-data; boundary=\u{e9}",
            "multipart/form-data; x=boundary",
        ] {
            assert_eq!(kind(content_type), Err(BadContentType), "{content_type}");
        }
        let two = ["application/json".as_bytes(), "text/plain".as_bytes()];
        assert_eq!(BodyKind::of(two), Err(BadContentType));
    }
}
