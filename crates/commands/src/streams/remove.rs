//! XDEL and XDELEX.

use protocol::number::parse_i64;
use values::stream::{References, Removal};
use values::typed::Streams;

use super::{ids, references_of};
use crate::context::Args;
use crate::{Context, Failure, Outcome};

pub(super) fn xdel(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    ctx.allow_work(args.len())?;
    let removed = ctx.edit::<Streams, _>(&key, |stream, _| {
        check_ids(args.from(2))?;
        for word in args.from(2) {
            stream.remove(ids::exact(word, 0)?, References::Keep);
        }
        Ok(stream.changes)
    })?;
    ctx.reply.integer(removed.map_or(0, |removed| i64::try_from(removed).unwrap_or(i64::MAX)));
    Ok(())
}

/// Sees to it that all words are ids, before any entry is removed.
fn check_ids<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> Outcome {
    words.try_for_each(|word| ids::exact(word, 0).map(drop))
}

/// What XDELEX is to delete.
#[derive(Clone, Copy)]
struct Request {
    references: References,
    /// The word of the first id.
    first: usize,
    count: usize,
}

impl Request {
    /// Reads the words behind the key. Where ids are given twice, the last ones count.
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        let mut references = None;
        let mut found = None;
        let mut index: usize = 2;
        while index < args.len() {
            let word = args.get(index);
            let behind = args.len().saturating_sub(index).saturating_sub(1);
            if word.eq_ignore_ascii_case(b"ids") && behind > 0 {
                let count = count_of(args.get(index.saturating_add(1)))?;
                if count > behind.saturating_sub(1) {
                    return Err(Failure::text(
                        "ERR The `numids` parameter must match the number of arguments",
                    ));
                }
                let first = index.saturating_add(2);
                found = Some((first, count));
                index = first.saturating_add(count);
            } else {
                let other = references_of(word).filter(|_| references.is_none());
                references = Some(other.ok_or(Failure::Syntax)?);
                index = index.saturating_add(1);
            }
        }
        let (first, count) = found.ok_or(Failure::Syntax)?;
        Ok(Self { references: references.unwrap_or_default(), first, count })
    }
}

fn count_of(word: &[u8]) -> Result<usize, Failure> {
    match parse_i64(word) {
        Some(count @ 1..) => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        _ => Err(Failure::text("ERR Number of IDs must be a positive integer")),
    }
}

pub(super) fn xdelex(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    ctx.allow_work(args.len())?;
    let parsed = Request::parse(args);
    let done = ctx.edit::<Streams, _>(&key, |stream, reply| {
        let request = parsed.clone()?;
        let words = || args.from(request.first).take(request.count);
        check_ids(words())?;
        reply.array(request.count);
        for word in words() {
            reply.integer(match stream.remove(ids::exact(word, 0)?, request.references) {
                Removal::Absent => -1,
                Removal::Done => 1,
                Removal::Needed => 2,
            });
        }
        Ok(())
    })?;
    if done.is_none() {
        let request = parsed?;
        ctx.reply.array(request.count);
        (0..request.count).for_each(|_| ctx.reply.integer(-1));
    }
    Ok(())
}
