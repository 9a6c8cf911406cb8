//! `setup-erpnext` against the stand-in, which answers as a real Frappe 15.44 site did (transcripts 04, 05, 06, 51, 53, 61).

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::harness::{Done, run};
use crate::{
    standin::{
        ADMIN_API_KEY, ADMIN_API_SECRET, ALICE, BOB, Bearer, Client, Failure, GATEWAY_API_KEY, GATEWAY_API_SECRET,
        GATEWAY_USER, ORDINARY_CLIENT, SHADOW_CLIENT, StandIn,
    },
    support::{Connection, Request},
};

const ACCOUNT: &str = "empress-gateway@127.0.0.1";

/// A site and what an operator has beside it.
struct Bench {
    standin: StandIn,
    folder: TempDir,
}

impl Bench {
    /// Where setup has been run before.
    fn set_up() -> Self {
        let bench = Self { standin: StandIn::start(), folder: tempfile::tempdir().expect("a folder") };
        let text = format!(
            "[server]\npublic_url = \"http://127.0.0.1:1\"\n[erpnext]\nurl = \"{}\"\napi_key_file = \"{}\"\n[store]\npath = \"{}\"\nsecret_key_file = \"{}\"\n",
            bench.standin.url(),
            bench.key_file().display(),
            bench.path("empress.db").display(),
            bench.path("secret.key").display()
        );
        fs::write(bench.path("gateway.toml"), text).expect("a file");
        bench.secret("admin.key", &format!("{ADMIN_API_KEY}:{ADMIN_API_SECRET}\n"));
        bench.secret("erpnext.key", &format!("{GATEWAY_API_KEY}:{GATEWAY_API_SECRET}\n"));
        bench
    }

    /// Where nothing has been done yet.
    fn bare() -> Self {
        let bench = Self::set_up();
        assert_eq!(bench.setup(&["--undo"]).code, 0);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn key_file(&self) -> PathBuf {
        self.path("erpnext.key")
    }

    fn secret(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).expect("permissions");
    }

    fn setup(&self, more: &[&str]) -> Done {
        let admin = self.path("admin.key").display().to_string();
        let done =
            run(&self.path("gateway.toml"), &[&["setup-erpnext", "--admin-key-file", &admin], more].concat(), "");
        for secret in [ADMIN_API_SECRET, GATEWAY_API_SECRET, self.key().trim_end().rsplit(':').next().unwrap_or("-")] {
            let shown = !secret.is_empty() && (done.out.contains(secret) || done.err.contains(secret));
            assert!(!shown, "a secret is shown: {done:?}");
        }
        done
    }

    fn key(&self) -> String {
        fs::read_to_string(self.key_file()).unwrap_or_else(|_| "none:none".to_owned())
    }

    fn may_list(&self, key: &str, doctype: &str) -> bool {
        let path = format!("/api/resource/{}", doctype.replace(' ', "%20"));
        let request = Request::get(&path).header("Authorization", &format!("token {key}"));
        let mut connection = Connection::open(self.standin.port()).expect("it listens");
        connection.send(&request).expect("an answer").status == 200
    }
}

/// The first words of the lines.
fn words(done: &Done) -> Vec<&str> {
    done.out.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).expect("a file").permissions().mode() & 0o777
}

#[test]
fn setup_makes_all_that_the_gateway_needs_and_a_second_one_keeps_it() {
    let bench = Bench::bare();
    let first = bench.setup(&[]);
    assert_eq!((first.code, first.err.as_str()), (0, ""), "{first:?}");
    assert_eq!(words(&first), ["made", "made", "made", "made", "made", "made", "made", "made", "ERPNext"]);
    assert_eq!(mode(&bench.key_file()), 0o600);
    let user = bench.standin.user(ACCOUNT).expect("the account");
    assert_eq!((user.roles.as_slice(), user.is_system()), (&["Auth Gateway".to_owned()][..], false));
    assert!(bench.standin.bearer_rows().is_empty(), "the proof is deleted");
    let checked = run(&bench.path("gateway.toml"), &["check", "--online"], "");
    assert_eq!(checked.code, 0, "{checked:?}");
    let key = bench.key();
    let second = bench.setup(&[]);
    assert_eq!(second.code, 0, "{second:?}");
    assert_eq!(words(&second), ["kept", "kept", "kept", "kept", "kept", "kept", "kept", "made", "ERPNext"]);
    assert_eq!(bench.key(), key);
}

