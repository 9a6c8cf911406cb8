//! The names that a request has under ERPNext's API, and which one rules are matched against.
//!
//! There are several spellings for one thing; the first of them stands for all: `/api/method/M` for `/api/v1/method/M`,
//! `/api/v2/method/M`, `/api/method/M/anything` and a `cmd` that names M; `/api/resource/D` and `/api/resource/D/N` (where
//! N may hold slashes) for `/api/v1/resource/…` and `/api/v2/document/…`.

use http::Method;

use super::{
    calls,
    letters::Letters,
    pattern::{Captures, Pattern},
    target::{Target, segments},
};

/// Stands for a document's name that is not known. No name has this character.
pub(super) const UNKNOWN: &str = "\u{0}";

/// What ERPNext's API makes of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Api<'t> {
    /// Calls a method.
    Method(&'t str),
    /// Calls a function that stands beside a doctype's class, whose module's name we don't know.
    Controller { doctype: &'t str, method: &'t str },
    /// Lists or counts documents of a doctype, or makes one.
    Doctype(&'t str),
    /// Reads, changes or deletes a document.
    Document { doctype: &'t str, name: &'t str },
    /// Calls a method of a document; `by_post`: by nothing but a POST to it.
    DocumentMethod { doctype: &'t str, name: &'t str, by_post: bool },
}

impl<'t> Api<'t> {
    /// What a decoded path is; `None` outside the API.
    pub(super) fn of_path(method: &Method, path: &'t str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path).strip_prefix("/api/")?;
        match path.strip_prefix("v2/") {
            Some(rest) => Self::of_v2(method, rest),
            None => Self::of_v1(method, path.strip_prefix("v1/").unwrap_or(path)),
        }
    }

    fn of_v1(method: &Method, path: &'t str) -> Option<Self> {
        match path.split_once('/')? {
            ("method", rest) => Some(Self::Method(segments(rest).next()?)),
            ("resource", rest) => Some(match rest.split_once('/') {
                Some((doctype, name)) if *method == Method::POST => {
                    Self::DocumentMethod { doctype, name, by_post: true }
                }
                Some((doctype, name)) => Self::Document { doctype, name },
                None => Self::Doctype(rest),
            }),
            _ => None,
        }
    }

    fn of_v2(method: &Method, path: &'t str) -> Option<Self> {
        let may_call = [Method::GET, Method::HEAD, Method::POST].contains(method);
        match path.split_once('/')? {
            ("method", rest) => Some(match rest.split_once('/') {
                // One that is known by its name leads where it leads under that.
                Some((doctype, method)) => {
                    calls::beside(doctype, method).map_or(Self::Controller { doctype, method }, Self::Method)
                }
                None => Self::Method(rest),
            }),
            ("document", rest) => Some(match rest.split_once('/') {
                Some((doctype, rest)) => match rest.rsplit_once("/method/") {
                    Some((name, method)) if may_call && !method.contains('/') => {
                        Self::DocumentMethod { doctype, name, by_post: false }
                    }
                    _ => Self::Document { doctype, name: rest },
                },
                None => Self::Doctype(rest),
            }),
            ("doctype", rest) => rest.split_once('/').map(|(doctype, _)| Self::Doctype(doctype)),
            _ => None,
        }
    }

    /// The segments of the first spelling.
    fn segments(self) -> Option<[Option<&'t str>; 4]> {
        match self {
            Self::Method(method) => Some([Some("api"), Some("method"), Some(method), None]),
            Self::Doctype(doctype) => Some([Some("api"), Some("resource"), Some(doctype), None]),
            Self::Document { doctype, name } | Self::DocumentMethod { doctype, name, by_post: true } => {
                Some([Some("api"), Some("resource"), Some(doctype), Some(name)])
            }
            Self::Controller { .. } | Self::DocumentMethod { by_post: false, .. } => None,
        }
    }
}

/// The names of a request that rules are matched against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'t> {
    /// The path, where ERPNext goes by it at all, and it says something else than `api` does.
    literal: Option<&'t Target<'t>>,
    /// What ERPNext's API does.
    pub(super) api: Option<Api<'t>>,
}

