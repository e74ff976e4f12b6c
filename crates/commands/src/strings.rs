//! Strings: the rows of the family, and the commands of one key that get, set and delete.
//!
//! GET and SET without options are the hottest code there is: one lookup, no copy of an argument,
//! nothing parsed.
//!
//! Strings are the only type so far, so no handler checks types yet. Where Redis answers
//! `WRONGTYPE`, the check belongs right behind the lookup.

mod conditions;
pub(crate) mod counters;
mod increx;
mod lcs;
mod many;
pub(crate) mod ranges;
mod set_options;

use keyspace::db::EntryMut;
use keyspace::{Db, Key};
use values::{Entry, Value};

use crate::context::{Context, reply_string, string_of};
use crate::deadline::{Unit, deadline};
use crate::failure::{Failure, Outcome};
use crate::spec::arguments::{
    Argument, block, double, integer, key, oneof, string, token, unix_time,
};
use crate::spec::{Access, Find, Flags, Group, KeySpec, tips};
use crate::{Command, Handler};
use conditions::{Comparison, Condition};
use set_options::{Capitals, Expiry, Options, Takes};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = READ.union(Flags::FAST);
const TAKE_FAST: Flags = Flags::WRITE.union(Flags::FAST);
const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);
const WRITE_FAST: Flags = WRITE.union(Flags::FAST);

const READ_ONE: &[KeySpec] = &[KeySpec::one(Access::READ)];
const EXCHANGE_ONE: &[KeySpec] = &[KeySpec::one(Access::EXCHANGE)];
const READ_TWO: &[KeySpec] = &[KeySpec::new(1, Find::Range { last: 1, step: 1 }, Access::READ)];

const BAD_CONDITION: Failure =
    Failure::text("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");

const EX: Argument = integer("seconds").after("EX");
const PX: Argument = integer("milliseconds").after("PX");
const EXAT: Argument = unix_time("unix-time-seconds").after("EXAT");
const PXAT: Argument = unix_time("unix-time-milliseconds").after("PXAT");
const PAIR: &[Argument] = &[key("key"), string("value")];

/// The arguments of INCREX: those of Redis, and Valkey's conditions.
const INCREX: &[Argument] = &[
    key("key"),
    oneof("increment")
        .opt()
        .of(&[double("float").after("BYFLOAT"), integer("integer").after("BYINT")]),
    token("SATURATE").opt(),
    string("lowerbound").after("LBOUND").opt(),
    string("upperbound").after("UBOUND").opt(),
    oneof("expiration").opt().of(&[EX, PX, EXAT, PXAT, token("PERSIST")]),
    token("ENX").opt(),
    oneof("condition").opt().since("9.2.0").of(&[token("NX"), token("XX")]),
];

