//! Lists: the rows of the family, and the commands that read or change one list.
//!
//! LPUSH, LPOP and LRANGE are hot: elements go from the words into the list and from the list into
//! the reply, and are copied once each way.

mod moves;
mod search;

use protocol::reply::Reply;
use values::Value;
use values::list::End;
use values::typed::{ListMut, ListRef, Lists};

use crate::context::{Budget, Context, reply_value};
use crate::failure::{Failure, Outcome};
use crate::spec::arguments::{Argument, integer, key, oneof, string, token};
use crate::spec::{Access, Find, Flags, Group, KeySpec};
use crate::strings::ranges::part;
use crate::{Command, Handler};

const READ: Flags = Flags::READONLY;
const TAKE: Flags = Flags::WRITE;
const TAKE_FAST: Flags = TAKE.union(Flags::FAST);
const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);
const WRITE_FAST: Flags = WRITE.union(Flags::FAST);

const READ_ONE: &[KeySpec] = &[KeySpec::one(Access::READ)];
const EXTEND_ONE: &[KeySpec] = &[KeySpec::one(Access::EXTEND)];
const TAKE_ONE: &[KeySpec] = &[KeySpec::one(Access::TAKE)];
const REMOVE_ONE: &[KeySpec] = &[KeySpec::one(Access::REMOVE_IF)];
const MOVE: &[KeySpec] = &[KeySpec::one(Access::TAKE), KeySpec::at(2, Access::EXTEND)];

const PUSHED: &[Argument] = &[key("key"), string("element").many()];
const POPPED: &[Argument] = &[key("key"), integer("count").opt().since("6.2.0")];
const RANGE: &[Argument] = &[key("key"), integer("start"), integer("stop")];
const ENDS: &[Argument] = &[token("LEFT"), token("RIGHT")];
const SOURCE: Argument = key("source");
const DESTINATION: Argument = key("destination").in_spec(1);

const PUSH_COST: &str = "O(1) for each element";
const POP_COST: &str = "O(N) with N the number of elements taken";
const SEVERAL: &str = "Takes several elements.";
const COUNT: &str = "`count`.";

