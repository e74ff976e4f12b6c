//! Ids of entries as words, and as replies.
//!
//! ```text
//! 5-3            an id
//! 5              an id whose number is understood: the first or the last of its millisecond
//! -  +           the smallest and the largest id
//! (5-3           a bound of a range that does not belong to it
//! 5-*  *         the next id of a millisecond, or of now: for XADD
//! ```
//!
//! The numbers are read as leniently as Redis reads them: spaces, a sign and zeros may lead, and
//! what stands behind a NUL is not seen.

use protocol::number::parse_i64;
use protocol::reply::Reply;
use values::stream::Id;

use crate::failure::{Failure, shown};

/// A word that is no id.
const INVALID: Failure =
    Failure::text("ERR Invalid stream ID specified as stream command argument");
/// Longer words are no ids, whatever they say.
const WORD_LEN_MAX: usize = 127;
/// Two numbers of 20 digits and what stands between them.
const TEXT_LEN_MAX: usize = 41;

/// The id that a word asks an entry to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The next one of now: `*`.
    Now,
    /// The next one of a millisecond: `5-*`.
    Millisecond(u64),
    /// This one: `5-3`, or `5` for `5-0`.
    Given(Id),
}

/// Reads an id, also `-` and `+`. One without a number has `number`.
pub fn any(word: &[u8], number: u64) -> Result<Id, Failure> {
    match shown(word) {
        b"-" => Ok(Id::MIN),
        b"+" => Ok(Id::MAX),
        _ => exact(word, number),
    }
}

/// Reads an id, but neither `-` nor `+`. One without a number has `number`.
pub fn exact(word: &[u8], number: u64) -> Result<Id, Failure> {
    match parts(word)? {
        (ms, None) => Ok(Id::new(ms, number)),
        (ms, Some(text)) => Ok(Id::new(ms, natural(text).ok_or(INVALID)?)),
    }
}

/// Reads the id that an entry shall have.
pub fn wanted(word: &[u8]) -> Result<Wanted, Failure> {
    if shown(word) == b"*" {
        return Ok(Wanted::Now);
    }
    match parts(word)? {
        (ms, Some(b"*")) => Ok(Wanted::Millisecond(ms)),
        (ms, None) => Ok(Wanted::Given(Id::new(ms, 0))),
        (ms, Some(text)) => Ok(Wanted::Given(Id::new(ms, natural(text).ok_or(INVALID)?))),
    }
}

/// Reads where a range begins: the smallest id that belongs to it.
pub fn start(word: &[u8]) -> Result<Id, Failure> {
    match word {
        [b'(', bound @ ..] if !bound.is_empty() => {
            let none = Failure::text("ERR invalid start ID for the interval");
            exact(bound, 0)?.next().ok_or(none)
        }
        _ => any(word, 0),
    }
}

/// Reads where a range ends: the largest id that belongs to it.
pub fn end(word: &[u8]) -> Result<Id, Failure> {
    match word {
        [b'(', bound @ ..] if !bound.is_empty() => {
            let none = Failure::text("ERR invalid end ID for the interval");
            exact(bound, u64::MAX)?.previous().ok_or(none)
        }
        _ => any(word, u64::MAX),
    }
}

/// The milliseconds of an id, and the text of its number if it has one.
fn parts(word: &[u8]) -> Result<(u64, Option<&[u8]>), Failure> {
    if word.len() > WORD_LEN_MAX {
        return Err(INVALID);
    }
    let mut halves = shown(word).splitn(2, |byte| *byte == b'-');
    let ms = halves.next().and_then(natural).ok_or(INVALID)?;
    Ok((ms, halves.next()))
}

/// Reads a number that is not negative. Written as nobody would, it may be: such a one is counted
/// down from 2^64.
fn natural(text: &[u8]) -> Option<u64> {
    if let Some(number) = parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let spaces = text.iter().take_while(|byte| is_space(byte)).count();
    let (negative, digits) = match text.get(spaces..)? {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return None;
    }
    let number = digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0'))?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    Some(if negative { number.wrapping_neg() } else { number })
}

/// An id as text.
pub struct Text {
    bytes: [u8; TEXT_LEN_MAX],
    len: usize,
}

