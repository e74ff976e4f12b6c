//! What the server knows of a command: one row, which drives dispatch, routing to shards, ACL,
//! COMMAND and its documentation, tests and fuzzers.
//!
//! Rows are built in constants:
//!
//! ```text
//! Command::<Handler>::new("type", 2, type_of)          name, arity, handler
//!     .flags(Flags::READONLY.union(Flags::FAST))
//!     .keys(&[KeySpec::one(Access::INSPECT)])
//!     .docs(Group::Generic, "1.0.0", "Tells the type of a key's value.")
//!     .complexity("O(1)")
//!     .args(&[key("key")]),
//! ```
//!
//! Arity counts the command's name; a negative one is a minimum. Categories of ACL follow from
//! flags and group as in Redis. How arguments are written: see [`arguments`].

pub mod arguments;
pub mod tips;

use bitflags::bitflags;

use self::arguments::Argument;

bitflags! {
    /// What a command is like. Names are those COMMAND INFO shows.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Flags: u32 {
        /// Changes data.
        const WRITE = 1;
        /// Reads data only.
        const READONLY = 1 << 1;
        /// Needs memory, so it is refused when there is none.
        const DENYOOM = 1 << 2;
        /// For administrators.
        const ADMIN = 1 << 3;
        /// Not for scripts.
        const NOSCRIPT = 1 << 4;
        /// Allowed while data are loaded.
        const LOADING = 1 << 5;
        /// Allowed on a replica whose data are stale.
        const STALE = 1 << 6;
        /// Constant or logarithmic time.
        const FAST = 1 << 7;
        /// Allowed before login.
        const NO_AUTH = 1 << 8;
        /// Not shown to COMMAND: changes what replicas must know, though not data.
        const MAY_REPLICATE = 1 << 9;
        /// May block the client.
        const BLOCKING = 1 << 10;
        /// Not while data are loaded beside those that are served.
        const NO_ASYNC_LOADING = 1 << 15;
        /// Not in a transaction.
        const NO_MULTI = 1 << 16;
        /// Keys are not where three numbers can say; follows from the key specs.
        const MOVABLEKEYS = 1 << 11;
        /// Not shown to MONITOR.
        const SKIP_MONITOR = 1 << 12;
        /// Allowed while a script runs too long.
        const ALLOW_BUSY = 1 << 13;
        /// Not logged when it is slow.
        const SKIP_SLOWLOG = 1 << 14;
        /// Not shown to COMMAND: takes about as long whatever its key holds, as all that are `FAST`
        /// do.
        const SHORT = 1 << 29;
        /// Not shown to COMMAND: borrows every shard before it runs.
        const WHOLE_KEYSPACE = 1 << 30;
        /// Not shown to COMMAND: runs in the worker pool, because its time has no bound.
        const LONG = 1 << 31;
    }
}

impl Flags {
    /// Flags and their names as COMMAND INFO shows them.
    pub const NAMES: &'static [(Flags, &'static str)] = &[
        (Flags::WRITE, "write"),
        (Flags::READONLY, "readonly"),
        (Flags::DENYOOM, "denyoom"),
        (Flags::ADMIN, "admin"),
        (Flags::NOSCRIPT, "noscript"),
        (Flags::LOADING, "loading"),
        (Flags::STALE, "stale"),
        (Flags::FAST, "fast"),
        (Flags::NO_AUTH, "no_auth"),
        (Flags::BLOCKING, "blocking"),
        (Flags::NO_ASYNC_LOADING, "no_async_loading"),
        (Flags::NO_MULTI, "no_multi"),
        (Flags::MOVABLEKEYS, "movablekeys"),
        (Flags::SKIP_MONITOR, "skip_monitor"),
        (Flags::ALLOW_BUSY, "allow_busy"),
        (Flags::SKIP_SLOWLOG, "skip_slowlog"),
    ];
}

