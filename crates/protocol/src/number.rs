//! Numbers as Redis reads and writes them in text.
//!
//! Reading is strict: a text is a number in one way only for integers (what we would print is
//! what we accept), and a float must be the whole text. The strictness is what lets the store keep
//! a string as a machine integer and give the same bytes back.
//!
//! Writing a float follows Redis 7.2 and later: an integer without a point when its magnitude is
//! at most 2^62, else the shortest digits that read back as the same float, with an exponent when
//! it is far from zero:
//!
//! ```text
//! 3  0.1  0.000001  1.5e-6  12345.678901  1.23456789012e+4  1e+21  inf  -inf  nan
//! ```
//!
//! Redis takes its digits from Grisu2, which misses the shortest for about three floats in a
//! thousand (it prints 1e23 as 99999999999999990000000); ours always are. Both read back the same.

/// The largest magnitude printed as an integer, 2^62.
const INTEGER_TEXT_MAX: f64 = 4_611_686_018_427_387_904.0;
/// Zeros Redis appends to the digits of a large float before it turns to an exponent.
const TRAILING_ZEROS_MAX: i32 = 7;
/// Digits after the point up to which a small float has no exponent.
const FRACTION_DIGITS_MAX: i32 = 6;
/// Magnitudes from 10^4 on with more digits than that after the point get an exponent.
const PLAIN_EXPONENT_MAX: u32 = 3;

/// Reads an integer: an optional `-`, digits, no leading zero, no `-0`, within 64 bits.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (&first, rest) = text.split_first()?;
    match first {
        b'0' if rest.is_empty() => Some(0),
        b'1'..=b'9' => rest.iter().try_fold(i64::from(first.wrapping_sub(b'0')), |value, &byte| {
            value.checked_mul(10)?.checked_add(decimal_digit(byte)?)
        }),
        // Counted downwards, because -2^63 has no positive twin.
        b'-' => match rest.split_first()? {
            (&leading @ b'1'..=b'9', rest) => {
                let first = i64::from(leading.wrapping_sub(b'0')).wrapping_neg();
                rest.iter().try_fold(first, |value, &byte| {
                    value.checked_mul(10)?.checked_sub(decimal_digit(byte)?)
                })
            }
            _ => None,
        },
        _ => None,
    }
}

#[inline]
fn decimal_digit(byte: u8) -> Option<i64> {
    byte.is_ascii_digit().then(|| i64::from(byte.wrapping_sub(b'0')))
}

/// Reads a float as C's `strtod` does, but only if it is the whole text.
///
/// Takes an optional sign and then decimal (`1`, `.5`, `5.`, `1e-3`), hexadecimal (`0x1.8p3`), or
/// `inf` / `infinity` in any case. Refuses `nan`, and what overflows or vanishes to zero.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    let (negative, magnitude) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let value = match magnitude {
        [b'0', b'x' | b'X', hexadecimal @ ..] => parse_hexadecimal(hexadecimal)?,
        [b'0'..=b'9' | b'.', ..] => parse_decimal(magnitude)?,
        _ if magnitude.eq_ignore_ascii_case(b"inf") => f64::INFINITY,
        _ if magnitude.eq_ignore_ascii_case(b"infinity") => f64::INFINITY,
        _ => return None,
    };
    Some(if negative { -value } else { value })
}

/// Reads an unsigned decimal float.
fn parse_decimal(text: &[u8]) -> Option<f64> {
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    if value.is_infinite() {
        return None;
    }
    let is_zero = |byte: &u8| !matches!(byte, b'1'..=b'9');
    let mut mantissa = text.iter().take_while(|byte| !matches!(byte, b'e' | b'E'));
    let vanished = value == 0.0 && !mantissa.all(is_zero);
    (!vanished).then_some(value)
}

/// Reads an unsigned hexadecimal float behind its `0x`.
fn parse_hexadecimal(text: &[u8]) -> Option<f64> {
    let mut mantissa = Mantissa::default();
    let mut rest = text;
    let mut digit_seen = false;
    let mut point_seen = false;
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'.' if !point_seen => point_seen = true,
            _ if byte.is_ascii_hexdigit() => {
                mantissa.push(crate::inline::hex_value(byte), point_seen);
                digit_seen = true;
            }
            _ => break,
        }
        rest = after;
    }
    let exponent = match rest {
        [] => 0,
        [b'p' | b'P', exponent @ ..] => parse_exponent(exponent)?,
        _ => return None,
    };
    if digit_seen { mantissa.scaled_by(exponent) } else { None }
}

/// Reads a signed binary exponent; what is beyond any float is cut to a value that still is.
fn parse_exponent(text: &[u8]) -> Option<i64> {
    const EXPONENT_MAX: i64 = 1 << 40;
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let magnitude = digits.iter().try_fold(0_i64, |value, &byte| {
        let next = value.saturating_mul(10).saturating_add(decimal_digit(byte)?);
        Some(next.min(EXPONENT_MAX))
    })?;
    Some(if negative { magnitude.saturating_neg() } else { magnitude })
}

/// The digits of a hexadecimal float: `bits` times two to the `exponent`, and whether any one bits
/// were dropped below.
#[derive(Default)]
struct Mantissa {
    bits: u64,
    exponent: i64,
    has_tail: bool,
}

impl Mantissa {
    fn push(&mut self, digit: u8, after_point: bool) {
        let fits = self.bits >> 60 == 0;
        if fits {
            self.bits = (self.bits << 4) | u64::from(digit);
        } else {
            self.has_tail |= digit != 0;
        }
        // A digit that fits shifts the ones before it; one behind the point shifts the point.
        let shift = match (fits, after_point) {
            (true, true) => -4,
            (false, false) => 4,
            _ => 0,
        };
        self.exponent = self.exponent.saturating_add(shift);
    }

