//! Conditions on a key: NX and XX look whether it exists, the IF words at its value or the digest
//! of that. SET, DELEX, DELIFEQ and INCREX share them.
//!
//! A digest is XXH3-64 of the string in 16 hexadecimal digits.

use values::{Entry, Value};
use xxhash_rust::xxh3::xxh3_64;

use crate::context::string_of;
use crate::failure::Failure;

/// Hexadecimal digits of a digest.
pub const DIGEST_LEN: usize = 16;
/// The length of a digest is looked at only when there is a value to compare it with, as in Redis.
const BAD_DIGEST: Failure = Failure::text("ERR must be exactly 16 hexadecimal characters");

/// What must be true of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Condition<'a> {
    /// Nothing.
    #[default]
    Always,
    /// It does not exist.
    Absent,
    /// It exists.
    Present,
    /// Its value compares so.
    If(Comparison<'a>),
}

/// A value, or its digest, and what it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Comparison<'a> {
    of: Part,
    wanted: bool,
    with: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Value,
    Digest,
}

impl Condition<'_> {
    /// Whether the condition holds for a key with this entry, or for one that is missing.
    pub fn holds(self, entry: Option<&Entry>) -> Result<bool, Failure> {
        match (self, entry) {
            (Self::Always, _) => Ok(true),
            (Self::Absent, entry) => Ok(entry.is_none()),
            (Self::Present, entry) => Ok(entry.is_some()),
            (Self::If(comparison), Some(entry)) => comparison.holds(string_of(entry)?),
            (Self::If(comparison), None) => Ok(!comparison.wanted),
        }
    }
}

impl<'a> Comparison<'a> {
    /// The comparison of a word in capitals; `None` for a word that is none.
    pub fn of(word: &[u8], with: &'a [u8]) -> Option<Self> {
        let (of, wanted) = match word {
            b"IFEQ" => (Part::Value, true),
            b"IFNE" => (Part::Value, false),
            b"IFDEQ" => (Part::Digest, true),
            b"IFDNE" => (Part::Digest, false),
            _ => return None,
        };
        Some(Self { of, wanted, with })
    }

    /// Asks for this value.
    pub fn equal(with: &'a [u8]) -> Self {
        Self { of: Part::Value, wanted: true, with }
    }

    /// Whether a value compares as wanted.
    pub fn holds(self, value: Value<'_>) -> Result<bool, Failure> {
        let equal = match self.of {
            Part::Value => is_text(value, self.with),
            Part::Digest if self.with.len() != DIGEST_LEN => return Err(BAD_DIGEST),
            Part::Digest => digest(value).eq_ignore_ascii_case(self.with),
        };
        Ok(equal == self.wanted)
    }
}

fn is_text(value: Value<'_>, text: &[u8]) -> bool {
    match value {
        Value::Int(_) => Value::of(text) == value,
        _ => value.with_bytes(|bytes| bytes == text),
    }
}

/// The digest of a string.
pub fn digest(value: Value<'_>) -> [u8; DIGEST_LEN] {
    let hash = value.with_bytes(xxh3_64);
    let mut text = [0; DIGEST_LEN];
    for (pair, byte) in text.as_chunks_mut().0.iter_mut().zip(hash.to_be_bytes()) {
        *pair = [hex_digit(byte >> 4), hex_digit(byte & 0xF)];
    }
    text
}

/// The character of a hexadecimal digit; `value` is below 16.
fn hex_digit(value: u8) -> u8 {
    if value < 10 { value.wrapping_add(b'0') } else { value.wrapping_add(b'a' - 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests() {
        let cases: &[(&str, &str)] = &[
            ("Hello world", "b6acb9d84a38ff74"),
            ("hello", "9555e8555c62dcfd"),
            ("", "2d06800538d394c2"),
            ("123", "404a763b3f4c8c9a"),
            ("v8", "0cc76dbb41381419"),
        ];
        for (text, expected) in cases {
            assert_eq!(digest(Value::of(text.as_bytes())), expected.as_bytes(), "{text}");
            assert_eq!(digest(Value::Bytes(text.as_bytes())), expected.as_bytes(), "{text}");
        }
    }

    #[test]
    fn comparisons() {
        // Word, operand, holds for `hello`, holds for a missing key.
        let cases: &[(&str, &str, Result<bool, Failure>, bool)] = &[
            ("IFEQ", "hello", Ok(true), false),
            ("IFEQ", "hell", Ok(false), false),
            ("IFNE", "hello", Ok(false), true),
            ("IFNE", "hell", Ok(true), true),
            ("IFDEQ", "9555e8555c62dcfd", Ok(true), false),
            ("IFDEQ", "9555E8555C62DCFD", Ok(true), false),
            ("IFDEQ", "zzzzzzzzzzzzzzzz", Ok(false), false),
            ("IFDEQ", "9555", Err(BAD_DIGEST), false),
            ("IFDNE", "9555e8555c62dcfd", Ok(false), true),
            ("IFDNE", "zzzzzzzzzzzzzzzz", Ok(true), true),
            ("IFDNE", "9555e8555c62dcfd0", Err(BAD_DIGEST), true),
        ];
        for (word, with, present, missing) in cases {
            let comparison = Comparison::of(word.as_bytes(), with.as_bytes()).unwrap();
            let condition = Condition::If(comparison);
            let hello = Entry::new(b"key", Value::of(b"hello"), None);
            assert_eq!(condition.holds(Some(&hello)), *present, "{word} {with}");
            assert_eq!(condition.holds(None), Ok(*missing), "{word} {with}");
        }
        assert_eq!(Comparison::of(b"IFGT", b""), None);
    }

    #[test]
    fn integers_compare_as_text() {
        for value in [Value::Int(12), Value::Bytes(b"12")] {
            assert_eq!(Comparison::equal(b"12").holds(value), Ok(true));
            assert_eq!(Comparison::equal(b"012").holds(value), Ok(false));
            assert_eq!(Comparison::equal(b"+12").holds(value), Ok(false));
        }
    }
}
