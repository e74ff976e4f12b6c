//! Splits a line into words by the quoting rules of Redis.
//!
//! ```text
//! SET key "two words\x21\n"      double quotes: \n \r \t \b \a \xHH, \c is c for any other c
//! SET key 'it\'s'                single quotes: only \' is an escape
//! SET k"e y" 1                   a quote may open inside a word, and joins it
//! SET key "a"b                   refused: a closing quote ends the word
//! ```
//!
//! Invariant: every word is made of bytes of the line, so it is never longer than the line. This
//! path serves people with a terminal; it allocates freely and stays out of the hot parser.

use crate::error::ProtocolError;

/// Splits `line` (without its line end) into words; an empty or blank line gives none.
pub fn split_line(line: &[u8]) -> Result<Vec<Vec<u8>>, ProtocolError> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        while let Some((&byte, after)) = rest.split_first()
            && is_space(byte)
        {
            rest = after;
        }
        if rest.is_empty() {
            return Ok(words);
        }
        let mut word = Vec::new();
        rest = read_word(rest, &mut word)?;
        words.push(word);
    }
}

/// What C calls space; a bare word ends at fewer bytes, see [`ends_bare_word`].
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Vertical tab and form feed separate words but do not end one: Redis's own irregularity.
const fn ends_bare_word(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Reads one word that starts at the first byte of `rest`; returns what follows the word.
fn read_word<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'"' | b'\'' => return close_quote(read_quoted(byte, after, word)?),
            _ if ends_bare_word(byte) => return Ok(rest),
            _ => word.push(byte),
        }
        rest = after;
    }
    Ok(rest)
}

/// A closing quote must be followed by a space or the end of the line.
fn close_quote(rest: &[u8]) -> Result<&[u8], ProtocolError> {
    match rest.first() {
        Some(&byte) if !is_space(byte) => Err(ProtocolError::UnbalancedQuotes),
        _ => Ok(rest),
    }
}

/// Reads up to the closing `quote` and returns what follows it. Between single quotes only their
/// own escape is one.
fn read_quoted<'a>(
    quote: u8,
    mut rest: &'a [u8],
    word: &mut Vec<u8>,
) -> Result<&'a [u8], ProtocolError> {
    let is_double = quote == b'"';
    loop {
        rest = match rest {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [byte, after @ ..] if *byte == quote => return Ok(after),
            [b'\\', b'x', high, low, after @ ..]
                if is_double && high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                word.push((hex_value(*high) << 4) | hex_value(*low));
                after
            }
            [b'\\', escaped, after @ ..] if is_double || *escaped == quote => {
                word.push(unescape(*escaped));
                after
            }
            [byte, after @ ..] => {
                word.push(*byte);
                after
            }
        };
    }
}

const fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        _ => byte,
    }
}

/// The value of a hexadecimal digit, zero for any other byte.
pub(crate) const fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit.wrapping_sub(b'0'),
        b'a'..=b'f' => digit.wrapping_sub(b'a' - 10),
        b'A'..=b'F' => digit.wrapping_sub(b'A' - 10),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &[u8], expected: &[&[u8]]) {
        let words = split_line(line).unwrap();
        assert_eq!(words, expected, "{}", line.escape_ascii());
    }

    #[test]
    fn words_follow_the_rules_of_redis() {
        check(b"", &[]);
        check(b" \t \x0b\x0c\r", &[]);
        check(b"PING", &[b"PING"]);
        check(b"  get \t key  ", &[b"get", b"key"]);
        check(b"\"\" ''", &[b"", b""]);
        check(b"echo foo\"b ar\\x41\\q\"", &[b"echo", b"foob arAq"]);
        check(b"echo 'a\\'b\\n'", &[b"echo", b"a'b\\n"]);
        check(b"echo a'b'", &[b"echo", b"ab"]);
        check(b"echo \"\\xzz\\n\"", &[b"echo", b"xzz\n"]);
        check(b"echo \"\\n\\r\\t\\b\\a\\\\\\\"\"", &[b"echo", b"\n\r\t\x08\x07\\\""]);
        check(b"echo \"\\xfF\\x00\"", &[b"echo", b"\xff\x00"]);
        check(b"echo a\x0bb \x0bc", &[b"echo", b"a\x0bb", b"c"]);
        check(b"echo \"a\"\x0b'b'", &[b"echo", b"a", b"b"]);
        check(b"a\\nb", &[b"a\\nb"]);
    }

    #[test]
    fn open_quotes_and_joined_tails_are_refused() {
        let lines: [&[u8]; 8] =
            [b"\"a", b"'a", b"\"a\\\"", b"'a\\'", b"\"a\"b", b"'a'b", b"\"a\"'b'", b"x \"\\"];
        for line in lines {
            let result = split_line(line);
            assert_eq!(result, Err(ProtocolError::UnbalancedQuotes), "{}", line.escape_ascii());
        }
    }
}
