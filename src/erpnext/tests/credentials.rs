use std::{sync::atomic::Ordering, time::Duration};

use futures_util::future::join_all;
use http::HeaderValue;

use super::{
    site::{DAY, Site},
    standin::{ALICE, BOB, Failure, SHADOW_CLIENT},
};
use crate::{
    clock::Clock,
    erpnext::{Directory, DirectoryError},
};

fn text(header: &HeaderValue) -> String {
    let text = header.to_str().expect("ASCII");
    text.strip_prefix("Bearer ").expect("a bearer").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_first_requests_make_one_shadow_token_which_outlives_the_process() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    let asks = (0..1000).map(|_| {
        let (erpnext, alice) = (site.erpnext.clone(), alice.clone());
        tokio::spawn(async move { erpnext.credential(&alice).await })
    });
    let credentials: Vec<HeaderValue> =
        join_all(asks).await.into_iter().map(|ask| ask.expect("no panic").expect("a credential")).collect();
    let first = credentials.first().expect("a thousand");
    assert!(credentials.iter().all(|credential| credential == first && credential.is_sensitive()));
    assert_eq!(site.creations(), 1);
    assert_eq!(alice.credential_at(site.clock.now()), Some(first.clone()));

    let rows = site.standin.bearer_rows();
    let [row] = rows.as_slice() else { panic!("one row: {}", rows.len()) };
    assert_eq!(row.access_token, text(first));
    assert_eq!((row.user.as_str(), row.client.as_deref()), (ALICE, Some(SHADOW_CLIENT)));
    assert_eq!((row.scopes.as_deref(), row.expires_in), (Some("all openid"), 30 * 86_400));
    assert_eq!(site.store.kept(ALICE).map(|kept| kept.token.expose().to_owned()), Some(text(first)));

    let restarted = site.another();
    let alice = restarted.upstream_user(&alice.user);
    assert_eq!(restarted.credential(&alice).await.as_ref(), Ok(first));
    assert_eq!(site.creations(), 1);
}

#[tokio::test]
async fn a_credential_in_its_last_tenth_is_replaced_behind_a_request_that_still_uses_it() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    let old = site.erpnext.credential(&alice).await.expect("a credential");
    site.clock.advance(27 * DAY);
    assert_eq!(site.erpnext.credential(&alice).await, Ok(old.clone()), "nobody waits");
    site.erpnext.round().await.expect("a round");
    let new = site.erpnext.credential(&alice).await.expect("a credential");
    assert_ne!(new, old);
    assert_eq!((site.creations(), site.standin.bearer_rows().len()), (2, 2), "the old one is still on its way");
    site.clock.advance(Duration::from_secs(61));
    site.erpnext.round().await.expect("a round");
    let rows: Vec<String> = site.standin.bearer_rows().into_iter().map(|row| row.access_token).collect();
    assert_eq!(rows, [text(&new)]);
}

#[tokio::test]
async fn upkeep_replaces_what_is_held_and_lets_the_rest_end() {
    let site = Site::start();
    let (alice, bob) = (site.user(ALICE).await, site.user(BOB).await);
    for user in [&alice, &bob] {
        site.erpnext.credential(user).await.expect("a credential");
    }
    drop(bob);
    site.clock.advance(28 * DAY);
    site.erpnext.round().await.expect("a round");
    assert_eq!(site.creations(), 3);
    assert!(!alice.is_due_for_renewal(site.clock.now()));
}

#[tokio::test]
async fn an_expired_credential_is_not_given() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    let old = site.erpnext.credential(&alice).await.expect("a credential");
    site.clock.advance(30 * DAY);
    assert_eq!(alice.credential_at(site.clock.now()), None);
    assert_ne!(site.erpnext.credential(&alice).await, Ok(old));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_deleted_upstream_is_made_again_once_for_all_who_met_the_401() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    let old = site.erpnext.credential(&alice).await.expect("a credential");
    site.standin.delete_all_bearers();
    let renewals = (0..100).map(|_| site.erpnext.renew_after_unauthorized(&alice, &old));
    let renewed: Vec<_> = join_all(renewals).await;
    let new = site.erpnext.credential(&alice).await.expect("a credential");
    assert_ne!(new, old);
    assert!(renewed.iter().all(|outcome| *outcome == Ok(Some(new.clone()))), "{renewed:?}");
    assert_eq!((site.creations(), site.probes()), (2, 1));
    assert_eq!(site.store.kept(ALICE).map(|kept| kept.token.expose().to_owned()), Some(text(&new)));
}

