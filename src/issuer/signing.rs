//! The keys that id_tokens are signed with: made at first need, kept in the store, rotated, published while a token
//! that they signed may live.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use aws_lc_rs::{encoding::AsDer, rand::SystemRandom, rsa, signature};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, jwk::Jwk};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{
    clock::UnixTime,
    oauth::{KeyId, SigningAlgorithm},
    secret::Secret,
    store::{Store, StoreError, StoredSigningKey},
};

/// For so long another process may go on signing with a key that has been retired.
const HEARD_OF: Duration = Duration::from_secs(60);

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

struct SigningKey {
    id: KeyId,
    algorithm: SigningAlgorithm,
    encoding: EncodingKey,
    public: Value,
    created_at: UnixTime,
    retired_at: Option<UnixTime>,
}

/// All signing keys of the site.
pub struct SigningKeys {
    store: Arc<dyn Store>,
    algorithms: Vec<SigningAlgorithm>,
    keys: ArcSwap<Vec<Arc<SigningKey>>>,
}

impl SigningKeys {
    /// Reads the keys and makes one for each algorithm that has none.
    ///
    /// # Errors
    /// When the store can't answer, or holds a key that can't be parsed.
    pub async fn load(
        store: Arc<dyn Store>,
        algorithms: &[SigningAlgorithm],
        now: UnixTime,
    ) -> Result<Self, SigningError> {
        let algorithms = algorithms.iter().copied().filter(|algorithm| *algorithm != SigningAlgorithm::Hs256).collect();
        let keys = Self { store, algorithms, keys: ArcSwap::default() };
        keys.reload().await?;
        keys.make_missing(now).await?;
        Ok(keys)
    }

    async fn make_missing(&self, now: UnixTime) -> Result<(), SigningError> {
        for algorithm in &self.algorithms {
            if self.active(*algorithm).is_none() {
                self.make(*algorithm, now).await?;
            }
        }
        Ok(())
    }

    /// Takes in what other processes have rotated, retires keys older than `age` and makes their successors; tells how
    /// many.
    ///
    /// # Errors
    /// When the store can't keep the new key: the next round makes it then, and until it does the old one, which this
    /// process still has, signs on.
    pub async fn rotate_older_than(&self, age: Duration, now: UnixTime) -> Result<usize, SigningError> {
        self.reload().await?;
        let due: Vec<_> = self.keys.load().iter().filter(|key| key.is_due(age, now)).cloned().collect();
        for key in &due {
            self.store.retire_signing_key(&key.id, now).await?;
            self.make(key.algorithm, now).await?;
        }
        self.make_missing(now).await?;
        Ok(due.len())
    }

    async fn reload(&self) -> Result<(), SigningError> {
        let stored = self.store.signing_keys().await?;
        let keys: Result<Vec<_>, _> = stored.iter().map(|key| SigningKey::parse(key).map(Arc::new)).collect();
        self.keys.store(Arc::new(keys?));
        Ok(())
    }

    async fn make(&self, algorithm: SigningAlgorithm, now: UnixTime) -> Result<(), SigningError> {
        // RSA keys take a while to find: not on a thread that moves bytes.
        let made = tokio::task::spawn_blocking(move || make_key(algorithm, now));
        let key = made.await.map_err(|error| SigningError::Key(error.to_string()))??;
        self.store.put_signing_key(key).await?;
        self.reload().await
    }

    fn active(&self, algorithm: SigningAlgorithm) -> Option<Arc<SigningKey>> {
        let keys = self.keys.load();
        keys.iter().rev().find(|key| key.algorithm == algorithm && key.retired_at.is_none()).cloned()
    }

    /// The public keys (RFC 7517 §5): active ones, and retired ones while a token that they signed may live.
    #[must_use]
    pub fn jwks(&self, token_life: Duration, now: UnixTime) -> Value {
        let life = token_life + HEARD_OF;
        let published = |key: &&Arc<SigningKey>| key.retired_at.is_none_or(|at| at.plus(life) > now);
        let keys: Vec<Value> = self.keys.load().iter().filter(published).map(|key| key.public.clone()).collect();
        serde_json::json!({ "keys": keys })
    }

    /// Signs claims with the active key of an algorithm, in the compact form; `kind` goes into the header `typ`.
    ///
    /// # Errors
    /// When there is no such key or it can't sign.
    pub async fn sign(
        &self,
        algorithm: SigningAlgorithm,
        kind: &str,
        claims: Map<String, Value>,
    ) -> Result<String, SigningError> {
        let kind = kind.to_owned();
        let key = self.active(algorithm).ok_or_else(|| SigningError::Key(format!("there is no {algorithm} key")))?;
        let signed = tokio::task::spawn_blocking(move || {
            let mut header = Header::new(jws_algorithm(key.algorithm));
            header.typ = Some(kind);
            header.kid = Some(key.id.as_str().to_owned());
            jsonwebtoken::encode(&header, &claims, &key.encoding)
        });
        let signed = signed.await.map_err(|error| SigningError::Key(error.to_string()))?;
        signed.map_err(|error| SigningError::Key(error.to_string()))
    }

