//! Small collections in one run of bytes.
//!
//! A run is a sequence of items, read forwards. Each is a header byte and what it announces;
//! numbers are little-endian:
//!
//! ```text
//! 0nnnnnnn                 the integer n, 0 to 127
//! 10llllll data            a string of l bytes, 0 to 63
//! 11000www length data     a longer string; its length takes w + 1 bytes
//! 11001www number          an integer of w + 1 bytes (2 to 8), in two's complement
//! 11010000 float           a score that is no integer (8 bytes)
//! 11010001 time            an expiry, in milliseconds of Unix time (6 bytes)
//! ```
//!
//! What the items mean depends on the collection, one module each: a [`set`] and a [`list`] are
//! strings, a [`hash`] has a field and its value in turn (and an expiry before a field that has
//! one), a [`sorted_set`] a member and its score.
//!
//! Invariant: a run is canonical. A string that is the decimal form of an integer is one, lengths
//! and integers take the fewest bytes, a score that is an integer is written as one. So two items
//! are equal when their bytes are, and a search compares bytes.
//!
//! A run does not own its bytes: an entry embeds them. An edit is therefore a [`Splice`], computed
//! here and applied by the owner. Bytes from outside pass the `check` of their collection first;
//! after that, reading them cannot fail, which debug builds assert. Even so no bytes lead to a
//! panic or out of the run in a release build.

#![forbid(unsafe_code)]

use std::ops::Range;

use crate::Value;

pub mod hash;
pub mod list;
pub mod set;
pub mod sorted_set;

const STRING: u8 = 0x80;
const LONG: u8 = 0xc0;
const INTEGER: u8 = 0xc8;
const SCORE: u8 = 0xd0;
const EXPIRY: u8 = 0xd1;

/// The longest string whose length is in its header.
const SHORT_MAX: usize = (LONG - STRING) as usize - 1;
/// A header and the longest number behind it.
const HEAD_MAX: usize = 1 + size_of::<u64>();
const SCORE_LEN: usize = size_of::<f64>();
const EXPIRY_LEN: usize = 6;
/// The latest expiry that can be written, in the year 10889.
pub const EXPIRY_MAX: u64 = (1 << (8 * EXPIRY_LEN)) - 1;
/// Up to this magnitude every integer is a float of its own.
const EXACT_MAX: i64 = 1 << f64::MANTISSA_DIGITS;

/// One item of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item<'a> {
    /// A string or an integer. An integral score is one too: see [`Item::score`].
    Value(Value<'a>),
    /// A score that is no integer.
    Score(f64),
    /// When the field behind this item expires, in milliseconds of Unix time.
    Expiry(u64),
}

impl<'a> Item<'a> {
    /// The item as a string or integer.
    #[inline]
    pub fn value(self) -> Option<Value<'a>> {
        match self {
            Item::Value(value) => Some(value),
            Item::Score(_) | Item::Expiry(_) => None,
        }
    }

    /// The item as a score.
    #[inline]
    pub fn score(self) -> Option<f64> {
        match self {
            Item::Value(Value::Int(number)) => exact(number),
            Item::Score(score) => Some(score),
            Item::Value(_) | Item::Expiry(_) => None,
        }
    }
}

/// The float that is this integer.
#[inline]
fn exact(number: i64) -> Option<f64> {
    (number.unsigned_abs() <= EXACT_MAX.unsigned_abs()).then_some(number as f64)
}

/// The integer that is this float. A negative zero is none.
#[inline]
fn integral(score: f64) -> Option<i64> {
    // The conversion saturates, which the comparison then sees.
    let number = score as i64;
    (exact(number)?.to_bits() == score.to_bits()).then_some(number)
}

