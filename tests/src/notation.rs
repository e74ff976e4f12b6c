//! How a reply is written in a transcript.
//!
//! ```text
//! +OK   -ERR text   :42            as on the wire, to the end of the line
//! "text\r\n\x00"                   a bulk string
//! (nil)   (nil-array)              nothing: in RESP2 $-1 and *-1, in RESP3 _
//! [:1, "a", (nil)]                 an array
//! ~[+a, +b]   %{"a": :1}           a set, a map, in any order; in RESP2 an array
//! ,1.5   #t   =txt:"text"          a double, a boolean, a verbatim string; in RESP2 bulk strings
//!                                  (a boolean an integer)
//! *                                anything
//! :*   :5..7                       any integer, one in a range
//! like "id=* db=0*"                a bulk string (=txt:like …: a verbatim one); * is any text
//! -like "ERR *"                    an error
//! unordered [...]                  an array whose order does not matter
//! ```
//!
//! So one line says what is expected in both protocols. Within brackets, texts behind `+` and `-`
//! end before a comma or bracket, or are in quotes.

use crate::resp::Value;

/// What a reply should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Anything.
    Any,
    /// Nothing, where a string could be.
    Nil,
    /// Nothing, where an array could be.
    NilArray,
    /// A simple string.
    Simple(Text),
    /// An error.
    Error(Text),
    /// An integer in a range.
    Integer(i64, i64),
    /// A bulk string.
    Bulk(Text),
    /// A double.
    Double(String),
    /// A boolean.
    Boolean(bool),
    /// A verbatim string.
    Verbatim(String, Text),
    /// An array.
    Array(Vec<Pattern>),
    /// An array in any order.
    Unordered(Vec<Pattern>),
    /// A set.
    Set(Vec<Pattern>),
    /// A map.
    Map(Vec<(Pattern, Pattern)>),
}

/// What a text should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// These bytes.
    Exact(Vec<u8>),
    /// Bytes with these pieces, and anything between them.
    Like(Vec<Vec<u8>>),
}

impl Text {
    fn matches(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Exact(expected) => expected == bytes,
            Self::Like(pieces) => like(pieces, bytes),
        }
    }
}

fn like(pieces: &[Vec<u8>], bytes: &[u8]) -> bool {
    let [first, rest @ ..] = pieces else { return bytes.is_empty() };
    let Some(mut left) = bytes.strip_prefix(first.as_slice()) else { return false };
    let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
    for piece in middle {
        let found = (0..=left.len()).find(|&at| left[at..].starts_with(piece));
        let Some(at) = found else { return false };
        left = &left[at + piece.len()..];
    }
    left.ends_with(last)
}

impl Pattern {
    /// Whether a reply is what it should be, in the protocol of the connection.
    pub fn matches(&self, value: &Value, resp3: bool) -> bool {
        match (self, value) {
            (Self::Any, _) => true,
            (Self::Nil, Value::NullBulk) => !resp3,
            (Self::NilArray, Value::NullArray) => !resp3,
            (Self::Nil | Self::NilArray, Value::Null) => resp3,
            (Self::Simple(text), Value::Simple(found)) => text.matches(found.as_bytes()),
            (Self::Error(text), Value::Error(found)) => text.matches(found),
            (Self::Integer(low, high), Value::Integer(found)) => (low..=high).contains(&found),
            (Self::Bulk(text), Value::Bulk(found)) => text.matches(found),
            (Self::Double(text), Value::Double(found)) => resp3 && text == found,
            (Self::Double(text), Value::Bulk(found)) => !resp3 && text.as_bytes() == found,
            (Self::Boolean(wanted), Value::Boolean(found)) => resp3 && wanted == found,
            (Self::Boolean(wanted), Value::Integer(n)) => !resp3 && i64::from(*wanted) == *n,
            (Self::Verbatim(format, text), Value::Verbatim(kind, found)) => {
                resp3 && format == kind && text.matches(found)
            }
            (Self::Verbatim(_, text), Value::Bulk(found)) => !resp3 && text.matches(found),
            (Self::Array(items), Value::Array(found)) => {
                items.len() == found.len()
                    && items.iter().zip(found).all(|(item, value)| item.matches(value, resp3))
            }
            (Self::Unordered(items), Value::Array(found)) => any_order(items, found, resp3),
            (Self::Set(items), Value::Set(found)) => resp3 && any_order(items, found, resp3),
            (Self::Set(items), Value::Array(found)) => !resp3 && any_order(items, found, resp3),
            (Self::Map(pairs), Value::Map(_)) => resp3 && same_pairs(pairs, value, resp3),
            (Self::Map(pairs), Value::Array(found)) => {
                !resp3 && found.len() == 2 * pairs.len() && same_pairs(pairs, value, resp3)
            }
            _ => false,
        }
    }
}