    /// Rounds to the nearest float, ties to even; `None` when it overflows or vanishes to zero.
    fn scaled_by(&self, exponent: i64) -> Option<f64> {
        const MANTISSA_BITS: i64 = 53;
        const EXPONENT_MIN: i64 = -1022;
        const EXPONENT_MAX: i64 = 1023;
        if self.bits == 0 {
            return Some(0.0);
        }
        let leading_zeros = self.bits.leading_zeros();
        let bits = u128::from(self.bits << leading_zeros);
        // The power of two of the first bit.
        let exponent = self.exponent.saturating_add(exponent);
        let exponent = exponent.saturating_add(63).saturating_sub(i64::from(leading_zeros));
        if exponent > EXPONENT_MAX {
            return None;
        }
        // A float below the normal range keeps fewer bits.
        let lost_bits = EXPONENT_MIN.saturating_sub(exponent).max(0);
        let dropped = u32::try_from(lost_bits.saturating_add(64 - MANTISSA_BITS)).ok()?;
        if dropped > 64 {
            return None;
        }
        let kept = bits >> dropped;
        let remainder = bits.wrapping_sub(kept << dropped);
        let half = (1_u128 << dropped) >> 1;
        let is_odd = kept & 1 == 1;
        let rounds_up = remainder > half || (remainder == half && (self.has_tail || is_odd));
        let kept = u64::try_from(kept).ok()?.checked_add(u64::from(rounds_up))?;
        // The first kept bit of a normal float is the one its exponent implies, so adding it
        // counts the exponent up; a carry out of rounding does the same.
        let biased = u64::try_from(exponent.saturating_sub(EXPONENT_MIN).max(0)).ok()?;
        let value = f64::from_bits((biased << 52).checked_add(kept)?);
        (value.is_finite() && value != 0.0).then_some(value)
    }
}

/// Appends a float in the layout of Redis, see the module's header.
pub fn write_f64(out: &mut Vec<u8>, value: f64) {
    if let Some(integer) = exact_integer(value) {
        out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
    } else if value.is_nan() {
        out.extend_from_slice(b"nan");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"inf" } else { b"-inf" });
    } else {
        write_fraction(out, value);
    }
}

/// The float as an integer when it is one and small enough; zero keeps its sign by being none.
fn exact_integer(value: f64) -> Option<i64> {
    if value.abs() > INTEGER_TEXT_MAX || value.is_nan() {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "in range as just checked; a fraction is dropped, which the comparison sees"
    )]
    let integer = value as i64;
    let is_exact = integer as f64 == value && !(integer == 0 && value.is_sign_negative());
    is_exact.then_some(integer)
}

/// Appends a finite float by its shortest digits.
fn write_fraction(out: &mut Vec<u8>, value: f64) {
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let (number, exponent) = shortest_decimal(value.abs());
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number).as_bytes();
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let leading_exponent = exponent.saturating_add(count).saturating_sub(1);
    if (0..=TRAILING_ZEROS_MAX).contains(&exponent) {
        out.extend_from_slice(digits);
        pad_zeros(out, exponent);
    } else if exponent < 0
        && (exponent >= -FRACTION_DIGITS_MAX
            || leading_exponent.unsigned_abs() <= PLAIN_EXPONENT_MAX)
    {
        write_plain(out, digits, count.saturating_add(exponent));
    } else {
        write_scientific(out, digits, leading_exponent);
    }
}

/// Appends digits with a point before the digit at `point`, or zeros in front if that is negative.
fn write_plain(out: &mut Vec<u8>, digits: &[u8], point: i32) {
    match usize::try_from(point).ok().filter(|&point| point > 0) {
        Some(point) => {
            let (integer, fraction) = digits.split_at_checked(point).unwrap_or((digits, &[]));
            out.extend_from_slice(integer);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
        None => {
            out.extend_from_slice(b"0.");
            pad_zeros(out, point.saturating_neg());
            out.extend_from_slice(digits);
        }
    }
}

/// Appends `d.ddde+x`; the exponent has a sign and no leading zero.
fn write_scientific(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, &[]));
    out.extend_from_slice(first);
    if !rest.is_empty() {
        out.push(b'.');
        out.extend_from_slice(rest);
    }
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    out.extend_from_slice(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
}

fn pad_zeros(out: &mut Vec<u8>, count: i32) {
    let count = usize::try_from(count).unwrap_or(0);
    out.resize(out.len().saturating_add(count), b'0');
}

/// The shortest decimal that reads back as `value` (finite, not negative): number times ten to
/// the exponent. The number ends in no zero unless it is zero.
fn shortest_decimal(value: f64) -> (u64, i32) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = integer.bytes().chain(fraction.bytes());
    // At most 17 digits and a padding zero, which 64 bits hold.
    let mut number = digits.fold(0_u64, |number, byte| {
        number.wrapping_mul(10).wrapping_add(u64::from(byte.wrapping_sub(b'0')))
    });
    let fraction_len = i32::try_from(fraction.len()).unwrap_or(0);
    let mut exponent = exponent.parse::<i32>().unwrap_or(0).saturating_sub(fraction_len);
    while number != 0 && number.is_multiple_of(10) {
        number /= 10;
        exponent = exponent.saturating_add(1);
    }
    if number == 0 { (0, 0) } else { (number, exponent) }
}

#[cfg(test)]
mod tests;
