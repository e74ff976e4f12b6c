//! Walking the keyspace: SCAN and KEYS, RM which deletes what a SCAN would find, and RANDOMKEY; and
//! HSCAN, SSCAN and ZSCAN, which walk through the value of one key (see `members.rs`).
//!
//! None holds more than one shard, and none holds that for long (see `walk.rs`); so they
//! see each key as it is at some moment of the walk. Keys found are collected as encoded replies,
//! because the reply begins with what is only known at the end: the cursor, or the number of keys.

mod members;
mod walk;

use keyspace::{Db, SHARDS, glob};
use protocol::number::parse_i64;
use values::{Entry, Value};

use self::walk::{Position, SHARD_COUNT, walk};
use crate::found::Found;
use crate::random::Random;
use crate::spec::arguments::{Argument, integer, key, oneof, pattern, string, token};
use crate::spec::{Access, Flags, Group, KeySpec, tips};
use crate::{Command, Context, Failure, Handler, Outcome};

/// Keys visited by one SCAN that does not say otherwise.
const COUNT_DEFAULT: usize = 10;
/// A count above this takes a millisecond or more, so it is the worker pool's.
const COUNT_SHORT_MAX: usize = 10_000;
/// Buckets that a walk visits, without finding what it wants, for each key that it wants.
const STEPS_PER_KEY: usize = 10;
/// Buckets that any walk may visit. A database of a few keys is walked in one call.
const STEPS_MIN: usize = 2 * SHARDS;
/// Random shards that RANDOMKEY looks into before it looks into all.
const DRAWS: usize = 64;

const INVALID_CURSOR: Failure = Failure::text("ERR invalid cursor");
const NO_VALUES: Failure = Failure::text("ERR NOVALUES option can only be used in HSCAN");
const NO_SCORES: Failure = Failure::text("ERR NOSCORES option can only be used in ZSCAN");

/// The arguments of SCAN and RM: those of Redis, and Dragonfly's ATTR and MINMSZ.
const WALK: &[Argument] = &[
    integer("cursor"),
    pattern("pattern").after("MATCH").opt(),
    integer("count").after("COUNT").opt(),
    string("type").after("TYPE").opt().since("6.0.0"),
    oneof("attribute")
        .after("ATTR")
        .opt()
        .since("dragonfly")
        .of(&[token("v").named("volatile"), token("p").named("permanent")]),
    integer("bytes").after("MINMSZ").opt().since("dragonfly"),
];

/// The arguments of walks over members, but for the option of their own.
const MEMBERS: [Argument; 4] = [
    key("key"),
    integer("cursor"),
    pattern("pattern").after("MATCH").opt(),
    integer("count").after("COUNT").opt(),
];

/// What bounds the time of all walks over members.
const MEMBERS_TIME: &str = "O(1) for a call, O(N) for a walk over N members";

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("hscan", -3, members::hscan)
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(Access::READ)])
        .docs(Group::Hash, "2.8.0", "Walks over the fields of a hash, some with each call.")
        .complexity(MEMBERS_TIME)
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[MEMBERS[0], MEMBERS[1], MEMBERS[2], MEMBERS[3], token("NOVALUES").opt()]),
    Command::<Handler>::new("keys", 2, keys)
        .flags(Flags::READONLY.union(Flags::LONG))
        .docs(Group::Generic, "1.0.0", "Lists the keys that match a pattern.")
        .complexity("O(N) with N the number of keys in the database")
        .tips(&[tips::TO_ALL_SHARDS, tips::NONDETERMINISTIC_ORDER])
        .categories(&["dangerous"])
        .args(&[pattern("pattern")]),
    Command::<Handler>::new("randomkey", 1, randomkey)
        .flags(Flags::READONLY)
        .docs(Group::Generic, "1.0.0", "Names a key by chance.")
        .complexity("O(1)")
        .tips(&[tips::TO_ALL_SHARDS, tips::REPLY_SPECIAL, tips::NONDETERMINISTIC]),
    Command::<Handler>::new("rm", -2, rm)
        .flags(Flags::WRITE)
        .docs(
            Group::Generic,
            "dragonfly",
            "Walks over the keys as SCAN does, and deletes those it finds.",
        )
        .complexity("O(1) for a call, O(N) for a walk over N keys")
        .categories(&["dangerous"])
        .args(WALK),
    Command::<Handler>::new("scan", -2, scan)
        .flags(Flags::READONLY)
        .docs(Group::Generic, "2.8.0", "Walks over the keys of the database, some with each call.")
        .complexity("O(1) for a call, O(N) for a walk over N keys")
        .history(&[("6.0.0", "`TYPE`.")])
        .tips(&[tips::NONDETERMINISTIC, tips::TO_SPECIAL, tips::REPLY_SPECIAL])
        .args(WALK),
    Command::<Handler>::new("sscan", -3, members::sscan)
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(Access::READ)])
        .docs(Group::Set, "2.8.0", "Walks over the members of a set, some with each call.")
        .complexity(MEMBERS_TIME)
        .tips(&[tips::NONDETERMINISTIC])
        .args(&MEMBERS),
    Command::<Handler>::new("zscan", -3, members::zscan)
        .flags(Flags::READONLY)
        .keys(&[KeySpec::one(Access::READ)])
        .docs(
            Group::SortedSet,
            "2.8.0",
            "Walks over the members of a sorted set and their scores, some with each call.",
        )
        .complexity(MEMBERS_TIME)
        .history(&[("valkey-8.1.0", "`NOSCORES`.")])
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[
            MEMBERS[0],
            MEMBERS[1],
            MEMBERS[2],
            MEMBERS[3],
            token("NOSCORES").opt().since("valkey-8.1.0"),
        ]),
];

