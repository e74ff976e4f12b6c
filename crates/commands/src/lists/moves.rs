//! Elements that leave one of several lists: LMOVE, RPOPLPUSH, LMPOP.
//!
//! What these do with lists that are there is in functions of their own, which take keys and know
//! no words: commands that wait for an element do the same once there is one.

use keyspace::Key;
use values::Value;
use values::list::End;
use values::typed::Lists;

use super::{allow_span, end};
use crate::context::{Context, reply_value};
use crate::failure::{Failure, Outcome};

const BAD_NUMKEYS: Failure = Failure::text("ERR numkeys should be greater than 0");
const BAD_COUNT: Failure = Failure::text("ERR count should be greater than 0");

pub(super) fn lmove(ctx: &mut Context<'_>) -> Outcome {
    let (from, to) = (end(ctx.args.get(3))?, end(ctx.args.get(4))?);
    move_or_null(ctx, from, to)
}

pub(super) fn rpoplpush(ctx: &mut Context<'_>) -> Outcome {
    move_or_null(ctx, End::Back, End::Front)
}

fn move_or_null(ctx: &mut Context<'_>, from: End, to: End) -> Outcome {
    let (source, destination) = (ctx.key(0), ctx.key(1));
    if !move_one(ctx, &source, from, &destination, to)? {
        ctx.reply.null();
    }
    Ok(())
}

/// Moves an element and shows it; false when there is none.
fn move_one(
    ctx: &mut Context<'_>,
    source: &Key<'_>,
    from: End,
    destination: &Key<'_>,
    to: End,
) -> Result<bool, Failure> {
    let budget = ctx.budget();
    let (Some(list), _) = ctx.look::<Lists>(source)? else { return Ok(false) };
    budget.allow_copy(list.end_bytes(from))?;
    ctx.look::<Lists>(destination)?;
    if source.bytes == destination.bytes {
        ctx.edit::<Lists, _>(source, |list, reply| {
            list.rotate(from, to, |value| reply_value(reply, value));
            Ok(())
        })?;
        return Ok(true);
    }
    let taken = ctx.edit::<Lists, _>(source, |list, reply| {
        let taken = list.pop(from, |value| {
            reply_value(reply, value);
            value.to_vec()
        });
        // Taken and put is one change, counted where it is put.
        list.changes = 0;
        Ok(taken)
    })?;
    let Some(element) = taken.flatten() else { return Ok(false) };
    ctx.edit_or_create::<Lists, _>(destination, |list, _| {
        list.push(to, Value::of(&element));
        Ok(())
    })?;
    Ok(true)
}

pub(super) fn lmpop(ctx: &mut Context<'_>) -> Outcome {
    let positive = |index| ctx.int(index).ok().filter(|number| *number > 0);
    let size = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let numkeys = size(positive(1).ok_or(BAD_NUMKEYS)?);
    let end_at = numkeys.saturating_add(2);
    let option_at = end_at.saturating_add(1);
    if end_at >= ctx.args.len() {
        return Err(Failure::Syntax);
    }
    let from = end(ctx.args.get(end_at))?;
    let count = match ctx.args.len().saturating_sub(option_at) {
        0 => 1,
        words if words >= 2 && ctx.args.get(option_at).eq_ignore_ascii_case(b"count") => {
            let count = size(positive(option_at.saturating_add(1)).ok_or(BAD_COUNT)?);
            if words > 2 {
                return Err(Failure::Syntax);
            }
            count
        }
        _ => return Err(Failure::Syntax),
    };
    for key in ctx.all_keys() {
        if pop_some(ctx, &key, from, count)? {
            return Ok(());
        }
    }
    ctx.reply.null_array();
    Ok(())
}

/// Takes up to `count` elements of a list, and shows them behind its key; false when there is none.
fn pop_some(
    ctx: &mut Context<'_>,
    key: &Key<'_>,
    from: End,
    count: usize,
) -> Result<bool, Failure> {
    let budget = ctx.budget();
    let popped = ctx.edit::<Lists, _>(key, |list, reply| {
        let count = count.min(list.len());
        allow_span(budget, list.view(), from, count)?;
        reply.array(2);
        reply.bulk(key.bytes);
        reply.array(count);
        list.pop_many(from, count, |value| reply_value(reply, value));
        Ok(())
    })?;
    Ok(popped.is_some())
}
