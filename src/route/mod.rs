//! Method and target in, route out: what the gateway serves itself, what it forwards and on which terms, what it refuses.
//! Pure: no IO, no clock, no log. Headers are not its business; of bodies, only the names of methods in them.
//!
//! Rules are tried in their order, the first that matches decides; without one, `auth` is `optional`. A rule
//! that asks for something compares its literals without regard to letter case, since ERPNext's database does. As soon as any rule
//! names scopes, a token without the scope `all` may use only routes that a rule opens to it: ERPNext itself enforces no
//! scope, and every doctype can be reached by several methods (`calls.rs`). ERPNext runs a `cmd` instead of what the path
//! names, so the rules are asked about both then (`decide.rs`).

mod body;
mod calls;
mod decide;
mod effect;
mod endpoint;
mod letters;
mod meaning;
mod names;
mod parameters;
mod pattern;
mod query;
mod rule;
mod target;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, cell::RefCell, fmt};

use http::Method;

pub use body::{BadContentType, BodyKind, BodyScan, Fields, Found, Seen, Unreadable};
pub use decide::Step;
pub use effect::may_write;
pub use endpoint::{Endpoint, RESERVED_METHODS};
pub use meaning::{Action, Opened, Subject};
pub use query::Query;
pub use rule::Demand;
pub use target::{BadTarget, Target};

use self::{
    decide::Asked,
    endpoint::Own,
    names::{Api, Names},
    parameters::Parameters,
    rule::Rule,
};
use crate::{
    config::{RouteAuth, RouteSettings},
    oauth::{Scope, Scopes},
};

/// The one method that ERPNext's realtime server calls with a `sid` in the query, through the public URL.
const USER_INFO_METHOD: &str = "frappe.realtime.get_user_info";
/// Takes a user name and a password, by GET too.
const LOGIN_METHOD: &str = "login";

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// To one of our endpoints.
    Endpoint(Endpoint),
    /// On to ERPNext, on these terms.
    Upstream(Terms),
    /// Nowhere.
    Refuse(Refusal),
}

/// On which terms a request is forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// To which server.
    pub service: Service,
    /// Whether it needs a bearer token, and what becomes of one. Never `Deny`.
    pub auth: RouteAuth,
    /// What the token's scopes must be.
    pub demand: Demand,
    /// The index of the rule that decided, if one did.
    pub rule: Option<usize>,
    /// The query names a login session (decision 8): a request that also carries a cookie is refused with 400, and the
    /// answer's `Set-Cookie` is removed.
    pub sid_in_query: bool,
    /// It may be a login with a password, as far as method, path and query tell.
    pub may_log_in: bool,
    /// What a body may still tell, where rules are asked.
    pub tells: Tells,
    /// Whether the path is a resource of its own (RFC 9728).
    pub resource: bool,
    /// Whether a rule says that it only reads, whatever its method.
    pub reads: bool,
}

/// What the parameters of a body may tell besides `cmd`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// Nothing that rules are about.
    Nothing,
    /// `method`: the method that takes an uploaded file.
    Method,
    /// Which documents the request is about.
    Documents,
}

/// The servers behind us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// ERPNext.
    Web,
    /// Its realtime server, under `/socket.io`.
    Realtime,
}

/// Why a request is refused by its target alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// `sid` in the query, which would make the request somebody else's, or a method named where none may be: 400.
    SidInQuery,
    /// Several `cmd` in the query: 400.
    AmbiguousMethod,
    /// `cmd` names a method of ERPNext's own OAuth: 403.
    ReservedMethod,
    /// A spelling of ERPNext's own OAuth that is not served: 404.
    Closed,
    /// A rule says `deny`: 403.
    Denied,
}

/// The rules in use. A reload puts others in their place; a request keeps to those that it began with.
pub type CurrentRouter = arc_swap::ArcSwap<Router>;

/// The rules, compiled.
#[derive(Clone, Debug)]
pub struct Router {
    rules: Vec<Rule>,
    /// Some rule names scopes.
    scoped: bool,
    /// Some rule's scopes are not met by `all`.
    strict: bool,
    /// Some rule may be about documents.
    about_documents: bool,
    /// Some rule may deny documents.
    denies_documents: bool,
}

/// Something wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteProblem {
    /// The index of the rule.
    pub index: usize,
    /// What is wrong.
    pub message: String,
}

/// All that is wrong with the rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct RouteProblems(pub Vec<RouteProblem>);

impl fmt::Display for RouteProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let apart = if index > 0 { "; " } else { "" };
            write!(f, "{apart}route[{}]: {}", problem.index, problem.message)?;
        }
        Ok(())
    }
}

impl Router {
    /// Compiles the rules.
    ///
    /// # Errors
    /// [`RouteProblems`] with everything that is wrong.
    pub fn new(routes: &[RouteSettings]) -> Result<Self, RouteProblems> {
        let mut problems = Vec::new();
        let compiled = routes.iter().enumerate().map(|(index, route)| Rule::new(index, route, &mut problems));
        let rules: Vec<Rule> = compiled.collect::<Vec<_>>().into_iter().flatten().collect();
        problems.extend(repeated(routes));
        if problems.is_empty() {
            let about_documents = |rule: &&Rule| rule.pattern.may_be_about_documents();
            Ok(Self {
                scoped: rules.iter().any(Rule::names_scopes),
                strict: rules.iter().any(|rule| rule.strict),
                about_documents: rules.iter().any(|rule| about_documents(&rule)),
                denies_documents: rules.iter().filter(about_documents).any(|rule| rule.auth == RouteAuth::Deny),
                rules,
            })
        } else {
            problems.sort_by_key(|problem| problem.index);
            Err(RouteProblems(problems))
        }
    }

