//! Whether a request may write, as far as its method and its target tell.
//!
//! Frappe commits after POST, PUT, PATCH and DELETE, and rolls back after GET and HEAD. What is called by a GET may still have
//! a job write later: a method that is known to write, or one of a document, counts as a write however it is called.

use http::Method;

use super::{
    Target, calls,
    names::{Api, Names},
    parameters::Parameters,
};

/// Whether a request may write. A body is not its business: one beside a GET may name another method.
#[must_use]
pub fn may_write(method: &Method, target: &Target<'_>) -> bool {
    if ![Method::GET, Method::HEAD].contains(method) {
        return true;
    }
    let query = target.query();
    let parameters = Parameters { query, fields: None };
    let by_path = match Names::of_path(method, target).api {
        Some(Api::Method(method)) => calls::writes(method, &parameters),
        Some(Api::Document { .. } | Api::Doctype(_)) => query.has("run_method"),
        Some(Api::DocumentMethod { .. }) => true,
        Some(Api::Controller { .. }) | None => false,
    };
    // ERPNext runs a `cmd` whatever the path is; Frappe knows of no `_method`, but who sends one means to write.
    by_path || query.has("_method") || query.values("cmd").any(|cmd| calls::writes(&cmd, &parameters))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(method: &Method, target: &str) -> bool {
        may_write(method, &Target::parse(target).expect("a good target"))
    }

    #[test]
    fn a_get_reads() {
        for target in [
            "/",
            "/app/customer?x=1",
            "/api/resource/Customer",
            "/api/resource/Customer/Acme",
            "/api/v2/document/Customer/Acme",
            "/api/v2/doctype/Customer/count",
            "/api/method/frappe.client.get_list?doctype=Customer",
            "/api/method/frappe.desk.search.search_link?doctype=Customer&query=shop.queries.customers",
            "/api/method/shop.api.stock",
            "/?cmd=frappe.client.get_count",
            "/socket.io/?EIO=4&transport=websocket",
        ] {
            assert!(!writes(&Method::GET, target) && !writes(&Method::HEAD, target), "{target}");
        }
    }

    #[test]
    fn any_other_method_writes() {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "get"] {
            let method = Method::from_bytes(method.as_bytes()).expect("a method");
            assert!(writes(&method, "/api/resource/Customer"), "{method}");
        }
    }

    /// T46
    #[test]
    fn a_get_that_calls_what_writes_is_a_write() {
        for target in [
            "/api/method/frappe.client.delete?doctype=Customer&name=Acme",
            "/api/v1/method/frappe.client.delete",
            "/api/v2/method/frappe.client.set_value",
            "/api/method/frappe.desk.reportview.delete_items?doctype=Customer",
            "/api/method/%66rappe.client.insert",
            "/api/method/upload_file",
            "/api/method/run_doc_method?dt=Customer&dn=Acme&method=x",
            "/api/resource/Customer/Acme?run_method=submit",
            "/api/v2/document/Customer/Acme/method/submit",
            "/?cmd=frappe.client.delete&doctype=Customer",
            "/api/resource/Customer?cmd=frappe.desk.reportview.delete_items",
            "/api/method/frappe.desk.search.search_link?query=frappe.desk.reportview.delete_items",
            "/api/resource/Customer?_method=DELETE",
        ] {
            assert!(writes(&Method::GET, target), "{target}");
        }
    }
}
