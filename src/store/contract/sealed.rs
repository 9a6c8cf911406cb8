//! Shadow tokens and signing keys.

use super::{DAY, HOUR, Tested, all, later, start};
use crate::{
    oauth::{KeyId, SigningAlgorithm, Subject, UserName},
    secret::Secret,
    store::{ShadowToken, StoredSigningKey},
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
        retired_at: None,
    }
}

pub async fn an_active_signing_key_stays(store: Tested) {
    let first = key("first", SigningAlgorithm::Rs256);
    assert_eq!(store.put_signing_key(first.clone()).await.expect("put"), first);
    let second = key("second", SigningAlgorithm::Rs256);
    assert_eq!(store.put_signing_key(second).await.expect("an answer"), first);
    let other = key("third", SigningAlgorithm::EdDsa);
    assert_eq!(store.put_signing_key(other.clone()).await.expect("put"), other);
    assert_eq!(store.signing_keys().await.expect("keys"), [first, other]);
}

pub async fn a_retired_signing_key_makes_room_and_is_kept(store: Tested) {
    let first = store.put_signing_key(key("first", SigningAlgorithm::Rs256)).await.expect("put");
    store.retire_signing_key(&first.id, later(HOUR)).await.expect("retired");
    store.retire_signing_key(&first.id, later(DAY)).await.expect("nothing happens");
    let second = StoredSigningKey { created_at: later(HOUR), ..key("a second", SigningAlgorithm::Rs256) };
    assert_eq!(store.put_signing_key(second.clone()).await.expect("put"), second);
    store.purge(later(1000 * DAY), 100).await.expect("purged");
    let retired = StoredSigningKey { retired_at: Some(later(HOUR)), ..first };
    assert_eq!(store.signing_keys().await.expect("keys"), [retired, second], "oldest first");
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
