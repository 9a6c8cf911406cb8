//! What a scope means, in words.

use fluent_bundle::{FluentArgs, FluentValue};

use super::Texts;
use crate::{
    oauth::Scope,
    route::{Action, Opened, Subject},
};

impl Texts {
    /// What a scope means. `by_family`: claims need scopes of their own, besides `openid`. `opened`: what the rules say
    /// that it opens.
    pub(in crate::endpoints) fn meaning(&self, scope: &str, site: &str, by_family: bool, opened: &[Opened]) -> String {
        let opened = self.opened(opened);
        let known = match scope {
            Scope::ALL => Some(self.with("scope-all", &[("site", site)])),
            Scope::ERP_READ => Some(self.with("scope-erp-read", &[("site", site)])),
            Scope::ERP_WRITE => Some(self.with("scope-erp-write", &[("site", site)])),
            Scope::OPENID if by_family => Some(self.say("scope-identity")),
            Scope::OPENID => Some(self.say("scope-openid")),
            "profile" => Some(self.say("scope-profile")),
            "email" => Some(self.say("scope-email")),
            "phone" => Some(self.say("scope-phone")),
            "address" => Some(self.say("scope-address")),
            "roles" => Some(self.say("scope-roles")),
            Scope::OFFLINE_ACCESS => Some(self.say("scope-offline")),
            _ => None,
        };
        match (known, opened) {
            (Some(words), Some(opened)) if scope != Scope::ALL => self.pair("phrases", &words, &opened),
            (Some(words), _) => words,
            (None, Some(opened)) => opened,
            (None, None) => self.with("scope-other", &[("scope", scope)]),
        }
    }

    /// What the rules say that a scope opens; `None` where they don't.
    pub(super) fn opened(&self, opened: &[Opened]) -> Option<String> {
        let phrases = opened.iter().map(|opened| {
            let actions: Vec<_> = opened.actions.iter().map(|action| self.action(*action)).collect();
            let actions = self.listed(actions);
            match &opened.subject {
                Subject::Doctype(name) => self.with("documents", &[("actions", &actions), ("doctype", name)]),
                Subject::Documents => {
                    self.with("documents", &[("actions", &actions), ("doctype", &self.say("all-documents"))])
                }
                Subject::Method(name) => self.with("call", &[("method", name)]),
            }
        });
        phrases.reduce(|all, next| self.pair("phrases", &all, &next))
    }

    fn action(&self, action: Action) -> String {
        self.say(match action {
            Action::Read => "read",
            Action::Create => "create",
            Action::Change => "change",
            Action::Delete => "delete",
        })
    }

    /// `a, b and c`
    fn listed(&self, mut words: Vec<String>) -> String {
        let last = words.pop().unwrap_or_default();
        match words.into_iter().reduce(|all, next| self.pair("list-next", &all, &next)) {
            Some(first) => self.pair("list-last", &first, &last),
            None => last,
        }
    }

    /// Two of our own texts, which keep the marks that they have.
    fn pair(&self, name: &str, first: &str, second: &str) -> String {
        let values = [("first", FluentValue::from(first)), ("second", FluentValue::from(second))];
        self.format(name, Some(&FluentArgs::from_iter(values)))
    }
}