/// The number in these at most eight bytes.
#[inline]
fn load(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// The signed number in these one to eight bytes.
#[inline]
pub(crate) fn load_signed(bytes: &[u8]) -> i64 {
    let unused = u64::BITS.saturating_sub(8 * bytes.len() as u32);
    (load(bytes) << unused).cast_signed() >> unused
}

/// Bytes that a signed number needs.
#[inline]
pub(crate) fn width_of(number: i64) -> usize {
    // The bits that differ from the sign, and the sign.
    let bits = u64::BITS + 1 - (number ^ (number >> 63)).leading_zeros();
    bits.div_ceil(u8::BITS) as usize
}

/// Where the data of the item at `at` lies, which is none of the two frequent kinds; nothing when
/// there is no whole item.
fn data_at(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let head = *bytes.get(at)?;
    let (start, len) = match head {
        LONG..INTEGER => {
            let start = at + 2 + usize::from(head - LONG);
            (start, usize::try_from(load(bytes.get(at + 1..start)?)).ok()?)
        }
        INTEGER..SCORE => (at + 1, 1 + usize::from(head - INTEGER)),
        SCORE => (at + 1, SCORE_LEN),
        EXPIRY => (at + 1, EXPIRY_LEN),
        _ => return None,
    };
    let end = start.checked_add(len)?;
    (end <= bytes.len()).then_some(start..end)
}

/// The string or integer at `at` and where the next item begins; nothing when there is no whole
/// item or another kind of one. Collections without scores and expiries are read by this.
#[inline]
pub fn decode_value(bytes: &[u8], at: usize) -> Option<(Value<'_>, usize)> {
    match *bytes.get(at)? {
        number @ 0..STRING => Some((Value::Int(number.into()), at + 1)),
        head @ STRING..LONG => {
            let end = at + 1 + usize::from(head - STRING);
            Some((Value::Bytes(bytes.get(at + 1..end)?), end))
        }
        _ => {
            let (item, end) = decode_other(bytes, at)?;
            Some((item.value()?, end))
        }
    }
}

/// The item at `at` and where the next one begins; nothing when there is no whole item.
#[inline]
pub fn decode(bytes: &[u8], at: usize) -> Option<(Item<'_>, usize)> {
    if *bytes.get(at)? < LONG {
        decode_value(bytes, at).map(|(value, end)| (Item::Value(value), end))
    } else {
        decode_other(bytes, at)
    }
}

#[inline(never)]
fn decode_other(bytes: &[u8], at: usize) -> Option<(Item<'_>, usize)> {
    let range = data_at(bytes, at)?;
    let (head, end) = (bytes[at], range.end);
    let data = &bytes[range];
    let item = match head {
        LONG..INTEGER => Item::Value(Value::Bytes(data)),
        INTEGER..SCORE => Item::Value(Value::Int(load_signed(data))),
        SCORE => Item::Score(f64::from_bits(load(data))),
        _ => Item::Expiry(load(data)),
    };
    Some((item, end))
}

/// Where the item behind the one at `at` begins, which may be the end.
#[inline]
pub fn skip(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(0..STRING) => at + 1,
        Some(head @ STRING..LONG) => at + 1 + usize::from(head - STRING),
        _ => skip_other(bytes, at),
    }
}

#[inline(never)]
fn skip_other(bytes: &[u8], at: usize) -> usize {
    let data = data_at(bytes, at);
    debug_assert!(data.is_some(), "no item at {at} of a run of {} bytes", bytes.len());
    data.map_or(bytes.len(), |data| data.end)
}

/// The number of items.
pub fn count(bytes: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        at = skip(bytes, at);
        count += 1;
    }
    count
}

/// An item ready to be written or searched for: some bytes of ours, then borrowed ones.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a> {
    head: [u8; HEAD_MAX],
    head_len: u8,
    data: &'a [u8],
}

impl<'a> Encoded<'a> {
    /// Nothing at all: no bytes.
    pub const NOTHING: Self = Self { head: [0; HEAD_MAX], head_len: 0, data: &[] };

    /// A string or an integer.
    #[inline]
    pub fn of(value: Value<'a>) -> Self {
        match value {
            Value::Int(number @ 0..=127) => Self::fixed(number as u8, 0, 0),
            Value::Int(number) => {
                let width = width_of(number).max(2) as u8;
                Self::fixed(INTEGER + width - 1, number.cast_unsigned(), width)
            }
            Value::Bytes(data) => {
                debug_assert!(Value::of(data) == value, "an integer that is kept as a string");
                let head = if data.len() <= SHORT_MAX {
                    Self::fixed(STRING + data.len() as u8, 0, 0)
                } else {
                    let len = data.len() as u64;
                    let width = (u64::BITS - len.leading_zeros()).div_ceil(8) as u8;
                    Self::fixed(LONG + width - 1, len, width)
                };
                Self { data, ..head }
            }
            // A run copies what it holds.
            Value::Part(part) => Self::of(Value::of(part.bytes())),
        }
    }

    /// A score, which must not be NaN.
    #[inline]
    pub fn score(score: f64) -> Self {
        debug_assert!(!score.is_nan(), "a score that is no number");
        match integral(score) {
            Some(number) => Self::of(Value::Int(number)),
            None => Self::fixed(SCORE, score.to_bits(), SCORE_LEN as u8),
        }
    }

    /// An expiry; what is beyond [`EXPIRY_MAX`] becomes that.
    #[inline]
    pub fn expiry(unix_ms: u64) -> Self {
        Self::fixed(EXPIRY, unix_ms.min(EXPIRY_MAX), EXPIRY_LEN as u8)
    }

    /// Bytes that are no item: the lower `width` bytes of a number.
    #[inline]
    pub(crate) fn bare(number: u64, width: usize) -> Self {
        let mut head = [0; HEAD_MAX];
        head[..size_of::<u64>()].copy_from_slice(&number.to_le_bytes());
        Self { head, head_len: width.min(size_of::<u64>()) as u8, data: &[] }
    }

    /// A header byte and the lower `width` bytes of a number.
    #[inline]
    fn fixed(header: u8, number: u64, width: u8) -> Self {
        let mut head = [header; HEAD_MAX];
        head[1..].copy_from_slice(&number.to_le_bytes());
        Self { head, head_len: 1 + width, data: &[] }
    }

