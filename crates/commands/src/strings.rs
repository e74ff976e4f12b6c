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
mod ranges;
mod set_options;

use keyspace::db::EntryMut;
use keyspace::{Db, Key};
use table::{Entry, Value};

use crate::context::{Context, reply_value};
use crate::deadline::{Unit, deadline};
use crate::failure::{Failure, Outcome};
use crate::spec::{Access, Find, Flags, Group, KeySpec};
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
const READ_TWO: &[KeySpec] =
    &[KeySpec { begin: 1, find: Find::Range { last: 1, step: 1 }, access: Access::READ }];

const BAD_CONDITION: Failure =
    Failure::text("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE");

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("append", 3, ranges::append)
        .flags(WRITE_FAST)
        .keys(&[KeySpec::one(Access::EXTEND)])
        .docs(
            Group::String,
            "2.0.0",
            "Appends a string to the value of a key. Creates the key if it doesn't exist.",
        ),
    Command::<Handler>::new("decr", 2, counters::decr).flags(WRITE_FAST).keys(EXCHANGE_ONE).docs(
        Group::String,
        "1.0.0",
        "Decrements the integer value of a key by one. \
         Uses 0 as initial value if the key doesn't exist.",
    ),
    Command::<Handler>::new("decrby", 3, counters::decrby)
        .flags(WRITE_FAST)
        .keys(EXCHANGE_ONE)
        .docs(
            Group::String,
            "1.0.0",
            "Decrements a number from the integer value of a key. \
             Uses 0 as initial value if the key doesn't exist.",
        ),
    Command::<Handler>::new("delex", -2, delex)
        .flags(TAKE_FAST)
        .keys(&[KeySpec::one(Access::REMOVE)])
        .docs(
            Group::String,
            "8.4.0",
            "Conditionally removes the specified key based on value or digest comparison.",
        ),
    Command::<Handler>::new("delifeq", 3, delifeq)
        .flags(TAKE_FAST)
        .keys(&[KeySpec::one(Access::REMOVE)])
        .docs(Group::String, "9.0.0", "Delete key if value matches string."),
    Command::<Handler>::new("digest", 2, digest).flags(READ_FAST).keys(READ_ONE).docs(
        Group::String,
        "8.4.0",
        "Returns the XXH3 hash of a string value.",
    ),
    Command::<Handler>::new("get", 2, get).flags(READ_FAST).keys(READ_ONE).docs(
        Group::String,
        "1.0.0",
        "Returns the string value of a key.",
    ),
    Command::<Handler>::new("getdel", 2, getdel)
        .flags(TAKE_FAST)
        .keys(&[KeySpec::one(Access::TAKE)])
        .docs(Group::String, "6.2.0", "Returns the string value of a key after deleting the key."),
    Command::<Handler>::new("getex", -2, getex).flags(TAKE_FAST).keys(EXCHANGE_ONE).docs(
        Group::String,
        "6.2.0",
        "Returns the string value of a key after setting its expiration time.",
    ),
    Command::<Handler>::new("getrange", 4, ranges::getrange).flags(READ).keys(READ_ONE).docs(
        Group::String,
        "2.4.0",
        "Returns a substring of the string stored at a key.",
    ),
    Command::<Handler>::new("getset", 3, getset).flags(WRITE_FAST).keys(EXCHANGE_ONE).docs(
        Group::String,
        "1.0.0",
        "Returns the previous string value of a key after setting it to a new value.",
    ),
    Command::<Handler>::new("incr", 2, counters::incr).flags(WRITE_FAST).keys(EXCHANGE_ONE).docs(
        Group::String,
        "1.0.0",
        "Increments the integer value of a key by one. \
         Uses 0 as initial value if the key doesn't exist.",
    ),
    Command::<Handler>::new("incrby", 3, counters::incrby)
        .flags(WRITE_FAST)
        .keys(EXCHANGE_ONE)
        .docs(
            Group::String,
            "1.0.0",
            "Increments the integer value of a key by a number. \
             Uses 0 as initial value if the key doesn't exist.",
        ),
    Command::<Handler>::new("incrbyfloat", 3, counters::incrbyfloat)
        .flags(WRITE_FAST)
        .keys(EXCHANGE_ONE)
        .docs(
            Group::String,
            "2.6.0",
            "Increment the floating point value of a key by a number. \
             Uses 0 as initial value if the key doesn't exist.",
        ),
    Command::<Handler>::new("increx", -2, increx::increx)
        .flags(WRITE_FAST)
        .keys(EXCHANGE_ONE)
        .docs(
            Group::String,
            "8.8.0",
            "Increments the numeric value of a key by a number and sets its expiration time. \
             Uses 0 as initial value if the key doesn't exist.",
        ),
    Command::<Handler>::new("lcs", -3, lcs::lcs).flags(READ).keys(READ_TWO).docs(
        Group::String,
        "7.0.0",
        "Finds the longest common substring.",
    ),
    Command::<Handler>::new("mget", -2, many::mget)
        .flags(READ_FAST)
        .keys(&[KeySpec::all(Access::READ)])
        .docs(Group::String, "1.0.0", "Atomically returns the string values of one or more keys."),
    Command::<Handler>::new("mset", -3, many::mset)
        .flags(WRITE)
        .keys(&[KeySpec::pairs(Access::OVERWRITE)])
        .docs(
            Group::String,
            "1.0.1",
            "Atomically creates or modifies the string values of one or more keys.",
        ),
    Command::<Handler>::new("msetex", -4, many::msetex)
        .flags(WRITE)
        .keys(&[KeySpec::counted_pairs(Access::OVERWRITE)])
        .docs(
            Group::String,
            "8.4.0",
            "Atomically sets multiple string keys with a shared expiration in a single operation. \
             Supports flexible argument parsing where condition and expiration flags can appear \
             in any order.",
        ),
    Command::<Handler>::new("msetnx", -3, many::msetnx)
        .flags(WRITE)
        .keys(&[KeySpec::pairs(Access::INSERT)])
        .docs(
            Group::String,
            "1.0.1",
            "Atomically modifies the string values of one or more keys \
             only when all keys don't exist.",
        ),
    Command::<Handler>::new("prepend", 3, ranges::prepend)
        .flags(WRITE_FAST)
        .keys(&[KeySpec::one(Access::EXTEND)])
        .docs(
            Group::String,
            "dragonfly",
            "Prepends a string to the value of a key. Creates the key if it doesn't exist.",
        ),
    Command::<Handler>::new("psetex", 4, psetex)
        .flags(WRITE)
        .keys(&[KeySpec::one(Access::OVERWRITE)])
        .docs(
            Group::String,
            "2.6.0",
            "Sets both string value and expiration time in milliseconds of a key. \
             The key is created if it doesn't exist.",
        ),
    Command::<Handler>::new("set", -3, set)
        .flags(WRITE.union(Flags::SHORT))
        .keys(&[KeySpec::one(Access::EXCHANGE_VARIABLE)])
        .docs(
            Group::String,
            "1.0.0",
            "Sets the string value of a key, ignoring its type. \
             The key is created if it doesn't exist.",
        ),
    Command::<Handler>::new("setex", 4, setex)
        .flags(WRITE)
        .keys(&[KeySpec::one(Access::OVERWRITE)])
        .docs(
            Group::String,
            "2.0.0",
            "Sets the string value and expiration time of a key. \
             Creates the key if it doesn't exist.",
        ),
    Command::<Handler>::new("setnx", 3, setnx)
        .flags(WRITE_FAST)
        .keys(&[KeySpec::one(Access::INSERT)])
        .docs(
            Group::String,
            "1.0.0",
            "Set the string value of a key only when the key doesn't exist.",
        ),
    Command::<Handler>::new("setrange", 4, ranges::setrange)
        .flags(WRITE)
        .keys(&[KeySpec::one(Access::UPDATE)])
        .docs(
            Group::String,
            "2.2.0",
            "Overwrites a part of a string value with another by an offset. \
             Creates the key if it doesn't exist.",
        ),
    Command::<Handler>::new("strlen", 2, strlen)
        .flags(READ_FAST)
        .keys(&[KeySpec::one(Access::INSPECT)])
        .docs(Group::String, "2.2.0", "Returns the length of a string value."),
    Command::<Handler>::new("substr", 4, ranges::getrange).flags(READ).keys(READ_ONE).docs(
        Group::String,
        "1.0.0",
        "Returns a substring from a string value.",
    ),
];

