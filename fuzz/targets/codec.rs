//! The store's codec. The first byte chooses the key, the second where a bit is flipped; the rest is sealed, and opened as
//! if it had been.
#![no_main]

use empress_gateway::{
    fuzzing::{Codec, Place},
    oauth::SiteId,
    secret::SecretKey,
    store::{CodeRecord, PendingRequest, StoreError},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [key, at, plain @ ..] = bytes else { return };
    let (site, other) = (SiteId::new("site"), SiteId::new("other"));
    let place = Place { table: "codes", site: &site, row: b"row" };
    let codec = Codec::new(&SecretKey::new([*key; 32]));
    // What lies in a file and was never sealed, with the right version and without.
    refused(&codec, place, plain);
    refused(&codec, place, &[&[1], plain].concat());
    let sealed = codec.seal(place, plain).expect("sealed");
    assert_eq!(codec.open(place, &sealed).expect("opened").as_slice(), plain);
    let mut flipped = sealed.clone();
    let index = usize::from(*at) * 7 % flipped.len();
    flipped[index] ^= 1 << (at % 8);
    refused(&codec, place, &flipped);
    refused(&codec, place, &sealed[..index]);
    refused(&codec, place, &[sealed.as_slice(), &[*at]].concat());
    refused(&Codec::new(&SecretKey::new([key.wrapping_add(1); 32])), place, &sealed);
    for wrong in [
        Place { table: "requests", ..place },
        Place { site: &other, ..place },
        Place { row: b"ro", ..place },
        Place { row: b"rows", ..place },
    ] {
        refused(&codec, wrong, &sealed);
    }
    let secret = codec.open_secret(place, &sealed);
    assert_eq!(secret.ok().map(|secret| secret.expose().to_owned()), String::from_utf8(plain.to_vec()).ok());
    record::<CodeRecord>(&codec, place, &sealed);
    record::<PendingRequest>(&codec, place, &sealed);
});

fn refused(codec: &Codec, place: Place<'_>, sealed: &[u8]) {
    assert!(matches!(codec.open(place, sealed), Err(StoreError::Corrupt(_))));
}

/// A record is read whole or not at all, and one that is read is written to be read the same.
fn record<T>(codec: &Codec, place: Place<'_>, sealed: &[u8])
where
    T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
{
    match codec.open_record::<T>(place, sealed) {
        Ok(record) => {
            let again = codec.seal_record(place, &record).expect("sealed");
            assert_eq!(codec.open_record::<T>(place, &again).expect("opened"), record);
        }
        Err(error) => assert!(matches!(error, StoreError::Corrupt(_)), "{error}"),
    }
}
