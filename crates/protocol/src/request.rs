//! Cuts the bytes a client sent into commands, without copying an argument.
//!
//! ```text
//! *3\r\n $3\r\n SET \r\n $3\r\n key \r\n $5\r\n value \r\n     a command of three arguments
//!              ~~~          ~~~          ~~~~~          an Arg each, from the command's start
//! ```
//!
//! Any line that does not begin with `*` is an inline command, see [`crate::inline`].
//!
//! The parser is resumable. The caller hands it the bytes from the first byte of the current
//! command on, and when the command is not whole, the same bytes again with more behind them. The
//! parser remembers how far it came, so that each byte is looked at a bounded number of times
//! however small the pieces are, and the outcome never depends on where the pieces were cut.
//!
//! Two paths, one grammar: lengths of one to three digits are read byte by byte in the inlined
//! loop, everything else (longer numbers, partial input, errors) by the functions out of line.
//!
//! Invariant: an [`Arg`] is pushed only when all its bytes have arrived, so it always lies within
//! the buffer, and an announced length or count never reserves memory.

use memchr::memchr;

use crate::error::ProtocolError;
use crate::inline::split_line;
use crate::number::parse_i64;

/// Arguments a client may send in one command before it has logged in, as Redis has it.
const ARGS_BEFORE_LOGIN_MAX: usize = 10;
/// Bytes of one argument before the client has logged in, as Redis has it.
const BULK_LEN_BEFORE_LOGIN_MAX: usize = 16_384;
/// The CRLF behind every argument.
const LINE_END_LEN: usize = 2;

/// How much a client may announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one argument (`proto-max-bulk-len`).
    pub bulk_len_max: usize,
    /// Arguments of one command.
    pub args_max: usize,
    /// Bytes of a line: an inline command, or a length with its marker.
    pub inline_len_max: usize,
    /// Whether the tight limits for strangers apply on top of the ones above.
    pub before_login: bool,
}

impl Limits {
    /// The defaults of Redis for a client that may run commands.
    pub const LOGGED_IN: Self = Self {
        bulk_len_max: 512 * 1024 * 1024,
        // Redis takes counts up to 2^31 - 1 and runs out of memory long before; older versions
        // stopped here, which is far above what any client sends.
        args_max: 1024 * 1024,
        inline_len_max: 64 * 1024,
        before_login: false,
    };

    /// The same for a client that must log in first: 10 arguments of 16,384 bytes.
    pub const BEFORE_LOGIN: Self = Self { before_login: true, ..Self::LOGGED_IN };

    #[inline(always)]
    fn effective_args_max(&self) -> usize {
        if self.before_login { self.args_max.min(ARGS_BEFORE_LOGIN_MAX) } else { self.args_max }
    }

    #[inline(always)]
    fn effective_bulk_len_max(&self) -> usize {
        if self.before_login {
            self.bulk_len_max.min(BULK_LEN_BEFORE_LOGIN_MAX)
        } else {
            self.bulk_len_max
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::LOGGED_IN
    }
}

/// One argument as a range of the buffer, relative to the first byte of its command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arg {
    /// Offset of the argument's first byte.
    pub start: u32,
    /// Number of its bytes.
    pub len: u32,
}

impl Arg {
    /// The argument's bytes in `command`, the buffer that was parsed; empty if it lies outside.
    #[inline]
    pub fn of(self, command: &[u8]) -> &[u8] {
        let start = index(self.start);
        command.get(start..start.saturating_add(index(self.len))).unwrap_or_default()
    }
}

/// What a call of [`Parser::parse`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// The command has not arrived whole; call again with the same bytes and more.
    Incomplete,
    /// One command of `consumed` bytes; its arguments were pushed, none for an empty array.
    Command {
        /// Bytes from the command's first to the first of the next.
        consumed: usize,
    },
    /// One inline command; unescaping changes bytes, so its arguments are owned. An empty line
    /// has none.
    Inline {
        /// Bytes of the line with its end.
        consumed: usize,
        /// The words of the line.
        args: Vec<Vec<u8>>,
    },
}

/// The resumable state of one partial command.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    /// Where the next length line begins; zero until the array's count was read.
    position: usize,
    /// Arguments still to come.
    args_left: usize,
    /// No byte before this one ends the line that begins at `position`.
    searched: usize,
    /// Where the argument ends of which the length is known and bytes are missing, or zero.
    wanted: usize,
}

