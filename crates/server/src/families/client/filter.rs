//! Which connections CLIENT LIST shows and CLIENT KILL ends: conditions that all must hold, each
//! of which can be turned round by a `NOT-` before its name.

use commands::spec::arguments::{Argument, integer, oneof, string, token};
use commands::{Args, Failure};
use keyspace::DATABASES;
use protocol::number::parse_i64;

use crate::clients::{Client, ClientFlags};

/// Types of clients, all of them older than the filter that takes them.
const EARLIER_TYPES: &[Argument] = &[
    token("NORMAL"),
    token("MASTER"),
    token("PRIMARY"),
    token("SLAVE"),
    token("REPLICA"),
    token("PUBSUB"),
];
/// Types of clients, with the versions that had them first.
const TYPES: &[Argument] = &[
    token("NORMAL"),
    token("MASTER").since("3.2.0"),
    token("PRIMARY").since("8.0.0"),
    token("SLAVE"),
    token("REPLICA").since("5.0.0"),
    token("PUBSUB"),
];
const SKIP_OR_NOT: &[Argument] = &[token("YES"), token("NO")];

/// The filters that Valkey added to both commands at once.
const NEWER: [Argument; 20] = [
    newer("NAME", string("name")),
    newer("IDLE", integer("idle")),
    newer("FLAGS", string("flags")),
    newer("LIB-NAME", string("lib-name")),
    newer("LIB-VER", string("lib-ver")),
    newer("DB", integer("db")),
    newer("CAPA", string("capa")),
    newer("IP", string("ip")),
    newer("NOT-TYPE", oneof("not-client-type").of(EARLIER_TYPES)),
    newer("NOT-ID", integer("not-client-id").many()),
    newer("NOT-USER", string("not-username")),
    newer("NOT-ADDR", string("not-addr").shown("ip:port")),
    newer("NOT-LADDR", string("not-laddr").shown("ip:port")),
    newer("NOT-NAME", string("not-name")),
    newer("NOT-FLAGS", string("not-flags")),
    newer("NOT-LIB-NAME", string("not-lib-name")),
    newer("NOT-LIB-VER", string("not-lib-ver")),
    newer("NOT-DB", integer("not-db")),
    newer("NOT-CAPA", string("not-capa")),
    newer("NOT-IP", string("not-ip")),
];

const fn newer(token: &'static str, argument: Argument) -> Argument {
    argument.after(token).opt().since("9.0.0")
}

/// These filters, and those that are newer.
const fn with_newer<const N: usize, const SUM: usize>(first: [Argument; N]) -> [Argument; SUM] {
    let mut all = [first[0]; SUM];
    let mut index = 0;
    while index < SUM {
        all[index] = if index < N { first[index] } else { NEWER[index - N] };
        index += 1;
    }
    all
}

/// The arguments of CLIENT KILL: filters, or an address, which was its only form once.
pub const KILL: &[Argument] = &[oneof("filter").of(&[
    string("old-format").shown("ip:port").deprecated("2.8.12"),
    oneof("new-format").many().of(&with_newer::<7, 27>([
        integer("client-id").after("ID").opt().many().since("2.8.12"),
        oneof("client-type").after("TYPE").opt().since("2.8.12").of(TYPES),
        string("username").after("USER").opt(),
        string("addr").shown("ip:port").after("ADDR").opt(),
        string("laddr").shown("ip:port").after("LADDR").opt().since("6.2.0"),
        oneof("skipme").after("SKIPME").opt().of(SKIP_OR_NOT),
        integer("maxage").after("MAXAGE").opt().since("7.4.0"),
    ])),
])];

/// The arguments of CLIENT LIST.
pub const LIST: &[Argument] = &with_newer::<7, 27>([
    oneof("client-type").after("TYPE").opt().since("5.0.0").of(&[
        token("NORMAL"),
        token("MASTER"),
        token("REPLICA"),
        token("PUBSUB"),
    ]),
    integer("client-id").after("ID").opt().many().since("6.2.0"),
    string("username").after("USER").opt().since("8.1.0"),
    string("addr").shown("ip:port").after("ADDR").opt().since("8.1.0"),
    string("laddr").shown("ip:port").after("LADDR").opt().since("8.1.0"),
    oneof("skipme").after("SKIPME").opt().since("8.1.0").of(SKIP_OR_NOT),
    integer("maxage").after("MAXAGE").opt().since("8.1.0"),
]);