fn get(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (db, reply) = ctx.open(&key);
    match db.read(&key, now_ms) {
        Some(entry) => reply_value(reply, entry.value()),
        None => reply.null(),
    }
    Ok(())
}

fn set(ctx: &mut Context<'_>) -> Outcome {
    if ctx.args.len() > 3 {
        return set_with_options(ctx);
    }
    let (key, now_ms, value) = (ctx.key(0), ctx.now_ms, Value::of(ctx.args.get(2)));
    let (db, reply) = ctx.open(&key);
    db.set(&key, value, None, now_ms);
    reply.ok();
    Ok(())
}

#[inline(never)]
fn set_with_options(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms, value) = (ctx.key(0), ctx.now_ms, Value::of(ctx.args.get(2)));
    let options = set_options::parse(ctx.args.from(3), Takes::SET)?;
    let expiry = options.expiry.resolve(now_ms, ctx.name)?;
    let (db, reply) = ctx.open(&key);
    let mut answer = |old: Option<Value<'_>>, holds| match old {
        Some(old) if options.get => reply_value(reply, old),
        None if options.get => reply.null(),
        _ if holds => reply.ok(),
        _ => reply.null(),
    };
    if let Some(mut entry) = find(db, &key, &options, now_ms) {
        let holds = options.condition.holds(Some(entry.value()))?;
        answer(Some(entry.value()), holds);
        if holds {
            if options.stick && !entry.is_sticky() {
                entry.set_sticky(true);
            }
            overwrite(entry, value, expiry, now_ms);
        }
    } else {
        let holds = options.condition.holds(None)?;
        answer(None, holds);
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
    let (key, now_ms, value) = (ctx.key(0), ctx.now_ms, Value::of(ctx.args.get(2)));
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
    let (key, now_ms, value) = (ctx.key(0), ctx.now_ms, Value::of(ctx.args.get(3)));
    let at = deadline(ctx.args.get(2), unit, false, now_ms, ctx.name)?;
    let (db, reply) = ctx.open(&key);
    db.set(&key, value, Some(at), now_ms);
    reply.ok();
    Ok(())
}

fn getset(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms, value) = (ctx.key(0), ctx.now_ms, Value::of(ctx.args.get(2)));
    let (db, reply) = ctx.open(&key);
    if let Some(mut entry) = db.read_mut(&key, now_ms) {
        reply_value(reply, entry.value());
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
            reply_value(reply, entry.value());
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
    let expiry = options.expiry.resolve(now_ms, name)?;
    reply_value(reply, entry.value());
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
    let len = db.read(&key, now_ms).map_or(0, |entry| entry.value().len());
    reply.count(len);
    Ok(())
}

fn digest(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (db, reply) = ctx.open(&key);
    match db.read(&key, now_ms) {
        Some(entry) => reply.bulk(&conditions::digest(entry.value())),
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
        removed = condition()?.holds(Some(entry.value()))?;
        if removed {
            entry.remove();
        }
    }
    reply.integer(i64::from(removed));
    Ok(())
}

#[cfg(test)]
mod tests;