const NOT_POSITIVE: Failure = Failure::text("ERR value is out of range, must be positive");
const NO_INDEX: Failure = Failure::text("ERR index out of range");

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("lindex", 3, lindex)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::List, "1.0.0", "Reads one element of a list, by its index.")
        .complexity("O(N) with N the distance to the nearer end, in nodes of 8 KiB")
        .args(&[key("key"), integer("index")]),
    Command::<Handler>::new("linsert", 5, linsert)
        .flags(WRITE)
        .keys(EXTEND_ONE)
        .docs(Group::List, "2.2.0", "Puts an element before or behind another one of a list.")
        .complexity("O(N) with N the number of elements before the other one")
        .args(&[
            key("key"),
            oneof("where").of(&[token("BEFORE"), token("AFTER")]),
            string("pivot"),
            string("element"),
        ]),
    Command::<Handler>::new("llen", 2, llen)
        .flags(READ.union(Flags::FAST))
        .keys(&[KeySpec::one(Access::INSPECT)])
        .docs(Group::List, "1.0.0", "Counts the elements of a list.")
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("lmove", 5, moves::lmove)
        .flags(WRITE)
        .keys(MOVE)
        .docs(Group::List, "6.2.0", "Takes an element of one list and adds it to another.")
        .complexity("O(1)")
        .args(&[SOURCE, DESTINATION, oneof("wherefrom").of(ENDS), oneof("whereto").of(ENDS)]),
    Command::<Handler>::new("lmpop", -4, moves::lmpop)
        .flags(TAKE)
        .keys(&[KeySpec::new(1, Find::Counted { step: 1 }, Access::TAKE)])
        .docs(Group::List, "7.0.0", "Takes elements of the first of several lists that has any.")
        .complexity("O(N+M) with N the number of keys and M that of the elements taken")
        .args(&[
            integer("numkeys"),
            key("key").many(),
            oneof("where").of(ENDS),
            integer("count").after("COUNT").opt(),
        ]),
    Command::<Handler>::new("lpop", -2, lpop)
        .flags(TAKE_FAST)
        .keys(TAKE_ONE)
        .docs(Group::List, "1.0.0", "Takes the first elements of a list.")
        .complexity(POP_COST)
        .history(&[("6.2.0", COUNT)])
        .args(POPPED),
    Command::<Handler>::new("lpos", -3, search::lpos)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::List, "6.0.6", "Finds the indexes at which a list has an element.")
        .complexity("O(N) with N the number of elements looked at")
        .args(&[
            key("key"),
            string("element"),
            integer("rank").after("RANK").opt(),
            integer("num-matches").after("COUNT").opt(),
            integer("len").after("MAXLEN").opt(),
        ]),
    Command::<Handler>::new("lpush", -3, lpush)
        .flags(WRITE_FAST)
        .keys(EXTEND_ONE)
        .docs(Group::List, "1.0.0", "Adds elements to the front of a list.")
        .complexity(PUSH_COST)
        .history(&[("2.4.0", SEVERAL)])
        .args(PUSHED),
    Command::<Handler>::new("lpushx", -3, lpushx)
        .flags(WRITE_FAST)
        .keys(EXTEND_ONE)
        .docs(Group::List, "2.2.0", "Adds elements to the front of a list if there is one.")
        .complexity(PUSH_COST)
        .history(&[("4.0.0", SEVERAL)])
        .args(PUSHED),
    Command::<Handler>::new("lrange", 4, lrange)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::List, "1.0.0", "Reads a range of a list's elements.")
        .complexity("O(S+N) with S as for LINDEX and N the number of elements read")
        .args(RANGE),
    Command::<Handler>::new("lrem", 4, search::lrem)
        .flags(TAKE)
        .keys(REMOVE_ONE)
        .docs(Group::List, "1.0.0", "Removes the elements of a list that are equal to one.")
        .complexity("O(N+M) with N the length of the list and M the number of those removed")
        .args(&[key("key"), integer("count"), string("element")]),
    Command::<Handler>::new("lset", 4, lset)
        .flags(WRITE)
        .keys(&[KeySpec::one(Access::UPDATE)])
        .docs(Group::List, "1.0.0", "Replaces one element of a list, by its index.")
        .complexity("O(N) with N as for LINDEX")
        .args(&[key("key"), integer("index"), string("element")]),
    Command::<Handler>::new("ltrim", 4, ltrim)
        .flags(TAKE)
        .keys(REMOVE_ONE)
        .docs(Group::List, "1.0.0", "Removes all elements of a list but a range of them.")
        .complexity("O(N) with N the number of elements removed")
        .args(RANGE),
    Command::<Handler>::new("rpop", -2, rpop)
        .flags(TAKE_FAST)
        .keys(TAKE_ONE)
        .docs(Group::List, "1.0.0", "Takes the last elements of a list.")
        .complexity(POP_COST)
        .history(&[("6.2.0", COUNT)])
        .args(POPPED),
    Command::<Handler>::new("rpoplpush", 3, moves::rpoplpush)
        .flags(WRITE)
        .keys(MOVE)
        .docs(
            Group::List,
            "1.2.0",
            "Takes the last element of one list and adds it to the front of another.",
        )
        .complexity("O(1)")
        .deprecated("6.2.0", "`LMOVE` with `RIGHT` and `LEFT`")
        .args(&[SOURCE, DESTINATION]),
    Command::<Handler>::new("rpush", -3, rpush)
        .flags(WRITE_FAST)
        .keys(EXTEND_ONE)
        .docs(Group::List, "1.0.0", "Adds elements to the back of a list.")
        .complexity(PUSH_COST)
        .history(&[("2.4.0", SEVERAL)])
        .args(PUSHED),
    Command::<Handler>::new("rpushx", -3, rpushx)
        .flags(WRITE_FAST)
        .keys(EXTEND_ONE)
        .docs(Group::List, "2.2.0", "Adds elements to the back of a list if there is one.")
        .complexity(PUSH_COST)
        .history(&[("4.0.0", SEVERAL)])
        .args(PUSHED),
];

