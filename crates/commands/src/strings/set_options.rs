//! The options behind SET and its like: what happens to the expiry, under which condition, and what
//! is replied.
//!
//! Only the grammar is checked here. The words of deadlines are kept as they are, because Redis
//! complains about grammar first and because GETEX looks at a deadline only when the key exists.

use bitflags::bitflags;

use super::conditions::{Comparison, Condition};
use crate::deadline::{Unit, deadline};
use crate::failure::Failure;

/// Length of the longest option in any of these commands.
const WORD_LEN_MAX: usize = 8;

bitflags! {
    /// The options that a command knows.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Takes: u8 {
        /// EX, PX, EXAT and PXAT.
        const DEADLINE = 1;
        /// KEEPTTL.
        const KEEP = 1 << 1;
        /// PERSIST.
        const PERSIST = 1 << 2;
        /// NX and XX.
        const EXISTENCE = 1 << 3;
        /// IFEQ, IFNE, IFDEQ and IFDNE.
        const COMPARISON = 1 << 4;
        /// GET.
        const GET = 1 << 5;
        /// STICK, of Dragonfly.
        const STICK = 1 << 6;
        /// Those of SET.
        const SET = Self::DEADLINE.bits() | Self::KEEP.bits() | Self::EXISTENCE.bits()
            | Self::COMPARISON.bits() | Self::GET.bits() | Self::STICK.bits();
        /// Those of GETEX.
        const GETEX = Self::DEADLINE.bits() | Self::PERSIST.bits();
        /// Those of MSETEX.
        const MSETEX = Self::DEADLINE.bits() | Self::KEEP.bits() | Self::EXISTENCE.bits();
    }
}

/// What shall happen to the expiry; `T` is a deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry<T> {
    /// Nothing was said.
    #[default]
    Unsaid,
    /// It stays as it is.
    Keep,
    /// It is taken away.
    Persist,
    /// It is set.
    At(T),
}

/// A deadline as the client wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written<'a> {
    word: &'a [u8],
    unit: Unit,
    absolute: bool,
}

/// The options of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options<'a> {
    /// What happens to the expiry.
    pub expiry: Expiry<Written<'a>>,
    /// When anything happens at all.
    pub condition: Condition<'a>,
    /// Whether the old value is replied.
    pub get: bool,
    /// Whether cache eviction shall pass the entry by.
    pub stick: bool,
}

/// An option's word in capitals.
pub struct Capitals {
    bytes: [u8; WORD_LEN_MAX],
    len: usize,
}

impl Capitals {
    /// A word in capitals; one that is too long for an option becomes empty.
    pub fn of(word: &[u8]) -> Self {
        let mut bytes = [0; WORD_LEN_MAX];
        let Some(room) = bytes.get_mut(..word.len()) else { return Self { bytes, len: 0 } };
        room.copy_from_slice(word);
        bytes.make_ascii_uppercase();
        Self { bytes, len: word.len() }
    }

    /// The word.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl<'a> Expiry<Written<'a>> {
    /// The option of a word in capitals, with its operand from `words`.
    pub fn read(word: &[u8], words: &mut impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let (unit, absolute) = match word {
            b"EX" => (Unit::Seconds, false),
            b"PX" => (Unit::Millis, false),
            b"EXAT" => (Unit::Seconds, true),
            b"PXAT" => (Unit::Millis, true),
            b"KEEPTTL" => return Some(Self::Keep),
            b"PERSIST" => return Some(Self::Persist),
            _ => return None,
        };
        Some(Self::At(Written { word: words.next()?, unit, absolute }))
    }

    /// The same with its deadline in milliseconds of Unix time.
    pub fn resolve(self, now_ms: u64, command: &'static str) -> Result<Expiry<u64>, Failure> {
        Ok(match self {
            Self::Unsaid => Expiry::Unsaid,
            Self::Keep => Expiry::Keep,
            Self::Persist => Expiry::Persist,
            Self::At(Written { word, unit, absolute }) => {
                Expiry::At(deadline(word, unit, absolute, now_ms, command)?)
            }
        })
    }

    fn needs(self) -> Takes {
        match self {
            Self::Unsaid => Takes::empty(),
            Self::Keep => Takes::KEEP,
            Self::Persist => Takes::PERSIST,
            Self::At(_) => Takes::DEADLINE,
        }
    }

    /// Whether `self` may follow `earlier`: an option may be repeated, but not mixed with others.
    fn agrees_with(self, earlier: Self) -> bool {
        match (earlier, self) {
            (Self::Unsaid, _) => true,
            (Self::At(a), Self::At(b)) => a.unit == b.unit && a.absolute == b.absolute,
            (a, b) => a == b,
        }
    }
}

/// Reads the options of a command that takes these.
pub fn parse<'a>(
    mut words: impl Iterator<Item = &'a [u8]>,
    takes: Takes,
) -> Result<Options<'a>, Failure> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let word = Capitals::of(word);
        let needs = options.take(word.bytes(), &mut words).ok_or(Failure::Syntax)?;
        if !takes.contains(needs) {
            return Err(Failure::Syntax);
        }
    }
    Ok(options)
}