fn any_order(items: &[Pattern], found: &[Value], resp3: bool) -> bool {
    let mut left: Vec<&Value> = found.iter().collect();
    items.len() == found.len()
        && items.iter().all(|item| {
            let at = left.iter().position(|value| item.matches(value, resp3));
            at.map(|at| left.swap_remove(at)).is_some()
        })
}

fn same_pairs(pairs: &[(Pattern, Pattern)], value: &Value, resp3: bool) -> bool {
    let mut left = value.pairs();
    pairs.len() == left.len()
        && pairs.iter().all(|(key, item)| {
            let fits =
                |pair: &(Value, Value)| key.matches(&pair.0, resp3) && item.matches(&pair.1, resp3);
            let at = left.iter().position(fits);
            at.map(|at| left.swap_remove(at)).is_some()
        })
}

/// Reads a whole pattern.
pub fn parse(text: &str) -> Result<Pattern, String> {
    let mut parser = Parser { rest: text.trim_start(), nested: false };
    let pattern = parser.pattern()?;
    if parser.rest.trim().is_empty() {
        Ok(pattern)
    } else {
        Err(format!("'{}' behind the end of a reply", parser.rest))
    }
}

struct Parser<'a> {
    rest: &'a str,
    /// Whether this is within brackets.
    nested: bool,
}

