//! `[[route]]`: which requests need a token, and with which scopes.

use std::fmt;

use http::Method;
use serde::{Deserialize, Deserializer, de::Error};

use super::findings::Findings;

/// `[[route]]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RouteSettings {
    /// The path's pattern: `/api/resource/{doctype}`. Needed.
    pub path: String,
    /// The methods that it holds for. Default none named: all.
    #[serde(deserialize_with = "methods")]
    pub methods: Vec<Method>,
    /// What is asked of the request. Default `optional`, as where no route matches.
    pub auth: RouteAuth,
    /// Scopes that the token needs, all of them; they may use the pattern's names: `read:{doctype}`. Default none.
    pub scopes: Vec<String>,
    /// Whether the scope `all` does not stand for these scopes. Default false.
    pub strict: bool,
    /// Whether the path is a resource of its own (RFC 9728): who is refused here is told of metadata that name it alone. Default
    /// false: they name the whole site.
    pub resource: bool,
    /// Whether requests of agents on this path count as reads, whatever their method. Default false: a GET reads, anything
    /// else writes.
    pub reads: bool,
}

/// What is asked of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteAuth {
    /// A bearer token.
    Bearer,
    /// A bearer token is checked when there is one.
    #[default]
    Optional,
    /// Nobody may.
    Deny,
    /// `Authorization` and cookies go on unchanged (decision 12).
    Pass,
}

impl fmt::Display for RouteAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer => "bearer",
            Self::Optional => "optional",
            Self::Deny => "deny",
            Self::Pass => "pass",
        })
    }
}

fn methods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Method>, D::Error> {
    let parse = |text: &String| {
        let upper = !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
        Method::from_bytes(text.as_bytes()).ok().filter(|_| upper)
    };
    let texts = Vec::<String>::deserialize(deserializer)?;
    let methods: Option<_> = texts.iter().map(parse).collect();
    methods.ok_or_else(|| D::Error::custom("write a method in capitals: \"GET\", \"POST\""))
}

impl RouteSettings {
    fn check(&self, at: &str, findings: &mut Findings<'_>) {
        let path = format!("{at}.path");
        if self.path.is_empty() {
            findings.add(&path, "needed: the path's pattern, for example \"/api/resource/{doctype}\"");
        } else if !self.path.starts_with('/') {
            findings.add(&path, "a path begins with a slash");
        }
        let scopes = format!("{at}.scopes");
        for (index, scope) in self.scopes.iter().enumerate() {
            if scope.is_empty() || !scope.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                findings.add(
                    &format!("{scopes}[{index}]"),
                    "one scope a text: visible ASCII characters, no blank, quote or backslash",
                );
            }
        }
        if !findings.sound(&[&scopes, &format!("{at}.auth")]) {
            return;
        }
        if !self.scopes.is_empty() && matches!(self.auth, RouteAuth::Deny | RouteAuth::Pass) {
            findings.add(&scopes, format!("with auth = \"{}\" no token is looked at: remove the scopes", self.auth));
        }
        if self.resource && self.auth != RouteAuth::Bearer {
            findings.add(&format!("{at}.resource"), "is for auth = \"bearer\": elsewhere nobody is sent for a token");
        }
        let reads = format!("{at}.reads");
        if self.reads && matches!(self.auth, RouteAuth::Deny | RouteAuth::Pass) {
            findings.add(&reads, format!("with auth = \"{}\" no token is looked at: remove it", self.auth));
        }
        if self.strict && self.scopes.is_empty() {
            findings.add(
                &format!("{at}.strict"),
                "says that the scope `all` does not stand for this route's scopes, but it has none",
            );
        }
    }

    /// Whether every request that `later` is for is decided by this one.
    fn shadows(&self, later: &Self) -> bool {
        let all_methods = self.methods.is_empty();
        let covered = !later.methods.is_empty() && later.methods.iter().all(|method| self.methods.contains(method));
        self.path == later.path && (all_methods || covered)
    }
}

pub(super) fn check(routes: &[RouteSettings], findings: &mut Findings<'_>) {
    for (index, route) in routes.iter().enumerate() {
        let at = format!("route[{index}]");
        route.check(&at, findings);
        let earlier = routes.iter().take(index).position(|earlier| earlier.shadows(route));
        if let Some(earlier) = earlier.filter(|_| !route.path.is_empty()) {
            let involved = [format!("{at}.methods"), format!("route[{earlier}].methods")];
            if findings.sound(&[&involved[0], &involved[1]]) {
                findings.add(&format!("{at}.path"), format!("never reached: route[{earlier}] has the same path and these methods, and the first match decides"));
            }
        }
    }
}
