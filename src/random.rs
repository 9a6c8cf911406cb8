//! Chance, as a value that is handed down, so that a test can repeat it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aws_lc_rs::rand::SecureRandom;
use sha2::{Digest, Sha256};

/// Where unguessable bytes come from.
pub trait Random: Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

impl dyn Random {
    /// `N` fresh bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    fn fill(&self, bytes: &mut [u8]) {
        #[expect(
            clippy::expect_used,
            reason = "without a source of randomness nothing may be issued: the request dies"
        )]
        aws_lc_rs::rand::SystemRandom::new().fill(bytes).expect("the operating system gives random bytes");
    }
}

/// Repeatable bytes, for tests: never for anything that must be unguessable. Clones share their position.
#[derive(Clone, Debug)]
pub struct SeededRandom {
    seed: u64,
    position: Arc<AtomicU64>,
}

impl SeededRandom {
    /// The sequence that belongs to `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, position: Arc::default() }
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let position = self.position.fetch_add(1, Ordering::SeqCst);
            let block =
                Sha256::new().chain_update(self.seed.to_be_bytes()).chain_update(position.to_be_bytes()).finalize();
            for (byte, random) in chunk.iter_mut().zip(block) {
                *byte = random;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_sequence_and_goes_on() {
        let (one, two): (Arc<dyn Random>, Arc<dyn Random>) =
            (Arc::new(SeededRandom::new(7)), Arc::new(SeededRandom::new(7)));
        let first = one.bytes::<40>();
        assert_eq!(first, two.bytes::<40>());
        assert_ne!(first, one.bytes::<40>());
    }

    #[test]
    fn the_operating_system_does_not_repeat_itself() {
        let random: Arc<dyn Random> = Arc::new(OsRandom);
        assert_ne!(random.bytes::<16>(), random.bytes::<16>());
    }
}
