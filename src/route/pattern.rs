//! Path patterns of the rules, and the names that a path has under ERPNext's API.
//!
//! A pattern is a path, written decoded, whose segments are literal text, `*` (any one segment), `{name}` (any one
//! segment, kept for the scopes) or, at the end alone, `**` (any number of segments, none too). A slash at the end of
//! the path makes no difference.
//!
//! ERPNext's API has several spellings for one thing; a pattern with the first covers them all:
//! `/api/method/M` also `/api/v1/method/M`, `/api/v2/method/M`, `/api/method/M/anything` and any path with `cmd=M` in the
//! query; `/api/resource/D` and `/api/resource/D/N` (where N may hold slashes) also `/api/v1/resource/…` and
//! `/api/v2/document/…`. Methods of a document (`?run_method=`, `/api/v2/document/D/N/method/M`) are known as
//! `/api/method/run_doc_method`.

use super::target::{Target, segments};

/// What ERPNext calls when a method of a document is asked for.
const RUN_DOC_METHOD: &str = "run_doc_method";

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

/// How literals are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Letters {
    /// To the byte.
    Exact,
    /// Without regard to ASCII case and blanks at the end, as ERPNext's database compares names.
    Folded,
}

/// The captured segments, in the pattern's order.
pub(super) type Captures<'t> = Vec<&'t str>;

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('/') else { return Err("must begin with a slash".to_owned()) };
        if text.starts_with("/api/v1/") {
            return Err("write `/api/…`, which covers `/api/v1/…`".to_owned());
        }
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

impl Letters {
    fn equal(self, literal: &str, found: &str) -> bool {
        match self {
            Self::Exact => literal == found,
            Self::Folded => literal.trim_end().eq_ignore_ascii_case(found.trim_end()),
        }
    }
}

/// The names of a target that rules are matched against.
pub(super) struct Names<'t> {
    /// The path, where ERPNext goes by it at all.
    literal: Option<&'t Target<'t>>,
    /// The first spelling of what ERPNext's API does with it.
    api: Option<[Option<&'t str>; 4]>,
}

impl<'t> Names<'t> {
    /// The names of a path that has neither `cmd` nor `run_method` in its query.
    pub(super) fn of_path(target: &'t Target<'t>) -> Self {
        Self { literal: Some(target), api: api_name(target.path()) }
    }

    /// The name of a method that is called whatever the path is.
    pub(super) fn of_method(method: &'t str) -> Self {
        Self { literal: None, api: Some(method_name(method)) }
    }

    /// The name of a call of a document's method.
    pub(super) fn of_doc_method() -> Self {
        Self::of_method(RUN_DOC_METHOD)
    }

    pub(super) fn matched_by(&self, pattern: &Pattern, letters: Letters) -> Option<Captures<'t>> {
        let api = self.api.and_then(|api| pattern.matches(api.into_iter().flatten(), letters));
        api.or_else(|| pattern.matches(self.literal?.segments(), letters))
    }

    /// The method that is called, if the path is the name of one.
    pub(super) fn method(&self) -> Option<&'t str> {
        match self.api {
            Some([_, Some("method"), Some(method), _]) => Some(method),
            _ => None,
        }
    }
}

fn method_name(method: &str) -> [Option<&str>; 4] {
    [Some("api"), Some("method"), Some(method), None]
}

fn api_name(path: &str) -> Option<[Option<&str>; 4]> {
    let path = path.strip_suffix('/').unwrap_or(path).strip_prefix("/api/")?;
    let (second, rest) = match path.strip_prefix("v2/") {
        Some(rest) => (true, rest),
        None => (false, path.strip_prefix("v1/").unwrap_or(path)),
    };
    let (kind, rest) = rest.split_once('/')?;
    match (second, kind) {
        (false, "method") => Some(method_name(segments(rest).next()?)),
        (true, "method") if !rest.contains('/') => Some(method_name(rest)),
        (false, "resource") | (true, "document") => Some(match rest.split_once('/') {
            Some((_, name)) if second && name.contains("/method/") => method_name(RUN_DOC_METHOD),
            Some((doctype, name)) => [Some("api"), Some("resource"), Some(doctype), Some(name)],
            None => [Some("api"), Some("resource"), Some(rest), None],
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(pattern: &str, path: &str) -> Option<Vec<String>> {
        let target = Target::parse(path).expect("a good target");
        let pattern = Pattern::parse(pattern).expect("a good pattern");
        let captures = Names::of_path(&target).matched_by(&pattern, Letters::Exact)?;
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
        assert_eq!(matched("/api/resource/{doctype}/{name}", "/api/v2/document/Item/x/method/y"), None);
        assert_eq!(matched("/api/method/run_doc_method", "/api/v2/document/Item/x/method/y"), Some(vec![]));
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
