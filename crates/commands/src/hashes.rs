//! Hashes: the rows of the family, and the commands that read and write fields.
//!
//! HGET and HSET are hot: one lookup of the key, one of the field, and the value goes straight into
//! the reply or the hash.
//!
//! When fields expire is in `hashes/expiry.rs`, what does both at once in `hashes/together.rs`;
//! `hashes/words.rs` reads their words.

mod expiry;
mod numbers;
mod random;
mod shrink;
mod together;
mod words;

use protocol::reply::Reply;
use values::Expiry;
use values::typed::{HashField, HashMut, HashRef, Hashes};

use crate::context::{Args, Context, reply_value};
use crate::failure::{Failure, Outcome};
use crate::spec::arguments::{
    Argument, block, double, integer, key, oneof, string, token, unix_time,
};
use crate::spec::{Access, Flags, Group, KeySpec, tips};
use crate::{Command, Handler};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = READ.union(Flags::FAST);
const CHANGE_FAST: Flags = Flags::WRITE.union(Flags::FAST);
const WRITE_FAST: Flags = CHANGE_FAST.union(Flags::DENYOOM);

const READ_ONE: &[KeySpec] = &[KeySpec::one(Access::READ)];
const INSPECT_ONE: &[KeySpec] = &[KeySpec::one(Access::INSPECT)];
const UPDATE_ONE: &[KeySpec] = &[KeySpec::one(Access::UPDATE)];
const EXCHANGE_ONE: &[KeySpec] = &[KeySpec::one(Access::EXCHANGE)];

/// The word in which pairs of field and value begin, in HSET and its like.
const PAIRS_AT: usize = 2;

const FIELDS: Argument =
    block("fields").after("FIELDS").of(&[integer("numfields"), string("field").many()]);
const PAIR: &[Argument] = &[string("field"), string("value")];
const CONDITION: Argument =
    oneof("condition").opt().of(&[token("NX"), token("XX"), token("GT"), token("LT")]);
const EX: Argument = integer("seconds").after("EX");
const PX: Argument = integer("milliseconds").after("PX");
const EXAT: Argument = unix_time("unix-time-seconds").after("EXAT");
const PXAT: Argument = unix_time("unix-time-milliseconds").after("PXAT");

