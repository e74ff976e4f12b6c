//! Keys of any type: whether they are there, what they are called, which database they live in.
//!
//! A key moves as its entry does, with its expiry and its mark of being sticky; a large value
//! moves without being copied. Commands on whole databases (FLUSHALL, SWAPDB, DBSIZE) hold every
//! shard, so nobody sees half of their work.

use std::ops::Range;

use keyspace::db::Flushed;
use keyspace::{DATABASES, Db, Key, reclaim};
use protocol::number::parse_i64;

use crate::context::{db_in_range, db_number};
use crate::spec::arguments::{Argument, integer, key, oneof, token};
use crate::spec::{Access, Flags, Group, KeySpec, tips};
use crate::{Args, Command, Context, Failure, Handler, Outcome};

const SAME_OBJECTS: Failure = Failure::text("ERR source and destination objects are the same");

const FLUSH: &[Argument] =
    &[oneof("flush-type").opt().of(&[token("ASYNC").since("4.0.0"), token("SYNC").since("6.2.0")])];

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("copy", -3, copy)
        .flags(Flags::WRITE.union(Flags::DENYOOM))
        .keys(&[KeySpec::one(Access::READ), KeySpec::at(2, Access::OVERWRITE)])
        .docs(Group::Generic, "6.2.0", "Copies the value of a key to another key.")
        .complexity("O(N) with N the size of the value")
        .args(&[
            key("source"),
            key("destination").in_spec(1),
            integer("destination-db").after("DB").opt(),
            token("REPLACE").opt(),
        ]),
    Command::<Handler>::new("dbsize", 1, dbsize)
        .flags(Flags::READONLY.union(Flags::FAST).union(Flags::WHOLE_KEYSPACE))
        .docs(Group::Server, "1.0.0", "Counts the keys of the selected database.")
        .complexity("O(1)")
        .tips(&[tips::TO_ALL_SHARDS, tips::REPLY_SUM])
        .categories(&["keyspace"]),
    Command::<Handler>::new("del", -2, del)
        .flags(Flags::WRITE)
        .keys(&[KeySpec::all(Access::REMOVE)])
        .docs(Group::Generic, "1.0.0", "Deletes keys and counts those that were there.")
        .complexity("O(N) with N the number of keys")
        .tips(&[tips::TO_SHARDS_OF_KEYS, tips::REPLY_SUM])
        .args(&[key("key").many()]),
    Command::<Handler>::new("exists", -2, exists)
        .flags(Flags::READONLY.union(Flags::FAST))
        .keys(&[KeySpec::all(Access::INSPECT)])
        .docs(Group::Generic, "1.0.0", "Counts which of the keys are there.")
        .complexity("O(N) with N the number of keys")
        .history(&[("3.0.3", "Takes several keys.")])
        .tips(&[tips::TO_SHARDS_OF_KEYS, tips::REPLY_SUM])
        .args(&[key("key").many()]),
    Command::<Handler>::new("flushall", -1, flushall)
        .flags(Flags::WRITE.union(Flags::WHOLE_KEYSPACE))
        .docs(Group::Server, "1.0.0", "Deletes all keys of all databases.")
        .complexity("O(N) with N the number of keys in all databases")
        .history(&[("4.0.0", "`ASYNC`."), ("6.2.0", "`SYNC`.")])
        .tips(&[tips::TO_ALL_SHARDS, tips::REPLY_ALL_SUCCEEDED])
        .categories(&["keyspace", "dangerous"])
        .args(FLUSH),
    Command::<Handler>::new("flushdb", -1, flushdb)
        .flags(Flags::WRITE.union(Flags::WHOLE_KEYSPACE))
        .docs(Group::Server, "1.0.0", "Deletes all keys of the selected database.")
        .complexity("O(N) with N the number of keys in the database")
        .history(&[("4.0.0", "`ASYNC`."), ("6.2.0", "`SYNC`.")])
        .tips(&[tips::TO_ALL_SHARDS, tips::REPLY_ALL_SUCCEEDED])
        .categories(&["keyspace", "dangerous"])
        .args(FLUSH),
    Command::<Handler>::new("move", 3, move_key)
        .flags(Flags::WRITE.union(Flags::FAST))
        .keys(&[KeySpec::one(Access::EXCHANGE)])
        .docs(Group::Generic, "1.0.0", "Moves a key to another database.")
        .complexity("O(1)")
        .args(&[key("key"), integer("db")]),
    Command::<Handler>::new("rename", 3, rename)
        .flags(Flags::WRITE)
        .keys(&[KeySpec::one(Access::TAKE), KeySpec::at(2, Access::OVERWRITE)])
        .docs(Group::Generic, "1.0.0", "Gives a key another name, whoever has it.")
        .complexity("O(1)")
        .args(&[key("key"), key("newkey").in_spec(1)]),
    Command::<Handler>::new("renamenx", 3, renamenx)
        .flags(Flags::WRITE.union(Flags::FAST))
        .keys(&[KeySpec::one(Access::TAKE), KeySpec::at(2, Access::INSERT)])
        .docs(Group::Generic, "1.0.0", "Gives a key another name if no key has it.")
        .complexity("O(1)")
        .history(&[("3.2.0", "Two equal names are no error.")])
        .args(&[key("key"), key("newkey").in_spec(1)]),
    Command::<Handler>::new("stick", -2, stick)
        .flags(Flags::WRITE.union(Flags::FAST))
        .keys(&[KeySpec::all(Access::UPDATE)])
        .docs(Group::Generic, "dragonfly", "Keeps keys from being evicted in cache mode.")
        .complexity("O(N) with N the number of keys")
        .args(&[key("key").many()]),
    Command::<Handler>::new("swapdb", 3, swapdb)
        .flags(Flags::WRITE.union(Flags::FAST).union(Flags::WHOLE_KEYSPACE))
        .docs(Group::Server, "4.0.0", "Exchanges the keys of two databases.")
        .complexity("O(N) with N the number of clients that wait for keys")
        .categories(&["keyspace", "dangerous"])
        .args(&[integer("index1"), integer("index2")]),
    Command::<Handler>::new("touch", -2, exists)
        .flags(Flags::READONLY.union(Flags::FAST))
        .keys(&[KeySpec::all(Access::INSPECT)])
        .docs(Group::Generic, "3.2.1", "Marks keys as used and counts those that are there.")
        .complexity("O(N) with N the number of keys")
        .tips(&[tips::TO_SHARDS_OF_KEYS, tips::REPLY_SUM])
        .args(&[key("key").many()]),
    Command::<Handler>::new("type", 2, type_of)
        .flags(Flags::READONLY.union(Flags::FAST))
        .keys(&[KeySpec::one(Access::INSPECT)])
        .docs(Group::Generic, "1.0.0", "Tells the type of a key's value.")
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("unlink", -2, del)
        .flags(Flags::WRITE.union(Flags::FAST))
        .keys(&[KeySpec::all(Access::REMOVE)])
        .docs(
            Group::Generic,
            "4.0.0",
            "Deletes keys, frees their memory later, counts those that were there.",
        )
        .complexity("O(1) for each key, later O(N) with N the size of its value")
        .tips(&[tips::TO_SHARDS_OF_KEYS, tips::REPLY_SUM])
        .args(&[key("key").many()]),
];

