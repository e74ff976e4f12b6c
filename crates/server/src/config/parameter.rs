//! One row of the table of parameters: what its values look like, where they are kept, and who may
//! change them.
//!
//! ```text
//! number("timeout", "0", (0, INT), |c| &c.timeout_s).about("…")     has an effect
//! kept("hz", "10", int(1, 500), "nothing beats at a fixed rate")    is kept, and that is all
//! refused("appendonly", "no", BOOL, "changes are not logged")       only the default is taken
//! ```

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};

use parking_lot::RwLock;

use super::Config;
use super::shape::{Shape, Value};

/// An atomic number of whichever width. Values are never negative but for [`AtomicI64`].
pub trait Number {
    /// The number.
    fn get(&self) -> i64;
    /// Changes the number.
    fn put(&self, value: i64);
}

impl Number for AtomicI64 {
    fn get(&self) -> i64 {
        self.load(Relaxed)
    }

    fn put(&self, value: i64) {
        self.store(value, Relaxed);
    }
}

impl Number for AtomicU64 {
    fn get(&self) -> i64 {
        i64::try_from(self.load(Relaxed)).unwrap_or(i64::MAX)
    }

    fn put(&self, value: i64) {
        self.store(u64::try_from(value).unwrap_or(0), Relaxed);
    }
}

impl Number for AtomicUsize {
    fn get(&self) -> i64 {
        i64::try_from(self.load(Relaxed)).unwrap_or(i64::MAX)
    }

    fn put(&self, value: i64) {
        self.store(usize::try_from(value).unwrap_or(0), Relaxed);
    }
}

impl Number for AtomicBool {
    fn get(&self) -> i64 {
        i64::from(self.load(Relaxed))
    }

    fn put(&self, value: i64) {
        self.store(value != 0, Relaxed);
    }
}

/// Where the value of a parameter is.
#[derive(Clone, Copy)]
enum Place {
    Number(fn(&Config) -> &dyn Number),
    Text(fn(&Config) -> &RwLock<String>),
    Special(fn(&Config) -> String, fn(&Config, &str) -> Result<(), String>),
    /// In [`Config::kept`]: nobody asks for it.
    Kept,
    /// Nowhere: there is only the default.
    Refused,
}

/// When a parameter may be changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// By CONFIG SET too.
    Always,
    /// By CONFIG SET for those whom `enable-protected-configs` allows it.
    Protected,
    /// Only at the start.
    AtStart,
}

/// Whether a parameter does anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It has an effect.
    Real,
    /// Its value is kept, and has no effect.
    None,
    /// Only its default is taken.
    Refused,
}

/// Why a value was not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It is no value of the parameter.
    Wrong(String),
    /// It asks for what this version does not do.
    NotSupported(&'static str),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(text) => f.write_str(text),
            Self::NotSupported(why) => write!(f, "not supported by this version: {why}"),
        }
    }
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self::Wrong(text)
    }
}

/// What a change of some parameters does at once.
pub type Apply = fn(&Config) -> Result<(), String>;

/// One parameter of the configuration.
pub struct Parameter {
    /// Redis's name, or where it has none, that of the server that has it.
    pub name: &'static str,
    /// Redis's and Valkey's other names for it, which CONFIG GET lists too.
    pub aliases: &'static [&'static str],
    /// Names that other servers have for it.
    pub foreign: &'static [&'static str],
    /// Its value before anybody gave one.
    pub default: &'static str,
    /// What it means; where it has no effect, why.
    pub about: &'static str,
    /// When it may be changed.
    pub change: Change,
    /// The parameter that this is another way to write.
    pub same_as: Option<&'static str>,
    /// Whether its value is shown to nobody but CONFIG GET.
    pub secret: bool,
    /// Whether CONFIG does not know it: a word of configuration files alone.
    pub file_only: bool,
    /// What a change does at once.
    pub apply: Option<Apply>,
    /// What its values look like.
    pub shape: Shape,
    place: Place,
}

const fn row(name: &'static str, default: &'static str, shape: Shape, place: Place) -> Parameter {
    Parameter {
        name,
        aliases: &[],
        foreign: &[],
        default,
        about: "",
        change: Change::Always,
        same_as: None,
        secret: false,
        file_only: false,
        apply: None,
        shape,
        place,
    }
}

