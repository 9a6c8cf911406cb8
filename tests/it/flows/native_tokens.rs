//! Tokens that ERPNext issued before the gateway came (transcripts 20, 22, 40): they go on working, and end here.

use std::{
    sync::{Barrier, atomic::AtomicUsize},
    time::Duration,
};

use empress_gateway::clock::{Clock, SystemClock};

use crate::{
    standin::{ALICE, BOB, Bearer, Failure, ORDINARY_CLIENT, ORDINARY_CLIENT_SECRET},
    support::{Auth, Client, METHOD, Request, Setup, TestGateway, Tokens, until},
};

const DEMO: Client = Client::erpnext(ORDINARY_CLIENT, ORDINARY_CLIENT_SECRET, "http://localhost:3000/cb");
const NATIVE: &str = "mkOkEgw4kHitB9RXtR7Kjyy6Auiwxq";
const REFRESH: &str = "euKj9DwWoLTLQfCRhBGt8HzCeIEhih";

fn native(user: &str) -> Bearer {
    Bearer { refresh_token: Some(REFRESH.to_owned()), ..Bearer::new(NATIVE, ORDINARY_CLIENT, user) }
}

/// A gateway in front of a site that has issued a token to Alice.
fn moved_in(setup: Setup) -> TestGateway {
    setup.start_on(|standin| standin.add_bearer(native(ALICE)))
}

#[test]
fn a_native_token_is_forwarded_as_it_is_and_without_cookies() {
    let gateway = moved_in(Setup::new().in_step());
    gateway.acts_as(NATIVE, ALICE);
    let request =
        Request::get("/api/method/frappe.auth.get_logged_user").header("Authorization", &format!("bearer   {NATIVE}"));
    let (answer, reached) = gateway.upstream_of(|| gateway.send(&request.header("Cookie", "sid=other")));
    assert_eq!(answer.json()["message"], ALICE, "ERPNext itself takes a doubled blank for no token");
    let forwarded = reached.iter().find(|record| record.target.contains("get_logged_user")).expect("forwarded");
    assert_eq!(forwarded.header("authorization"), Some(format!("Bearer {NATIVE}")));
    assert_eq!(forwarded.header("cookie"), None);
    assert!(answer.header("set-cookie").is_none());
    assert_eq!(gateway.profile(NATIVE).json()["email"], ALICE);
}

#[test]
fn an_unknown_token_costs_erpnext_nothing() {
    let gateway = moved_in(Setup::new().in_step());
    gateway.acts_as(NATIVE, ALICE);
    for junk in ["mkOkEgw4kHitB9RXtR7Kjyy6AuiwxQ", "junk", &NATIVE.to_lowercase()] {
        gateway.without_upstream(junk, || gateway.refuses(junk, junk));
    }
}

/// Between two rounds of reading, as while the site's name is being moved to the gateway.
#[test]
fn a_refresh_token_that_erpnext_issued_a_moment_ago_is_taken() {
    let gateway = Setup::new().set("erpnext.clients", "sync").set("erpnext.client_sync_interval", "10m").start();
    let unknown = "unknownunknownunknownunknown30";
    assert_eq!(gateway.refresh(DEMO, unknown, &[]).error(), "invalid_grant", "ERPNext has none of the kind");
    let again = || gateway.refresh(DEMO, unknown, &[]);
    assert_eq!(gateway.without_upstream("asked about once", again).error(), "invalid_grant");
    gateway.standin.add_bearer(native(ALICE));
    let tokens = Tokens::of(&gateway.refresh(DEMO, REFRESH, &[]));
    gateway.acts_as(&tokens.access, ALICE);
    gateway.acts_as(NATIVE, ALICE);
}

/// T08
#[test]
fn native_tokens_are_refused_when_the_operator_says_so() {
    let gateway = moved_in(Setup::new().in_step().set("erpnext.native_tokens", "refuse"));
    gateway.without_upstream("a native token", || gateway.refuses("a native token", NATIVE));
    let refused = gateway.without_upstream("a native refresh token", || gateway.refresh(DEMO, REFRESH, &[]));
    assert_eq!(refused.error(), "invalid_grant");
    assert_eq!(gateway.introspect(DEMO, NATIVE)["active"], false);
}

/// ERPNext goes on accepting the token of a user who is disabled (transcript 61).
#[test]
fn a_disabled_user_s_native_token_is_refused() {
    let gateway = moved_in(Setup::new().in_step());
    gateway.acts_as(NATIVE, ALICE);
    gateway.standin.set_enabled(ALICE, false);
    until("the token is refused", || (gateway.whoami(NATIVE).status == 401).then_some(()));
    assert_eq!(gateway.refresh(DEMO, REFRESH, &[]).error(), "invalid_grant");
}

