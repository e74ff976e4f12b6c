//! OBJECT: how a value is kept.

use keyspace::Db;
use values::{Entry, Form, Value};

use crate::spec::arguments::key;
use crate::spec::{Access, Flags, Group, KeySpec, help_lines, tips};
use crate::{Command, Context, Failure, Handler, Outcome};

/// Redis keeps strings up to this length in one piece with their header, and names that so.
const EMBEDDED_MAX: usize = 44;

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[Command::<Handler>::new("object", -2, help)
    .docs(Group::Generic, "2.2.3", "Commands about how values are kept.")
    .complexity("that of the subcommand")
    .subcommands(SUBCOMMANDS)];

static SUBCOMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("encoding", 3, encoding)
        .flags(Flags::READONLY)
        .keys(&[KeySpec::at(2, Access::INSPECT)])
        .docs(Group::Generic, "2.2.3", "Tells how a value is kept.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[key("key")]),
    Command::<Handler>::new("freq", 3, freq)
        .flags(Flags::READONLY)
        .keys(&[KeySpec::at(2, Access::INSPECT)])
        .docs(Group::Generic, "4.0.0", "Tells how often a key is used.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[key("key")]),
    Command::<Handler>::new("help", 2, help)
        .flags(Flags::LOADING.union(Flags::STALE))
        .docs(Group::Generic, "6.2.0", "Lists the subcommands.")
        .complexity("O(1)"),
    Command::<Handler>::new("refcount", 3, refcount)
        .flags(Flags::READONLY)
        .keys(&[KeySpec::at(2, Access::INSPECT)])
        .docs(Group::Generic, "2.2.3", "Tells how many refer to a value.")
        .complexity("O(1)")
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[key("key")]),
];

const NO_FREQUENCY: Failure = Failure::text(
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that \
     when switching between policies at runtime LRU and LFU data will take some time to adjust.",
);

fn help(ctx: &mut Context<'_>) -> Outcome {
    for container in COMMANDS {
        let lines = help_lines(&container.spec, SUBCOMMANDS.iter().map(|sub| &sub.spec));
        ctx.reply.array(lines.len());
        lines.iter().for_each(|line| ctx.reply.simple(line));
    }
    Ok(())
}

/// The name that Redis has for how an entry is kept.
pub fn encoding_of(entry: &Entry) -> &'static str {
    match entry.form() {
        Form::String(_) if entry.is_edited() => "raw",
        Form::String(Value::Int(_)) => "int",
        Form::String(Value::Bytes(bytes)) if bytes.len() <= EMBEDDED_MAX => "embstr",
        Form::String(_) => "raw",
        Form::List(list) if list.is_outgrown() => "quicklist",
        Form::PackedList(_) | Form::List(_) => "listpack",
        Form::IntSet(_) => "intset",
        Form::PackedHash(_) if entry.members_expire() => "listpackex",
        Form::PackedSet(_) | Form::PackedHash(_) | Form::PackedSortedSet(_) => "listpack",
        Form::Set(_) | Form::Hash(_) => "hashtable",
        Form::SortedSet(_) => "skiplist",
        Form::Stream(_) => "stream",
    }
}

/// Looks at the only key: not a read of its value, so not counted as one.
fn look<R>(ctx: &mut Context<'_>, with: impl FnOnce(&Entry) -> R) -> Option<R> {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let db: &mut Db = ctx.db(&key);
    db.get(&key, now_ms).map(|entry| with(&entry))
}

fn encoding(ctx: &mut Context<'_>) -> Outcome {
    match look(ctx, encoding_of) {
        Some(name) => ctx.reply.bulk(name.as_bytes()),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// Values are never shared between keys.
fn refcount(ctx: &mut Context<'_>) -> Outcome {
    match look(ctx, |_| ()) {
        Some(()) => ctx.reply.integer(1),
        None => ctx.reply.null(),
    }
    Ok(())
}

fn freq(ctx: &mut Context<'_>) -> Outcome {
    match look(ctx, |_| ()) {
        Some(()) => Err(NO_FREQUENCY),
        None => {
            ctx.reply.null();
            Ok(())
        }
    }
}
