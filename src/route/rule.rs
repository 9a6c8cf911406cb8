//! One `[[route]]` rule, compiled: what it matches and what it asks of a bearer token.

use std::sync::Arc;

use http::Method;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{
    RouteProblem,
    letters::Letters,
    names::Names,
    pattern::{Captures, Pattern},
};
use crate::{
    config::{RouteAuth, RouteSettings},
    oauth::{Scope, Scopes},
};

/// What a token's scopes must be for a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Any token will do.
    Nothing,
    /// Only a token of scope `all`: no rule opens the route to others, while some rules name scopes.
    All,
    /// All of these; where the rule is not strict, `all` stands for them.
    Scopes {
        /// The scopes, with the captured names filled in.
        needed: Arc<[String]>,
        /// Whether not even `all` will do instead.
        strict: bool,
    },
    /// What two decisions on one request demand.
    Both(Box<(Demand, Demand)>),
}

impl Demand {
    /// This demand and another one.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, demand) | (demand, Self::Nothing) => demand,
            (one, other) if one == other => one,
            (one, other) => Self::Both(Box::new((one, other))),
        }
    }

    /// Whether a token of these scopes will do.
    #[must_use]
    pub fn is_met_by(&self, scopes: &Scopes) -> bool {
        match self {
            Self::Nothing => true,
            Self::All => scopes.contains(Scope::ALL),
            Self::Scopes { needed, strict } => {
                (!strict && scopes.contains(Scope::ALL)) || needed.iter().all(|scope| scopes.contains(scope))
            }
            Self::Both(both) => both.0.is_met_by(scopes) && both.1.is_met_by(scopes),
        }
    }

    /// The scopes that would do, as the attribute `scope` of a challenge has them (RFC 6750 §3).
    #[must_use]
    pub fn challenge(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::All => Scope::ALL.to_owned(),
            Self::Scopes { needed, .. } => needed.join(" "),
            Self::Both(both) => format!("{} {}", both.0.challenge(), both.1.challenge()),
        }
    }
}

/// A compiled rule.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) pattern: Pattern,
    letters: Letters,
    pub(super) methods: Vec<Method>,
    pub(super) auth: RouteAuth,
    scopes: RuleScopes,
    pub(super) strict: bool,
    /// Whether an agent's request counts as a read, whatever its method.
    pub(super) reads: bool,
    pub(super) resource: bool,
}

#[derive(Clone, Debug)]
enum RuleScopes {
    /// Without captured names: ready.
    Fixed(Arc<[String]>),
    /// To be filled in.
    Templates(Vec<Vec<Part>>),
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    /// The capture of this index.
    Capture(usize),
    /// The capture of this index, a doctype.
    Doctype(usize),
}

impl Rule {
    /// Compiles a rule; what is wrong with it goes to `problems`.
    pub(super) fn new(index: usize, settings: &RouteSettings, problems: &mut Vec<RouteProblem>) -> Option<Self> {
        let before = problems.len();
        let mut problem = |message: String| problems.push(RouteProblem { index, message });
        let pattern = Pattern::parse(&settings.path).map_err(|what| problem(format!("path {what}"))).ok();
        if matches!(settings.auth, RouteAuth::Deny | RouteAuth::Pass) && !settings.scopes.is_empty() {
            problem("scopes are only checked with auth = \"bearer\" or \"optional\"".to_owned());
        }
        if settings.strict && settings.scopes.is_empty() {
            problem("strict needs scopes".to_owned());
        }
        let pattern = pattern?;
        if settings.reads && pattern.may_reach_documents() {
            problem("reads is for paths of which none is a document's: there a POST writes documents".to_owned());
        }
        let names: Vec<&str> = pattern.names().collect();
        let scopes: Vec<_> = settings
            .scopes
            .iter()
            .filter_map(|scope| template(scope, &pattern, &names).map_err(&mut problem).ok())
            .collect();
        (problems.len() == before).then(|| Self {
            letters: match settings.auth {
                RouteAuth::Deny => Letters::Wide,
                RouteAuth::Bearer => Letters::Folded,
                // It may keep something from a later rule that opens more.
                RouteAuth::Optional if !settings.scopes.is_empty() => Letters::Folded,
                RouteAuth::Optional | RouteAuth::Pass => Letters::Exact,
            },
            methods: settings.methods.clone(),
            auth: settings.auth,
            scopes: RuleScopes::new(scopes),
            strict: settings.strict,
            reads: settings.reads,
            resource: settings.resource,
            pattern,
        })
    }

    pub(super) fn names_scopes(&self) -> bool {
        match &self.scopes {
            RuleScopes::Fixed(scopes) => !scopes.is_empty(),
            RuleScopes::Templates(_) => true,
        }
    }

