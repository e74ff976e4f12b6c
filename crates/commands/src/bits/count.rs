//! BITCOUNT.

use std::ops::Range;

use super::span::{Span, WrongFirst, byte_count, bytes_of};
use crate::context::{Context, string_of};
use crate::failure::Outcome;

pub(super) fn bitcount(ctx: &mut Context<'_>) -> Outcome {
    let (key, budget) = (ctx.key(0), ctx.budget());
    let span = Span::parse(ctx, 2, WrongFirst::End)?;
    let (entry, reply) = ctx.read_entry(&key);
    let Some(entry) = entry else {
        reply.integer(0);
        return Ok(());
    };
    let value = string_of(&entry)?;
    let bits = match span {
        None => 0..(value.len() as u64).saturating_mul(8),
        Some(span) if span.is_reversed() => 0..0,
        Some(span) => span.bits(value.len()),
    };
    budget.allow_copy(byte_count(&bits))?;
    let count = value.with_bytes(|bytes| count(bytes, &bits));
    reply.integer(i64::try_from(count).unwrap_or(i64::MAX));
    Ok(())
}

/// How many of these bits are set.
fn count(bytes: &[u8], bits: &Range<u64>) -> u64 {
    let (part, _) = bytes_of(bytes, bits);
    let (Some(first), Some(last)) = (part.first(), part.last()) else { return 0 };
    // What is in the first and the last byte and not asked for.
    let before = first & !(u8::MAX >> (bits.start % 8));
    let behind = if bits.end.is_multiple_of(8) { 0 } else { last & (u8::MAX >> (bits.end % 8)) };
    let beside = u64::from(before.count_ones()).saturating_add(u64::from(behind.count_ones()));
    bulk::count(part).saturating_sub(beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bits_asked_for_are_counted() {
        let bytes = [0b1011_0110, 0xff, 0b0100_1101];
        let is_set = |bit: u64| bytes[(bit / 8) as usize] & (0x80 >> (bit % 8)) != 0;
        for start in 0..24 {
            for end in start + 1..=24 {
                let expected = (start..end).filter(|bit| is_set(*bit)).count() as u64;
                assert_eq!(count(&bytes, &(start..end)), expected, "{start}..{end}");
            }
        }
        assert_eq!(count(&bytes, &(0..0)), 0);
        assert_eq!(count(&[], &(0..0)), 0);
    }
}