/// The arguments of SET, which has gained some with nearly every version.
const SET: &[Argument] = &[
    key("key"),
    string("value"),
    oneof("condition").opt().since("2.6.12").of(&[
        token("NX"),
        token("XX"),
        string("ifeq-value").after("IFEQ").since("8.4.0"),
        string("ifne-value").after("IFNE").since("8.4.0"),
        integer("ifdeq-digest").after("IFDEQ").since("8.4.0"),
        integer("ifdne-digest").after("IFDNE").since("8.4.0"),
    ]),
    token("GET").opt().since("6.2.0"),
    oneof("expiration").opt().of(&[
        EX.since("2.6.12"),
        PX.since("2.6.12"),
        EXAT.since("6.2.0"),
        PXAT.since("6.2.0"),
        token("KEEPTTL").since("6.0.0"),
    ]),
];

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("append", 3, ranges::append)
        .flags(WRITE_FAST)
        .keys(&[KeySpec::one(Access::EXTEND)])
        .docs(Group::String, "2.0.0", "Adds a string to the end of the one at a key.")
        .complexity("O(1)")
        .args(&[key("key"), string("value")]),
    Command::<Handler>::new("decr", 2, counters::decr)
        .flags(WRITE_FAST)
        .keys(EXCHANGE_ONE)
        .docs(Group::String, "1.0.0", "Takes one from the number at a key.")
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("decrby", 3, counters::decrby)
        .flags(WRITE_FAST)
        .keys(EXCHANGE_ONE)
        .docs(Group::String, "1.0.0", "Takes an integer from the number at a key.")
        .complexity("O(1)")
        .args(&[key("key"), integer("decrement")]),
    Command::<Handler>::new("delex", -2, delex)
        .flags(TAKE_FAST)
        .keys(&[KeySpec::one(Access::REMOVE_VARIABLE)])
        .docs(
            Group::String,
            "8.4.0",
            "Deletes a key if its value or digest is, or is not, the one given.",
        )
        .complexity("O(1), with a digest O(N) with N the length of the value")
        .args(&[
            key("key"),
            oneof("condition").opt().of(&[
                string("ifeq-value").after("IFEQ"),
                string("ifne-value").after("IFNE"),
                integer("ifdeq-digest").after("IFDEQ"),
                integer("ifdne-digest").after("IFDNE"),
            ]),
        ]),
    Command::<Handler>::new("delifeq", 3, delifeq)
        .flags(TAKE_FAST)
        .keys(&[KeySpec::one(Access::REMOVE)])
        .docs(Group::String, "9.0.0", "Deletes a key if it has this value.")
        .complexity("O(1)")
        .args(&[key("key"), string("value")]),
    Command::<Handler>::new("digest", 2, digest)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::String, "8.4.0", "Hashes the string at a key with XXH3.")
        .complexity("O(N) with N the length of the value")
        .args(&[key("key")]),
    Command::<Handler>::new("get", 2, get)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::String, "1.0.0", "Reads the string at a key.")
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("getdel", 2, getdel)
        .flags(TAKE_FAST)
        .keys(&[KeySpec::one(Access::TAKE)])
        .docs(Group::String, "6.2.0", "Reads the string at a key and deletes the key.")
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("getex", -2, getex)
        .flags(TAKE_FAST)
        .keys(&[KeySpec::one(Access::EXCHANGE).notes("It can change when the key expires.")])
        .docs(Group::String, "6.2.0", "Reads the string at a key and changes its expiry.")
        .complexity("O(1)")
        .args(&[key("key"), oneof("expiration").opt().of(&[EX, PX, EXAT, PXAT, token("PERSIST")])]),
    Command::<Handler>::new("getrange", 4, ranges::getrange)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::String, "2.4.0", "Reads a part of the string at a key.")
        .complexity("O(N) with N the length of the part")
        .args(&[key("key"), integer("start"), integer("end")]),
    Command::<Handler>::new("getset", 3, getset)
        .flags(WRITE_FAST)
        .keys(EXCHANGE_ONE)
        .docs(Group::String, "1.0.0", "Sets a key to a string and tells what it held before.")
        .complexity("O(1)")
        .deprecated("6.2.0", "`SET` with `GET`")
        .args(&[key("key"), string("value")]),
    Command::<Handler>::new("incr", 2, counters::incr)
        .flags(WRITE_FAST)
        .keys(EXCHANGE_ONE)
        .docs(Group::String, "1.0.0", "Adds one to the number at a key.")
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("incrby", 3, counters::incrby)
        .flags(WRITE_FAST)
        .keys(EXCHANGE_ONE)
        .docs(Group::String, "1.0.0", "Adds an integer to the number at a key.")
        .complexity("O(1)")
        .args(&[key("key"), integer("increment")]),
    Command::<Handler>::new("incrbyfloat", 3, counters::incrbyfloat)
        .flags(WRITE_FAST)
        .keys(EXCHANGE_ONE)
        .docs(Group::String, "2.6.0", "Adds a number with a fraction to the one at a key.")
        .complexity("O(1)")
        .args(&[key("key"), double("increment")]),
    Command::<Handler>::new("increx", -2, increx::increx)
        .flags(WRITE_FAST)
        .keys(EXCHANGE_ONE)
        .docs(
            Group::String,
            "8.8.0",
            "Adds to the number at a key within bounds, and sets its expiry.",
        )
        .complexity("O(1)")
        .args(INCREX),
    Command::<Handler>::new("lcs", -3, lcs::lcs)
        .flags(READ)
        .keys(READ_TWO)
        .docs(Group::String, "7.0.0", "Finds the longest common subsequence of two strings.")
        .complexity("O(N*M) with N and M the lengths of the strings")
        .args(&[
            key("key1"),
            key("key2"),
            token("LEN").opt(),
            token("IDX").opt(),
            integer("min-match-len").after("MINMATCHLEN").opt(),
            token("WITHMATCHLEN").opt(),
        ]),
    Command::<Handler>::new("mget", -2, many::mget)
        .flags(READ_FAST)
        .keys(&[KeySpec::all(Access::READ)])
        .docs(Group::String, "1.0.0", "Reads the strings at several keys at one moment.")
        .complexity("O(N) with N the number of keys")
        .tips(&[tips::TO_SHARDS_OF_KEYS])
        .args(&[key("key").many()]),
    Command::<Handler>::new("mset", -3, many::mset)
        .flags(WRITE)
        .keys(&[KeySpec::pairs(Access::OVERWRITE)])
        .docs(Group::String, "1.0.1", "Sets several keys to strings at one moment.")
        .complexity("O(N) with N the number of keys")
        .tips(&[tips::TO_SHARDS_OF_KEYS, tips::REPLY_ALL_SUCCEEDED])
        .args(&[block("data").many().of(PAIR)]),
    Command::<Handler>::new("msetex", -4, many::msetex)
        .flags(WRITE)
        .keys(&[KeySpec::counted_pairs(Access::OVERWRITE)])
        .docs(
            Group::String,
            "8.4.0",
            "Sets several keys to strings that expire, if a condition holds.",
        )
        .complexity("O(N) with N the number of keys")
        .tips(&[tips::TO_SHARDS_OF_KEYS, tips::REPLY_ALL_SUCCEEDED])
        .args(&[
            integer("numkeys"),
            block("data").many().of(PAIR),
            oneof("condition").opt().of(&[token("NX"), token("XX")]),
            oneof("expiration").opt().of(&[EX, PX, EXAT, PXAT, token("KEEPTTL")]),
        ]),
    Command::<Handler>::new("msetnx", -3, many::msetnx)
        .flags(WRITE)
        .keys(&[KeySpec::pairs(Access::INSERT)])
        .docs(Group::String, "1.0.1", "Sets several keys to strings if none of the keys is there.")
        .complexity("O(N) with N the number of keys")
        .args(&[block("data").many().of(PAIR)]),
    Command::<Handler>::new("prepend", 3, ranges::prepend)
        .flags(WRITE_FAST)
        .keys(&[KeySpec::one(Access::EXTEND)])
        .docs(Group::String, "dragonfly", "Adds a string to the front of the one at a key.")
        .complexity("O(N) with N the length of the new value")
        .args(&[key("key"), string("value")]),
    Command::<Handler>::new("psetex", 4, psetex)
        .flags(WRITE)
        .keys(&[KeySpec::one(Access::OVERWRITE)])
        .docs(
            Group::String,
            "2.6.0",
            "Sets a key to a string that expires after so many milliseconds.",
        )
        .complexity("O(1)")
        .deprecated("2.6.12", "`SET` with `PX`")
        .args(&[key("key"), integer("milliseconds"), string("value")]),
    Command::<Handler>::new("set", -3, set)
        .flags(WRITE.union(Flags::SHORT))
        .keys(&[KeySpec::one(Access::EXCHANGE_VARIABLE).notes("It reads the key only with `GET`.")])
        .docs(Group::String, "1.0.0", "Sets a key to a string, whatever the key held before.")
        .complexity("O(1)")
        .history(&[
            ("2.6.12", "`EX`, `PX`, `NX` and `XX`."),
            ("6.0.0", "`KEEPTTL`."),
            ("6.2.0", "`GET`, `EXAT` and `PXAT`."),
            ("7.0.0", "`GET` works with `NX` too."),
            ("8.4.0", "`IFEQ`, `IFNE`, `IFDEQ` and `IFDNE`."),
        ])
        .args(SET),
    Command::<Handler>::new("setex", 4, setex)
        .flags(WRITE)
        .keys(&[KeySpec::one(Access::OVERWRITE)])
        .docs(Group::String, "2.0.0", "Sets a key to a string that expires after so many seconds.")
        .complexity("O(1)")
        .deprecated("2.6.12", "`SET` with `EX`")
        .args(&[key("key"), integer("seconds"), string("value")]),
    Command::<Handler>::new("setnx", 3, setnx)
        .flags(WRITE_FAST)
        .keys(&[KeySpec::one(Access::INSERT)])
        .docs(Group::String, "1.0.0", "Sets a key to a string if the key is not there.")
        .complexity("O(1)")
        .deprecated("2.6.12", "`SET` with `NX`")
        .args(&[key("key"), string("value")]),
    Command::<Handler>::new("setrange", 4, ranges::setrange)
        .flags(WRITE)
        .keys(&[KeySpec::one(Access::UPDATE)])
        .docs(Group::String, "2.2.0", "Overwrites a part of the string at a key.")
        .complexity("O(1) in place, O(N) with N the length of the value where it grows")
        .args(&[key("key"), integer("offset"), string("value")]),
    Command::<Handler>::new("strlen", 2, strlen)
        .flags(READ_FAST)
        .keys(&[KeySpec::one(Access::INSPECT)])
        .docs(Group::String, "2.2.0", "Tells the length of the string at a key.")
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("substr", 4, ranges::getrange)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::String, "1.0.0", "Reads a part of the string at a key.")
        .complexity("O(N) with N the length of the part")
        .deprecated("2.0.0", "`GETRANGE`")
        .args(&[key("key"), integer("start"), integer("end")]),
];

