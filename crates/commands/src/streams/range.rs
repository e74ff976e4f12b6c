//! XRANGE and XREVRANGE, and how entries are shown.

use protocol::number::parse_i64;
use protocol::reply::{Counted, Reply};
use values::stream::Item;
use values::typed::Streams;

use super::ids::{self, reply_id};
use crate::context::{Args, Budget};
use crate::{Context, Failure, Outcome};

pub(super) fn xrange(ctx: &mut Context<'_>) -> Outcome {
    range(ctx, false)
}

pub(super) fn xrevrange(ctx: &mut Context<'_>) -> Outcome {
    range(ctx, true)
}

fn range(ctx: &mut Context<'_>, is_reverse: bool) -> Outcome {
    let (key, budget, args) = (ctx.key(0), ctx.budget(), ctx.args);
    let (start, end) = if is_reverse { (3, 2) } else { (2, 3) };
    let start = ids::start(args.get(start))?;
    let end = ids::end(args.get(end))?;
    let count = count_of(args)?;
    let (stream, reply) = ctx.read::<Streams>(&key)?;
    let Some(stream) = stream else {
        reply.array(0);
        return Ok(());
    };
    if count == Some(0) {
        reply.null_array();
        return Ok(());
    }
    let stream = stream.stream();
    let count = count.unwrap_or(usize::MAX).min(stream.len());
    if is_reverse {
        reply_entries(reply, stream.range_back(start, end), count, budget)?;
    } else {
        reply_entries(reply, stream.range(start, end), count, budget)?;
    }
    Ok(())
}

/// How many entries are wanted; a negative number is none.
fn count_of(args: Args<'_>) -> Result<Option<usize>, Failure> {
    let mut count = None;
    let mut words = args.from(4);
    while let Some(word) = words.next() {
        let is_count = word.eq_ignore_ascii_case(b"count");
        let number = words.next().filter(|_| is_count).ok_or(Failure::Syntax)?;
        let number = parse_i64(number).ok_or(Failure::NotInteger)?.max(0);
        count = Some(usize::try_from(number).unwrap_or(usize::MAX));
    }
    Ok(count)
}

/// Writes an array of at most `count` entries; returns how many.
pub(super) fn reply_entries<'s>(
    reply: &mut Reply<'_>,
    entries: impl Iterator<Item = Item<'s>>,
    count: usize,
    budget: Budget,
) -> Result<usize, Failure> {
    reply.counted(Counted::Array, count, |reply| {
        let start = reply.len();
        let mut written: usize = 0;
        for entry in entries.take(count) {
            written = written.saturating_add(1);
            budget.allow(written)?;
            budget.allow_copy(reply.len().saturating_sub(start))?;
            reply_entry(reply, entry);
        }
        Ok(written)
    })
}

/// Writes an entry.
#[inline]
pub(super) fn reply_entry(reply: &mut Reply<'_>, entry: Item<'_>) {
    reply.array(2);
    reply_id(reply, entry.id);
    reply_fields(reply, entry);
}

/// Writes the names and values of an entry in turn.
#[inline]
pub(super) fn reply_fields(reply: &mut Reply<'_>, entry: Item<'_>) {
    reply.array(entry.field_count().saturating_mul(2));
    for (name, value) in entry.fields() {
        reply.bulk(name);
        reply.bulk(value);
    }
}
