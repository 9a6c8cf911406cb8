//! The heads of one part of a multipart form, read as werkzeug reads them.

use super::kind::is_token;

/// What the heads of a part say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// Its name; empty if it has none.
    pub(super) name: String,
    /// Whether it is a file, and no field of the form.
    pub(super) is_file: bool,
}

/// Reads the heads up to the empty line; `None` for what could be read in two ways.
pub(super) fn head(text: &[u8]) -> Option<Part> {
    let text = std::str::from_utf8(text).ok()?;
    if text.chars().any(|char| char.is_control() && !matches!(char, '\r' | '\n' | '\t')) {
        return None;
    }
    let mut part = None;
    for line in unfolded(text).split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let name = name.trim_ascii_end();
        if name.is_empty() || !name.bytes().all(is_token) {
            return None;
        }
        if name.eq_ignore_ascii_case("content-disposition") && part.replace(disposition(value)?).is_some() {
            return None;
        }
    }
    part
}

/// With each continued line in one.
fn unfolded(text: &str) -> String {
    let mut unfolded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\r', '\n']) {
        let (before, from) = rest.split_at(at);
        unfolded.push_str(before);
        let end = if from.starts_with("\r\n") { 2 } else { 1 };
        let (line_end, after) = from.split_at(end);
        let continued = after.strip_prefix([' ', '\t']);
        unfolded.push_str(if continued.is_some() { " " } else { line_end });
        rest = continued.unwrap_or(after);
    }
    unfolded.push_str(rest);
    unfolded
}

/// `form-data; name="…"; filename="…"`
fn disposition(value: &str) -> Option<Part> {
    let mut part = Part::default();
    let mut named = false;
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest.trim());
    loop {
        if let Some((key, value, after)) = parameter(rest) {
            match key.to_ascii_lowercase().as_str() {
                "name" if named => return None,
                "name" => {
                    named = true;
                    part.name = unquoted(value);
                }
                // RFC 2231: percent-encoded, or in pieces.
                key if key.starts_with("name*") => return None,
                "filename" | "filename*" => part.is_file = true,
                // Some of these are a file's name to werkzeug, to others it is deaf: the part is then a field.
                key if key.starts_with("filename*") => return None,
                _ => {}
            }
            rest = after;
        }
        match rest.split_once(';') {
            Some((_, after)) => rest = after.trim_start(),
            None => return Some(part),
        }
    }
}

/// The parameter that `text` begins with: its name, its value as written, and the rest.
fn parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (key, rest) = text.split_once('=').filter(|(key, _)| !key.is_empty() && key.bytes().all(is_token))?;
    let end = match rest.strip_prefix('"') {
        Some(quoted) => closing(quoted)? + 2,
        None => rest.bytes().take_while(|byte| is_token(*byte)).count(),
    };
    let (value, rest) = rest.split_at_checked(end).filter(|(value, _)| !value.is_empty())?;
    Some((key, value, rest))
}

/// Where the quotation mark is that ends a quoted text.
fn closing(quoted: &str) -> Option<usize> {
    let mut bytes = quoted.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(at),
            b'\\' if matches!(bytes.peek(), Some((_, b'\\' | b'"'))) => {
                bytes.next();
            }
            _ => {}
        }
    }
    None
}

fn unquoted(value: &str) -> String {
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\\", "\\").replace("\\\"", "\"").replace("%22", "\""),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(line: &str) -> Option<(String, bool)> {
        head(format!("{line}\r\n\r\n").as_bytes()).map(|part| (part.name, part.is_file))
    }

    #[test]
    fn the_name_is_read_in_every_writing() {
        for line in [
            "Content-Disposition: form-data; name=\"sid\"",
            "CONTENT-disposition :form-data;name=sid",
            "Content-Disposition: form-data;\r\n name=\"sid\"",
            "Content-Disposition: form-data;\n\tname=sid",
            "Content-Disposition: form-data; NAME=\"sid\"",
            "Content-Disposition: form-data; x; ;name=\"sid\"; y=\"",
            "Content-Disposition: form-data; name=sid junk",
            "X: y\r\n Content-Disposition: z; name=\"other\"\r\nContent-Disposition: x; a=\"b;name=c\"; name=\"sid\"",
        ] {
            assert_eq!(part(line), Some(("sid".to_owned(), false)), "{line}");
        }
        let file = "Content-Disposition: form-data; name=\"a\"; filename=\"C:\\x; name=\\\"b\"";
        assert_eq!(part(file), Some(("a".to_owned(), true)));
        let file = "Content-Disposition: form-data; name=\"a\"; filename*=utf-8''%e2%82%ac";
        assert_eq!(part(file), Some(("a".to_owned(), true)));
        assert_eq!(part("Content-Disposition: form-data"), Some((String::new(), false)));
    }

    #[test]
    fn heads_that_could_be_read_in_two_ways_are_not_read() {
        for line in [
            "Content-Disposition: a; name=x; name=y",
            "Content-Disposition: a; name*=utf-8''x",
            "Content-Disposition: a; name*0=x; name*1=y",
            "Content-Disposition: a; name=x\r\nContent-Disposition: a",
            "Content-Disposition: a; name=\"x\u{1}\"",
            "Content-Disposition\u{a0}: a; name=x",
            "no colon",
            "X: y",
            ": y",
        ] {
            assert_eq!(part(line), None, "{line}");
        }
    }
}
