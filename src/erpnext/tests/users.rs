use std::time::Duration;

use super::{
    site::{PUBLIC_URL, Site, USER_TTL},
    standin::{ALICE, BOB, CAROL, Failure, GATEWAY_USER, SHADOW_CLIENT, User},
};
use crate::{
    erpnext::{Directory, DirectoryError, DirectoryUser, Freshness},
    oauth::{ClientId, UserName},
};

async fn user(site: &Site, name: &str) -> Option<DirectoryUser> {
    site.erpnext.user(&UserName::new(name)).await.expect("an answer")
}

#[tokio::test]
async fn all_users_come_from_one_list_call_until_the_ttl_is_over() {
    let site = Site::start();
    for name in [ALICE, BOB, ALICE] {
        assert!(user(&site, name).await.expect("a user").enabled);
    }
    let sub = user(&site, ALICE).await.expect("a user").sub;
    assert_eq!(Some(sub.as_str()), site.standin.user(ALICE).and_then(|user| user.sub).as_deref());
    assert_eq!(site.calls("GET", "/api/resource/User?"), 1);
    site.clock.advance(USER_TTL + USER_TTL / 30);
    user(&site, BOB).await;
    assert_eq!(site.calls("GET", "/api/resource/User?"), 2);
    assert_eq!(site.calls("GET", "/api/resource/User/"), 0);
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_list_call() {
    let site = Site::start();
    let name = UserName::new(ALICE);
    let asks = (0..100).map(|_| site.erpnext.user(&name));
    let answers = futures_util::future::join_all(asks).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Some(_)))));
    assert_eq!(site.calls("GET", "/api/resource/User?"), 1);
}

#[tokio::test]
async fn a_user_newer_than_the_list_is_found_and_an_unknown_name_is_asked_for_once() {
    let site = Site::start();
    user(&site, ALICE).await;
    site.standin.add_user(User::system("dora@example.com", "x"));
    let dora = user(&site, "dora@example.com").await.expect("a user");
    assert_eq!(Some(dora.sub.as_str()), site.standin.user("dora@example.com").and_then(|user| user.sub).as_deref());
    for _ in 0..3 {
        assert_eq!(user(&site, "nobody@example.com").await, None);
    }
    assert_eq!(site.calls("GET", "nobody"), 1);
}

#[tokio::test]
async fn guest_dots_and_administrator_in_another_spelling_are_no_users() {
    let site = Site::start();
    user(&site, ALICE).await;
    let before = site.standin.requests().len();
    for name in ["Guest", "guest", "administrator", "", ".", "..", "a\nb"] {
        assert_eq!(user(&site, name).await, None, "{name:?}");
    }
    assert_eq!(site.standin.requests().len(), before);
}

#[tokio::test]
async fn administrator_is_enabled_and_has_a_subject_of_ours_that_the_profile_repeats() {
    let site = Site::start();
    let administrator = site.user("Administrator").await;
    assert_eq!(administrator.user.sub.as_str().len(), 39);
    assert_eq!(
        administrator.user.sub,
        site.another().user(&administrator.user.name).await.expect("ok").expect("him").sub
    );
    let profile = site.erpnext.profile(&administrator.user).await.expect("an answer").expect("a profile");
    assert_eq!(profile.sub, administrator.user.sub);
    assert!(profile.roles.iter().any(|role| role == "System Manager"));
}

#[tokio::test]
async fn a_user_who_is_disabled_is_refused_after_the_next_round_and_comes_back_when_enabled() {
    let site = Site::start();
    let bob = site.user(BOB).await;
    site.erpnext.credential(&bob).await.expect("a credential");
    site.standin.set_enabled(BOB, false);
    site.erpnext.round().await.expect("a round");
    assert!(!bob.is_enabled());
    assert!(!user(&site, BOB).await.expect("still there").enabled);
    assert_eq!(site.erpnext.credential(&bob).await, Err(DirectoryError::UserGone));
    assert!(site.standin.bearer_rows().is_empty(), "his shadow token is deleted");
    assert_eq!(site.store.kept(BOB), None);
    assert_eq!(site.gone(), Vec::<String>::new(), "a disabled user may come back");

    site.standin.set_enabled(BOB, true);
    site.erpnext.round().await.expect("a round");
    assert!(bob.is_enabled());
    site.erpnext.credential(&bob).await.expect("a credential");
}

