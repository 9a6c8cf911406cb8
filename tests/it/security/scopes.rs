//! Scopes and rules at the edge: T46, and what `cmd` in a body is under rules.

use serde_json::{Value, json};

use crate::{
    standin::ALICE,
    support::{Answer, Request, SCOPED, SHOP, Setup, TestGateway},
};

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=B";

fn route(path: &str, methods: &str, scope: &str) -> String {
    format!("path = '{path}'\nmethods = {methods}\nauth = 'bearer'\nscopes = ['{scope}']")
}

/// One scope for reading, changing, making and deleting documents of a doctype.
fn documents(setup: Setup) -> Setup {
    let kinds = [("['GET']", "read"), ("['PUT', 'PATCH']", "write"), ("['POST']", "create"), ("['DELETE']", "delete")];
    kinds.into_iter().fold(setup, |setup, (methods, kind)| {
        let scope = format!("{kind}:{{doctype}}");
        setup.route(&route("/api/resource/{doctype}", methods, &scope)).route(&route(
            "/api/resource/{doctype}/{name}",
            methods,
            &scope,
        ))
    })
}

/// A gateway with those rules, and a token that may read customers.
fn start(setup: Setup) -> (TestGateway, String) {
    let gateway = documents(setup).start();
    let tokens = gateway.tokens(ALICE, SCOPED, &[("scope", "openid read:Customer")]);
    (gateway, tokens.access)
}

fn json(method: &str, target: &str, body: &Value) -> Request {
    Request::new(method, target).body("application/json", body.to_string().as_bytes())
}

fn call(method: &str, body: &Value) -> Request {
    json("POST", &format!("/api/method/{method}"), body)
}

fn lacks_scope(what: &str, answer: &Answer) {
    assert_eq!((answer.status, answer.error().as_str()), (403, "insufficient_scope"), "{what}: {answer}");
    assert!(answer.header("www-authenticate").is_some_and(|value| value.contains("scope=\"")), "{what}: {answer}");
    assert_eq!(answer.json()["exc_type"], "PermissionError", "{what}");
}

/// T46
#[test]
fn a_scope_for_one_doctype_opens_no_other_by_any_path() {
    let (gateway, token) = start(Setup::new());
    for target in ["/api/resource/Customer", "/api/v1/resource/Customer/Acme", "/api/v2/document/Customer"] {
        let (answer, seen) = gateway.upstream_of(|| gateway.send(&Request::get(target).bearer(&token)));
        assert!(!seen.is_empty() && answer.status != 403, "{target}: {answer}");
    }
    for target in [
        "/api/resource/Customer%2F..%2FUser",
        "/api/resource/customer",
        "/api/resource/Customer%20",
        "/api/resource/User",
        "/api/v2/document/User",
        "/api/v2/doctype/User/count",
        "/api/method/frappe.client.get_list?doctype=User",
        "/api/method/frappe.client.get_list",
        "/api/method/frappe.client.get_list?doctype=Customer&doctype=User",
        "/api/resource/Customer/Acme?run_method=delete",
        "/api/v2/document/Customer/Acme/method/delete",
        "/api/resource/Customer?cmd=frappe.client.get_list&doctype=User",
        "/printview?doctype=User&name=Administrator",
    ] {
        let answer = gateway.without_upstream(target, || gateway.send(&Request::get(target).bearer(&token)));
        if target.contains("..") {
            assert_eq!(answer.status, 400, "{target}: {answer}");
        } else {
            lacks_scope(target, &answer);
        }
    }
}

/// T46: no header and no field makes a POST another method (nor does Frappe know of any).
#[test]
fn a_method_can_not_be_overridden() {
    let (gateway, token) = start(Setup::new());
    for (name, value) in [("X-HTTP-Method-Override", "GET"), ("X-HTTP-Method", "GET"), ("X-Method-Override", "GET")] {
        let request = Request::new("DELETE", "/api/resource/Customer/Acme").bearer(&token).header(name, value);
        lacks_scope(name, &gateway.without_upstream(name, || gateway.send(&request)));
        let request = Request::new("POST", "/api/resource/Customer/Acme").bearer(&token).header(name, "DELETE");
        lacks_scope(name, &gateway.without_upstream(name, || gateway.send(&request)));
    }
    for target in ["/api/resource/Customer?_method=GET", "/api/resource/Customer/Acme?_method=GET"] {
        let request = json("POST", target, &json!({ "_method": "GET" })).bearer(&token);
        lacks_scope(target, &gateway.without_upstream(target, || gateway.send(&request)));
    }
}

