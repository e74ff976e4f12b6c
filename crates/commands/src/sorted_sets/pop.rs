//! ZPOPMIN, ZPOPMAX and ZMPOP: members taken from an end.

use keyspace::Key;
use protocol::number::parse_i64;
use values::typed::SortedSets;

use super::Show;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

const NOT_POSITIVE: Failure = Failure::text("ERR value is out of range, must be positive");
const BAD_KEYS: Failure = Failure::text("ERR numkeys should be greater than 0");
const BAD_COUNT: Failure = Failure::text("ERR count should be greater than 0");

/// The end that members are taken from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Lowest,
    Highest,
}

pub(super) fn zpopmin(ctx: &mut Context<'_>) -> Outcome {
    pop_some(ctx, End::Lowest)
}

pub(super) fn zpopmax(ctx: &mut Context<'_>) -> Outcome {
    pop_some(ctx, End::Highest)
}

fn pop_some(ctx: &mut Context<'_>, end: End) -> Outcome {
    let (count, form) = match ctx.args.len() {
        ..3 => (1, Form::One),
        3 => {
            let count = parse_i64(ctx.args.get(2)).and_then(|count| usize::try_from(count).ok());
            (count.ok_or(NOT_POSITIVE)?, Form::Flat)
        }
        4.. => return Err(Failure::Syntax),
    };
    if !pop(ctx, &ctx.key(0), end, count, form)? {
        ctx.reply.array(0);
    }
    Ok(())
}

/// How members are shown that were taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// One, not in a pair of its own.
    One,
    /// In pairs in RESP3 only.
    Flat,
    /// With the key, and in pairs.
    WithKey,
}

/// Takes up to `count` members of a key and replies them. Returns whether the key is there.
fn pop(
    ctx: &mut Context<'_>,
    key: &Key<'_>,
    end: End,
    count: usize,
    form: Form,
) -> Result<bool, Failure> {
    let budget = ctx.budget();
    let done = ctx.edit::<SortedSets, _>(key, |set, reply| {
        let len = set.view().len();
        let count = count.min(len);
        budget.allow(count)?;
        let descending = end == End::Highest;
        let ranks = if descending { len.saturating_sub(count)..len } else { 0..count };
        match form {
            Form::One => set.view().for_each(ranks.clone(), descending, |name, score| {
                reply.array(2);
                reply.bulk(name);
                reply.double(score.get());
            }),
            Form::Flat => Show::Scores.range(reply, set.view(), ranks.clone(), descending),
            Form::WithKey => {
                reply.array(2);
                reply.bulk(key.bytes);
                Show::Pairs.range(reply, set.view(), ranks.clone(), descending);
            }
        }
        set.remove_range(ranks);
        Ok(())
    })?;
    Ok(done.is_some())
}

pub(super) fn zmpop(ctx: &mut Context<'_>) -> Outcome {
    let keys = parse_i64(ctx.args.get(1)).filter(|keys| *keys > 0).ok_or(BAD_KEYS)?;
    let end_at = usize::try_from(keys).unwrap_or(usize::MAX).saturating_add(2);
    if end_at >= ctx.args.len() {
        return Err(Failure::Syntax);
    }
    let end = match ctx.args.get(end_at) {
        word if word.eq_ignore_ascii_case(b"min") => End::Lowest,
        word if word.eq_ignore_ascii_case(b"max") => End::Highest,
        _ => return Err(Failure::Syntax),
    };
    let mut options = ctx.args.from(end_at.saturating_add(1));
    let mut count = None;
    while let Some(word) = options.next() {
        let (true, None, Some(value)) =
            (word.eq_ignore_ascii_case(b"count"), count, options.next())
        else {
            return Err(Failure::Syntax);
        };
        count = Some(parse_i64(value).filter(|count| *count > 0).ok_or(BAD_COUNT)?);
    }
    let count = count.map_or(1, |count| usize::try_from(count).unwrap_or(usize::MAX));
    for key in ctx.all_keys() {
        if pop(ctx, &key, end, count, Form::WithKey)? {
            return Ok(());
        }
    }
    ctx.reply.null_array();
    Ok(())
}
