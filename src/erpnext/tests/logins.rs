use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use super::{
    site::Site,
    standin::{ALICE, ALICE_PASSWORD, Failure},
};
use crate::{
    erpnext::{Directory, DirectoryError, LoginProbe, PasswordCheck},
    oauth::UserName,
    secret::Secret,
};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));

fn probe(sid: &str) -> LoginProbe {
    LoginProbe { sid: Secret::new(sid), peer: PEER }
}

#[tokio::test]
async fn a_login_session_tells_its_user_and_is_asked_for_with_its_sid_and_the_peers_address_alone() {
    let site = Site::start();
    let sid = site.standin.login(ALICE);
    assert_eq!(site.erpnext.login_session(&probe(&sid)).await, Ok(Some(UserName::new(ALICE))));
    let requests = site.standin.requests();
    let [request] = requests.as_slice() else { panic!("one request: {}", requests.len()) };
    assert_eq!(request.headers("cookie"), [format!("sid={sid}")]);
    assert_eq!(request.headers("authorization"), Vec::<String>::new());
    assert_eq!(request.client_address, PEER.to_string());
    assert_eq!(request.header("host").as_deref(), Some("erp.example.com"));
}

#[tokio::test]
async fn dead_guest_and_impossible_sids_are_nobodys() {
    let site = Site::start();
    assert_eq!(site.erpnext.login_session(&probe("deadbeef")).await, Ok(None));
    let asked = site.standin.requests().len();
    for sid in ["Guest", "", "a; user_id=Administrator", "a\r\nX-A: b"] {
        assert_eq!(site.erpnext.login_session(&probe(sid)).await, Ok(None), "{sid:?}");
    }
    assert_eq!(site.standin.requests().len(), asked, "what can be no sid is not sent");
}

#[tokio::test]
async fn an_upstream_that_fails_is_unavailable_and_not_nobody() {
    let site = Site::start();
    let sid = site.standin.login(ALICE);
    for failure in
        [Failure::Status(500), Failure::Status(429), Failure::Garbage, Failure::CloseMidBody, Failure::Refuse]
    {
        site.standin.fail(failure.clone());
        let outcome = site.erpnext.login_session(&probe(&sid)).await;
        assert!(matches!(outcome, Err(DirectoryError::Unavailable(_))), "{failure:?}: {outcome:?}");
        assert!(!format!("{outcome:?}").contains(&sid), "{outcome:?}");
        site.standin.heal();
    }
}

#[tokio::test]
async fn a_login_session_is_ended() {
    let site = Site::start();
    let (sid, _) = site.standin.login_with_csrf_token(ALICE);
    assert_eq!(site.erpnext.end_login_session(&probe(&sid)).await, Ok(()));
    assert!(site.standin.sessions().is_empty());
    assert_eq!(site.erpnext.end_login_session(&probe(&sid)).await, Ok(()), "it has ended");
}

#[tokio::test]
async fn a_password_is_checked_from_the_peers_address_and_its_login_session_ends_at_once() {
    let site = Site::start();
    let right = site.erpnext.check_password(ALICE, &Secret::new(ALICE_PASSWORD), PEER).await;
    assert_eq!(right, Ok(PasswordCheck::Right(UserName::new(ALICE))));
    assert!(site.standin.sessions().is_empty(), "its session has ended");
    let login = site.standin.requests().into_iter().find(|request| request.target.contains("/login")).expect("a login");
    assert_eq!((login.method.as_str(), login.target.as_str()), ("POST", "/api/method/login"));
    // ERPNext takes a login that is bound to an address from there alone, its end too.
    assert!(site.standin.requests().iter().all(|request| request.client_address == PEER.to_string()));
}

#[tokio::test]
async fn a_wrong_password_a_disabled_user_and_guest_are_wrong() {
    let site = Site::start();
    let check =
        async |user: &str, password: &str| site.erpnext.check_password(user, &Secret::new(password), PEER).await;
    assert_eq!(check(ALICE, "wrong").await, Ok(PasswordCheck::Wrong));
    assert_eq!(check("Guest", "").await, Ok(PasswordCheck::Wrong));
    site.standin.set_enabled(ALICE, false);
    assert_eq!(check(ALICE, ALICE_PASSWORD).await, Ok(PasswordCheck::Wrong));
}

#[tokio::test]
async fn the_login_session_of_a_check_ends_although_nobody_waits_for_the_answer() {
    let site = Site::start();
    site.standin.fail_on("get_logged_user", Failure::Delay(Duration::from_millis(200)));
    let password = Secret::new(ALICE_PASSWORD);
    let check = site.erpnext.check_password(ALICE, &password, PEER);
    let hurried = tokio::time::timeout(Duration::from_millis(100), check).await;
    assert!(hurried.is_err(), "it was given up");
    while site.calls("GET", "/api/method/logout") == 0 || !site.standin.sessions().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
