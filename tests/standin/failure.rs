//! How the stand-in can be made to fail, and for which requests.

use std::time::Duration;

/// One way in which ERPNext can be ill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The listener is closed and every connection cut: new ones are refused. Always for all paths.
    Refuse,
    /// The connection is closed without an answer. For all paths: as soon as it is accepted.
    CloseAtOnce,
    /// An answer with this status and a short HTML page, as a proxy or gunicorn gives it.
    Status(u16),
    /// The request is read and never answered.
    Hang,
    /// The right answer, so much later.
    Delay(Duration),
    /// Bytes that are no HTTP, then the connection is closed.
    Garbage,
    /// Head and half of the body, then the connection is closed.
    CloseMidBody,
}

/// A failure, where it applies and how often it still does.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// Part of the request target; `None` is every request.
    pub(super) part: Option<String>,
    pub(super) failure: Failure,
    /// `None` is for ever.
    pub(super) left: Option<usize>,
}

/// The failures now in force, the latest first.
#[derive(Debug, Default)]
pub(super) struct Failures {
    rules: Vec<Rule>,
}

impl Failures {
    pub(super) fn add(&mut self, rule: Rule) {
        self.rules.insert(0, rule);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Whether every connection is to be closed when it is accepted.
    pub(super) fn close_all(&self) -> bool {
        self.rules.iter().any(|rule| rule.part.is_none() && rule.failure == Failure::CloseAtOnce && rule.left.is_none())
    }

    /// The failure for a request with this target; uses up one of a counted rule.
    pub(super) fn take(&mut self, target: &str) -> Option<Failure> {
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.left != Some(0) && rule.part.as_deref().is_none_or(|part| target.contains(part)))?;
        if let Some(left) = &mut rule.left {
            *left -= 1;
        }
        Some(rule.failure.clone())
    }
}