#[tokio::test]
async fn deleted_renamed_and_recreated_users_are_reported_and_refused() {
    let site = Site::start();
    let (alice, bob) = (site.user(ALICE).await, site.user(BOB).await);
    site.erpnext.credential(&alice).await.expect("a credential");
    site.standin.delete_user(ALICE);
    site.standin.rename_user(BOB, "robert@example.com");
    site.erpnext.round().await.expect("a round");
    let mut gone = site.gone();
    gone.sort();
    assert_eq!(gone, [ALICE, BOB]);
    assert!(!alice.is_enabled() && !bob.is_enabled());
    assert_eq!(user(&site, ALICE).await, None);
    assert!(site.standin.bearer_rows().is_empty());

    site.standin.add_user(User { sub: Some("0123456789".repeat(4)), ..User::system(ALICE, "x") });
    site.erpnext.round().await.expect("a round");
    assert!(!alice.is_enabled(), "somebody else by the same name");
    assert_eq!(site.erpnext.credential(&alice).await, Err(DirectoryError::UserGone));
    let new_alice = site.user(ALICE).await;
    assert!(new_alice.is_enabled() && new_alice.user.sub != alice.user.sub);
}

#[tokio::test]
async fn a_user_recreated_between_two_rounds_is_somebody_else() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    site.standin.delete_user(ALICE);
    site.standin.add_user(User { sub: Some("0123456789".repeat(4)), ..User::system(ALICE, "x") });
    site.erpnext.round().await.expect("a round");
    assert_eq!(site.gone(), [ALICE]);
    assert!(!alice.is_enabled());
}

#[tokio::test]
async fn a_user_deleted_while_the_gateway_was_down_is_noticed_at_the_first_use() {
    let site = Site::start();
    let alice = site.user(ALICE).await.user.clone();
    site.standin.delete_user(ALICE);
    let restarted = site.another();
    let state = restarted.upstream_user(&alice);
    assert_eq!(restarted.credential(&state).await, Err(DirectoryError::UserGone));
    assert!(!state.is_enabled());
    assert_eq!(site.gone(), [ALICE]);
}

#[tokio::test]
async fn an_account_that_may_not_read_users_any_more_makes_nobody_gone() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    site.standin.set_roles(GATEWAY_USER, &[]);
    let refused = site.erpnext.round().await.expect_err("refused");
    assert!(matches!(&refused, DirectoryError::Refused(text) if text.contains("read on User")), "{refused}");
    assert!(alice.is_enabled());
    assert_eq!(site.gone(), Vec::<String>::new());
}

#[tokio::test]
async fn while_the_upstream_is_away_what_is_known_holds_for_requests_and_not_for_issuing() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    let credential = site.erpnext.credential(&alice).await.expect("a credential");
    site.standin.fail(Failure::Refuse);
    user(&site, ALICE).await.expect("known for user_ttl");
    site.clock.advance(2 * USER_TTL);
    let away = site.erpnext.user(&UserName::new(ALICE)).await;
    assert!(matches!(away, Err(DirectoryError::Unavailable(_))), "{away:?}");
    assert!(site.erpnext.ready().await.is_err());
    assert!(alice.is_enabled());
    assert_eq!(site.erpnext.credential(&alice).await, Ok(credential));
    site.standin.heal();
    user(&site, ALICE).await.expect("back");
    assert_eq!(site.erpnext.ready().await, Ok(()));
    assert_eq!(site.erpnext.own_client_id(), Some(ClientId::new(SHADOW_CLIENT)));
}

