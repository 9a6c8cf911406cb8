//! The life of keys, by a clock that is moved by hand.

use std::{sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{HEARD_OF, JWKS_MAX_AGE, KeyLives, KeyRound, LEAD, SigningKeys};
use crate::{
    clock::UnixTime,
    oauth::{SigningAlgorithm, SiteId},
    secret::SecretKey,
    store::{EmbeddedStore, Store, StoredSigningKey},
};

const ISSUER: &str = "https://erp.example.com";
const START: UnixTime = UnixTime::from_secs(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const LIVES: KeyLives =
    KeyLives { token: HOUR, hint: Duration::from_secs(30 * 86_400), rotation: Duration::from_secs(90 * 86_400) };
const ES256: SigningAlgorithm = SigningAlgorithm::Es256;

struct Ground {
    place: TempDir,
}

impl Ground {
    fn new() -> Self {
        Self { place: tempfile::tempdir().expect("a folder") }
    }

    fn store(&self) -> Arc<dyn Store> {
        let path = self.place.path().join("db");
        Arc::new(EmbeddedStore::open(&path, SiteId::new("site"), &SecretKey::new([1; 32])).expect("a store"))
    }

    /// The keys as another process of the same site has them.
    async fn process(&self, lives: KeyLives, now: UnixTime) -> Process {
        Process { keys: SigningKeys::load(self.store(), &[ES256], lives, now).await.expect("keys") }
    }
}

struct Process {
    keys: SigningKeys,
}

/// A token with the key that signed it.
struct Signed {
    kid: String,
    jwt: String,
}

impl Process {
    async fn sign(&self, now: UnixTime) -> Signed {
        let claims = json!({"iss": ISSUER, "sub": "1", "aud": "c", "iat": now.secs(), "exp": now.plus(HOUR).secs()});
        let claims: Map<String, Value> = serde_json::from_value(claims).expect("claims");
        let jwt = self.keys.sign(ES256, "JWT", claims, now).await.expect("signed");
        Signed { kid: jsonwebtoken::decode_header(&jwt).expect("a header").kid.expect("a kid"), jwt }
    }

    async fn round(&self, now: UnixTime) -> KeyRound {
        KeyRound { gone: 0, ..self.keys.keep_up(now).await.expect("a round") }
    }

    fn published(&self, now: UnixTime) -> Vec<String> {
        let keys = self.keys.jwks(now)["keys"].as_array().expect("keys").clone();
        keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
    }

    fn is_hint(&self, signed: &Signed) -> bool {
        self.keys.verify_hint(&signed.jwt, ISSUER, None).is_some()
    }

    async fn in_store(&self) -> usize {
        self.keys.store.signing_keys().await.expect("keys").len()
    }
}

const fn round(published: usize, removed: usize) -> KeyRound {
    KeyRound { published, removed, gone: 0 }
}

#[tokio::test]
async fn the_first_key_signs_at_once() {
    let (ground, now) = (Ground::new(), START);
    let process = ground.process(LIVES, now).await;
    let signed = process.sign(now).await;
    assert_eq!(process.published(now), [signed.kid.as_str()]);
    assert_eq!(process.round(now).await, round(0, 0));
    assert_eq!(
        ground.process(LIVES, now.plus(DAY)).await.sign(now).await.kid,
        signed.kid,
        "another process has it too"
    );
}

/// What a rotation of an earlier version left that was cut short between its two steps.
#[tokio::test]
async fn a_key_that_is_retired_without_successor_does_not_sign() {
    let ground = Ground::new();
    let retired = super::key::make(ES256, START, START).await.expect("made");
    let retired = StoredSigningKey { retired_at: Some(START), ..retired };
    let id = retired.id.clone();
    ground.store().put_signing_key(retired).await.expect("put");
    let process = ground.process(LIVES, START).await;
    assert_ne!(process.sign(START).await.kid, id.as_str());
    assert_eq!(process.published(START).len(), 2);
}

#[tokio::test]
async fn a_key_is_published_signs_retires_leaves_the_published_ones_and_then_the_store() {
    let ground = Ground::new();
    let process = ground.process(LIVES, START).await;
    let first = process.sign(START).await;

    // A day before it has signed for long enough its successor is published, and only once.
    let takes_over = START.plus(LIVES.rotation);
    let early = takes_over.minus(DAY);
    assert_eq!(process.round(early.minus(SECOND)).await, round(0, 0));
    assert_eq!(process.round(early).await, round(1, 0));
    assert_eq!(process.round(early.plus(SECOND)).await, round(0, 0));
    let published = process.published(early);
    assert_eq!((published.len(), &published[0]), (2, &first.kid));
    let next = published[1].clone();

    // The old one signs to the last moment, the new one from then on, without anybody doing anything.
    let last_of_old = process.sign(takes_over.minus(Duration::from_millis(1))).await;
    assert_eq!(last_of_old.kid, first.kid);
    assert_eq!(process.sign(takes_over).await.kid, next);

    // The old one stays until its last token has expired in everybody's eyes.
    let withdrawn = takes_over.plus(HOUR).plus(HEARD_OF);
    assert_eq!(process.published(withdrawn.minus(SECOND)), [first.kid.clone(), next.clone()]);
    assert_eq!(process.published(withdrawn), [next.as_str()]);

    // Decision 27: its tokens are hints for as long as a refresh token may live.
    let over = withdrawn.plus(LIVES.hint);
    assert_eq!(process.round(over.minus(SECOND)).await, round(0, 0));
    assert!(process.is_hint(&last_of_old));
    assert_eq!(process.round(over).await, round(0, 1));
    assert!(!process.is_hint(&last_of_old));
    assert_eq!(process.in_store().await, 1);
    assert_eq!(process.sign(over).await.kid, next);
}

#[tokio::test]
async fn whoever_keeps_the_published_keys_for_as_long_as_they_may_verifies_every_token() {
    let ground = Ground::new();
    // The shortest rotation that the configuration takes.
    let lives = KeyLives { rotation: HOUR, ..LIVES };
    let (signs, publishes) = (ground.process(lives, START).await, ground.process(lives, START).await);
    let (mut seen, mut document) = (Vec::new(), publishes.published(START));
    for minute in 0..600 {
        let now = START.plus(60 * SECOND * minute);
        signs.round(now).await;
        if minute == 130 {
            signs.keys.rotate(now).await.expect("rotated");
        }
        // A client that asks as rarely as it may, and a process that hears as late as it may.
        if u64::from(minute) % (JWKS_MAX_AGE.as_secs() / 60) == 0 {
            document = publishes.published(now);
        }
        publishes.round(now).await;
        let signed = signs.sign(now).await;
        assert!(document.contains(&signed.kid), "minute {minute}: {document:?}");
        if seen.last() != Some(&signed.kid) {
            seen.push(signed.kid);
        }
    }
    assert_eq!(seen.len(), 11, "one an hour, and one by hand");
}

#[tokio::test]
async fn a_rotation_by_hand_takes_over_after_the_lead_and_is_not_repeated() {
    let ground = Ground::new();
    let process = ground.process(LIVES, START).await;
    let first = process.sign(START).await;
    let now = START.plus(DAY);
    assert_eq!(process.keys.rotate(now).await.expect("rotated"), 1);
    assert!(LEAD >= JWKS_MAX_AGE + HEARD_OF);
    let takes_over = now.plus(LEAD);
    let published = process.published(now);
    assert_eq!(published.len(), 2);
    assert_eq!(process.sign(takes_over.minus(SECOND)).await.kid, first.kid);
    let again = takes_over.minus(SECOND);
    process.keys.rotate(again).await.expect("an answer");
    assert_eq!(process.published(again), published, "there is one already");
    assert_eq!(process.sign(takes_over).await.kid, published[1]);
    // Its own time counts from when it began.
    let early = takes_over.plus(LIVES.rotation).minus(DAY);
    assert_eq!(process.round(early.minus(SECOND)).await.published, 0);
    assert_eq!(process.round(early).await.published, 1);
}

#[tokio::test]
async fn a_rotation_by_hand_brings_a_scheduled_one_forward() {
    let ground = Ground::new();
    let process = ground.process(LIVES, START).await;
    let early = START.plus(LIVES.rotation).minus(DAY);
    process.round(early).await;
    let published = process.published(early);
    let now = early.plus(HOUR);
    process.keys.rotate(now).await.expect("rotated");
    assert_eq!(process.published(now), published);
    let takes_over = now.plus(LEAD);
    assert_eq!(process.sign(takes_over.minus(SECOND)).await.kid, published[0]);
    assert_eq!(process.sign(takes_over).await.kid, published[1]);
    assert_eq!(process.published(takes_over.plus(HOUR).plus(HEARD_OF)), [published[1].clone()]);
}

#[tokio::test]
async fn two_processes_sign_with_the_same_key_at_every_moment() {
    let ground = Ground::new();
    let (one, two) = (ground.process(LIVES, START).await, ground.process(LIVES, START).await);
    let first = one.sign(START).await;
    assert_eq!(two.sign(START).await.kid, first.kid);
    let early = START.plus(LIVES.rotation).minus(DAY);
    // Both find that it is time; the second one with what it knew before, too.
    let (first_round, second_round) = tokio::join!(one.round(early), two.round(early));
    assert!(first_round.published + second_round.published >= 1);
    one.round(early).await;
    assert_eq!(one.in_store().await, 2);
    let takes_over = START.plus(LIVES.rotation);
    for now in [early, takes_over.minus(SECOND), takes_over, takes_over.plus(DAY)] {
        let (by_one, by_two) = (one.sign(now).await.kid, two.sign(now).await.kid);
        assert_eq!(by_one, by_two);
        assert!(one.published(now).contains(&by_two) && two.published(now).contains(&by_one));
    }
}

#[tokio::test]
async fn a_process_that_has_not_heard_of_a_rotation_signs_what_the_other_publishes() {
    let ground = Ground::new();
    let (one, two) = (ground.process(LIVES, START).await, ground.process(LIVES, START).await);
    one.keys.rotate(START).await.expect("rotated");
    let takes_over = START.plus(LEAD);
    let late = two.sign(takes_over.plus(HEARD_OF).minus(SECOND)).await;
    let expired = takes_over.plus(HEARD_OF).minus(SECOND).plus(HOUR);
    assert!(one.published(expired.minus(SECOND)).contains(&late.kid));
    // It hears of it, and what it could have rotated itself is rotated already.
    two.round(takes_over).await;
    assert_eq!(two.sign(takes_over).await.kid, one.sign(takes_over).await.kid);
    assert_eq!(two.in_store().await, 2);
}

#[tokio::test]
async fn replaced_keys_neither_verify_nor_sign_nor_make_hints_in_any_process() {
    let ground = Ground::new();
    let (one, two) = (ground.process(LIVES, START).await, ground.process(LIVES, START).await);
    let oldest = one.sign(START).await;
    one.keys.rotate(START).await.expect("rotated");
    let now = START.plus(LEAD);
    let old = one.sign(now).await;
    assert_ne!(oldest.kid, old.kid);
    // A retired one, which is published still, a signing one and one to come.
    one.keys.rotate(now).await.expect("rotated");
    assert_eq!(one.published(now).len(), 3);
    assert_eq!(one.keys.replace_all(now).await.expect("replaced"), 3);
    two.round(now).await;
    let new = one.sign(now).await;
    for process in [&one, &two] {
        assert_eq!(process.published(now), [new.kid.as_str()]);
        assert_eq!(process.sign(now).await.kid, new.kid);
        assert!(process.is_hint(&new) && !process.is_hint(&old) && !process.is_hint(&oldest));
        assert_eq!(process.round(now.plus(SECOND)).await, round(0, 0));
    }
    // Also one that knew only the old ones when it found that they are due, or was about to rotate.
    let three = ground.process(LIVES, now).await;
    one.keys.replace_all(now.plus(SECOND)).await.expect("replaced");
    three.keys.rotate(now.plus(SECOND)).await.expect("an answer");
    assert_eq!(three.published(now.plus(SECOND)).len(), 1);
    assert!(!three.is_hint(&new));
}

#[tokio::test]
async fn a_process_that_starts_between_publishing_and_signing_goes_on_where_the_other_was() {
    let ground = Ground::new();
    let published = {
        let process = ground.process(LIVES, START).await;
        process.keys.rotate(START).await.expect("rotated");
        process.published(START)
    };
    let process = ground.process(LIVES, START.plus(SECOND)).await;
    assert_eq!(process.published(START.plus(SECOND)), published);
    assert_eq!(process.sign(START.plus(LEAD).minus(SECOND)).await.kid, published[0]);
    assert_eq!(process.sign(START.plus(LEAD)).await.kid, published[1]);
}

#[tokio::test]
async fn a_gateway_that_was_off_when_a_key_was_due_publishes_the_next_one_before_it_signs() {
    let ground = Ground::new();
    drop(ground.process(LIVES, START).await);
    let now = START.plus(10 * LIVES.rotation);
    let process = ground.process(LIVES, now).await;
    let first = process.sign(now).await;
    assert_eq!(process.round(now).await, round(1, 0));
    assert_eq!(process.sign(now.plus(LEAD).minus(SECOND)).await.kid, first.kid);
    assert_ne!(process.sign(now.plus(LEAD)).await.kid, first.kid);
}

#[tokio::test]
async fn a_retired_key_stays_for_the_longer_of_the_lives_that_its_tokens_may_have() {
    let ground = Ground::new();
    let process = ground.process(LIVES, START).await;
    process.keys.rotate(START).await.expect("rotated");
    let takes_over = START.plus(LEAD);
    // Tokens were made longer, or shorter, while it signed.
    for token in [8 * HOUR, Duration::from_secs(60)] {
        let process = ground.process(KeyLives { token, ..LIVES }, START).await;
        let withdrawn = takes_over.plus(token.max(HOUR)).plus(HEARD_OF);
        assert_eq!(process.published(withdrawn.minus(SECOND)).len(), 2, "{token:?}");
        assert_eq!(process.published(withdrawn).len(), 1, "{token:?}");
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_leaves_a_key_to_sign_with() {
    let ground = Ground::new();
    let process = ground.process(LIVES, START).await;
    let first = process.sign(START).await;
    process.keys.rotate(START).await.expect("rotated");
    assert_ne!(process.sign(START.plus(LEAD)).await.kid, first.kid);
    for now in [START, START.minus(DAY)] {
        process.round(now).await;
        assert_eq!(process.sign(now).await.kid, first.kid);
    }
    assert_eq!(process.in_store().await, 2);
}

#[tokio::test]
async fn a_process_hears_that_others_have_replaced_its_keys() {
    let ground = Ground::new();
    let (one, other) = (ground.process(LIVES, START).await, ground.process(LIVES, START).await);
    assert_eq!(one.keys.keep_up(START).await.expect("a round").gone, 0);
    other.keys.replace_all(START).await.expect("replaced");
    assert_eq!(one.keys.keep_up(START).await.expect("a round").gone, 1);
    assert_eq!(one.keys.keep_up(START).await.expect("a round").gone, 0);
}
