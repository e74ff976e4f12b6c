//! Random numbers for a choice that nobody could profit from guessing.
//!
//! SplitMix64: the state steps by a constant, and each state is scrambled.

use std::sync::atomic::{AtomicU64, Ordering};

/// The step of the state: 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A generator of random numbers.
pub struct Random(u64);

impl Random {
    /// A generator for one command. The time alone would give all commands of a millisecond the
    /// same numbers, so generators are counted.
    pub fn new(now_ms: u64) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(scramble(now_ms) ^ scramble(count))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        scramble(self.0)
    }
}

fn scramble(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn numbers_are_those_of_splitmix64() {
        let mut random = Random(0);
        assert_eq!(random.draw(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.draw(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn generators_of_one_millisecond_differ() {
        assert_ne!(Random::new(1).draw(), Random::new(1).draw());
    }
}