/// A whole number in a range.
pub const fn number(
    name: &'static str,
    default: &'static str,
    range: (i64, i64),
    field: fn(&Config) -> &dyn Number,
) -> Parameter {
    shaped(name, default, Shape::Number(range.0, range.1), field)
}

/// A number that is written in a way of its own: bytes, `yes` and `no`.
pub const fn shaped(
    name: &'static str,
    default: &'static str,
    shape: Shape,
    field: fn(&Config) -> &dyn Number,
) -> Parameter {
    row(name, default, shape, Place::Number(field))
}

/// A text, or one of some words.
pub const fn text(
    name: &'static str,
    default: &'static str,
    shape: Shape,
    field: fn(&Config) -> &RwLock<String>,
) -> Parameter {
    row(name, default, shape, Place::Text(field))
}

/// A value with functions of its own; `shape` is checked before `set` sees it.
pub const fn special(
    name: &'static str,
    default: &'static str,
    shape: Shape,
    get: fn(&Config) -> String,
    set: fn(&Config, &str) -> Result<(), String>,
) -> Parameter {
    row(name, default, shape, Place::Special(get, set))
}

/// A value that is kept and has no effect, and why.
pub const fn kept(
    name: &'static str,
    default: &'static str,
    shape: Shape,
    why: &'static str,
) -> Parameter {
    Parameter { about: why, ..row(name, default, shape, Place::Kept) }
}

/// A parameter of which only the default is taken, as anything else would promise what this version
/// does not do, and why.
pub const fn refused(
    name: &'static str,
    default: &'static str,
    shape: Shape,
    why: &'static str,
) -> Parameter {
    Parameter { about: why, ..row(name, default, shape, Place::Refused) }
}

impl Parameter {
    /// What it means.
    pub const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// Redis's and Valkey's other names.
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// Names in other servers.
    pub const fn foreign(self, foreign: &'static [&'static str]) -> Self {
        Self { foreign, ..self }
    }

    /// May be given at the start only.
    pub const fn at_start(self) -> Self {
        Self { change: Change::AtStart, ..self }
    }

    /// May be changed by those whom `enable-protected-configs` allows it.
    pub const fn protected(self) -> Self {
        Self { change: Change::Protected, ..self }
    }

    /// Is another way to write that parameter.
    pub const fn same_as(self, name: &'static str) -> Self {
        Self { same_as: Some(name), ..self }
    }

    /// Its value is not told in messages.
    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// Is a word of configuration files and the command line, which CONFIG does not know.
    pub const fn file_only(self) -> Self {
        Self { file_only: true, ..self }
    }

    /// A change does this at once.
    pub const fn apply(self, apply: Apply) -> Self {
        Self { apply: Some(apply), ..self }
    }

    /// Whether it does anything.
    pub const fn effect(&self) -> Effect {
        match self.place {
            Place::Kept => Effect::None,
            Place::Refused => Effect::Refused,
            _ => Effect::Real,
        }
    }

    /// All its names, the first one first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().chain(self.foreign).copied())
    }

    /// The default as CONFIG GET shows it.
    fn canonical_default(&self) -> String {
        let value = self.shape.read(self.default);
        value.map_or_else(|_| self.default.to_owned(), |value| self.shape.show(value))
    }

    /// Its value.
    pub fn get(&self, config: &Config) -> String {
        match self.place {
            Place::Number(field) => self.shape.write(field(config).get()),
            Place::Text(field) => field(config).read().clone(),
            Place::Special(get, _) => get(config),
            Place::Kept => {
                let kept = config.kept.read().get(self.name).cloned();
                kept.unwrap_or_else(|| self.canonical_default())
            }
            Place::Refused => self.canonical_default(),
        }
    }

    /// Changes its value.
    pub fn set(&self, config: &Config, text: &str) -> Result<(), Reason> {
        let value = self.shape.read(text)?;
        match (self.place, value) {
            (Place::Number(field), Value::Number(number)) => field(config).put(number),
            (Place::Text(field), value) => *field(config).write() = self.shape.show(value),
            (Place::Special(_, set), value) => set(config, &self.shape.show(value))?,
            (Place::Refused, value) => {
                if self.shape.show(value) != self.canonical_default() {
                    return Err(Reason::NotSupported(self.about));
                }
            }
            (Place::Kept, value) => {
                config.kept.write().insert(self.name, self.shape.show(value));
            }
            // The shape of a number reads numbers only.
            (Place::Number(_), Value::Text(_)) => {}
        }
        Ok(())
    }
}