/// T46
#[test]
fn a_call_in_a_body_needs_the_scope_of_the_doctype_that_it_names() {
    let (gateway, token) = start(Setup::new());
    let good = call("frappe.client.get_list", &json!({ "doctype": "Customer" }));
    let answer = gateway.send(&good.bearer(&token));
    assert_eq!(answer.status, 200, "{answer}");
    assert_eq!(answer.json()["message"].as_array().map(Vec::len), Some(3), "{answer}");
    let form = Request::form("/api/method/frappe.client.get_count", &[("doctype", "Customer")]).bearer(&token);
    assert_eq!(gateway.send(&form).status, 200);
    let user = json!({ "doctype": "User", "name": "Administrator" });
    let customer = json!({ "doctype": "Customer", "name": "Acme" });
    let part = "--B\r\nContent-Disposition: form-data; name=\"doctype\"\r\n\r\nUser\r\n--B--";
    let get_list = "/api/method/frappe.client.get_list";
    for request in [
        call("frappe.client.get_list", &user),
        call("frappe.client.get", &user),
        call("frappe.client.get_value", &user),
        call("frappe.client.get_list", &json!({ "doctype": ["Customer"] })),
        call("frappe.client.get_list", &json!({ "doctype": "customer" })),
        call("frappe.client.insert", &json!({ "doc": customer })),
        call("frappe.client.save", &json!({ "doc": customer.to_string() })),
        call("frappe.client.set_value", &customer),
        call("frappe.client.delete", &customer),
        call("frappe.desk.reportview.get", &user),
        call("frappe.desk.form.load.getdoc", &user),
        call("frappe.desk.form.save.savedocs", &json!({ "doc": user.to_string() })),
        call("run_doc_method", &json!({ "dt": "Customer", "dn": "Acme", "method": "x" })),
        call("frappe.client.get_password", &customer),
        json("POST", "/api/method/ping", &json!({ "cmd": "frappe.client.get_list", "doctype": "User" })),
        json("PUT", "/api/resource/Customer/Acme", &json!({ "territory": "x" })),
        Request::form(get_list, &[("doctype", "User")]),
        Request::form(get_list, &[("doctype", "Customer"), ("doctype", "User")]),
        Request::form(&format!("{get_list}?doctype=Customer"), &[("doctype", "User")]),
        Request::new("GET", &format!("{get_list}?doctype=Customer")).body(FORM, b"doctype=User"),
        Request::new("GET", "/api/resource/Customer/Acme").body(FORM, b"run_method=delete"),
        Request::new("GET", "/api/resource/Customer").body(FORM, b"cmd=frappe.client.get_list&doctype=User"),
        Request::new("POST", get_list).body(MULTIPART, part.as_bytes()),
    ] {
        let what = format!("{request:?}");
        let answer = gateway.without_upstream(&what, || gateway.send(&request.bearer(&token)));
        lacks_scope(&what, &answer);
    }
    // Python reads this, and so might find another doctype than we do.
    let not_json = Request::new("POST", get_list).body("application/json", b"{\"doctype\":\"Customer\",\"x\":NaN}");
    assert_eq!(gateway.without_upstream("NaN", || gateway.send(&not_json.bearer(&token))).status, 400);
}

#[test]
fn a_token_of_scope_all_and_a_browser_go_on_as_before() {
    let (gateway, _) = start(Setup::new());
    let all = gateway.tokens(ALICE, SHOP, &[]).access;
    let sid = gateway.standin.login(ALICE);
    for request in [
        call("frappe.client.get_list", &json!({ "doctype": "User" })),
        call("frappe.client.get_count", &json!({ "doctype": "Customer" })),
        Request::form("/", &[("cmd", "frappe.client.get_count"), ("doctype", "User")]),
    ] {
        assert_eq!(gateway.send(&request.clone().bearer(&all)).status, 200, "{request:?}");
        let cookie = request.clone().header("Cookie", &format!("sid={sid}"));
        assert_eq!(gateway.send(&cookie).status, 200, "{request:?}");
    }
}

