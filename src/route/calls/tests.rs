//! Where calls lead, in every writing of their parameters.

use super::*;
use crate::route::{
    body::{BodyKind, Fields},
    query::Query,
};

fn by(method: &str, query: &str, kind: &BodyKind, body: &str) -> Reached {
    let fields = Fields::parse(kind, body.as_bytes()).expect("a good body");
    reached(method, &Parameters { query: Query::new(query), fields: Some(&fields) }).expect("in the table")
}

fn by_json(method: &str, body: &str) -> Reached {
    by(method, "", &BodyKind::Json, body)
}

fn documents(reached: &Reached) -> Vec<(&str, &str, &Name)> {
    reached.documents.iter().map(|one| (one.method.as_str(), one.doctype.as_str(), &one.name)).collect()
}

#[test]
fn the_table_is_in_order_so_that_it_can_be_searched() {
    assert!(CALLS.is_sorted_by(|one, other| one.0 < other.0));
    assert!(CALLS.iter().all(|(name, ..)| leads_on(name)));
    assert!(!leads_on("frappe.client.get_password"));
}

#[test]
fn a_document_may_be_an_object_or_its_text() {
    let known = Name::Known("C-1".to_owned());
    for body in
        [r#"{"doc":{"doctype":"Customer","name":"C-1"}}"#, r#"{"doc":"{\"doctype\":\"Customer\",\"name\":\"C-1\"}"}"#]
    {
        let reached = by_json("frappe.client.save", body);
        assert_eq!(documents(&reached), [("PUT", "Customer", &known)]);
        assert_eq!(reached.else_where, Elsewhere::No);
    }
    let reached =
        by("frappe.desk.form.save.savedocs", "", &BodyKind::Form, "doc={\"doctype\":\"Item\",\"__islocal\":1}");
    assert_eq!(documents(&reached), [("PUT", "Item", &Name::Unknown), ("POST", "Item", &Name::None)]);
}

#[test]
fn every_document_of_a_list_counts_and_so_does_a_row_s_parent() {
    let body = r#"{"docs":[{"doctype":"Item"},{"doctype":"Sales Invoice Item","parenttype":"Sales Invoice"}]}"#;
    let reached = by_json("frappe.client.insert_many", body);
    let expected = [
        ("POST", "Item", &Name::None),
        ("POST", "Sales Invoice Item", &Name::None),
        ("PUT", "Sales Invoice", &Name::Unknown),
    ];
    assert_eq!(documents(&reached), expected);
}

#[test]
fn a_doctype_that_is_missing_or_said_twice_is_unclear() {
    let form = |query: &str, body: &str| by("frappe.client.get_list", query, &BodyKind::Form, body);
    assert_eq!(form("", "x=1").else_where, Elsewhere::Unclear);
    assert_eq!(form("doctype=Item", "doctype=Item").else_where, Elsewhere::No);
    for (query, body) in [("doctype=Item", "doctype=User"), ("", "doctype=Item&doctype=User"), ("", "doctype=")] {
        assert_eq!(form(query, body).else_where, Elsewhere::Unclear, "{query} {body}");
    }
    let both = form("doctype=Item", "doctype=User");
    assert_eq!(documents(&both), [("GET", "Item", &Name::None), ("GET", "User", &Name::None)]);
}

#[test]
fn what_python_could_read_and_we_cannot_is_unreadable() {
    for (method, body) in [
        ("frappe.client.get_list", r#"{"doctype":["User"]}"#),
        ("frappe.client.insert", r#"{"doc":"{\"doctype\":\"User\",\"x\":NaN}"}"#),
        ("frappe.client.insert", r#"{"doc":{"doctype":1}}"#),
        ("frappe.client.insert_many", r#"{"docs":{"doctype":"User"}}"#),
        ("frappe.client.set_value", r#"{"doctype":"Item","name":"x","fieldname":"{NaN}"}"#),
    ] {
        assert_eq!(by_json(method, body).else_where, Elsewhere::Unreadable, "{method} {body}");
    }
}

#[test]
fn values_that_change_the_doctype_reach_that_one_too() {
    let body = r#"{"doctype":"Item","name":"x","fieldname":{"doctype":"User"}}"#;
    let reached = by_json("frappe.client.set_value", body);
    let item = Name::Known("x".to_owned());
    assert_eq!(documents(&reached), [("PUT", "Item", &item), ("PUT", "User", &Name::Unknown)]);
}

#[test]
fn methods_of_documents_are_writes() {
    let known = Name::Known("C-1".to_owned());
    for body in [r#"{"dt":"Customer","dn":"C-1"}"#, r#"{"docs":"{\"doctype\":\"Customer\",\"name\":\"C-1\"}"}"#] {
        assert_eq!(documents(&by_json("run_doc_method", body)), [("PUT", "Customer", &known)]);
    }
    assert_eq!(by_json("run_doc_method", "{}").else_where, Elsewhere::Unclear);
}

#[test]
fn a_method_named_by_a_parameter_is_reached() {
    let query = "doctype=Item&query=erpnext.controllers.queries.item_query";
    let reached = by("frappe.desk.search.search_link", query, &BodyKind::Other, "");
    assert_eq!(reached.methods, ["erpnext.controllers.queries.item_query"]);
    assert_eq!(by("upload_file", "", &BodyKind::Form, "method=a.b").methods, ["a.b"]);
}