    #[inline]
    fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_len)]
    }

    /// The number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        usize::from(self.head_len) + self.data.len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the bytes to the start of `to`, which has room for them.
    #[inline]
    pub fn write(&self, to: &mut [u8]) {
        let (head, data) = to[..self.len()].split_at_mut(usize::from(self.head_len));
        // Mostly the head is one byte, and then no call is made for it.
        if let [first] = head {
            *first = self.head[0];
        } else {
            head.copy_from_slice(self.head());
        }
        data.copy_from_slice(self.data);
    }

    /// Appends the bytes.
    #[inline]
    pub fn append(&self, to: &mut Vec<u8>) {
        if self.head_len == 1 {
            to.push(self.head[0]);
        } else {
            to.extend_from_slice(self.head());
        }
        to.extend_from_slice(self.data);
    }

    /// Whether this is the item that begins at `at`.
    #[inline]
    pub fn is_at(&self, bytes: &[u8], at: usize) -> bool {
        let data_at = at + usize::from(self.head_len);
        bytes.get(at) == Some(&self.head[0])
            && (self.head_len == 1 || bytes[at..].starts_with(self.head()))
            && bytes.get(data_at..data_at + self.data.len()).is_some_and(|d| equal(d, self.data))
    }
}

/// Whether two strings of one length are equal; names are short, and then no call is made.
#[inline]
fn equal(a: &[u8], b: &[u8]) -> bool {
    match (a.first_chunk::<8>(), b.first_chunk::<8>()) {
        (Some(first), Some(other)) if a.len() <= 16 => {
            first == other && a.last_chunk::<8>() == b.last_chunk::<8>()
        }
        _ => a == b,
    }
}

/// An edit of a run: some bytes go, up to three items come in their place.
#[derive(Clone, Copy, Debug)]
pub struct Splice<'a> {
    at: usize,
    removed: usize,
    inserted: [Encoded<'a>; 3],
}

impl<'a> Splice<'a> {
    /// Puts items in the place of a range.
    #[inline]
    pub fn new<const N: usize>(range: Range<usize>, items: [Encoded<'a>; N]) -> Self {
        const { assert!(N <= 3, "a splice has room for three items") };
        let mut inserted = [Encoded::NOTHING; 3];
        inserted[..N].copy_from_slice(&items);
        Self { at: range.start, removed: range.len(), inserted }
    }

    /// Takes a range out.
    pub fn cut(range: Range<usize>) -> Self {
        Self::new(range, [])
    }

    fn inserted_len(&self) -> usize {
        self.inserted.iter().map(Encoded::len).sum()
    }

    /// The length of a run of `len` bytes after the edit.
    pub fn len_after(&self, len: usize) -> usize {
        len - self.removed + self.inserted_len()
    }

    /// Edits the run that is the first `len` bytes of a buffer. The buffer has room for what it is
    /// before and what it is after.
    pub fn write(&self, buffer: &mut [u8], len: usize) {
        let mut at = self.at;
        if self.removed != self.inserted_len() {
            buffer.copy_within(at + self.removed..len, at + self.inserted_len());
        }
        for item in &self.inserted {
            item.write(&mut buffer[at..]);
            at += item.len();
        }
    }

    /// Writes what the run `from` is after the edit to `to`, which has just that length.
    pub fn copy(&self, from: &[u8], to: &mut [u8]) {
        to[..self.at].copy_from_slice(&from[..self.at]);
        let mut at = self.at;
        for item in &self.inserted {
            item.write(&mut to[at..]);
            at += item.len();
        }
        to[at..].copy_from_slice(&from[self.at + self.removed..]);
    }

    /// Edits a run.
    pub fn apply(&self, run: &mut Vec<u8>) {
        let (before, after) = (run.len(), self.len_after(run.len()));
        if after > before {
            run.resize(after, 0);
        }
        self.write(run, before);
        run.truncate(after);
    }
}

/// Bytes from outside that are not the run they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where the first item that is wrong begins.
    pub at: usize,
}

/// The items of bytes from outside: each one is whole and canonical, or an error and the last.
fn checked(bytes: &[u8]) -> impl Iterator<Item = Result<(Range<usize>, Item<'_>), Malformed>> {
    let mut next = Some(0).filter(|_| !bytes.is_empty());
    std::iter::from_fn(move || {
        let at = next.take()?;
        let Some((item, end)) = decode(bytes, at).filter(|(item, _)| is_canonical(bytes, at, item))
        else {
            return Some(Err(Malformed { at }));
        };
        next = Some(end).filter(|end| *end < bytes.len());
        Some(Ok((at..end, item)))
    })
}

fn is_canonical(bytes: &[u8], at: usize, item: &Item<'_>) -> bool {
    let encoded = match *item {
        Item::Value(Value::Bytes(data)) => Encoded::of(Value::of(data)),
        Item::Value(value) => Encoded::of(value),
        Item::Score(score) if score.is_nan() => return false,
        Item::Score(score) => Encoded::score(score),
        Item::Expiry(unix_ms) => Encoded::expiry(unix_ms),
    };
    encoded.is_at(bytes, at)
}

#[cfg(test)]
mod tests;
