//! The keys that id_tokens are signed with: made at first need, kept in the store, each published before it signs and
//! for as long as a token that it signed may live.

mod key;
mod phases;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arc_swap::ArcSwap;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Map, Value};

pub use self::phases::{HEARD_OF, JWKS_MAX_AGE, KeyLives, KeyPhase, KeyTimes, LEAD};

use self::key::SigningKey;
use crate::{
    clock::UnixTime,
    oauth::{KeyId, ProtectedHeader, SigningAlgorithm},
    secret::Secret,
    store::{KeySuccession, Store, StoreError},
};

/// Why something could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The key can't be kept or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key can't be made, parsed or used.
    #[error("signing key: {0}")]
    Key(String),
}

/// What a round of upkeep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyRound {
    /// So many keys were published, to sign later.
    pub published: usize,
    /// So many keys were removed for good.
    pub removed: usize,
    /// So many were known here and are not in the store any more: somebody has replaced them, or removed them for good.
    pub gone: usize,
}

/// All signing keys of the site.
pub struct SigningKeys {
    store: Arc<dyn Store>,
    algorithms: Vec<SigningAlgorithm>,
    lives: KeyLives,
    keys: ArcSwap<Vec<Arc<SigningKey>>>,
}

impl SigningKeys {
    /// Reads the keys and makes one for each algorithm that has none, which signs at once: nobody can have kept a
    /// document without it and need it.
    ///
    /// # Errors
    /// When the store can't answer, or holds a key that can't be parsed.
    pub async fn load(
        store: Arc<dyn Store>,
        algorithms: &[SigningAlgorithm],
        lives: KeyLives,
        now: UnixTime,
    ) -> Result<Self, SigningError> {
        let algorithms = algorithms.iter().copied().filter(|algorithm| *algorithm != SigningAlgorithm::Hs256).collect();
        let keys = Self { store, algorithms, lives, keys: ArcSwap::default() };
        keys.reload().await?;
        keys.make_missing(now).await?;
        Ok(keys)
    }

    async fn make_missing(&self, now: UnixTime) -> Result<(), SigningError> {
        for algorithm in &self.algorithms {
            if self.signer(*algorithm, now).is_none() {
                self.store.put_signing_key(key::make(*algorithm, now, now).await?).await?;
                self.reload().await?;
            }
        }
        Ok(())
    }

    /// A round of upkeep: takes in what other processes have done, publishes the successors of keys that have signed for
    /// long enough, removes keys that nobody can ask for any more.
    ///
    /// # Errors
    /// When the store can't answer, or can't keep a new key: the next round does the rest, and until then the present
    /// keys sign on.
    pub async fn keep_up(&self, now: UnixTime) -> Result<KeyRound, SigningError> {
        let known = self.keys.load_full();
        self.reload().await?;
        self.make_missing(now).await?;
        let keys = self.keys.load_full();
        let is_gone = |key: &&Arc<SigningKey>| !keys.iter().any(|present| present.id == key.id);
        let mut round = KeyRound { gone: known.iter().filter(is_gone).count(), ..KeyRound::default() };
        for key in &*keys {
            if let Some(signs_from) = key.times.successor_due(self.lives, now) {
                self.publish_successor(key, signs_from, now).await?;
                round.published += 1;
            }
        }
        let over = keys.iter().filter(|key| key.times.is_over(self.lives, now));
        let over: Vec<KeyId> = over.map(|key| key.id.clone()).collect();
        if !over.is_empty() {
            round.removed = over.len();
            self.store.forget_signing_keys(over).await?;
            self.reload().await?;
        }
        Ok(round)
    }

    /// Publishes a successor of each key that signs, which follows it after [`LEAD`]. One that is published already is
    /// brought forward, if it was to sign later.
    ///
    /// # Errors
    /// When the store can't keep a new key. The present keys sign on; what was done already stays.
    pub async fn rotate(&self, now: UnixTime) -> Result<usize, SigningError> {
        let signers: Vec<_> = self.algorithms.iter().filter_map(|algorithm| self.signer(*algorithm, now)).collect();
        for key in &signers {
            self.publish_successor(key, now.plus(LEAD), now).await?;
        }
        Ok(signers.len())
    }

    /// Puts new keys, which sign at once, in the place of all that there are; tells how many those were. Nothing that one of
    /// them signed is believed any more, here or by whoever reads the published keys from now on.
    ///
    /// # Errors
    /// When the store can't keep the new keys: then nothing has changed.
    pub async fn replace_all(&self, now: UnixTime) -> Result<u64, SigningError> {
        let mut new = Vec::new();
        for algorithm in &self.algorithms {
            new.push(key::make(*algorithm, now, now).await?);
        }
        let gone = self.store.replace_signing_keys(new).await?;
        self.reload().await?;
        Ok(gone)
    }

    async fn publish_successor(
        &self,
        of: &SigningKey,
        signs_from: UnixTime,
        now: UnixTime,
    ) -> Result<(), SigningError> {
        let next = key::make(of.algorithm, signs_from, now).await?;
        let published_until = self.lives.last_token(signs_from);
        self.store.succeed_signing_key(KeySuccession { of: of.id.clone(), published_until, next }).await?;
        self.reload().await
    }