#[test]
fn the_account_may_do_what_it_must_and_no_more() {
    let bench = Bench::bare();
    bench.setup(&[]);
    let key = bench.key().trim_end().to_owned();
    for doctype in ["OAuth Bearer Token", "OAuth Client", "User"] {
        assert!(bench.may_list(&key, doctype), "{doctype}");
    }
    for doctype in ["Customer", "Role", "Custom DocPerm", "System Settings"] {
        assert!(!bench.may_list(&key, doctype), "{doctype}");
    }
    // A fresh rule gives exporting, too (seen on a real site): that is taken away again.
    let taken = bench.standin.count(|record| record.text().contains(r#""ptype":"export""#));
    assert_eq!(taken, 3);
}

#[test]
fn other_roles_keep_their_rights_and_undo_leaves_the_rules_as_shipped() {
    let bench = Bench::bare();
    bench.standin.set_api_key(ALICE, "ak", "as");
    for round in ["before", "after setup", "after undo"] {
        match round {
            "after setup" => drop(bench.setup(&[])),
            "after undo" => drop(bench.setup(&["--undo"])),
            _ => {}
        }
        for doctype in ["OAuth Bearer Token", "OAuth Client", "User"] {
            assert!(bench.may_list("ak:as", doctype), "{round}: {doctype}");
        }
    }
    let admin = format!("token {ADMIN_API_KEY}:{ADMIN_API_SECRET}");
    let [rules, contacts] = ["Custom%20DocPerm", "Contact"]
        .map(|doctype| Request::get(&format!("/api/resource/{doctype}")).header("Authorization", &admin));
    for list in [rules, contacts] {
        let left = Connection::open(bench.standin.port()).and_then(|mut it| it.send(&list)).expect("an answer");
        assert_eq!(left.text(), r#"{"data":[]}"#, "{list:?}");
    }
}

#[test]
fn undo_removes_what_setup_made_and_nothing_else() {
    let bench = Bench::set_up();
    bench.standin.add_bearer(Bearer::new("emp_sh_one", SHADOW_CLIENT, ALICE));
    bench.standin.add_bearer(Bearer::new("emp_sh_two", SHADOW_CLIENT, BOB));
    bench.standin.add_bearer(Bearer::new("native", ORDINARY_CLIENT, BOB));
    let shown = bench.setup(&["--undo", "--dry-run"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains("would remove  shadow tokens (2)"), "{shown:?}");
    assert_eq!(bench.standin.bearer_rows().len(), 3);
    let done = bench.setup(&["--undo", "--json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let json = done.json();
    let outcomes = json["steps"].as_array().expect("steps").iter().map(|step| &step["outcome"]);
    assert!(outcomes.into_iter().all(|outcome| outcome == "removed"), "{json}");
    let left: Vec<_> = bench.standin.bearer_rows().into_iter().map(|row| row.access_token).collect();
    assert_eq!(left, ["native"]);
    assert!(bench.standin.client(SHADOW_CLIENT).is_none() && bench.standin.client(ORDINARY_CLIENT).is_some());
    assert!(bench.standin.user(GATEWAY_USER).is_none() && bench.standin.user(BOB).is_some());
    assert!(!bench.key_file().exists());
    // No token stood in a URL.
    assert_eq!(bench.standin.count(|record| record.target.contains("emp_sh_")), 0);
    let again = bench.setup(&["--undo"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(words(&again).iter().all(|word| *word == "absent"), "{again:?}");
}

#[test]
fn a_dry_run_writes_nothing_anywhere() {
    let bench = Bench::bare();
    bench.standin.forget_requests();
    let shown = bench.setup(&["--dry-run"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert_eq!(words(&shown), ["would"; 8]);
    assert!(bench.standin.count(|_| true) > 5);
    assert_eq!(bench.standin.count(|record| record.method != "GET"), 0);
    assert!(!bench.key_file().exists());
}

#[test]
fn a_key_that_works_no_more_is_replaced_in_a_file_that_keeps_its_permissions() {
    let bench = Bench::set_up();
    fs::set_permissions(bench.key_file(), fs::Permissions::from_mode(0o640)).expect("permissions");
    bench.standin.set_api_key(GATEWAY_USER, GATEWAY_API_KEY, "another-secret");
    let group_may = fs::metadata(bench.key_file()).is_ok_and(|file| std::os::unix::fs::MetadataExt::uid(&file) == 0);
    if !group_may {
        fs::set_permissions(bench.key_file(), fs::Permissions::from_mode(0o600)).expect("permissions");
    }
    let expected = mode(&bench.key_file());
    let done = bench.setup(&["--user", GATEWAY_USER]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(words(&done), ["kept", "kept", "kept", "kept", "kept", "changed", "kept", "made", "ERPNext"]);
    assert_eq!(mode(&bench.key_file()), expected);
    assert!(bench.may_list(bench.key().trim_end(), "User"));
    // An empty file only says with which permissions; the account is known by its role.
    fs::write(bench.key_file(), "").expect("written");
    let done = bench.setup(&[]);
    assert_eq!((done.code, words(&done)[1]), (0, "kept"), "{done:?}");
    assert!(done.out.contains("account gateway@example.com"), "{done:?}");
    assert!(bench.may_list(bench.key().trim_end(), "User"));
}

#[test]
fn what_is_not_the_gateways_is_neither_taken_over_nor_removed() {
    let bench = Bench::set_up();
    for more in [&["--user", ALICE][..], &["--user", BOB], &["--undo", "--user", ALICE]] {
        let refused = bench.setup(more);
        assert_eq!(refused.code, 1, "{more:?}: {refused:?}");
        assert!(refused.err.contains("--user"), "{refused:?}");
    }
    bench.standin.set_roles(BOB, &["Auth Gateway"]);
    let refused = bench.setup(&["--undo"]);
    assert!(refused.code == 1 && refused.err.contains(BOB), "{refused:?}");
    bench.standin.set_roles(BOB, &[]);
    let namesake = Client::new("namesake", "s", "https://somebody.example/cb");
    bench.standin.add_client(Client { app_name: "Empress Gateway".to_owned(), ..namesake });
    let refused = bench.setup(&["--undo"]);
    assert!(refused.code == 1 && refused.err.contains("namesake"), "{refused:?}");
    assert!(bench.standin.user(GATEWAY_USER).is_some() && bench.standin.client(SHADOW_CLIENT).is_some());
    assert!(bench.key_file().exists());
}

#[test]
fn a_client_and_a_role_in_another_shape_are_brought_into_theirs() {
    let bench = Bench::set_up();
    let lax = Client::new(SHADOW_CLIENT, "s", "https://somebody.example/cb");
    let lax = Client { app_name: "Empress Gateway".to_owned(), scopes: "all".to_owned(), ..lax };
    bench.standin.add_client(Client { skip_authorization: true, ..lax });
    let done = bench.setup(&[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("changed       OAuth Client Empress Gateway"), "{done:?}");
    let client = bench.standin.client(SHADOW_CLIENT).expect("the client");
    assert_eq!(client.allowed_roles, ["Auth Gateway"]);
    assert_eq!((client.scopes.as_str(), client.skip_authorization), ("all openid", false));
    assert!(client.redirect_uris.ends_with(".invalid/unused"), "{client:?}");
}

#[test]
fn a_failure_says_which_call_failed_what_erpnext_said_and_what_to_do() {
    let bench = Bench::bare();
    let fails = |what: &str, words: &[&str]| {
        let done = bench.setup(&[]);
        assert_eq!(done.code, 1, "{what}: {done:?}");
        for word in words {
            assert!(done.err.contains(word), "{what}: no {word}: {}", done.err);
        }
        assert!(!done.err.contains("Traceback") && !done.err.contains('<'), "{}", done.err);
    };
    bench.standin.set_api_key(BOB, "bk", "bs");
    bench.secret("admin.key", "bk:bs\n");
    fails("bob", &["GET /api/resource/Has Role", "403", "PermissionError", "Administrator"]);
    bench.secret("admin.key", "nobody:nothing\n");
    fails("nobody", &["GET /api/method/frappe.auth.get_logged_user", "401", "AuthenticationError", "--admin-key-file"]);
    bench.secret("admin.key", &format!("{ADMIN_API_KEY}:{ADMIN_API_SECRET}\n"));
    bench.standin.fail_on("generate_keys", Failure::Status(500));
    fails("broken", &["POST /api/method/frappe.core.doctype.user.user.generate_keys", "500", "log"]);
    assert!(!bench.key_file().exists());
    bench.standin.heal();
    bench.standin.fail(Failure::Refuse);
    fails("away", &["[erpnext].url"]);
    bench.standin.heal();
    let done = bench.setup(&[]);
    assert_eq!(done.code, 0, "it goes on where it stopped: {done:?}");
}

#[test]
fn a_key_file_that_others_may_read_and_a_bad_configuration_are_wrong_usage() {
    let bench = Bench::bare();
    fs::set_permissions(bench.path("admin.key"), fs::Permissions::from_mode(0o644)).expect("permissions");
    let done = bench.setup(&[]);
    assert!(done.code == 2 && done.err.contains("--admin-key-file: ") && done.err.contains("chmod"), "{done:?}");
    fs::write(bench.path("gateway.toml"), "[server]\n").expect("written");
    assert_eq!(bench.setup(&[]).code, 2);
    let none = run(&bench.path("gateway.toml"), &["setup-erpnext"], "");
    assert_eq!(none.code, 2, "{none:?}");
}
