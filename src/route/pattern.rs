//! Path patterns of the rules.
//!
//! A pattern is a path, written decoded, whose segments are literal text, `*` (any one segment), `{name}` (any one
//! segment, kept for the scopes) or, at the end alone, `**` (any number of segments, none too). A slash at the end of
//! the path makes no difference.
//!
//! ERPNext's API has several spellings for one thing; a pattern with the first covers them all (`names.rs`).
//! `/api/v2/document/…` and `/api/v2/method/M` in a pattern are read as the first spelling.

use std::borrow::Cow;

use super::letters::Letters;

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    segments: Vec<Segment>,
    open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Any,
    Capture(String),
}

/// What a pattern is about; `None` for all there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject<'p> {
    Doctype(Option<&'p str>),
    Method(Option<&'p str>),
}

/// The captured segments, in the pattern's order.
pub(super) type Captures<'t> = Vec<&'t str>;

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('/') else { return Err("must begin with a slash".to_owned()) };
        if text.starts_with("/api/v1/") {
            return Err("write `/api/…`, which covers `/api/v1/…`".to_owned());
        }
        let text = first_spelling(text);
        let path = text.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut pattern = Self { segments: Vec::new(), open: false };
        for segment in path.split('/').filter(|_| !path.is_empty()) {
            if pattern.open {
                return Err("`**` may only be the last segment".to_owned());
            }
            match segment {
                "**" => pattern.open = true,
                _ => pattern.segments.push(Segment::parse(segment)?),
            }
        }
        let names: Vec<_> = pattern.names().collect();
        match names.iter().enumerate().find(|(index, name)| names.iter().skip(index + 1).any(|other| &other == name)) {
            Some((_, name)) => Err(format!("has `{{{name}}}` twice")),
            None => Ok(pattern),
        }
    }

    /// The names of the captures, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Capture(name) => Some(name.as_str()),
            Segment::Literal(_) | Segment::Any => None,
        })
    }

    /// The index of the capture that stands for a doctype.
    pub(super) fn doctype(&self) -> Option<usize> {
        match self.segments.as_slice() {
            [api, resource, Segment::Capture(_), ..] if api.is("api") && resource.is("resource") => Some(0),
            _ => self.names().position(|name| name == "doctype"),
        }
    }

    /// What it is about, in terms of ERPNext's API.
    pub(super) fn subject(&self) -> Option<Subject<'_>> {
        let [api, kind, rest @ ..] = self.segments.as_slice() else { return None };
        let name = match rest.first() {
            Some(Segment::Literal(name)) => Some(name.as_str()),
            Some(Segment::Any | Segment::Capture(_)) => None,
            None if self.open => None,
            None => return None,
        };
        match api.is("api") {
            true if kind.is("resource") => Some(Subject::Doctype(name)),
            true if kind.is("method") => Some(Subject::Method(name)),
            _ => None,
        }
    }

    /// Whether it is about a document and not about a doctype.
    pub(super) const fn is_about_one_document(&self) -> bool {
        self.segments.len() > 3
    }

    /// The literal of a pattern that is `/api/method/` and a name.
    pub(super) fn method(&self) -> Option<&str> {
        match self.segments.as_slice() {
            [api, method, Segment::Literal(name)] if api.is("api") && method.is("method") => Some(name),
            _ => None,
        }
    }

    /// Whether it may be about documents.
    pub(super) fn may_be_about_documents(&self) -> bool {
        let may_be = |index, literal| match self.segments.get(index) {
            Some(Segment::Literal(text)) => text.eq_ignore_ascii_case(literal),
            Some(Segment::Any | Segment::Capture(_)) => true,
            None => self.open,
        };
        may_be(0, "api") && may_be(1, "resource")
    }

    /// Whether it may cover a path at which ERPNext serves documents, in any spelling.
    pub(super) fn may_reach_documents(&self) -> bool {
        let may_begin = |spelling: &[&str]| {
            spelling.iter().enumerate().all(|(index, found)| match self.segments.get(index) {
                Some(Segment::Literal(text)) => Letters::Wide.equal(text, found),
                Some(Segment::Any | Segment::Capture(_)) => true,
                None => self.open,
            })
        };
        [["api", "resource"].as_slice(), &["api", "v1", "resource"], &["api", "v2", "document"]]
            .into_iter()
            .any(may_begin)
    }

    pub(super) fn matches<'t>(
        &self,
        path: impl IntoIterator<Item = &'t str>,
        letters: Letters,
    ) -> Option<Captures<'t>> {
        let mut path = path.into_iter();
        let mut captures = Vec::new();
        for segment in &self.segments {
            let found = path.next()?;
            match segment {
                Segment::Literal(literal) if !letters.equal(literal, found) => return None,
                Segment::Literal(_) | Segment::Any => {}
                Segment::Capture(_) => captures.push(found),
            }
        }
        (self.open || path.next().is_none()).then_some(captures)
    }
}

