//! The part of a string that BITCOUNT and BITPOS look at: `[start [end [BYTE | BIT]]]`.

use std::ops::Range;

use protocol::number::parse_i64;

use crate::context::Context;
use crate::failure::Failure;

/// The part from one byte or bit to another, both included; negative ones count from the end.
pub(super) struct Span {
    first: i64,
    last: Option<i64>,
    /// Bits of what is counted.
    unit: u64,
}

/// What is complained of where both are wrong.
pub(super) enum WrongFirst {
    End,
    Unit,
}

impl Span {
    /// The words from `from` on; `None` if there are none. Where both the end and the unit are
    /// wrong, Redis's BITCOUNT complains of the end, and its BITPOS of the unit.
    pub(super) fn parse(
        ctx: &Context<'_>,
        from: usize,
        complains_of: WrongFirst,
    ) -> Result<Option<Self>, Failure> {
        let count = ctx.args.len().saturating_sub(from);
        if count > 3 {
            return Err(Failure::Syntax);
        }
        if count == 0 {
            return Ok(None);
        }
        let first = ctx.int(from)?;
        let mut words = ctx.args.from(from.saturating_add(1));
        let (end, unit) = (words.next(), words.next());
        let last = end.map(|word| parse_i64(word).ok_or(Failure::NotInteger));
        let unit = match unit {
            Some(word) if word.eq_ignore_ascii_case(b"bit") => Ok(1),
            Some(word) if !word.eq_ignore_ascii_case(b"byte") => Err(Failure::Syntax),
            _ => Ok(8),
        };
        let (last, unit) = match complains_of {
            WrongFirst::End => (last.transpose()?, unit?),
            WrongFirst::Unit => {
                let unit = unit?;
                (last.transpose()?, unit)
            }
        };
        Ok(Some(Self { first, last, unit }))
    }

    /// Whether the end is said.
    pub(super) fn has_end(&self) -> bool {
        self.last.is_some()
    }

    /// Whether both ends are counted from the end of the string, and in the wrong order.
    pub(super) fn is_reversed(&self) -> bool {
        self.last.is_some_and(|last| self.first < 0 && last < 0 && self.first > last)
    }

    /// The bits of a string of `len` bytes that it has. What lies before the string is its first
    /// byte or bit, at the end too.
    pub(super) fn bits(&self, len: usize) -> Range<u64> {
        let total = (len as u64).saturating_mul(8).checked_div(self.unit).unwrap_or(0);
        let place = |index: i64| match u64::try_from(index) {
            Ok(index) => index,
            Err(_) => total.saturating_sub(index.unsigned_abs()),
        };
        let last = self.last.map_or(u64::MAX, place);
        let (start, end) = (place(self.first), last.saturating_add(1).min(total));
        if start < end {
            start.saturating_mul(self.unit)..end.saturating_mul(self.unit)
        } else {
            0..0
        }
    }
}

/// How many bytes bits take.
pub(super) fn byte_count(bits: &Range<u64>) -> usize {
    usize::try_from(bits.end.saturating_sub(bits.start) / 8).unwrap_or(usize::MAX)
}

/// The bytes that bits lie in, and the number of the first bit of these.
pub(super) fn bytes_of<'b>(bytes: &'b [u8], bits: &Range<u64>) -> (&'b [u8], u64) {
    let at = |bit: u64| usize::try_from(bit).unwrap_or(usize::MAX);
    let part = at(bits.start / 8)..at(bits.end.div_ceil(8));
    (bytes.get(part).unwrap_or_default(), (bits.start / 8).saturating_mul(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_cut_as_in_redis() {
        let cases = [
            (0, Some(-1), 8, 0..24),
            (1, Some(1), 8, 8..16),
            (-1, None, 8, 16..24),
            (-100, Some(-100), 8, 0..8),
            (0, Some(-100), 1, 0..1),
            (5, Some(-3), 1, 5..22),
            (2, Some(1), 8, 0..0),
            (3, None, 8, 0..0),
            (0, Some(i64::MAX), 1, 0..24),
            (i64::MIN, Some(i64::MAX), 8, 0..24),
            (i64::MAX, Some(i64::MIN), 8, 0..0),
        ];
        for (first, last, unit, expected) in cases {
            assert_eq!(Span { first, last, unit }.bits(3), expected, "{first} {last:?} {unit}");
        }
        assert_eq!(Span { first: 0, last: Some(-1), unit: 8 }.bits(0), 0..0);
    }
}