/// Redis's words of HSETEX, with the condition on the key that Valkey has.
const HSETEX: &[Argument] = &[
    key("key"),
    oneof("key-condition").opt().since("9.1.0").of(&[token("NX"), token("XX")]),
    oneof("condition").opt().of(&[token("FNX"), token("FXX")]),
    oneof("expiration").opt().of(&[EX, PX, EXAT, PXAT, token("KEEPTTL")]),
    block("fields").after("FIELDS").of(&[integer("numfields"), block("data").many().of(PAIR)]),
];

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("fieldexpire", -4, expiry::fieldexpire)
        .flags(CHANGE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Generic, "dragonfly", "Lets fields or members expire after so many seconds.")
        .complexity("O(N) with N the number of fields given")
        .args(&[key("key"), integer("seconds"), string("field").many()]),
    Command::<Handler>::new("fieldttl", 3, expiry::fieldttl)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::Generic, "dragonfly", "Tells in how many seconds a field or member expires.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[key("key"), string("field")]),
    Command::<Handler>::new("hdel", -3, hdel)
        .members(2, 1)
        .flags(CHANGE_FAST)
        .keys(&[KeySpec::one(Access::REMOVE_IF)])
        .docs(Group::Hash, "2.0.0", "Takes fields out of a hash.")
        .complexity("O(N) with N the number of fields given")
        .history(&[("2.4.0", "Several fields.")])
        .args(&[key("key"), string("field").many()]),
    Command::<Handler>::new("hexists", 3, hexists)
        .members(2, 1)
        .flags(READ_FAST)
        .keys(INSPECT_ONE)
        .docs(Group::Hash, "2.0.0", "Tells whether a hash has a field.")
        .complexity("O(1)")
        .args(&[key("key"), string("field")]),
    Command::<Handler>::new("hexpire", -6, expiry::hexpire)
        .flags(CHANGE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Hash, "7.4.0", "Lets fields of a hash expire after so many seconds.")
        .complexity("O(N) with N the number of fields given")
        .args(&[key("key"), integer("seconds"), CONDITION, FIELDS]),
    Command::<Handler>::new("hexpireat", -6, expiry::hexpireat)
        .flags(CHANGE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Hash, "7.4.0", "Lets fields of a hash expire at a Unix time in seconds.")
        .complexity("O(N) with N the number of fields given")
        .args(&[key("key"), unix_time("unix-time-seconds"), CONDITION, FIELDS]),
    Command::<Handler>::new("hexpiretime", -5, expiry::hexpiretime)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::Hash, "7.4.0", "Tells the Unix time in seconds at which fields expire.")
        .complexity("O(N) with N the number of fields given")
        .args(&[key("key"), FIELDS]),
    Command::<Handler>::new("hget", 3, hget)
        .members(2, 1)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::Hash, "2.0.0", "Reads a field of a hash.")
        .complexity("O(1)")
        .args(&[key("key"), string("field")]),
    Command::<Handler>::new("hgetall", 2, hgetall)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::Hash, "2.0.0", "Reads all fields of a hash, with their values.")
        .complexity("O(N) with N the number of fields")
        .tips(&[tips::NONDETERMINISTIC_ORDER])
        .args(&[key("key")]),
    Command::<Handler>::new("hgetdel", -5, together::hgetdel)
        .flags(CHANGE_FAST)
        .keys(&[KeySpec::one(Access::TAKE)])
        .docs(Group::Hash, "8.0.0", "Reads fields of a hash and takes them out.")
        .complexity("O(N) with N the number of fields given")
        .args(&[key("key"), FIELDS]),
    Command::<Handler>::new("hgetex", -5, together::hgetex)
        .flags(CHANGE_FAST)
        .keys(&[KeySpec::one(Access::EXCHANGE).notes("It can change when fields expire.")])
        .docs(Group::Hash, "8.0.0", "Reads fields of a hash and changes when they expire.")
        .complexity("O(N) with N the number of fields given")
        .args(&[
            key("key"),
            oneof("expiration").opt().of(&[EX, PX, EXAT, PXAT, token("PERSIST")]),
            FIELDS,
        ]),
    Command::<Handler>::new("hincrby", 4, numbers::hincrby)
        .members(2, 2)
        .flags(WRITE_FAST)
        .keys(EXCHANGE_ONE)
        .docs(Group::Hash, "2.0.0", "Adds an integer to the number in a field of a hash.")
        .complexity("O(1)")
        .args(&[key("key"), string("field"), integer("increment")]),
    Command::<Handler>::new("hincrbyfloat", 4, numbers::hincrbyfloat)
        .members(2, 2)
        .flags(WRITE_FAST)
        .keys(EXCHANGE_ONE)
        .docs(
            Group::Hash,
            "2.6.0",
            "Adds a number with a fraction to the one in a field of a hash.",
        )
        .complexity("O(1)")
        .args(&[key("key"), string("field"), double("increment")]),
    Command::<Handler>::new("hkeys", 2, hkeys)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::Hash, "2.0.0", "Reads the names of all fields of a hash.")
        .complexity("O(N) with N the number of fields")
        .tips(&[tips::NONDETERMINISTIC_ORDER])
        .args(&[key("key")]),
    Command::<Handler>::new("hlen", 2, hlen)
        .flags(READ_FAST)
        .keys(INSPECT_ONE)
        .docs(Group::Hash, "2.0.0", "Counts the fields of a hash.")
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("hmget", -3, hmget)
        .members(2, 1)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::Hash, "2.0.0", "Reads several fields of a hash.")
        .complexity("O(N) with N the number of fields given")
        .args(&[key("key"), string("field").many()]),
    Command::<Handler>::new("hmset", -4, hmset)
        .members(2, 2)
        .flags(WRITE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Hash, "2.0.0", "Sets fields of a hash.")
        .complexity("O(N) with N the number of fields given")
        .deprecated("4.0.0", "`HSET` with several fields")
        .args(&[key("key"), block("data").many().of(PAIR)]),
    Command::<Handler>::new("hpersist", -5, expiry::hpersist)
        .flags(CHANGE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Hash, "7.4.0", "Lets fields of a hash never expire.")
        .complexity("O(N) with N the number of fields given")
        .args(&[key("key"), FIELDS]),
    Command::<Handler>::new("hpexpire", -6, expiry::hpexpire)
        .flags(CHANGE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Hash, "7.4.0", "Lets fields of a hash expire after so many milliseconds.")
        .complexity("O(N) with N the number of fields given")
        .args(&[key("key"), integer("milliseconds"), CONDITION, FIELDS]),
    Command::<Handler>::new("hpexpireat", -6, expiry::hpexpireat)
        .flags(CHANGE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Hash, "7.4.0", "Lets fields of a hash expire at a Unix time in milliseconds.")
        .complexity("O(N) with N the number of fields given")
        .args(&[key("key"), unix_time("unix-time-milliseconds"), CONDITION, FIELDS]),
    Command::<Handler>::new("hpexpiretime", -5, expiry::hpexpiretime)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::Hash, "7.4.0", "Tells the Unix time in milliseconds at which fields expire.")
        .complexity("O(N) with N the number of fields given")
        .args(&[key("key"), FIELDS]),
    Command::<Handler>::new("hpttl", -5, expiry::hpttl)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::Hash, "7.4.0", "Tells in how many milliseconds fields of a hash expire.")
        .complexity("O(N) with N the number of fields given")
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[key("key"), FIELDS]),
    Command::<Handler>::new("hrandfield", -2, random::hrandfield)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::Hash, "6.2.0", "Draws fields of a hash at random.")
        .complexity("O(N) with N the number of fields returned")
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[
            key("key"),
            block("options").opt().of(&[integer("count"), token("WITHVALUES").opt()]),
        ]),
    Command::<Handler>::new("hset", -4, hset)
        .members(2, 2)
        .flags(WRITE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Hash, "2.0.0", "Sets fields of a hash.")
        .complexity("O(1) for each field given")
        .history(&[("4.0.0", "Several fields.")])
        .args(&[key("key"), block("data").many().of(PAIR)]),
    // Dragonfly's words are five at least, Redis's six.
    Command::<Handler>::new("hsetex", -5, together::hsetex)
        .flags(WRITE_FAST)
        .keys(UPDATE_ONE)
        .docs(Group::Hash, "8.0.0", "Sets fields of a hash, and when they expire.")
        .complexity("O(N) with N the number of fields given")
        .args(HSETEX),
    Command::<Handler>::new("hsetnx", 4, hsetnx)
        .members(2, 2)
        .flags(WRITE_FAST)
        .keys(&[KeySpec::one(Access::EXTEND)])
        .docs(Group::Hash, "2.0.0", "Sets a field of a hash if it is not there.")
        .complexity("O(1)")
        .args(&[key("key"), string("field"), string("value")]),
    Command::<Handler>::new("hstrlen", 3, hstrlen)
        .members(2, 1)
        .flags(READ_FAST)
        .keys(INSPECT_ONE)
        .docs(Group::Hash, "3.2.0", "Tells the length of the value of a field.")
        .complexity("O(1)")
        .args(&[key("key"), string("field")]),
    Command::<Handler>::new("httl", -5, expiry::httl)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::Hash, "7.4.0", "Tells in how many seconds fields of a hash expire.")
        .complexity("O(N) with N the number of fields given")
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[key("key"), FIELDS]),
    Command::<Handler>::new("hvals", 2, hvals)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::Hash, "2.0.0", "Reads all values of a hash.")
        .complexity("O(N) with N the number of fields")
        .tips(&[tips::NONDETERMINISTIC_ORDER])
        .args(&[key("key")]),
    Command::<Handler>::new("shrink", 2, shrink::shrink)
        .flags(Flags::WRITE)
        .keys(UPDATE_ONE)
        .docs(Group::Generic, "dragonfly", "Builds a hash or set anew where that saves memory.")
        .complexity("O(N) with N the number of fields or members")
        .args(&[key("key")]),
];