    async fn reload(&self) -> Result<(), SigningError> {
        let stored = self.store.signing_keys().await?;
        let keys: Result<Vec<_>, _> = stored.iter().map(|key| SigningKey::parse(key).map(Arc::new)).collect();
        self.keys.store(Arc::new(keys?));
        Ok(())
    }

    /// The key that signs at `now`: the last that has begun to. If the clock was set back before all of them, the first.
    fn signer(&self, algorithm: SigningAlgorithm, now: UnixTime) -> Option<Arc<SigningKey>> {
        let keys = self.keys.load();
        let usable = || {
            let of_algorithm = keys.iter().filter(move |key| key.algorithm == algorithm);
            of_algorithm.filter(move |key| key.times.phase(now) != KeyPhase::Retired)
        };
        let begun = usable().filter(|key| key.times.signs_from <= now).max_by_key(|key| key.times.signs_from);
        begun.or_else(|| usable().min_by_key(|key| key.times.signs_from)).cloned()
    }

    /// The public keys (RFC 7517 §5): those to come, those that sign, and those whose tokens may live. Whoever keeps them
    /// for [`JWKS_MAX_AGE`] can verify whatever is signed within that time.
    #[must_use]
    pub fn jwks(&self, now: UnixTime) -> Value {
        let keys = self.keys.load();
        let published = keys.iter().filter(|key| key.times.is_published(self.lives, now));
        let keys: Vec<Value> = published.map(|key| key.public.clone()).collect();
        serde_json::json!({ "keys": keys })
    }

    /// Signs claims with the key that the algorithm has at `now`, which is the time that they name; the compact form. `kind`
    /// goes into the header `typ`.
    ///
    /// # Errors
    /// When there is no such key or it can't sign.
    pub async fn sign(
        &self,
        algorithm: SigningAlgorithm,
        kind: &'static str,
        claims: Map<String, Value>,
        now: UnixTime,
    ) -> Result<String, SigningError> {
        let key =
            self.signer(algorithm, now).ok_or_else(|| SigningError::Key(format!("there is no {algorithm} key")))?;
        let signed = tokio::task::spawn_blocking(move || key.sign(kind, &claims));
        signed.await.map_err(|error| SigningError::Key(error.to_string()))?
    }

    /// Signs claims with a client's secret: HS256.
    ///
    /// # Errors
    /// When the claims can't be encoded.
    pub fn sign_with_secret(
        secret: &Secret,
        kind: &'static str,
        claims: &Map<String, Value>,
    ) -> Result<String, SigningError> {
        let key = EncodingKey::from_secret(secret.expose().as_bytes());
        let header = Header { typ: Some(kind.to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, claims, &key).map_err(|error| SigningError::Key(error.to_string()))
    }

    /// The claims of an id_token that this gateway signed, also an expired one, with a key that is not published any
    /// more; `None` for anything else. `secret` is that of the client whose hint it is, for HS256.
    #[must_use]
    pub fn verify_hint(&self, jwt: &str, issuer: &str, secret: Option<&Secret>) -> Option<Map<String, Value>> {
        let header = ProtectedHeader::of(jwt)?;
        // A logout token has the same issuer, audience and key (OpenID Connect Back-Channel Logout 1.0 §2.4).
        if header.text("typ").is_some_and(|kind| !kind.eq_ignore_ascii_case("JWT")) {
            return None;
        }
        let claims = match (header.text("alg"), secret) {
            (Some("HS256"), Some(secret)) => {
                decoded(jwt, &DecodingKey::from_secret(secret.expose().as_bytes()), Algorithm::HS256)
            }
            _ => self.signed_claims(jwt, &header),
        }?;
        let has = |name: &str| claims.contains_key(name);
        (claims.get("iss")?.as_str() == Some(issuer) && has("sub") && has("aud")).then_some(claims)
    }

    /// The claims of whatever one of our keys signed, also one that is not published any more; nothing else of the JWT
    /// is checked.
    pub(super) fn signed_claims(&self, jwt: &str, header: &ProtectedHeader) -> Option<Map<String, Value>> {
        let key = self.key_of(header)?;
        decoded(jwt, &key.decoding(header.text("alg")?)?, key.jws_algorithm())
    }

    /// Whether the header names one of our keys.
    pub(super) fn has_key_of(&self, header: &ProtectedHeader) -> bool {
        self.key_of(header).is_some()
    }

    fn key_of(&self, header: &ProtectedHeader) -> Option<Arc<SigningKey>> {
        let id = header.text("kid")?;
        self.keys.load().iter().find(|key| key.id.as_str() == id).cloned()
    }
}

/// The claims of a JWT whose signature is good. What they say is the caller's to judge.
fn decoded(jwt: &str, key: &DecodingKey, algorithm: Algorithm) -> Option<Map<String, Value>> {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    jsonwebtoken::decode::<Map<String, Value>>(jwt, key, &validation).ok().map(|data| data.claims)
}
