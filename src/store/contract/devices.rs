//! Devices that wait for a user.

use std::time::Duration;

use super::{DAY, Tested, all, can_refresh, feed, grant, hash, is_active, later, scopes, start, user};
use crate::{
    clock::UnixTime,
    oauth::{ClientId, GrantId},
    store::{DeviceApproval, DeviceDecision, NewGrant, PendingDevice, TakenDevice},
};

const LIFE: Duration = Duration::from_secs(600);

fn device(user_code: &str) -> PendingDevice {
    PendingDevice {
        user_code: hash(user_code),
        client: ClientId::new("client"),
        scopes: scopes("all openid"),
        asked_at: start(),
        expires_at: later(LIFE),
    }
}

fn approval(grant: &str) -> DeviceApproval {
    DeviceApproval {
        grant: GrantId::new(grant),
        user: user("alice"),
        auth_time: Some(start()),
        scopes: Some(scopes("openid")),
    }
}

fn approved(grant: &str) -> DeviceDecision {
    DeviceDecision::Approved(Box::new(approval(grant)))
}

fn granted(grant: &str) -> TakenDevice {
    TakenDevice::Granted { scopes: scopes("all openid"), approval: Box::new(approval(grant)) }
}

async fn poll(store: &Tested, now: UnixTime) -> TakenDevice {
    store.take_device(hash("device"), &ClientId::new("client"), now).await.expect("an answer")
}

async fn waiting(store: &Tested) {
    assert!(store.put_device(hash("device"), device("user code")).await.expect("put"));
}

/// As the issuer writes what a device has taken.
async fn issue(store: &Tested, id: &str) {
    store.issue_grant(NewGrant { from_code: Some(hash("device")), ..grant(id) }).await.expect("issued");
}

pub async fn a_device_gets_once_what_its_user_granted(store: Tested) {
    waiting(&store).await;
    let found = store.device_by_user_code(hash("user code"), start()).await.expect("an answer");
    assert_eq!(found, Some(device("user code")));
    assert_eq!(store.device_by_user_code(hash("other"), start()).await.expect("an answer"), None);
    assert_eq!(poll(&store, start()).await, TakenDevice::Pending);
    assert!(store.decide_device(hash("user code"), approved("g"), start()).await.expect("decided"));
    assert_eq!(store.device_by_user_code(hash("user code"), start()).await.expect("an answer"), None);
    assert!(!store.decide_device(hash("user code"), DeviceDecision::Denied, start()).await.expect("an answer"));
    assert_eq!(poll(&store, start()).await, granted("g"));
    issue(&store, "g").await;
    assert!(is_active(&store, "g access", start()).await);
    assert_eq!(poll(&store, start()).await, TakenDevice::Replayed(GrantId::new("g")));
    assert!(!is_active(&store, "g access", start()).await && !can_refresh(&store, "g refresh", start()).await);
    assert_eq!(feed(&store).await, [GrantId::new("g")]);
}

pub async fn a_denied_device_hears_of_it(store: Tested) {
    waiting(&store).await;
    assert!(store.decide_device(hash("user code"), DeviceDecision::Denied, start()).await.expect("decided"));
    assert!(!store.decide_device(hash("user code"), approved("g"), start()).await.expect("an answer"));
    assert_eq!(poll(&store, start()).await, TakenDevice::Denied);
    assert_eq!(poll(&store, start()).await, TakenDevice::Absent);
}

pub async fn a_device_that_polls_too_early_must_wait_longer_each_time(store: Tested) {
    waiting(&store).await;
    let at = |seconds: u64| later(Duration::from_secs(seconds));
    for (second, outcome) in [
        (0, TakenDevice::Pending),
        (5, TakenDevice::Pending),
        (9, TakenDevice::SlowDown),
        (19, TakenDevice::Pending),
        (28, TakenDevice::SlowDown),
        (42, TakenDevice::SlowDown),
        (62, TakenDevice::Pending),
    ] {
        assert_eq!(poll(&store, at(second)).await, outcome, "{second}");
    }
    assert_eq!(poll(&store, at(82).minus(Duration::from_millis(400))).await, TakenDevice::Pending, "almost");
    // What was granted need not wait.
    assert!(store.decide_device(hash("user code"), approved("g"), at(83)).await.expect("decided"));
    assert_eq!(poll(&store, at(83)).await, granted("g"));
}

pub async fn a_device_code_expires_whatever_was_decided(store: Tested) {
    waiting(&store).await;
    let end = later(LIFE);
    assert_eq!(store.device_by_user_code(hash("user code"), end).await.expect("an answer"), None);
    assert!(!store.decide_device(hash("user code"), approved("g"), end).await.expect("an answer"));
    assert_eq!(poll(&store, end).await, TakenDevice::Expired);
    assert!(store.decide_device(hash("user code"), approved("g"), start()).await.expect("decided"));
    assert_eq!(poll(&store, end).await, TakenDevice::Expired);
    store.purge(end, 100).await.expect("purged");
    assert_eq!(poll(&store, end).await, TakenDevice::Expired, "it is told for a while");
    store.purge(later(DAY), 100).await.expect("purged");
    assert_eq!(poll(&store, end).await, TakenDevice::Absent);
}

pub async fn a_device_code_is_its_clients_alone(store: Tested) {
    waiting(&store).await;
    assert!(store.decide_device(hash("user code"), approved("g"), start()).await.expect("decided"));
    let other = store.take_device(hash("device"), &ClientId::new("other"), start()).await.expect("an answer");
    assert_eq!(other, TakenDevice::OtherClient);
    assert_eq!(poll(&store, start()).await, granted("g"));
}

pub async fn a_user_code_stands_for_one_device(store: Tested) {
    waiting(&store).await;
    assert!(!store.put_device(hash("second"), device("user code")).await.expect("an answer"));
    assert!(store.put_device(hash("second"), device("other code")).await.expect("put"));
    let outcome = store.take_device(hash("second"), &ClientId::new("client"), start()).await.expect("an answer");
    assert_eq!(outcome, TakenDevice::Pending);
}

pub async fn of_many_polls_of_a_granted_device_one_gets_it(store: Tested) {
    waiting(&store).await;
    assert!(store.decide_device(hash("user code"), approved("g"), start()).await.expect("decided"));
    let polls = (0..50).map(|_| {
        let store = store.clone();
        async move { poll(&store, start()).await }
    });
    let outcomes = all(polls).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == granted("g")).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, TakenDevice::Replayed(_))).count(), 49);
    issue(&store, "g").await;
    assert!(!is_active(&store, "g access", start()).await, "it was replayed before");
}

pub async fn what_was_granted_to_a_device_is_void_after_its_user_or_client_was_revoked(store: Tested) {
    for (name, taken) in [("before", false), ("between", true)] {
        let code = format!("code {name}");
        assert!(store.put_device(hash("device"), device(&code)).await.expect("put"));
        assert!(store.decide_device(hash(&code), approved(name), start()).await.expect("decided"));
        if taken {
            assert_eq!(poll(&store, start()).await, granted(name));
        }
        store.revoke_user(&user("alice").name, start()).await.expect("revoked");
        if taken {
            issue(&store, name).await;
            assert!(!is_active(&store, &format!("{name} access"), start()).await);
        } else {
            assert_eq!(poll(&store, start()).await, TakenDevice::Absent);
        }
    }
    assert!(store.put_device(hash("third"), device("third code")).await.expect("put"));
    store.revoke_client(&ClientId::new("client"), start()).await.expect("revoked");
    assert_eq!(store.device_by_user_code(hash("third code"), start()).await.expect("an answer"), None);
}
