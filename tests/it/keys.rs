//! Signing keys on a store that fails at one step of a rotation, by a clock that is moved by hand.

use std::{path::PathBuf, sync::Arc, time::Duration};

use empress_gateway::{
    clock::UnixTime,
    issuer::{HEARD_OF, KeyLives, KeyRound, LEAD, SigningKeys},
    oauth::{SigningAlgorithm, SiteId},
    secret::SecretKey,
    store::EmbeddedStore,
};
use rusqlite::Connection;
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::support::header;

const START: UnixTime = UnixTime::from_secs(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const LIVES: KeyLives = KeyLives { token: HOUR, hint: HOUR, rotation: Duration::from_secs(90 * 86_400) };

struct Ground {
    place: TempDir,
    keys: SigningKeys,
}

impl Ground {
    async fn new() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let key = SecretKey::new([1; 32]);
        let store = EmbeddedStore::open(&place.path().join("db"), SiteId::new("site"), &key).expect("a store");
        let keys = SigningKeys::load(Arc::new(store), &[SigningAlgorithm::Es256], LIVES, START).await.expect("keys");
        Self { place, keys }
    }

    fn file(&self) -> PathBuf {
        self.place.path().join("db")
    }

    /// Has the store refuse to do this to a signing key, or do it again.
    fn refuse(&self, what: &str, refused: bool) {
        let sql = if refused {
            format!("CREATE TRIGGER refuse BEFORE {what} ON signing_keys BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        } else {
            "DROP TRIGGER refuse".to_owned()
        };
        Connection::open(self.file()).expect("opened").execute_batch(&sql).expect("done");
    }

    async fn signer(&self, now: UnixTime) -> String {
        let jwt = self.keys.sign(SigningAlgorithm::Es256, "JWT", Map::new(), now).await.expect("signed");
        header(&jwt)["kid"].as_str().expect("a kid").to_owned()
    }

    fn published(&self, now: UnixTime) -> Vec<Value> {
        self.keys.jwks(now)["keys"].as_array().expect("keys").clone()
    }
}

#[tokio::test]
async fn a_rotation_that_fails_at_any_step_leaves_the_old_key_signing_and_is_tried_again() {
    let due = START.plus(LIVES.rotation);
    for step in ["UPDATE", "INSERT"] {
        let ground = Ground::new().await;
        let first = ground.signer(START).await;
        ground.refuse(step, true);
        for now in [due, due.plus(HOUR)] {
            assert!(ground.keys.keep_up(now).await.is_err(), "{step}");
            assert!(ground.keys.rotate(now).await.is_err(), "{step}");
            assert_eq!((ground.signer(now).await, ground.published(now).len()), (first.clone(), 1), "{step}");
        }
        ground.refuse(step, false);
        let now = due.plus(2 * HOUR);
        assert_eq!(ground.keys.keep_up(now).await.expect("a round"), KeyRound { published: 1, removed: 0, gone: 0 });
        assert_eq!(ground.published(now).len(), 2);
        assert_eq!(ground.signer(now).await, first);
        assert_ne!(ground.signer(now.plus(LEAD)).await, first);
    }
}

#[tokio::test]
async fn a_replacement_that_fails_half_way_leaves_all_keys() {
    for step in ["DELETE", "INSERT"] {
        let ground = Ground::new().await;
        let first = ground.signer(START).await;
        ground.refuse(step, true);
        assert!(ground.keys.replace_all(START).await.is_err(), "{step}");
        ground.keys.keep_up(START).await.expect("a round");
        assert_eq!(ground.signer(START).await, first, "{step}");
        ground.refuse(step, false);
        assert_eq!(ground.keys.replace_all(START).await.expect("replaced"), 1);
        assert_ne!(ground.signer(START).await, first, "{step}");
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_removed_holds_nothing_up_and_is_removed_later() {
    let ground = Ground::new().await;
    ground.keys.rotate(START).await.expect("rotated");
    let over = START.plus(LEAD).plus(HOUR).plus(HEARD_OF).plus(HOUR);
    ground.refuse("DELETE", true);
    assert!(ground.keys.keep_up(over).await.is_err());
    assert_eq!(ground.published(over).len(), 1);
    let second = ground.signer(over).await;
    ground.refuse("DELETE", false);
    assert_eq!(ground.keys.keep_up(over).await.expect("a round"), KeyRound { published: 0, removed: 1, gone: 0 });
    assert_eq!(ground.signer(over).await, second);
}

#[tokio::test]
async fn while_the_store_is_away_the_keys_that_are_known_sign() {
    let ground = Ground::new().await;
    ground.keys.rotate(START).await.expect("rotated");
    let (first, published) = (ground.signer(START).await, ground.published(START));
    let away = "ALTER TABLE signing_keys RENAME TO away";
    Connection::open(ground.file()).expect("opened").execute_batch(away).expect("renamed");
    assert!(ground.keys.keep_up(START).await.is_err());
    // The one follows the other even so: both were noted when the store was there.
    assert_eq!((ground.signer(START).await, ground.published(START)), (first.clone(), published));
    assert_ne!(ground.signer(START.plus(LEAD)).await, first);
}