#[test]
fn the_body_of_a_call_must_have_a_length_and_not_too_much_of_it() {
    let (gateway, token) = start(Setup::new());
    let large = json!({ "doctype": "Customer", "x": "y".repeat(1 << 20) });
    let request = call("frappe.client.get_list", &large).bearer(&token);
    let answer = gateway.without_upstream("large", || gateway.send(&request));
    assert_eq!(answer.status, 413, "{answer}");
    let chunked = format!(
        "POST /api/method/frappe.client.get_list HTTP/1.1\r\nHost: erp\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
         16\r\n{{\"doctype\":\"Customer\"}}\r\n0\r\n\r\n"
    );
    let answer = gateway.without_upstream("chunked", || gateway.raw(chunked.as_bytes()));
    assert!(answer.starts_with(b"HTTP/1.1 411"), "{}", String::from_utf8_lossy(&answer));
}

/// T02, T03 under rules
#[test]
fn a_rule_that_denies_a_method_holds_for_cmd_in_a_body() {
    let gateway = Setup::new().route("path = '/api/method/frappe.client.get_count'\nauth = 'deny'").start();
    let all = gateway.tokens(ALICE, SHOP, &[]).access;
    let method = "frappe.client.get_count";
    let part = format!("--B\r\nContent-Disposition: form-data; name=\"cmd\"\r\n\r\n{method}\r\n--B--");
    let requests = [
        Request::form("/", &[("cmd", method), ("doctype", "User")]),
        Request::form("/api/method/ping", &[("a", "b"), ("cmd", method)]),
        json("POST", "/x", &json!({ "cmd": method })),
        Request::new("POST", "/x").body(MULTIPART, part.as_bytes()),
        Request::new("GET", "/x").body(FORM, format!("c%6Dd={method}").as_bytes()),
        Request::get(&format!("/?cmd={method}")),
        Request::get(&format!("/api/v2/method/{method}")),
    ];
    for request in requests {
        let what = format!("{request:?}");
        for request in [request.clone(), request.bearer(&all)] {
            let answer = gateway.without_upstream(&what, || gateway.send(&request));
            assert_eq!((answer.status, answer.error().as_str()), (403, "access_denied"), "{what}: {answer}");
        }
    }
    // A stream that chooses a method can't be judged before ERPNext has most of it.
    let filler = "a".repeat(1 << 20);
    let request = Request::form("/anything", &[("a", &filler), ("cmd", method)]);
    let (_, seen) = gateway.upstream_of(|| gateway.connect().send(&request));
    assert!(seen.iter().all(|record| !record.complete || record.path() != "/anything"));
    assert_eq!(gateway.send(&Request::form("/", &[("cmd", "frappe.ping")])).status, 200);
}

#[test]
fn what_is_denied_is_denied_to_desks_calls_too() {
    let gateway = Setup::new().route("path = '/api/resource/Role/**'\nauth = 'deny'").start();
    let sid = gateway.standin.login(ALICE);
    let by_desk = |doctype: &str| {
        let request = Request::form("/api/method/frappe.client.get_list", &[("doctype", doctype)]);
        gateway.send(&request.header("Cookie", &format!("sid={sid}")))
    };
    gateway.without_upstream("denied", || assert_eq!(by_desk("role").status, 403));
    assert_eq!(by_desk("Customer").status, 200);
}

/// MariaDB finds the document by any of these names (tried on a real Frappe 15.44 site).
#[test]
fn what_is_denied_is_denied_by_every_name_that_the_database_takes_for_it() {
    let gateway = Setup::new()
        .route("path = '/api/resource/User/Administrator'\nauth = 'deny'")
        .route("path = '/api/resource/System Settings/**'\nauth = 'deny'")
        .start();
    let sid = gateway.standin.login(ALICE);
    for target in [
        "/api/resource/User/%C3%81dministrator",
        "/api/resource/User/%EF%BC%A1dministrator",
        "/api/resource/User/Admin%E2%80%8Bistrator",
        "/api/v2/document/User/A%CC%81dministrator",
        "/api/method/frappe.client.get_value?doctype=Syst%C3%A9m%20Settings&fieldname=language",
        "/api/method/frappe.client.get?doctype=User&name=%C3%A1dministrator",
        "/api/method/frappe.client.get?doctype=User&name=Admin%00istrator",
    ] {
        let request = Request::get(target).header("Cookie", &format!("sid={sid}"));
        assert_eq!(gateway.without_upstream(target, || gateway.send(&request)).status, 403, "{target}");
    }
    let long = format!("Administrator{}", "\u{200b}".repeat(100_000));
    for name in ["Admin\0istrator", "ＡＤＭＩＮ\u{301}istrator", &long] {
        let request = call("frappe.client.get", &json!({ "doctype": "User", "name": name }));
        let request = request.header("Cookie", &format!("sid={sid}"));
        assert_eq!(gateway.without_upstream(name, || gateway.send(&request)).status, 403, "{name}");
    }
    let other = Request::get("/api/resource/User/%C3%9Cser").header("Cookie", &format!("sid={sid}"));
    assert_ne!(gateway.send(&other).status, 403);
    let other = call("frappe.client.get", &json!({ "doctype": "User", "name": ALICE }));
    assert_eq!(gateway.send(&other.header("Cookie", &format!("sid={sid}"))).status, 200);
}

#[test]
fn a_strict_rule_is_not_met_by_all_not_even_by_a_call() {
    let strict = "path = '/api/resource/Role/**'\nauth = 'bearer'\nscopes = ['roles:read']\nstrict = true";
    let gateway = Setup::new().route(strict).start();
    let all = gateway.tokens(ALICE, SHOP, &[]).access;
    for request in [
        Request::get("/api/resource/Role"),
        call("frappe.client.get_list", &json!({ "doctype": "Role" })),
        Request::form("/", &[("cmd", "frappe.client.get_list"), ("doctype", "Role")]),
    ] {
        let what = format!("{request:?}");
        lacks_scope(&what, &gateway.without_upstream(&what, || gateway.send(&request.bearer(&all))));
    }
    assert_eq!(
        gateway.send(&call("frappe.client.get_list", &json!({ "doctype": "Customer" })).bearer(&all)).status,
        200
    );
}