    /// Signs claims with a client's secret: HS256.
    ///
    /// # Errors
    /// When the claims can't be encoded.
    pub fn sign_with_secret(secret: &Secret, kind: &str, claims: &Map<String, Value>) -> Result<String, SigningError> {
        let key = EncodingKey::from_secret(secret.expose().as_bytes());
        let header = Header { typ: Some(kind.to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, claims, &key).map_err(|error| SigningError::Key(error.to_string()))
    }

    /// The claims of an id_token that this gateway signed, also an expired one; `None` for anything else. `secret` is
    /// that of the client whose hint it is, for HS256.
    #[must_use]
    pub fn verify_hint(&self, jwt: &str, issuer: &str, secret: Option<&Secret>) -> Option<Map<String, Value>> {
        let header = jsonwebtoken::decode_header(jwt).ok()?;
        // A logout token has the same issuer, audience and key (OpenID Connect Back-Channel Logout 1.0 §2.4).
        if header.typ.as_deref().is_some_and(|kind| !kind.eq_ignore_ascii_case("JWT")) {
            return None;
        }
        let key = match (header.alg, secret) {
            (Algorithm::HS256, Some(secret)) => DecodingKey::from_secret(secret.expose().as_bytes()),
            (Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA, _) => {
                let keys = self.keys.load();
                let key = keys.iter().find(|key| Some(key.id.as_str()) == header.kid.as_deref())?;
                if jws_algorithm(key.algorithm) != header.alg {
                    return None;
                }
                let jwk: Jwk = serde_json::from_value(key.public.clone()).ok()?;
                DecodingKey::from_jwk(&jwk).ok()?
            }
            _ => return None,
        };
        let mut validation = Validation::new(header.alg);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["iss", "sub", "aud"]);
        validation.set_issuer(&[issuer]);
        jsonwebtoken::decode::<Map<String, Value>>(jwt, &key, &validation).ok().map(|data| data.claims)
    }
}

impl SigningKey {
    fn parse(stored: &StoredSigningKey) -> Result<Self, SigningError> {
        let encoding = encoding_key(stored.algorithm, &stored.private_key)?;
        let public = serde_json::from_str(&stored.public_jwk).map_err(|error| SigningError::Key(error.to_string()))?;
        Ok(Self {
            id: stored.id.clone(),
            algorithm: stored.algorithm,
            encoding,
            public,
            created_at: stored.created_at,
            retired_at: stored.retired_at,
        })
    }

    fn is_due(&self, age: Duration, now: UnixTime) -> bool {
        self.retired_at.is_none() && self.created_at.plus(age) <= now
    }
}

fn jws_algorithm(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::Rs256 => Algorithm::RS256,
        SigningAlgorithm::Es256 => Algorithm::ES256,
        SigningAlgorithm::EdDsa => Algorithm::EdDSA,
        SigningAlgorithm::Hs256 => Algorithm::HS256,
    }
}

fn encoding_key(algorithm: SigningAlgorithm, private_key: &Secret) -> Result<EncodingKey, SigningError> {
    let pem = ["-----BEGIN PRIVATE KEY-----\n", private_key.expose(), "\n-----END PRIVATE KEY-----\n"].concat();
    let pem = Zeroizing::new(pem);
    let parsed = match algorithm {
        SigningAlgorithm::Rs256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
        SigningAlgorithm::Es256 => EncodingKey::from_ec_pem(pem.as_bytes()),
        SigningAlgorithm::EdDsa => EncodingKey::from_ed_pem(pem.as_bytes()),
        SigningAlgorithm::Hs256 => return Err(SigningError::Key("HS256 has no key of its own".to_owned())),
    };
    parsed.map_err(|error| SigningError::Key(error.to_string()))
}

fn make_key(algorithm: SigningAlgorithm, now: UnixTime) -> Result<StoredSigningKey, SigningError> {
    let failed = |_| SigningError::Key(format!("no {algorithm} key could be made"));
    let random = SystemRandom::new();
    let pkcs8 = Zeroizing::new(match algorithm {
        SigningAlgorithm::Rs256 => {
            let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(failed)?;
            AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key).map_err(failed)?.as_ref().to_vec()
        }
        SigningAlgorithm::Es256 => {
            let alg = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
            signature::EcdsaKeyPair::generate_pkcs8(alg, &random).map_err(failed)?.as_ref().to_vec()
        }
        SigningAlgorithm::EdDsa => {
            signature::Ed25519KeyPair::generate_pkcs8v1(&random).map_err(failed)?.as_ref().to_vec()
        }
        SigningAlgorithm::Hs256 => return Err(SigningError::Key("HS256 has no key of its own".to_owned())),
    });
    let private_key = pem_lines(&Zeroizing::new(STANDARD.encode(&*pkcs8)));
    let encoding = encoding_key(algorithm, &private_key)?;
    let jwk = Jwk::from_encoding_key(&encoding, jws_algorithm(algorithm))
        .map_err(|error| SigningError::Key(error.to_string()))?;
    let thumbprint = jwk
        .thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256)
        .map_err(|error| SigningError::Key(error.to_string()))?;
    let id = KeyId::new(thumbprint);
    Ok(StoredSigningKey {
        public_jwk: public_jwk(jwk, &id).to_string(),
        id,
        algorithm,
        private_key,
        created_at: now,
        retired_at: None,
    })
}

fn public_jwk(mut jwk: Jwk, id: &KeyId) -> Value {
    jwk.common.key_id = Some(id.as_str().to_owned());
    jwk.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
    serde_json::to_value(jwk).unwrap_or_default()
}

/// PEM wants lines of 64 characters (RFC 7468 §2).
fn pem_lines(base64: &str) -> Secret {
    let mut lines = String::with_capacity(base64.len() + base64.len() / 64 + 1);
    for (place, letter) in base64.chars().enumerate() {
        if place > 0 && place % 64 == 0 {
            lines.push('\n');
        }
        lines.push(letter);
    }
    Secret::new(lines)
}
