//! `key list` and `key rotate`, beside a running gateway whose id_tokens a client verifies.

use std::collections::BTreeSet;

use jsonwebtoken::Algorithm;
use rusqlite::Connection;
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::harness::{Done, beside};
use crate::{
    standin::ALICE,
    support::{Browser, SHOP, Setup, TestGateway, authorize_url, claims_by_document, claims_by_jwks, header, until},
};

const JWKS: &str = "/.well-known/jwks.json";
const RS256: (crate::support::Client, Algorithm) = (SHOP, Algorithm::RS256);

fn kids(document: &Value) -> BTreeSet<String> {
    let keys = document["keys"].as_array().expect("keys").iter();
    keys.map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

/// The ids of listed keys in this state.
fn in_state(done: &Done, state: &str) -> BTreeSet<String> {
    let listed = done.json();
    let keys = listed.as_array().expect("a list").iter().filter(|key| key["state"] == state);
    keys.map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

fn seconds(time: &Value) -> i64 {
    let time = time.as_str().unwrap_or_else(|| panic!("no time: {time}"));
    OffsetDateTime::parse(time, &Rfc3339).expect("a time").unix_timestamp()
}

fn signer(id_token: &str) -> String {
    header(id_token)["kid"].as_str().expect("a kid").to_owned()
}

fn sql(gateway: &TestGateway, statement: &str) {
    let store = Connection::open(gateway.folder().join("empress.db")).expect("the store");
    store.execute_batch(statement).expect("done");
}

/// Lets this time pass for the keys.
fn shift_keys(gateway: &TestGateway, seconds: i64) {
    let columns = ["created_at", "signs_from", "retired_at", "published_until"];
    let shifts: Vec<String> =
        columns.iter().map(|column| format!("{column} = {column} - {}", seconds * 1000)).collect();
    sql(gateway, &format!("UPDATE signing_keys SET {}", shifts.join(", ")));
}

fn list(gateway: &TestGateway) -> Done {
    beside(gateway, &["key", "list", "--json"], "")
}

/// T83: the gateway is killed in the middle.
#[test]
fn a_client_that_keeps_the_published_keys_as_long_as_it_may_verifies_throughout_a_rotation() {
    let mut gateway = TestGateway::start();
    let before = gateway.tokens(ALICE, SHOP, &[]).id_token;
    let answer = gateway.get(JWKS);
    let control = answer.header("cache-control").expect("it may be kept").to_owned();
    let max_age: i64 = control.strip_prefix("public, max-age=").and_then(|age| age.parse().ok()).expect("a number");
    let kept_before = answer.json();
    let old = in_state(&list(&gateway), "signs");
    assert_eq!(kids(&kept_before), old);

    // A rotation that fails changes nothing.
    sql(&gateway, "CREATE TRIGGER full BEFORE INSERT ON signing_keys BEGIN SELECT RAISE(ABORT, 'full'); END");
    for arguments in [&["key", "rotate"][..], &["key", "rotate", "--now"]] {
        let failed = beside(&gateway, arguments, "");
        assert!(failed.code == 1 && failed.err.contains("full"), "{failed:?}");
    }
    sql(&gateway, "DROP TRIGGER full");
    let unchanged = list(&gateway);
    assert_eq!((in_state(&unchanged, "signs"), in_state(&unchanged, "next").len()), (old.clone(), 0), "{unchanged:?}");

    let rotated = beside(&gateway, &["key", "rotate", "--json"], "");
    let now = OffsetDateTime::now_utc().unix_timestamp();
    assert!(rotated.code == 0 && rotated.err.contains("--now"), "{rotated:?}");
    let next = in_state(&rotated, "next");
    assert_eq!((in_state(&rotated, "signs"), next.len()), (old.clone(), old.len()), "{rotated:?}");
    let keys = rotated.json();
    let begins = keys.as_array().expect("keys").iter().filter(|key| key["state"] == "next");
    let begins = begins.map(|key| seconds(&key["signs_from"])).max().expect("a time");
    assert!(begins - now >= max_age, "{keys}");
    for key in keys.as_array().expect("keys").iter().filter(|key| key["state"] == "signs") {
        assert_eq!((seconds(&key["signs_until"]), &key["retired_at"]), (begins, &Value::Null), "{key}");
        assert!(seconds(&key["published_until"]) >= begins + 3600, "{key}");
    }

    // The gateway publishes them, and signs with the old ones: also after a restart.
    let kept = until("the next keys are published", || {
        let document = gateway.get(JWKS).json();
        kids(&document).is_superset(&next).then_some(document)
    });
    assert!(kids(&kept).is_superset(&old));
    claims_by_document(&gateway, RS256, &kept_before, &gateway.tokens(ALICE, SHOP, &[]).id_token);
    gateway.restart();
    let last_of_old = gateway.tokens(ALICE, SHOP, &[]).id_token;
    claims_by_document(&gateway, RS256, &kept_before, &last_of_old);
    assert_eq!(kids(&gateway.get(JWKS).json()), kids(&kept));

    // Their time comes. Who has kept the keys since they were published verifies whatever is signed.
    shift_keys(&gateway, begins - now);
    let after = until("the next keys sign", || {
        let id_token = gateway.tokens(ALICE, SHOP, &[]).id_token;
        claims_by_document(&gateway, RS256, &kept, &id_token);
        next.contains(&signer(&id_token)).then_some(id_token)
    });
    for id_token in [&before, &last_of_old, &after] {
        assert_eq!(claims_by_jwks(&gateway, SHOP, Algorithm::RS256, id_token)["aud"], "shop");
    }
    let listed = list(&gateway);
    assert_eq!((in_state(&listed, "signs"), in_state(&listed, "retired")), (next, old), "{listed:?}");
    let printed = beside(&gateway, &["key", "list"], "");
    assert!(printed.out.contains("PUBLISHED UNTIL") && !printed.out.contains("PRIVATE"), "{printed:?}");

    // Long after, only the new ones are there.
    shift_keys(&gateway, 40 * 86_400);
    gateway.restart();
    until("the old keys are removed", || in_state(&list(&gateway), "retired").is_empty().then_some(()));
    claims_by_jwks(&gateway, SHOP, Algorithm::RS256, &after);
}

#[test]
fn a_stolen_key_is_out_of_the_published_ones_and_of_hints_within_the_interval() {
    let audit = tempfile::tempdir().expect("a folder");
    let trail = audit.path().join("audit.log");
    let mut gateway = Setup::new().set("log.audit_file", trail.to_string_lossy().into_owned()).start();
    let stolen = gateway.tokens(ALICE, SHOP, &[]).id_token;
    let hint = [("id_token_hint", stolen.as_str()), ("prompt", "none")];
    let mut browser = Browser::of(&gateway, ALICE);
    assert!(browser.get(&authorize_url(SHOP, &hint)).parameter("code").is_some());
    // The next keys may be stolen, too.
    beside(&gateway, &["key", "rotate"], "");
    let old: BTreeSet<String> =
        ["signs", "next"].into_iter().flat_map(|state| in_state(&list(&gateway), state)).collect();

    let replaced = beside(&gateway, &["key", "rotate", "--now", "--json"], "");
    assert!(replaced.code == 0 && replaced.err.contains("300 seconds"), "{replaced:?}");
    let new = in_state(&replaced, "signs");
    assert!(new.is_disjoint(&old) && new.len() * 2 == old.len(), "{replaced:?}");
    until("the old keys are out", || (kids(&gateway.get(JWKS).json()) == new).then_some(()));
    for restarted in [false, true] {
        if restarted {
            gateway.restart();
        }
        let after = gateway.tokens(ALICE, SHOP, &[]).id_token;
        assert!(new.contains(&signer(&after)));
        claims_by_jwks(&gateway, SHOP, Algorithm::RS256, &after);
        assert_eq!(kids(&gateway.get(JWKS).json()), new);
        let mut browser = Browser::of(&gateway, ALICE);
        assert_eq!(browser.get(&authorize_url(SHOP, &hint)).redirected_error(), "invalid_request");
    }
    let said = std::fs::read_to_string(&trail).expect("the trail");
    for event in ["signing_keys_rotated", "signing_keys_replaced"] {
        let line = said.lines().find(|line| line.contains(event)).unwrap_or_else(|| panic!("{event}: {said}"));
        assert!(line.contains("\"reason\":\"command_line\""), "{line}");
    }
}

#[test]
fn an_access_token_that_is_a_jwt_ends_with_its_key_and_a_refresh_gives_a_new_one() {
    let gateway = Setup::new().set("tokens.access_format", "jwt").start();
    let tokens = gateway.tokens(ALICE, SHOP, &[]);
    gateway.acts_as(&tokens.access, ALICE);
    let rotated = beside(&gateway, &["key", "rotate", "--now"], "");
    assert_eq!(rotated.code, 0, "{rotated:?}");
    until("it is refused", || (gateway.whoami(&tokens.access).status == 401).then_some(()));
    assert_eq!(gateway.introspect(SHOP, &tokens.access), serde_json::json!({ "active": false }));
    let again = gateway.refresh(SHOP, &tokens.refresh, &[]).member("access_token");
    gateway.acts_as(&again, ALICE);
    // It can still be given to be revoked, and ends the grant.
    gateway.revoke(SHOP, &tokens.access);
    gateway.refuses("of the same grant", &again);
}
