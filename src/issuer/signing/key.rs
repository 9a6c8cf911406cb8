//! One signing key: made, read from the store, and its public half as a JWK.

use aws_lc_rs::{encoding::AsDer, rand::SystemRandom, rsa, signature};
use base64::{Engine, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, jwk::Jwk};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{SigningError, phases::KeyTimes};
use crate::{
    clock::UnixTime,
    oauth::{KeyId, SigningAlgorithm},
    secret::Secret,
    store::StoredSigningKey,
};

/// A key that can be used.
pub struct SigningKey {
    pub id: KeyId,
    pub algorithm: SigningAlgorithm,
    pub times: KeyTimes,
    pub public: Value,
    encoding: EncodingKey,
}

impl SigningKey {
    /// Reads a stored key.
    pub fn parse(stored: &StoredSigningKey) -> Result<Self, SigningError> {
        let encoding = encoding_key(stored.algorithm, &stored.private_key)?;
        let public = serde_json::from_str(&stored.public_jwk).map_err(|error| SigningError::Key(error.to_string()))?;
        Ok(Self { id: stored.id.clone(), algorithm: stored.algorithm, times: KeyTimes::of(stored), public, encoding })
    }

    /// The claims in compact form, signed.
    pub fn sign(&self, kind: &str, claims: &Map<String, Value>) -> Result<String, SigningError> {
        let mut header = Header::new(jws_algorithm(self.algorithm));
        header.typ = Some(kind.to_owned());
        header.kid = Some(self.id.as_str().to_owned());
        jsonwebtoken::encode(&header, claims, &self.encoding).map_err(|error| SigningError::Key(error.to_string()))
    }

    /// What it signs with, in the library's words.
    pub fn jws_algorithm(&self) -> Algorithm {
        jws_algorithm(self.algorithm)
    }

    /// What verifies a token whose header names this algorithm.
    pub fn decoding(&self, algorithm: &str) -> Option<DecodingKey> {
        if self.algorithm.as_str() != algorithm {
            return None;
        }
        let jwk: Jwk = serde_json::from_value(self.public.clone()).ok()?;
        DecodingKey::from_jwk(&jwk).ok()
    }
}

/// Makes a key that signs from `signs_from`.
pub async fn make(
    algorithm: SigningAlgorithm,
    signs_from: UnixTime,
    now: UnixTime,
) -> Result<StoredSigningKey, SigningError> {
    // RSA keys take a while to find: not on a thread that moves bytes.
    let made = tokio::task::spawn_blocking(move || make_key(algorithm, signs_from, now));
    made.await.map_err(|error| SigningError::Key(error.to_string()))?
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

fn make_key(
    algorithm: SigningAlgorithm,
    signs_from: UnixTime,
    now: UnixTime,
) -> Result<StoredSigningKey, SigningError> {
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
        signs_from,
        retired_at: None,
        published_until: None,
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
