//! What the checks of the sections find in a document whose keys have their types.

use std::time::Duration;

use super::{document::Document, problem::Problem};

/// Collects problems, each with its line; keeps quiet about what follows from a problem that is already known.
pub(super) struct Findings<'a> {
    document: &'a Document,
    problems: Vec<Problem>,
}

impl<'a> Findings<'a> {
    pub(super) const fn new(document: &'a Document, problems: Vec<Problem>) -> Self {
        Self { document, problems }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Whether the text itself has the key.
    pub(super) fn has(&self, path: &str) -> bool {
        self.document.has(path)
    }

    /// Whether nothing is wrong with these keys, within them, or with what they are in.
    pub(super) fn sound(&self, paths: &[&str]) -> bool {
        let touches =
            |path: &str| self.problems.iter().any(|known| is_within(&known.path, path) || is_within(path, &known.path));
        !paths.iter().any(|path| touches(path))
    }

    /// Adds a problem of the key, unless there is one already.
    pub(super) fn add(&mut self, path: &str, message: impl Into<String>) {
        if self.sound(&[path]) {
            let line = self.document.line(path);
            self.problems.push(Problem { path: path.to_owned(), line, message: message.into() });
        }
    }

    /// The key must be in the text.
    pub(super) fn needed(&mut self, path: &str, what: &str) {
        if !self.has(path) {
            self.add(path, format!("needed: {what}"));
        }
    }

    /// The key is of a feature that does not exist yet.
    pub(super) fn not_built(&mut self, path: &str, what: &str) {
        self.add(path, format!("not built yet: {what}"));
    }

    /// The text must be a host.
    pub(super) fn host(&mut self, path: &str, host: &str) {
        if host.is_empty() || host.contains(['/', ':', '@', '*', ' ']) && !host.starts_with('[') {
            self.add(path, "write a host as it stands in a URI, without scheme, port and path: \"app.example.com\"");
        }
    }

    /// The time must not be nothing.
    pub(super) fn above_zero(&mut self, path: &str, time: Duration) {
        if time.is_zero() {
            self.add(path, "must be more than nothing");
        }
    }

    /// The time goes to peers in seconds.
    pub(super) fn whole_seconds(&mut self, path: &str, time: Duration) {
        if time.is_zero() || time.subsec_nanos() != 0 {
            self.add(path, "must be whole seconds, at least \"1s\"");
        }
    }
}

/// Whether the key is `outer` or within it.
fn is_within(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
