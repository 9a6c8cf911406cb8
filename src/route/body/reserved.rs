//! Looks for a method of ERPNext's own OAuth among the values of a body, as it streams by.
//!
//! ERPNext runs what `cmd` names in a form, in a multipart form, and in JSON whatever the content type says, and some of
//! its methods take the name of another one to run. So no value, under any name and in any of these encodings, may begin
//! with a reserved name. Text that only mentions one passes.

use crate::route::RESERVED_METHODS;

/// A scan of one body.
#[derive(Clone, Debug, Default)]
pub(super) struct ReservedScan {
    raw: Matcher,
    form: Matcher,
    form_decoder: Escapes,
    json: Matcher,
    json_decoder: Escapes,
}

/// A value of the body names a reserved method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReservedValue;

impl ReservedScan {
    /// Takes the next byte of the body.
    ///
    /// # Errors
    /// [`ReservedValue`] when it completes one.
    pub(super) fn push(&mut self, byte: u8) -> Result<(), ReservedValue> {
        // All of them, always: each follows the body in its own encoding.
        let raw = self.raw.push(byte);
        let form = self.form_decoder.form(byte).is_some_and(|decoded| self.form.push(decoded));
        let json = self.json_decoder.json(byte).is_some_and(|decoded| self.json.push(decoded));
        if raw || form || json { Err(ReservedValue) } else { Ok(()) }
    }

    /// Whether what [`calm`](super::calm::calm) passes over would change nothing.
    pub(super) const fn is_at_rest(&self) -> bool {
        let decoders = self.form_decoder.are_none() && self.json_decoder.are_none();
        decoders && self.raw.is_at_rest() && self.form.is_at_rest() && self.json.is_at_rest()
    }

    /// Whether what came last may be the beginning of a reserved name: it should not be passed on yet.
    pub(super) const fn is_undecided(&self) -> bool {
        self.raw.matched > 0 || self.form.matched > 0 || self.json.matched > 0
    }
}

/// Follows decoded bytes and knows where a value begins: behind `=`, a quotation mark, or an empty line.
#[derive(Clone, Debug, Default)]
struct Matcher {
    at_start: bool,
    line_is_empty: bool,
    after_return: bool,
    matched: usize,
}

impl Matcher {
    const fn is_at_rest(&self) -> bool {
        self.matched == 0 && !self.at_start && !self.line_is_empty && !self.after_return
    }

    /// Takes a byte; `true` when a reserved name is complete.
    fn push(&mut self, byte: u8) -> bool {
        let expected = RESERVED_METHODS.as_bytes().get(self.matched);
        if (self.matched > 0 || self.at_start) && expected == Some(&byte) {
            self.at_start = false;
            self.line_is_empty = false;
            self.after_return = false;
            self.matched += 1;
            return self.matched == RESERVED_METHODS.len();
        }
        self.matched = 0;
        // werkzeug takes lines that end with a carriage return alone, too.
        let ends_empty_line = match byte {
            b'\n' => self.line_is_empty,
            b'\r' => self.after_return,
            _ => false,
        };
        // Whatever may be white space to somebody, other alphabets' too.
        let goes_on = self.at_start && !byte.is_ascii_graphic();
        self.at_start = matches!(byte, b'=' | b'"') || ends_empty_line || goes_on;
        self.line_is_empty = byte == b'\n' || (byte == b'\r' && self.line_is_empty);
        self.after_return = byte == b'\r';
        false
    }
}

/// An escape sequence that is being read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Escapes {
    /// Digits still to come; for JSON one more while the letter behind the backslash is awaited.
    awaited: u8,
    letter: bool,
    value: u16,
}

/// Stands for a character that no reserved name has.
const OTHER: u8 = 0x7f;

impl Escapes {
    /// Whether no escape sequence is being read.
    pub(super) const fn are_none(self) -> bool {
        self.awaited == 0 && !self.letter
    }

    /// `%xx` and `+`; an incomplete escape is dropped.
    pub(super) fn form(&mut self, byte: u8) -> Option<u8> {
        match byte {
            b'%' => {
                *self = Self { awaited: 2, letter: false, value: 0 };
                None
            }
            b'+' if self.awaited == 0 => Some(b' '),
            _ => self.digit_or(byte),
        }
    }

