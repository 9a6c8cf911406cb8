//! Calls that name in their parameters what they are about, judged by the rules.

use super::*;
use crate::route::{BodyKind, Fields};

fn verb(path: &str, method: Method, scope: &str) -> RouteSettings {
    RouteSettings { methods: vec![method], ..rule(path, RouteAuth::Bearer, &[scope]) }
}

/// One scope for reading, changing, making and deleting documents of a doctype.
fn document_rules() -> Vec<RouteSettings> {
    let mut rules = Vec::new();
    for path in ["/api/resource/{doctype}", "/api/resource/{doctype}/{name}"] {
        rules.extend([
            verb(path, Method::GET, "read:{doctype}"),
            verb(path, Method::POST, "create:{doctype}"),
            verb(path, Method::PUT, "write:{doctype}"),
            verb(path, Method::DELETE, "delete:{doctype}"),
        ]);
    }
    rules
}

fn route_with(rules: &[RouteSettings], method: &Method, target: &str, body: (&BodyKind, &str)) -> Route {
    let fields = Fields::parse(body.0, body.1.as_bytes()).expect("a good body");
    let target = Target::parse(target).expect("a good target");
    Router::new(rules).expect("good rules").route_with(method, &target, Some(&fields))
}

fn meets(rules: &[RouteSettings], scopes: &str, method: &Method, target: &str, body: (&BodyKind, &str)) -> bool {
    match route_with(rules, method, target, body) {
        Route::Upstream(terms) => terms.demand.is_met_by(&Scopes::parse(scopes).expect("scopes")),
        other => panic!("{target}: {other:?}"),
    }
}

fn posts(scopes: &str, method: &str, body: (&BodyKind, &str)) -> bool {
    meets(&document_rules(), scopes, &Method::POST, &format!("/api/method/{method}"), body)
}

