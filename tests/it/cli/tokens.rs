//! `token inspect` and `token revoke` beside a running gateway.

use std::{fs, time::Duration};

use tokio::time::Instant;

use super::harness::{beside, run};
use crate::{
    standin::{ALICE, BOB, Bearer, Failure, ORDINARY_CLIENT},
    support::{APP, BACKEND, BACKEND_BLOCK, Browser, LEGACY, SHOP, Setup, TestGateway, Tokens, until},
};

const NATIVE: &str = "mkOkEgw4kHitB9RXtR7Kjyy6Auiwxq";
/// How long a running gateway may go on accepting what a command has ended: it reads the feed each second. A
/// machine with other work may add to that; what is in memory is believed for a minute.
const SOON: Duration = Duration::from_secs(30);

fn has_shadow_token(gateway: &TestGateway, user: &str) -> bool {
    gateway.standin.bearer_rows().iter().any(|row| row.user == user && row.access_token.starts_with("emp_sh_"))
}

/// Fails unless the token is refused soon.
fn is_refused_soon(gateway: &TestGateway, token: &str) {
    let ended = Instant::now();
    until("the token is refused", || (gateway.whoami(token).status == 401).then_some(()));
    assert!(ended.elapsed() < SOON, "refused only after {:?}", ended.elapsed());
}

#[test]
fn inspect_tells_what_is_known_of_a_token_and_never_the_token() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, APP, &[]);
    let inspect = |token: &str| {
        let done = beside(&gateway, &["token", "inspect", "--json"], &format!("{token}\n"));
        assert!(!done.out.contains(token) && !done.err.contains(token), "{done:?}");
        done
    };
    let access = inspect(&tokens.access);
    assert_eq!((access.code, access.err.as_str()), (0, ""), "{access:?}");
    let known = access.json();
    for (name, value) in
        [("kind", "access_token"), ("state", "active"), ("client_id", "app"), ("user", ALICE), ("scope", "all openid")]
    {
        assert_eq!(known[name], value, "{known}");
    }
    assert!(known["expires_at"].as_str() > known["issued_at"].as_str(), "{known}");
    let refresh = inspect(&tokens.refresh).json();
    assert_eq!((&refresh["kind"], &refresh["state"]), (&"refresh_token".into(), &"active".into()));
    assert_eq!(refresh["grant_id"], known["grant_id"]);
    gateway.refresh(APP, &tokens.refresh, &[]);
    assert_eq!(inspect(&tokens.refresh).json()["state"], "rotated");
    let shown = beside(&gateway, &["token", "inspect"], &tokens.access);
    assert!(shown.out.contains("client") && shown.out.contains(ALICE), "{shown:?}");

    gateway.standin.add_bearer(Bearer::new("native-token-of-erpnext", ORDINARY_CLIENT, BOB));
    let shadow = gateway.standin.bearer_rows().into_iter().find(|row| row.access_token.starts_with("emp_sh_"));
    let code = Browser::of(&gateway, ALICE).code(SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    let shadow = shadow.map_or_else(|| "emp_sh_x".to_owned(), |row| row.access_token);
    for (token, said) in [
        (code.as_str(), "authorization code"),
        (&shadow, "shadow token"),
        ("native-token-of-erpnext", "not of the gateway's making"),
        ("emp_at_0123456789", "forged or mistyped"),
    ] {
        let unknown = inspect(token);
        assert_eq!(unknown.code, 1, "{unknown:?}");
        assert!(unknown.json()["reason"].as_str().is_some_and(|reason| reason.contains(said)), "{unknown:?}");
    }
    assert_eq!(beside(&gateway, &["token", "inspect"], "\n").code, 1);
    assert_eq!(beside(&gateway, &["token", "inspect", &tokens.access], "").code, 2, "no token is an argument");
}

#[test]
fn inspect_tells_who_acts_by_an_exchanged_token() {
    let gateway = Setup::new().client(BACKEND_BLOCK).start();
    let subject = gateway.tokens(ALICE, SHOP, &[]);
    let first = Tokens::of(&gateway.exchange_token(BACKEND, &subject.access, &[]));
    let second = Tokens::of(&gateway.exchange_token(BACKEND, &first.access, &[]));
    let known = beside(&gateway, &["token", "inspect", "--json"], &second.access).json();
    assert_eq!(known["act"], serde_json::json!({"sub": "backend", "act": {"sub": "backend"}}), "{known}");
    assert_eq!(beside(&gateway, &["token", "inspect", "--json"], &subject.access).json().get("act"), None);
    let shown = beside(&gateway, &["token", "inspect"], &second.access);
    assert!(shown.out.contains("acting") && shown.out.contains("backend, after backend"), "{shown:?}");
}