/// The family of a command, for documentation and ACL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// Strings.
    String,
    /// Lists.
    List,
    /// Sorted sets.
    SortedSet,
    /// Points on earth, which sorted sets hold.
    Geo,
    /// Keys of any type.
    Generic,
    /// Sets.
    Set,
    /// Hashes.
    Hash,
    /// Counts of different elements.
    HyperLogLog,
    /// The connection itself.
    Connection,
    /// The server.
    Server,
    /// A cluster of servers.
    Cluster,
    /// The bits of strings.
    Bitmap,
    /// Streams.
    Stream,
}

impl Group {
    /// The name that COMMAND DOCS shows.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::SortedSet => "sorted-set",
            Self::Geo => "geo",
            Self::Generic => "generic",
            Self::Set => "set",
            Self::Hash => "hash",
            Self::HyperLogLog => "hyperloglog",
            Self::Connection => "connection",
            Self::Server => "server",
            Self::Cluster => "cluster",
            Self::Bitmap => "bitmap",
            Self::Stream => "stream",
        }
    }

    /// The ACL category of the family, where it has one.
    const fn category(self) -> Option<&'static str> {
        match self {
            Self::String => Some("string"),
            Self::List => Some("list"),
            Self::SortedSet => Some("sortedset"),
            Self::Geo => Some("geo"),
            Self::Generic => Some("keyspace"),
            Self::Set => Some("set"),
            Self::Hash => Some("hash"),
            Self::HyperLogLog => Some("hyperloglog"),
            Self::Connection => Some("connection"),
            Self::Bitmap => Some("bitmap"),
            Self::Stream => Some("stream"),
            Self::Server | Self::Cluster => None,
        }
    }
}

/// What a command does with a key, in the words of Redis's key specs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access {
    names: &'static [&'static str],
    varies: Varies,
}

/// Whose words decide what a call does with its key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Varies {
    Never,
    /// A value, then GET and conditions.
    LikeSet,
    /// Conditions.
    LikeDelex,
    /// Operations, of which GET alone only reads.
    LikeBitfield,
}

impl Access {
    /// Reads the value and shows it.
    pub const READ: Self = Self::of(&["RO", "access"]);
    /// Reads something about the key, not its value.
    pub const INSPECT: Self = Self::of(&["RO"]);
    /// Overwrites the value.
    pub const OVERWRITE: Self = Self::of(&["OW", "update"]);
    /// Changes the value depending on what it was.
    pub const UPDATE: Self = Self::of(&["RW", "update"]);
    /// Changes the value and shows what it was.
    pub const EXCHANGE: Self = Self::of(&["RW", "access", "update"]);
    /// The same, where the arguments decide what of it is done.
    pub const EXCHANGE_VARIABLE: Self =
        Self::of(&["RW", "access", "update", "variable_flags"]).varying(Varies::LikeSet);
    /// The same, where operations on bits are the arguments.
    pub const BITFIELD_VARIABLE: Self =
        Self::of(&["RW", "access", "update", "variable_flags"]).varying(Varies::LikeBitfield);
    /// Changes the value and may remove a part of it.
    pub const UPDATE_AND_REMOVE: Self = Self::of(&["RW", "update", "delete"]);
    /// Adds to the value.
    pub const EXTEND: Self = Self::of(&["RW", "insert"]);
    /// Shows the value and deletes it.
    pub const TAKE: Self = Self::of(&["RW", "access", "delete"]);
    /// Removes the key.
    pub const REMOVE: Self = Self::of(&["RM", "delete"]);
    /// Removes the key, depending on its value.
    pub const REMOVE_IF: Self = Self::of(&["RW", "delete"]);
    /// One of both, as the arguments say.
    pub const REMOVE_VARIABLE: Self =
        Self::of(&["RW", "delete", "variable_flags"]).varying(Varies::LikeDelex);
    /// Shows the value, and may change how it is kept.
    pub const RECODE: Self = Self::of(&["RW", "access"]);
    /// Adds to the value what depends on it.
    pub const MERGE: Self = Self::of(&["RW", "access", "insert"]);
    /// Adds a key that is not there.
    pub const INSERT: Self = Self::of(&["OW", "insert"]);

