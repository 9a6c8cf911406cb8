//! What is wrong with a configuration: all of it at once, each with its place.

use std::{fmt, path::PathBuf};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, `client[2].redirect_uris[0]`; empty when the file as a whole is meant.
    pub path: String,
    /// The line in the file, from 1, where it can be known.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Everything that is wrong with a file, in the order of its lines. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The file; `None` when the text did not come from one.
    pub file: Option<PathBuf>,
    /// What is wrong with it.
    pub list: Vec<Problem>,
}

impl Problems {
    pub(super) fn new(mut list: Vec<Problem>) -> Self {
        // Needed keys of sections that are not there have no line: last.
        list.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        Self { file: None, list }
    }

    pub(super) fn whole_file(message: String) -> Self {
        Self::new(vec![Problem { path: String::new(), line: None, message }])
    }
}

/// One line each, numbered.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, noun) = (self.list.len(), if self.list.len() == 1 { "problem" } else { "problems" });
        match &self.file {
            Some(file) => write!(f, "{}: {count} {noun}", file.display())?,
            None => write!(f, "{count} {noun}")?,
        }
        for (index, problem) in self.list.iter().enumerate() {
            write!(f, "\n  {}. {problem}", index + 1)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
