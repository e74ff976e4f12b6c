//! What follows a command's name in a call, as a tree: hints of clients, COMMAND DOCS, and the
//! generators of tests and fuzzers come from it. It is no parser: handlers read words themselves.
//!
//! A row says what a manual's first line would, from left to right:
//!
//! ```text
//! SET key value [NX | XX] [GET] [EX seconds | KEEPTTL] …
//!
//! .args(&[
//!     key("key"),
//!     string("value"),
//!     oneof("condition").opt().since("2.6.12").of(&[token("NX"), token("XX")]),
//!     token("GET").opt().since("6.2.0"),
//!     oneof("expiration").opt().of(&[integer("seconds").after("EX"), token("KEEPTTL")]),
//! ])
//! ```
//!
//! Names, order and versions are those that Redis answers, where Redis has the command: a test
//! compares them. A name is in lower case, a token as it is usually written.

/// What is longer is not written a second time to show that it may be repeated.
const TWICE_LEN_MAX: usize = 50;

/// One argument, or a group of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Argument {
    /// What documentation calls it; a token alone is called by its own name.
    name: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// The fixed word before it, or the word that it is.
    pub token: Option<&'static str>,
    /// What hints show in place of the name.
    display: Option<&'static str>,
    /// The version that had it first, where that is later than the command's.
    pub since: Option<&'static str>,
    /// The version that called it outdated.
    pub deprecated_since: Option<&'static str>,
    /// Whether it may be left out.
    pub is_optional: bool,
    /// Whether it may come more than once.
    pub repeat: Repeat,
    /// The alternatives of a choice, or what a block is made of.
    pub parts: &'static [Argument],
}

/// What may stand in an argument's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Any bytes, or a form of the command's own.
    String,
    /// A whole number.
    Integer,
    /// A number with a fraction.
    Double,
    /// A key, which the key spec with this index finds.
    Key(u8),
    /// A pattern with wildcards.
    Pattern,
    /// A pattern that keys are made of, which the key spec with this index stands for.
    KeyPattern(u8),
    /// A time, counted from 1970.
    UnixTime,
    /// Nothing but the token.
    PureToken,
    /// One of the parts.
    OneOf,
    /// All parts, in their order.
    Block,
}

/// How often an argument may come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repeat {
    /// Once.
    Never,
    /// Several times, behind one token if it has one.
    Values,
    /// Several times, each time with its token.
    WithToken,
}

impl Kind {
    /// The name that COMMAND DOCS shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Key(_) => "key",
            Self::Pattern | Self::KeyPattern(_) => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf => "oneof",
            Self::Block => "block",
        }
    }

    /// Whether it is made of parts.
    pub const fn is_group(self) -> bool {
        matches!(self, Self::OneOf | Self::Block)
    }
}

/// Any bytes.
pub const fn string(name: &'static str) -> Argument {
    Argument::new(name, Kind::String)
}

/// A whole number.
pub const fn integer(name: &'static str) -> Argument {
    Argument::new(name, Kind::Integer)
}

/// A number with a fraction.
pub const fn double(name: &'static str) -> Argument {
    Argument::new(name, Kind::Double)
}

/// A key that the first key spec finds.
pub const fn key(name: &'static str) -> Argument {
    Argument::new(name, Kind::Key(0))
}

/// A pattern with wildcards.
pub const fn pattern(name: &'static str) -> Argument {
    Argument::new(name, Kind::Pattern)
}

/// A time, counted from 1970.
pub const fn unix_time(name: &'static str) -> Argument {
    Argument::new(name, Kind::UnixTime)
}

/// A fixed word; its name is the word in lower case.
pub const fn token(word: &'static str) -> Argument {
    Argument::new("", Kind::PureToken).after(word)
}

/// One of several; [`Argument::of`] says which.
pub const fn oneof(name: &'static str) -> Argument {
    Argument::new(name, Kind::OneOf)
}

/// Several in a row; [`Argument::of`] says which.
pub const fn block(name: &'static str) -> Argument {
    Argument::new(name, Kind::Block)
}

