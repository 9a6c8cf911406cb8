//! Sealing of what the store must be able to give back: AES-256-GCM-SIV under a key of its own, bound to the row.
//!
//! A sealed value is `version (1) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`. The nonce is random; with GCM-SIV a repeated one
//! would tell no more than that two values are equal.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Serialize, de::DeserializeOwned};
use zeroize::{Zeroize, Zeroizing};

use super::{StoreError, StoreResult};
use crate::{
    oauth::SiteId,
    random::{OsRandom, Random},
    secret::{DerivedKey, Purpose, Secret, SecretKey},
};

const VERSION: u8 = 1;

/// The row that a sealed value belongs to; elsewhere it does not open.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The kind of row.
    pub table: &'static str,
    /// The site.
    pub site: &'a SiteId,
    /// What the row is found by.
    pub row: &'a [u8],
}

impl Place<'_> {
    /// Each part preceded by its length, so that no two places read the same.
    fn associated_data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for part in [self.table.as_bytes(), self.site.as_str().as_bytes(), self.row] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part);
        }
        data
    }
}

/// Seals and opens values.
pub struct Codec {
    key: LessSafeKey,
    derived: DerivedKey,
}

impl Codec {
    /// The codec of the gateway that has this key.
    #[must_use]
    pub fn new(key: &SecretKey) -> Self {
        let derived = key.derive(Purpose::AtRest);
        #[expect(clippy::expect_used, reason = "a key of AES-256 has 32 bytes, and so has a derived one")]
        let unbound = UnboundKey::new(&AES_256_GCM_SIV, derived.expose()).expect("32 bytes are a key");
        Self { key: LessSafeKey::new(unbound), derived }
    }

    /// What tells this key from another one, and tells nothing else of it.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.derived.hmac(&[b"fingerprint"])
    }

    /// Seals bytes for a place.
    ///
    /// # Errors
    /// `Unavailable` when they are more than the cipher takes.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> StoreResult<Vec<u8>> {
        let random: &dyn Random = &OsRandom;
        let nonce = random.bytes::<NONCE_LEN>();
        let mut text = Zeroizing::new(plain.to_vec());
        let aad = Aad::from(place.associated_data());
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text)
            .map_err(|_| StoreError::Unavailable(format!("a value for {} can't be sealed", place.table)))?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + text.len() + tag.as_ref().len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// `Corrupt` when it was not sealed with this key for this place, or was changed since.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> StoreResult<Zeroizing<Vec<u8>>> {
        self.try_open(place, sealed).ok_or_else(|| unreadable(place))
    }

    fn try_open(&self, place: Place<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (version, rest) = sealed.split_first()?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN)?;
        if *version != VERSION {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = Zeroizing::new(text.to_vec());
        let length = self.key.open_in_place(nonce, Aad::from(place.associated_data()), &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }

    /// Seals a secret text.
    ///
    /// # Errors
    /// As [`Codec::seal`].
    pub fn seal_secret(&self, place: Place<'_>, secret: &Secret) -> StoreResult<Vec<u8>> {
        self.seal(place, secret.expose().as_bytes())
    }

    /// Opens a secret text.
    ///
    /// # Errors
    /// As [`Codec::open`].
    pub fn open_secret(&self, place: Place<'_>, sealed: &[u8]) -> StoreResult<Secret> {
        let mut plain = self.open(place, sealed)?;
        String::from_utf8(std::mem::take(&mut *plain)).map(Secret::new).map_err(|error| {
            error.into_bytes().zeroize();
            unreadable(place)
        })
    }

    /// Seals a whole record.
    ///
    /// # Errors
    /// As [`Codec::seal`].
    pub fn seal_record<T: Serialize>(&self, place: Place<'_>, record: &T) -> StoreResult<Vec<u8>> {
        let plain = serde_json::to_vec(record).map(Zeroizing::new).map_err(|error| {
            StoreError::Unavailable(format!("a record for {} can't be written: {error}", place.table))
        })?;
        self.seal(place, &plain)
    }

    /// Opens a whole record.
    ///
    /// # Errors
    /// As [`Codec::open`]; also `Corrupt` for a record of another form.
    pub fn open_record<T: DeserializeOwned>(&self, place: Place<'_>, sealed: &[u8]) -> StoreResult<T> {
        serde_json::from_slice(&self.open(place, sealed)?).map_err(|_| unreadable(place))
    }
}