    /// Whether one of its scopes may be this one, and how.
    pub(super) fn filled_by<'s>(&self, scope: &'s str) -> Option<Filled<'s>> {
        match &self.scopes {
            RuleScopes::Fixed(scopes) => scopes.iter().any(|own| own == scope).then_some(Filled::Fixed),
            RuleScopes::Templates(templates) => templates.iter().find_map(|template| match template.as_slice() {
                [Part::Text(text)] => (text == scope).then_some(Filled::Fixed),
                [Part::Text(before), Part::Capture(_) | Part::Doctype(_)] => {
                    scope.strip_prefix(before.as_str()).filter(|name| !name.is_empty()).map(Filled::Name)
                }
                [Part::Text(before), Part::Capture(_) | Part::Doctype(_), Part::Text(after)] => scope
                    .strip_prefix(before.as_str())
                    .and_then(|rest| rest.strip_suffix(after.as_str()))
                    .filter(|name| !name.is_empty())
                    .map(Filled::Name),
                _ => None,
            }),
        }
    }

    /// What the rule demands, if it is about this request. A rule for GET is one for HEAD.
    pub(super) fn demand(&self, method: &Method, names: &Names<'_>) -> Option<Demand> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        if !self.methods.is_empty() && !self.methods.contains(method) {
            return None;
        }
        let captures = names.matched_by(&self.pattern, self.letters)?;
        let needed = self.scopes.filled(&captures);
        Some(if needed.is_empty() { Demand::Nothing } else { Demand::Scopes { needed, strict: self.strict } })
    }
}

/// How a scope comes from a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filled<'s> {
    /// It is written there.
    Fixed,
    /// This stands in it for what the path captures.
    Name(&'s str),
}

impl RuleScopes {
    fn new(templates: Vec<Vec<Part>>) -> Self {
        let fixed = |template: &Vec<Part>| match template.as_slice() {
            [Part::Text(text)] => Some(text.clone()),
            _ => None,
        };
        match templates.iter().map(fixed).collect::<Option<Arc<[String]>>>() {
            Some(scopes) => Self::Fixed(scopes),
            None => Self::Templates(templates),
        }
    }

    fn filled(&self, captures: &Captures<'_>) -> Arc<[String]> {
        match self {
            Self::Fixed(scopes) => Arc::clone(scopes),
            Self::Templates(templates) => templates.iter().map(|template| fill(template, captures)).collect(),
        }
    }
}

fn fill(template: &[Part], captures: &Captures<'_>) -> String {
    let mut scope = String::new();
    for part in template {
        match part {
            Part::Text(text) => scope.push_str(text),
            Part::Capture(index) => push_name(&mut scope, captures.get(*index).copied().unwrap_or_default()),
            Part::Doctype(index) => push_doctype(&mut scope, captures.get(*index).copied().unwrap_or_default()),
        }
    }
    scope
}

/// What a scope can't hold (RFC 6749 §3.3), and `%`. The rest of non-ASCII is encoded anyway.
const NOT_IN_SCOPE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'\\').add(b'%');

/// What a doctype can't hold in a scope: blanks are written `_` there.
const NOT_IN_DOCTYPE: &AsciiSet = &NOT_IN_SCOPE.remove(b' ').add(b'_');

/// A name inside a scope, percent-encoded where it must be.
fn push_name(scope: &mut String, name: &str) {
    scope.extend(utf8_percent_encode(name, NOT_IN_SCOPE));
}

/// A doctype as it stands in a scope: `Sales_Invoice`. Two doctypes never look alike: an underscore of the doctype's own
/// is written `%5F`.
pub(super) fn doctype_in_scope(doctype: &str) -> String {
    let mut scope = String::new();
    push_doctype(&mut scope, doctype);
    scope
}

fn push_doctype(scope: &mut String, doctype: &str) {
    for piece in utf8_percent_encode(doctype, NOT_IN_DOCTYPE) {
        scope.extend(piece.chars().map(|char| if char == ' ' { '_' } else { char }));
    }
}

fn template(scope: &str, pattern: &Pattern, names: &[&str]) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = scope;
    while let Some((text, tail)) = rest.split_once('{') {
        let Some((name, after)) = tail.split_once('}') else {
            return Err(format!("scope `{scope}` has a brace that is not closed"));
        };
        let Some(index) = names.iter().position(|known| *known == name) else {
            return Err(format!("scope `{scope}` names `{{{name}}}`, which the path does not capture"));
        };
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        let is_doctype = pattern.doctype() == Some(index);
        parts.push(if is_doctype { Part::Doctype(index) } else { Part::Capture(index) });
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest.to_owned()));
    }
    let sound = parts.iter().all(|part| match part {
        Part::Text(text) => Scope::parse(text).is_ok(),
        Part::Capture(_) | Part::Doctype(_) => true,
    });
    if sound && !parts.is_empty() { Ok(parts) } else { Err(format!("`{scope}` is no scope")) }
}