/// Answers for how many keys `holds` is true.
fn count_keys(
    ctx: &mut Context<'_>,
    mut holds: impl FnMut(&mut Db, &Key<'_>, u64) -> bool,
) -> Outcome {
    let (mut count, now_ms) = (0, ctx.now_ms);
    for key in ctx.all_keys() {
        count = usize::from(holds(ctx.db(&key), &key, now_ms)).saturating_add(count);
    }
    ctx.reply.count(count);
    Ok(())
}

/// DEL and UNLINK: what takes long to free is freed in the background in any case.
fn del(ctx: &mut Context<'_>) -> Outcome {
    count_keys(ctx, |db, key, now_ms| db.remove(key, now_ms))
}

fn exists(ctx: &mut Context<'_>) -> Outcome {
    count_keys(ctx, |db, key, now_ms| db.read(key, now_ms).is_some())
}

fn stick(ctx: &mut Context<'_>) -> Outcome {
    count_keys(ctx, |db, key, now_ms| match db.get_mut(key, now_ms) {
        Some(mut entry) if !entry.is_sticky() => {
            entry.set_sticky(true);
            true
        }
        _ => false,
    })
}

fn type_of(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (db, reply) = ctx.open(&key);
    reply.simple(db.read(&key, now_ms).map_or("none", |entry| entry.form().type_name()));
    Ok(())
}

fn rename(ctx: &mut Context<'_>) -> Outcome {
    rename_entry(ctx, false)?;
    ctx.reply.ok();
    Ok(())
}

fn renamenx(ctx: &mut Context<'_>) -> Outcome {
    let renamed = rename_entry(ctx, true)?;
    ctx.reply.integer(i64::from(renamed));
    Ok(())
}

/// Gives the first key's entry the name of the second; whether it did.
fn rename_entry(ctx: &mut Context<'_>, only_if_free: bool) -> Result<bool, Failure> {
    let (from, to, now_ms) = (ctx.key(0), ctx.key(1), ctx.now_ms);
    if ctx.db(&from).get(&from, now_ms).is_none() {
        return Err(Failure::NoSuchKey);
    }
    let keeps = from.bytes == to.bytes;
    if keeps || only_if_free && ctx.db(&to).get(&to, now_ms).is_some() {
        return Ok(false);
    }
    let entry = ctx.db(&from).take(&from, now_ms).ok_or(Failure::NoSuchKey)?;
    let db = ctx.db(&to);
    db.remove(&to, now_ms);
    db.insert(&to, entry.rename(to.bytes));
    Ok(true)
}

fn copy(ctx: &mut Context<'_>) -> Outcome {
    let (from, to, now_ms) = (ctx.key(0), ctx.key(1), ctx.now_ms);
    let (number, replace) = copy_options(ctx.args, ctx.db)?;
    if number == ctx.db && from.bytes == to.bytes {
        return Err(SAME_OBJECTS);
    }
    let source_exists = ctx.read_entry(&from).0.is_some();
    let is_free = replace || ctx.other_db(&to, number).get(&to, now_ms).is_none();
    let budget = ctx.budget();
    let source = if source_exists && is_free { ctx.db(&from).get(&from, now_ms) } else { None };
    let copy = match source {
        Some(entry) => {
            // The bytes of a string are shared or few.
            budget.allow(if entry.string().is_some() { 0 } else { entry.form().len() })?;
            Some(entry.copy_as(to.bytes))
        }
        None => None,
    };
    let copied = copy.is_some();
    if let Some(copy) = copy {
        let db = ctx.other_db(&to, number);
        db.remove(&to, now_ms);
        db.insert(&to, copy);
    }
    ctx.reply.integer(i64::from(copied));
    Ok(())
}

/// The database to copy to, `own` unless another is named, and whether to replace a key there.
fn copy_options(args: Args<'_>, own: u16) -> Result<(u16, bool), Failure> {
    let (mut number, mut replace) = (own, false);
    let mut words = args.from(3);
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case(b"replace") {
            replace = true;
        } else if word.eq_ignore_ascii_case(b"db") {
            number = db_number(words.next().ok_or(Failure::Syntax)?)?;
        } else {
            return Err(Failure::Syntax);
        }
    }
    Ok((number, replace))
}