    const fn of(names: &'static [&'static str]) -> Self {
        Self { names, varies: Varies::Never }
    }

    const fn varying(mut self, varies: Varies) -> Self {
        self.varies = varies;
        self
    }

    /// The flags as COMMAND shows them.
    pub const fn names(self) -> &'static [&'static str] {
        self.names
    }

    /// What a call with these words behind its key does.
    pub fn in_call<'a>(self, words: impl Iterator<Item = &'a [u8]>) -> Self {
        match self.varies {
            // Asked for each of many keys: the words are only looked at where they matter.
            Varies::Never => self,
            Varies::LikeSet => match gets_or_asks(words.skip(1)) {
                (true, _) => Self::EXCHANGE,
                (false, true) => Self::UPDATE,
                (false, false) => Self::OVERWRITE,
            },
            Varies::LikeDelex => match gets_or_asks(words) {
                (_, true) => Self::REMOVE_IF,
                (_, false) => Self::REMOVE,
            },
            Varies::LikeBitfield if only_reads(words) => Self::READ,
            Varies::LikeBitfield => Self::EXCHANGE,
        }
    }
}

/// Whether GET is among the words, and whether a condition is.
fn gets_or_asks<'a>(words: impl Iterator<Item = &'a [u8]>) -> (bool, bool) {
    let (mut gets, mut asks) = (false, false);
    for word in words {
        let is = |token: &str| word.eq_ignore_ascii_case(token.as_bytes());
        gets |= is("get");
        asks |= ["ifeq", "ifne", "ifdeq", "ifdne"].into_iter().any(is);
    }
    (gets, asks)
}

/// Whether the operations of BITFIELD are well-formed and none of them writes.
fn only_reads<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> bool {
    while let Some(word) = words.next() {
        let operands = match () {
            () if word.eq_ignore_ascii_case(b"get") => 2,
            () if word.eq_ignore_ascii_case(b"overflow") => 1,
            () => return false,
        };
        if words.by_ref().take(operands).count() < operands {
            return false;
        }
    }
    true
}

/// Where keys stand among the arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeySpec {
    /// Index of the first key, or of the count of keys.
    pub begin: u8,
    /// How the others follow.
    pub find: Find,
    /// What is done with them.
    pub access: Access,
    /// What is to be said of that; mostly nothing.
    pub notes: &'static str,
}

/// How keys follow from where they begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Find {
    /// Every `step`th argument, up to `last` behind the first key; a negative one counts from the
    /// end of the arguments.
    Range {
        /// Index of the last key, relative to the first.
        last: i8,
        /// Distance between keys.
        step: u8,
    },
    /// The argument at `begin` counts the keys, which follow it at every `step`th place.
    Counted {
        /// Distance between keys.
        step: u8,
    },
    /// The word behind this one, which stands somewhere from the index on, if it is there at all.
    /// Of several words that may name the same key, the last one counts.
    Behind(&'static str),
    /// The first half of what stands behind the word STREAMS, which comes after all options.
    /// Clients look for it from the index on.
    Streams,
    /// No words at all: they are made of data and patterns, so the handler finds their shards.
    /// Clients are told that they are unknown.
    Made,
    /// The word behind the last STORE of SORT, whose place clients are told is unknown too.
    SortStore,
}

impl Find {
    /// Whether clients are told neither where keys begin nor how they follow.
    pub const fn is_unknown(self) -> bool {
        matches!(self, Self::Made | Self::SortStore)
    }
}

impl KeySpec {
    /// Keys that begin at an index, and how the others follow.
    pub const fn new(begin: u8, find: Find, access: Access) -> Self {
        Self { begin, find, access, notes: "" }
    }

