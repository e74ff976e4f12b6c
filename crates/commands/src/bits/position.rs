//! BITPOS.

use std::ops::Range;

use super::span::{Span, WrongFirst, byte_count, bytes_of};
use crate::context::{Context, string_of};
use crate::failure::{Failure, Outcome};

const BAD_BIT: Failure = Failure::text("ERR The bit argument must be 1 or 0.");

pub(super) fn bitpos(ctx: &mut Context<'_>) -> Outcome {
    let (key, budget) = (ctx.key(0), ctx.budget());
    let is_set = match ctx.int(2)? {
        0 => false,
        1 => true,
        _ => return Err(BAD_BIT),
    };
    let span = Span::parse(ctx, 3, WrongFirst::Unit)?;
    let (entry, reply) = ctx.read_entry(&key);
    let Some(entry) = entry else {
        reply.integer(if is_set { -1 } else { 0 });
        return Ok(());
    };
    let value = string_of(&entry)?;
    let all = 0..(value.len() as u64).saturating_mul(8);
    let bits = span.as_ref().map_or(all, |span| span.bits(value.len()));
    budget.allow_copy(byte_count(&bits))?;
    let found = value.with_bytes(|bytes| find(bytes, &bits, is_set));
    // Where no end is said, zeros follow the string.
    let is_open = !is_set && !bits.is_empty() && span.is_none_or(|span| !span.has_end());
    let found = found.or_else(|| is_open.then_some(bits.end));
    reply.integer(found.and_then(|bit| i64::try_from(bit).ok()).unwrap_or(-1));
    Ok(())
}

/// The first of these bits that is set, or that is not.
fn find(bytes: &[u8], bits: &Range<u64>, is_set: bool) -> Option<u64> {
    let (part, base) = bytes_of(bytes, bits);
    let (first, rest) = part.split_first()?;
    let wanted = if is_set { *first } else { !*first } & (u8::MAX >> (bits.start % 8));
    let found = if wanted == 0 {
        base.checked_add(8)?.checked_add(bulk::first(rest, is_set)?)?
    } else {
        base.checked_add(u64::from(wanted.leading_zeros()))?
    };
    (found < bits.end).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bits_asked_for_are_looked_at() {
        for bytes in [[0, 0, 0b0010_0000], [0xff, 0xff, 0b1110_1111], [0b0001_1000, 0xf0, 0x0f]] {
            let bit = |bit: &u64| bytes[(bit / 8) as usize] & (0x80 >> (bit % 8)) != 0;
            for start in 0..24 {
                for end in start + 1..=24 {
                    for is_set in [false, true] {
                        let expected = (start..end).find(|at| bit(at) == is_set);
                        assert_eq!(find(&bytes, &(start..end), is_set), expected);
                    }
                }
            }
        }
        assert_eq!(find(&[1], &(0..0), true), None);
    }
}