impl<'t> Names<'t> {
    /// The names of a path.
    pub(super) fn of_path(method: &Method, target: &'t Target<'t>) -> Self {
        let api = Api::of_path(method, target.path());
        // Mostly it is in the first spelling: each rule is to look at it once.
        let same = api.and_then(Api::segments).is_some_and(|api| api.into_iter().flatten().eq(target.segments()));
        Self { literal: Some(target).filter(|_| !same), api }
    }

    /// The names of what is done whatever the path is.
    pub(super) const fn of(api: Api<'t>) -> Self {
        Self { literal: None, api: Some(api) }
    }

    pub(super) fn matched_by(&self, pattern: &Pattern, letters: Letters) -> Option<Captures<'t>> {
        if let Some(Api::Controller { doctype, method }) = self.api
            && letters == Letters::Wide
            && pattern.method().is_some_and(|name| calls::is_beside(name, doctype, method))
        {
            return Some(Vec::new());
        }
        let api = self.api.and_then(Api::segments);
        let matched = api.and_then(|api| pattern.matches(api.into_iter().flatten(), letters));
        matched.or_else(|| pattern.matches(self.literal?.segments(), letters))
    }

    /// The method that is called, if it is the name of one.
    pub(super) const fn method(&self) -> Option<&'t str> {
        match self.api {
            Some(Api::Method(method)) => Some(method),
            _ => None,
        }
    }

    /// The name as an operator would write it.
    pub(super) fn describe(&self) -> String {
        let unknown = |name: &'t str| if name == UNKNOWN { "*" } else { name };
        match (self.api.and_then(Api::segments), self.literal) {
            (Some(segments), _) => segments
                .into_iter()
                .flatten()
                .fold(String::new(), |path, segment| format!("{path}/{}", unknown(segment))),
            (None, Some(target)) => target.path().to_owned(),
            (None, None) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_one_thing() {
        let called = |by_post| Api::DocumentMethod { doctype: "Item", name: "x", by_post };
        let document = Api::Document { doctype: "Sales Invoice", name: "A/1" };
        for (method, path, api) in [
            (Method::GET, "/api/resource/Item", Some(Api::Doctype("Item"))),
            (Method::POST, "/api/v1/resource/Item/", Some(Api::Doctype("Item"))),
            (Method::GET, "/api/v2/document/Item", Some(Api::Doctype("Item"))),
            (Method::GET, "/api/v2/doctype/Item/count", Some(Api::Doctype("Item"))),
            (Method::GET, "/api/resource/Sales Invoice/A/1", Some(document)),
            (Method::PUT, "/api/v2/document/Sales Invoice/A/1/", Some(document)),
            (Method::POST, "/api/resource/Item/x", Some(called(true))),
            (Method::GET, "/api/v2/document/Item/x/method/y", Some(called(false))),
            (
                Method::DELETE,
                "/api/v2/document/Item/x/method/y",
                Some(Api::Document { doctype: "Item", name: "x/method/y" }),
            ),
            (
                Method::GET,
                "/api/v2/document/Item/x/method/y/z",
                Some(Api::Document { doctype: "Item", name: "x/method/y/z" }),
            ),
            (Method::GET, "/api/method/a.b/c", Some(Api::Method("a.b"))),
            (Method::GET, "/api/v2/method/User/x", Some(Api::Controller { doctype: "User", method: "x" })),
            (
                Method::GET,
                "/api/v2/method/Bulk Update/submit_cancel_or_update_docs",
                Some(Api::Method("frappe.desk.doctype.bulk_update.bulk_update.submit_cancel_or_update_docs")),
            ),
            (Method::GET, "/app/item", None),
            (Method::GET, "/API/resource/Item", None),
        ] {
            assert_eq!(Api::of_path(&method, path), api, "{method} {path}");
        }
    }
}
