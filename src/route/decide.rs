//! What the rules say of one request: of its path, of the method that `cmd` names instead, and of the documents that a
//! call leads to. All that may be done must be allowed.

use std::cell::RefCell;

use http::Method;
use serde_json::Value;

use super::{
    Demand, Refusal, Router, Target,
    calls::{self, Document, Elsewhere, Name, Reached},
    names::{Api, Names, UNKNOWN},
    parameters::Parameters,
};
use crate::config::RouteAuth;

/// What ERPNext calls when a method of a document is asked for.
const RUN_DOC_METHOD: &str = "run_doc_method";
/// A name in a query or a body that has more bytes is not looked at but denied: ERPNext has none of more than 140 letters,
/// while letters that the database does not see could make one as long as a body may be.
const LONGEST_NAME: usize = 4096;

/// A request that is decided on.
pub(super) struct Asked<'a> {
    pub(super) method: &'a Method,
    pub(super) target: &'a Target<'a>,
    pub(super) parameters: Parameters<'a>,
    /// For an operator who wants to know: each name that rules were asked about.
    pub(super) trace: Option<RefCell<Vec<Step>>>,
}

/// A name that rules were asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The HTTP method that it stands for.
    pub method: Method,
    /// The name, in the first spelling.
    pub name: String,
    /// The index of the rule that is about it, if one is.
    pub rule: Option<usize>,
}

/// What the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decided {
    pub(super) auth: RouteAuth,
    pub(super) demand: Demand,
    pub(super) rule: Option<usize>,
    /// Whether rules say of all of it that it only reads.
    pub(super) reads: bool,
}

/// Says nothing beside another decision.
const ANYTHING: Decided = Decided { auth: RouteAuth::Pass, demand: Demand::Nothing, rule: None, reads: true };

impl Decided {
    /// This and another one: both must be met.
    fn and(self, other: Self) -> Self {
        let auth = match (self.auth, other.auth) {
            (RouteAuth::Deny, _) | (_, RouteAuth::Deny) => RouteAuth::Deny,
            (RouteAuth::Bearer, _) | (_, RouteAuth::Bearer) => RouteAuth::Bearer,
            (RouteAuth::Pass, RouteAuth::Pass) => RouteAuth::Pass,
            _ => RouteAuth::Optional,
        };
        Self {
            auth,
            demand: self.demand.and(other.demand),
            rule: other.rule.or(self.rule),
            reads: self.reads && other.reads,
        }
    }

    /// The same for something that the request leads to: Desk does so with cookies, so that no token is asked for.
    fn of_reached(self) -> Self {
        let auth = if self.auth == RouteAuth::Deny { RouteAuth::Deny } else { RouteAuth::Optional };
        Self { auth, ..self }
    }
}

impl Router {
    /// What the rules say of a request, with what `cmd` in its query and its body names besides what its path does.
    ///
    /// # Errors
    /// [`Refusal::Denied`]
    pub(super) fn decide(&self, asked: &Asked<'_>, cmd: Option<&str>) -> Result<Decided, Refusal> {
        if self.rules.is_empty() {
            return Ok(self.default_decision());
        }
        let mut decided = self.by_path(asked)?;
        if let Some(cmd) = cmd {
            let cmd = comparable(cmd)?;
            decided = decided.and(self.by_method(asked, Names::of(Api::Method(cmd)), cmd)?);
        }
        let named_in_body = asked.parameters.fields.into_iter().flat_map(|fields| fields.values("cmd"));
        for cmd in named_in_body.filter_map(Value::as_str).filter(|cmd| !cmd.is_empty()) {
            let cmd = comparable(cmd)?;
            decided = decided.and(self.by_method(asked, Names::of(Api::Method(cmd)), cmd)?);
        }
        if decided.auth == RouteAuth::Deny { Err(Refusal::Denied) } else { Ok(decided) }
    }

    fn by_path(&self, asked: &Asked<'_>) -> Result<Decided, Refusal> {
        let names = Names::of_path(asked.method, asked.target);
        match names.api {
            Some(Api::Method(method)) => self.by_method(asked, names, method),
            Some(Api::Document { doctype, name }) if asked.parameters.has("run_method") => {
                let own = self.or_default(self.first(asked, asked.method, &names));
                Ok(own.and(self.by_document_method(asked, doctype, name)?))
            }
            Some(Api::DocumentMethod { doctype, name, .. }) => {
                let called = self.by_document_method(asked, doctype, name)?;
                let own = self.first(asked, asked.method, &names);
                Ok(own.unwrap_or(ANYTHING).and(called))
            }
            Some(Api::Document { doctype, name }) => self.by_write(asked, &names, doctype, Some(name)),
            Some(Api::Doctype(doctype)) => self.by_write(asked, &names, doctype, None),
            Some(Api::Controller { .. }) | None => Ok(self.or_default(self.first(asked, asked.method, &names))),
        }
    }

