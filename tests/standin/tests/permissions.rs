//! The Role Permissions Manager and what stands in the way of a deletion, as transcript 53 and a real Frappe 15.44 site
//! have them.

use super::*;

const ADMIN: &str = "Authorization: token admin-key:canary-admin-secret";
const MANAGER: &str = "POST /api/method/frappe.core.page.permission_manager.permission_manager";

fn rules(standin: &StandIn, doctype: &str) -> Vec<Value> {
    let target = format!("/api/resource/Custom%20DocPerm?fields=[\"*\"]&filters=[[\"parent\",\"=\",\"{doctype}\"]]");
    get(standin, &target, &[ADMIN]).json()["data"].as_array().cloned().unwrap_or_default()
}

#[test]
fn the_first_change_copies_the_shipped_rules_and_a_fresh_rule_reads_and_exports() {
    let standin = StandIn::start();
    assert!(rules(&standin, "Customer").is_empty());
    let rule = r#"{"parent":"Customer","role":"Auth Gateway","permlevel":0}"#;
    let added = json(&standin, &format!("{MANAGER}.add"), &[ADMIN], rule);
    assert_eq!((added.status, added.text().as_str()), (200, "{}"));
    let again = json(&standin, &format!("{MANAGER}.add"), &[ADMIN], rule);
    assert!(again.status == 200 && again.text().contains("already exists"), "{}", again.text());
    let now = rules(&standin, "Customer");
    assert_eq!(now.len(), 2, "Desk User's and ours: {now:?}");
    let ours = now.iter().find(|rule| rule["role"] == "Auth Gateway").expect("ours");
    assert_eq!((&ours["read"], &ours["export"], &ours["write"]), (&1.into(), &1.into(), &0.into()));
    let update = r#"{"doctype":"Customer","role":"Auth Gateway","permlevel":0,"ptype":"export","value":0}"#;
    assert_eq!(json(&standin, &format!("{MANAGER}.update"), &[ADMIN], update).text(), "{}");
    assert_eq!(get(&standin, "/api/resource/Customer", &[GATEWAY]).status, 200);
    let remove = r#"{"doctype":"Customer","role":"Auth Gateway","permlevel":0}"#;
    assert_eq!(json(&standin, &format!("{MANAGER}.remove"), &[ADMIN], remove).text(), "{}");
    assert_eq!(rules(&standin, "Customer").len(), 1);
    assert_eq!(get(&standin, "/api/resource/Customer", &[GATEWAY]).status, 403);
    json(&standin, &format!("{MANAGER}.reset"), &[ADMIN], r#"{"doctype":"Customer"}"#);
    assert!(rules(&standin, "Customer").is_empty());
    assert_eq!(json(&standin, &format!("{MANAGER}.add"), &[GATEWAY], rule).status, 403);
}

#[test]
fn what_is_linked_is_not_deleted_and_what_is_not_there_is_said_without_a_word() {
    let standin = StandIn::start();
    standin.add_bearer(Bearer::new("tok", SHADOW_CLIENT, BOB));
    let delete = |doctype: &str, name: &str| {
        let body = serde_json::json!({ "doctype": doctype, "name": name }).to_string();
        json(&standin, "POST /api/method/frappe.client.delete", &[ADMIN], &body)
    };
    for (doctype, name) in [("User", BOB), ("OAuth Client", SHADOW_CLIENT), ("Role", "Auth Gateway")] {
        let refused = delete(doctype, name);
        assert_eq!((refused.status, &refused.json()["exc_type"]), (417, &"LinkExistsError".into()), "{doctype}");
        assert!(refused.text().contains("is linked with"), "{}", refused.text());
    }
    let missing = delete("OAuth Bearer Token", "nothing");
    assert_eq!((missing.status, missing.text().as_str()), (404, r#"{"exc_type":"DoesNotExistError"}"#));
    let user = json(&standin, "POST /api/resource/User", &[ADMIN], r#"{"email":"a@localhost","first_name":"A"}"#);
    assert_eq!((user.status, &user.json()["exc_type"]), (417, &"InvalidEmailAddressError".into()));
}