/// T59 across processes.
#[test]
fn a_token_that_is_revoked_by_the_command_is_refused_by_the_running_gateway_within_a_second() {
    let gateway = TestGateway::start();
    let (ended, other) = (gateway.tokens(ALICE, SHOP, &[]), gateway.tokens(ALICE, SHOP, &[]));
    gateway.acts_as(&ended.access, ALICE);
    let done = beside(&gateway, &["token", "revoke"], &ended.access);
    assert_eq!((done.code, done.out.as_str()), (0, "ended 1 grant of alice@example.com to shop\n"), "{done:?}");
    is_refused_soon(&gateway, &ended.access);
    assert_eq!(gateway.refresh(SHOP, &ended.refresh, &[]).status, 400);
    gateway.acts_as(&other.access, ALICE);
    assert_eq!(beside(&gateway, &["token", "revoke"], &ended.access).code, 1, "it has ended");
    // The refresh token ends the grant as well, also one that was rotated away.
    let public = gateway.tokens(BOB, APP, &[]);
    let next = Tokens::of(&gateway.refresh(APP, &public.refresh, &[]));
    assert_eq!(beside(&gateway, &["token", "revoke"], &public.refresh).code, 0);
    is_refused_soon(&gateway, &next.access);
}

#[test]
fn a_token_that_erpnext_issued_is_inspected_and_ended_like_any_other() {
    let native =
        || Bearer { refresh_token: Some("refresh-of-erpnext".to_owned()), ..Bearer::new(NATIVE, ORDINARY_CLIENT, BOB) };
    let gateway = Setup::new().in_step().start_on(|standin| standin.add_bearer(native()));
    gateway.acts_as(NATIVE, BOB);
    for (token, kind) in [(NATIVE, "access_token"), ("refresh-of-erpnext", "refresh_token")] {
        let done = beside(&gateway, &["token", "inspect", "--json"], token);
        let known = done.json();
        assert_eq!((done.code, &known["kind"], &known["issued_by"]), (0, &kind.into(), &"erpnext".into()), "{known}");
        assert_eq!((&known["user"], &known["client_id"]), (&BOB.into(), &ORDINARY_CLIENT.into()), "{known}");
    }
    assert_eq!(beside(&gateway, &["token", "revoke"], NATIVE).code, 0);
    is_refused_soon(&gateway, NATIVE);
}

#[test]
fn all_of_a_user_is_ended_with_the_shadow_token_and_nothing_of_another() {
    let gateway = TestGateway::start();
    let of_alice = [gateway.tokens(ALICE, SHOP, &[]), gateway.tokens(ALICE, LEGACY, &[])];
    let of_bob = gateway.tokens(BOB, SHOP, &[]);
    for tokens in &of_alice {
        gateway.acts_as(&tokens.access, ALICE);
    }
    gateway.acts_as(&of_bob.access, BOB);
    assert!(has_shadow_token(&gateway, ALICE) && has_shadow_token(&gateway, BOB));
    let done = beside(&gateway, &["token", "revoke", "--user", ALICE, "--json"], "");
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.json(), serde_json::json!({"grants_ended": 2, "shadow_token_deleted": true, "reason": null}));
    assert!(!has_shadow_token(&gateway, ALICE) && has_shadow_token(&gateway, BOB));
    for tokens in &of_alice {
        is_refused_soon(&gateway, &tokens.access);
    }
    gateway.acts_as(&of_bob.access, BOB);
    let again = beside(&gateway, &["token", "revoke", "--user", ALICE], "");
    assert_eq!(again.code, 1, "{again:?}");
    // Who logs in again is served again.
    let fresh = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&fresh.access, ALICE);
}

#[test]
fn grants_end_while_erpnext_is_away_and_the_shadow_token_when_the_command_is_run_again() {
    let gateway = TestGateway::start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    gateway.standin.fail(Failure::Refuse);
    let done = beside(&gateway, &["token", "revoke", "--user", ALICE], "");
    assert!(done.code == 1 && done.err.contains("run this again"), "{done:?}");
    gateway.standin.heal();
    is_refused_soon(&gateway, &tokens.access);
    assert!(has_shadow_token(&gateway, ALICE));
    let again = beside(&gateway, &["token", "revoke", "--user", ALICE], "");
    assert_eq!(again.code, 0, "{again:?}");
    assert!(!has_shadow_token(&gateway, ALICE));
}