/// Letters of flags that some server of this family shows.
const KNOWN_LETTERS: &[u8] = b"OSMPxbtRBdcuAUreTIiEN";

/// Conditions on connections.
#[derive(Default)]
pub struct Filter<'a> {
    conditions: Vec<(Condition<'a>, Wanted)>,
    /// Whether the connection that asks is passed by.
    pub spare_self: bool,
}

/// Whether a condition shall hold, or not hold.
type Wanted = bool;

enum Condition<'a> {
    Id(Vec<i64>),
    Addr(&'a [u8]),
    LocalAddr(&'a [u8]),
    Ip(&'a [u8]),
    /// Clients have one type until there are subscribers and replicas.
    Normal(bool),
    User(&'a [u8]),
    AgeMin(u64),
    IdleMin(u64),
    Flags(&'a [u8]),
    Name(&'a [u8]),
    Library(&'a [u8]),
    LibraryVersion(&'a [u8]),
    Db(u16),
    CanRedirect,
}

impl<'a> Filter<'a> {
    /// The only condition that a client has this address.
    pub fn by_address(addr: &'a [u8]) -> Self {
        Self { conditions: vec![(Condition::Addr(addr), true)], spare_self: false }
    }

    /// Reads conditions from the word `index` on. CLIENT KILL spares its own connection, if it is
    /// not told otherwise, and wants numbers of connections that can be.
    pub fn parse(args: Args<'a>, mut index: usize, to_kill: bool) -> Result<Self, Failure> {
        let mut filter = Self { spare_self: to_kill, ..Self::default() };
        while index < args.len() {
            let name = args.get(index).to_ascii_lowercase();
            let (name, wanted) = match name.strip_prefix(b"not-") {
                Some(rest) => (rest, false),
                None => (&name[..], true),
            };
            index += 1;
            if index == args.len() {
                return Err(Failure::Syntax);
            }
            let value = args.get(index);
            match name {
                b"id" => index += filter.add_ids(args, index, wanted, to_kill)?,
                b"skipme" if wanted => {
                    filter.spare_self = yes_or_no(value)?;
                    index += 1;
                }
                _ => {
                    filter.add(condition(name, value, wanted)?, wanted);
                    index += 1;
                }
            }
        }
        Ok(filter)
    }

    /// Adds a condition in place of an earlier one of its kind.
    fn add(&mut self, condition: Condition<'a>, wanted: Wanted) {
        let kind = std::mem::discriminant(&condition);
        self.conditions.retain(|(c, w)| std::mem::discriminant(c) != kind || *w != wanted);
        self.conditions.push((condition, wanted));
    }

    /// Adds the numbers from the word `first` on. Returns how many there are.
    fn add_ids(
        &mut self,
        args: Args<'a>,
        first: usize,
        wanted: Wanted,
        positive: bool,
    ) -> Result<usize, Failure> {
        let mut ids: Vec<i64> = args.from(first).map_while(parse_i64).collect();
        let count = ids.len();
        if positive && (ids.is_empty() || ids.iter().any(|id| *id <= 0)) {
            return Err(Failure::text("ERR client-id should be greater than 0"));
        }
        if ids.is_empty() {
            return Err(Failure::text("ERR Invalid client ID"));
        }
        for (condition, other_wanted) in &mut self.conditions {
            if let (Condition::Id(others), true) = (condition, *other_wanted == wanted) {
                others.append(&mut ids);
                return Ok(count);
            }
        }
        self.add(Condition::Id(ids), wanted);
        Ok(count)
    }

    /// The numbers asked for, when nothing else is.
    pub fn only_ids(&self) -> Option<&[i64]> {
        match self.conditions.as_slice() {
            [(Condition::Id(ids), true)] => Some(ids),
            _ => None,
        }
    }

    /// Whether a connection is one of those. `own_id` is that of the one that asks.
    pub fn matches(&self, client: &Client, own_id: u64, now_ms: u64) -> bool {
        let holds = |(condition, wanted): &(Condition<'_>, Wanted)| {
            condition.holds(client, now_ms) == *wanted
        };
        !(self.spare_self && client.id == own_id) && self.conditions.iter().all(holds)
    }
}

impl Condition<'_> {
    fn holds(&self, client: &Client, now_ms: u64) -> bool {
        let seconds_since = |ms: u64| now_ms.saturating_sub(ms) / 1000;
        match self {
            Self::Id(ids) => ids.contains(&client.id.cast_signed()),
            Self::Addr(addr) => client.addr.to_string().as_bytes() == *addr,
            Self::LocalAddr(addr) => client.local_addr.to_string().as_bytes() == *addr,
            Self::Ip(ip) => client
                .addr
                .to_string()
                .rsplit_once(':')
                .is_some_and(|(host, _)| host.trim_matches(['[', ']']).as_bytes() == *ip),
            Self::Normal(normal) => *normal,
            Self::User(user) => *user == b"default",
            Self::AgeMin(age_s) => seconds_since(client.since_ms) >= *age_s,
            Self::IdleMin(idle_s) => seconds_since(client.last_ms()) >= *idle_s,
            Self::Flags(letters) => {
                let own = client.letters();
                letters.iter().all(|letter| own.as_bytes().contains(letter))
            }
            Self::Name(name) => client.names.lock().name.as_bytes() == *name,
            Self::Library(name) => client.names.lock().library.as_bytes() == *name,
            Self::LibraryVersion(version) => {
                client.names.lock().library_version.as_bytes() == *version
            }
            Self::Db(db) => client.db() == *db,
            Self::CanRedirect => client.is(ClientFlags::CAN_REDIRECT),
        }
    }
}

fn condition<'a>(name: &[u8], value: &'a [u8], wanted: bool) -> Result<Condition<'a>, Failure> {
    Ok(match name {
        b"addr" => Condition::Addr(value),
        b"laddr" => Condition::LocalAddr(value),
        b"ip" => Condition::Ip(value),
        b"type" => Condition::Normal(is_normal(value)?),
        b"user" if value == b"default" => Condition::User(value),
        b"user" => return Err(Failure::quoting("ERR No such user '", value, "'")),
        b"maxage" if wanted => Condition::AgeMin(positive(value, "maxage")?),
        b"idle" if wanted => Condition::IdleMin(positive(value, "idle")?),
        b"flags" if value.iter().all(|letter| KNOWN_LETTERS.contains(letter)) => {
            Condition::Flags(value)
        }
        b"flags" => return Err(unknown("flags", value, wanted)),
        b"name" => Condition::Name(value),
        b"lib-name" => Condition::Library(value),
        b"lib-ver" => Condition::LibraryVersion(value),
        b"db" => Condition::Db(database(value, wanted)?),
        b"capa" if value.iter().all(|letter| *letter == b'r') => Condition::CanRedirect,
        b"capa" => return Err(unknown("capa", value, wanted)),
        _ => return Err(Failure::Syntax),
    })
}

fn unknown(what: &str, value: &[u8], wanted: bool) -> Failure {
    let filter = match wanted {
        true => "provided filter".to_owned(),
        false => format!("NOT-{} filter", what.to_ascii_uppercase()),
    };
    Failure::quoting(&format!("ERR Unknown {what} found in the {filter}: "), value, "")
}

fn yes_or_no(word: &[u8]) -> Result<bool, Failure> {
    match word.to_ascii_lowercase().as_slice() {
        b"yes" => Ok(true),
        b"no" => Ok(false),
        _ => Err(Failure::Syntax),
    }
}

fn positive(word: &[u8], name: &str) -> Result<u64, Failure> {
    let bad = || Failure::Text(format!("ERR {name} is not an integer or out of range").into());
    let number = parse_i64(word).ok_or_else(bad)?;
    let small = || Failure::Text(format!("ERR {name} should be greater than 0").into());
    u64::try_from(number).ok().filter(|number| *number > 0).ok_or_else(small)
}

fn database(word: &[u8], wanted: bool) -> Result<u16, Failure> {
    let name = if wanted { "DB" } else { "NOT-DB" };
    let bad = || Failure::Text(format!("ERR {name} is not an integer or out of range").into());
    let number = parse_i64(word).ok_or_else(bad)?;
    match u16::try_from(number) {
        Ok(db) if usize::from(db) < DATABASES => Ok(db),
        _ => {
            let last = DATABASES - 1;
            let text = format!("ERR {name} number should be between 0 and {last}");
            Err(Failure::Text(text.into()))
        }
    }
}

/// Whether a type of clients is the one that all clients have.
fn is_normal(word: &[u8]) -> Result<bool, Failure> {
    match word.to_ascii_lowercase().as_slice() {
        b"normal" => Ok(true),
        b"master" | b"primary" | b"replica" | b"slave" | b"pubsub" => Ok(false),
        _ => Err(Failure::quoting("ERR Unknown client type '", word, "'")),
    }
}