impl Segment {
    fn is(&self, literal: &str) -> bool {
        matches!(self, Self::Literal(text) if text == literal)
    }

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Err("has an empty segment".to_owned()),
            "." | ".." => Err("has a dot segment".to_owned()),
            "*" => Ok(Self::Any),
            _ => match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
                Some(name) if is_name(name) => Ok(Self::Capture(name.to_owned())),
                _ if text.contains(['{', '}', '*', '?', '#', '\\']) => Err(format!(
                    "`{text}` is neither literal text nor `*`, `**` or `{{name}}` alone between two slashes"
                )),
                _ => Ok(Self::Literal(text.to_owned())),
            },
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `/api/v2/document/D…` and `/api/v2/method/M` in their first spelling.
fn first_spelling(path: &str) -> Cow<'_, str> {
    if let Some(rest) = path.strip_prefix("/api/v2/document/").filter(|rest| !rest.contains("/method/")) {
        Cow::Owned(format!("/api/resource/{rest}"))
    } else if let Some(method) = path.strip_prefix("/api/v2/method/").filter(|rest| !rest.contains('/')) {
        Cow::Owned(format!("/api/method/{method}"))
    } else {
        Cow::Borrowed(path)
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::route::{names::Names, target::Target};

    fn matched(pattern: &str, path: &str) -> Option<Vec<String>> {
        let target = Target::parse(path).expect("a good target");
        let pattern = Pattern::parse(pattern).expect("a good pattern");
        let captures = Names::of_path(&Method::GET, &target).matched_by(&pattern, Letters::Exact)?;
        Some(captures.into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn the_first_spelling_covers_the_others() {
        for path in
            ["/api/resource/Sales%20Invoice", "/api/v1/resource/Sales%20Invoice/", "/api/v2/document/Sales%20Invoice"]
        {
            assert_eq!(matched("/api/resource/{doctype}", path), Some(vec!["Sales Invoice".to_owned()]), "{path}");
        }
        for path in [
            "/api/method/a.b",
            "/api/v1/method/a.b",
            "/api/v2/method/a.b",
            "/api/method/a.b/x/y",
            "/api%2Fmethod/a%2Eb",
        ] {
            assert_eq!(matched("/api/method/a.b", path), Some(vec![]), "{path}");
        }
        let both = Some(vec!["Item".to_owned(), "a/b".to_owned()]);
        assert_eq!(matched("/api/resource/{doctype}/{name}", "/api/resource/Item/a%2Fb"), both);
        assert_eq!(matched("/api/v2/document/{doctype}/{name}", "/api/resource/Item/a%2Fb"), both);
        assert_eq!(matched("/api/v2/method/a.b", "/api/method/a.b"), Some(vec![]));
        assert_eq!(matched("/api/resource/{doctype}/{name}", "/api/v2/document/Item/x/method/y"), None);
        let literal = Some(vec!["Item".to_owned(), "x".to_owned(), "y".to_owned()]);
        let pattern = "/api/v2/document/{doctype}/{name}/method/{method}";
        assert_eq!(matched(pattern, "/api/v2/document/Item/x/method/y"), literal);
    }

    #[test]
    fn stars_stand_for_segments() {
        assert_eq!(matched("/files/**", "/files"), Some(vec![]));
        assert_eq!(matched("/files/**", "/files/a/b"), Some(vec![]));
        assert_eq!(matched("/files/*", "/files/a/b"), None);
        assert_eq!(matched("/files/*", "/files"), None);
        assert_eq!(matched("/", "/"), Some(vec![]));
        assert_eq!(matched("/**", "/x"), Some(vec![]));
        assert_eq!(matched("/", "/x"), None);
        assert_eq!(matched("/Files/*", "/files/a"), None);
    }

    #[test]
    fn a_bad_pattern_says_what_is_wrong() {
        for pattern in ["", "a", "/a//b", "/**/a", "/a*", "/{a}/{a}", "/{a b}", "/a?b", "/../a", "/api/v1/method/x"] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
