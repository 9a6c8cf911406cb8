//! What a scope opens by the rules, so that the consent page can say it in words.

use http::Method;
use percent_encoding::percent_decode_str;

use super::{
    Router,
    pattern::Subject as PatternSubject,
    rule::{Filled, Rule, doctype_in_scope},
};
use crate::config::RouteAuth;

/// What a scope opens of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Of what.
    pub subject: Subject,
    /// Each once; those of documents in the order of the rules.
    pub actions: Vec<Action>,
}

/// A thing that a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The documents of this doctype.
    Doctype(String),
    /// All documents.
    Documents,
    /// The method of this name.
    Method(String),
}

/// What may be done with documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To read them.
    Read,
    /// To make them.
    Create,
    /// To change them.
    Change,
    /// To delete them.
    Delete,
}

impl Router {
    /// What a scope opens; empty where the rules do not say it in terms of documents and methods.
    #[must_use]
    pub fn opened_by(&self, scope: &str) -> Vec<Opened> {
        let mut opened: Vec<Opened> = Vec::new();
        for rule in self.rules.iter().filter(|rule| matches!(rule.auth, RouteAuth::Bearer | RouteAuth::Optional)) {
            let Some(filled) = rule.filled_by(scope) else { continue };
            let Some(subject) = subject(rule, filled) else { return Vec::new() };
            let at = opened.iter().position(|known| known.subject == subject).unwrap_or_else(|| {
                opened.push(Opened { subject, actions: Vec::new() });
                opened.len() - 1
            });
            if let Some(known) = opened.get_mut(at) {
                let new: Vec<_> = actions(rule).into_iter().filter(|action| !known.actions.contains(action)).collect();
                known.actions.extend(new);
            }
        }
        opened
    }
}

/// What a rule is about, with what the scope has in the place of the captured name.
fn subject(rule: &Rule, filled: Filled<'_>) -> Option<Subject> {
    match (rule.pattern.subject()?, filled) {
        (PatternSubject::Doctype(Some(doctype)), Filled::Fixed) => Some(Subject::Doctype(doctype.to_owned())),
        (PatternSubject::Doctype(None), Filled::Fixed) => Some(Subject::Documents),
        (PatternSubject::Doctype(None), Filled::Name(captured)) => {
            let doctype = percent_decode_str(&captured.replace('_', " ")).decode_utf8().ok()?.into_owned();
            // A scope that no doctype is written as opens none.
            (doctype_in_scope(&doctype) == captured).then_some(Subject::Doctype(doctype))
        }
        (PatternSubject::Method(Some(method)), Filled::Fixed) => Some(Subject::Method(method.to_owned())),
        (PatternSubject::Method(None), Filled::Name(captured)) => {
            Some(Subject::Method(percent_decode_str(captured).decode_utf8().ok()?.into_owned()))
        }
        (PatternSubject::Doctype(Some(_)), Filled::Name(_)) | (PatternSubject::Method(_), _) => None,
    }
}

fn actions(rule: &Rule) -> Vec<Action> {
    if rule.methods.is_empty() {
        return vec![Action::Read, Action::Create, Action::Change, Action::Delete];
    }
    let mut actions = Vec::new();
    for method in &rule.methods {
        let action = match *method {
            Method::GET | Method::HEAD => Action::Read,
            Method::POST if rule.pattern.is_about_one_document() => Action::Change,
            Method::POST => Action::Create,
            Method::DELETE => Action::Delete,
            _ => Action::Change,
        };
        if !actions.contains(&action) {
            actions.push(action);
        }
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RouteSettings;

    fn router(rules: &[(&str, &[Method], &str)]) -> Router {
        let rules = rules.iter().map(|(path, methods, scope)| RouteSettings {
            path: (*path).to_owned(),
            methods: methods.to_vec(),
            auth: RouteAuth::Bearer,
            scopes: vec![(*scope).to_owned()],
            strict: false,
            reads: false,
            resource: false,
        });
        Router::new(&rules.collect::<Vec<_>>()).expect("good rules")
    }

    fn doctype(name: &str, actions: &[Action]) -> Opened {
        Opened { subject: Subject::Doctype(name.to_owned()), actions: actions.to_vec() }
    }

    #[test]
    fn a_scope_with_a_doctype_opens_what_its_rules_are_about() {
        let router = router(&[
            ("/api/resource/{doctype}", &[Method::GET], "read:{doctype}"),
            ("/api/resource/{doctype}/{name}", &[Method::GET], "read:{doctype}"),
            ("/api/resource/{doctype}", &[Method::POST], "write:{doctype}"),
            ("/api/resource/{doctype}/{name}", &[Method::PUT, Method::POST], "write:{doctype}"),
        ]);
        assert_eq!(router.opened_by("read:Sales_Invoice"), [doctype("Sales Invoice", &[Action::Read])]);
        assert_eq!(router.opened_by("write:My%5FType"), [doctype("My_Type", &[Action::Create, Action::Change])]);
        assert_eq!(router.opened_by("read:"), []);
        assert_eq!(router.opened_by("read:a%20b"), []);
        assert_eq!(router.opened_by("other"), []);
    }

    #[test]
    fn a_scope_of_the_operators_own_opens_all_that_its_rules_name() {
        let router = router(&[
            ("/api/resource/Customer/**", &[Method::GET], "crm"),
            ("/api/resource/Address", &[], "crm"),
            ("/api/method/shop.sync", &[], "crm"),
            ("/api/method/{m}", &[], "call:{m}"),
            ("/reports/**", &[], "reports"),
            ("/api/resource/**", &[Method::GET], "read"),
        ]);
        let all = [Action::Read, Action::Create, Action::Change, Action::Delete];
        let opened = router.opened_by("crm");
        assert_eq!(opened[..2], [doctype("Customer", &[Action::Read]), doctype("Address", &all)]);
        assert_eq!(opened[2].subject, Subject::Method("shop.sync".to_owned()));
        assert_eq!(router.opened_by("call:a.b_c")[0].subject, Subject::Method("a.b_c".to_owned()));
        assert_eq!(router.opened_by("reports"), []);
        assert_eq!(router.opened_by("read"), [Opened { subject: Subject::Documents, actions: vec![Action::Read] }]);
    }
}
