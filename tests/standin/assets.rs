//! One file as bench's nginx serves `/assets` (facts, §12): cached for long, compressed where that is accepted, in parts
//! where they are asked for. It is none of gunicorn's, which has no assets (43), and sets no cookie.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::reply::{Cookies, Reply};
use super::request::Request;

const PATH: &str = "/assets/standin/desk.js";
const ETAG: &str = "\"67413a00-438\"";
/// The same content, compressed.
const GZIPPED: &str = "H4sIAAAAAAAC/0srSiwoSNUrKMovy0xJ1VAvLknMS8nMU9e05koblRqVGpUalcImBQAsmazyOAQAAA==";

/// The content as it is.
pub fn content() -> Vec<u8> {
    b"frappe.provide('standin');\n".repeat(40)
}

/// The content compressed.
pub fn gzipped() -> Vec<u8> {
    STANDARD.decode(GZIPPED).expect("base64")
}

/// The answer, where the path is the file's.
pub fn asset(request: &Request) -> Option<Reply> {
    if request.path != PATH || !["GET", "HEAD"].contains(&request.head.method.as_str()) {
        return None;
    }
    let whole = content();
    let accepts = request.variable("Accept-Encoding").unwrap_or_default();
    let weak = format!("W/{ETAG}");
    let known = request.variable("If-None-Match");
    let dressed = |reply: Reply, etag: &str| {
        reply
            .field("Last-Modified", "Sat, 23 Nov 2024 02:12:16 GMT")
            .field("ETag", etag)
            .field("Cache-Control", "max-age=31536000")
            .field("Vary", "Accept-Encoding")
            .cookies(Cookies::None)
    };
    if known.is_some_and(|known| known == ETAG || known == weak) {
        return Some(dressed(Reply::new(304, "", ""), known.unwrap_or_default()));
    }
    if let Some((from, to)) = request.variable("Range").and_then(range) {
        let part = whole.get(from..=to).unwrap_or_default().to_vec();
        let reply = dressed(Reply::new(206, "application/javascript", part), ETAG);
        return Some(reply.field("Content-Range", &format!("bytes {from}-{to}/{}", whole.len())));
    }
    if accepts.contains("gzip") {
        let reply = Reply::new(200, "application/javascript", gzipped());
        return Some(dressed(reply, &weak).field("Content-Encoding", "gzip"));
    }
    Some(dressed(Reply::new(200, "application/javascript", whole), ETAG).field("Accept-Ranges", "bytes"))
}

/// `bytes=from-to`
fn range(value: &str) -> Option<(usize, usize)> {
    let (from, to) = value.strip_prefix("bytes=")?.split_once('-')?;
    Some((from.parse().ok()?, to.parse().ok()?))
}
