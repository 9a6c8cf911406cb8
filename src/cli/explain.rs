//! `explain`: which rule decides on a request, and why.

use std::{io::Write, path::PathBuf};

use clap::Args;
use http::Method;
use serde_json::{Value, json};

use super::{DONE, REFUSED, WRONG_USAGE};
use crate::{
    config::{Config, RouteAuth, RouteSettings},
    oauth::Scopes,
    route::{Demand, Refusal, Route, Router, Service, Step, Target, Tells, Terms},
};

/// The arguments of `explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The request's method: GET, POST, …
    method: String,
    /// The request's path, with a query if it has one: parameters of a body may be written there, too
    path: String,
    /// The scopes of a token, with blanks between them: would it do?
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// The configuration file; without one there are no rules
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// For programs: one JSON object
    #[arg(long)]
    json: bool,
}

/// What becomes of the request.
struct Explanation {
    passes: bool,
    /// In a word.
    outcome: &'static str,
    /// In words.
    because: String,
    steps: Vec<Step>,
    terms: Option<Terms>,
    enough: Option<bool>,
}

/// Writes the explanation, and says how to exit.
pub(super) fn run(args: &ExplainArgs, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    match explain(args) {
        Ok((explanation, rules)) => {
            let text = if args.json { explanation.json(&rules).to_string() } else { explanation.text(args, &rules) };
            // Whoever closed the pipe wants no more of it; the exit code tells the rest.
            let _ = writeln!(out, "{text}");
            if explanation.passes { DONE } else { REFUSED }
        }
        Err(problem) => {
            let _ = writeln!(err, "{problem}");
            WRONG_USAGE
        }
    }
}

fn explain(args: &ExplainArgs) -> Result<(Explanation, Vec<RouteSettings>), String> {
    let capitals = !args.method.is_empty() && args.method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    let method = Method::from_bytes(args.method.as_bytes()).ok().filter(|_| capitals);
    let method = method.ok_or("write the method in capitals: GET, POST")?;
    let scopes = args.scope.as_deref().map(Scopes::parse).transpose();
    let scopes = scopes.map_err(|_| "--scope: scopes are visible ASCII characters, with blanks between them")?;
    let rules = match &args.config {
        Some(file) => Config::load(file).map_err(|problems| problems.to_string())?.route,
        None => Vec::new(),
    };
    let router = Router::new(&rules).map_err(|problems| problems.to_string())?;
    // As one writes it: a blank would end the target.
    let path = args.path.replace(' ', "%20");
    let target = match Target::parse(&path) {
        Ok(target) => target,
        Err(why) => return Ok((Explanation::refused(format!("400: {why}")), rules)),
    };
    let (route, steps) = router.explain(&method, &target);
    let mut explanation = match route {
        Route::Endpoint(endpoint) => Explanation {
            passes: true,
            outcome: "endpoint",
            because: format!("the gateway answers it itself: {}", endpoint.as_str()),
            ..Explanation::refused(String::new())
        },
        Route::Refuse(refusal) => Explanation::refused(refused(refusal).to_owned()),
        Route::Upstream(terms) => Explanation::forwarded(terms, scopes.as_ref()),
    };
    explanation.steps = steps;
    Ok((explanation, rules))
}

const fn refused(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::SidInQuery => "400: a login session must not be in the query",
        Refusal::AmbiguousMethod => "400: the query has more than one cmd",
        Refusal::ReservedMethod => "403: a parameter names a method of ERPNext's own OAuth",
        Refusal::Closed => "404: a spelling of ERPNext's own OAuth that is not served",
        Refusal::Denied => "403: a rule says deny",
    }
}

impl Explanation {
    const fn refused(because: String) -> Self {
        Self { passes: false, outcome: "refused", because, steps: Vec::new(), terms: None, enough: None }
    }

    fn forwarded(terms: Terms, scopes: Option<&Scopes>) -> Self {
        let enough = scopes.map(|scopes| terms.demand.is_met_by(scopes));
        let server = match terms.service {
            Service::Web => "ERPNext",
            Service::Realtime => "the realtime server",
        };
        let passes = enough != Some(false);
        Self {
            passes,
            outcome: if passes { "forwarded" } else { "refused" },
            because: if passes {
                format!("it goes to {server}")
            } else {
                "403: a token of these scopes is not enough".to_owned()
            },
            steps: Vec::new(),
            terms: Some(terms),
            enough,
        }
    }