fn get(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (db, reply) = ctx.open(&key);
    match db.read(&key, now_ms) {
        Some(entry) => reply_string(reply, &entry)?,
        None => reply.null(),
    }
    Ok(())
}

fn set(ctx: &mut Context<'_>) -> Outcome {
    if ctx.args.len() > 3 {
        return set_with_options(ctx);
    }
    let (key, now_ms, value) = (ctx.key(0), ctx.now_ms, ctx.value(2)?);
    let (db, reply) = ctx.open(&key);
    db.set(&key, value, None, now_ms);
    reply.ok();
    Ok(())
}

#[inline(never)]
fn set_with_options(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms, value) = (ctx.key(0), ctx.now_ms, ctx.value(2)?);
    let options = set_options::parse(ctx.args.from(3), Takes::SET)?;
    let expiry = options.expiry.resolve(now_ms, ctx.name)?;
    let (db, reply) = ctx.open(&key);
    let mut answer = |old: Option<&Entry>, holds| {
        match old {
            Some(old) if options.get => reply_string(reply, old)?,
            None if options.get => reply.null(),
            _ if holds => reply.ok(),
            _ => reply.null(),
        }
        Ok(())
    };
    if let Some(mut entry) = find(db, &key, &options, now_ms) {
        let holds = options.condition.holds(Some(&entry))?;
        answer(Some(&entry), holds)?;
        if holds {
            if options.stick && !entry.is_sticky() {
                entry.set_sticky(true);
            }
            overwrite(entry, value, expiry, now_ms);
        }
    } else {
        let holds = options.condition.holds(None)?;
        answer(None, holds)?;
        if holds {
            create(db, &key, value, expiry, options.stick, now_ms);
        }
    }
    Ok(())
}