    /// The first argument is the key.
    pub const fn one(access: Access) -> Self {
        Self::at(1, access)
    }

    /// The argument `begin` is a key.
    pub const fn at(begin: u8, access: Access) -> Self {
        Self::new(begin, Find::Range { last: 0, step: 1 }, access)
    }

    /// All arguments are keys.
    pub const fn all(access: Access) -> Self {
        Self::new(1, Find::Range { last: -1, step: 1 }, access)
    }

    /// Keys that no rule finds which clients could follow.
    pub const fn unknown(find: Find, access: Access) -> Self {
        Self::new(0, find, access)
    }

    /// Keys behind the word STREAMS, each of which has an id behind all keys; clients look for it
    /// from an index on.
    pub const fn streams(from: u8, access: Access) -> Self {
        Self::new(from, Find::Streams, access)
    }

    /// Every second argument is a key.
    pub const fn pairs(access: Access) -> Self {
        Self::new(1, Find::Range { last: -1, step: 2 }, access)
    }

    /// A count, then that many pairs.
    pub const fn counted_pairs(access: Access) -> Self {
        Self::new(1, Find::Counted { step: 2 }, access)
    }

    /// Says something of what is done with the keys.
    pub const fn notes(mut self, notes: &'static str) -> Self {
        self.notes = notes;
        self
    }

    /// Calls `found` with the index of each key. Arguments that make no sense yield no keys: the
    /// handler will say what is wrong with them.
    pub fn indexes<'a>(
        &self,
        argc: usize,
        arg: impl Fn(usize) -> &'a [u8],
        mut found: impl FnMut(usize),
    ) {
        let begin = usize::from(self.begin);
        let (first, step, end) = match self.find {
            Find::Range { last, step } => {
                let from = if last < 0 { argc } else { begin };
                let last_key = from.saturating_add_signed(isize::from(last));
                (begin, usize::from(step), last_key.saturating_add(1).min(argc))
            }
            Find::Counted { step } => {
                let count =
                    if begin < argc { protocol::number::parse_i64(arg(begin)) } else { None };
                let step = usize::from(step);
                let keys = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0);
                let first = begin.saturating_add(1);
                let last = keys.saturating_sub(1).saturating_mul(step).saturating_add(first);
                let end = if keys == 0 || last >= argc { 0 } else { last.saturating_add(1) };
                (first, step, end)
            }
            Find::Behind(token) => match crate::geo::destination(begin, argc, &arg) {
                Some((by, at)) if by == token => (at, 1, at.saturating_add(1)),
                _ => return,
            },
            Find::Streams => match streams(argc, &arg) {
                Some((first, count)) => (first, 1, first.saturating_add(count)),
                None => return,
            },
            Find::Made => return,
            Find::SortStore => match crate::sort::destination(argc, arg) {
                Some(destination) => (destination, 1, destination.saturating_add(1)),
                None => return,
            },
        };
        let mut index = first;
        while index < end {
            found(index);
            index = index.saturating_add(step);
        }
    }
}

/// Where the first key of XREAD or XREADGROUP stands, and how many there are; `None` where options
/// make no sense.
pub fn streams<'a>(argc: usize, arg: impl Fn(usize) -> &'a [u8]) -> Option<(usize, usize)> {
    let mut index: usize = 1;
    while index < argc {
        let word = arg(index);
        let is = |option: &&str| word.eq_ignore_ascii_case(option.as_bytes());
        let words = if is(&"streams") {
            let first = index.saturating_add(1);
            return Some((first, argc.saturating_sub(first) / 2));
        } else if is(&"noack") {
            1
        } else if is(&"group") {
            3
        } else if ["count", "maxcount", "maxsize", "block", "claim"].iter().any(is) {
            2
        } else {
            return None;
        };
        index = index.saturating_add(words);
    }
    None
}