    /// `\uxxxx` and the escapes of one letter.
    pub(super) fn json(&mut self, byte: u8) -> Option<u8> {
        if std::mem::take(&mut self.letter) {
            return match byte {
                b'u' => {
                    *self = Self { awaited: 4, letter: false, value: 0 };
                    None
                }
                b'n' | b'r' | b't' | b'f' => Some(b' '),
                _ => Some(OTHER),
            };
        }
        if byte == b'\\' {
            *self = Self { awaited: 0, letter: true, value: 0 };
            return None;
        }
        self.digit_or(byte)
    }

    fn digit_or(&mut self, byte: u8) -> Option<u8> {
        if self.awaited == 0 {
            return Some(byte);
        }
        let Some(digit) = char::from(byte).to_digit(16).and_then(|digit| u16::try_from(digit).ok()) else {
            self.awaited = 0;
            return Some(byte);
        };
        self.value = (self.value << 4) | digit;
        self.awaited -= 1;
        (self.awaited == 0).then(|| u8::try_from(self.value).unwrap_or(OTHER))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const METHOD: &str = "frappe.integrations.oauth2.get_token";

    fn push(scan: &mut ReservedScan, bytes: &[u8]) -> Result<(), ReservedValue> {
        bytes.iter().try_for_each(|byte| scan.push(*byte))
    }

    fn scan(body: &str) -> Result<(), ReservedValue> {
        push(&mut ReservedScan::default(), body.as_bytes())
    }

    fn percent(text: &str) -> String {
        text.bytes().fold(String::new(), |out, byte| out + &format!("%{byte:02x}"))
    }

    fn unicode(text: &str) -> String {
        text.bytes().fold(String::new(), |out, byte| out + &format!("\\u00{byte:02X}"))
    }

    #[test]
    fn a_reserved_name_is_found_in_every_encoding() {
        for body in [
            format!("cmd={METHOD}"),
            format!("a=b&cmd=+{METHOD}&c=d"),
            format!("cmd={}", percent(METHOD)),
            format!("c%6Dd=%66{}", METHOD.trim_start_matches('f')),
            format!("{{\"cmd\": \"{METHOD}\"}}"),
            format!("{{\"\\u0063md\":\"{}\"}}", unicode(METHOD)),
            format!("{{\"method\":\" {METHOD}\"}}"),
            format!("cmd=%0b\u{2003}{METHOD}"),
            format!("{{\"cmd\":\"\\f\\u2003{METHOD}\"}}"),
            format!("--b\r\nContent-Disposition: form-data; name=\"cmd\"\r\n\r\n{METHOD}\r\n--b--"),
            format!("--b\r\nContent-Disposition: form-data; name=cmd\r\nContent-Type: text/plain\r\n\r\n{METHOD}\r\n"),
            format!("--b\nContent-Disposition: form-data; name=cmd\n\n{METHOD}\n"),
            format!("--b\rContent-Disposition: form-data; name=cmd\r\r{METHOD}\r"),
        ] {
            assert_eq!(scan(&body), Err(ReservedValue), "{body}");
        }
    }

    #[test]
    fn text_that_mentions_one_and_other_methods_pass() {
        for body in [
            "description=see+/api/method/frappe.integrations.oauth2.authorize",
            "redirect-to=%2Fapi%2Fmethod%2Ffrappe.integrations.oauth2.authorize%3Fhandle%3Dx",
            "{\"description\": \"calls frappe.integrations.oauth2.get_token\"}",
            "cmd=frappe.integrations.oauth2_logins.login_via_github",
            "cmd=login&usr=alice%40example.com&pwd=x",
            "cmd=frappe.integrations.oauth2",
            "",
        ] {
            assert_eq!(scan(body), Ok(()), "{body}");
        }
    }

    #[test]
    fn what_may_become_one_is_undecided() {
        let mut scan = ReservedScan::default();
        push(&mut scan, b"cmd=frappe.integ").expect("not yet");
        assert!(scan.is_undecided());
        push(&mut scan, b"x").expect("not at all");
        assert!(!scan.is_undecided());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = push(&mut ReservedScan::default(), &bytes);
        }
    }
}