    fn text(&self, args: &ExplainArgs, rules: &[RouteSettings]) -> String {
        let mut lines = vec![format!("{} {}: {}", args.method, args.path, self.because)];
        for step in &self.steps {
            let decided = match step.rule.and_then(|index| Some((index, rules.get(index)?))) {
                Some((index, rule)) => format!("route[{index}] decides: {}", written(rule)),
                None => "no rule is about it".to_owned(),
            };
            lines.push(format!("  {} {}: {decided}", step.method, step.name));
        }
        if let Some(terms) = &self.terms {
            lines.push(format!("  without a token: {}", without_token(terms.auth)));
            lines.push(format!("  of a token: {}", demanded(&terms.demand)));
            if let Some(hint) = hint(terms, rules) {
                lines.push(format!("  {hint}"));
            }
        }
        if let (Some(enough), Some(scope)) = (self.enough, &args.scope) {
            let verdict = if enough { "will do" } else { "will not do: 403 insufficient_scope" };
            lines.push(format!("  a token of scope \"{scope}\" {verdict}"));
        }
        lines.join("\n")
    }

    fn json(&self, rules: &[RouteSettings]) -> Value {
        let steps = self.steps.iter().map(|step| {
            let path = step.rule.and_then(|index| rules.get(index)).map(|rule| rule.path.as_str());
            json!({ "method": step.method.as_str(), "name": step.name, "rule": step.rule, "rule_path": path })
        });
        json!({
            "passes": self.passes,
            "outcome": self.outcome,
            "because": self.because,
            "asked": steps.collect::<Vec<_>>(),
            "auth": self.terms.as_ref().map(|terms| terms.auth.to_string()),
            "scope": self.terms.as_ref().map(|terms| terms.demand.challenge()),
            "all_suffices": self.terms.as_ref().map(|terms| Scopes::parse("all").is_ok_and(|all| terms.demand.is_met_by(&all))),
            "scope_suffices": self.enough,
        })
    }
}

/// A rule in a line.
fn written(rule: &RouteSettings) -> String {
    let methods: Vec<_> = rule.methods.iter().map(Method::as_str).collect();
    let methods = if methods.is_empty() { "every method".to_owned() } else { methods.join(", ") };
    let scopes = if rule.scopes.is_empty() { String::new() } else { format!(", scopes {}", rule.scopes.join(" ")) };
    let strict = if rule.strict { ", strict" } else { "" };
    let reads = if rule.reads { ", reads" } else { "" };
    let resource = if rule.resource { ", a resource of its own" } else { "" };
    format!("{} ({methods}), auth {}{scopes}{strict}{reads}{resource}", rule.path, rule.auth)
}

const fn without_token(auth: RouteAuth) -> &'static str {
    match auth {
        RouteAuth::Bearer => "401",
        RouteAuth::Optional | RouteAuth::Pass => "it goes on with its cookies or other credentials",
        RouteAuth::Deny => "403",
    }
}

fn demanded(demand: &Demand) -> String {
    match demand {
        Demand::Nothing => "any scope will do".to_owned(),
        Demand::All => "the scope all is needed: no rule opens this to other scopes".to_owned(),
        Demand::Scopes { needed, strict: true } => {
            format!("{} is needed, and all does not stand for it", needed.join(" "))
        }
        Demand::Scopes { needed, strict: false } => format!("{} or all is needed", needed.join(" ")),
        Demand::Both(both) => format!("{}; and {}", demanded(&both.0), demanded(&both.1)),
    }
}

