//! Whether a request may write, as far as its method and its target tell.
//!
//! Frappe commits after POST, PUT, PATCH and DELETE, and rolls back after GET and HEAD. A method that is called by a GET may still
//! commit by itself, or leave work to a job: only those count as reads of which it is known that they do neither.

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
        Some(Api::Method(method)) => !calls::only_reads(method, &parameters),
        Some(Api::Document { .. } | Api::Doctype(_)) => query.has("run_method"),
        Some(Api::DocumentMethod { .. } | Api::Controller { .. }) => true,
        None => false,
    };
    // ERPNext runs a `cmd` whatever the path is; Frappe knows of no `_method`, but who sends one means to write.
    by_path || query.has("_method") || query.values("cmd").any(|cmd| !calls::only_reads(&cmd, &parameters))
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
            "/api/method/frappe.desk.search.search_link?doctype=Customer&txt=a",
            "/api/method/frappe.auth.get_logged_user",
            "/api/v2/method/ping",
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
            // What commits by itself, and what is not known.
            "/api/v2/method/Bulk%20Update/submit_cancel_or_update_docs?doctype=Purchase%20Order&action=submit",
            "/api/v2/method/User/anything",
            "/api/method/frappe.model.workflow.bulk_workflow_approval?doctype=Purchase%20Order&action=Approve",
            "/api/method/frappe.desk.search.search_link?doctype=Customer&query=shop.queries.customers",
            "/api/method/frappe.desk.reportview.export_query?doctype=Customer",
            "/api/method/shop.api.stock",
            "/?cmd=shop.api.stock",
        ] {
            assert!(writes(&Method::GET, target), "{target}");
        }
    }
}
