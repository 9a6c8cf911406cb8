//! Shadow tokens and signing keys.

use super::{DAY, HOUR, Tested, all, later, start};
use crate::{
    clock::UnixTime,
    oauth::{KeyId, SigningAlgorithm, Subject, UserName},
    secret::Secret,
    store::{KeySuccession, ShadowToken, StoredSigningKey},
};

fn shadow(text: &str) -> ShadowToken {
    ShadowToken { token: Secret::new(text), sub: Subject::new("1"), created_at: start(), expires_at: later(DAY) }
}

pub async fn a_shadow_token_is_kept_replaced_and_taken(store: Tested) {
    let alice = UserName::new("alice");
    assert_eq!(store.shadow_token(&alice, start()).await.expect("an answer"), None);
    assert_eq!(store.take_shadow_token(&alice).await.expect("an answer"), None);
    store.put_shadow_token(&alice, shadow("emp_sh_1")).await.expect("put");
    assert_eq!(store.shadow_token(&alice, start()).await.expect("an answer"), Some(shadow("emp_sh_1")));
    assert_eq!(store.shadow_token(&UserName::new("bob"), start()).await.expect("an answer"), None);
    assert_eq!(store.shadow_token(&alice, later(DAY)).await.expect("an answer"), None);
    store.put_shadow_token(&alice, shadow("emp_sh_2")).await.expect("put");
    assert_eq!(store.take_shadow_token(&alice).await.expect("taken"), Some(shadow("emp_sh_2")));
    assert_eq!(store.shadow_token(&alice, start()).await.expect("an answer"), None);
}

fn key(id: &str, algorithm: SigningAlgorithm) -> StoredSigningKey {
    StoredSigningKey {
        id: KeyId::new(id),
        algorithm,
        private_key: Secret::new(format!("private key of {id}")),
        public_jwk: format!("{{\"kid\":\"{id}\"}}"),
        created_at: start(),
        signs_from: start(),
        retired_at: None,
        published_until: None,
    }
}

/// The step by which the key `next` follows `of` at `at`.
fn succession(of: &str, next: &str, at: UnixTime) -> KeySuccession {
    KeySuccession {
        of: KeyId::new(of),
        published_until: at.plus(HOUR),
        next: StoredSigningKey { signs_from: at, ..key(next, SigningAlgorithm::Rs256) },
    }
}

/// Two keys of which the one follows the other at `at`.
fn followed(at: UnixTime) -> [StoredSigningKey; 2] {
    let first = key("1", SigningAlgorithm::Rs256);
    [
        StoredSigningKey { retired_at: Some(at), published_until: Some(at.plus(HOUR)), ..first },
        succession("1", "2", at).next,
    ]
}

pub async fn the_first_signing_key_of_an_algorithm_stays(store: Tested) {
    let first = key("first", SigningAlgorithm::Rs256);
    assert_eq!(store.put_signing_key(first.clone()).await.expect("put"), first);
    let second = key("second", SigningAlgorithm::Rs256);
    assert_eq!(store.put_signing_key(second).await.expect("an answer"), first);
    let other = key("third", SigningAlgorithm::EdDsa);
    assert_eq!(store.put_signing_key(other.clone()).await.expect("put"), other);
    assert_eq!(store.signing_keys().await.expect("keys"), [first, other]);
}

pub async fn a_signing_key_is_followed_by_one_other(store: Tested) {
    store.put_signing_key(key("1", SigningAlgorithm::Rs256)).await.expect("put");
    let other = key("other", SigningAlgorithm::EdDsa);
    store.put_signing_key(other.clone()).await.expect("put");
    store.succeed_signing_key(succession("1", "2", later(HOUR))).await.expect("followed");
    let [first, second] = followed(later(HOUR));
    let expected = [first, other, second];
    // Again, to be later; after a key that nobody knows; after one of another algorithm.
    let not_now = [("1", "3", later(HOUR)), ("1", "3", later(DAY)), ("nobody", "3", start()), ("other", "3", start())];
    for (of, next, at) in not_now {
        store.succeed_signing_key(succession(of, next, at)).await.expect("nothing happens");
        assert_eq!(store.signing_keys().await.expect("keys"), expected, "{next} after {of}");
    }
    let first_again = key("4", SigningAlgorithm::Rs256);
    assert_eq!(store.put_signing_key(first_again).await.expect("an answer").id, KeyId::new("2"));
    store.purge(later(1000 * DAY), 100).await.expect("purged");
    assert_eq!(store.signing_keys().await.expect("keys"), expected, "what is retired is not purged");
}