fn lpush(ctx: &mut Context<'_>) -> Outcome {
    push(ctx, End::Front, true)
}

fn rpush(ctx: &mut Context<'_>) -> Outcome {
    push(ctx, End::Back, true)
}

fn lpushx(ctx: &mut Context<'_>) -> Outcome {
    push(ctx, End::Front, false)
}

fn rpushx(ctx: &mut Context<'_>) -> Outcome {
    push(ctx, End::Back, false)
}

/// Adds all words behind the key to an end of the list, which comes to be if it may.
fn push(ctx: &mut Context<'_>, end: End, creates: bool) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    ctx.allow_members(2)?;
    let values = (2..args.len()).map(move |word| Value::of(args.get(word)));
    let push = |list: &mut ListMut<'_>, reply: &mut Reply<'_>| {
        reply.count(list.push_many(end, values));
        Ok(())
    };
    if creates {
        return ctx.edit_or_create::<Lists, _>(&key, push);
    }
    if ctx.edit::<Lists, _>(&key, push)?.is_none() {
        ctx.reply.count(0);
    }
    Ok(())
}

fn lpop(ctx: &mut Context<'_>) -> Outcome {
    pop(ctx, End::Front)
}

fn rpop(ctx: &mut Context<'_>) -> Outcome {
    pop(ctx, End::Back)
}

fn pop(ctx: &mut Context<'_>, end: End) -> Outcome {
    let key = ctx.key(0);
    match ctx.args.len() {
        ..=2 => {}
        3 => return pop_count(ctx, end),
        _ => return Err(Failure::Arity(ctx.name.into())),
    }
    let budget = ctx.budget();
    let popped = ctx.edit::<Lists, _>(&key, |list, reply| {
        budget.allow_copy(list.view().end_bytes(end))?;
        list.pop(end, |value| reply_value(reply, value));
        Ok(())
    })?;
    if popped.is_none() {
        ctx.reply.null();
    }
    Ok(())
}

fn pop_count(ctx: &mut Context<'_>, end: End) -> Outcome {
    let key = ctx.key(0);
    let count = ctx.int(2).ok().and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(NOT_POSITIVE)?;
    let budget = ctx.budget();
    let popped = ctx.edit::<Lists, _>(&key, |list, reply| {
        let count = count.min(list.len());
        allow_span(budget, list.view(), end, count)?;
        reply.array(count);
        list.pop_many(end, count, |value| reply_value(reply, value));
        Ok(())
    })?;
    if popped.is_none() {
        ctx.reply.null_array();
    }
    Ok(())
}

/// Sends a command to the worker pool for which it takes long to show so many elements at an end.
fn allow_span(budget: Budget, list: ListRef<'_>, end: End, count: usize) -> Outcome {
    budget.allow(count)?;
    let first = match end {
        End::Front => 0,
        End::Back => list.len().saturating_sub(1),
    };
    budget.allow_copy(list.span(end, first, count).bytes())
}

fn llen(ctx: &mut Context<'_>) -> Outcome {
    let key = ctx.key(0);
    let (list, reply) = ctx.read::<Lists>(&key)?;
    reply.count(list.map_or(0, |list| list.len()));
    Ok(())
}

