//! Elements found by what they are: LPOS, LREM.

use values::Value;
use values::list::{End, Search};
use values::typed::Lists;

use crate::context::Context;
use crate::failure::{Failure, Outcome};

const NO_RANK: Failure = Failure::text(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
     negative to start from the end of the list",
);
const NEGATIVE_COUNT: Failure = Failure::text("ERR COUNT can't be negative");
const NEGATIVE_MAXLEN: Failure = Failure::text("ERR MAXLEN can't be negative");

/// An end to begin at, and the number that says so by its sign.
fn directed(number: i64) -> (End, usize) {
    let end = if number < 0 { End::Back } else { End::Front };
    (end, usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX))
}

/// What LPOS is to look for, and whether it is asked for several.
fn options(ctx: &Context<'_>) -> Result<(Search, bool), Failure> {
    let (mut rank, mut count, mut compared_max) = (1, None, usize::MAX);
    let or_all = |number| if number == 0 { usize::MAX } else { number };
    let mut at = 3;
    while at < ctx.args.len() {
        let word = ctx.args.get(at);
        let value = at.saturating_add(1);
        let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
        let size = || ctx.int(value).ok().and_then(|number| usize::try_from(number).ok());
        if value >= ctx.args.len() {
            return Err(Failure::Syntax);
        } else if is("rank") {
            rank = ctx.int(value)?;
            if rank == i64::MIN {
                return Err(Failure::NO_OPPOSITE);
            }
            if rank == 0 {
                return Err(NO_RANK);
            }
        } else if is("count") {
            count = Some(or_all(size().ok_or(NEGATIVE_COUNT)?));
        } else if is("maxlen") {
            compared_max = or_all(size().ok_or(NEGATIVE_MAXLEN)?);
        } else {
            return Err(Failure::Syntax);
        }
        at = at.saturating_add(2);
    }
    let (from, rank) = directed(rank);
    let skip = rank.saturating_sub(1);
    Ok((Search { from, skip, limit: count.unwrap_or(1), compared_max }, count.is_some()))
}

pub(super) fn lpos(ctx: &mut Context<'_>) -> Outcome {
    let (search, is_many) = options(ctx)?;
    let (key, args, budget) = (ctx.key(0), ctx.args, ctx.budget());
    let (list, reply) = ctx.read::<Lists>(&key)?;
    let mut found = Vec::new();
    if let Some(list) = list {
        budget.allow(list.len().min(search.compared_max))?;
        list.positions(Value::of(args.get(2)), search, |index| found.push(index));
    }
    match found.first() {
        _ if is_many => {
            reply.array(found.len());
            found.iter().for_each(|index| reply.count(*index));
        }
        Some(index) => reply.count(*index),
        None => reply.null(),
    }
    Ok(())
}

pub(super) fn lrem(ctx: &mut Context<'_>) -> Outcome {
    let (key, args, count) = (ctx.key(0), ctx.args, ctx.int(2)?);
    if count == i64::MIN {
        return Err(Failure::NO_OPPOSITE);
    }
    let (from, limit) = directed(count);
    let limit = if limit == 0 { usize::MAX } else { limit };
    let budget = ctx.budget();
    let removed = ctx.edit::<Lists, _>(&key, |list, reply| {
        budget.allow(list.len())?;
        reply.count(list.remove(from, Value::of(args.get(3)), limit));
        Ok(())
    })?;
    if removed.is_none() {
        ctx.reply.count(0);
    }
    Ok(())
}
