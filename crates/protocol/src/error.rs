//! What a client can get wrong in the framing of a request.
//!
//! Each text is the one Redis sends, because client libraries match on them; the two at the end
//! are ours. After such an error the bytes that follow have no meaning any more, so the caller
//! sends the error and closes the connection.

use std::fmt;

/// A request that cannot be framed; `Display` gives the text of Redis without `ERR `.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The count after `*` is no number or too large.
    InvalidMultibulkLength,
    /// The length after `$` is no number, negative or too large.
    InvalidBulkLength,
    /// An argument begins with this byte instead of `$`.
    ExpectedDollar(u8),
    /// The line after `*` does not end.
    MultibulkLineTooLong,
    /// The line after `$` does not end.
    BulkLineTooLong,
    /// The line of an inline command does not end.
    InlineTooLong,
    /// A quote is left open, or text follows a closing quote directly.
    UnbalancedQuotes,
    /// More arguments than a client that has not logged in may send.
    UnauthenticatedMultibulkLength,
    /// A longer argument than a client that has not logged in may send.
    UnauthenticatedBulkLength,
    /// The bytes of an argument are not followed by CRLF. Redis skips these two bytes unseen; we
    /// refuse, because a client that miscounts would else have its values read as commands.
    MissingBulkEnd,
    /// One command is longer than an argument's 32-bit offset can tell. Redis stops such a client
    /// earlier, by its limit of 1 GiB on the query buffer.
    CommandTooLong,
}

impl ProtocolError {
    /// The text up to the offending byte, if there is one, else the whole text.
    const fn text(self) -> &'static str {
        match self {
            Self::InvalidMultibulkLength => "Protocol error: invalid multibulk length",
            Self::InvalidBulkLength => "Protocol error: invalid bulk length",
            Self::ExpectedDollar(_) => "Protocol error: expected '$', got '",
            Self::MultibulkLineTooLong => "Protocol error: too big mbulk count string",
            Self::BulkLineTooLong => "Protocol error: too big bulk count string",
            Self::InlineTooLong => "Protocol error: too big inline request",
            Self::UnbalancedQuotes => "Protocol error: unbalanced quotes in request",
            Self::UnauthenticatedMultibulkLength => {
                "Protocol error: unauthenticated multibulk length"
            }
            Self::UnauthenticatedBulkLength => "Protocol error: unauthenticated bulk length",
            Self::MissingBulkEnd => "Protocol error: expected CRLF after bulk",
            Self::CommandTooLong => "Protocol error: command longer than 4 GiB",
        }
    }

    /// Appends the text with the offending byte as it came, which need not be UTF-8.
    pub(crate) fn write_to(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text().as_bytes());
        if let Self::ExpectedDollar(byte) = self {
            out.extend_from_slice(&[byte, b'\'']);
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.text())?;
        match *self {
            Self::ExpectedDollar(byte) => write!(formatter, "{}'", char::from(byte)),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ProtocolError {}