impl Parser<'_> {
    fn pattern(&mut self) -> Result<Pattern, String> {
        for (start, pattern) in [("(nil-array)", Pattern::NilArray), ("(nil)", Pattern::Nil)] {
            if self.eat(start) {
                return Ok(pattern);
            }
        }
        if self.eat("unordered ") {
            return Ok(Pattern::Unordered(self.list()?));
        }
        if self.rest.starts_with('"') || self.rest.starts_with("like ") {
            return Ok(Pattern::Bulk(self.text()?));
        }
        if self.rest.starts_with('[') {
            return Ok(Pattern::Array(self.list()?));
        }
        let mut chars = self.rest.chars();
        let kind = chars.next().ok_or("no reply")?;
        self.rest = chars.as_str();
        match kind {
            '*' => Ok(Pattern::Any),
            '+' => Ok(Pattern::Simple(self.text()?)),
            '-' => Ok(Pattern::Error(self.text()?)),
            ':' => self.integer(),
            ',' => Ok(Pattern::Double(self.word().to_owned())),
            '#' => Ok(Pattern::Boolean(self.word() == "t")),
            '~' => Ok(Pattern::Set(self.list()?)),
            '%' => self.map(),
            '=' => {
                let (format, rest) =
                    self.rest.split_once(':').ok_or("a verbatim without format")?;
                let format = format.to_owned();
                self.rest = rest;
                Ok(Pattern::Verbatim(format, self.text()?))
            }
            other => Err(format!("no reply begins with '{other}'")),
        }
    }

    fn eat(&mut self, start: &str) -> bool {
        let rest = self.rest.strip_prefix(start);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn integer(&mut self) -> Result<Pattern, String> {
        let word = self.word();
        if word == "*" {
            return Ok(Pattern::Integer(i64::MIN, i64::MAX));
        }
        let (low, high) = word.split_once("..").unwrap_or((word, word));
        match (low.parse(), high.parse()) {
            (Ok(low), Ok(high)) => Ok(Pattern::Integer(low, high)),
            _ => Err(format!("'{word}' is no integer")),
        }
    }

    /// A word without spaces or brackets.
    fn word(&mut self) -> &str {
        let end = self.rest.find([' ', ',', ']', '}', '\n']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn text(&mut self) -> Result<Text, String> {
        let is_like = self.eat("like ");
        let bytes = if self.rest.starts_with('"') { self.quoted()? } else { self.plain() };
        if !is_like {
            return Ok(Text::Exact(bytes));
        }
        Ok(Text::Like(bytes.split(|&byte| byte == b'*').map(<[u8]>::to_vec).collect()))
    }

    fn plain(&mut self) -> Vec<u8> {
        let end = if self.nested {
            self.rest.find([',', ']', '}', ':', '\n'])
        } else {
            self.rest.find('\n')
        };
        let (text, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        text.as_bytes().to_vec()
    }

    fn quoted(&mut self) -> Result<Vec<u8>, String> {
        let (bytes, rest) = unquote(self.rest)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn list(&mut self) -> Result<Vec<Pattern>, String> {
        let mut items = Vec::new();
        self.bracketed('[', ']', |parser| {
            items.push(parser.pattern()?);
            Ok(())
        })?;
        Ok(items)
    }

    fn map(&mut self) -> Result<Pattern, String> {
        let mut pairs = Vec::new();
        self.bracketed('{', '}', |parser| {
            let key = parser.pattern()?;
            parser.skip_space();
            if !parser.eat(":") {
                return Err("a key without a colon behind it".into());
            }
            parser.skip_space();
            pairs.push((key, parser.pattern()?));
            Ok(())
        })?;
        Ok(Pattern::Map(pairs))
    }

    fn bracketed(
        &mut self,
        open: char,
        close: char,
        mut item: impl FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        if !self.eat(&open.to_string()) {
            return Err(format!("'{open}' is missing before '{}'", self.rest));
        }
        let outer = std::mem::replace(&mut self.nested, true);
        loop {
            self.skip_space();
            if self.eat(&close.to_string()) {
                self.nested = outer;
                return Ok(());
            }
            item(self)?;
            self.skip_space();
            self.eat(",");
            if self.rest.is_empty() {
                return Err(format!("'{close}' is missing"));
            }
        }
    }
}

/// Reads a text in double quotes at the start of `text`; returns its bytes and what follows.
pub fn unquote(text: &str) -> Result<(Vec<u8>, &str), String> {
    let mut bytes = Vec::new();
    let mut rest = text.strip_prefix('"').ok_or("a quote is missing")?;
    loop {
        let mut chars = rest.chars();
        let Some(char) = chars.next() else { return Err(format!("{text} has no end")) };
        rest = chars.as_str();
        match char {
            '"' => return Ok((bytes, rest)),
            '\\' => {
                let escaped = chars.next().ok_or("a backslash at the end")?;
                rest = chars.as_str();
                bytes.push(match escaped {
                    'n' => b'\n',
                    'r' => b'\r',
                    't' => b'\t',
                    'x' => {
                        let digits = rest.get(..2).ok_or("an incomplete \\x")?;
                        rest = &rest[2..];
                        u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?
                    }
                    '\\' | '"' | '*' => escaped as u8,
                    other => return Err(format!("an unknown escape \\{other}")),
                });
            }
            plain => bytes.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Bytes in double quotes.
pub fn quote(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            b'\\' | b'"' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text + "\""
}

/// The longest reply that is written in one line.
const LINE_LEN_MAX: usize = 100;

/// Writes a reply so that it can be read as the pattern of itself.
pub fn write(value: &Value) -> String {
    match value {
        Value::Simple(text) => plain('+', text.as_bytes()),
        Value::Error(bytes) => plain('-', bytes),
        Value::Integer(number) => format!(":{number}"),
        Value::Bulk(bytes) => quote(bytes),
        Value::NullBulk | Value::Null => "(nil)".into(),
        Value::NullArray => "(nil-array)".into(),
        Value::Double(text) => format!(",{text}"),
        Value::Boolean(value) => if *value { "#t" } else { "#f" }.into(),
        Value::BigNumber(text) => format!("({text}"),
        Value::Verbatim(format, bytes) => format!("={format}:{}", quote(bytes)),
        Value::Array(items) => list("[", items.iter().map(write).collect(), "]"),
        Value::Set(items) => list("~[", items.iter().map(write).collect(), "]"),
        Value::Push(items) => list(">[", items.iter().map(write).collect(), "]"),
        Value::Map(pairs) => {
            let pair = |(key, value): &(Value, Value)| format!("{}: {}", write(key), write(value));
            list("%{", pairs.iter().map(pair).collect(), "}")
        }
    }
}

fn plain(kind: char, bytes: &[u8]) -> String {
    let is_plain = bytes.iter().all(|byte| (b' '..=b'~').contains(byte))
        && !bytes.ends_with(b" ")
        && !bytes.iter().any(|byte| b"\",]}:".contains(byte));
    let text = String::from_utf8_lossy(bytes).into_owned();
    if is_plain || kind == '-' && !bytes.ends_with(b" ") && bytes.is_ascii() {
        format!("{kind}{text}")
    } else {
        format!("{kind}{}", quote(bytes))
    }
}

fn list(open: &str, items: Vec<String>, close: &str) -> String {
    let line = format!("{open}{}{close}", items.join(", "));
    if line.len() <= LINE_LEN_MAX && !line.contains('\n') {
        return line;
    }
    let body = items.join(",\n").replace('\n', "\n  ");
    format!("{open}\n  {body}\n{close}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_itself() {
        let values = [
            Value::Simple("OK".into()),
            Value::Error(b"ERR 'a' b ".to_vec()),
            Value::Integer(-7),
            Value::from("a\r\n\"\\\u{e9} *"),
            Value::Null,
            Value::Array(vec![Value::from("x"), Value::Integer(1), Value::Simple("a b".into())]),
            Value::Map(vec![(Value::from("k"), Value::Array(vec![]))]),
            Value::Set(vec![Value::Simple("@read".into())]),
            Value::Verbatim("txt".into(), b"a\n".to_vec()),
            Value::Double("1.5".into()),
        ];
        for value in values.iter().chain([&Value::Array(vec![Value::from("long"); 50])]) {
            let text = write(value);
            let pattern = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(pattern.matches(value, true), "{text}");
            assert!(!pattern.matches(&Value::from("other"), true), "{text}");
        }
    }

    #[test]
    fn wild_cards() {
        for (text, value, expected) in [
            ("*", Value::Integer(1), true),
            (":5..7", Value::Integer(7), true),
            (":5..7", Value::Integer(8), false),
            ("like \"a*c\"", Value::from("abc"), true),
            ("like \"a*c\"", Value::from("ab"), false),
            ("like \"*b*\"", Value::from("abc"), true),
            ("like \"aa*a\"", Value::from("aa"), false),
            ("-like \"ERR *\"", Value::Error(b"ERR x".to_vec()), true),
            ("unordered [:1, :2]", Value::Array(vec![Value::Integer(2), Value::Integer(1)]), true),
            ("[:1, :2]", Value::Array(vec![Value::Integer(2), Value::Integer(1)]), false),
        ] {
            assert_eq!(parse(text).unwrap().matches(&value, true), expected, "{text} {value:?}");
        }
    }

    #[test]
    fn protocols_differ() {
        let map = parse("%{\"a\": :1}").unwrap();
        let flat = Value::Array(vec![Value::from("a"), Value::Integer(1)]);
        assert!(map.matches(&flat, false) && !map.matches(&flat, true));
        let nil = parse("(nil)").unwrap();
        assert!(nil.matches(&Value::NullBulk, false) && !nil.matches(&Value::NullBulk, true));
        assert!(nil.matches(&Value::Null, true) && !nil.matches(&Value::Null, false));
        assert!(!nil.matches(&Value::NullArray, false));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "what", "[:1", "\"open", ":x", "%{:1 :2}", "(nil) (nil)"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
