//! `report`, `client list` and `client show`.

use serde_json::Value;

use super::harness::{Done, beside};
use crate::{
    standin::ALICE,
    support::{LEGACY, SHOP, TestGateway},
};

fn client<'a>(list: &'a Value, id: &str) -> &'a Value {
    let mut clients = list.as_array().expect("a list").iter();
    clients.find(|client| client["id"] == id).unwrap_or_else(|| panic!("no {id}: {list}"))
}

/// A gateway that has served a lax and a strict client, and has left: its counts are written.
fn used() -> TestGateway {
    let mut gateway = TestGateway::start();
    for one in [LEGACY, SHOP] {
        gateway.tokens(ALICE, one, &[]);
    }
    gateway.stop();
    gateway
}

fn shows_no_secret(done: &Done) {
    for secret in [LEGACY.secret, SHOP.secret] {
        assert!(!done.out.contains(secret) && !done.err.contains(secret), "{done:?}");
    }
}

#[test]
fn the_report_tells_which_allowances_a_client_used_and_who_could_be_strict() {
    let gateway = used();
    let done = beside(&gateway, &["report", "--json"], "");
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{done:?}");
    let clients = &done.json()["clients"];
    let legacy = client(clients, "legacy");
    assert_eq!((&legacy["verdict"], &legacy["mode"]), (&"needs_compat".into(), &"compat".into()), "{legacy}");
    let no_secret = legacy["used"].as_array().expect("a list").iter().find(|used| used["allowance"] == "no_secret");
    let no_secret = no_secret.unwrap_or_else(|| panic!("it was used: {legacy}"));
    assert_eq!((&no_secret["count"], &no_secret["lately"]), (&1.into(), &true.into()));
    assert_eq!(client(clients, "shop")["verdict"], "strict");
    assert_eq!(client(clients, "shop")["living_grants"], 1);
    assert_eq!(client(clients, "implicit")["verdict"], "not_seen");
    let printed = beside(&gateway, &["report"], "");
    let line = printed.out.lines().find(|line| line.starts_with("legacy ")).expect("a line");
    assert!(line.contains("needs compat") && printed.out.contains("no_secret"), "{printed:?}");
}

/// Decision 25.
#[test]
fn clients_are_listed_without_secrets_and_short_ones_are_flagged() {
    let gateway = used();
    let done = beside(&gateway, &["client", "list", "--json"], "");
    assert_eq!(done.code, 0, "{done:?}");
    shows_no_secret(&done);
    let list = done.json();
    assert_eq!(client(&list, "legacy")["secret_is_short"], true);
    assert_eq!(client(&list, "shop")["secret_is_short"], false);
    assert_eq!(client(&list, "app")["secret_bytes"], Value::Null);
    assert_eq!(client(&list, "legacy")["verdict"], "needs_compat");
    let printed = beside(&gateway, &["client", "list"], "");
    shows_no_secret(&printed);
    let line = printed.out.lines().find(|line| line.starts_with("legacy ")).expect("a line");
    assert!(line.contains("compat") && line.contains("short"), "{printed:?}");

    let shown = beside(&gateway, &["client", "show", "legacy"], "");
    assert_eq!(shown.code, 0, "{shown:?}");
    shows_no_secret(&shown);
    assert!(shown.out.contains("10 bytes: short") && shown.out.contains(LEGACY.redirect_uri), "{shown:?}");
    let missing = beside(&gateway, &["client", "show", "nobody"], "");
    assert!(missing.code == 1 && missing.err.contains("client list"), "{missing:?}");
}

#[test]
fn a_store_that_cannot_be_opened_is_said_and_not_taken_for_an_empty_one() {
    let gateway = used();
    std::fs::write(gateway.folder().join("secret.key"), b"cut off").expect("written");
    for arguments in [&["client", "list"][..], &["client", "show", "legacy"], &["report"]] {
        let done = beside(&gateway, arguments, "");
        assert!(done.code == 1 && done.out.is_empty() && done.err.contains("secret.key"), "{done:?}");
    }
}
