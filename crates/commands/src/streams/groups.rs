//! XGROUP: groups and consumers are made, moved and removed.

use protocol::number::parse_i64;
use values::stream::Id;
use values::typed::Streams;

use super::ids;
use crate::context::{Args, Context};
use crate::failure::{Failure, Outcome, shown};
use crate::spec::help_lines;

const NO_KEY: Failure = Failure::text(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to \
     use the MKSTREAM option to create an empty stream automatically.",
);

/// No such key, or no such group in its stream.
pub(super) fn no_group(key: &[u8], group: &[u8], behind: &str) -> Failure {
    let parts: [&[u8]; 6] = [
        b"NOGROUP No such key '",
        shown(key),
        b"' or consumer group '",
        shown(group),
        b"'",
        behind.as_bytes(),
    ];
    Failure::Bytes(parts.concat())
}

/// No such group in a stream that is there.
pub(super) fn no_group_in(key: &[u8], group: &[u8]) -> Failure {
    let parts: [&[u8]; 5] =
        [b"NOGROUP No such consumer group '", shown(group), b"' for key name '", shown(key), b"'"];
    Failure::Bytes(parts.concat())
}

/// What is wrong with a subcommand's words, as Redis says it.
fn bad_words(args: Args<'_>) -> Failure {
    let before = "ERR unknown subcommand or wrong number of arguments for '";
    Failure::quoting(before, args.get(1), "'. Try XGROUP HELP.")
}

/// What stands behind the id.
struct Options {
    make_stream: bool,
    entries_read: Option<u64>,
}

impl Options {
    fn parse(args: Args<'_>, may_make: bool) -> Result<Self, Failure> {
        let mut options = Self { make_stream: false, entries_read: None };
        let mut index = 5_usize;
        while index < args.len() {
            let word = args.get(index);
            let next = index.saturating_add(1);
            if may_make && word.eq_ignore_ascii_case(b"MKSTREAM") {
                options.make_stream = true;
                index = next;
            } else if word.eq_ignore_ascii_case(b"ENTRIESREAD") && next < args.len() {
                options.entries_read = entries_read(args.get(next))?;
                index = index.saturating_add(2);
            } else {
                return Err(bad_words(args));
            }
        }
        Ok(options)
    }

    /// What a group has read of a stream that has got so many entries.
    fn read_of(&self, entries_added: u64) -> Option<u64> {
        self.entries_read.map(|read| read.min(entries_added))
    }
}

/// Reads how many entries a group has read; -1 is not known.
fn entries_read(word: &[u8]) -> Result<Option<u64>, Failure> {
    match parse_i64(word).ok_or(Failure::NotInteger)? {
        -1 => Ok(None),
        read => u64::try_from(read)
            .map(Some)
            .map_err(|_| Failure::text("ERR value for ENTRIESREAD must be positive or -1")),
    }
}

pub(super) fn create(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    let options = Options::parse(args, true)?;
    let is_there = ctx.look::<Streams>(&key)?.0.is_some();
    if !is_there && !options.make_stream {
        return Err(NO_KEY);
    }
    // Redis looks at the number of words when it has looked for the key.
    if args.len() > 8 {
        return Err(bad_words(args));
    }
    ctx.edit_or_create::<Streams, _>(&key, |stream, reply| {
        let last_id = match args.get(4) {
            b"$" => stream.last_id(),
            word => ids::exact(word, 0)?,
        };
        let entries_read = options.read_of(stream.entries_added());
        if !stream.groups.create(args.get(3), last_id, entries_read) {
            return Err(Failure::text("BUSYGROUP Consumer Group name already exists"));
        }
        stream.changes = stream.changes.saturating_add(1);
        reply.ok();
        Ok(())
    })
}

pub(super) fn set_id(ctx: &mut Context<'_>) -> Outcome {
    let args = ctx.args;
    let options = Options::parse(args, false)?;
    with_group(ctx, |stream, group| {
        if args.len() > 7 {
            return Err(bad_words(args));
        }
        let last_id = match args.get(4) {
            b"$" => stream.last_id,
            word => ids::any(word, 0)?,
        };
        group.last_id = last_id;
        group.entries_read = options.read_of(stream.entries_added);
        stream.changes = 1;
        Ok(())
    })?;
    ctx.reply.ok();
    Ok(())
}

/// What a subcommand must know of the stream of its group, and has changed.
struct Around {
    last_id: Id,
    entries_added: u64,
    changes: u64,
}

/// Changes a group that has to be there.
fn with_group<R>(
    ctx: &mut Context<'_>,
    with: impl FnOnce(&mut Around, &mut values::stream::Group) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let (key, name) = (ctx.key(0), ctx.args.get(3));
    let done = ctx.edit::<Streams, _>(&key, |stream, _| {
        let (last_id, entries_added) = (stream.last_id(), stream.entries_added());
        let mut around = Around { last_id, entries_added, changes: 0 };
        let group = stream.groups.get_mut(name);
        let group = group.ok_or_else(|| no_group_in(key.bytes, name))?;
        let done = with(&mut around, group)?;
        stream.changes = stream.changes.saturating_add(around.changes);
        Ok(done)
    })?;
    done.ok_or(NO_KEY)
}

pub(super) fn destroy(ctx: &mut Context<'_>) -> Outcome {
    let (key, name, budget) = (ctx.key(0), ctx.args.get(3), ctx.budget());
    let removed = ctx.edit::<Streams, _>(&key, |stream, _| {
        let pending = stream.groups.get(name).map_or(0, |group| group.pending());
        budget.allow(pending / PENDING_PER_STEP)?;
        let is_there = stream.groups.remove(name).is_some();
        stream.changes = stream.changes.saturating_add(u64::from(is_there));
        Ok(is_there)
    })?;
    ctx.reply.integer(i64::from(removed.ok_or(NO_KEY)?));
    Ok(())
}

/// Pending entries lie in chunks, so that many are freed as one.
const PENDING_PER_STEP: usize = 32;

pub(super) fn create_consumer(ctx: &mut Context<'_>) -> Outcome {
    let (name, now_ms) = (ctx.args.get(4), ctx.now_ms);
    let is_new = with_group(ctx, |around, group| {
        let is_new = group.create_consumer(name, now_ms).is_some();
        around.changes = u64::from(is_new);
        Ok(is_new)
    })?;
    ctx.reply.integer(i64::from(is_new));
    Ok(())
}

pub(super) fn remove_consumer(ctx: &mut Context<'_>) -> Outcome {
    let (name, budget) = (ctx.args.get(4), ctx.budget());
    let pending = with_group(ctx, |around, group| {
        let owner = group.find_consumer(name);
        let consumer = owner.and_then(|owner| group.consumer(owner));
        budget.allow(consumer.map_or(0, |consumer| consumer.pending()))?;
        let pending = group.remove_consumer(name);
        around.changes = u64::from(pending.is_some());
        Ok(pending.unwrap_or(0))
    })?;
    ctx.reply.count(pending);
    Ok(())
}

pub(super) fn help(ctx: &mut Context<'_>) -> Outcome {
    let container = &super::group_rows::CONTAINER;
    let subcommands = super::group_rows::SUBCOMMANDS.iter().map(|sub| &sub.spec);
    let lines = help_lines(&container.spec, subcommands);
    ctx.reply.array(lines.len());
    lines.iter().for_each(|line| ctx.reply.simple(line));
    Ok(())
}