#[test]
fn many_at_once_adopt_a_native_refresh_token_into_one_grant() {
    let gateway = moved_in(Setup::new().in_step());
    let (start, grants) = (Barrier::new(20), std::sync::Mutex::new(std::collections::BTreeSet::new()));
    let refreshed = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                start.wait();
                let tokens = Tokens::of(&gateway.refresh(DEMO, REFRESH, &[]));
                gateway.acts_as(&tokens.access, ALICE);
                assert!(tokens.refresh.starts_with("emp_rt_"));
                refreshed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                grants.lock().expect("no panic").insert(tokens.refresh.clone());
            });
        }
    });
    assert_eq!(refreshed.into_inner(), 20);
    let grants = grants.into_inner().expect("no panic");
    // One grant: the end of one is the end of all, and of the native token too.
    let one = grants.first().expect("a token");
    assert_eq!(gateway.revoke(DEMO, one).status, 200);
    for token in &grants {
        assert_eq!(gateway.refresh(DEMO, token, &[]).error(), "invalid_grant");
    }
    gateway.refuses("the native token of the grant", NATIVE);
    assert_eq!(gateway.refresh(DEMO, REFRESH, &[]).error(), "invalid_grant");
}

#[test]
fn a_client_that_goes_on_sending_the_native_refresh_token_is_served() {
    let block = format!("id = '{ORDINARY_CLIENT}'\nmode = 'strict'");
    for setup in [Setup::new().in_step(), Setup::new().in_step().client(&block)] {
        let mut gateway = moved_in(setup);
        for _ in 0..3 {
            let tokens = Tokens::of(&gateway.refresh(DEMO, REFRESH, &[]));
            gateway.acts_as(&tokens.access, ALICE);
        }
        // ERPNext's row may go: the grant is the gateway's own by now.
        gateway.standin.delete_bearer(NATIVE);
        gateway.restart();
        let tokens = Tokens::of(&gateway.refresh(DEMO, REFRESH, &[]));
        gateway.acts_as(&tokens.access, ALICE);
    }
}

#[test]
fn a_native_refresh_token_is_the_row_s_client_s_alone() {
    let gateway = moved_in(Setup::new().in_step());
    assert_eq!(gateway.refresh(crate::support::SHOP, REFRESH, &[]).error(), "invalid_grant");
    assert_eq!(gateway.refresh(DEMO.with_secret("wrong"), REFRESH, &[]).error(), "invalid_client");
    assert_eq!(gateway.refresh(DEMO, NATIVE, &[]).error(), "invalid_grant", "an access token is none");
    gateway.refuses("a refresh token as bearer", REFRESH);
    Tokens::of(&gateway.refresh(DEMO.with(Auth::None), REFRESH, &[]));
}

#[test]
fn what_erpnext_revoked_or_deleted_is_not_adopted() {
    for end in [
        |gateway: &TestGateway| gateway.standin.set_bearer_status(NATIVE, "Revoked"),
        |gateway: &TestGateway| {
            gateway.standin.delete_bearer(NATIVE);
        },
    ] {
        let gateway = moved_in(Setup::new().in_step().set("erpnext.client_sync_interval", "1h"));
        end(&gateway);
        assert_eq!(gateway.introspect(DEMO, NATIVE)["active"], false, "asked live");
        assert_eq!(gateway.profile(NATIVE).status, 401, "asked live");
        assert_eq!(gateway.refresh(DEMO, REFRESH, &[]).error(), "invalid_grant");
        gateway.refuses("the token of the ended grant", NATIVE);
    }
}

/// Its row goes once it is adopted: a request that was asking for the row meanwhile must not take that for a revocation.
#[test]
fn a_row_that_goes_because_it_was_adopted_ends_nothing() {
    let gateway = moved_in(Setup::new().in_step().set("erpnext.client_sync_interval", "1h"));
    std::thread::scope(|threads| {
        gateway.standin.fail_on("frappe.client.get_list", Failure::Delay(Duration::from_secs(3)));
        let asked = || gateway.standin.count(|request| request.target.contains("frappe.client.get_list"));
        let before = asked();
        let late = threads.spawn(|| gateway.refresh(DEMO, REFRESH, &[]));
        until("it asks for the row", || (asked() > before).then_some(()));
        gateway.standin.heal();
        let first = Tokens::of(&gateway.refresh(DEMO, REFRESH, &[]));
        gateway.standin.delete_bearer(NATIVE);
        Tokens::of(&late.join().expect("an answer"));
        gateway.acts_as(&first.access, ALICE);
    });
}

#[test]
fn a_revocation_in_erpnext_is_heard_of() {
    let gateway = moved_in(Setup::new().in_step());
    gateway.acts_as(NATIVE, ALICE);
    gateway.standin.set_bearer_status(NATIVE, "Revoked");
    until("the gateway itself refuses it", || gateway.whoami(NATIVE).header("www-authenticate").map(|_| ()));
}