/// The entry that SET may change; only if it is also shown the lookup is counted.
fn find<'db>(
    db: &'db mut Db,
    key: &Key<'_>,
    options: &Options<'_>,
    now_ms: u64,
) -> Option<EntryMut<'db>> {
    if options.get { db.read_mut(key, now_ms) } else { db.get_mut(key, now_ms) }
}

/// Sets a key; a deadline that has passed removes it.
fn store(db: &mut Db, key: &Key<'_>, value: Value<'_>, expiry: Expiry<u64>, now_ms: u64) {
    if let Some(entry) = db.get_mut(key, now_ms) {
        overwrite(entry, value, expiry, now_ms);
    } else {
        create(db, key, value, expiry, false, now_ms);
    }
}

fn overwrite(mut entry: EntryMut<'_>, value: Value<'_>, expiry: Expiry<u64>, now_ms: u64) {
    match expiry {
        Expiry::Unsaid | Expiry::Persist => entry.set(value, None),
        Expiry::Keep => {
            let expires_at = entry.expires_at();
            entry.set(value, expires_at);
        }
        Expiry::At(at) if at <= now_ms => entry.remove(),
        Expiry::At(at) => entry.set(value, Some(at)),
    }
}

fn create(
    db: &mut Db,
    key: &Key<'_>,
    value: Value<'_>,
    expiry: Expiry<u64>,
    sticky: bool,
    now_ms: u64,
) {
    let expires_at = match expiry {
        Expiry::At(at) if at <= now_ms => return,
        Expiry::At(at) => Some(at),
        Expiry::Unsaid | Expiry::Keep | Expiry::Persist => None,
    };
    let mut entry = Entry::new(key.bytes, value, expires_at);
    entry.set_sticky(sticky);
    db.insert(key, entry);
}

