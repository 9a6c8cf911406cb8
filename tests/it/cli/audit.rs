//! The audit trail: each event, as the real binary writes it.

use std::{fs, path::PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::harness::beside;
use crate::{
    standin::{ALICE, BOB, BOB_PASSWORD},
    support::{
        APP, Browser, IMPLICIT, PASSWORD, Request, SHOP, Setup, TRUSTED, TestGateway, Tokens, authorize_url, until,
    },
};

/// A gateway with a trail of its own.
struct Trail {
    gateway: TestGateway,
    file: PathBuf,
    _folder: TempDir,
}

impl Trail {
    fn start(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("audit.jsonl");
        let gateway = setup.set("log.audit_file", file.display().to_string()).start();
        Self { gateway, file, _folder: folder }
    }

    fn lines(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.file).expect("the trail");
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    fn of(&self, event: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["event"] == event).collect()
    }

    #[track_caller]
    fn only(&self, event: &str) -> Value {
        let mut found = self.of(event);
        assert_eq!(found.len(), 1, "{event}: {:#?}", self.lines());
        found.remove(0)
    }
}

/// Fails unless the line has these members.
#[track_caller]
fn has(line: &Value, members: &[(&str, &str)]) {
    for (name, value) in members {
        assert_eq!(line[*name], *value, "{line}");
    }
    assert!(line["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{line}");
}

#[test]
fn logins_and_logouts_that_pass_are_written_down_and_failed_ones_counted() {
    let mut trail = Trail::start(Setup::new());
    let mut browser = Browser::of(&trail.gateway, ALICE);
    has(&trail.only("login"), &[("user", ALICE), ("address", "127.0.0.1")]);
    browser.get("/app");
    browser.get("/api/method/logout");
    has(&trail.only("logout"), &[("address", "127.0.0.1")]);
    // Nobody's session ends with a made-up cookie, and a claimed user is nobody's word.
    let forged = Request::get("/api/method/logout").header("Cookie", "sid=0123456789abcdef; user_id=Administrator");
    trail.gateway.send(&forged);
    for _ in 0..3 {
        let wrong = Request::form("/api/method/login", &[("usr", BOB), ("pwd", "wrong")]);
        assert_eq!(trail.gateway.send(&wrong).status, 401);
    }
    trail.gateway.stop();
    assert_eq!((trail.of("login").len(), trail.of("logout").len()), (1, 1));
    let failed = trail.of("login_failed");
    has(&failed[0], &[("address", "127.0.0.1")]);
    assert_eq!(failed.iter().filter_map(|line| line["count"].as_u64()).sum::<u64>(), 3);
}

#[test]
fn consents_and_what_comes_of_them_are_written_down() {
    let trail = Trail::start(Setup::new());
    let mut browser = Browser::of(&trail.gateway, ALICE);
    let code = browser.code(SHOP, &[]);
    let (who, scope) = ([("client_id", "shop"), ("user", ALICE), ("address", "127.0.0.1")], ("scope", "all openid"));
    has(&trail.only("consent_remembered"), &[&who[..], &[scope]].concat());
    let granted = trail.only("authorization_granted");
    has(&granted, &[&who[..], &[scope, ("reason", "consented")]].concat());
    let grant = granted["grant_id"].as_str().expect("a grant").to_owned();

    let tokens = Tokens::of(&trail.gateway.exchange(SHOP, &code, &[]));
    let of_grant = [&who[..], &[("grant_id", grant.as_str())]].concat();
    has(&trail.only("tokens_issued"), &[&of_grant[..], &[scope, ("grant_type", "authorization_code")]].concat());
    trail.gateway.refresh(SHOP, &tokens.refresh, &[]);
    has(&trail.only("tokens_refreshed"), &[&of_grant[..], &[("grant_type", "refresh_token")]].concat());
    trail.gateway.revoke(SHOP, &tokens.access);
    has(&trail.only("grant_revoked"), &[&of_grant[..], &[("reason", "revocation_endpoint")]].concat());

    browser.code(SHOP, &[]);
    has(&trail.of("authorization_granted")[1], &[("reason", "consent_remembered")]);
    browser.code(TRUSTED, &[]);
    has(&trail.of("authorization_granted")[2], &[("reason", "consent_skipped"), ("client_id", "trusted")]);
    let page = browser.get(&authorize_url(SHOP, &[("prompt", "consent")]));
    browser.decide(&page, "deny");
    has(&trail.only("authorization_denied"), &who);
}

#[test]
fn tokens_of_the_other_grants_name_user_and_grant_too() {
    let trail = Trail::start(Setup::new());
    Browser::of(&trail.gateway, ALICE).authorize(IMPLICIT, &[("response_type", "token")]);
    let issued = trail.only("tokens_issued");
    has(&issued, &[("client_id", "implicit"), ("user", ALICE), ("grant_type", "implicit")]);
    assert_eq!(issued["grant_id"], trail.only("authorization_granted")["grant_id"]);
    let form = [("grant_type", "password"), ("username", BOB), ("password", BOB_PASSWORD)];
    trail.gateway.as_client(PASSWORD, "get_token", &form);
    has(&trail.of("tokens_issued")[1], &[("user", BOB), ("grant_type", "password")]);
    assert!(trail.of("tokens_issued")[1]["grant_id"].is_string());
}

#[test]
fn a_reused_refresh_token_is_written_down_with_the_user_whose_grant_ends() {
    let trail = Trail::start(Setup::new());
    let first = trail.gateway.tokens(ALICE, APP, &[]);
    let second = Tokens::of(&trail.gateway.refresh(APP, &first.refresh, &[]));
    trail.gateway.refresh(APP, &second.refresh, &[]);
    assert_eq!(trail.gateway.refresh(APP, &first.refresh, &[]).status, 400);
    let reused = trail.only("refresh_token_reused");
    has(&reused, &[("client_id", "app"), ("user", ALICE)]);
    assert_eq!(reused["grant_id"], trail.only("tokens_issued")["grant_id"]);
    has(&trail.only("grant_refused"), &[("client_id", "app")]);
}

#[test]
fn a_user_who_is_disabled_enabled_or_deleted_is_written_down() {
    let trail = Trail::start(Setup::new().set("erpnext.user_ttl", "200ms"));
    trail.gateway.tokens(BOB, SHOP, &[]);
    assert!(trail.of("user_disabled").is_empty());
    trail.gateway.standin.set_enabled(BOB, false);
    until("the user is seen as disabled", || (!trail.of("user_disabled").is_empty()).then_some(()));
    trail.gateway.standin.set_enabled(BOB, true);
    until("the user is seen as enabled", || (!trail.of("user_enabled").is_empty()).then_some(()));
    trail.gateway.standin.delete_user(BOB);
    until("the user is seen as gone", || (!trail.of("user_gone").is_empty()).then_some(()));
    for event in ["user_disabled", "user_enabled", "user_gone"] {
        has(&trail.only(event), &[("user", BOB)]);
    }
    assert_eq!(trail.only("user_gone")["count"], 1);
}

#[test]
fn denials_of_the_bearer_check_are_one_line_for_each_reason_and_address() {
    let mut trail = Trail::start(Setup::new());
    for _ in 0..50 {
        assert_eq!(trail.gateway.whoami("junk").status, 401);
    }
    assert_eq!(trail.gateway.whoami("emp_at_canary-junk-0123456789").status, 401);
    let revoked = trail.gateway.tokens(ALICE, SHOP, &[]).access;
    trail.gateway.revoke(SHOP, &revoked);
    trail.gateway.refuses("revoked", &revoked);
    trail.gateway.stop();
    let denied: Vec<_> = trail.of("access_denied");
    // An interval may have ended meanwhile.
    assert!(denied.len() <= 6, "{denied:#?}");
    for (reason, count) in [("foreign_token", 50), ("malformed_token", 1), ("inactive_token", 1)] {
        let of_reason: Vec<_> = denied.iter().filter(|line| line["reason"] == reason).collect();
        assert_eq!(of_reason.iter().filter_map(|line| line["count"].as_u64()).sum::<u64>(), count, "{denied:#?}");
        has(of_reason[0], &[("address", "127.0.0.1")]);
    }
}

#[test]
fn what_the_command_line_ends_is_in_the_same_trail() {
    let trail = Trail::start(Setup::new());
    let tokens = trail.gateway.tokens(ALICE, SHOP, &[]);
    trail.gateway.tokens(ALICE, APP, &[]);
    assert_eq!(beside(&trail.gateway, &["token", "revoke"], &tokens.access).code, 0);
    has(&trail.only("grant_revoked"), &[("reason", "command_line"), ("client_id", "shop"), ("user", ALICE)]);
    assert_eq!(beside(&trail.gateway, &["token", "revoke", "--user", ALICE], "").code, 0);
    let revoked = trail.only("user_revoked");
    has(&revoked, &[("reason", "command_line"), ("user", ALICE)]);
    assert_eq!(revoked["count"], 1);
    assert_eq!(beside(&trail.gateway, &["token", "revoke", "--client", "shop"], "").code, 1);
    has(&trail.only("client_revoked"), &[("reason", "command_line"), ("client_id", "shop")]);
}
