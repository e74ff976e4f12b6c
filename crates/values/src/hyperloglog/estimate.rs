//! From registers to a cardinality, as Otmar Ertl's "New cardinality estimation algorithms for
//! HyperLogLog sketches" (2017) does it. The order of the operations is Redis's, so that the
//! results are the same to the last one.

use super::{REGISTERS, RUN_BITS};

/// Values that a register can hold.
const VALUES: usize = 64;
/// The largest value that a hash can lead to.
const VALUE_MAX: usize = RUN_BITS as usize + 1;
/// One half divided by the natural logarithm of two.
const ALPHA: f64 = 0.721_347_520_444_481_7;
/// Estimates from here on have no integer; what Redis makes of them is the lowest one.
const END: f64 = 9_223_372_036_854_775_808.0;

/// How many registers have which value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram([u32; VALUES]);

impl Histogram {
    /// One of no register.
    #[expect(clippy::new_without_default, reason = "nobody needs one by chance")]
    pub fn new() -> Self {
        Self([0; VALUES])
    }

    /// Counts `registers` that have this value.
    #[inline]
    pub fn add(&mut self, value: u8, registers: usize) {
        let count = &mut self.0[usize::from(value) % VALUES];
        *count = count.wrapping_add(registers as u32);
    }

    /// The estimated cardinality. Registers too large for any hash, which somebody made by hand,
    /// can lead to one beyond all integers, for which Redis has a negative number.
    pub fn cardinality(&self) -> u64 {
        let registers = REGISTERS as f64;
        let of = |value: usize| f64::from(self.0[value]);
        let mut sum = registers * tau((registers - of(VALUE_MAX)) / registers);
        for value in (1..VALUE_MAX).rev() {
            sum += of(value);
            sum *= 0.5;
        }
        sum += registers * sigma(of(0) / registers);
        let estimate = (ALPHA * registers * registers / sum).round();
        if estimate < END { estimate as u64 } else { i64::MIN.cast_unsigned() }
    }
}

/// What registers without a value add.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * y;
        y += y;
        if before == sum {
            return sum;
        }
    }
}

/// What registers with the largest value add.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        y *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * y;
        if before == sum {
            return sum / 3.0;
        }
    }
}