impl Parser {
    /// Reads one command from `buf`, which begins at the command's first byte.
    ///
    /// Appends to `args` and never reads or removes what is there; the arguments of a partial
    /// command stay in it, and the next call continues behind them. After an error neither the
    /// parser nor the arguments pushed by this command mean anything.
    #[inline]
    pub fn parse(
        &mut self,
        buf: &[u8],
        limits: &Limits,
        args: &mut Vec<Arg>,
    ) -> Result<Parsed, ProtocolError> {
        let mut position = self.position;
        let mut args_left = self.args_left;
        if position == 0 {
            match short_header(buf, b'*') {
                Some(count) if (1..=limits.effective_args_max()).contains(&count.value) => {
                    position = count.len;
                    args_left = count.value;
                }
                _ => match self.begin(buf, limits)? {
                    Begin::Array { count, next } => {
                        position = next;
                        args_left = count;
                    }
                    Begin::Done(parsed) => return Ok(parsed),
                },
            }
        }
        let bulk_len_max = limits.effective_bulk_len_max();
        while args_left > 0 {
            let (arg, next) = match short_bulk(buf, position, bulk_len_max) {
                Some(found) => found,
                None => match self.long_bulk(buf, position, limits)? {
                    Some(found) => found,
                    None => {
                        self.position = position;
                        self.args_left = args_left;
                        return Ok(Parsed::Incomplete);
                    }
                },
            };
            args.push(arg);
            position = next;
            args_left = args_left.wrapping_sub(1);
        }
        *self = Self::default();
        Ok(Parsed::Command { consumed: position })
    }

    /// Bytes of the command that the current argument needs, its line end included, once its length
    /// is known; zero before.
    #[inline]
    pub fn wanted(&self) -> usize {
        self.wanted
    }

    /// About how many bytes of these are the argument itself.
    pub fn wanted_argument(&self) -> usize {
        self.wanted.saturating_sub(self.position)
    }

    /// Whether no part of a command was seen yet: the connection may be closed or put to sleep.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.position == 0 && self.searched == 0
    }

    /// Reads an inline command, or the count of an array the short path did not take.
    #[inline(never)]
    fn begin(&mut self, buf: &[u8], limits: &Limits) -> Result<Begin, ProtocolError> {
        match buf.first() {
            None => return Ok(Begin::Done(Parsed::Incomplete)),
            Some(b'*') => {}
            Some(_) => return Ok(Begin::Done(self.inline_command(buf, limits)?)),
        }
        let kind = LengthLine::MULTIBULK;
        let Some((count, next)) = self.length_line(buf, 0, kind, limits)? else {
            return Ok(Begin::Done(Parsed::Incomplete));
        };
        // Redis looks at the limit for strangers only when the count fits an `int`.
        let stranger = limits.before_login && count <= i64::from(i32::MAX);
        match usize::try_from(count) {
            // Zero and negative counts are commands without arguments, skipped by the caller.
            Err(_) | Ok(0) => {
                *self = Self::default();
                Ok(Begin::Done(Parsed::Command { consumed: next }))
            }
            Ok(count) if stranger && count > ARGS_BEFORE_LOGIN_MAX => {
                Err(ProtocolError::UnauthenticatedMultibulkLength)
            }
            Ok(count) if count > limits.args_max => Err(kind.invalid),
            Ok(count) => Ok(Begin::Array { count, next }),
        }
    }

    #[cold]
    fn inline_command(&mut self, buf: &[u8], limits: &Limits) -> Result<Parsed, ProtocolError> {
        let too_long = ProtocolError::InlineTooLong;
        let Some(end) = self.line_end(buf, 0, b'\n', limits.inline_len_max, too_long)? else {
            return Ok(Parsed::Incomplete);
        };
        let line = buf.get(..end).unwrap_or_default();
        let args = split_line(line.strip_suffix(b"\r").unwrap_or(line))?;
        *self = Self::default();
        Ok(Parsed::Inline { consumed: end.saturating_add(1), args })
    }

    /// Reads one argument of any length at `position`; returns it and where the next one begins.
    #[inline(never)]
    fn long_bulk(
        &mut self,
        buf: &[u8],
        position: usize,
        limits: &Limits,
    ) -> Result<Option<(Arg, usize)>, ProtocolError> {
        self.wanted = 0;
        match buf.get(position) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(&other) => return Err(ProtocolError::ExpectedDollar(other)),
        }
        let kind = LengthLine::BULK;
        let Some((len, start)) = self.length_line(buf, position, kind, limits)? else {
            return Ok(None);
        };
        let len = usize::try_from(len).map_err(|_| kind.invalid)?;
        if len > limits.bulk_len_max {
            return Err(kind.invalid);
        }
        if limits.before_login && len > BULK_LEN_BEFORE_LOGIN_MAX {
            return Err(ProtocolError::UnauthenticatedBulkLength);
        }
        // Refused before the bytes arrive: nobody should send 4 GiB to learn it was in vain.
        let (Ok(arg_start), Ok(arg_len)) = (u32::try_from(start), u32::try_from(len)) else {
            return Err(ProtocolError::CommandTooLong);
        };
        let end = start.checked_add(len).ok_or(ProtocolError::CommandTooLong)?;
        match buf.get(end..).and_then(|tail| tail.first_chunk::<LINE_END_LEN>()) {
            None => {
                self.wanted = end.saturating_add(LINE_END_LEN);
                Ok(None)
            }
            Some(b"\r\n") => {
                let arg = Arg { start: arg_start, len: arg_len };
                Ok(Some((arg, end.saturating_add(LINE_END_LEN))))
            }
            Some(_) => Err(ProtocolError::MissingBulkEnd),
        }
    }

    /// Reads the number of the line at `start`, behind its marker; returns it and the next line's
    /// start.
    fn length_line(
        &mut self,
        buf: &[u8],
        start: usize,
        kind: LengthLine,
        limits: &Limits,
    ) -> Result<Option<(i64, usize)>, ProtocolError> {
        let len_max = limits.inline_len_max;
        let Some(end) = self.line_end(buf, start, b'\r', len_max, kind.too_long)? else {
            return Ok(None);
        };
        match buf.get(end.saturating_add(1)) {
            None => {
                self.searched = end;
                return Ok(None);
            }
            Some(b'\n') => {}
            Some(_) => return Err(kind.invalid),
        }
        let digits = buf.get(start.saturating_add(1)..end).unwrap_or_default();
        let value = parse_i64(digits).ok_or(kind.invalid)?;
        Ok(Some((value, end.saturating_add(LINE_END_LEN))))
    }

    /// Finds the byte that ends the line at `start`.
    ///
    /// Only the bytes a line may have are searched, even when more have arrived: else the same
    /// input would pass or fail by how it was cut into pieces.
    fn line_end(
        &mut self,
        buf: &[u8],
        start: usize,
        terminator: u8,
        len_max: usize,
        too_long: ProtocolError,
    ) -> Result<Option<usize>, ProtocolError> {
        let limit = start.saturating_add(len_max).saturating_add(1);
        let from = self.searched.max(start);
        let window = buf.get(from..limit.min(buf.len())).unwrap_or_default();
        if let Some(found) = memchr(terminator, window) {
            return Ok(Some(from.saturating_add(found)));
        }
        if buf.len() >= limit {
            return Err(too_long);
        }
        self.searched = buf.len();
        Ok(None)
    }
}

