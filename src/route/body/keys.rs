//! The names under which a urlencoded form or a JSON object hands over its values, as they stream by.

use super::reserved::Escapes;

/// The names that the gateway looks out for have no more bytes.
const LONGEST: usize = 8;

/// The first bytes of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Word {
    pub(super) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte;
        }
        // One more than fits stands for all that are too long.
        self.length = (self.length + 1).min(LONGEST + 1);
    }

    pub(super) fn with(mut self, byte: u8) -> Self {
        self.push(byte);
        self
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.bytes.get(..self.length) == Some(name.as_bytes())
    }

    /// Whether more bytes would change nothing.
    const fn is_full(&self) -> bool {
        self.length > LONGEST
    }

    /// Whether it may become `name`, or is it.
    pub(super) fn begins(&self, name: &str) -> bool {
        self.length > 0 && self.bytes.get(..self.length).is_some_and(|bytes| name.as_bytes().starts_with(bytes))
    }
}

/// The names of a urlencoded form.
#[derive(Clone, Debug, Default)]
pub(super) struct FormKeys {
    in_value: bool,
    word: Word,
    escapes: Escapes,
}

impl FormKeys {
    /// Takes a byte; the name that it completes.
    pub(super) fn push(&mut self, byte: u8) -> Option<Word> {
        match byte {
            b'&' => {
                let word = std::mem::take(&mut self.word);
                self.escapes = Escapes::default();
                return (!std::mem::take(&mut self.in_value)).then_some(word);
            }
            _ if self.in_value => {}
            b'=' => {
                self.in_value = true;
                self.escapes = Escapes::default();
                return Some(std::mem::take(&mut self.word));
            }
            _ => {
                if let Some(decoded) = self.escapes.form(byte) {
                    self.word.push(decoded);
                }
            }
        }
        None
    }

    /// In a value, where only its end matters.
    pub(super) const fn are_at_rest(&self) -> bool {
        self.in_value
    }

    /// The name that the end of the body completes.
    pub(super) fn finish(&mut self) -> Option<Word> {
        let word = std::mem::take(&mut self.word);
        (!self.in_value).then_some(word)
    }

    /// The name so far, if it is not complete.
    pub(super) fn open(&self) -> Option<&Word> {
        (!self.in_value).then_some(&self.word)
    }
}

/// The names of the outermost object of a JSON text.
#[derive(Clone, Debug, Default)]
pub(super) struct JsonKeys {
    depth: usize,
    outermost_is_object: bool,
    in_text: bool,
    escaped: bool,
    /// A text of the outermost object; a name, if a colon comes next.
    word: Option<Word>,
    escapes: Escapes,
}

impl JsonKeys {
    /// Takes a byte; the name that it completes.
    pub(super) fn push(&mut self, byte: u8) -> Option<Word> {
        if self.in_text {
            self.push_text(byte);
            return None;
        }
        match byte {
            b'"' => {
                self.in_text = true;
                self.escapes = Escapes::default();
                self.word = (self.depth == 1 && self.outermost_is_object).then(Word::default);
                return None;
            }
            b' ' | b'\t' | b'\n' | b'\r' => return None,
            b':' => return self.word.take(),
            b'{' | b'[' => {
                self.outermost_is_object = if self.depth == 0 { byte == b'{' } else { self.outermost_is_object };
                self.depth += 1;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.word = None;
        None
    }

    fn push_text(&mut self, byte: u8) {
        let ends = byte == b'"' && !self.escaped;
        self.escaped = byte == b'\\' && !self.escaped;
        if ends {
            self.in_text = false;
            return;
        }
        if let Some(decoded) = self.escapes.json(byte)
            && let Some(word) = &mut self.word
        {
            word.push(decoded);
        }
    }

    /// In a text that is not to be a name that matters, where only its end does.
    pub(super) fn are_at_rest(&self) -> bool {
        let nameless = self.word.as_ref().is_none_or(Word::is_full);
        nameless && self.in_text && !self.escaped && self.escapes.are_none()
    }

    /// The text so far that may turn out to be a name.
    pub(super) const fn open(&self) -> Option<&Word> {
        self.word.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(body: &str) -> Vec<Word> {
        let mut keys = FormKeys::default();
        let mut found: Vec<_> = body.bytes().filter_map(|byte| keys.push(byte)).collect();
        found.extend(keys.finish());
        found
    }

    fn json(body: &str) -> Vec<Word> {
        let mut keys = JsonKeys::default();
        body.bytes().filter_map(|byte| keys.push(byte)).collect()
    }

    #[test]
    fn a_name_of_a_form_is_found_in_every_spelling() {
        for body in ["sid", "sid=1", "a=b&sid=x", "%73id=1", "a&s%69%64", "s%69d=", "&&sid&", "a=%26&sid=1"] {
            assert!(form(body).iter().any(|word| word.is("sid")), "{body}");
        }
        for body in ["Sid=1", "a=sid", "a=b%26sid=1", "xsid=1", "sidx=1", "sid+=1", "a=b=sid=c", "", "s%2569d=1"] {
            assert!(!form(body).iter().any(|word| word.is("sid")), "{body}");
        }
    }

    #[test]
    fn only_names_of_the_outermost_object_count() {
        for body in [
            r#"{"sid":1}"#,
            r#" { "a" : {"b":[1,"]"]} , "sid" : null}"#,
            r#"{"\u0073id":1}"#,
            r#"{"s\u0069\u0064":1}"#,
            r#"{"a":"\\","sid":1}"#,
            r#"{"a":"\"","sid":1}"#,
        ] {
            assert!(json(body).iter().any(|word| word.is("sid")), "{body}");
        }
        for body in [
            r#"{"a":"sid"}"#,
            r#"{"a":{"sid":1}}"#,
            r#"[{"sid":1}]"#,
            r#"{"a":"{\"sid\":1}"}"#,
            r#"["sid",1]"#,
            r#"{"sid ":1}"#,
            r#"{"\\u0073id":1}"#,
            "sid",
        ] {
            assert!(!json(body).iter().any(|word| word.is("sid")), "{body}");
        }
    }
}