    /// Where a request goes, as far as its method, path and query tell.
    #[must_use]
    pub fn route(&self, method: &Method, target: &Target<'_>) -> Route {
        self.route_with(method, target, None)
    }

    /// Where a request goes whose body has these parameters.
    #[must_use]
    pub fn route_with(&self, method: &Method, target: &Target<'_>, fields: Option<&Fields>) -> Route {
        let parameters = Parameters { query: target.query(), fields };
        self.routed(&Asked { method, target, parameters, trace: None })
    }

    /// Where a request goes, and which rules were asked about what.
    #[must_use]
    pub fn explain(&self, method: &Method, target: &Target<'_>) -> (Route, Vec<Step>) {
        let parameters = Parameters { query: target.query(), fields: None };
        let asked = Asked { method, target, parameters, trace: Some(RefCell::default()) };
        let route = self.routed(&asked);
        (route, asked.trace.map(RefCell::into_inner).unwrap_or_default())
    }

    /// Whether there are rules.
    #[must_use]
    pub const fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Whether the documents that a body tells of matter for a request with a token of these scopes, or without one.
    #[must_use]
    pub fn asks_for_documents(&self, scopes: Option<&Scopes>) -> bool {
        self.denies_documents
            || scopes.is_some_and(|scopes| if scopes.contains(Scope::ALL) { self.strict } else { self.scoped })
    }

    fn routed(&self, asked: &Asked<'_>) -> Route {
        match Endpoint::of_path(asked.target.path()) {
            Own::Endpoint(endpoint) => return Route::Endpoint(endpoint),
            Own::Closed => return Route::Refuse(Refusal::Closed),
            Own::No => {}
        }
        match self.forwarded(asked) {
            Ok(terms) => Route::Upstream(terms),
            Err(refusal) => Route::Refuse(refusal),
        }
    }

    fn forwarded(&self, asked: &Asked<'_>) -> Result<Terms, Refusal> {
        let (method, target) = (asked.method, asked.target);
        let names = Names::of_path(method, target);
        let cmd = called_method(target)?;
        let service = Service::of(target.path());
        let sid = target.query().has("sid");
        // On its way to the realtime server a `sid` is Engine.IO's own session.
        let sid_in_query = sid && service == Service::Web;
        // Where there is none, ERPNext itself answers on its path, and would run the method.
        let beside = sid || service == Service::Realtime;
        if (beside && cmd.is_some()) || (sid_in_query && names.method() != Some(USER_INFO_METHOD)) {
            return Err(Refusal::SidInQuery);
        }
        // ERPNext logs in at the path whatever `cmd` says, and by `cmd` whatever the path is.
        let may_log_in = [cmd.as_deref(), names.method()].contains(&Some(LOGIN_METHOD));
        let decided = self.decide(asked, cmd.as_deref())?;
        Ok(Terms {
            service,
            auth: decided.auth,
            demand: decided.demand,
            rule: decided.rule,
            resource: decided.rule.and_then(|index| self.rules.get(index)).is_some_and(|rule| rule.resource),
            reads: decided.reads,
            sid_in_query,
            may_log_in,
            tells: if self.has_rules() {
                Tells::of([names.api, cmd.as_deref().map(Api::Method)])
            } else {
                Tells::Nothing
            },
        })
    }
}

impl Tells {
    fn of(apis: [Option<Api<'_>>; 2]) -> Self {
        let mut tells = Self::Nothing;
        for api in apis.into_iter().flatten() {
            match api {
                Api::Method(method) if calls::is_upload(method) && tells == Self::Nothing => tells = Self::Method,
                Api::Method(method) if !calls::leads_on(method) => {}
                Api::Controller { .. } => {}
                Api::Method(_) | Api::Doctype(_) | Api::Document { .. } | Api::DocumentMethod { .. } => {
                    tells = Self::Documents;
                }
            }
        }
        tells
    }
}

impl Terms {
    /// The same, with any token: for a request whose body has yet to be read.
    #[must_use]
    pub fn with_any_token(&self) -> Self {
        Self { demand: Demand::Nothing, ..self.clone() }
    }
}

impl Service {
    fn of(path: &str) -> Self {
        match path.strip_prefix("/socket.io") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Self::Realtime,
            _ => Self::Web,
        }
    }
}

/// The method that `cmd` in the query names, which ERPNext runs whatever the path is. An empty one it ignores.
fn called_method<'t>(target: &Target<'t>) -> Result<Option<Cow<'t, str>>, Refusal> {
    let query = target.query();
    // Under any name: some of ERPNext's methods take the name of another one to run.
    if query.all_values().any(|value| endpoint::names_reserved(&value)) {
        return Err(Refusal::ReservedMethod);
    }
    let mut named = query.values("cmd").filter(|cmd| !cmd.is_empty());
    match (named.next(), named.next()) {
        (_, Some(_)) => Err(Refusal::AmbiguousMethod),
        (cmd, None) => Ok(cmd),
    }
}

fn repeated(routes: &[RouteSettings]) -> impl Iterator<Item = RouteProblem> {
    routes.iter().enumerate().filter_map(|(index, route)| {
        let same = |earlier: &RouteSettings| earlier.path == route.path && covers(earlier, route);
        let earlier = routes.iter().take(index).position(same)?;
        Some(RouteProblem { index, message: format!("route[{earlier}] has the same path and methods and comes first") })
    })
}

fn covers(earlier: &RouteSettings, later: &RouteSettings) -> bool {
    let all = |route: &RouteSettings| route.methods.is_empty();
    all(earlier) || (!all(later) && later.methods.iter().all(|method| earlier.methods.contains(method)))
}
