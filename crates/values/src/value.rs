//! A string as commands see it, and strings that are integers.

use memory::Part;

/// Length of the longest decimal `i64`, with its sign.
const INTEGER_TEXT_MAX: usize = 20;

/// A value as a command sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string that is the canonical decimal form of an integer.
    Int(i64),
    /// Any other string.
    Bytes(&'a [u8]),
    /// A string that an entry can hold on to without copying it. Entries show theirs as `Bytes`.
    Part(Part<'a>),
}

impl<'a> Value<'a> {
    /// The value of a string: an integer where the string is one in its canonical form.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Self {
        match bytes {
            [b'0'..=b'9' | b'-', ..] if bytes.len() <= INTEGER_TEXT_MAX => {
                integer_of(bytes).map_or(Value::Bytes(bytes), Value::Int)
            }
            _ => Value::Bytes(bytes),
        }
    }

    /// Length of the string in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Value::Int(number) => itoa::Buffer::new().format(*number).len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Part(part) => part.bytes().len(),
        }
    }

    /// Whether the string has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `with` with the string's bytes.
    #[inline]
    pub fn with_bytes<R>(&self, with: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Value::Int(number) => with(itoa::Buffer::new().format(*number).as_bytes()),
            Value::Bytes(bytes) => with(bytes),
            Value::Part(part) => with(part.bytes()),
        }
    }

    /// The string as owned bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.with_bytes(<[u8]>::to_vec)
    }
}

/// The integer whose canonical decimal form is `text`.
#[inline]
fn integer_of(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    let mut magnitude: u64 = 0;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}
