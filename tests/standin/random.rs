//! Random names and secrets for the stand-in; unpredictable enough for a test.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// `length` hexadecimal digits.
pub fn hex(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        text.push_str(&encode(&bytes()));
    }
    text.truncate(length);
    text
}

/// `length` letters and digits, as oauthlib makes codes and tokens.
pub fn letters(length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut text = String::new();
    while text.len() < length {
        text.extend(bytes().iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % 62])));
    }
    text.truncate(length);
    text
}

/// The hexadecimal text of some bytes.
pub fn encode(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string can be written to");
        text
    })
}

/// The SHA-256 of `bytes` in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    encode(&Sha256::digest(bytes))
}

fn bytes() -> [u8; 32] {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // `RandomState` is keyed from the operating system's randomness.
    let seed = [RandomState::new().hash_one(count), RandomState::new().hash_one(!count), count];
    let input: Vec<u8> = seed.iter().flat_map(|word| word.to_be_bytes()).collect();
    Sha256::digest(input).into()
}
