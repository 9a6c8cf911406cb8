//! Method and target in, route out: what the gateway serves itself, what it forwards and on which terms, what it refuses.
//! Pure: no IO, no clock, no log. Headers are not its business; of bodies, only the names of methods in them.
//!
//! Rules are tried in their order, the first that matches decides; without one, `auth` is `optional`. A `bearer` or
//! `deny` rule compares its literals without regard to letter case, since ERPNext's database does. As soon as any rule
//! names scopes, a token without the scope `all` may use only routes that a rule opens to it: ERPNext itself enforces no
//! scope, and every doctype can be reached by several methods. ERPNext runs a `cmd` in the query instead of what the path
//! names unless the body is JSON, so the rules are asked about both then.

mod body_scan;
mod endpoint;
mod pattern;
mod query;
mod rule;
mod target;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt};

use http::Method;

pub use body_scan::{BodyScan, ReservedValue};
pub use endpoint::{Endpoint, RESERVED_METHODS};
pub use query::Query;
pub use rule::Demand;
pub use target::{BadTarget, Target};

use self::{endpoint::Own, pattern::Names, rule::Rule};
use crate::config::{RouteAuth, RouteSettings};

/// The one method that ERPNext's realtime server calls with a `sid` in the query, through the public URL.
const USER_INFO_METHOD: &str = "frappe.realtime.get_user_info";
/// Takes a user name and a password, by GET too.
const LOGIN_METHOD: &str = "login";
/// Where ERPNext's login page posts `cmd=login`.
const LOGIN_PAGES: [&str; 2] = ["/", "/login"];

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
    /// `sid` in the query, which would make the request somebody else's: 400.
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

/// The rules, compiled.
#[derive(Clone, Debug)]
pub struct Router {
    rules: Vec<Rule>,
    scoped: bool,
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
            let scoped = rules.iter().any(Rule::names_scopes);
            Ok(Self { rules, scoped })
        } else {
            problems.sort_by_key(|problem| problem.index);
            Err(RouteProblems(problems))
        }
    }

    /// Where a request goes.
    #[must_use]
    pub fn route(&self, method: &Method, target: &Target<'_>) -> Route {
        match Endpoint::of_path(target.path()) {
            Own::Endpoint(endpoint) => return Route::Endpoint(endpoint),
            Own::Closed => return Route::Refuse(Refusal::Closed),
            Own::No => {}
        }
        match self.forwarded(method, target) {
            Ok(terms) => Route::Upstream(terms),
            Err(refusal) => Route::Refuse(refusal),
        }
    }

    fn forwarded(&self, method: &Method, target: &Target<'_>) -> Result<Terms, Refusal> {
        let path_names = Names::of_path(target);
        let cmd = called_method(target)?;
        let service = Service::of(target.path());
        let sid = target.query().has("sid");
        // On its way to the realtime server a `sid` is Engine.IO's own session.
        let sid_in_query = sid && service == Service::Web;
        if (sid && cmd.is_some()) || (sid_in_query && path_names.method() != Some(USER_INFO_METHOD)) {
            return Err(Refusal::SidInQuery);
        }
        // ERPNext logs in at the path whatever `cmd` says, and by `cmd` whatever the path is.
        let may_log_in = [cmd.as_deref(), path_names.method()].contains(&Some(LOGIN_METHOD))
            || (method == Method::POST && LOGIN_PAGES.contains(&target.path()));
        let (auth, demand, rule) = self.decide_all(method, &path_names, cmd.as_deref(), target)?;
        Ok(Terms { service, auth, demand, rule, sid_in_query, may_log_in })
    }

    /// The decision on the path, and on what the query says instead of it. With a JSON body ERPNext looks at the path and
    /// ignores the query, so that both must be met.
    fn decide_all(
        &self,
        method: &Method,
        path_names: &Names<'_>,
        cmd: Option<&str>,
        target: &Target<'_>,
    ) -> Result<(RouteAuth, Demand, Option<usize>), Refusal> {
        let by_path = self.decide(method, path_names);
        let instead = match cmd {
            _ if self.rules.is_empty() => None,
            Some(cmd) => Some(Names::of_method(cmd)),
            None => target.query().has("run_method").then(Names::of_doc_method),
        };
        let by_query = instead.map(|names| self.decide(method, &names));
        if by_path.0 == RouteAuth::Deny || by_query.as_ref().is_some_and(|decision| decision.0 == RouteAuth::Deny) {
            return Err(Refusal::Denied);
        }
        let Some((auth, demand, rule)) = by_query else { return Ok(by_path) };
        let auth = match (by_path.0, auth) {
            (RouteAuth::Bearer, _) | (_, RouteAuth::Bearer) => RouteAuth::Bearer,
            (RouteAuth::Pass, RouteAuth::Pass) => RouteAuth::Pass,
            _ => RouteAuth::Optional,
        };
        Ok((auth, by_path.1.and(demand), rule.or(by_path.2)))
    }

    fn decide(&self, method: &Method, names: &Names<'_>) -> (RouteAuth, Demand, Option<usize>) {
        let demands = self.rules.iter().enumerate().map(|(index, rule)| (index, rule, rule.demand(method, names)));
        for (index, rule, demand) in demands {
            if let Some(demand) = demand {
                return (rule.auth, demand, Some(index));
            }
        }
        (RouteAuth::Optional, if self.scoped { Demand::All } else { Demand::Nothing }, None)
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
