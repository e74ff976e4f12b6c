//! HyperLogLog: how many different elements a key has seen, about. Values are strings of Redis's
//! own formats; `values::hyperloglog` reads and edits them.
//!
//! PFADD is hot: an element that raises no register costs a look at one register, and one that does
//! is an edit in place. PFCOUNT keeps what it has found in the value itself.

use keyspace::db::EntryMut;
use values::hyperloglog::{self, Buffer, Corrupt, Form, REGISTERS, Union, registers, sparse};
use values::{Entry, Value};

use crate::context::{Context, string_of};
use crate::failure::{Failure, Outcome, shown};
use crate::random::Random;
use crate::spec::arguments::{key, string};
use crate::spec::{Access, Find, Flags, Group, KeySpec};
use crate::{Command, Handler};

const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);

const INTERNAL: &str = "It depends on what is asked for.";
const NOTES: &str = "It keeps what it has counted in the value.";

const NO_VALUE: Failure = Failure::text("WRONGTYPE Key is not a valid HyperLogLog string value.");
const CORRUPT: Failure = Failure::text("INVALIDOBJ Corrupted HLL object detected");
const NO_KEY: Failure = Failure::text("ERR The specified key does not exist");
const NOT_SPARSE: Failure = Failure::text("ERR HLL encoding is not sparse");
const NO_SWITCH: Failure = Failure::text("ERR Argument must be ON or OFF");

/// Bytes that a new value is made in.
const NEW_VALUE: usize = 64;
/// Merging a value takes as long as a visit to so many members.
const MERGE_COST: usize = 64;

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("pfadd", -2, pfadd)
        .flags(WRITE.union(Flags::FAST))
        .keys(&[KeySpec::one(Access::EXTEND)])
        .docs(
            Group::HyperLogLog,
            "2.8.9",
            "Adds elements to a HyperLogLog, which is made if needed.",
        )
        .complexity("O(1) for each element")
        .args(&[key("key"), string("element").opt().many()]),
    Command::<Handler>::new("pfcount", -2, pfcount)
        .flags(Flags::READONLY.union(Flags::MAY_REPLICATE))
        .keys(&[KeySpec::all(Access::RECODE).notes(NOTES)])
        .docs(Group::HyperLogLog, "2.8.9", "Estimates how many different elements were added.")
        .complexity("O(1) for one key; O(N) for N of them, each of which takes much longer")
        .args(&[key("key").many()]),
    Command::<Handler>::new("pfdebug", 3, pfdebug)
        .flags(WRITE.union(Flags::ADMIN))
        .keys(&[KeySpec::at(2, Access::RECODE)])
        .docs(Group::HyperLogLog, "2.8.9", "Shows how a HyperLogLog is kept, for tests.")
        .complexity(INTERNAL)
        .internal()
        .args(&[string("subcommand"), key("key")]),
    Command::<Handler>::new("pfmerge", -2, pfmerge)
        .flags(WRITE)
        .keys(&[
            KeySpec::one(Access::MERGE),
            KeySpec::new(2, Find::Range { last: -1, step: 1 }, Access::READ),
        ])
        .docs(Group::HyperLogLog, "2.8.9", "Merges HyperLogLogs into one.")
        .complexity("O(N) with N the number of keys, each of which takes long")
        .args(&[key("destkey"), key("sourcekey").opt().many().in_spec(1)]),
    Command::<Handler>::new("pfselftest", 1, pfselftest)
        .flags(Flags::ADMIN.union(Flags::LONG))
        .docs(Group::HyperLogLog, "2.8.9", "Tests the HyperLogLog of this server.")
        .complexity(INTERNAL)
        .internal(),
];

/// The registers of an entry that must have some.
#[inline]
fn value_of(entry: &Entry) -> Result<Form<'_>, Failure> {
    value_in(string_of(entry)?)
}

