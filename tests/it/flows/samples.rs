//! The sample rule sets of `conf/`, with the program that explains them.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

const NEEDED: &str = "server.public_url = \"https://erp.example.com\"\nerpnext.api_key = \"k:s\"\n";

/// The sample as part of a configuration, its secret in a file that exists.
fn write(folder: &Path, sample: &str) -> String {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("conf").join(sample);
    let text = fs::read_to_string(shipped).expect("the sample is there");
    let secret = folder.join("secret");
    private(&secret, "0123456789abcdef0123456789abcdef");
    let named = text.lines().map(|line| match line.strip_prefix("secret_file = ") {
        Some(_) => format!("secret_file = \"{}\"\n", secret.display()),
        None => format!("{line}\n"),
    });
    let file = folder.join("gateway.toml");
    private(&file, &(NEEDED.to_owned() + &named.collect::<String>()));
    file.display().to_string()
}

fn private(file: &Path, text: &str) {
    fs::write(file, text).expect("a file");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("permissions");
}

fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_empress-gateway")).args(arguments).output().expect("it runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// What each scope of the sample's client opens, and what it does not.
fn check(sample: &str, cases: &[(&str, &str, &str, bool)]) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(folder.path(), sample);
    let (code, text) = run(&["check", "--config", &file]);
    assert_eq!(code, Some(0), "{sample}: {text}");
    let text = fs::read_to_string(&file).expect("a file");
    for (method, target, scope, passes) in cases {
        assert!(text.contains(&format!("\"{scope}\"")), "{sample} has no scope {scope}");
        let (code, text) = run(&["explain", method, target, "--scope", scope, "--config", &file]);
        assert_eq!(code, Some(i32::from(!*passes)), "{sample}, {scope}: {text}");
        let (code, text) = run(&["explain", method, target, "--scope", "all", "--config", &file]);
        assert_eq!(code, Some(0), "{sample}: {text}");
    }
}

#[test]
fn the_rules_for_a_shop_connector_open_what_it_needs() {
    let get_list = "/api/method/frappe.client.get_list?doctype=Sales%20Order";
    check(
        "routes-shop-connector.toml",
        &[
            ("GET", "/api/resource/Item?fields=[]", "read:Item", true),
            ("GET", "/api/v2/document/Item%20Price/x", "read:Item_Price", true),
            ("GET", get_list, "read:Sales_Order", true),
            ("POST", "/api/resource/Sales%20Order", "create:Sales_Order", true),
            ("POST", "/api/resource/Sales%20Order/SO-1?run_method=submit", "write:Sales_Order", true),
            ("POST", "/api/method/upload_file", "upload", true),
            ("GET", "/api/method/frappe.auth.get_logged_user", "openid", true),
            ("GET", get_list, "read:Customer", false),
            ("POST", "/api/resource/Sales%20Order/SO-1?run_method=submit", "create:Sales_Order", false),
            ("DELETE", "/api/resource/Customer/x", "write:Customer", false),
            ("GET", "/api/resource/User", "read:Item", false),
            ("GET", "/api/resource/Item", "openid", false),
            ("GET", "/app", "openid", false),
        ],
    );
}

#[test]
fn the_rules_for_a_reporting_tool_let_it_read_and_nothing_else() {
    check(
        "routes-read-only-bi.toml",
        &[
            ("GET", "/api/resource/Sales%20Invoice", "read", true),
            ("HEAD", "/api/resource/Sales%20Invoice/x", "read", true),
            ("POST", "/api/method/frappe.client.get_count?doctype=Item", "read", true),
            ("POST", "/api/method/frappe.desk.query_report.run", "reports", true),
            ("PUT", "/api/resource/Item/x", "read", false),
            ("GET", "/api/resource/Item/x?run_method=y", "read", false),
            ("GET", "/api/resource/user", "read", false),
            ("POST", "/api/method/frappe.client.get_list?doctype=OAuth%20Bearer%20Token", "read", false),
            ("GET", "/api/method/frappe.client.get_password?doctype=Item", "read", false),
            ("POST", "/api/method/frappe.client.insert?doc={\"doctype\":\"Item\"}", "read", false),
        ],
    );
}