fn hint(terms: &Terms, rules: &[RouteSettings]) -> Option<&'static str> {
    if rules.is_empty() {
        return Some("there are no rules");
    }
    match terms.tells {
        Tells::Documents => Some("what the parameters of a body say counts too: write them in the query to see"),
        Tells::Method | Tells::Nothing => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    const CONFIG: &str = "server.public_url = \"https://erp.example.com\"\nerpnext.api_key = \"k:s\"\n\
        [[route]]\npath = \"/api/resource/{doctype}\"\nmethods = [\"GET\"]\nauth = \"bearer\"\nscopes = [\"read:{doctype}\"]\n\
        [[route]]\npath = \"/api/resource/Role/**\"\nauth = \"deny\"\n";

    fn explained(arguments: &[&str]) -> (u8, String, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("gateway.toml");
        fs::write(&file, CONFIG).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("permissions");
        let config = format!("--config={}", file.display());
        let all = ["empress-gateway", "explain"].into_iter().chain(arguments.iter().copied()).chain([config.as_str()]);
        let Command::Explain(args) = Cli::try_parse_from(all).expect("good arguments").command else {
            panic!("the arguments name explain");
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(&args, &mut out, &mut err);
        (code, String::from_utf8(out).expect("text"), String::from_utf8(err).expect("text"))
    }

    #[test]
    fn a_request_is_explained_with_its_rule_and_what_a_token_needs() {
        let target = "/api/resource/Sales%20Invoice";
        let (code, out, _) = explained(&["GET", target, "--scope", "read:Sales_Invoice"]);
        assert_eq!(code, DONE, "{out}");
        assert!(
            out.contains("GET /api/resource/Sales Invoice: route[0] decides: /api/resource/{doctype} (GET)"),
            "{out}"
        );
        assert!(out.contains("read:Sales_Invoice or all is needed"), "{out}");
        let (code, _, _) = explained(&["GET", "/api/resource/Sales Invoice", "--scope", "read:Sales_Invoice"]);
        assert_eq!(code, DONE);
        let (code, out, _) = explained(&["GET", target, "--scope", "read:Customer openid"]);
        assert_eq!(code, REFUSED, "{out}");
        assert!(out.contains("will not do: 403 insufficient_scope"), "{out}");
    }

    #[test]
    fn calls_refusals_and_endpoints_are_explained() {
        let call = "/api/method/frappe.client.get_list?doctype=Customer";
        let (code, out, _) = explained(&["POST", call, "--scope", "read:Customer"]);
        assert_eq!(code, DONE, "{out}");
        assert!(out.contains("GET /api/resource/Customer: route[0] decides"), "{out}");
        for (target, code, part) in [
            ("/api/method/frappe.client.get?doctype=Role&name=x", REFUSED, "a rule says deny"),
            ("/?cmd=frappe.integrations.oauth2.get_token", REFUSED, "403: a parameter names"),
            ("/api/method/frappe.integrations.oauth2.get_token/x", REFUSED, "404: a spelling"),
            ("/assets/..%2fapi", REFUSED, "400: the path has a dot segment"),
            ("/app?sid=x", REFUSED, "400: a login session"),
            ("/api/method/frappe.integrations.oauth2.get_token", DONE, "answers it itself: token"),
            ("/app", DONE, "the scope all is needed"),
        ] {
            let (exit, out, _) = explained(&["GET", target]);
            assert_eq!(exit, code, "{target}: {out}");
            assert!(out.contains(part), "{target}: {out}");
        }
    }

    #[test]
    fn programs_get_one_object() {
        let (code, out, _) = explained(&["GET", "/api/resource/Item", "--scope", "openid", "--json"]);
        let object: Value = serde_json::from_str(&out).expect("JSON");
        assert_eq!(code, REFUSED);
        assert_eq!((&object["passes"], &object["scope_suffices"]), (&json!(false), &json!(false)));
        assert_eq!((&object["scope"], &object["all_suffices"]), (&json!("read:Item"), &json!(true)));
        assert_eq!(object["asked"][0]["rule"], 0);
    }

    #[test]
    fn wrong_usage_says_what_to_write() {
        let (code, _, err) = explained(&["get", "/"]);
        assert_eq!(code, WRONG_USAGE);
        assert!(err.contains("in capitals"), "{err}");
        let (code, _, err) = explained(&["GET", "/", "--scope", "a\"b"]);
        assert_eq!(code, WRONG_USAGE, "{err}");
    }
}
