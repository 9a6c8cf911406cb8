//! Reads a request head the way gunicorn does, strictly where smuggling would start.

use percent_encoding::percent_decode_str;

/// A request line and its fields.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// As sent.
    pub method: String,
    /// As sent.
    pub target: String,
    /// `HTTP/1.0` has 0, `HTTP/1.1` has 1.
    pub minor: u8,
    /// In order, the names as sent, the values trimmed.
    pub fields: Vec<(String, String)>,
}

/// Where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`; 0 where the request has no body.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

/// One character for each byte: nothing of what was received gets lost.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The fields of a raw head, as well as they can be read.
pub fn fields(raw: &[u8]) -> Vec<(String, String)> {
    let text = latin1(raw);
    let lines = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// Reads a complete head.
///
/// # Errors
///
/// Says what is wrong with it; such a request is answered 400 and the connection closed.
pub fn parse(raw: &[u8]) -> Result<Head, String> {
    let text = latin1(raw);
    let text = text.strip_suffix("\r\n\r\n").ok_or("no empty line")?;
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, target, version] = parts[..] else {
        return Err(format!("request line: {line:?}"));
    };
    let minor = match version {
        "HTTP/1.1" => 1,
        "HTTP/1.0" => 0,
        _ => return Err(format!("version: {version:?}")),
    };
    if method.is_empty() || target.is_empty() || target.contains(|c: char| c.is_ascii_control()) {
        return Err(format!("request line: {line:?}"));
    }
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("field: {line:?}"))?;
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) || value.contains(['\r', '\n', '\0']) {
            return Err(format!("field: {line:?}"));
        }
    }
    Ok(Head { method: method.to_owned(), target: target.to_owned(), minor, fields: fields(raw) })
}

impl Head {
    /// The first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// How the body is framed.
    ///
    /// # Errors
    ///
    /// Both framings, two lengths, a length that is no number, a coding other than `chunked`.
    pub fn framing(&self) -> Result<Framing, String> {
        let mut length = None;
        let mut chunked = false;
        for (name, value) in &self.fields {
            if name.eq_ignore_ascii_case("content-length") {
                if length.is_some() || value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(format!("Content-Length: {value:?}"));
                }
                length = Some(value.parse().map_err(|_| "Content-Length: too large")?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                if chunked || !value.eq_ignore_ascii_case("chunked") || self.minor == 0 {
                    return Err(format!("Transfer-Encoding: {value:?}"));
                }
                chunked = true;
            }
        }
        match (chunked, length) {
            (true, Some(_)) => Err("Content-Length and Transfer-Encoding".to_owned()),
            (true, None) => Ok(Framing::Chunked),
            (false, length) => Ok(Framing::Length(length.unwrap_or(0))),
        }
    }

    /// Whether the connection stays open after the answer.
    pub fn keeps_alive(&self) -> bool {
        let says = |word: &str| {
            self.field("connection")
                .is_some_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
        };
        if self.minor == 0 { says("keep-alive") } else { !says("close") }
    }

    /// Path and query of the target: no scheme and authority, no fragment, nothing decoded.
    pub fn path_and_query(&self) -> (String, String) {
        let mut target = self.target.as_str();
        if let Some(rest) = target.split_once("://").filter(|(scheme, _)| !scheme.contains('/')) {
            target = rest.1.find('/').map_or("/", |start| &rest.1[start..]);
        }
        let target = target.split('#').next().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        (path.to_owned(), query.to_owned())
    }

    /// The path as werkzeug sees it: decoded once, leading slashes collapsed, nothing else.
    pub fn decoded_path(&self) -> String {
        let path = self.path_and_query().0;
        let decoded = percent_decode_str(&path).decode_utf8_lossy().into_owned();
        format!("/{}", decoded.trim_start_matches('/'))
    }
}
