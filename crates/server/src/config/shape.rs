//! What values of parameters look like as text.

/// How the values of a parameter are written.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A whole number in a range.
    Number(i64, i64),
    /// Bytes, with a unit or without, in a range.
    Memory(i64, i64),
    /// Permissions in octal digits.
    Octal,
    /// `yes` or `no`.
    Bool,
    /// One of some words.
    Word(&'static [&'static str]),
    /// Some of these words, shown in the order in which they stand here.
    Words(&'static [&'static str]),
    /// A number with a fraction, in a range.
    Decimal(f64, f64),
    /// Any text.
    Text,
    /// Any words, which in a file and on the command line may be several.
    List,
}

/// `yes` or `no`.
pub const BOOL: Shape = Shape::Bool;
/// Any text.
pub const TEXT: Shape = Shape::Text;
/// Any words.
pub const LIST: Shape = Shape::List;
/// Bytes.
pub const MEMORY: Shape = Shape::Memory(0, i64::MAX);
/// The largest number that C's `int` holds, which limits most of Redis's parameters.
pub const INT: i64 = i32::MAX as i64;
/// A number that is not negative.
pub const COUNT: Shape = Shape::Number(0, INT);
/// A port.
pub const PORT: Shape = Shape::Number(0, 65_535);
/// A part of a whole, or some times it.
pub const RATIO: Shape = Shape::Decimal(-1e9, 1e9);

/// A value that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A number.
    Number(i64),
    /// A text as it is kept.
    Text(String),
}

/// A whole number in a range.
pub const fn int(min: i64, max: i64) -> Shape {
    Shape::Number(min, max)
}

fn within(value: i64, min: i64, max: i64) -> Result<Value, String> {
    if (min..=max).contains(&value) {
        Ok(Value::Number(value))
    } else {
        Err(format!("argument must be between {min} and {max} inclusive"))
    }
}

/// The word among some that a text means.
fn one_of(words: &[&'static str], text: &str) -> Result<&'static str, String> {
    let found = words.iter().copied().find(|word| word.eq_ignore_ascii_case(text));
    found.ok_or_else(|| format!("argument(s) must be one of the following: {}", words.join(", ")))
}

impl Shape {
    /// Whether a value may be several words.
    pub const fn is_many(&self) -> bool {
        matches!(self, Self::List | Self::Words(_))
    }

    /// Reads a value; the error is Redis's.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        match *self {
            Self::Number(min, max) => {
                let error = |_| "argument couldn't be parsed into an integer".to_owned();
                within(text.parse().map_err(error)?, min, max)
            }
            Self::Memory(min, max) => {
                let value = memory(text).ok_or("argument must be a memory value")?;
                within(value, min, max)
            }
            Self::Octal => match i64::from_str_radix(text, 8) {
                Ok(mode) if (0..=0o777).contains(&mode) => Ok(Value::Number(mode)),
                _ => Err("argument couldn't be parsed as an octal number up to 777".to_owned()),
            },
            Self::Bool => match text.to_ascii_lowercase().as_str() {
                "yes" | "true" | "1" => Ok(Value::Number(1)),
                "no" | "false" | "0" => Ok(Value::Number(0)),
                _ => Err("argument must be 'yes' or 'no'".to_owned()),
            },
            Self::Word(words) => one_of(words, text).map(|word| Value::Text(word.to_owned())),
            Self::Words(words) => {
                let given = text.split_ascii_whitespace().map(|word| one_of(words, word));
                let given = given.collect::<Result<Vec<_>, _>>()?;
                let ordered = words.iter().copied().filter(|word| given.contains(word));
                let text = ordered.collect::<Vec<_>>().join(" ");
                if text.is_empty() {
                    one_of(words, "")?;
                }
                Ok(Value::Text(text))
            }
            Self::Decimal(min, max) => match text.parse::<f64>() {
                Ok(value) if (min..=max).contains(&value) => Ok(Value::Text(text.to_owned())),
                Ok(_) => Err(format!("argument must be between {min} and {max} inclusive")),
                Err(_) => Err("argument couldn't be parsed into a number".to_owned()),
            },
            Self::Text => Ok(Value::Text(text.to_owned())),
            Self::List => {
                let words: Vec<&str> = text.split_ascii_whitespace().collect();
                Ok(Value::Text(words.join(" ")))
            }
        }
    }

    /// Writes a number that this shape has read.
    pub fn write(&self, number: i64) -> String {
        match self {
            Self::Bool => if number == 0 { "no" } else { "yes" }.to_owned(),
            Self::Octal => format!("{number:o}"),
            _ => number.to_string(),
        }
    }

    /// Writes what this shape has read.
    pub fn show(&self, value: Value) -> String {
        match value {
            Value::Number(number) => self.write(number),
            Value::Text(text) => text,
        }
    }
}

/// Units of bytes: as in Redis, one with a `b` is a power of two.
const UNITS: &[(&str, i64)] = &[
    ("", 1),
    ("b", 1),
    ("k", 1000),
    ("kb", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1 << 30),
    ("t", 1_000_000_000_000),
    ("tb", 1 << 40),
];

/// Reads bytes with or without a unit: `1024`, `256mb`, `1.5GB`, and as Dragonfly writes it,
/// `256_MB`.
pub fn memory(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_prefix('_').unwrap_or(unit).to_ascii_lowercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    if let Ok(whole) = number.parse::<i64>() {
        return whole.checked_mul(*factor);
    }
    let value = number.parse::<f64>().ok()? * (*factor as f64);
    // Half a byte is none.
    let fits = !unit.is_empty() && value < i64::MAX as f64;
    fits.then_some(value as i64)
}