#[test]
fn all_of_a_client_is_ended_and_nothing_of_another() {
    let gateway = TestGateway::start();
    let of_shop = [gateway.tokens(ALICE, SHOP, &[]), gateway.tokens(BOB, SHOP, &[])];
    let of_app = gateway.tokens(ALICE, APP, &[]);
    let done = beside(&gateway, &["token", "revoke", "--client", "shop"], "");
    assert_eq!((done.code, done.out.as_str()), (0, "ended 2 grants of shop\n"), "{done:?}");
    for tokens in &of_shop {
        is_refused_soon(&gateway, &tokens.access);
    }
    gateway.acts_as(&of_app.access, ALICE);
    let both = beside(&gateway, &["token", "revoke", "--client", "shop", "--user", ALICE], "");
    assert_eq!(both.code, 2, "{both:?}");
}

#[test]
fn a_store_that_is_not_there_is_not_made() {
    let mut gateway = Setup::new().start();
    gateway.stop();
    let text = fs::read_to_string(gateway.folder().join("gateway.toml")).expect("the configuration");
    let elsewhere = gateway.folder().join("elsewhere.toml");
    fs::write(&elsewhere, text.replace("empress.db", "missing.db")).expect("a file");
    fs::set_permissions(&elsewhere, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("permissions");
    for arguments in
        [&["token", "inspect"][..], &["token", "revoke"], &["token", "revoke", "--user", ALICE], &["report"]]
    {
        let done = run(&elsewhere, arguments, "token");
        assert!(done.code == 1 && done.err.contains("missing.db is not there"), "{arguments:?}: {done:?}");
    }
    assert!(!gateway.folder().join("missing.db").exists());
}

/// A site that goes back to be without a gateway must not find them good.
#[test]
fn what_is_revoked_by_user_or_client_ends_in_erpnext_too_what_nobody_had_read_with_it() {
    for by in [["--user", ALICE], ["--client", ORDINARY_CLIENT]] {
        let gateway = Setup::new()
            .in_step()
            .set("erpnext.client_sync_interval", "10m")
            .start_on(|standin| standin.add_bearer(Bearer::new(NATIVE, ORDINARY_CLIENT, ALICE)));
        gateway.acts_as(NATIVE, ALICE);
        gateway.standin.add_bearer(Bearer::new("a-moment-ago", ORDINARY_CLIENT, ALICE));
        gateway.standin.add_bearer(Bearer::new("another-user-s", "another-client", BOB));
        let done = beside(&gateway, &["token", "revoke", by[0], by[1]], "");
        assert!(done.code == 0 && done.out.contains("2 grants"), "{done:?}");
        is_refused_soon(&gateway, NATIVE);
        let rows = gateway.standin.bearer_rows();
        let left = |token: &str| rows.iter().any(|row| row.access_token == token);
        assert!(!left(NATIVE) && !left("a-moment-ago"), "{by:?}");
        assert!(left("another-user-s"), "{by:?}");
    }
}

#[test]
fn what_can_not_be_read_or_deleted_in_erpnext_is_no_success() {
    for (part, failure) in [("frappe.client.delete", Failure::Status(500)), ("OAuth%20Bearer", Failure::Status(502))] {
        let gateway = Setup::new()
            .in_step()
            .set("erpnext.client_sync_interval", "10m")
            .start_on(|standin| standin.add_bearer(Bearer::new(NATIVE, ORDINARY_CLIENT, ALICE)));
        let tokens = gateway.tokens(ALICE, SHOP, &[]);
        gateway.standin.fail_on(part, failure);
        let revoke = || beside(&gateway, &["token", "revoke", "--user", ALICE], "");
        let done = revoke();
        assert!(done.code == 1 && done.err.contains("run this again"), "{part}: {done:?}");
        is_refused_soon(&gateway, NATIVE);
        is_refused_soon(&gateway, &tokens.access);
        gateway.standin.heal();
        let again = revoke();
        assert!(
            gateway.standin.bearer_rows().iter().all(|row| row.user != ALICE),
            "{part}: {again:?} {:?}",
            gateway.standin.bearer_rows()
        );
    }
}
