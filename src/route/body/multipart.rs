//! A multipart form as werkzeug takes it apart, as it streams by and in constant memory: the names of its parts, and
//! where they are wanted their values. What werkzeug and another parser could read in two ways is refused.

use super::{
    calm::calm,
    disposition::{Part, head},
};

/// The heads of one part have no more bytes.
const LONGEST_HEAD: usize = 8 * 1024;

/// What a multipart body is refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A reader of one multipart body.
#[derive(Clone, Debug)]
pub(super) struct Multipart {
    /// `--` and the boundary.
    delimiter: Vec<u8>,
    state: State,
    kept: Kept,
}

/// Whether values are kept.
#[derive(Clone, Debug)]
enum Kept {
    No,
    /// The fields so far, the last one open, and where its last line begins.
    Fields {
        fields: Vec<(String, Vec<u8>)>,
        open: bool,
        line: usize,
    },
}

#[derive(Clone, Debug)]
enum State {
    /// Before the first delimiter, of which so many bytes are there.
    Start(usize),
    /// Behind a delimiter, before the line break that must follow.
    Behind { first: bool, dashes: usize, blank: bool },
    /// Among the heads of a part; `after_cr`: a line feed that comes first still belongs to the delimiter.
    Head { text: Vec<u8>, after_cr: bool },
    /// Behind heads that end with two carriage returns.
    AfterReturns,
    /// In a value. `Some`: so many bytes of a delimiter are there since the line began.
    Value(Option<usize>),
    /// Behind the last delimiter.
    End,
}

impl Multipart {
    /// A reader that tells of the parts.
    pub(super) fn new(boundary: &[u8]) -> Self {
        Self { delimiter: [b"--", boundary].concat(), state: State::Start(0), kept: Kept::No }
    }

    /// The fields of a whole body, without its files.
    ///
    /// # Errors
    /// [`Malformed`], also when the last delimiter is missing.
    pub(super) fn fields(boundary: &[u8], body: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
        let kept = Kept::Fields { fields: Vec::new(), open: false, line: 0 };
        let mut multipart = Self { kept, ..Self::new(boundary) };
        let mut rest = body;
        while let Some((byte, after)) = rest.split_first() {
            multipart.push(*byte)?;
            let (calm, after) = after.split_at(if multipart.is_at_rest() { calm(after) } else { 0 });
            multipart.kept.extend(calm);
            rest = after;
        }
        match (multipart.state, multipart.kept) {
            (State::End, Kept::Fields { fields, .. }) => {
                let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
                Ok(fields.into_iter().map(|(name, value)| (name, text(value))).collect())
            }
            _ => Err(Malformed),
        }
    }

    /// Whether a part's name is being read.
    pub(super) const fn in_head(&self) -> bool {
        matches!(self.state, State::Head { .. })
    }

    /// In a value and not in a delimiter, where only a line's end matters; or behind the last delimiter.
    pub(super) const fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Value(None) | State::End)
    }

    /// Takes a byte; the part whose heads it completes.
    ///
    /// # Errors
    /// [`Malformed`]
    pub(super) fn push(&mut self, byte: u8) -> Result<Option<Part>, Malformed> {
        match &mut self.state {
            State::Start(matched) => {
                if self.delimiter.get(*matched) == Some(&byte) {
                    *matched += 1;
                    if *matched == self.delimiter.len() {
                        self.state = State::Behind { first: true, dashes: 0, blank: false };
                    }
                } else if *matched > 0 || !is_line_end(byte) {
                    return Err(Malformed);
                }
            }
            State::Behind { .. } => self.behind(byte)?,
            State::Head { text, after_cr } => {
                if std::mem::take(after_cr) && byte == b'\n' {
                    return Ok(None);
                }
                if text.len() == LONGEST_HEAD {
                    return Err(Malformed);
                }
                text.push(byte);
                if [&b"\r\n\r\n"[..], b"\n\n", b"\r\r"].iter().any(|blank| text.ends_with(blank)) {
                    let part = head(text).ok_or(Malformed)?;
                    self.kept.begin(&part);
                    self.state = if byte == b'\r' { State::AfterReturns } else { State::Value(Some(0)) };
                    return Ok(Some(part));
                }
            }
            State::AfterReturns => {
                // To werkzeug it ends the blank line, to others it begins the value.
                if byte == b'\n' {
                    return Err(Malformed);
                }
                self.state = State::Value(Some(0));
                return self.push(byte);
            }
            State::Value(matched) => {
                self.kept.push(byte);
                match *matched {
                    Some(so_far) if self.delimiter.get(so_far) == Some(&byte) => {
                        *matched = Some(so_far + 1);
                        if so_far + 1 == self.delimiter.len() {
                            self.state = State::Behind { first: false, dashes: 0, blank: false };
                        }
                    }
                    _ => self.go_on(byte),
                }
            }
            State::End => {}
        }
        Ok(None)
    }

    /// Behind what may be a delimiter: two dashes end the form, a line break begins a part, anything else was a value's.
    fn behind(&mut self, byte: u8) -> Result<(), Malformed> {
        let State::Behind { first, dashes, blank } = &mut self.state else { return Ok(()) };
        self.kept.push(byte);
        match byte {
            b'-' if !*blank && *dashes == 1 => {
                self.kept.end();
                self.state = State::End;
            }
            b'-' if !*blank && *dashes == 0 => *dashes = 1,
            b' ' | b'\t' | 0x0b | 0x0c if *dashes == 0 => *blank = true,
            b'\r' | b'\n' if *dashes == 0 => {
                self.kept.end();
                self.state = State::Head { text: Vec::new(), after_cr: byte == b'\r' };
            }
            // In a preamble werkzeug would take the next delimiter anywhere in a line.
            _ if *first => return Err(Malformed),
            _ => self.go_on(byte),
        }
        Ok(())
    }

    /// In a value, which goes on.
    fn go_on(&mut self, byte: u8) {
        self.state = State::Value(is_line_end(byte).then_some(0));
        if is_line_end(byte) {
            self.kept.begin_line();
        }
    }
}