/// The registers in a string that must have some.
#[inline]
fn value_in(string: Value<'_>) -> Result<Form<'_>, Failure> {
    match string {
        Value::Bytes(bytes) => hyperloglog::parse(bytes).ok_or(NO_VALUE),
        _ => Err(NO_VALUE),
    }
}

fn failed(_: Corrupt) -> Failure {
    CORRUPT
}

/// Redis has an object of its own for a value that a command of this family has touched, which
/// OBJECT ENCODING shows.
#[inline]
fn touch(entry: &mut EntryMut<'_>) {
    if !entry.is_edited() {
        entry.edit_value(|entry| {
            let len = entry.bytes().len();
            entry.edit(len);
            (0, ())
        });
    }
}

fn pfadd(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (elements, budget) = (ctx.args.from(2), ctx.budget());
    let sparse_max = ctx.settings.limits.hyperloglog_bytes();
    let (db, reply) = ctx.open(&key);
    let (changes, added) = if let Some(mut entry) = db.get_mut(&key, now_ms) {
        value_of(&entry)?;
        budget.allow_copy(entry.bytes().len())?;
        touch(&mut entry);
        entry.edit_value(|entry| {
            let result = hyperloglog::add(entry, elements, sparse_max);
            (result.0, result)
        })
    } else {
        let mut value = new_value();
        let (changes, added) = hyperloglog::add(&mut value, elements, sparse_max);
        db.insert(&key, new_entry(key.bytes, &value));
        db.count_changes(changes);
        (1, added)
    };
    match added {
        Ok(()) => reply.integer(i64::from(changes > 0)),
        // As in Redis, elements before the one that failed have been added.
        Err(_) => CORRUPT.write_to(reply),
    }
    Ok(())
}

/// A value without elements, with room for some.
fn new_value() -> Vec<u8> {
    let mut value = Vec::with_capacity(NEW_VALUE);
    value.extend_from_slice(hyperloglog::empty());
    value
}

fn new_entry(key: &[u8], value: &[u8]) -> Entry {
    let mut entry = Entry::new(key, Value::Bytes(value), None);
    entry.edit(value.len());
    entry
}

fn pfcount(ctx: &mut Context<'_>) -> Outcome {
    if ctx.keys.len() > 1 {
        let count = union_of_all(ctx)?.count();
        ctx.reply.integer(count.cast_signed());
        return Ok(());
    }
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (db, reply) = ctx.open(&key);
    let Some(mut entry) = db.read_mut(&key, now_ms) else {
        reply.integer(0);
        return Ok(());
    };
    value_of(&entry)?;
    touch(&mut entry);
    let count = match hyperloglog::cached(entry.bytes()) {
        Some(count) => count,
        None => {
            let count = hyperloglog::count(value_of(&entry)?).map_err(failed)?;
            entry.edit_value(|entry| (1, hyperloglog::cache(entry, count)));
            count
        }
    };
    reply.integer(count.cast_signed());
    Ok(())
}

fn pfmerge(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let sparse_max = ctx.settings.limits.hyperloglog_bytes();
    let mut dense = registers::ZERO;
    let joined = union_of_all(ctx)?.join(&mut dense);
    let (db, reply) = ctx.open(&key);
    if let Some(mut entry) = db.get_mut(&key, now_ms) {
        let store = |entry: &mut Entry| {
            (1, hyperloglog::store(entry, &joined, &dense, sparse_max).map_err(failed))
        };
        entry.edit_value(store)?;
    } else {
        let mut value = new_value();
        hyperloglog::store(&mut value, &joined, &dense, sparse_max).map_err(failed)?;
        db.insert(&key, new_entry(key.bytes, &value));
    }
    reply.ok();
    Ok(())
}

/// The union of the values of all keys.
fn union_of_all<'s>(ctx: &'s mut Context<'_>) -> Result<Union<'s>, Failure> {
    ctx.allow_work(ctx.keys.len().saturating_mul(MERGE_COST))?;
    let keys = ctx.all_keys();
    let (sources, _) = ctx.sources(0);
    let mut union = Union::default();
    for form in keys.filter_map(|key| sources.form(&key)) {
        let values::Form::String(value) = form else { return Err(Failure::WrongType) };
        union.add(value_in(value)?).map_err(failed)?;
    }
    Ok(union)
}

fn pfselftest(ctx: &mut Context<'_>) -> Outcome {
    let mut random = Random::new(ctx.now_ms);
    let sparse_max = ctx.settings.limits.hyperloglog_bytes();
    hyperloglog::self_test(sparse_max, || random.draw())
        .map_err(|problem| Failure::Text(format!("TESTFAILED {problem}").into()))?;
    ctx.reply.ok();
    Ok(())
}

fn pfdebug(ctx: &mut Context<'_>) -> Outcome {
    let what = shown(ctx.args.get(1));
    let is = |name: &str| what.eq_ignore_ascii_case(name.as_bytes());
    if is("simd") {
        return switch(ctx);
    }
    let (key, now_ms, budget) = (ctx.key(0), ctx.now_ms, ctx.budget());
    let (db, reply) = ctx.open(&key);
    let mut entry = db.get_mut(&key, now_ms).ok_or(NO_KEY)?;
    value_of(&entry)?;
    touch(&mut entry);
    let form = value_of(&entry)?;
    if is("getreg") {
        budget.allow(REGISTERS)?;
        let registers = hyperloglog::all_registers(form).map_err(failed)?;
        entry.edit_value(make_dense).map_err(failed)?;
        reply.array(REGISTERS);
        registers.for_each(|register| reply.integer(i64::from(register)));
    } else if is("decode") {
        let Form::Sparse(body) = form else { return Err(NOT_SPARSE) };
        budget.allow(body.len())?;
        reply.bulk(decoded(body).as_bytes());
    } else if is("encoding") {
        reply.simple(if matches!(form, Form::Dense(_)) { "dense" } else { "sparse" });
    } else if is("todense") {
        let changed = entry.edit_value(make_dense).map_err(failed)?;
        reply.integer(i64::from(changed));
    } else {
        return Err(Failure::quoting("ERR Unknown PFDEBUG subcommand '", what, "'"));
    }
    Ok(())
}

fn make_dense(entry: &mut Entry) -> (u64, Result<bool, Corrupt>) {
    let done = hyperloglog::to_dense(entry);
    (u64::from(done == Ok(true)), done)
}

/// The runs of a sparse value: `z` and `Z` for zeros in one byte and two, `v` for others.
fn decoded(body: &[u8]) -> String {
    let texts = sparse::runs(body).map(|run| match (run.value, run.bytes) {
        (0, 1) => format!("z:{}", run.len),
        (0, _) => format!("Z:{}", run.len),
        (value, _) => format!("v:{value},{}", run.len),
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// Whether registers are merged by instructions that not every processor has.
fn switch(ctx: &mut Context<'_>) -> Outcome {
    let word = shown(ctx.args.get(2));
    if word.eq_ignore_ascii_case(b"on") {
        registers::allow_wide(true);
    } else if word.eq_ignore_ascii_case(b"off") {
        registers::allow_wide(false);
    } else {
        return Err(NO_SWITCH);
    }
    ctx.reply.simple(if registers::is_wide() { "enabled" } else { "disabled" });
    Ok(())
}
