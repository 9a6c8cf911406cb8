//! `multipart/form-data` read as a stream: fields are kept, files are measured and hashed.

use sha2::{Digest, Sha256};

use super::head::latin1;
use super::random::encode;

/// A field is kept up to this size, a file's content too.
const KEPT: usize = 1 << 20;

/// A file of a multipart body.
#[derive(Clone, Debug)]
pub struct FilePart {
    /// The field's name.
    pub field: String,
    /// The file's name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// In hexadecimal.
    pub sha256: String,
    /// Its bytes, where they are within 1 MiB.
    pub content: Option<Vec<u8>>,
}

/// The reader.
pub struct Multipart {
    /// `\r\n--boundary`
    delimiter: Vec<u8>,
    pending: Vec<u8>,
    part: Option<Part>,
    fields: Vec<(String, String)>,
    files: Vec<FilePart>,
}

struct Part {
    name: String,
    file: Option<String>,
    size: u64,
    hash: Sha256,
    kept: Vec<u8>,
}

impl Multipart {
    /// A reader for this content type; `None` where it is not multipart or names no boundary.
    pub fn for_content_type(content_type: &str) -> Option<Self> {
        if !content_type.trim_start().to_ascii_lowercase().starts_with("multipart/form-data") {
            return None;
        }
        let boundary = parameter(content_type, "boundary")?;
        Some(Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            // The first delimiter has no line end before it.
            pending: b"\r\n".to_vec(),
            part: None,
            fields: Vec::new(),
            files: Vec::new(),
        })
    }

    /// Takes the next bytes of the body.
    pub fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        loop {
            if let Some(part) = &mut self.part {
                if let Some(end) = find(&self.pending, &self.delimiter) {
                    part.take(&self.pending[..end]);
                    self.pending.drain(..end);
                    self.end_part();
                } else {
                    // The last bytes may be the beginning of a delimiter.
                    let safe = self.pending.len().saturating_sub(self.delimiter.len());
                    part.take(&self.pending[..safe]);
                    self.pending.drain(..safe);
                    return;
                }
            } else if !self.begin_part() {
                return;
            }
        }
    }

    /// Fields and files seen; a part without its end counts as it is.
    pub fn finish(mut self) -> (Vec<(String, String)>, Vec<FilePart>) {
        if let Some(part) = &mut self.part {
            part.take(&self.pending);
        }
        self.end_part();
        (self.fields, self.files)
    }

    fn begin_part(&mut self) -> bool {
        let Some(start) = find(&self.pending, &self.delimiter) else { return false };
        let Some(end) = find(&self.pending[start..], b"\r\n\r\n") else { return false };
        let head = latin1(&self.pending[start..start + end]);
        let line = head.split("\r\n").find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"));
        let line = line.unwrap_or_default();
        self.part = Some(Part {
            name: parameter(line, "name").unwrap_or_default(),
            file: parameter(line, "filename"),
            size: 0,
            hash: Sha256::new(),
            kept: Vec::new(),
        });
        self.pending.drain(..start + end + 4);
        true
    }

    fn end_part(&mut self) {
        let Some(part) = self.part.take() else { return };
        if let Some(name) = part.file {
            let content = (part.kept.len() as u64 == part.size).then_some(part.kept);
            let sha256 = encode(&part.hash.finalize());
            self.files.push(FilePart { field: part.name, name, size: part.size, sha256, content });
        } else {
            self.fields.push((part.name, String::from_utf8_lossy(&part.kept).into_owned()));
        }
    }
}

impl Part {
    fn take(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        if self.file.is_some() {
            self.hash.update(bytes);
        }
        if self.kept.len() + bytes.len() <= KEPT {
            self.kept.extend_from_slice(bytes);
        }
    }
}

/// The parameter of a header value, quoted or not.
fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|piece| {
        let (key, text) = piece.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| text.trim_matches('"').to_owned())
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
