//! What the role may do: create, read, write and delete *OAuth Bearer Token*, read *OAuth Client* and *User*, and no more.
//!
//! A doctype's permissions are those that it was shipped with, until somebody changes them: then Frappe copies them all
//! to *Custom DocPerm*, and only the copies count. So ours never take anything away from another role; and once ours are
//! removed, copies that are the same as the shipped ones may go, too.

use serde_json::{Map, Value, json};

use super::{Outcome, PERMISSION_MANAGER, ROLE, Setup, SetupError, Step};

/// The doctypes with the rights that the gateway needs.
const NEEDED: [(&str, &[&str]); 3] =
    [("OAuth Bearer Token", &["read", "write", "create", "delete"]), ("OAuth Client", &["read"]), ("User", &["read"])];
/// Numbers in a permission rule that are no rights.
const NO_RIGHTS: [&str; 4] = ["docstatus", "idx", "permlevel", "if_owner"];
const CUSTOM: &str = "Custom DocPerm";
const SHIPPED: &str = "DocPerm";

/// A permission rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rule {
    role: String,
    level: i64,
    if_owner: bool,
    /// The rights that it gives, in order.
    rights: Vec<String>,
}

impl Setup {
    /// Gives the role its rights, and takes others away from it.
    ///
    /// # Errors
    /// [`SetupError`]
    pub async fn permissions(&self) -> Result<Vec<Step>, SetupError> {
        let mut steps = Vec::new();
        for (doctype, needed) in NEEDED {
            let outcome = self.permission(doctype, needed).await?;
            steps.push(Step::new(format!("permission on {doctype}"), outcome).with(needed.join(", ")));
        }
        Ok(steps)
    }

    async fn permission(&self, doctype: &str, needed: &[&str]) -> Result<Outcome, SetupError> {
        let before = self.own_rule(doctype).await?;
        if before.as_ref().is_some_and(|rule| gives(rule, needed)) {
            return Ok(Outcome::Kept);
        }
        let outcome = if before.is_some() { Outcome::Changed } else { Outcome::Made };
        if self.is_dry() {
            return Ok(outcome);
        }
        if before.is_none() {
            self.manage("add", json!({ "parent": doctype, "role": ROLE, "permlevel": 0 })).await?;
        }
        // A fresh rule gives reading, and exporting.
        let Some(rule) = self.own_rule(doctype).await? else {
            return Err(SetupError::Unfit(format!(
                "ERPNext has taken the permission of {ROLE} on {doctype} and does not show it: grant it in the Role \
                 Permissions Manager"
            )));
        };
        let has = |right: &str| rule.rights.iter().any(|given| given == right);
        let missing = needed.iter().filter(|right| !has(right)).map(|right| (*right, 1));
        let others = rule.rights.iter().filter(|right| !needed.contains(&right.as_str()));
        for (right, value) in missing.chain(others.map(|right| (right.as_str(), 0))) {
            let rule = json!({ "doctype": doctype, "role": ROLE, "permlevel": 0, "ptype": right, "value": value });
            self.manage("update", rule).await?;
        }
        Ok(outcome)
    }

    /// Takes the role's rights away. Other roles keep theirs.
    ///
    /// # Errors
    /// [`SetupError`]
    pub async fn remove_permissions(&self) -> Result<Vec<Step>, SetupError> {
        let mut steps = Vec::new();
        for (doctype, _) in NEEDED {
            let step = |outcome| Step::new(format!("permission on {doctype}"), outcome);
            if self.rules(CUSTOM, doctype).await?.iter().all(|rule| rule.role != ROLE) {
                steps.push(step(Outcome::Absent));
                continue;
            }
            let reset = !self.is_dry() && self.remove_permission(doctype).await?;
            let step = step(Outcome::Removed);
            steps.push(if reset { step.with("the doctype's rules are those that it was shipped with") } else { step });
        }
        Ok(steps)
    }

    /// Whether the doctype's rules are the shipped ones afterwards.
    async fn remove_permission(&self, doctype: &str) -> Result<bool, SetupError> {
        self.manage("remove", json!({ "doctype": doctype, "role": ROLE, "permlevel": 0 })).await?;
        let (left, shipped) = (self.rules(CUSTOM, doctype).await?, self.rules(SHIPPED, doctype).await?);
        let same = !shipped.is_empty() && left == shipped;
        if same {
            self.manage("reset", json!({ "doctype": doctype })).await?;
        }
        Ok(same)
    }

    async fn own_rule(&self, doctype: &str) -> Result<Option<Rule>, SetupError> {
        let mut rules = self.rules(CUSTOM, doctype).await?.into_iter();
        Ok(rules.find(|rule| rule.role == ROLE && rule.level == 0 && !rule.if_owner))
    }

    /// The rules of a doctype, in an order of their own.
    async fn rules(&self, of: &'static str, doctype: &str) -> Result<Vec<Rule>, SetupError> {
        let filters = json!([["parent", "=", doctype]]).to_string();
        let query = [
            ("fields", r#"["*"]"#),
            ("filters", filters.as_str()),
            ("parent", "DocType"),
            ("limit_page_length", super::PAGE),
        ];
        let rows = self.list(of, &query).await?;
        let mut rules: Vec<Rule> = rows.iter().filter_map(Value::as_object).map(rule).collect();
        rules.sort();
        Ok(rules)
    }

    async fn manage(&self, what: &str, parameters: Value) -> Result<(), SetupError> {
        self.method(&format!("{PERMISSION_MANAGER}.{what}"), parameters).await.map(|_| ())
    }
}

fn rule(row: &Map<String, Value>) -> Rule {
    let number = |field: &str| row.get(field).and_then(Value::as_i64).unwrap_or_default();
    let given = row.iter().filter(|(field, value)| value.as_i64() == Some(1) && !NO_RIGHTS.contains(&field.as_str()));
    let mut rights: Vec<String> = given.map(|(field, _)| field.clone()).collect();
    rights.sort();
    Rule {
        role: row.get("role").and_then(Value::as_str).unwrap_or_default().to_owned(),
        level: number("permlevel"),
        if_owner: number("if_owner") == 1,
        rights,
    }
}

fn gives(rule: &Rule, needed: &[&str]) -> bool {
    rule.rights.len() == needed.len() && needed.iter().all(|right| rule.rights.iter().any(|given| given == right))
}