fn unreadable(place: Place<'_>) -> StoreError {
    StoreError::Corrupt(format!("a sealed value in {} does not open with this key", place.table))
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Codec(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn codec() -> Codec {
        Codec::new(&SecretKey::new([1; 32]))
    }

    fn site() -> SiteId {
        SiteId::new("site")
    }

    #[test]
    fn another_place_another_key_and_another_version_do_not_open() {
        let (site, other) = (site(), SiteId::new("other"));
        let place = Place { table: "shadow_tokens", site: &site, row: b"alice" };
        let sealed = codec().seal(place, b"hunter2").expect("sealed");
        assert_eq!(codec().open(place, &sealed).expect("opened").as_slice(), b"hunter2");
        let wrong =
            [Place { table: "signing_keys", ..place }, Place { site: &other, ..place }, Place { row: b"bob", ..place }];
        for wrong in wrong {
            assert!(matches!(codec().open(wrong, &sealed), Err(StoreError::Corrupt(_))), "{wrong:?}");
        }
        assert!(Codec::new(&SecretKey::new([2; 32])).open(place, &sealed).is_err());
        let mut newer = sealed;
        newer[0] = 2;
        assert!(codec().open(place, &newer).is_err());
    }

    #[test]
    fn equal_values_are_sealed_differently() {
        let site = site();
        let place = Place { table: "shadow_tokens", site: &site, row: b"alice" };
        assert_ne!(codec().seal(place, b"same").expect("sealed"), codec().seal(place, b"same").expect("sealed"));
    }

    #[test]
    fn the_fingerprint_tells_keys_apart() {
        assert_eq!(codec().fingerprint(), codec().fingerprint());
        assert_ne!(codec().fingerprint(), Codec::new(&SecretKey::new([2; 32])).fingerprint());
    }

    #[test]
    fn a_secret_that_is_no_text_is_unreadable() {
        let site = site();
        let place = Place { table: "signing_keys", site: &site, row: b"1" };
        let sealed = codec().seal(place, &[0xff, 0xfe]).expect("sealed");
        assert!(matches!(codec().open_secret(place, &sealed), Err(StoreError::Corrupt(_))));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens_to_the_same(plain: Vec<u8>, row: Vec<u8>, site: String) {
            let site = SiteId::new(site);
            let place = Place { table: "codes", site: &site, row: &row };
            let sealed = codec().seal(place, &plain).expect("sealed");
            let opened = codec().open(place, &sealed).expect("opened");
            prop_assert_eq!(opened.as_slice(), plain.as_slice());
        }

        #[test]
        fn a_flipped_bit_is_noticed(plain: Vec<u8>, at: prop::sample::Index, bit in 0u8..8) {
            let site = site();
            let place = Place { table: "codes", site: &site, row: b"row" };
            let mut sealed = codec().seal(place, &plain).expect("sealed");
            let at = at.index(sealed.len());
            sealed[at] ^= 1 << bit;
            prop_assert!(codec().open(place, &sealed).is_err());
        }

        #[test]
        fn junk_is_refused_without_a_panic(mut junk: Vec<u8>, versioned: bool) {
            if let (true, Some(first)) = (versioned, junk.first_mut()) {
                *first = VERSION;
            }
            let site = site();
            let place = Place { table: "codes", site: &site, row: b"row" };
            prop_assert!(codec().open(place, &junk).is_err());
        }
    }
}
