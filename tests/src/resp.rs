//! A reply as a value, of RESP2 and RESP3 alike.
//!
//! The two protocols have different bytes for nothing, and both kinds are kept apart here, as are
//! all other types: a test of the server must see what a lenient client library would hide.

use std::fmt;

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `+text`
    Simple(String),
    /// `-text`
    Error(Vec<u8>),
    /// `:number`
    Integer(i64),
    /// `$length`, then the bytes.
    Bulk(Vec<u8>),
    /// `$-1`: nothing in RESP2.
    NullBulk,
    /// `*-1`: no array in RESP2.
    NullArray,
    /// `_`: nothing in RESP3.
    Null,
    /// `*count`, then the elements.
    Array(Vec<Value>),
    /// `,text`
    Double(String),
    /// `#t` or `#f`
    Boolean(bool),
    /// `(digits`
    BigNumber(String),
    /// `=length`, then three letters, a colon and the text.
    Verbatim(String, Vec<u8>),
    /// `%count`, then the pairs.
    Map(Vec<(Value, Value)>),
    /// `~count`, then the elements.
    Set(Vec<Value>),
    /// `>count`, then the elements.
    Push(Vec<Value>),
}

impl Value {
    /// The bytes of a string of any kind, or of an error.
    ///
    /// # Panics
    /// When it is none.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Simple(text) => text.as_bytes(),
            Self::Error(bytes) | Self::Bulk(bytes) | Self::Verbatim(_, bytes) => bytes,
            other => panic!("{other:?} is no string"),
        }
    }

    /// The text of a string of any kind, or of an error.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// The number of an integer.
    ///
    /// # Panics
    /// When it is none.
    pub fn int(&self) -> i64 {
        match self {
            Self::Integer(number) => *number,
            other => panic!("{other:?} is no integer"),
        }
    }

    /// The elements of an array or a set.
    ///
    /// # Panics
    /// When it is none.
    pub fn items(&self) -> &[Value] {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => items,
            other => panic!("{other:?} has no elements"),
        }
    }

    /// The texts of the elements of an array or a set.
    pub fn texts(&self) -> Vec<String> {
        self.items().iter().map(Self::text).collect()
    }

    /// The pairs of a map, or of an array that stands for one in RESP2.
    ///
    /// # Panics
    /// When it is neither.
    pub fn pairs(&self) -> Vec<(Value, Value)> {
        match self {
            Self::Map(pairs) => pairs.clone(),
            Self::Array(items) if items.len() % 2 == 0 => {
                items.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect()
            }
            other => panic!("{other:?} has no pairs"),
        }
    }

    /// Whether it is nothing, in either protocol.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::NullBulk | Self::Null)
    }

    /// Whether it is an error that begins so.
    pub fn is_error(&self, start: &str) -> bool {
        matches!(self, Self::Error(bytes) if bytes.starts_with(start.as_bytes()))
    }
}

impl From<&str> for Value {
    /// A bulk string.
    fn from(text: &str) -> Self {
        Self::Bulk(text.as_bytes().to_vec())
    }
}

/// Where the bytes of replies come from.
pub trait Source {
    /// The next line, without its CRLF.
    fn line(&mut self) -> Vec<u8>;
    /// The next `len` bytes.
    fn take(&mut self, len: usize) -> Vec<u8>;
}

/// Reads one reply.
///
/// # Panics
/// When the bytes are no reply.
pub fn read(source: &mut impl Source) -> Value {
    let line = source.line();
    let Some((kind, rest)) = line.split_first() else { panic!("an empty line for a reply") };
    let text = || String::from_utf8_lossy(rest).into_owned();
    match kind {
        b'+' => Value::Simple(text()),
        b'-' => Value::Error(rest.to_vec()),
        b':' => Value::Integer(number(rest)),
        b'_' => {
            assert!(rest.is_empty(), "a null with text");
            Value::Null
        }
        b',' => Value::Double(text()),
        b'(' => Value::BigNumber(text()),
        b'#' => match rest {
            b"t" => Value::Boolean(true),
            b"f" => Value::Boolean(false),
            _ => panic!("a boolean '{}'", text()),
        },
        b'$' if rest == b"-1" => Value::NullBulk,
        b'*' if rest == b"-1" => Value::NullArray,
        b'$' => Value::Bulk(bulk(source, rest)),
        b'=' => {
            let bytes = bulk(source, rest);
            assert_eq!(bytes.get(3), Some(&b':'), "a verbatim string without a format");
            let format = String::from_utf8_lossy(&bytes[..3]).into_owned();
            Value::Verbatim(format, bytes[4..].to_vec())
        }
        b'*' => Value::Array(items(source, rest)),
        b'~' => Value::Set(items(source, rest)),
        b'>' => Value::Push(items(source, rest)),
        b'%' => Value::Map((0..number(rest)).map(|_| (read(source), read(source))).collect()),
        _ => panic!("no reply begins so: {:?}", String::from_utf8_lossy(&line)),
    }
}

fn number(digits: &[u8]) -> i64 {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    text.parse().unwrap_or_else(|_| panic!("'{text}' for a number"))
}

fn bulk(source: &mut impl Source, length: &[u8]) -> Vec<u8> {
    let length = usize::try_from(number(length)).unwrap();
    let mut bytes = source.take(length + 2);
    assert!(bytes.ends_with(b"\r\n"), "a bulk string does not end where it should");
    bytes.truncate(length);
    bytes
}

fn items(source: &mut impl Source, count: &[u8]) -> Vec<Value> {
    (0..number(count)).map(|_| read(source)).collect()
}

/// The bytes of a command, as clients send it.
pub fn encode(words: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&crate::notation::write(self))
    }
}
