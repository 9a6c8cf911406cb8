//! Permission rules and the Role Permissions Manager, as a real Frappe 15.44 site answers (transcript 53; the copies, the
//! rights of a fresh rule, `remove` and `reset` were tried on such a site): a doctype's rules are the shipped ones until
//! somebody changes them; then they are copied, and only the copies count.

use std::collections::{BTreeMap, BTreeSet};

use super::auth::Caller;
use super::fault::{Fault, server_messages};
use super::json::Json;
use super::methods::manager_only;
use super::reply::Reply;
use super::request::Request;
use super::state::State;

/// Every right that a rule can give, in Frappe's order.
pub const RIGHTS: [&str; 14] = [
    "select", "read", "write", "create", "delete", "submit", "cancel", "amend", "report", "export", "import", "share",
    "print", "email",
];

/// What a role may do with documents of a doctype.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub role: String,
    pub level: i64,
    pub rights: BTreeSet<String>,
}

impl Rule {
    fn new(role: &str, rights: &str) -> Self {
        let rights = rights.split(' ').map(str::to_owned).collect();
        Self { role: role.to_owned(), level: 0, rights }
    }
}

/// The rules of all doctypes.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    /// `DocPerm`
    pub shipped: BTreeMap<String, Vec<Rule>>,
    /// `Custom DocPerm`
    pub custom: BTreeMap<String, Vec<Rule>>,
}

impl Permissions {
    /// Adds a shipped rule.
    pub fn ship(&mut self, doctype: &str, role: &str, rights: &str) {
        self.shipped.entry(doctype.to_owned()).or_default().push(Rule::new(role, rights));
    }

    /// Adds a rule as an administrator would.
    pub fn add(&mut self, doctype: &str, role: &str, rights: &str) {
        self.copied(doctype).push(Rule::new(role, rights));
    }

    /// Whether one of these roles may do this.
    pub fn allow(&self, roles: &[String], doctype: &str, what: &str) -> bool {
        let rules = self.custom.get(doctype).or_else(|| self.shipped.get(doctype));
        let mut rules = rules.into_iter().flatten().filter(|rule| rule.level == 0 && roles.contains(&rule.role));
        rules.any(|rule| rule.rights.contains(what))
    }

    /// The copies, made if there are none.
    fn copied(&mut self, doctype: &str) -> &mut Vec<Rule> {
        let shipped = self.shipped.get(doctype).cloned().unwrap_or_default();
        self.custom.entry(doctype.to_owned()).or_insert(shipped)
    }
}

/// `frappe.core.page.permission_manager.permission_manager.*`
pub fn manage(state: &mut State, request: &Request, caller: &Caller, what: &str) -> Result<Reply, Fault> {
    manager_only(state, caller)?;
    let value = |name: &str| request.value(name).unwrap_or_default();
    let (role, level) = (value("role"), value("permlevel").parse().unwrap_or(0));
    let doctype = if what == "add" { value("parent") } else { value("doctype") };
    let is_meant = |rule: &Rule| rule.role == role && rule.level == level;
    let done = Ok(Reply::json(200, &Json::Map(Vec::new())));
    match what {
        "add" => {
            let rules = state.permissions.copied(&doctype);
            if rules.iter().any(is_meant) {
                let said = "Rule for this doctype, role, permlevel and if-owner combination already exists.";
                return Ok(Reply::json(200, &Json::map([("_server_messages", server_messages(said).into())])));
            }
            // The columns' defaults.
            rules.push(Rule { level, ..Rule::new(&role, "read export") });
            done
        }
        "update" => {
            // A rule that is not there is no error.
            for rule in state.permissions.copied(&doctype).iter_mut().filter(|rule| is_meant(rule)) {
                if value("value") == "1" {
                    rule.rights.insert(value("ptype"));
                } else {
                    rule.rights.remove(&value("ptype"));
                }
            }
            done
        }
        "remove" => {
            state.permissions.copied(&doctype).retain(|rule| !is_meant(rule));
            done
        }
        "reset" => {
            state.permissions.custom.remove(&doctype);
            done
        }
        _ => Err(Fault::validation("ValidationError", &format!("no permission_manager.{what}"))),
    }
}