/// ERPNext's own answer says that expired tokens are active, with an `exp` that is hours off (transcript 31).
#[test]
fn introspection_of_a_native_token_tells_the_truth() {
    let gateway = moved_in(Setup::new().in_step());
    let claims = gateway.introspect(DEMO, NATIVE);
    assert_eq!((&claims["active"], &claims["client_id"]), (&true.into(), &ORDINARY_CLIENT.into()), "{claims}");
    assert_eq!((&claims["username"], &claims["scope"]), (&ALICE.into(), &"all openid".into()));
    let left = claims["exp"].as_u64().expect("exp").saturating_sub(SystemClock.now().secs());
    assert!((3500..=3600).contains(&left), "{claims}");
    let refresh = [("token", REFRESH), ("token_type_hint", "refresh_token")];
    assert_eq!(gateway.as_client(DEMO, "introspect_token", &refresh).json()["active"], true);
    let open = Request::form(&format!("{METHOD}introspect_token"), &[("token", NATIVE)]);
    assert_eq!(gateway.send(&open).json()["active"], true, "a compat client's, as in the guide");
    let expired = "expiredexpiredexpiredexpired30";
    let row = Bearer { expires_in: -60, ..Bearer::new(expired, ORDINARY_CLIENT, BOB) };
    gateway.standin.add_bearer(row);
    assert_eq!(gateway.introspect(DEMO, expired)["active"], false);
}

/// As ERPNext's clients do it: `token` alone (transcript 32).
#[test]
fn revoking_a_native_token_ends_it_here_at_once_and_in_erpnext() {
    for token in [NATIVE, REFRESH] {
        let gateway = moved_in(Setup::new().in_step());
        gateway.acts_as(NATIVE, ALICE);
        let answer = gateway.send(&Request::form(&format!("{METHOD}revoke_token"), &[("token", token)]));
        assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
        gateway.refuses("revoked", NATIVE);
        assert_eq!(gateway.refresh(DEMO, REFRESH, &[]).error(), "invalid_grant");
        until("ERPNext has forgotten it, too", || {
            gateway.standin.bearer_rows().iter().all(|row| row.access_token != NATIVE).then_some(())
        });
    }
}

/// It would come to life with the next round of reading.
#[test]
fn what_erpnext_issued_a_moment_ago_can_be_revoked() {
    for token in [NATIVE, REFRESH] {
        let gateway = Setup::new().set("erpnext.clients", "sync").set("erpnext.client_sync_interval", "10m").start();
        gateway.standin.add_bearer(native(ALICE));
        assert_eq!(gateway.revoke(DEMO.with_secret("wrong"), token).status, 401);
        assert_eq!(gateway.revoke(DEMO, token).status, 200);
        until("ERPNext has forgotten it", || gateway.standin.bearer_rows().is_empty().then_some(()));
        gateway.refuses("revoked", NATIVE);
        let again = gateway.without_upstream("what ended here", || gateway.refresh(DEMO, REFRESH, &[]));
        assert_eq!(again.error(), "invalid_grant");
        gateway.without_upstream("what ended here", || assert_eq!(gateway.revoke(DEMO, token).status, 200));
    }
}

#[test]
fn a_revocation_survives_a_restart_while_erpnext_still_has_the_row() {
    let mut gateway = moved_in(Setup::new().in_step());
    gateway.standin.fail_on("frappe.client.delete", Failure::Status(500));
    assert_eq!(gateway.revoke(DEMO, NATIVE).status, 200);
    gateway.restart();
    gateway.refuses("revoked before the restart", NATIVE);
    until("what has come since is read", || (gateway.refresh(DEMO, REFRESH, &[]).status != 503).then_some(()));
    assert_eq!(gateway.refresh(DEMO, REFRESH, &[]).error(), "invalid_grant");
    gateway.standin.heal();
    gateway.restart();
    until("it is deleted in ERPNext after all", || gateway.standin.bearer_rows().is_empty().then_some(()));
}

#[test]
fn nobody_is_told_no_before_all_have_been_read() {
    let gateway = Setup::new().in_step().without_erpnext().start_on(|standin| {
        standin.add_bearer(native(ALICE));
        standin.fail_on("OAuth%20Bearer%20Token", Failure::Status(500));
    });
    let answer = gateway.whoami(NATIVE);
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true), "{answer}");
    assert_eq!(gateway.refresh(DEMO, REFRESH, &[]).status, 503);
    gateway.standin.heal();
    until("they have been read", || (gateway.whoami(NATIVE).status == 200).then_some(()));
}

#[test]
fn a_start_does_not_wait_for_thousands_of_rows() {
    let gateway = Setup::new().in_step().without_first_calls().start_on(|standin| {
        for number in 0..3000 {
            standin.add_bearer(Bearer::new(&format!("{number:030}"), ORDINARY_CLIENT, BOB));
        }
        // Each page takes its time; the gateway is ready all the same.
        standin.fail_on("OAuth%20Bearer%20Token", Failure::Delay(std::time::Duration::from_millis(100)));
    });
    assert!(!gateway.log().contains("have been read"), "and it was ready before");
    until("the last one is known", || (gateway.whoami(&format!("{:030}", 2999)).status == 200).then_some(()));
    gateway.acts_as(&format!("{:030}", 7), BOB);
}