/// ERPNext loads what `docname` names and saves it under `name`.
#[test]
fn a_bulk_update_is_about_the_document_that_it_loads_too() {
    let rules = [rule("/api/resource/Customer/B", RouteAuth::Deny, &[]), verb("/x", Method::GET, "x")];
    let update = |document: &str| {
        let body = format!(r#"{{"docs":[{document}]}}"#);
        route_with(&rules, &Method::POST, "/api/method/frappe.client.bulk_update", (&BodyKind::Json, &body))
    };
    for document in [
        r#"{"doctype":"Customer","docname":"B","name":"A"}"#,
        r#"{"doctype":"Customer","docname":"A","name":"B"}"#,
        r#"{"doctype":"Customer","docname":{"customer_name":"b"},"name":"A"}"#,
    ] {
        assert_eq!(update(document), Route::Refuse(Refusal::Denied), "{document}");
    }
    for document in [r#"{"doctype":"Customer","docname":"A","name":"C"}"#, r#"{"doctype":"Customer","name":"A"}"#] {
        assert!(matches!(update(document), Route::Upstream(_)), "{document}");
    }
}

/// T46
#[test]
fn a_call_needs_the_scope_of_what_it_leads_to() {
    for (scope, method, body) in [
        ("read:Customer", "frappe.client.get_list", r#"{"doctype":"Customer"}"#),
        ("read:Sales_Invoice", "frappe.client.get", r#"{"doctype":"Sales Invoice","name":"x"}"#),
        ("read:Customer", "frappe.desk.reportview.get", r#"{"doctype":"Customer","fields":["name"]}"#),
        ("read:Customer", "frappe.desk.search.search_link", r#"{"doctype":"Customer","txt":"","query":""}"#),
        ("create:Customer", "frappe.client.insert", r#"{"doc":{"doctype":"Customer"}}"#),
        ("create:Customer write:Customer", "frappe.client.save", r#"{"doc":{"doctype":"Customer"}}"#),
        ("write:Customer", "frappe.client.save", r#"{"doc":{"doctype":"Customer","name":"x"}}"#),
        ("write:Customer", "frappe.client.set_value", r#"{"doctype":"Customer","name":"x","fieldname":"y"}"#),
        ("write:Customer", "run_doc_method", r#"{"dt":"Customer","dn":"x","method":"y"}"#),
        ("delete:Customer", "frappe.client.delete", r#"{"doctype":"Customer","name":"x"}"#),
        ("delete:Customer write:Customer", "frappe.client.rename_doc", r#"{"doctype":"Customer","old_name":"x"}"#),
    ] {
        assert!(posts(scope, method, (&BodyKind::Json, body)), "{scope} {method} {body}");
        assert!(posts("all", method, (&BodyKind::Json, body)), "{method} {body}");
        for other in ["read:User", "openid", "read:customer", "create:User", "write:customer delete:User"] {
            assert!(!posts(other, method, (&BodyKind::Json, body)), "{other} {method} {body}");
        }
    }
}

/// T46
#[test]
fn what_cannot_be_told_needs_the_scope_all() {
    for (method, body) in [
        ("frappe.client.get_list", "{}"),
        ("frappe.client.get_list", r#"{"doctype":["Customer"]}"#),
        ("frappe.client.insert", r#"{"doc":"{\"doctype\":\"Customer\",\"x\":NaN}"}"#),
        ("frappe.client.insert_many", r#"{"docs":[{"doctype":"Customer"},{"doctype":"User"}]}"#),
        ("frappe.client.insert", r#"{"doc":{"doctype":"Customer","parenttype":"User","parent":"x"}}"#),
        ("frappe.client.set_value", r#"{"doctype":"Customer","name":"x","fieldname":{"doctype":"User"}}"#),
        ("frappe.desk.search.search_link", r#"{"doctype":"Customer","query":"frappe.client.get"}"#),
        ("frappe.client.get_password", r#"{"doctype":"Customer","name":"x","fieldname":"y"}"#),
        ("upload_file", r#"{"method":"frappe.client.get_list"}"#),
    ] {
        let scopes = "read:Customer write:Customer create:Customer delete:Customer";
        assert!(!posts(scopes, method, (&BodyKind::Json, body)), "{method} {body}");
        assert!(posts("all", method, (&BodyKind::Json, body)), "{method} {body}");
    }
    let get_list = "/api/method/frappe.client.get_list?doctype=Customer";
    let both = (&BodyKind::Form, "doctype=User");
    assert!(!meets(&document_rules(), "read:Customer", &Method::POST, get_list, both));
    let form = (&BodyKind::Form, "doctype=Customer&doctype=Customer");
    assert!(!posts("read:Customer", "frappe.client.get_list", form));
}

#[test]
fn a_write_must_stay_with_the_document_that_its_path_names() {
    let rules = document_rules();
    let put = |scopes: &str, kind: &BodyKind, body: &str| {
        meets(&rules, scopes, &Method::PUT, "/api/resource/Customer/x", (kind, body))
    };
    let text = BodyKind::Other;
    assert!(put("write:Customer", &BodyKind::Json, r#"{"doctype":"Customer","name":"x","a":1}"#));
    for body in [r#"{"doctype":"User"}"#, r#"{"data":{"doctype":"User"}}"#, r#"{"parenttype":"User"}"#] {
        assert!(!put("write:Customer", &BodyKind::Json, body), "{body}");
        assert!(put("write:Customer write:User", &BodyKind::Json, body), "{body}");
    }
    // ERPNext reads the body as JSON here whatever its type says.
    assert!(!put("write:Customer", &text, r#" {"doctype":"User"}"#));
    assert!(!put("write:Customer", &text, r#"{"doctype":"User","x":NaN}"#));
    assert!(!put("write:Customer", &BodyKind::Form, r#"{"doctype":"User"}"#));
    assert!(put("write:Customer", &text, "customer_name=y"));
    let create = (&BodyKind::Json, r#"{"doctype":"User","a":1}"#);
    assert!(meets(&rules, "create:Customer", &Method::POST, "/api/resource/Customer", create));
}

#[test]
fn methods_of_documents_need_the_scope_to_write() {
    let rules = document_rules();
    for (method, target) in
        [(Method::GET, "/api/resource/Customer/x?run_method=y"), (Method::GET, "/api/v2/document/Customer/x/method/y")]
    {
        let route = |scopes| meets(&rules, scopes, &method, target, (&BodyKind::Other, ""));
        assert!(!route("read:Customer"), "{target}");
        assert!(route("read:Customer write:Customer"), "{target}");
    }
    let form = (&BodyKind::Form, "run_method=y");
    assert!(!meets(&rules, "read:Customer", &Method::GET, "/api/resource/Customer/x", form));
    // A POST to a document calls a method of it; a rule for such a POST counts besides.
    let post = |scopes| meets(&rules, scopes, &Method::POST, "/api/resource/Customer/x", (&BodyKind::Json, "{}"));
    assert!(!post("create:Customer"));
    assert!(post("create:Customer write:Customer"));
}

/// T02, T03, T46
#[test]
fn cmd_in_a_body_is_judged_as_it_is_in_the_query() {
    let mut rules = document_rules();
    rules.insert(0, rule("/api/method/frappe.ping", RouteAuth::Optional, &[]));
    rules.insert(0, rule("/api/method/a.denied", RouteAuth::Deny, &[]));
    for (kind, body) in [
        (BodyKind::Form, "cmd=a.denied"),
        (BodyKind::Json, r#"{"cmd":"a.denied"}"#),
        (BodyKind::Multipart(b"B".to_vec()), "--B\r\nContent-Disposition: x; name=cmd\r\n\r\na.denied\r\n--B--"),
    ] {
        let denied = route_with(&rules, &Method::POST, "/api/method/frappe.ping", (&kind, body));
        assert_eq!(denied, Route::Refuse(Refusal::Denied), "{body}");
    }
    let cmd = (&BodyKind::Form, "cmd=frappe.client.get_list&doctype=User");
    assert!(!meets(&rules, "read:Customer", &Method::POST, "/api/method/frappe.ping", cmd));
    assert!(meets(&rules, "read:User", &Method::POST, "/api/method/frappe.ping", cmd));
}

#[test]
fn what_is_denied_is_denied_to_calls_too() {
    let rules = [
        rule("/api/resource/System Settings/**", RouteAuth::Deny, &[]),
        rule("/api/resource/User/Administrator", RouteAuth::Deny, &[]),
        rule("/api/method/frappe.core.doctype.user.user.generate_keys", RouteAuth::Deny, &[]),
    ];
    for (method, body) in [
        ("frappe.client.get_list", r#"{"doctype":"system settings "}"#),
        ("frappe.client.get", r#"{"doctype":"User","name":"administrator"}"#),
        // Which one a filter finds can't be told.
        ("frappe.client.get", r#"{"doctype":"User","filters":{}}"#),
        ("frappe.client.insert", r#"{"doc":"{\"doctype\":\"x\",\"y\":NaN}"}"#),
    ] {
        let target = format!("/api/method/{method}");
        let route = route_with(&rules, &Method::POST, &target, (&BodyKind::Json, body));
        assert_eq!(route, Route::Refuse(Refusal::Denied), "{method} {body}");
    }
    let controller = route_by(&rules, &Method::POST, "/api/v2/method/User/generate_keys");
    assert_eq!(controller, Route::Refuse(Refusal::Denied));
    let other = (&BodyKind::Json, r#"{"doctype":"User","name":"alice"}"#);
    assert!(meets(&rules, "openid", &Method::POST, "/api/method/frappe.client.get", other));
}

#[test]
fn a_rule_for_the_method_counts_besides_those_for_the_documents() {
    let mut rules = document_rules();
    rules.push(rule("/api/method/{method}", RouteAuth::Bearer, &["call"]));
    let get_list = |rules: &[RouteSettings], scopes| {
        let body = (&BodyKind::Json, r#"{"doctype":"Customer"}"#);
        meets(rules, scopes, &Method::POST, "/api/method/frappe.client.get_list", body)
    };
    assert!(!get_list(&rules, "call"));
    assert!(!get_list(&rules, "read:Customer"));
    assert!(get_list(&rules, "call read:Customer"));
    // Without rules for documents the method's alone decides.
    assert!(get_list(&rules[rules.len() - 1..], "call"));
}

#[test]
fn desk_needs_no_token_where_documents_need_one() {
    let body = (&BodyKind::Form, "doctype=Customer");
    match route_with(&document_rules(), &Method::POST, "/api/method/frappe.desk.reportview.get", body) {
        Route::Upstream(terms) => assert_eq!(terms.auth, RouteAuth::Optional),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_doctypes_never_share_a_scope() {
    let rules = customer_rules();
    for (doctype, scope) in [
        ("Sales%20Invoice", "read:Sales_Invoice"),
        ("Sales_Invoice", "read:Sales%5FInvoice"),
        ("Sales%25Invoice", "read:Sales%25Invoice"),
        ("Pr%C3%BCfung", "read:Pr%C3%BCfung"),
    ] {
        for (_, other) in [("", "read:Sales_Invoice"), ("", "read:Sales%5FInvoice"), ("", "read:Sales%25Invoice")] {
            let target = format!("/api/resource/{doctype}");
            assert_eq!(allows(&rules, other, &target), other == scope, "{doctype} {other}");
        }
        assert!(allows(&rules, scope, &format!("/api/resource/{doctype}")), "{doctype}");
    }
    let method = [rule("/api/method/{m}", RouteAuth::Bearer, &["call:{m}"])];
    assert!(allows(&method, "call:a.get_b", "/api/method/a.get_b"));
}

/// The parameters as `frappe.app.make_form_dict` makes them: the first value of a name counts, the form beats the query, a
/// JSON body stands alone.
fn form_dict(
    query: &[(&str, &str)],
    kind: &BodyKind,
    body: &[(&str, &str)],
) -> std::collections::HashMap<String, String> {
    let first = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().rev().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        pairs.collect::<std::collections::HashMap<_, _>>()
    };
    match kind {
        // Of a repeated member the last counts.
        BodyKind::Json => body.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        BodyKind::Form => first(query).into_iter().chain(first(body)).collect(),
        BodyKind::Multipart(_) | BodyKind::Other => first(query),
    }
}

fn pairs_strategy() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let names = prop_oneof![Just("doctype"), Just("cmd"), Just("run_method"), Just("x")];
    let values = prop_oneof![
        3 => Just("Customer"),
        1 => Just("customer"),
        1 => Just("User"),
        1 => Just("frappe.client.get_list"),
        1 => Just("frappe.client.get_password"),
        1 => Just(""),
    ];
    proptest::collection::vec((names, values), 0..3)
}

proptest! {
    /// T46
    #[test]
    fn a_token_for_one_doctype_never_lists_another(
        path in prop_oneof![
            Just("/api/method/frappe.client.get_list"),
            Just("/api/v2/method/frappe.client.get_list"),
            Just("/api/resource/Customer"),
            Just("/api/resource/Customer/x"),
            Just("/api/resource/User"),
        ],
        post in any::<bool>(),
        query in pairs_strategy(),
        json in any::<bool>(),
        body in pairs_strategy(),
    ) {
        let method = if post { Method::POST } else { Method::GET };
        let written = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&query).finish();
        let target = format!("{path}?{written}");
        let (kind, text) = if json {
            let members: Vec<_> = body.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
            (BodyKind::Json, format!("{{{}}}", members.join(",")))
        } else {
            (BodyKind::Form, url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&body).finish())
        };
        let Route::Upstream(terms) = route_with(&document_rules(), &method, &target, (&kind, &text)) else {
            return Ok(());
        };
        if !terms.demand.is_met_by(&Scopes::parse("read:Customer").expect("scopes")) {
            return Ok(());
        }
        let parameters = form_dict(&query, &kind, &body);
        let said = |name: &str| parameters.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let runs = said("cmd").or_else(|| path.rsplit_once("/method/").map(|(_, method)| method));
        if let Some(method) = runs {
            prop_assert_eq!(method, "frappe.client.get_list");
            // Beside a JSON body the query counts for nothing: without a doctype the call fails.
            prop_assert!(matches!(said("doctype"), None | Some("Customer")));
        } else {
            prop_assert!(path.starts_with("/api/resource/Customer") && !post, "{} {}", method, target);
            prop_assert!(path == "/api/resource/Customer" || !parameters.contains_key("run_method"));
        }
    }
}

/// T46: the function beside a doctype's class is the method that the table has.
#[test]
fn a_call_is_judged_by_its_documents_however_its_method_is_spelled() {
    let deny = [rule("/api/resource/Salary Slip/**", RouteAuth::Deny, &[])];
    let strict = [RouteSettings { strict: true, ..rule("/api/resource/Salary Slip/**", RouteAuth::Bearer, &["pay"]) }];
    let query = "doctype=Salary%20Slip&docnames=[%22A%22]&action=cancel";
    for path in [
        "/api/method/frappe.desk.doctype.bulk_update.bulk_update.submit_cancel_or_update_docs",
        "/api/v2/method/Bulk%20Update/submit_cancel_or_update_docs",
        "/api/v2/method/bulk-update/submit_cancel_or_update_docs",
    ] {
        let target = format!("{path}?{query}");
        for method in [Method::GET, Method::POST] {
            let denied = route_with(&deny, &method, &target, (&BodyKind::Json, "{}"));
            assert_eq!(denied, Route::Refuse(Refusal::Denied), "{method} {target}");
            let body = (&BodyKind::Json, "{}");
            assert!(!meets(&strict, "all", &method, &target, body), "{method} {target}");
            assert!(meets(&strict, "pay", &method, &target, body), "{method} {target}");
        }
    }
}