fn move_key(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let number = db_number(ctx.args.get(2))?;
    if number == ctx.db {
        return Err(SAME_OBJECTS);
    }
    let is_free = ctx.other_db(&key, number).get(&key, now_ms).is_none();
    let entry = if is_free { ctx.db(&key).take(&key, now_ms) } else { None };
    let moved = entry.is_some();
    if let Some(entry) = entry {
        ctx.other_db(&key, number).insert(&key, entry);
    }
    ctx.reply.integer(i64::from(moved));
    Ok(())
}

/// Keys that expired and were not yet removed count, as in Redis.
fn dbsize(ctx: &mut Context<'_>) -> Outcome {
    let number = ctx.db;
    let count = ctx.all_held().map(|shard| shard.db(number).len()).sum();
    ctx.reply.count(count);
    Ok(())
}

fn swapdb(ctx: &mut Context<'_>) -> Outcome {
    let (first, second) = swap_numbers(ctx.args)?;
    for shard in ctx.all_held() {
        shard.swap(first, second);
    }
    // One change in all; which shard counts it does not matter.
    if let Some(shard) = ctx.all_held().next() {
        shard.db(first).count_changes(1);
    }
    ctx.reply.ok();
    Ok(())
}

/// The two databases; both must be numbers before either's range is looked at.
fn swap_numbers(args: Args<'_>) -> Result<(u16, u16), Failure> {
    let number = |index, error| {
        let number = parse_i64(args.get(index)).and_then(|number| i32::try_from(number).ok());
        number.ok_or(Failure::text(error))
    };
    let first = number(1, "ERR invalid first DB index")?;
    let second = number(2, "ERR invalid second DB index")?;
    Ok((db_in_range(first)?, db_in_range(second)?))
}

fn flushdb(ctx: &mut Context<'_>) -> Outcome {
    flush(ctx, ctx.db..ctx.db.saturating_add(1))
}

fn flushall(ctx: &mut Context<'_>) -> Outcome {
    flush(ctx, 0..u16::try_from(DATABASES).unwrap_or(u16::MAX))
}

/// Empties databases.
///
/// SYNC promises that memory is free when the reply arrives. That is not kept, on purpose: this
/// command has every shard, so freeing here would stop all clients for as long as it takes. The
/// keys are gone in both modes, and their memory goes soon.
fn flush(ctx: &mut Context<'_>, numbers: Range<u16>) -> Outcome {
    let mode = ctx.args.get(1);
    let is_known = mode.eq_ignore_ascii_case(b"sync") || mode.eq_ignore_ascii_case(b"async");
    if ctx.args.len() > 2 || ctx.args.len() == 2 && !is_known {
        return Err(Failure::Syntax);
    }
    let mut flushed: Vec<Flushed> = Vec::new();
    for shard in ctx.all_held() {
        for number in numbers.clone() {
            if !shard.db(number).is_empty() {
                flushed.push(shard.flush(number));
            }
        }
    }
    // One message for all, so that the receiver wakes once.
    if !flushed.is_empty() {
        reclaim::later(Box::new(flushed));
    }
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
