//! The hash under which a login session is known: keyed, so that the store tells nothing of the cookie.

use super::TokenHash;
use crate::secret::{DerivedKey, Purpose, Secret, SecretKey};

/// Makes the keyed hash of a login session's cookie.
#[derive(Debug)]
pub struct LoginHasher(DerivedKey);

impl LoginHasher {
    /// The hasher of the gateway that has this key.
    #[must_use]
    pub fn new(key: &SecretKey) -> Self {
        Self(key.derive(Purpose::LoginSession))
    }

    /// The hash of the cookie `sid`.
    #[must_use]
    pub fn hash(&self, sid: &Secret) -> TokenHash {
        TokenHash::from_bytes(self.0.hmac(&[sid.expose().as_bytes()]))
    }
}