fn scan(ctx: &mut Context<'_>) -> Outcome {
    let (mut position, request) = Request::of(ctx)?;
    let now_ms = ctx.now_ms;
    let (mut found, mut visited, mut steps) = (Found::default(), 0_usize, 0_usize);
    walk_some(ctx, &mut position, |db, from| {
        let next = db.scan(from, now_ms, |entry| {
            visited = visited.saturating_add(1);
            if request.filter.admits(entry) {
                found.push(Value::Bytes(entry.key()));
            }
        });
        steps = steps.saturating_add(1);
        (next, visited >= request.count || steps >= request.steps_max())
    })?;
    found.page(&mut ctx.reply, position.cursor());
    Ok(())
}

/// As SCAN, but what is found is deleted, and counts.
fn rm(ctx: &mut Context<'_>) -> Outcome {
    let (mut position, request) = Request::of(ctx)?;
    let (keyspace, now_ms) = (ctx.keyspace, ctx.now_ms);
    let (mut doomed, mut removed, mut steps) = (Vec::new(), 0_usize, 0_usize);
    walk_some(ctx, &mut position, |db, from| {
        let next = db.scan(from, now_ms, |entry| {
            if request.filter.admits(entry) {
                doomed.push(entry.key().to_vec());
            }
        });
        for key in doomed.drain(..) {
            let was_there = db.remove(&keyspace.key(&key), now_ms);
            removed = removed.saturating_add(usize::from(was_there));
        }
        steps = steps.saturating_add(1);
        (next, removed >= request.count || steps >= request.steps_max())
    })?;
    ctx.reply.array(2);
    ctx.reply.bulk_integer(position.cursor().cast_signed());
    ctx.reply.count(removed);
    Ok(())
}

/// Walks on; a busy shard ends the walk early where something was visited already.
fn walk_some(
    ctx: &mut Context<'_>,
    position: &mut Position,
    visit: impl FnMut(&mut Db, u64) -> (Option<u64>, bool),
) -> Outcome {
    let start = *position;
    match walk(ctx, position, visit) {
        Err(Failure::Detach) if *position != start => Ok(()),
        outcome => outcome,
    }
}

/// What is walked over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Over {
    Keys,
    Fields,
    Members,
    Scores,
}

/// What a walk is asked for, its cursor apart.
#[derive(PartialEq, Eq, Debug)]
struct Request<'a> {
    /// Keys or members to visit, about.
    count: usize,
    /// Whether values, or scores, are left out.
    is_bare: bool,
    filter: Filter<'a>,
}

/// Which keys are wanted.
#[derive(Default, PartialEq, Eq, Debug)]
struct Filter<'a> {
    pattern: Option<&'a [u8]>,
    type_name: Option<&'a [u8]>,
    /// Those with an expiry, or those without.
    is_volatile: Option<bool>,
    memory_min: usize,
}

impl<'a> Request<'a> {
    /// What the command asks for, and from where on. A call that takes long is sent away.
    fn of(ctx: &Context<'a>) -> Result<(Position, Self), Failure> {
        let cursor = parse_cursor(ctx.args.get(1)).ok_or(INVALID_CURSOR)?;
        let request = Self::parse(ctx.args.from(2), Over::Keys)?;
        if request.count > COUNT_SHORT_MAX && !ctx.may_wait {
            return Err(Failure::Detach);
        }
        Ok((Position::of_cursor(cursor), request))
    }

    /// Reads the words behind the cursor.
    fn parse(mut words: impl Iterator<Item = &'a [u8]>, over: Over) -> Result<Self, Failure> {
        let mut request = Self { count: COUNT_DEFAULT, is_bare: false, filter: Filter::default() };
        let filter = &mut request.filter;
        while let Some(word) = words.next() {
            let option = word.to_ascii_lowercase();
            match (option.as_slice(), over) {
                (b"novalues", Over::Fields) | (b"noscores", Over::Scores) => {
                    request.is_bare = true;
                    continue;
                }
                (b"novalues", _) => return Err(NO_VALUES),
                (b"noscores", _) => return Err(NO_SCORES),
                _ => {}
            }
            let value = words.next().ok_or(Failure::Syntax)?;
            match option.as_slice() {
                b"match" => filter.pattern = (value != b"*").then_some(value),
                b"count" => request.count = count_of(value)?,
                _ if over != Over::Keys => return Err(Failure::Syntax),
                // As in Redis, a type that does not exist is one that no key has.
                b"type" => filter.type_name = Some(value),
                b"attr" => filter.is_volatile = Some(is_volatile(value)?),
                b"minmsz" => filter.memory_min = bytes_of(value)?,
                _ => return Err(Failure::Syntax),
            }
        }
        Ok(request)
    }