#[tokio::test]
async fn roles_are_the_effective_ones_and_believed_for_the_ttl() {
    let site = Site::start();
    let alice = UserName::new(ALICE);
    let manager = async || {
        let roles = ["System Manager".to_owned()];
        site.erpnext.has_role(&alice, &roles, Freshness::Issuing).await.expect("an answer")
    };
    assert!(manager().await);
    site.standin.set_roles(ALICE, &[]);
    assert!(manager().await);
    site.clock.advance(USER_TTL);
    assert!(!manager().await);
}

#[tokio::test]
async fn a_role_that_is_lost_is_heard_of_with_the_users_and_costs_no_call_before() {
    let site = Site::start();
    let alice = UserName::new(ALICE);
    let manager = async || {
        let roles = ["System Manager".to_owned()];
        site.erpnext.has_role(&alice, &roles, Freshness::Checking).await.expect("an answer")
    };
    site.erpnext.round().await.expect("a round");
    assert!(manager().await);
    site.clock.advance(USER_TTL * 2);
    assert!(manager().await);
    assert_eq!(site.calls("GET", "get_roles"), 1);
    site.standin.set_roles(ALICE, &[]);
    site.erpnext.round().await.expect("a round");
    assert!(!manager().await);
}

#[tokio::test]
async fn automatic_roles_cost_no_call() {
    let site = Site::start();
    site.erpnext.round().await.expect("a round");
    let has = async |name: &str, role: &str| {
        let roles = [role.to_owned()];
        site.erpnext.has_role(&UserName::new(name), &roles, Freshness::Issuing).await.expect("an answer")
    };
    assert!(has(ALICE, "Desk User").await && has(BOB, "Desk User").await && has(CAROL, "All").await);
    assert_eq!(site.calls("GET", "get_roles"), 0);
    assert!(!has(CAROL, "Desk User").await, "a website user");
}

#[tokio::test]
async fn a_profile_is_kept_until_the_user_changes() {
    let site = Site::start();
    let alice = site.user(ALICE).await;
    let profile = site.erpnext.profile(&alice.user).await.expect("an answer").expect("a profile");
    assert_eq!((profile.sub, profile.name.as_deref()), (alice.user.sub.clone(), Some("Alice Anders")));
    site.erpnext.profile(&alice.user).await.expect("an answer");
    assert_eq!(site.calls("GET", "openid_profile"), 1);
    site.standin.set_image(ALICE, Some("/files/alice.png"));
    site.erpnext.round().await.expect("a round");
    let profile = site.erpnext.profile(&alice.user).await.expect("an answer").expect("a profile");
    assert_eq!(profile.picture, Some(format!("{PUBLIC_URL}/files/alice.png")));
    assert_eq!(site.calls("GET", "openid_profile"), 2);
}

#[tokio::test]
async fn of_many_users_only_the_changed_ones_are_listed_and_now_and_then_all() {
    let site = Site::start();
    for number in 0..600 {
        site.standin.add_user(User::website(&format!("user{number}@example.com"), "x"));
    }
    let last = site.user("user599@example.com").await;
    assert_eq!(site.calls("GET", "/api/resource/User?"), 2, "two pages");
    assert_eq!(
        Some(last.user.sub.as_str()),
        site.standin.user("user599@example.com").and_then(|user| user.sub).as_deref()
    );
    site.standin.set_enabled("user599@example.com", false);
    site.standin.delete_user("user0@example.com");
    site.standin.forget_requests();
    site.erpnext.round().await.expect("a round");
    assert!(!last.is_enabled());
    assert!(site.calls("GET", "%3E%3D") > 0, "by what was modified");
    assert_eq!(site.calls("GET", "%3E%3D"), site.calls("GET", "/api/resource/User?"));
    assert_eq!(site.gone(), Vec::<String>::new(), "a deletion shows in a whole list only");
    for _ in 0..9 {
        site.erpnext.round().await.expect("a round");
    }
    assert_eq!(site.gone(), ["user0@example.com"]);
}

#[tokio::test]
async fn the_background_notices_by_itself() {
    let site = Site::start();
    let bob = site.user(BOB).await;
    site.standin.set_enabled(BOB, false);
    let background = tokio::spawn(site.erpnext.clone().background());
    while bob.is_enabled() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    background.abort();
}
