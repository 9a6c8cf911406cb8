//! The names of requests: unique in a log, and no secret. A random half for the process, a counted half for the request:
//! asking for randomness each time would cost more than the bearer check.

use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

use crate::random::Random;

/// Gives names to requests.
#[derive(Debug)]
pub(super) struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new(random: &dyn Random) -> Self {
        Self { process: u64::from_be_bytes(random.bytes()), next: AtomicU64::new(1) }
    }

    /// 32 hexadecimal digits.
    pub(super) fn next(&self) -> HeaderValue {
        let request = self.next.fetch_add(1, Ordering::Relaxed);
        let bytes = self.process.to_be_bytes().into_iter().chain(request.to_be_bytes());
        let mut text = [b'0'; 32];
        let digits = bytes.flat_map(|byte| [byte >> 4, byte & 0xf]);
        for (character, digit) in text.iter_mut().zip(digits) {
            *character = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        }
        HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn names_are_hexadecimal_and_never_the_same() {
        let ids = RequestIds { process: 0xab, next: AtomicU64::new(0x1f) };
        assert_eq!(ids.next(), "00000000000000ab000000000000001f");
        assert_eq!(ids.next(), "00000000000000ab0000000000000020");
        let (one, two) = (RequestIds::new(&SeededRandom::new(1)), RequestIds::new(&SeededRandom::new(2)));
        assert_ne!(one.next(), two.next());
    }
}