/// How a command begins.
enum Begin {
    /// An array of so many arguments, the first at `next`.
    Array { count: usize, next: usize },
    /// Nothing is left to read: an inline command, an empty array, or too few bytes.
    Done(Parsed),
}

/// The errors of one of the two kinds of length line.
#[derive(Clone, Copy)]
struct LengthLine {
    invalid: ProtocolError,
    too_long: ProtocolError,
}

impl LengthLine {
    const MULTIBULK: Self = Self {
        invalid: ProtocolError::InvalidMultibulkLength,
        too_long: ProtocolError::MultibulkLineTooLong,
    };
    const BULK: Self = Self {
        invalid: ProtocolError::InvalidBulkLength,
        too_long: ProtocolError::BulkLineTooLong,
    };
}

/// A length line of one to three digits.
struct ShortHeader {
    /// The number, 0 to 999.
    value: usize,
    /// Bytes of the line with its marker and CRLF, 4 to 6.
    len: usize,
}

/// Reads a length line of up to three digits; `None` sends the caller to the long path.
///
/// Six bytes are asked for at once, so that one bounds check covers the line. The shortest whole
/// argument, `$0\r\n\r\n`, has that many, so nothing common falls out.
#[inline(always)]
fn short_header(bytes: &[u8], marker: u8) -> Option<ShortHeader> {
    let &[first, a, b, c, d, e] = bytes.first_chunk::<6>()?;
    let (x, y, z) = (digit(a), digit(b), digit(c));
    if first != marker || x > 9 {
        return None;
    }
    if is_line_end(b, c) {
        return Some(ShortHeader { value: x, len: 4 });
    }
    if x == 0 || y > 9 {
        return None;
    }
    let value = x.wrapping_mul(10).wrapping_add(y);
    if is_line_end(c, d) {
        return Some(ShortHeader { value, len: 5 });
    }
    if z > 9 || !is_line_end(d, e) {
        return None;
    }
    Some(ShortHeader { value: value.wrapping_mul(10).wrapping_add(z), len: 6 })
}

/// Reads a whole argument with a short header at `position`.
#[inline(always)]
fn short_bulk(buf: &[u8], position: usize, bulk_len_max: usize) -> Option<(Arg, usize)> {
    let rest = buf.get(position..)?;
    let header = short_header(rest, b'$')?;
    // All sums are below 1,008 except those with `position`, an index of a buffer in memory.
    let end = header.len.wrapping_add(header.value);
    let &[carriage_return, line_feed] = rest.get(end..end.wrapping_add(LINE_END_LEN))? else {
        return None;
    };
    if header.value > bulk_len_max || !is_line_end(carriage_return, line_feed) {
        return None;
    }
    let start = u32::try_from(position.wrapping_add(header.len)).ok()?;
    let len = u32::try_from(header.value).ok()?;
    Some((Arg { start, len }, position.wrapping_add(end).wrapping_add(LINE_END_LEN)))
}

/// The value of a digit, above 9 for any other byte.
#[inline(always)]
fn digit(byte: u8) -> usize {
    usize::from(byte.wrapping_sub(b'0'))
}

/// Whether two bytes are CRLF, as one comparison of 16 bits.
#[inline(always)]
fn is_line_end(carriage_return: u8, line_feed: u8) -> bool {
    u16::from_le_bytes([carriage_return, line_feed]) == u16::from_le_bytes(*b"\r\n")
}

/// A 32-bit offset as an index; every platform we run on has 64 bits.
#[inline(always)]
fn index(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
