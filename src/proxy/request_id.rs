//! The names of requests: unique in a log, and no secret. A random half for the process, a counted half for the request:
//! asking for randomness each time would cost more than the bearer check.

use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

use crate::random::Random;

/// Gives names to requests.
#[derive(Debug)]
pub(super) struct RequestIds {
    process: [u8; 16],
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new(random: &dyn Random) -> Self {
        Self { process: digits(u64::from_be_bytes(random.bytes())), next: AtomicU64::new(1) }
    }

    /// 32 hexadecimal digits.
    pub(super) fn next(&self) -> HeaderValue {
        let request = self.next.fetch_add(1, Ordering::Relaxed);
        let mut text = [0; 32];
        let (process, counted) = text.split_at_mut(16);
        process.copy_from_slice(&self.process);
        counted.copy_from_slice(&digits(request));
        HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }
}

/// All sixteen at once, a byte of a number for each: first the halves of bytes are spread, then those from ten on become
/// letters.
fn digits(number: u64) -> [u8; 16] {
    let mut spread = u128::from(number);
    for (shift, mask) in [
        (32, 0x0000_0000_ffff_ffff_0000_0000_ffff_ffff_u128),
        (16, 0x0000_ffff_0000_ffff_0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff_00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f),
    ] {
        spread = (spread | spread << shift) & mask;
    }
    let ones = 0x0101_0101_0101_0101_0101_0101_0101_0101_u128;
    let letters = ((spread + 6 * ones) >> 4) & ones;
    (spread + ones * u128::from(b'0') + letters * u128::from(b'a' - b'9' - 1)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn names_are_hexadecimal_and_never_the_same() {
        let ids = RequestIds { process: digits(0xab), next: AtomicU64::new(0x1f) };
        assert_eq!(ids.next(), "00000000000000ab000000000000001f");
        assert_eq!(ids.next(), "00000000000000ab0000000000000020");
        let (one, two) = (RequestIds::new(&SeededRandom::new(1)), RequestIds::new(&SeededRandom::new(2)));
        assert_ne!(one.next(), two.next());
    }
}