fn hget(ctx: &mut Context<'_>) -> Outcome {
    let (key, name) = (ctx.key(0), ctx.args.get(2));
    let (hash, reply) = ctx.read::<Hashes>(&key)?;
    reply_field(reply, hash.and_then(|hash| hash.get(name)));
    Ok(())
}

/// Writes the value of a field, if there is one.
#[inline]
fn reply_field(reply: &mut Reply<'_>, field: Option<HashField<'_>>) {
    match field {
        Some(field) => reply_value(reply, field.value),
        None => reply.null(),
    }
}

fn hmget(ctx: &mut Context<'_>) -> Outcome {
    let (key, names) = (ctx.key(0), ctx.args.from(2));
    let (hash, reply) = ctx.read::<Hashes>(&key)?;
    reply_fields(reply, hash, names);
    Ok(())
}

/// Writes the values of fields, as HMGET does.
fn reply_fields<'n>(
    reply: &mut Reply<'_>,
    hash: Option<HashRef<'_>>,
    names: impl Iterator<Item = &'n [u8]> + Clone,
) {
    reply.array(names.clone().count());
    for name in names {
        reply_field(reply, hash.and_then(|hash| hash.get(name)));
    }
}

fn hexists(ctx: &mut Context<'_>) -> Outcome {
    let (key, name) = (ctx.key(0), ctx.args.get(2));
    let (hash, reply) = ctx.read::<Hashes>(&key)?;
    reply.integer(i64::from(hash.is_some_and(|hash| hash.get(name).is_some())));
    Ok(())
}

