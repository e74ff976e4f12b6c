//! Why a command was not carried out: the error texts, all in this place, in Redis's own words.

use std::borrow::Cow;
use std::fmt;

use protocol::reply::Reply;

/// What a handler returns: nothing when it has written its reply, or why it has not.
pub type Outcome = Result<(), Failure>;

/// An error reply, or the wish to run elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The arguments fit no form of the command.
    Syntax,
    /// An argument or a value should be a 64-bit integer.
    NotInteger,
    /// An argument or a value should be a number.
    NotFloat,
    /// The key holds another type.
    WrongType,
    /// A time of expiry is not positive or too large; the command is named.
    InvalidExpire(&'static str),
    /// The number of words is wrong; the command is named, a subcommand with its container.
    Arity(Cow<'static, str>),
    /// A string would become longer than 512 MiB.
    TooLong,
    /// The key should exist.
    NoSuchKey,
    /// A database's number is too large or negative.
    DbRange,
    /// Any other text, with its first word in capitals.
    Text(Cow<'static, str>),
    /// The same, with words of the client's in it, which need not be UTF-8.
    Bytes(Vec<u8>),
    /// The command must wait or takes long: nothing was done; run it in the worker pool.
    Detach,
    /// The same, but without any shard in hand: it will borrow one after another.
    Walk,
    /// Data name more keys than the words do: nothing was done; run it again with these shards,
    /// which ascend.
    Needs(Vec<u16>),
}

impl Failure {
    /// A count or a rank is the one integer that has no opposite.
    pub const NO_OPPOSITE: Self = Self::text(
        "ERR value is out of range, value must between -9223372036854775807 and \
         9223372036854775807",
    );

    /// A failure with a text of its own, with its first word in capitals.
    pub const fn text(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// A text around a word of the client's.
    pub fn quoting(before: &str, word: &[u8], after: &str) -> Self {
        Self::Bytes([before.as_bytes(), shown(word), after.as_bytes()].concat())
    }

    /// Writes the error.
    #[cold]
    pub fn write_to(&self, reply: &mut Reply<'_>) {
        match self {
            Self::Bytes(text) => reply.error_bytes(text),
            _ => reply.error(&self.to_string()),
        }
    }
}

/// What Redis shows of a word in an error: all before a NUL, which ends its texts.
pub fn shown(word: &[u8]) -> &[u8] {
    word.split(|byte| *byte == 0).next().unwrap_or_default()
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => formatter.write_str("ERR syntax error"),
            Self::NotInteger => formatter.write_str("ERR value is not an integer or out of range"),
            Self::NotFloat => formatter.write_str("ERR value is not a valid float"),
            Self::WrongType => formatter
                .write_str("WRONGTYPE Operation against a key holding the wrong kind of value"),
            Self::InvalidExpire(name) => {
                write!(formatter, "ERR invalid expire time in '{name}' command")
            }
            Self::Arity(name) => {
                write!(formatter, "ERR wrong number of arguments for '{name}' command")
            }
            Self::TooLong => {
                formatter.write_str("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
            }
            Self::NoSuchKey => formatter.write_str("ERR no such key"),
            Self::DbRange => formatter.write_str("ERR DB index is out of range"),
            Self::Text(text) => formatter.write_str(text),
            Self::Bytes(text) => formatter.write_str(&String::from_utf8_lossy(text)),
            Self::Detach | Self::Walk | Self::Needs(_) => {
                formatter.write_str("ERR the command could not be run now")
            }
        }
    }
}