pub async fn a_signing_key_to_come_is_brought_forward(store: Tested) {
    store.put_signing_key(key("1", SigningAlgorithm::Rs256)).await.expect("put");
    store.succeed_signing_key(succession("1", "2", later(DAY))).await.expect("followed");
    store.succeed_signing_key(succession("1", "3", later(HOUR))).await.expect("brought forward");
    assert_eq!(store.signing_keys().await.expect("keys"), followed(later(HOUR)));
    // Who knows only the first key does not bring the third one forward.
    store.succeed_signing_key(succession("2", "3", later(3 * DAY))).await.expect("followed");
    let present = store.signing_keys().await.expect("keys");
    assert_eq!(present.len(), 3);
    store.succeed_signing_key(succession("1", "4", later(2 * DAY))).await.expect("nothing happens");
    assert_eq!(store.signing_keys().await.expect("keys"), present);
}

pub async fn of_many_successors_of_a_signing_key_one_is_kept(store: Tested) {
    store.put_signing_key(key("1", SigningAlgorithm::Rs256)).await.expect("put");
    let steps = (2..12).map(|number: u64| {
        let store = store.clone();
        let at = later(HOUR * u32::try_from(number).expect("small"));
        async move { store.succeed_signing_key(succession("1", &number.to_string(), at)).await.expect("an answer") }
    });
    all(steps).await;
    let keys = store.signing_keys().await.expect("keys");
    assert_eq!(keys.len(), 2);
    let (first, next) = (&keys[0], &keys[1]);
    assert_eq!(
        (first.retired_at, next.signs_from),
        (Some(later(2 * HOUR)), later(2 * HOUR)),
        "the earliest time counts"
    );
    assert_eq!(first.published_until, Some(later(3 * HOUR)));
}

pub async fn replaced_signing_keys_are_gone(store: Tested) {
    store.put_signing_key(key("1", SigningAlgorithm::Rs256)).await.expect("put");
    store.put_signing_key(key("ed", SigningAlgorithm::EdDsa)).await.expect("put");
    store.succeed_signing_key(succession("1", "2", later(HOUR))).await.expect("followed");
    let new = [key("8", SigningAlgorithm::Rs256), key("9", SigningAlgorithm::EdDsa)];
    assert_eq!(store.replace_signing_keys(new.to_vec()).await.expect("replaced"), 3);
    assert_eq!(store.signing_keys().await.expect("keys"), new);
    // Who does not know of it yet changes nothing.
    for step in [succession("1", "3", later(HOUR)), succession("2", "3", later(DAY))] {
        store.succeed_signing_key(step).await.expect("nothing happens");
    }
    assert_eq!(store.signing_keys().await.expect("keys"), new);
}

pub async fn signing_keys_are_forgotten_once_they_have_a_successor(store: Tested) {
    store.put_signing_key(key("1", SigningAlgorithm::Rs256)).await.expect("put");
    store.forget_signing_keys(vec![KeyId::new("1"), KeyId::new("nobody")]).await.expect("nothing happens");
    assert_eq!(store.signing_keys().await.expect("keys").len(), 1);
    store.succeed_signing_key(succession("1", "2", later(HOUR))).await.expect("followed");
    store.forget_signing_keys(vec![KeyId::new("1"), KeyId::new("2")]).await.expect("forgotten");
    let [_, second] = followed(later(HOUR));
    assert_eq!(store.signing_keys().await.expect("keys"), [second]);
}

pub async fn of_many_first_signing_keys_one_is_kept(store: Tested) {
    let puts = (0..10).map(|number| {
        let store = store.clone();
        async move { store.put_signing_key(key(&number.to_string(), SigningAlgorithm::Es256)).await.expect("put") }
    });
    let kept = all(puts).await;
    assert!(kept.iter().all(|one| one.id == kept[0].id));
    assert_eq!(store.signing_keys().await.expect("keys").len(), 1);
}