impl Kept {
    fn begin(&mut self, part: &Part) {
        if let Self::Fields { fields, open, line } = self {
            *open = !part.is_file;
            *line = 0;
            if *open {
                fields.push((part.name.clone(), Vec::new()));
            }
        }
    }

    fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    fn extend(&mut self, bytes: &[u8]) {
        if let Self::Fields { fields, open: true, .. } = self
            && let Some((_, value)) = fields.last_mut()
        {
            value.extend_from_slice(bytes);
        }
    }

    fn begin_line(&mut self) {
        if let Self::Fields { fields, open: true, line } = self {
            *line = fields.last().map_or(0, |(_, value)| value.len());
        }
    }

    /// Takes the delimiter off the open value, and the line break before it.
    fn end(&mut self) {
        if let Self::Fields { fields, open, line } = self
            && std::mem::take(open)
            && let Some((_, value)) = fields.last_mut()
        {
            value.truncate(*line);
            let ending = [&b"\r\n"[..], b"\n", b"\r"].into_iter().find(|ending| value.ends_with(ending));
            value.truncate(value.len() - ending.map_or(0, <[u8]>::len));
        }
    }
}

const fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Result<Vec<(String, String)>, Malformed> {
        Multipart::fields(b"B", body.as_bytes())
    }

    fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn fields_are_told_with_their_values_and_files_are_not() {
        let body = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n2\r\n\
                    --B \t\r\nContent-Type: text/plain\r\ncontent-disposition:form-data;name=b\r\n\r\n\r\n\
                    --B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n--Bx\r\n--B\r\n\
                    Content-Disposition: form-data; name=\"c\"\r\n\r\n--C\r\n--B--\r\nepilogue";
        assert_eq!(fields(body), Ok(pairs(&[("a", "1\r\n2"), ("b", ""), ("c", "--C")])));
        assert_eq!(fields("--B\nContent-Disposition: x; name=a\n\nv\n--B--"), Ok(pairs(&[("a", "v")])));
        assert_eq!(fields("--B\rContent-Disposition: x; name=a\r\rv\r--B--"), Ok(pairs(&[("a", "v")])));
        assert_eq!(fields("--B\r\nContent-Disposition: x; name=a\r\n\r\n--B--"), Ok(pairs(&[("a", "")])));
        assert_eq!(fields("\r\n--B--"), Ok(pairs(&[])));
    }

    #[test]
    fn what_two_parsers_could_read_in_two_ways_is_refused() {
        for body in [
            "preamble\r\n--B\r\nContent-Disposition: x; name=a\r\n\r\nv\r\n--B--",
            "--B\r\n\r\nno heads\r\n--B--",
            "--B\r\nContent-Disposition: x; name=a\r\n--B\r\nContent-Disposition: x; name=b\r\n\r\nv\r\n--B--",
            "--B\r\nContent-Disposition: x; name=a\r\nContent-Disposition: x; name=b\r\n\r\nv\r\n--B--",
            "--B\r\nContent-Disposition: x; name*=utf-8''%73id\r\n\r\nv\r\n--B--",
            "--B\r\nContent-Disposition: x; name=a\r\n\r\nv",
            "--Bx\r\nContent-Disposition: x; name=a\r\n\r\nv\r\n--B--",
            "--B\rContent-Disposition: x; name=a\r\r\nv\r--B--",
        ] {
            assert_eq!(fields(body), Err(Malformed), "{body}");
        }
        let long = format!("--B\r\nContent-Disposition: x; name={}\r\n\r\nv\r\n--B--", "a".repeat(LONGEST_HEAD));
        assert_eq!(fields(&long), Err(Malformed));
    }
}