#[tokio::test]
async fn a_401_of_the_upstreams_own_is_passed_on_and_probed_once_in_ten_seconds() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    let credential = site.erpnext.credential(&alice).await.expect("a credential");
    for _ in 0..5 {
        assert_eq!(site.erpnext.renew_after_unauthorized(&alice, &credential).await, Ok(None));
    }
    assert_eq!((site.creations(), site.probes()), (1, 1));
    site.standin.delete_all_bearers();
    assert_eq!(site.erpnext.renew_after_unauthorized(&alice, &credential).await, Ok(None), "too soon");
    site.clock.advance(Duration::from_secs(10));
    let renewed = site.erpnext.renew_after_unauthorized(&alice, &credential).await.expect("an answer");
    assert!(renewed.is_some_and(|renewed| renewed != credential));
}

#[tokio::test]
async fn no_shadow_token_is_ever_in_a_url() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    let credential = site.erpnext.credential(&alice).await.expect("a credential");
    site.erpnext.profile(&alice.user).await.expect("an answer");
    site.erpnext.renew_after_unauthorized(&alice, &credential).await.expect("an answer");
    site.erpnext.drop_shadow_token(&alice.user.name).await;
    site.erpnext.round().await.expect("a round");
    assert!(site.standin.bearer_rows().is_empty());
    let deletions: Vec<_> =
        site.standin.requests().into_iter().filter(|request| request.target.contains("client.delete")).collect();
    let [deletion] = deletions.as_slice() else { panic!("one deletion: {}", deletions.len()) };
    assert!(String::from_utf8_lossy(&deletion.body).contains(&text(&credential)));
    assert_eq!(site.standin.count(|request| request.target.contains("emp_sh_")), 0);
    assert_eq!(alice.credential_at(site.clock.now()), None);
}

#[tokio::test]
async fn a_failed_deletion_is_tried_again() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    site.erpnext.credential(&alice).await.expect("a credential");
    site.standin.fail_times(1, "client.delete", Failure::Status(502));
    site.erpnext.drop_shadow_token(&alice.user.name).await;
    site.erpnext.round().await.expect("a round");
    site.erpnext.round().await.expect("a round");
    assert!(site.standin.bearer_rows().is_empty());
}

#[tokio::test]
async fn a_token_that_cannot_be_kept_is_not_used_and_not_left_upstream() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    site.store.is_full.store(true, Ordering::SeqCst);
    let full = site.erpnext.credential(&alice).await;
    assert!(matches!(full, Err(DirectoryError::Unavailable(_))), "{full:?}");
    site.erpnext.round().await.expect("a round");
    assert!(site.standin.bearer_rows().is_empty());
    site.store.is_full.store(false, Ordering::SeqCst);
    site.erpnext.credential(&alice).await.expect("a credential");
}

#[tokio::test]
async fn without_the_gateways_client_the_operator_is_told_to_make_it() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    site.standin.delete_client(SHADOW_CLIENT);
    let refused = site.erpnext.credential(&alice).await.expect_err("refused");
    let told = "create an OAuth Client named Empress Gateway with scopes `all openid`";
    assert!(matches!(&refused, DirectoryError::Refused(text) if text.contains(told)), "{refused}");
}

#[tokio::test]
async fn a_wrong_api_key_is_refused_with_what_to_do_and_no_secret_in_any_text() {
    let site = Site::with_key("gateway-key:not-the-secret");
    let refused = site.erpnext.ready().await.expect_err("refused");
    assert!(matches!(&refused, DirectoryError::Refused(text) if text.contains("api_key_file")), "{refused}");
    assert!(!format!("{refused} {refused:?}").contains("not-the-secret"));
}

#[tokio::test]
async fn no_failure_of_the_upstream_puts_a_credential_into_its_text() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    let failures =
        [Failure::Status(500), Failure::Status(417), Failure::Garbage, Failure::CloseMidBody, Failure::CloseAtOnce];
    for failure in failures {
        site.standin.fail_on("OAuth%20Bearer%20Token", failure.clone());
        let error = site.erpnext.credential(&alice).await.expect_err("it fails");
        assert!(matches!(error, DirectoryError::Unavailable(_)), "{failure:?}: {error}");
        let texts = format!("{error} {error:?} {alice:?}");
        assert!(!texts.contains("emp_sh_") && !texts.contains("gateway-secret"), "{texts}");
        site.standin.heal();
    }
    site.erpnext.credential(&alice).await.expect("a failure is not kept");
}