impl<'a> Options<'a> {
    /// Adds the option of a word in capitals, unless it contradicts an earlier one; returns what
    /// the command must know for it.
    fn take(&mut self, word: &[u8], words: &mut impl Iterator<Item = &'a [u8]>) -> Option<Takes> {
        match word {
            b"NX" => self.require(Condition::Absent),
            b"XX" => self.require(Condition::Present),
            b"GET" => {
                self.get = true;
                Some(Takes::GET)
            }
            b"STICK" => {
                self.stick = true;
                Some(Takes::STICK)
            }
            [b'I', b'F', ..] => {
                let comparison = Comparison::of(word, words.next()?)?;
                (self.condition == Condition::Always).then_some(())?;
                self.condition = Condition::If(comparison);
                Some(Takes::COMPARISON)
            }
            _ => {
                let expiry = Expiry::read(word, words)?;
                expiry.agrees_with(self.expiry).then_some(())?;
                self.expiry = expiry;
                Some(expiry.needs())
            }
        }
    }

    fn require(&mut self, condition: Condition<'a>) -> Option<Takes> {
        let agrees = self.condition == Condition::Always || self.condition == condition;
        self.condition = condition;
        agrees.then_some(Takes::EXISTENCE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str, takes: Takes) -> Result<Options<'_>, Failure> {
        parse(text.split_ascii_whitespace().map(str::as_bytes), takes)
    }

    #[test]
    fn accepts() {
        let at = |word, unit, absolute| {
            Expiry::At(Written { word: str::as_bytes(word), unit, absolute })
        };
        let seconds = Options { expiry: at("10", Unit::Seconds, false), ..Options::default() };
        let absent = Options { condition: Condition::Absent, ..Options::default() };
        let present = Options { condition: Condition::Present, ..Options::default() };
        let keep = Options { expiry: Expiry::Keep, ..Options::default() };
        let get = Options { get: true, ..Options::default() };
        let equal = Condition::If(Comparison::equal(b"NX"));
        let cases: &[(&str, Takes, Options)] = &[
            ("", Takes::SET, Options::default()),
            ("EX 10", Takes::SET, seconds),
            ("ex 5 Ex 10", Takes::SET, seconds),
            ("EX nonsense EX 10", Takes::GETEX, seconds),
            ("PX 7", Takes::MSETEX, Options { expiry: at("7", Unit::Millis, false), ..keep }),
            ("EXAT 7", Takes::SET, Options { expiry: at("7", Unit::Seconds, true), ..keep }),
            ("pxat 7", Takes::SET, Options { expiry: at("7", Unit::Millis, true), ..keep }),
            ("KEEPTTL keepttl", Takes::SET, keep),
            ("PERSIST PERSIST", Takes::GETEX, Options { expiry: Expiry::Persist, ..keep }),
            ("nx NX", Takes::SET, absent),
            ("XX", Takes::MSETEX, present),
            ("GET GET", Takes::SET, get),
            ("NX GET EX 10", Takes::SET, Options { get: true, ..absent }.with(seconds.expiry)),
            ("IFEQ NX", Takes::SET, Options { condition: equal, ..Options::default() }),
            ("stick XX", Takes::SET, Options { stick: true, ..present }),
        ];
        for (text, takes, expected) in cases {
            assert_eq!(parsed(text, *takes), Ok(*expected), "{text}");
        }
    }

    impl<'a> Options<'a> {
        fn with(self, expiry: Expiry<Written<'a>>) -> Self {
            Self { expiry, ..self }
        }
    }

    #[test]
    fn refuses() {
        let cases: &[(&str, Takes)] = &[
            ("FOO", Takes::SET),
            ("EX", Takes::SET),
            ("NX EX", Takes::SET),
            ("IFEQ", Takes::SET),
            ("IFGT 1", Takes::SET),
            ("NX XX", Takes::SET),
            ("NX IFEQ a", Takes::SET),
            ("IFEQ a NX", Takes::SET),
            ("IFEQ a IFNE a", Takes::SET),
            ("IFEQ a IFEQ a", Takes::SET),
            ("EX 10 PX 10", Takes::SET),
            ("EX 10 EXAT 10", Takes::SET),
            ("KEEPTTL EX 10", Takes::SET),
            ("EX 10 KEEPTTL", Takes::SET),
            ("PERSIST", Takes::SET),
            ("KEEPTTL", Takes::GETEX),
            ("NX", Takes::GETEX),
            ("GET", Takes::GETEX),
            ("PERSIST EX 10", Takes::GETEX),
            ("GET", Takes::MSETEX),
            ("STICK", Takes::MSETEX),
            ("IFEQ a", Takes::MSETEX),
            ("KEEPTTLKEEPTTL", Takes::SET),
        ];
        for (text, takes) in cases {
            assert_eq!(parsed(text, *takes), Err(Failure::Syntax), "{text}");
        }
    }

    #[test]
    fn grammar_comes_before_numbers() {
        let options = parsed("EX abc", Takes::SET).unwrap();
        assert_eq!(options.expiry.resolve(0, "set"), Err(Failure::NotInteger));
        let options = parsed("EX 0", Takes::SET).unwrap();
        assert_eq!(options.expiry.resolve(0, "set"), Err(Failure::InvalidExpire("set")));
        let options = parsed("EX 2", Takes::SET).unwrap();
        assert_eq!(options.expiry.resolve(500, "set"), Ok(Expiry::At(2500)));
    }
}
