//! Which JWTs pass for access tokens, among those that our own key has signed.

use tempfile::TempDir;

use super::*;
use crate::{
    issuer::{KeyLives, SigningKeys},
    oauth::{SigningAlgorithm, SiteId},
    secret::SecretKey,
    store::EmbeddedStore,
};

const ISSUER: &str = "https://erp.example.com";
const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const HOUR: Duration = Duration::from_secs(3600);
const LIVES: KeyLives = KeyLives { token: HOUR, hint: HOUR, rotation: Duration::from_secs(90 * 86_400) };

struct Scene {
    signing: Arc<SigningKeys>,
    jwts: AccessJwts,
    _place: TempDir,
}

impl Scene {
    async fn new() -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let store = EmbeddedStore::open(&place.path().join("db"), SiteId::new("site"), &SecretKey::new([1; 32]));
        let store = Arc::new(store.expect("a store"));
        let signing = SigningKeys::load(store, &[SigningAlgorithm::Es256], LIVES, NOW).await.expect("keys");
        let signing = Arc::new(signing);
        Self { jwts: AccessJwts::new(Arc::clone(&signing), ISSUER.to_owned()), signing, _place: place }
    }

    async fn sign(&self, kind: &'static str, changes: &[(&str, Value)]) -> String {
        let standard = json!({
            "iss": ISSUER, "sub": "1", "aud": ISSUER, "client_id": "shop", "jti": "1",
            "iat": NOW.secs(), "exp": NOW.plus(HOUR).secs(),
        });
        let mut claims = standard.as_object().expect("an object").clone();
        for (name, value) in changes {
            match value {
                Value::Null => claims.remove(*name),
                value => claims.insert((*name).to_owned(), value.clone()),
            };
        }
        self.signing.sign(SigningAlgorithm::Es256, kind, claims, NOW).await.expect("signed")
    }

    async fn passes(&self, kind: &'static str, changes: &[(&str, Value)]) -> bool {
        self.jwts.verify(&self.sign(kind, changes).await, NOW)
    }
}

/// T29
#[tokio::test]
async fn a_right_signature_makes_no_access_token_of_another_kind_or_issuer() {
    let scene = Scene::new().await;
    for kind in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        assert!(scene.passes(kind, &[]).await, "{kind}");
    }
    for kind in ["JWT", "logout+jwt", "token-introspection+jwt", "", "at+jwt2", "application/"] {
        assert!(!scene.passes(kind, &[]).await, "{kind}");
    }
    for issuer in [json!("https://erp.example.com/"), json!("https://evil.example"), json!([ISSUER]), Value::Null] {
        assert!(!scene.passes("at+jwt", &[("iss", issuer.clone())]).await, "{issuer}");
    }
}

/// T30
#[tokio::test]
async fn times_are_whole_seconds_and_hold() {
    let scene = Scene::new().await;
    let now = NOW.secs();
    for (claim, value) in [
        ("exp", Value::Null),
        ("exp", json!(now)),
        ("exp", json!(now - 1)),
        ("exp", json!(1e300)),
        ("exp", json!(4_102_444_800.5)),
        ("exp", json!("4102444800")),
        ("exp", json!(-1)),
        ("nbf", json!(now + 31)),
        ("nbf", json!("soon")),
        ("iat", json!(now + 31)),
        ("iat", json!(4_102_444_800_u64)),
        ("iat", Value::Null),
    ] {
        assert!(!scene.passes("at+jwt", &[(claim, value.clone())]).await, "{claim}: {value}");
    }
    for (claim, value) in [("exp", now + 1), ("nbf", now + 30), ("iat", now + 30)] {
        assert!(scene.passes("at+jwt", &[(claim, value.into())]).await, "{claim}: {value}");
    }
}

/// T28
#[tokio::test]
async fn another_header_a_changed_part_and_a_key_that_was_replaced_do_not_pass() {
    let scene = Scene::new().await;
    let good = scene.sign("at+jwt", &[]).await;
    assert!(scene.jwts.verify(&good, NOW) && scene.jwts.means_to_be_ours(&good));
    let [head, claims, signature]: [&str; 3] =
        good.split('.').collect::<Vec<_>>().try_into().expect("three parts of a JWT");
    let mut header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).expect("base64url")).expect("JSON");
    header["crit"] = json!(["x"]);
    let critical = URL_SAFE_NO_PAD.encode(header.to_string());
    for changed in [
        format!("{critical}.{claims}.{signature}"),
        format!("{head}.{claims}.{}", signature.chars().rev().collect::<String>()),
        format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode("{}")),
        format!("{head}.{claims}."),
        format!("{head}.{claims}"),
    ] {
        assert!(!scene.jwts.verify(&changed, NOW), "{changed}");
    }
    scene.signing.replace_all(NOW).await.expect("replaced");
    assert!(!scene.jwts.verify(&good, NOW) && !scene.jwts.means_to_be_ours(&good));
}
