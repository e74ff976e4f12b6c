//! Times of expiry as SET and its like take them: a positive count of seconds or milliseconds, from
//! now or since 1970.
//!
//! Internally every deadline is Unix time in milliseconds. It must fit a signed 64-bit integer, as
//! Redis has it, so that a client can always read it back.

use protocol::number::parse_i64;

use crate::failure::Failure;

/// Milliseconds of a second.
const SECOND_MS: i64 = 1000;

/// What a client counts in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
}

impl Unit {
    /// So many of this unit in milliseconds.
    pub fn millis(self, count: i64) -> Option<i64> {
        match self {
            Self::Seconds => count.checked_mul(SECOND_MS),
            Self::Millis => Some(count),
        }
    }
}

/// The deadline that `word` says, in milliseconds of Unix time; it may be past if it is `absolute`.
/// The command is named in the error.
pub fn deadline(
    word: &[u8],
    unit: Unit,
    absolute: bool,
    now_ms: u64,
    command: &'static str,
) -> Result<u64, Failure> {
    let count = parse_i64(word).ok_or(Failure::NotInteger)?;
    at(count, unit, absolute, now_ms).ok_or(Failure::InvalidExpire(command))
}

fn at(count: i64, unit: Unit, absolute: bool, now_ms: u64) -> Option<u64> {
    let count_ms = unit.millis(count)?;
    if count_ms <= 0 {
        return None;
    }
    let from = if absolute { 0 } else { i64::try_from(now_ms).ok()? };
    u64::try_from(count_ms.checked_add(from)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_790_000_000_000;

    #[test]
    fn deadlines() {
        use Unit::{Millis, Seconds};
        let invalid = || Err(Failure::InvalidExpire("set"));
        let cases: &[(&str, Unit, bool, Result<u64, Failure>)] = &[
            ("10", Seconds, false, Ok(NOW + 10_000)),
            ("10", Millis, false, Ok(NOW + 10)),
            ("10", Seconds, true, Ok(10_000)),
            ("10", Millis, true, Ok(10)),
            ("0", Seconds, false, invalid()),
            ("-1", Millis, true, invalid()),
            ("9223372036854775", Seconds, true, Ok(9_223_372_036_854_775_000)),
            ("9223372036854775", Seconds, false, invalid()),
            ("9223372036854776", Seconds, true, invalid()),
            ("9223372036854775807", Millis, true, Ok(i64::MAX.cast_unsigned())),
            ("9223372036854775807", Millis, false, invalid()),
            ("9223372036854775808", Millis, true, Err(Failure::NotInteger)),
            ("01", Seconds, false, Err(Failure::NotInteger)),
            ("", Seconds, false, Err(Failure::NotInteger)),
        ];
        for (word, unit, absolute, expected) in cases {
            let got = deadline(word.as_bytes(), *unit, *absolute, NOW, "set");
            assert_eq!(got, *expected, "{word} {unit:?} {absolute}");
        }
    }
}
