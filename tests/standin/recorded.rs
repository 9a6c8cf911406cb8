//! What the stand-in keeps of each request.

use percent_encoding::percent_decode_str;

use super::head::{self, latin1};

/// One request as it arrived, byte for byte.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// Counts up over the life of the stand-in.
    pub id: u64,
    /// Which connection it came on, counted from 1: equal numbers are one kept-alive connection.
    pub connection: u64,
    /// Request line and header fields with the empty line, as received.
    pub raw_head: Vec<u8>,
    /// The body without its framing; empty when it was longer than 1 MiB.
    pub body: Vec<u8>,
    /// The body as received, chunk sizes and trailers included; empty when longer than 1 MiB.
    pub raw_body: Vec<u8>,
    /// How many bytes the body has without its framing.
    pub body_length: u64,
    /// SHA-256 of the body without its framing, in hexadecimal.
    pub body_sha256: String,
    /// As sent; empty when the request line never came.
    pub method: String,
    /// The request target as sent, neither decoded nor normalised.
    pub target: String,
    /// Head and body arrived in full and were well-formed.
    pub complete: bool,
    /// Why the bytes are no request, where they are none.
    pub problem: Option<String>,
    /// The status of the answer, once one is known.
    pub status: Option<u16>,
    /// The peer's address, as the socket has it.
    pub peer: String,
    /// The client address that Frappe would believe (leftmost of `X-Forwarded-For`).
    pub client_address: String,
    /// The site that the request chose by `X-Frappe-Site-Name`.
    pub site: Option<String>,
    pub(super) user: String,
}

impl Recorded {
    /// The first field of this name, in any letter case.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers(name).into_iter().next()
    }

    /// All fields of this name, in order.
    pub fn headers(&self, name: &str) -> Vec<String> {
        let fields = self.fields().into_iter();
        fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect()
    }

    /// All fields as sent, in order.
    pub fn fields(&self) -> Vec<(String, String)> {
        head::fields(&self.raw_head)
    }

    /// The path as sent, without the query.
    pub fn path(&self) -> String {
        let end = self.target.find(['?', '#']).unwrap_or(self.target.len());
        self.target[..end].to_owned()
    }

    /// The first query parameter of this name, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The value of the cookie, percent-decoded.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.headers("cookie").iter().flat_map(|line| line.split(';')).find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then(|| percent_decode_str(value).decode_utf8_lossy().into_owned())
        })
    }

    /// Whom the stand-in took the caller for; `Guest` where it knew nobody.
    pub fn user(&self) -> &str {
        if self.user.is_empty() { "Guest" } else { &self.user }
    }

    /// Head and body as one text, to look for a secret in it.
    pub fn text(&self) -> String {
        latin1(&self.raw_head) + &latin1(&self.raw_body)
    }
}