fn hstrlen(ctx: &mut Context<'_>) -> Outcome {
    let (key, name) = (ctx.key(0), ctx.args.get(2));
    let (hash, reply) = ctx.read::<Hashes>(&key)?;
    reply.count(hash.and_then(|hash| hash.get(name)).map_or(0, |field| field.value.len()));
    Ok(())
}

fn hlen(ctx: &mut Context<'_>) -> Outcome {
    let key = ctx.key(0);
    let (hash, reply) = ctx.read::<Hashes>(&key)?;
    reply.count(hash.map_or(0, |hash| hash.len()));
    Ok(())
}

fn hgetall(ctx: &mut Context<'_>) -> Outcome {
    let key = ctx.key(0);
    let budget = ctx.budget();
    let (hash, reply) = ctx.read::<Hashes>(&key)?;
    let Some(hash) = hash else {
        reply.map(0);
        return Ok(());
    };
    budget.allow(hash.stored())?;
    reply.map(hash.len());
    hash.for_each(|field| {
        reply_value(reply, field.name);
        reply_value(reply, field.value);
    });
    Ok(())
}

fn hkeys(ctx: &mut Context<'_>) -> Outcome {
    reply_all(ctx, |reply, field| reply_value(reply, field.name))
}

fn hvals(ctx: &mut Context<'_>) -> Outcome {
    reply_all(ctx, |reply, field| reply_value(reply, field.value))
}

/// Writes a part of each field.
fn reply_all(
    ctx: &mut Context<'_>,
    mut write: impl FnMut(&mut Reply<'_>, HashField<'_>),
) -> Outcome {
    let key = ctx.key(0);
    let budget = ctx.budget();
    let (hash, reply) = ctx.read::<Hashes>(&key)?;
    let Some(hash) = hash else {
        reply.array(0);
        return Ok(());
    };
    budget.allow(hash.stored())?;
    reply.array(hash.len());
    hash.for_each(|field| write(reply, field));
    Ok(())
}

fn hset(ctx: &mut Context<'_>) -> Outcome {
    let new = set_pairs(ctx)?;
    ctx.reply.count(new);
    Ok(())
}

fn hmset(ctx: &mut Context<'_>) -> Outcome {
    set_pairs(ctx)?;
    ctx.reply.ok();
    Ok(())
}

/// Sets the fields of HSET and HMSET; how many are new.
#[inline]
fn set_pairs(ctx: &mut Context<'_>) -> Result<usize, Failure> {
    let (key, args) = (ctx.key(0), ctx.args);
    if !args.len().is_multiple_of(2) {
        return Err(Failure::Arity(ctx.name.into()));
    }
    ctx.allow_members(PAIRS_AT)?;
    ctx.edit_or_create::<Hashes, _>(&key, |hash, _| {
        let mut new = 0usize;
        set_each(hash, args, PAIRS_AT, args.len(), |hash, name, value| {
            new = new.saturating_add(usize::from(hash.set(name, value, Expiry::Never)));
        });
        Ok(new)
    })
}

/// Calls `set` for each pair of field and value of the words from `first` up to `end`.
#[inline]
fn set_each(
    hash: &mut HashMut<'_>,
    args: Args<'_>,
    first: usize,
    end: usize,
    mut set: impl FnMut(&mut HashMut<'_>, &[u8], &[u8]),
) {
    hash.expect(end.saturating_sub(first) / 2);
    for at in (first..end).step_by(2) {
        set(hash, args.get(at), args.get(at.saturating_add(1)));
    }
}

fn hsetnx(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    ctx.allow_members(PAIRS_AT)?;
    ctx.edit_or_create::<Hashes, _>(&key, |hash, reply| {
        let (name, value) = (args.get(2), args.get(3));
        let is_new = hash.view().get(name).is_none();
        if is_new {
            hash.set(name, value, Expiry::Never);
        }
        reply.integer(i64::from(is_new));
        Ok(())
    })
}

fn hdel(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    let removed = ctx.edit::<Hashes, _>(&key, |hash, _| {
        Ok(args.from(2).filter(|name| hash.remove(name)).count())
    })?;
    ctx.reply.count(removed.unwrap_or_default());
    Ok(())
}
