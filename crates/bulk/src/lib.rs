//! Loops over long runs of bits, as fast as the processor at hand allows.
//!
//! Each loop is written once, plainly; the compiler makes vector code of it. Where the processor
//! decides how good that code can be, the loop is compiled for several sets of instructions, and
//! the best that the processor has is chosen at run time (by `multiversion`).
//!
//! Bits are numbered as in Redis: bit 0 is the highest of the first byte.

#![forbid(unsafe_code)]

use multiversion::multiversion;

/// How many bits are set.
pub fn count(bytes: &[u8]) -> u64 {
    // Vectors that straddle two cache lines cost twice.
    let head = bytes.as_ptr().align_offset(LINE).min(bytes.len());
    let (head, lines) = bytes.split_at(head);
    // A sum of at most eight times a length in memory stays far below 2^64.
    count_plainly(head).wrapping_add(count_lines(lines))
}

/// The number of the first bit that is set, or of the first that is not.
pub fn first(bytes: &[u8], is_set: bool) -> Option<u64> {
    let skipped: u8 = if is_set { 0 } else { u8::MAX };
    let (lines, _) = bytes.as_chunks::<LINE>();
    let is_plain = |line: &[u8; LINE]| line.iter().fold(0, |all, byte| all | (byte ^ skipped)) == 0;
    let lines = lines.iter().position(|line| !is_plain(line)).unwrap_or(lines.len());
    // Less than a line is left, or the bit is in the next one.
    let at = lines.saturating_mul(LINE);
    let rest = bytes.get(at..).unwrap_or_default();
    let (byte, value) = rest.iter().enumerate().find(|(_, byte)| **byte != skipped)?;
    let bit = (value ^ skipped).leading_zeros();
    Some((at.saturating_add(byte) as u64).saturating_mul(8).saturating_add(u64::from(bit)))
}

/// Bytes of a cache line, and of the longest vector.
const LINE: usize = 64;

/// Counts with the widest instructions there are. No processor with these lacks POPCNT.
#[multiversion(targets("x86_64+avx512f+avx512vpopcntdq+popcnt", "x86_64+avx2+popcnt"))]
fn count_lines(bytes: &[u8]) -> u64 {
    count_plainly(bytes)
}

/// Counts with the instructions of its caller, of which it becomes a part.
#[inline(always)]
fn count_plainly(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let in_words = words.iter().fold(0_u64, |sum, word| {
        sum.wrapping_add(u64::from(u64::from_ne_bytes(*word).count_ones()))
    });
    rest.iter().fold(in_words, |sum, byte| sum.wrapping_add(u64::from(byte.count_ones())))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count_slowly(bytes: &[u8]) -> u64 {
        bytes.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }

    fn first_slowly(bytes: &[u8], is_set: bool) -> Option<u64> {
        let bit = |at: &u64| bytes[(at / 8) as usize] & (0x80 >> (at % 8)) != 0;
        (0..bytes.len() as u64 * 8).find(|at| bit(at) == is_set)
    }

    proptest! {
        #[test]
        fn every_way_counts_the_same(
            bytes in proptest::collection::vec(any::<u8>(), 0..1000),
            start in 0..70_usize,
        ) {
            let bytes = bytes.get(start..).unwrap_or_default();
            let expected = count_slowly(bytes);
            prop_assert_eq!(count(bytes), expected);
            prop_assert_eq!(count_plainly(bytes), expected);
            prop_assert_eq!(count_lines(bytes), expected);
        }

        #[test]
        fn the_first_bit_is_found(
            zeros in 0..300_usize,
            bytes in proptest::collection::vec(any::<u8>(), 0..70),
            inverted in any::<bool>(),
        ) {
            let mut bytes = [vec![0; zeros], bytes].concat();
            if inverted {
                bytes.iter_mut().for_each(|byte| *byte = !*byte);
            }
            for is_set in [false, true] {
                prop_assert_eq!(first(&bytes, is_set), first_slowly(&bytes, is_set));
            }
        }
    }
}