impl Argument {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            token: None,
            display: None,
            since: None,
            deprecated_since: None,
            is_optional: false,
            repeat: Repeat::Never,
            parts: &[],
        }
    }

    /// It may be left out.
    pub const fn opt(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// It may come several times; a token before it comes once.
    pub const fn many(mut self) -> Self {
        self.repeat = Repeat::Values;
        self
    }

    /// It may come several times, each time with its token.
    pub const fn many_with_token(mut self) -> Self {
        self.repeat = Repeat::WithToken;
        self
    }

    /// It stands behind a fixed word.
    pub const fn after(mut self, token: &'static str) -> Self {
        self.token = Some(token);
        self
    }

    /// The version that had it first, where that is later than the command's.
    pub const fn since(mut self, version: &'static str) -> Self {
        self.since = Some(version);
        self
    }

    /// The version that called it outdated.
    pub const fn deprecated(mut self, version: &'static str) -> Self {
        self.deprecated_since = Some(version);
        self
    }

    /// Hints show this in place of the name.
    pub const fn shown(mut self, text: &'static str) -> Self {
        self.display = Some(text);
        self
    }

    /// Documentation calls a token so, not by the word itself.
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// A key that the key spec with this index finds, or a pattern of keys that it stands for.
    pub const fn in_spec(mut self, index: u8) -> Self {
        self.kind = match self.kind {
            Kind::Pattern => Kind::KeyPattern(index),
            _ => Kind::Key(index),
        };
        self
    }

    /// What a group is made of.
    pub const fn of(mut self, parts: &'static [Argument]) -> Self {
        self.parts = parts;
        self
    }

    /// The name that COMMAND DOCS shows.
    pub fn name(&self) -> String {
        match self.token {
            Some(word) if self.name.is_empty() => word.to_ascii_lowercase(),
            _ => self.name.to_owned(),
        }
    }

    /// What hints show; a group shows its parts.
    pub fn display(&self) -> Option<String> {
        let shown = self.display.map(str::to_owned);
        if self.kind.is_group() { shown } else { shown.or_else(|| Some(self.name())) }
    }

    /// The flags' names, as COMMAND DOCS shows them.
    pub fn flag_names(&self) -> Vec<&'static str> {
        let flags = [
            (self.is_optional, "optional"),
            (self.repeat != Repeat::Never, "multiple"),
            (self.repeat == Repeat::WithToken, "multiple_token"),
        ];
        flags.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name).collect()
    }

    /// How manuals write it: `[NX | XX]`, `key [key ...]`, `EX seconds`.
    pub fn syntax(&self) -> String {
        let value = match self.kind {
            Kind::PureToken => String::new(),
            // Who chooses one does not leave it out.
            Kind::OneOf => {
                let parts = self.parts.iter().map(|part| Self { is_optional: false, ..*part });
                parts.map(|part| part.syntax()).collect::<Vec<_>>().join(" | ")
            }
            Kind::Block => join(self.parts),
            _ => self.display().unwrap_or_default(),
        };
        let is_choice = self.kind == Kind::OneOf && self.parts.len() > 1;
        let is_bare = self.is_optional && self.token.is_none() && self.repeat == Repeat::Never;
        let value = if is_choice && !is_bare { format!("<{value}>") } else { value };
        let words = |first: Option<&str>, second: &str| match (first, second) {
            (Some(token), "") => token.to_owned(),
            (Some(token), value) => format!("{token} {value}"),
            (None, value) => value.to_owned(),
        };
        let once = words(self.token, &value);
        let shown = match self.repeat {
            Repeat::Never => once,
            Repeat::Values if value.len() > TWICE_LEN_MAX => format!("{once} ..."),
            Repeat::Values => format!("{once} [{value} ...]"),
            Repeat::WithToken => format!("{once} [{once} ...]"),
        };
        if self.is_optional { format!("[{shown}]") } else { shown }
    }
}

/// The syntax of several arguments, one behind the other.
pub fn join(arguments: &[Argument]) -> String {
    arguments.iter().map(Argument::syntax).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_is_that_of_manuals() {
        const NX_OR_XX: Argument = oneof("condition").opt().of(&[token("NX"), token("XX")]);
        const LONG: &[Argument] =
            &[string("a-name-of-thirty-characters-1"), string("a-name-of-thirty-characters-2")];
        const LONG_SYNTAX: &str = "a-name-of-thirty-characters-1 a-name-of-thirty-characters-2 ...";
        const CASES: &[(Argument, &str)] = &[
            (key("key"), "key"),
            (key("key").many(), "key [key ...]"),
            (string("message").opt(), "[message]"),
            (string("name").opt().many(), "[name [name ...]]"),
            (token("GET").opt(), "[GET]"),
            (NX_OR_XX, "[NX | XX]"),
            (NX_OR_XX.after("IF"), "[IF <NX | XX>]"),
            (oneof("x").of(&[integer("s").after("EX"), token("KEEP")]), "<EX s | KEEP>"),
            (block("data").many().of(&[key("k"), string("v")]), "k v [k v ...]"),
            (pattern("p").after("GET").opt().many_with_token(), "[GET p [GET p ...]]"),
            (integer("id").after("ID").opt().many(), "[ID id [id ...]]"),
            (block("many").many().of(LONG), LONG_SYNTAX),
            (string("addr").shown("ip:port"), "ip:port"),
            (unix_time("at").after("AT"), "AT at"),
            (double("step"), "step"),
        ];
        for (argument, expected) in CASES {
            assert_eq!(argument.syntax(), *expected);
        }
    }

    #[test]
    fn names_displays_and_flags_are_those_of_docs() {
        assert_eq!(token("KEEPTTL").name(), "keepttl");
        assert_eq!(token("=").named("equal").name(), "equal");
        assert_eq!(token("=").named("equal").display().as_deref(), Some("equal"));
        assert_eq!(oneof("condition").display(), None);
        let all = pattern("p").opt().many_with_token().flag_names();
        assert_eq!(all, ["optional", "multiple", "multiple_token"]);
        assert_eq!(key("key").in_spec(1).kind, Kind::Key(1));
        assert_eq!(pattern("p").in_spec(1).kind, Kind::KeyPattern(1));
        assert_eq!(key("key").in_spec(1).kind.name(), "key");
        assert!(string("a").flag_names().is_empty());
    }
}