fn setnx(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms, value) = (ctx.key(0), ctx.now_ms, ctx.value(2)?);
    let (db, reply) = ctx.open(&key);
    let is_missing = db.get(&key, now_ms).is_none();
    if is_missing {
        db.insert(&key, Entry::new(key.bytes, value, None));
    }
    reply.integer(i64::from(is_missing));
    Ok(())
}

fn setex(ctx: &mut Context<'_>) -> Outcome {
    set_for(ctx, Unit::Seconds)
}

fn psetex(ctx: &mut Context<'_>) -> Outcome {
    set_for(ctx, Unit::Millis)
}

fn set_for(ctx: &mut Context<'_>, unit: Unit) -> Outcome {
    let (key, now_ms, value) = (ctx.key(0), ctx.now_ms, ctx.value(3)?);
    let at = deadline(ctx.args.get(2), unit, false, now_ms, ctx.name)?;
    let (db, reply) = ctx.open(&key);
    db.set(&key, value, Some(at), now_ms);
    reply.ok();
    Ok(())
}

fn getset(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms, value) = (ctx.key(0), ctx.now_ms, ctx.value(2)?);
    let (db, reply) = ctx.open(&key);
    if let Some(mut entry) = db.read_mut(&key, now_ms) {
        reply_string(reply, &entry)?;
        entry.set(value, None);
    } else {
        reply.null();
        db.insert(&key, Entry::new(key.bytes, value, None));
    }
    Ok(())
}

fn getdel(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (db, reply) = ctx.open(&key);
    match db.read_mut(&key, now_ms) {
        Some(entry) => {
            reply_string(reply, &entry)?;
            entry.remove();
        }
        None => reply.null(),
    }
    Ok(())
}

fn getex(ctx: &mut Context<'_>) -> Outcome {
    let options = set_options::parse(ctx.args.from(2), Takes::GETEX)?;
    let (key, now_ms, name) = (ctx.key(0), ctx.now_ms, ctx.name);
    let (db, reply) = ctx.open(&key);
    let Some(mut entry) = db.read_mut(&key, now_ms) else {
        reply.null();
        return Ok(());
    };
    // As in Redis, nobody looks at the deadline for a key that does not exist.
    string_of(&entry)?;
    let expiry = options.expiry.resolve(now_ms, name)?;
    reply_string(reply, &entry)?;
    match expiry {
        Expiry::Unsaid | Expiry::Keep => {}
        Expiry::Persist if entry.expires_at().is_none() => {}
        Expiry::Persist => entry.set_expiry(None),
        Expiry::At(at) if at <= now_ms => entry.remove(),
        Expiry::At(at) => entry.set_expiry(Some(at)),
    }
    Ok(())
}

fn strlen(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (db, reply) = ctx.open(&key);
    let entry = db.read(&key, now_ms);
    let len = entry.map_or(Ok(0), |entry| string_of(&entry).map(|value| value.len()))?;
    reply.count(len);
    Ok(())
}

fn digest(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (db, reply) = ctx.open(&key);
    match db.read(&key, now_ms) {
        Some(entry) => reply.bulk(&conditions::digest(string_of(&entry)?)),
        None => reply.null(),
    }
    Ok(())
}

fn delex(ctx: &mut Context<'_>) -> Outcome {
    match ctx.args.len() {
        2 => remove_if(ctx, || Ok(Condition::Always)),
        4 => {
            let (word, with) = (Capitals::of(ctx.args.get(2)), ctx.args.get(3));
            // Redis looks at the condition only when there is something to remove.
            remove_if(ctx, || {
                let comparison = Comparison::of(word.bytes(), with).ok_or(BAD_CONDITION)?;
                Ok(Condition::If(comparison))
            })
        }
        _ => Err(Failure::Arity(ctx.name.into())),
    }
}

fn delifeq(ctx: &mut Context<'_>) -> Outcome {
    let with = ctx.args.get(2);
    remove_if(ctx, || Ok(Condition::If(Comparison::equal(with))))
}

/// Removes the key if it exists and the condition holds.
fn remove_if<'a>(
    ctx: &mut Context<'a>,
    condition: impl FnOnce() -> Result<Condition<'a>, Failure>,
) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (db, reply) = ctx.open(&key);
    let mut removed = false;
    if let Some(entry) = db.get_mut(&key, now_ms) {
        removed = condition()?.holds(Some(&entry))?;
        if removed {
            entry.remove();
        }
    }
    reply.integer(i64::from(removed));
    Ok(())
}

#[cfg(test)]
mod tests;
