//! Which keys are asked for: random numbers, the three distributions, the sixteen bytes of a key.
//!
//! Zipf draws would cost the generator a power function each, so a long run of them is drawn once
//! and walked through from a different place by each thread. The popular ranks are scattered over
//! the key numbers by multiplying with a prime, as neighbours would share cache lines otherwise.

use crate::options::Spread;

/// `key:` or another prefix of four bytes, then twelve digits.
pub const KEY_BYTES: usize = PREFIX_BYTES + DIGITS;
pub const PREFIX_BYTES: usize = 4;
pub const DIGITS: usize = 12;

const ZIPF_EXPONENT: f64 = 0.99;
const ZIPF_DRAWS: usize = 1 << 20;
/// A prime above 2^32, hence without a common divisor with any number of keys.
const SCATTER: u64 = 4_294_967_311;

/// splitmix64: small, fast, and good enough to choose keys.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `limit`, which is at most 2^32.
    pub fn below(&mut self, limit: u64) -> u64 {
        debug_assert!(limit <= 1 << 32);
        ((self.next() >> 32) * limit) >> 32
    }

    /// A number from 0 to below 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How likely each key number is; made once and shared by the threads.
pub struct Distribution {
    spread: Spread,
    keys: u64,
    zipf_draws: Vec<u32>,
}

impl Distribution {
    pub fn new(spread: Spread, keys: u64) -> Self {
        let zipf_draws = if spread == Spread::Zipf { zipf_draws(keys) } else { Vec::new() };
        Self { spread, keys, zipf_draws }
    }

    /// The next key number; `turn` is the caller's place in the zipf draws.
    pub fn draw(&self, random: &mut Random, turn: &mut usize) -> u64 {
        match self.spread {
            Spread::Uniform => random.below(self.keys),
            Spread::Hot => 0,
            Spread::Zipf => {
                *turn = (*turn + 1) % ZIPF_DRAWS;
                u64::from(self.zipf_draws[*turn])
            }
        }
    }
}

/// After Gray et al., "Quickly generating billion-record synthetic databases" (1994), as in YCSB.
fn zipf_draws(keys: u64) -> Vec<u32> {
    let zeta = |count: u64| (1..=count).map(|rank| (rank as f64).powf(-ZIPF_EXPONENT)).sum::<f64>();
    let (count, zeta_all) = (keys as f64, zeta(keys));
    let alpha = 1.0 / (1.0 - ZIPF_EXPONENT);
    let eta = (1.0 - (2.0 / count).powf(1.0 - ZIPF_EXPONENT)) / (1.0 - zeta(2) / zeta_all);
    let mut random = Random::new(0x5EED);
    let draw = |_| {
        let fraction = random.fraction();
        let scaled = fraction * zeta_all;
        let rank = if scaled < 1.0 {
            0
        } else if scaled < 1.0 + 0.5_f64.powf(ZIPF_EXPONENT) {
            1
        } else {
            (count * (eta * fraction - eta + 1.0).powf(alpha)) as u64
        };
        let scattered = u128::from(rank.min(keys - 1)) * u128::from(SCATTER) % u128::from(keys);
        u32::try_from(scattered).expect("key numbers are below 2^32")
    };
    (0..ZIPF_DRAWS).map(draw).collect()
}

/// Writes a number over `digits`, all of them.
pub fn write_digits(digits: &mut [u8], mut number: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    debug_assert_eq!(number, 0, "a number fits its digits");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn keys_have_sixteen_bytes() {
        let mut key = *b"key:............";
        write_digits(&mut key[PREFIX_BYTES..], 1_234_567);
        assert_eq!(&key, b"key:000001234567");
    }

    #[test]
    fn uniform_stays_below_and_spreads() {
        let distribution = Distribution::new(Spread::Uniform, 10);
        let (mut random, mut turn, mut seen) = (Random::new(7), 0, [0_u32; 10]);
        for _ in 0..10_000 {
            seen[distribution.draw(&mut random, &mut turn) as usize] += 1;
        }
        assert!(seen.iter().all(|count| (800..1200).contains(count)), "{seen:?}");
    }

    #[test]
    fn zipf_prefers_few_keys() {
        let keys = 1_000_000;
        let distribution = Distribution::new(Spread::Zipf, keys);
        let (mut random, mut turn, mut seen) = (Random::new(7), 0, HashMap::new());
        for _ in 0..ZIPF_DRAWS {
            let key = distribution.draw(&mut random, &mut turn);
            assert!(key < keys);
            *seen.entry(key).or_insert(0_u32) += 1;
        }
        let mut counts: Vec<u32> = seen.into_values().collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        // Rank r has probability r^-0.99 / zeta, and zeta(1e6) is about 15.4.
        let top = f64::from(counts[0]) / ZIPF_DRAWS as f64;
        assert!((0.060..0.070).contains(&top), "{top}");
        assert!(counts[0] > counts[10] * 8, "{} {}", counts[0], counts[10]);
    }

    #[test]
    fn hot_is_one_key() {
        let distribution = Distribution::new(Spread::Hot, 10);
        assert_eq!(distribution.draw(&mut Random::new(7), &mut 0), 0);
    }
}