/// Where the members or fields stand among the words that a command looks up in the collection of
/// its only key. A hint: words that are none do no harm.
#[derive(Clone, Copy, Debug)]
pub struct Members {
    /// The first one's word.
    pub first: usize,
    /// Words from one to the next.
    pub step: usize,
}

/// What people, and tools for people, read of a command.
#[derive(Clone, Copy, Debug)]
pub struct Docs {
    /// One line about it.
    pub summary: &'static str,
    /// The version of Redis, or another server, that had it first.
    pub since: &'static str,
    /// How its time grows.
    pub complexity: &'static str,
    /// What became of it: versions, and what they changed.
    pub history: &'static [(&'static str, &'static str)],
    /// The version that called it outdated, and what to use in its place.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Whether it is for the server's own use.
    pub is_internal: bool,
    /// What follows the name in a call.
    pub arguments: &'static [Argument],
}

/// A row without its handler.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The name in lower case; that of a subcommand alone.
    pub name: &'static str,
    /// Words of a call, the name included; negative for a minimum.
    pub arity: i16,
    /// What the command is like.
    pub flags: Flags,
    /// Where its keys stand.
    pub keys: &'static [KeySpec],
    /// Its family.
    pub group: Group,
    /// The ACL category of its family, where that is not its group's.
    pub category: Option<&'static str>,
    /// ACL categories beyond those that follow from the rest.
    pub categories: &'static [&'static str],
    /// Hints for clients, of those in [`tips`].
    pub tips: &'static [&'static str],
    /// What people read of it.
    pub docs: Docs,
    /// Whether it has subcommands; only they are in the family's category then.
    pub is_container: bool,
    /// Where the members stand that it looks up, if it looks some up.
    pub members: Option<Members>,
}

impl Spec {
    /// Whether a call of `words` words is right.
    #[inline]
    pub fn accepts(&self, words: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { words >= wanted } else { words == wanted }
    }

    /// The flags' names, with what follows from the key specs.
    pub fn flag_names(&self) -> Vec<&'static str> {
        let mut flags = self.flags;
        let moves = |spec: &KeySpec| !matches!(spec.find, Find::Range { .. });
        flags.set(Flags::MOVABLEKEYS, self.keys.iter().any(moves));
        let shown = Flags::NAMES.iter().filter(|(flag, _)| flags.contains(*flag));
        shown.map(|(_, name)| *name).collect()
    }

    /// All ACL categories, without their `@`.
    pub fn acl_categories(&self) -> Vec<&'static str> {
        let has = |flag| self.flags.contains(flag);
        let family = self.category.or(self.group.category()).filter(|_| !self.is_container);
        let mut categories: Vec<_> = family.into_iter().collect();
        let follows = [
            (has(Flags::WRITE), "write"),
            (has(Flags::READONLY), "read"),
            (has(Flags::ADMIN), "admin"),
            (has(Flags::ADMIN), "dangerous"),
            (has(Flags::FAST), "fast"),
            (!has(Flags::FAST), "slow"),
        ];
        categories.extend(follows.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name));
        for category in self.categories {
            if !categories.contains(category) {
                categories.push(category);
            }
        }
        categories
    }
}

/// A row: what is known of a command, and what runs it.
#[derive(Clone, Copy, Debug)]
pub struct Command<H: 'static> {
    /// What is known of it.
    pub spec: Spec,
    /// What runs it.
    pub run: H,
    /// Its subcommands, where it has some; their `run` counts then.
    pub subcommands: &'static [Command<H>],
}

/// Columns of a terminal.
const HELP_WIDTH: usize = 80;
/// What a line begins with that goes on with a call's syntax, but for a space.
const HELP_CONTINUED: &str = "       ";