fn lindex(ctx: &mut Context<'_>) -> Outcome {
    let (key, index, budget) = (ctx.key(0), ctx.int(2), ctx.budget());
    let (list, reply) = ctx.read::<Lists>(&key)?;
    // Redis does not look at the index where there is no list.
    let Some(list) = list else {
        reply.null();
        return Ok(());
    };
    let Some(index) = place(list.len(), index?) else {
        reply.null();
        return Ok(());
    };
    let element = list.span(End::Front, index, 1);
    budget.allow_copy(element.bytes())?;
    element.for_each(|value| reply_value(reply, value));
    Ok(())
}

fn lset(ctx: &mut Context<'_>) -> Outcome {
    let (key, index, args) = (ctx.key(0), ctx.int(2), ctx.args);
    ctx.allow_members(3)?;
    let set = ctx.edit::<Lists, _>(&key, |list, reply| {
        let index = place(list.len(), index?).ok_or(NO_INDEX)?;
        list.set(index, Value::of(args.get(3)));
        reply.ok();
        Ok(())
    })?;
    set.ok_or(Failure::NoSuchKey)
}

fn lrange(ctx: &mut Context<'_>) -> Outcome {
    let (key, first, last) = (ctx.key(0), ctx.int(2)?, ctx.int(3)?);
    let budget = ctx.budget();
    let (list, reply) = ctx.read::<Lists>(&key)?;
    let Some(list) = list else {
        reply.array(0);
        return Ok(());
    };
    let range = part(list.len(), first, last);
    budget.allow(range.len())?;
    let elements = list.span(End::Front, range.start, range.len());
    budget.allow_copy(elements.bytes())?;
    reply.array(range.len());
    elements.for_each(|value| reply_value(reply, value));
    Ok(())
}

fn ltrim(ctx: &mut Context<'_>) -> Outcome {
    let (key, first, last) = (ctx.key(0), ctx.int(2)?, ctx.int(3)?);
    let budget = ctx.budget();
    ctx.edit::<Lists, _>(&key, |list, _| {
        let range = part(list.len(), first, last);
        budget.allow(list.len().saturating_sub(range.len()))?;
        list.trim(range);
        Ok(())
    })?;
    ctx.reply.ok();
    Ok(())
}

fn linsert(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    let side = match args.get(2) {
        word if word.eq_ignore_ascii_case(b"before") => End::Front,
        word if word.eq_ignore_ascii_case(b"after") => End::Back,
        _ => return Err(Failure::Syntax),
    };
    ctx.allow_members(4)?;
    let budget = ctx.budget();
    let inserted = ctx.edit::<Lists, _>(&key, |list, reply| {
        budget.allow(list.len())?;
        let is_there = list.insert(side, Value::of(args.get(3)), Value::of(args.get(4)));
        if is_there {
            reply.count(list.len())
        } else {
            reply.integer(-1)
        }
        Ok(())
    })?;
    if inserted.is_none() {
        ctx.reply.count(0);
    }
    Ok(())
}

/// The place of an index, a negative one counted from the end; nothing beyond the elements.
fn place(len: usize, index: i64) -> Option<usize> {
    let place = match usize::try_from(index) {
        Ok(place) => place,
        Err(_) => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
    };
    (place < len).then_some(place)
}

/// The word that names an end.
fn end(word: &[u8]) -> Result<End, Failure> {
    match word {
        _ if word.eq_ignore_ascii_case(b"left") => Ok(End::Front),
        _ if word.eq_ignore_ascii_case(b"right") => Ok(End::Back),
        _ => Err(Failure::Syntax),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let cases: &[(usize, i64, Option<usize>)] = &[
            (3, 0, Some(0)),
            (3, 2, Some(2)),
            (3, 3, None),
            (3, -1, Some(2)),
            (3, -3, Some(0)),
            (3, -4, None),
            (3, i64::MAX, None),
            (3, i64::MIN, None),
            (0, 0, None),
            (0, -1, None),
        ];
        for (len, index, expected) in cases {
            assert_eq!(place(*len, *index), *expected, "{index} of {len}");
        }
    }
}
