//! `[pages]`: how the gateway's own pages look.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de::Error};

use super::{findings::Findings, optional::empty_is_none};

/// `[pages]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PagesSettings {
    /// What the pages call the site. Default empty: the host of `server.public_url`.
    pub site_name: String,
    /// An image at the top of each page: PNG, JPEG, WebP or SVG, of at most 64 KiB. Default none.
    #[serde(deserialize_with = "empty_is_none")]
    pub logo_file: Option<PathBuf>,
    /// What the file held when it was loaded.
    #[serde(skip)]
    pub logo: Option<Logo>,
    /// The colour of the main button, `#rrggbb`; its text is black or white, whichever is read better on it. Default none.
    #[serde(deserialize_with = "empty_is_none")]
    pub colour: Option<Colour>,
}

/// No name is longer: it stands in headings.
const LONGEST_NAME: usize = 80;

impl PagesSettings {
    pub(super) fn check(&self, findings: &mut Findings<'_>) {
        let name = &self.site_name;
        if name.chars().any(char::is_control) || (name.trim().is_empty() && !name.is_empty()) {
            findings.add("pages.site_name", "must be a name in one line, or \"\"");
        } else if name.chars().count() > LONGEST_NAME {
            findings.add("pages.site_name", format!("must have at most {LONGEST_NAME} characters"));
        }
    }
}

/// No logo is larger: it is in each page.
pub const LARGEST_LOGO: u64 = 64 * 1024;

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    /// Its media type.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

impl Logo {
    /// Takes an image by what it begins with; `None`: it is of no kind that pages may show.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Option<Self> {
        let is_svg = || {
            let text = std::str::from_utf8(&bytes).unwrap_or_default().trim_start_matches('\u{feff}').trim_start();
            // Without its namespace browsers show nothing of it.
            let begins = ["<svg", "<?xml", "<!--", "<!DOCTYPE svg"].iter().any(|start| text.starts_with(start));
            begins && text.contains("<svg") && text.contains("http://www.w3.org/2000/svg")
        };
        let media_type = match bytes.as_slice() {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
            _ if is_svg() => "image/svg+xml",
            _ => return None,
        };
        Some(Self { media_type, bytes })
    }
}

/// A colour: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

impl Colour {
    /// Takes `#rrggbb`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        let number = digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16))?;
        let [_, red, green, blue] = number.ok()?.to_be_bytes();
        Some(Self([red, green, blue]))
    }
}

impl<'de> Deserialize<'de> for Colour {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a colour is written \"#rrggbb\", such as \"#0b5fff\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_told_by_how_it_begins() {
        let kind = |bytes: &[u8]| Logo::of(bytes.to_vec()).map(|logo| logo.media_type);
        assert_eq!(kind(b"\x89PNG\r\n\x1a\nx"), Some("image/png"));
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(kind(b"RIFF\x01\x02\x03\x04WEBPVP8 "), Some("image/webp"));
        assert_eq!(
            kind(b"\xef\xbb\xbf<?xml version=\"1.0\"?><svg xmlns='http://www.w3.org/2000/svg'/>"),
            Some("image/svg+xml")
        );
        assert_eq!(kind(b" <svg xmlns=\"http://www.w3.org/2000/svg\"/>"), Some("image/svg+xml"));
        for other in [&b""[..], b"GIF89a", b"<svg/>", b"<html><svg></html>", b"<?xml version=\"1.0\"?><x/>", b"\x89PNG"]
        {
            assert_eq!(kind(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_colour_has_six_digits() {
        assert_eq!(Colour::parse("#0b5FFf"), Some(Colour([0x0b, 0x5f, 0xff])));
        for wrong in ["", "#fff", "0b5fff", "#0b5ffg", "#+b5fff", "#0b5fff0", "red", "#é5fff"] {
            assert_eq!(Colour::parse(wrong), None, "{wrong}");
        }
    }
}