/// The lines of a container's HELP: each subcommand with its arguments and its summary, HELP itself
/// last.
pub fn help_lines<'a>(
    container: &Spec,
    subcommands: impl Iterator<Item = &'a Spec>,
) -> Vec<String> {
    let title = container.name.to_ascii_uppercase();
    let mut lines =
        vec![format!("{title} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")];
    if container.accepts(1) {
        lines.push("(no subcommand)".into());
        lines.push(format!("    {}", container.docs.summary));
    }
    let (own, others): (Vec<&Spec>, Vec<&Spec>) = subcommands.partition(|sub| sub.name == "help");
    for sub in others.into_iter().chain(own) {
        let mut line = sub.name.to_ascii_uppercase();
        for word in arguments::join(sub.docs.arguments).split_whitespace() {
            if line.len().saturating_add(word.len()) >= HELP_WIDTH {
                lines.push(std::mem::replace(&mut line, HELP_CONTINUED.into()));
            }
            line.push(' ');
            line.push_str(word);
        }
        lines.push(line);
        lines.push(format!("    {}", sub.docs.summary));
    }
    lines
}

impl<H: Copy> Command<H> {
    /// A row with nothing but the necessary.
    pub const fn new(name: &'static str, arity: i16, run: H) -> Self {
        let docs = Docs {
            summary: "",
            since: "",
            complexity: "",
            history: &[],
            deprecated: None,
            is_internal: false,
            arguments: &[],
        };
        let spec = Spec {
            name,
            arity,
            flags: Flags::empty(),
            keys: &[],
            group: Group::Generic,
            category: None,
            categories: &[],
            tips: &[],
            docs,
            is_container: false,
            members: None,
        };
        Self { spec, run, subcommands: &[] }
    }

    /// Sets the flags.
    pub const fn flags(mut self, flags: Flags) -> Self {
        self.spec.flags = flags;
        self
    }

    /// Says where the members stand that the command looks up: the first one's word, and words from
    /// one to the next.
    pub const fn members(mut self, first: usize, step: usize) -> Self {
        self.spec.members = Some(Members { first, step });
        self
    }

    /// Says where the keys stand.
    pub const fn keys(mut self, keys: &'static [KeySpec]) -> Self {
        self.spec.keys = keys;
        self
    }

    /// Sets the family, the version that had it first, and one line of documentation.
    pub const fn docs(mut self, group: Group, since: &'static str, summary: &'static str) -> Self {
        self.spec.group = group;
        self.spec.docs.since = since;
        self.spec.docs.summary = summary;
        self
    }

    /// Says how its time grows.
    pub const fn complexity(mut self, complexity: &'static str) -> Self {
        self.spec.docs.complexity = complexity;
        self
    }

    /// Says what follows the name in a call.
    pub const fn args(mut self, arguments: &'static [Argument]) -> Self {
        self.spec.docs.arguments = arguments;
        self
    }

    /// Tells what later versions changed: version, change.
    pub const fn history(mut self, history: &'static [(&'static str, &'static str)]) -> Self {
        self.spec.docs.history = history;
        self
    }

    /// Calls it outdated since a version, and says what to use in its place.
    pub const fn deprecated(mut self, since: &'static str, replaced_by: &'static str) -> Self {
        self.spec.docs.deprecated = Some((since, replaced_by));
        self
    }

    /// Marks it as one for the server's own use.
    pub const fn internal(mut self) -> Self {
        self.spec.docs.is_internal = true;
        self
    }

    /// Adds hints for clients, of those in [`tips`].
    pub const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.spec.tips = tips;
        self
    }

    /// Sets the ACL category of the family, in place of the group's.
    pub const fn category(mut self, category: &'static str) -> Self {
        self.spec.category = Some(category);
        self
    }

    /// Adds ACL categories.
    pub const fn categories(mut self, categories: &'static [&'static str]) -> Self {
        self.spec.categories = categories;
        self
    }

    /// Adds subcommands.
    pub const fn subcommands(mut self, subcommands: &'static [Command<H>]) -> Self {
        self.subcommands = subcommands;
        self.spec.is_container = true;
        self
    }
}
