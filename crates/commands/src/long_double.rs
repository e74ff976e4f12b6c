//! The x86 80-bit `long double`, as far as INCRBYFLOAT and HINCRBYFLOAT show it to a client.
//!
//! Redis computes these commands in the x87 extended format: one sign bit, 15 bits of exponent,
//! 64 bits of mantissa with no hidden bit (Intel SDM volume 1, section 4.2). Rust has no such
//! type and a double gives other digits, so three operations are done here with integers: text
//! to value, correctly rounded, as `strtold` does; the sum of two values, rounded to nearest,
//! ties to even; and value to text as `%.17Lf` without trailing zeros. Which texts are refused
//! follows `string2ld` of Redis.
//!
//! A finite value is `mantissa * 2^exponent`:
//!
//! ```text
//!   normal     2^63 <= mantissa             EXPONENT_MIN <= exponent <= EXPONENT_MAX
//!   subnormal  0 < mantissa < 2^63          exponent == EXPONENT_MIN
//!   zero       mantissa == 0                exponent == EXPONENT_MIN, never negative
//!   infinite   mantissa == 0                exponent == EXPONENT_INFINITE
//! ```
//!
//! Numbers of ordinary size stay within `u128`; the others use a small big integer, whose size
//! is bounded by `TEXT_LEN_MAX` and the exponent range. Negative zero is not kept, since Redis
//! prints it as `0`, and no NaN exists: such texts are refused and such sums are `None`.

use std::cmp::Ordering;

/// Texts of this length or more are refused, as the conversion buffer of Redis refuses them.
const TEXT_LEN_MAX: usize = 5 * 1024;
/// Exponent of the last bit of the smallest normal value, and of every subnormal one.
const EXPONENT_MIN: i32 = -16_445;
/// Exponent of the last bit of the largest finite value.
const EXPONENT_MAX: i32 = 16_320;
/// Marks infinity.
const EXPONENT_INFINITE: i32 = EXPONENT_MAX + 1;
/// Written exponents saturate here: far outside the range, even after moving the point by
/// `TEXT_LEN_MAX` digits, and far from overflowing an `i32`.
const WRITTEN_EXPONENT_MAX: i32 = 1_000_000;
/// A text whose first digit stands for `10^DECIMAL_POWER_MAX` or more is infinite (limit 4932).
const DECIMAL_POWER_MAX: i32 = 4_940;
/// A text whose first digit stands for `10^DECIMAL_POWER_MIN` or less is zero (limit -4951).
const DECIMAL_POWER_MIN: i32 = -4_960;
/// `10^19`, the largest power of ten in a word, used to go to decimal digits.
const TEN_TO_19: u128 = 10_000_000_000_000_000_000;
/// `5^27`, the largest power of five in a `u64`.
const FIVE_TO_27: u64 = 7_450_580_596_923_828_125;
/// `10^17`: Redis prints 17 digits after the point.
const FRACTION_SCALE: u128 = 100_000_000_000_000_000;

/// A number in the x87 extended format: finite, or one of the two infinities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    mantissa: u64,
    exponent: i32,
}

impl LongDouble {
    /// Zero.
    pub const ZERO: LongDouble =
        LongDouble { negative: false, mantissa: 0, exponent: EXPONENT_MIN };
    /// The largest finite value.
    pub const MAX: LongDouble =
        LongDouble { negative: false, mantissa: u64::MAX, exponent: EXPONENT_MAX };
    /// The smallest finite value.
    pub const MIN: LongDouble = LongDouble { negative: true, ..LongDouble::MAX };