    /// A write says in its body what is written, and may mean another document than the path names.
    fn by_write(
        &self,
        asked: &Asked<'_>,
        names: &Names<'_>,
        doctype: &str,
        name: Option<&str>,
    ) -> Result<Decided, Refusal> {
        let own = self.or_default(self.first(asked, asked.method, names));
        if ![Method::POST, Method::PUT, Method::PATCH].contains(asked.method) {
            return Ok(own);
        }
        let mut reached = Reached::default();
        match (asked.parameters.documents(), name) {
            (Ok(documents), Some(name)) => {
                for document in &documents {
                    reached.add_changed(document, Some((doctype, name)));
                }
            }
            // Of a new document ERPNext drops the doctype.
            (Ok(documents), None) => {
                for document in &documents {
                    reached.add_parent(document);
                }
            }
            (Err(()), _) => reached.else_where = Elsewhere::Unreadable,
        }
        Ok(own.and(self.by_documents(asked, &reached)?))
    }

    fn by_document_method(&self, asked: &Asked<'_>, doctype: &str, name: &str) -> Result<Decided, Refusal> {
        let document =
            Document { method: Method::PUT, doctype: doctype.to_owned(), name: Name::Known(name.to_owned()) };
        let reached = Reached { documents: vec![document], ..Reached::default() };
        self.by_call(asked, Names::of(Api::Method(RUN_DOC_METHOD)), &reached)
    }

    fn by_method(&self, asked: &Asked<'_>, names: Names<'_>, method: &str) -> Result<Decided, Refusal> {
        match calls::reached(method, &asked.parameters) {
            Some(reached) => self.by_call(asked, names, &reached),
            None => Ok(self.or_default(self.first(asked, asked.method, &names))),
        }
    }

    /// A call stands under its own name, and under those of the documents that it leads to. Both must allow it, where
    /// there are rules for both.
    fn by_call(&self, asked: &Asked<'_>, names: Names<'_>, reached: &Reached) -> Result<Decided, Refusal> {
        let own = self.first(asked, asked.method, &names);
        let leads_on = !reached.documents.is_empty() || reached.else_where != Elsewhere::No;
        let documents = self.by_documents(asked, reached)?;
        let decided = match own {
            // That what is reached is only read says nothing of what else the call does.
            None if leads_on => Decided { reads: false, ..documents },
            None => self.default_decision(),
            Some(own) if self.about_documents => own.and(documents),
            Some(own) => own,
        };
        reached.methods.iter().try_fold(decided, |decided, method| {
            let names = Names::of(Api::Method(comparable(method)?));
            Ok(decided.and(self.or_default(self.first(asked, asked.method, &names)).of_reached()))
        })
    }

    /// What the rules say of all documents that are reached.
    fn by_documents(&self, asked: &Asked<'_>, reached: &Reached) -> Result<Decided, Refusal> {
        let decided = reached.documents.iter().try_fold(ANYTHING, |decided, document| {
            let name = match &document.name {
                Name::None => None,
                Name::Known(name) => Some(comparable(name)?),
                Name::Unknown => Some(UNKNOWN),
            };
            let doctype = comparable(&document.doctype)?;
            let api = name.map_or(Api::Doctype(doctype), |name| Api::Document { doctype, name });
            let reached = self.or_default(self.first(asked, &document.method, &Names::of(api))).of_reached();
            let reads = reached.reads || document.method == Method::GET;
            Ok(decided.and(Decided { reads, ..reached }))
        })?;
        match reached.else_where {
            Elsewhere::No => Ok(decided),
            Elsewhere::Unreadable if self.denies_documents => Err(Refusal::Denied),
            Elsewhere::Unclear | Elsewhere::Unreadable => Ok(decided.and(self.default_decision())),
        }
    }

    /// What the first rule that is about this says.
    fn first(&self, asked: &Asked<'_>, method: &Method, names: &Names<'_>) -> Option<Decided> {
        let mut found = self.rules.iter().enumerate().map(|(index, rule)| (index, rule, rule.demand(method, names)));
        let found = found.find_map(|(index, rule, demand)| Some((index, rule, demand?)));
        if let Some(trace) = &asked.trace {
            let rule = found.as_ref().map(|(index, ..)| *index);
            trace.borrow_mut().push(Step { method: method.clone(), name: names.describe(), rule });
        }
        found.map(|(index, rule, demand)| Decided { auth: rule.auth, demand, rule: Some(index), reads: rule.reads })
    }

    /// Without a rule: as soon as any rule names scopes, only `all` will do.
    fn default_decision(&self) -> Decided {
        let demand = if self.scoped { Demand::All } else { Demand::Nothing };
        Decided { auth: RouteAuth::Optional, demand, rule: None, reads: false }
    }

    fn or_default(&self, found: Option<Decided>) -> Decided {
        found.unwrap_or_else(|| self.default_decision())
    }
}

/// A name that is short enough to be compared.
const fn comparable(name: &str) -> Result<&str, Refusal> {
    if name.len() > LONGEST_NAME { Err(Refusal::Denied) } else { Ok(name) }
}