    /// Buckets that one call visits at most.
    fn steps_max(&self) -> usize {
        self.count.saturating_mul(STEPS_PER_KEY).max(STEPS_MIN)
    }
}

impl Filter<'_> {
    fn admits(&self, entry: &Entry) -> bool {
        self.type_name
            .is_none_or(|name| entry.form().type_name().as_bytes().eq_ignore_ascii_case(name))
            && self.is_volatile.is_none_or(|wanted| entry.expires_at().is_some() == wanted)
            && (self.memory_min == 0 || entry.memory() >= self.memory_min)
            && self.admits_text(entry.key())
    }

    fn admits_text(&self, text: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| glob::matches(pattern, text))
    }
}

/// Reads a cursor as C's `strtoull` does, because Redis does: a sign is allowed, nothing is zero,
/// and a zero byte ends it.
fn parse_cursor(word: &[u8]) -> Option<u64> {
    let word = word.split(|&byte| byte == 0).next().unwrap_or_default();
    let (negative, digits) = match word {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    // Rust would take a second sign.
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if negative { magnitude.wrapping_neg() } else { magnitude })
}

fn count_of(word: &[u8]) -> Result<usize, Failure> {
    match parse_i64(word).ok_or(Failure::NotInteger)? {
        ..=0 => Err(Failure::Syntax),
        count => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
    }
}

fn bytes_of(word: &[u8]) -> Result<usize, Failure> {
    let bytes = parse_i64(word).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or(Failure::NotInteger)
}

/// Dragonfly's letters for keys that are volatile and permanent. Its other two, for keys that were
/// and were not accessed, ask for what we do not note.
fn is_volatile(word: &[u8]) -> Result<bool, Failure> {
    match word {
        b"v" => Ok(true),
        b"p" => Ok(false),
        _ => Err(Failure::Syntax),
    }
}

fn keys(ctx: &mut Context<'_>) -> Outcome {
    let (pattern, now_ms) = (ctx.args.get(1), ctx.now_ms);
    let (mut found, mut position) = (Found::default(), Position::START);
    walk(ctx, &mut position, |db, from| {
        let next = db.scan(from, now_ms, |entry| {
            if glob::matches(pattern, entry.key()) {
                found.push(Value::Bytes(entry.key()));
            }
        });
        (next, false)
    })?;
    found.show(&mut ctx.reply);
    Ok(())
}

fn randomkey(ctx: &mut Context<'_>) -> Outcome {
    let mut random = Random::new(ctx.now_ms);
    let key = match drawn_key(ctx, &mut random) {
        Some(key) => Some(key),
        None => any_key(ctx, &mut random)?,
    };
    match key {
        Some(key) => ctx.reply.bulk(&key),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// A key of one of some random shards. Busy shards are passed by.
fn drawn_key(ctx: &mut Context<'_>, random: &mut Random) -> Option<Vec<u8>> {
    let (number, now_ms) = (ctx.db, ctx.now_ms);
    (0..DRAWS).find_map(|_| {
        let mut shard = ctx.shard(random_shard(random)).ok()?;
        let entry = shard.db(number).random(now_ms, || random.draw());
        entry.map(|entry| entry.key().to_vec())
    })
}

/// A key of the first shard that has one, from a random shard on. Looks into every bucket before it
/// says that there is none, for a shard may be full of expired keys.
fn any_key(ctx: &mut Context<'_>, random: &mut Random) -> Result<Option<Vec<u8>>, Failure> {
    let (now_ms, may_wait) = (ctx.now_ms, ctx.may_wait);
    for start in [Position::of_shard(random_shard(random)), Position::START] {
        let (mut found, mut steps, mut position) = (None, 0_usize, start);
        walk(ctx, &mut position, |db, from| {
            steps = steps.saturating_add(1);
            if from == 0 {
                found = db.random(now_ms, || random.draw()).map(|entry| entry.key().to_vec());
            }
            let next = if found.is_some() {
                None
            } else {
                db.scan(from, now_ms, |entry| found = Some(entry.key().to_vec()))
            };
            (next, found.is_some() || steps >= STEPS_MIN && !may_wait)
        })?;
        if found.is_some() {
            return Ok(found);
        }
        if !position.is_end() {
            return Err(Failure::Detach);
        }
    }
    Ok(None)
}

fn random_shard(random: &mut Random) -> u16 {
    let [low, high, ..] = random.draw().to_le_bytes();
    u16::from_le_bytes([low, high]) % SHARD_COUNT
}

#[cfg(test)]
mod tests;