impl Text {
    /// The text of an id.
    #[inline]
    pub fn of(id: Id) -> Self {
        let mut text = Self { bytes: [0; TEXT_LEN_MAX], len: 0 };
        text.push(itoa::Buffer::new().format(id.ms).as_bytes());
        text.push(b"-");
        text.push(itoa::Buffer::new().format(id.seq).as_bytes());
        text
    }

    #[inline]
    fn push(&mut self, part: &[u8]) {
        let end = self.len.saturating_add(part.len());
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(part);
            self.len = end;
        }
    }

    /// Its bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// Writes an id.
#[inline]
pub fn reply_id(reply: &mut Reply<'_>, id: Id) {
    reply.bulk(Text::of(id).bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_redis_reads() {
        let cases: &[(&[u8], Option<Id>)] = &[
            (b"5-3", Some(Id::new(5, 3))),
            (b"5", Some(Id::new(5, 7))),
            (b"0-0", Some(Id::MIN)),
            (b"18446744073709551615-18446744073709551615", Some(Id::MAX)),
            (b"18446744073709551616-0", None),
            (b"+8", Some(Id::new(8, 7))),
            (b" 7-\t1", Some(Id::new(7, 1))),
            (b"08-09", Some(Id::new(8, 9))),
            (b"5--03", Some(Id::new(5, u64::MAX - 2))),
            (b"5--3", None),
            (b"-9-1", None),
            (b"", None),
            (b"-", None),
            (b"+", None),
            (b"5-", None),
            (b"5-*", None),
            (b"*", None),
            (b"5-3-1", None),
            (b"5-3 ", None),
            (b"0x10", None),
            (b"9-1\0zz", Some(Id::new(9, 1))),
            (b"9-\0zz", None),
            (&[b'0'; 127], Some(Id::new(0, 7))),
            (&[b'0'; 128], None),
        ];
        for (word, expected) in cases {
            let read = exact(word, 7);
            assert_eq!(read.as_ref().ok(), expected.as_ref(), "{}", word.escape_ascii());
        }
        assert_eq!(any(b"-", 7), Ok(Id::MIN));
        assert_eq!(any(b"+", 7), Ok(Id::MAX));
        assert_eq!(any(b"5", 7), Ok(Id::new(5, 7)));
    }

    #[test]
    fn bounds_of_ranges() {
        assert_eq!(start(b"5"), Ok(Id::new(5, 0)));
        assert_eq!(end(b"5"), Ok(Id::new(5, u64::MAX)));
        assert_eq!(start(b"(5"), Ok(Id::new(5, 1)));
        assert_eq!(end(b"(5"), Ok(Id::new(5, u64::MAX - 1)));
        assert_eq!(end(b"(5-0"), Ok(Id::new(4, u64::MAX)));
        assert_eq!(start(b"-"), Ok(Id::MIN));
        assert_eq!(end(b"+"), Ok(Id::MAX));
        for word in [&b"("[..], b"(-", b"(+", b"5-*", b"x"] {
            assert_eq!((start(word), end(word)), (Err(INVALID), Err(INVALID)));
        }
        let last = b"(18446744073709551615-18446744073709551615";
        assert_eq!(start(last).unwrap_err().to_string(), "ERR invalid start ID for the interval");
        assert_eq!(end(b"(0-0").unwrap_err().to_string(), "ERR invalid end ID for the interval");
    }

    #[test]
    fn ids_of_new_entries() {
        assert_eq!(wanted(b"*"), Ok(Wanted::Now));
        assert_eq!(wanted(b"5-*"), Ok(Wanted::Millisecond(5)));
        assert_eq!(wanted(b"5"), Ok(Wanted::Given(Id::new(5, 0))));
        assert_eq!(wanted(b"5-9"), Ok(Wanted::Given(Id::new(5, 9))));
        for word in [&b"-"[..], b"+", b"**", b"5-**", b"*-5", b""] {
            assert_eq!(wanted(word), Err(INVALID));
        }
    }

    #[test]
    fn texts() {
        for id in [Id::MIN, Id::new(1_700_000_000_000, 12), Id::MAX] {
            assert_eq!(exact(Text::of(id).bytes(), 0), Ok(id));
        }
    }
}