    /// Reads a whole text as `string2ld` does. `None` for anything else than a number, for NaN,
    /// and for finite texts that become infinite or zero by rounding. Infinity is a number.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() >= TEXT_LEN_MAX {
            return None;
        }
        let (negative, text) = split_sign(text);
        if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
            return Some(LongDouble { negative, mantissa: 0, exponent: EXPONENT_INFINITE });
        }
        match text {
            [b'0', b'x' | b'X', digits @ ..] => parse_hexadecimal(negative, digits),
            _ => parse_decimal(negative, text),
        }
    }

    /// An integer, exactly.
    pub fn from_i64(value: i64) -> LongDouble {
        LongDouble::rounded(value < 0, u128::from(value.unsigned_abs()), 0, false)
    }

    /// The rounded sum; `None` when it is infinite or not a number.
    pub fn checked_add(self, other: LongDouble) -> Option<LongDouble> {
        if self.is_infinite() || other.is_infinite() {
            return None;
        }
        let self_is_larger = (self.exponent, self.mantissa) >= (other.exponent, other.mantissa);
        let (larger, smaller) = if self_is_larger { (self, other) } else { (other, self) };
        // The larger mantissa gets 63 bits below it and one above it, so nothing here overflows.
        // The smaller one is moved down to it; what falls off the end is only remembered to be
        // there.
        let distance = larger.exponent.abs_diff(smaller.exponent);
        let upper = u128::from(larger.mantissa) << 63;
        let unshifted = u128::from(smaller.mantissa) << 63;
        let lower = unshifted.checked_shr(distance).unwrap_or(0);
        let sticky = unshifted != 0 && unshifted.trailing_zeros() < distance;
        let bits = if larger.negative == smaller.negative {
            upper.wrapping_add(lower)
        } else {
            upper.wrapping_sub(lower).wrapping_sub(u128::from(sticky))
        };
        let exponent = larger.exponent.saturating_sub(63);
        let sum = LongDouble::rounded(larger.negative, bits, exponent, sticky);
        (!sum.is_infinite()).then_some(sum)
    }

    /// The rounded difference; `None` when it is infinite or not a number.
    pub fn checked_sub(self, other: LongDouble) -> Option<LongDouble> {
        let is_zero = other == LongDouble::ZERO;
        self.checked_add(LongDouble { negative: !other.negative && !is_zero, ..other })
    }

    /// The text Redis stores and replies: 17 digits after the point, less the trailing zeros.
    pub fn to_text(self) -> Vec<u8> {
        let mut text = Vec::new();
        if self.negative {
            text.push(b'-');
        }
        if self.is_infinite() {
            text.extend_from_slice(b"inf");
        } else if self.exponent >= 0 {
            self.append_integer(&mut text);
        } else {
            self.append_fraction(&mut text);
        }
        if text == b"-0" {
            text.remove(0);
        }
        text
    }

    fn append_integer(self, text: &mut Vec<u8>) {
        if self.exponent <= 64 {
            let value = u128::from(self.mantissa) << self.exponent;
            text.extend_from_slice(value.to_string().as_bytes());
        } else {
            let mut value = Natural::from_word(self.mantissa);
            value.shift_left(self.exponent.unsigned_abs());
            value.append_decimal(text);
        }
    }

    fn append_fraction(self, text: &mut Vec<u8>) {
        let places = self.exponent.unsigned_abs();
        let integer = self.mantissa.checked_shr(places).unwrap_or(0);
        let whole = integer.checked_shl(places).unwrap_or(0);
        let fraction = self.mantissa.wrapping_sub(whole);
        // Below 2^121: a shift by 122 or more leaves less than half of the last digit.
        let scaled = u128::from(fraction).wrapping_mul(FRACTION_SCALE);
        let digits = shift_right_to_even(scaled, places, false);
        let value = u128::from(integer).wrapping_mul(FRACTION_SCALE).wrapping_add(digits);
        text.extend_from_slice((value / FRACTION_SCALE).to_string().as_bytes());
        let digits = value % FRACTION_SCALE;
        if digits != 0 {
            text.extend_from_slice(format!(".{digits:017}").trim_end_matches('0').as_bytes());
        }
    }

    /// Whether this is one of the two infinities.
    pub fn is_infinite(self) -> bool {
        self.exponent == EXPONENT_INFINITE
    }

    /// The value nearest to `bits * 2^exponent`, or to a little more than that when `sticky`.
    fn rounded(negative: bool, bits: u128, exponent: i32, sticky: bool) -> LongDouble {
        debug_assert!(!sticky || bits >> 64 != 0, "the sticky bit must lie below the half bit");
        if bits == 0 {
            return LongDouble { negative: false, mantissa: 0, exponent: EXPONENT_MIN };
        }
        // Positive when bits must go, negative when zeros must come.
        let excess = 64_i32.saturating_sub(bits.leading_zeros().cast_signed());
        let mut rounded_exponent = exponent.saturating_add(excess).max(EXPONENT_MIN);
        let distance = exponent.abs_diff(rounded_exponent);
        let mut kept = if rounded_exponent >= exponent {
            shift_right_to_even(bits, distance, sticky)
        } else {
            bits << distance
        };
        if kept >> 64 != 0 {
            kept >>= 1;
            rounded_exponent = rounded_exponent.saturating_add(1);
        }
        if kept == 0 {
            rounded_exponent = EXPONENT_MIN;
        } else if rounded_exponent > EXPONENT_MAX {
            return LongDouble { negative, mantissa: 0, exponent: EXPONENT_INFINITE };
        }
        LongDouble {
            negative: negative && kept != 0,
            mantissa: low_word(kept),
            exponent: rounded_exponent,
        }
    }

    /// A text that is not zero must not become infinite or zero: `strtold` reports ERANGE.
    fn within_range(self) -> Option<LongDouble> {
        (self.mantissa != 0).then_some(self)
    }
}

