//! What becomes of a body while it streams in: hashed, recorded up to 1 MiB, and kept for Frappe to read.

use sha2::{Digest, Sha256};

use super::multipart::{FilePart, Multipart};
use super::random::encode;

/// Bodies above this are recorded by length and hash only.
pub const RECORDED_LIMIT: usize = 1 << 20;
/// Forms and JSON are read by Frappe up to this size.
const READ_LIMIT: usize = 16 << 20;

/// Takes the pieces of a body.
pub struct BodySink {
    length: u64,
    hash: Sha256,
    recorded: Limited,
    raw: Limited,
    kept: Option<Limited>,
    multipart: Option<Multipart>,
}

/// A body that has arrived, in whole or in part.
#[derive(Debug, Default)]
pub struct Body {
    /// Bytes without framing.
    pub length: u64,
    /// Of the bytes without framing, in hexadecimal.
    pub sha256: String,
    /// As in [`super::Recorded`].
    pub recorded: Vec<u8>,
    /// As in [`super::Recorded`].
    pub raw: Vec<u8>,
    /// What Frappe reads of it: a form or JSON, or any body within the recorded limit.
    pub read: Vec<u8>,
    /// The plain fields of a multipart body.
    pub fields: Vec<(String, String)>,
    /// The files of a multipart body.
    pub files: Vec<FilePart>,
}

impl BodySink {
    /// For a body of this content type.
    pub fn new(content_type: &str) -> Self {
        let kind = content_type.to_ascii_lowercase();
        let read = kind.contains("json") || kind.contains("urlencoded");
        Self {
            length: 0,
            hash: Sha256::new(),
            recorded: Limited::new(RECORDED_LIMIT),
            raw: Limited::new(RECORDED_LIMIT),
            kept: read.then(|| Limited::new(READ_LIMIT)),
            multipart: Multipart::for_content_type(content_type),
        }
    }

    /// Takes bytes as received, framing included.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.raw.push(bytes);
    }

    /// Takes bytes of the body proper.
    pub fn push(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.hash.update(bytes);
        self.recorded.push(bytes);
        if let Some(kept) = &mut self.kept {
            kept.push(bytes);
        }
        if let Some(multipart) = &mut self.multipart {
            multipart.push(bytes);
        }
    }

    /// The body so far.
    pub fn finish(self) -> Body {
        let (fields, files) = self.multipart.map(Multipart::finish).unwrap_or_default();
        let recorded = self.recorded.bytes;
        let read = self.kept.map_or_else(|| recorded.clone(), |kept| kept.bytes);
        Body {
            length: self.length,
            sha256: encode(&self.hash.finalize()),
            recorded,
            raw: self.raw.bytes,
            read,
            fields,
            files,
        }
    }
}

/// Bytes up to a limit; past it none are kept.
struct Limited {
    bytes: Vec<u8>,
    limit: usize,
    over: bool,
}

impl Limited {
    fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, over: false }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.over |= self.bytes.len() + bytes.len() > self.limit;
        if self.over {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }
}