impl Ord for LongDouble {
    fn cmp(&self, other: &LongDouble) -> Ordering {
        let magnitude = |value: &LongDouble| (value.exponent, value.mantissa);
        match (self.negative, other.negative) {
            (false, false) => magnitude(self).cmp(&magnitude(other)),
            (true, true) => magnitude(other).cmp(&magnitude(self)),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }
}

impl PartialOrd for LongDouble {
    fn partial_cmp(&self, other: &LongDouble) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `[digits] [. digits] [e exponent]` with a digit before the exponent.
fn parse_decimal(negative: bool, text: &[u8]) -> Option<LongDouble> {
    let (text, written_exponent) = split_exponent(text, b'e')?;
    let (integer, fraction) = split_point(text, u8::is_ascii_digit)?;
    let digits = integer.iter().chain(fraction).copied();
    let mut digits: Vec<u8> = digits.skip_while(|digit| *digit == b'0').collect();
    let mut power = written_exponent.saturating_sub(length(fraction));
    while digits.last() == Some(&b'0') {
        digits.pop();
        power = power.saturating_add(1);
    }
    if digits.is_empty() {
        return Some(LongDouble::ZERO);
    }
    let first_digit_power = power.saturating_add(length(&digits)).saturating_sub(1);
    if !(DECIMAL_POWER_MIN..=DECIMAL_POWER_MAX).contains(&first_digit_power) {
        return None;
    }
    let powers_of_five = power.unsigned_abs();
    let (bits, exponent, sticky) = if digits.len() <= 19 && power.abs() <= 27 {
        let value = decimal_word(&digits);
        let factor = u128::from(5_u64.wrapping_pow(powers_of_five));
        if power >= 0 {
            (u128::from(value).wrapping_mul(factor), 0, false)
        } else {
            // At least 2^127 / 2^63, which leaves a half bit below the 64 bits to keep.
            let zeros = value.leading_zeros();
            let dividend = u128::from(value << zeros) << 64;
            let (quotient, rest) = (dividend.checked_div(factor)?, dividend.checked_rem(factor)?);
            (quotient, (-64_i32).saturating_sub(zeros.cast_signed()), rest != 0)
        }
    } else {
        let mut value = Natural::from_digits(&digits);
        if power >= 0 {
            value.multiply_by_five_to(powers_of_five);
            value.leading_bits()
        } else {
            let mut divisor = Natural::from_word(1);
            divisor.multiply_by_five_to(powers_of_five);
            value.quotient_bits(divisor)
        }
    };
    LongDouble::rounded(negative, bits, exponent.saturating_add(power), sticky).within_range()
}

/// `[digits] [. digits] [p exponent]` with a digit before the exponent, which is a power of two.
fn parse_hexadecimal(negative: bool, text: &[u8]) -> Option<LongDouble> {
    let (text, mut exponent) = split_exponent(text, b'p')?;
    let (integer, fraction) = split_point(text, u8::is_ascii_hexdigit)?;
    let (mut bits, mut sticky) = (0_u128, false);
    exponent = exponent.saturating_sub(length(fraction).saturating_mul(4));
    for digit in integer.iter().chain(fraction) {
        let digit = char::from(*digit).to_digit(16)?;
        if bits >> 124 == 0 {
            bits = bits << 4 | u128::from(digit);
        } else {
            sticky |= digit != 0;
            exponent = exponent.saturating_add(4);
        }
    }
    if bits == 0 {
        return Some(LongDouble::ZERO);
    }
    LongDouble::rounded(negative, bits, exponent, sticky).within_range()
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// Cuts off the exponent, which needs a digit and saturates at `WRITTEN_EXPONENT_MAX`.
fn split_exponent(text: &[u8], marker: u8) -> Option<(&[u8], i32)> {
    let mut parts = text.splitn(2, |byte| byte.eq_ignore_ascii_case(&marker));
    let text = parts.next()?;
    let Some(exponent) = parts.next() else { return Some((text, 0)) };
    let (negative, digits) = split_sign(exponent);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let exponent = digits.iter().fold(0, |exponent: i32, digit| {
        let digit = i32::from(digit.wrapping_sub(b'0'));
        exponent.saturating_mul(10).saturating_add(digit).min(WRITTEN_EXPONENT_MAX)
    });
    Some((text, if negative { exponent.saturating_neg() } else { exponent }))
}

/// The digits before and after the point; `None` without digits or with any other byte.
fn split_point(text: &[u8], is_digit: fn(&u8) -> bool) -> Option<(&[u8], &[u8])> {
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let integer = parts.next()?;
    let fraction = parts.next().unwrap_or_default();
    let is_empty = integer.is_empty() && fraction.is_empty();
    let digits_only = integer.iter().chain(fraction).all(is_digit);
    (digits_only && !is_empty).then_some((integer, fraction))
}

/// Divides by a power of two, rounding to nearest, ties to even.
fn shift_right_to_even(bits: u128, distance: u32, sticky: bool) -> u128 {
    let Some(below_half) = distance.checked_sub(1) else {
        return bits;
    };
    let doubled = bits.checked_shr(below_half).unwrap_or(0);
    let kept = doubled >> 1;
    let more_than_half = sticky || bits.trailing_zeros() < below_half;
    let round_up = doubled & 1 == 1 && (more_than_half || kept & 1 == 1);
    kept.wrapping_add(u128::from(round_up))
}

/// The value of at most 19 decimal digits.
fn decimal_word(digits: &[u8]) -> u64 {
    digits.iter().fold(0_u64, |value, digit| {
        value.wrapping_mul(10).wrapping_add(u64::from(digit.wrapping_sub(b'0')))
    })
}

/// A length within `TEXT_LEN_MAX`, as an exponent.
fn length(digits: &[u8]) -> i32 {
    debug_assert!(digits.len() < TEXT_LEN_MAX, "longer texts are refused");
    i32::try_from(digits.len()).unwrap_or(i32::MAX)
}

/// The lower 64 bits.
fn low_word(bits: u128) -> u64 {
    const WORD: u128 = u64::MAX as u128;
    (bits & WORD) as u64
}

/// A natural number: 64-bit words, lowest first, without zero words at the end.
struct Natural(Vec<u64>);

impl Natural {
    fn from_word(word: u64) -> Natural {
        Natural(if word == 0 { Vec::new() } else { vec![word] })
    }

    fn from_digits(digits: &[u8]) -> Natural {
        let mut value = Natural(Vec::new());
        for chunk in digits.chunks(19) {
            let scale = chunk.iter().fold(1_u64, |scale, _| scale.wrapping_mul(10));
            value.multiply_and_add(scale, decimal_word(chunk));
        }
        value
    }

    fn multiply_and_add(&mut self, factor: u64, addend: u64) {
        let mut carry = u128::from(addend);
        for word in &mut self.0 {
            // At most (2^64 - 1)^2 + 2^64 - 1, which 128 bits hold.
            carry = u128::from(*word).wrapping_mul(u128::from(factor)).wrapping_add(carry);
            *word = low_word(carry);
            carry >>= 64;
        }
        self.push_nonzero(low_word(carry));
    }

    fn multiply_by_five_to(&mut self, power: u32) {
        for _ in 0..power / 27 {
            self.multiply_and_add(FIVE_TO_27, 0);
        }
        self.multiply_and_add(5_u64.wrapping_pow(power % 27), 0);
    }

    fn shift_left(&mut self, distance: u32) {
        let mut carry = 0;
        for word in &mut self.0 {
            let shifted = u128::from(*word) << (distance % 64) | carry;
            *word = low_word(shifted);
            carry = shifted >> 64;
        }
        self.push_nonzero(low_word(carry));
        let zero_words = (0..distance / 64).map(|_| 0);
        self.0.splice(0..0, zero_words);
    }

    fn push_nonzero(&mut self, word: u64) {
        if word != 0 {
            self.0.push(word);
        }
    }

    fn subtract(&mut self, other: &Natural) {
        let mut borrow = false;
        for (index, word) in self.0.iter_mut().enumerate() {
            let (difference, first) =
                word.overflowing_sub(other.0.get(index).copied().unwrap_or(0));
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            *word = difference;
            borrow = first || second;
        }
        debug_assert!(!borrow, "only a smaller number is subtracted");
        self.trim();
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }

    fn is_at_least(&self, other: &Natural) -> bool {
        let by_length = self.0.len().cmp(&other.0.len());
        by_length.then_with(|| self.0.iter().rev().cmp(other.0.iter().rev())).is_ge()
    }

    fn bit_length(&self) -> u32 {
        // Numbers have some ten thousand bits, so nothing saturates.
        let words = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        words.saturating_mul(64).saturating_sub(self.leading_zeros())
    }

    /// Zero bits above the highest one of the last word.
    fn leading_zeros(&self) -> u32 {
        self.0.last().map_or(0, |word| word.leading_zeros())
    }

    /// `(bits, exponent, sticky)` of the number, for `LongDouble::rounded`.
    fn leading_bits(mut self) -> (u128, i32, bool) {
        let excess = self.bit_length().cast_signed().saturating_sub(128);
        if excess <= 0 {
            let bits = self.0.iter().rev().fold(0, |bits, word| bits << 64 | u128::from(*word));
            return (bits, 0, false);
        }
        self.shift_left(self.leading_zeros());
        let [below @ .., low, high] = self.0.as_slice() else {
            unreachable!("more than 128 bits do not fit two words");
        };
        let bits = u128::from(*high) << 64 | u128::from(*low);
        (bits, excess, below.iter().any(|word| *word != 0))
    }

    /// `(bits, exponent, sticky)` of the quotient of two numbers that are not zero, by long
    /// division in base two: enough bits for a mantissa and its half bit.
    fn quotient_bits(mut self, mut divisor: Natural) -> (u128, i32, bool) {
        const STEPS: i32 = 66;
        let (length, divisor_length) = (self.bit_length(), divisor.bit_length());
        self.shift_left(divisor_length.saturating_sub(length));
        divisor.shift_left(length.saturating_sub(divisor_length));
        let mut quotient = 0_u128;
        for _ in 0..STEPS {
            quotient <<= 1;
            if self.is_at_least(&divisor) {
                self.subtract(&divisor);
                quotient |= 1;
            }
            self.shift_left(1);
        }
        let alignment = length.cast_signed().saturating_sub(divisor_length.cast_signed());
        (quotient, alignment.saturating_sub(STEPS - 1), !self.0.is_empty())
    }

    fn append_decimal(mut self, text: &mut Vec<u8>) {
        let mut chunks = Vec::new();
        while !self.0.is_empty() {
            let mut rest = 0_u128;
            for word in self.0.iter_mut().rev() {
                rest = rest << 64 | u128::from(*word);
                *word = low_word(rest / TEN_TO_19);
                rest %= TEN_TO_19;
            }
            self.trim();
            chunks.push(rest);
        }
        for (index, chunk) in chunks.iter().rev().enumerate() {
            let width = if index == 0 { 0 } else { 19 };
            text.extend_from_slice(format!("{chunk:0width$}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(left: &str, right: &str) -> String {
        let left = LongDouble::parse(left.as_bytes()).expect("left is a number");
        let right = LongDouble::parse(right.as_bytes()).expect("right is a number");
        let text = left.checked_add(right).map_or(b"none".to_vec(), |sum| sum.to_text());
        String::from_utf8(text).expect("text is ASCII")
    }

    /// Replies of redis-server 7.0.15 on x86-64 to SET and INCRBYFLOAT.
    #[test]
    fn sums_equal_those_of_redis() {
        let golden = [
            ("0.1", "0.2", "0.3"),
            ("10.5", "0.1", "10.6"),
            ("3.0e3", "1.1", "3001.10000000000000009"),
            ("5.0e3", "200", "5200"),
            ("1", "-1", "0"),
            (".5", "5.", "5.5"),
            ("-5", "4.999999999999999999", "0"),
            ("0.99999999999999999999", "0", "1"),
            ("0x1.8p1", "-0X.8P-1", "2.75"),
            ("1e17", "0.05", "100000000000000000.046875"),
            ("17179869184", "1.0e-9", "17179869184.00000000186264515"),
            ("1e-30", "1e-30", "0"),
            ("-0.000000000000000004", "0", "0"),
            ("-0.000000000000000006", "0", "-0.00000000000000001"),
            // Ties in the 17th digit after the point go to the even digit.
            ("0.000003814697265625", "0", "0.00000381469726562"),
            ("0.000011444091796875", "0", "0.00001144409179688"),
            // Ties in the 64th bit go to the even mantissa.
            ("18446744073709551617", "0", "18446744073709551616"),
            ("18446744073709551619", "0", "18446744073709551620"),
            ("1e19", "0.5", "10000000000000000000"),
            ("9223372036854775807", "1", "9223372036854775808"),
            ("1e25", "1", "10000000000000000000000000"),
            ("1e40", "-1e20", "9999999999999999999783686092270256259072"),
            ("123456789012345678901234567890.5", "0", "123456789012345678899921813504"),
            ("1e4000", "-1e4000", "0"),
            ("1e4932", "1e4932", "none"),
            ("inf", "1", "none"),
            ("inf", "-INFINITY", "none"),
        ];
        for (left, right, expected) in golden {
            assert_eq!(sum(left, right), expected, "{left} + {right}");
            assert_eq!(sum(right, left), expected, "{right} + {left}");
        }
    }

    #[test]
    fn texts_refused_by_redis_are_refused() {
        let refused = [
            "",
            " 1",
            "1 ",
            "\t1",
            "nan",
            "-nan(1)",
            "infin",
            ".",
            "e5",
            "1e",
            "1e+",
            "1.2.3",
            "--1",
            "0x",
            "0x.p1",
            "0x1p",
            "1p5",
            "1e5e5",
            "1_0",
            "1\0",
            "1e4933",
            "-1e-4952",
            "0x1p16384",
            "1e99999999999999999999",
            "1e-99999999999999999999",
            "0x1p-16446",
        ];
        for text in refused {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text:?}");
        }
        assert!(LongDouble::parse(&[b'0'; TEXT_LEN_MAX - 1]).is_some());
        assert!(LongDouble::parse(&[b'0'; TEXT_LEN_MAX]).is_none());
    }

    #[test]
    fn limits_of_the_range_are_kept() {
        for text in ["0e99999999999", "-0", "0x0p999999999", "2e-4951", "0x1p-16445", "-inf"] {
            assert!(LongDouble::parse(text.as_bytes()).is_some(), "{text:?}");
        }
        let largest = LongDouble::parse(b"0x0.ffffffffffffffffp16384").expect("largest is finite");
        assert_eq!((largest.mantissa, largest.exponent), (u64::MAX, EXPONENT_MAX));
        assert_eq!(largest.to_text().len(), 4933);
        assert_eq!(largest.checked_add(LongDouble::from_i64(1)), Some(largest));
        assert_eq!(largest.checked_add(largest), None);
        let smallest = LongDouble::parse(b"0x1p-16445").expect("smallest is not zero");
        assert_eq!((smallest.mantissa, smallest.exponent), (1, EXPONENT_MIN));
        assert_eq!(smallest.to_text(), b"0");
    }

    #[test]
    fn integers_are_exact() {
        for value in [0, 1, -1, 10, i64::MAX, i64::MIN, i64::MIN + 1, 1 << 53, (1 << 53) + 1] {
            let text = value.to_string().into_bytes();
            assert_eq!(LongDouble::from_i64(value).to_text(), text);
            assert_eq!(LongDouble::parse(&text), Some(LongDouble::from_i64(value)));
        }
    }
}
