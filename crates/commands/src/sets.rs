//! Sets: the rows of the family, and the commands on single members.
//!
//! What a set is made of, and when it takes another form, is in `values/src/typed/set.rs`.

mod chance;
mod combine;
mod estimate;

use values::Value;
use values::packed::EXPIRY_MAX;
use values::typed::Sets;

use crate::context::reply_value;
use crate::spec::arguments::{Argument, integer, key, string, token};
use crate::spec::{Access, Find, Flags, Group, KeySpec, tips};
use crate::{Command, Context, Failure, Handler, Outcome};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = READ.union(Flags::FAST);
const TAKE_FAST: Flags = Flags::WRITE.union(Flags::FAST);
const WRITE: Flags = Flags::WRITE.union(Flags::DENYOOM);
const WRITE_FAST: Flags = WRITE.union(Flags::FAST);

const READ_ONE: &[KeySpec] = &[KeySpec::one(Access::READ)];
const READ_ALL: &[KeySpec] = &[KeySpec::all(Access::READ)];
const READ_COUNTED: &[KeySpec] = &[KeySpec::new(1, Find::Counted { step: 1 }, Access::READ)];
const STORE: &[KeySpec] = &[
    KeySpec::one(Access::OVERWRITE),
    KeySpec::new(2, Find::Range { last: -1, step: 1 }, Access::READ),
];

const LIMIT: Argument = integer("limit").after("LIMIT").opt();
const KEYS: &[Argument] = &[key("key").many()];
const KEYS_TO_STORE: &[Argument] = &[key("destination"), key("key").in_spec(1).many()];
const COUNTED_KEYS: &[Argument] = &[integer("numkeys"), key("key").many(), LIMIT];

const ALL_MEMBERS: &str = "O(N) with N the number of members of all sets";
const SMALLEST: &str = "O(N*M) with N the members of the smallest set and M the number of sets";

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("sadd", -3, sadd)
        .members(2, 1)
        .flags(WRITE_FAST)
        .keys(&[KeySpec::one(Access::EXTEND)])
        .docs(Group::Set, "1.0.0", "Adds members to a set, which is made if it is not there.")
        .complexity("O(1) for each member")
        .history(&[("2.4.0", "More than one member.")])
        .args(&[key("key"), string("member").many()]),
    Command::<Handler>::new("saddex", -4, saddex)
        .flags(WRITE_FAST)
        .keys(&[KeySpec::one(Access::EXTEND)])
        .docs(Group::Set, "dragonfly", "Adds members to a set, each of which expires.")
        .complexity("O(N) with N the number of members given")
        .args(&[key("key"), token("KEEPTTL").opt(), integer("seconds"), string("member").many()]),
    Command::<Handler>::new("scard", 2, scard)
        .flags(READ_FAST)
        .keys(&[KeySpec::one(Access::INSPECT)])
        .docs(Group::Set, "1.0.0", "Counts the members of a set.")
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("sdiff", -2, combine::sdiff)
        .flags(READ)
        .keys(READ_ALL)
        .docs(Group::Set, "1.0.0", "Shows the members of the first set that no other has.")
        .complexity(ALL_MEMBERS)
        .tips(&[tips::NONDETERMINISTIC_ORDER])
        .args(KEYS),
    Command::<Handler>::new("sdiffcard", -3, combine::sdiffcard)
        .flags(READ)
        .keys(READ_COUNTED)
        .docs(Group::Set, "8.10.0", "Counts the members of the first set that no other has.")
        .complexity(ALL_MEMBERS)
        .args(COUNTED_KEYS),
    Command::<Handler>::new("sdiffstore", -3, combine::sdiffstore)
        .flags(WRITE)
        .keys(STORE)
        .docs(Group::Set, "1.0.0", "Stores the members of the first set that no other has.")
        .complexity(ALL_MEMBERS)
        .args(KEYS_TO_STORE),
    Command::<Handler>::new("sinter", -2, combine::sinter)
        .flags(READ)
        .keys(READ_ALL)
        .docs(Group::Set, "1.0.0", "Shows the members that all sets have.")
        .complexity(SMALLEST)
        .tips(&[tips::NONDETERMINISTIC_ORDER])
        .args(KEYS),
    Command::<Handler>::new("sintercard", -3, combine::sintercard)
        .flags(READ)
        .keys(READ_COUNTED)
        .docs(Group::Set, "7.0.0", "Counts the members that all sets have.")
        .complexity(SMALLEST)
        .args(COUNTED_KEYS),
    Command::<Handler>::new("sinterstore", -3, combine::sinterstore)
        .flags(WRITE)
        .keys(STORE)
        .docs(Group::Set, "1.0.0", "Stores the members that all sets have.")
        .complexity(SMALLEST)
        .args(KEYS_TO_STORE),
    Command::<Handler>::new("sismember", 3, sismember)
        .members(2, 1)
        .flags(READ_FAST)
        .keys(&[KeySpec::one(Access::INSPECT)])
        .docs(Group::Set, "1.0.0", "Tells whether a set has a member.")
        .complexity("O(1)")
        .args(&[key("key"), string("member")]),
    Command::<Handler>::new("smembers", 2, smembers)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::Set, "1.0.0", "Shows all members of a set.")
        .complexity("O(N) with N the number of members")
        .tips(&[tips::NONDETERMINISTIC_ORDER])
        .args(&[key("key")]),
    Command::<Handler>::new("smismember", -3, smismember)
        .members(2, 1)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::Set, "6.2.0", "Tells of each member whether a set has it.")
        .complexity("O(N) with N the number of members given")
        .args(&[key("key"), string("member").many()]),
    Command::<Handler>::new("smove", 4, smove)
        .flags(TAKE_FAST)
        .keys(&[KeySpec::one(Access::TAKE), KeySpec::at(2, Access::EXTEND)])
        .docs(Group::Set, "1.0.0", "Moves a member from one set to another.")
        .complexity("O(1)")
        .args(&[key("source"), key("destination").in_spec(1), string("member")]),
    Command::<Handler>::new("spop", -2, chance::spop)
        .flags(TAKE_FAST)
        .keys(&[KeySpec::one(Access::TAKE)])
        .docs(Group::Set, "1.0.0", "Takes members out of a set by chance, and shows them.")
        .complexity("O(1), with a count O(N) with N the count")
        .history(&[("3.2.0", "`count`.")])
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[key("key"), integer("count").opt().since("3.2.0")]),
    Command::<Handler>::new("srandmember", -2, chance::srandmember)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::Set, "1.0.0", "Shows members of a set by chance.")
        .complexity("O(1), with a count O(N) with N the count, without its sign")
        .history(&[("2.6.0", "`count`.")])
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[key("key"), integer("count").opt().since("2.6.0")]),
    Command::<Handler>::new("srem", -3, srem)
        .members(2, 1)
        .flags(TAKE_FAST)
        .keys(&[KeySpec::one(Access::REMOVE_IF)])
        .docs(Group::Set, "1.0.0", "Takes members out of a set.")
        .complexity("O(N) with N the number of members given")
        .history(&[("2.4.0", "More than one member.")])
        .args(&[key("key"), string("member").many()]),
    Command::<Handler>::new("sunion", -2, combine::sunion)
        .flags(READ)
        .keys(READ_ALL)
        .docs(Group::Set, "1.0.0", "Shows the members of all sets.")
        .complexity(ALL_MEMBERS)
        .tips(&[tips::NONDETERMINISTIC_ORDER])
        .args(KEYS),
    Command::<Handler>::new("sunioncard", -3, combine::sunioncard)
        .flags(READ)
        .keys(READ_COUNTED)
        .docs(Group::Set, "8.10.0", "Counts the members of all sets.")
        .complexity(ALL_MEMBERS)
        .args(&[integer("numkeys"), key("key").many(), token("APPROX").opt(), LIMIT]),
    Command::<Handler>::new("sunionstore", -3, combine::sunionstore)
        .flags(WRITE)
        .keys(STORE)
        .docs(Group::Set, "1.0.0", "Stores the members of all sets.")
        .complexity(ALL_MEMBERS)
        .args(KEYS_TO_STORE),
];

fn sadd(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    ctx.allow_members(2)?;
    ctx.edit_or_create::<Sets, _>(&key, |set, reply| {
        set.expect(Value::Bytes(args.get(2)), args.len().saturating_sub(2));
        reply.count(args.from(2).filter(|word| set.add(Value::Bytes(word))).count());
        Ok(())
    })
}

fn saddex(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    let keeps = args.get(2).eq_ignore_ascii_case(b"keepttl");
    let time_at: usize = if keeps { 3 } else { 2 };
    let first = time_at.saturating_add(1);
    if args.len() <= first {
        return Err(Failure::Arity(ctx.name.into()));
    }
    let seconds = ctx.int(time_at)?;
    let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0);
    let after = seconds.ok_or(Failure::NotInteger)?.checked_mul(1000);
    let at = after.and_then(|after| after.checked_add(ctx.now_ms));
    let at = at.filter(|at| *at <= EXPIRY_MAX).ok_or(Failure::InvalidExpire(ctx.name))?;
    ctx.allow_members(first)?;
    ctx.edit_or_create::<Sets, _>(&key, |set, reply| {
        let is_new = |word: &&[u8]| set.add_expiring(Value::Bytes(word), at, keeps);
        reply.count(args.from(first).filter(is_new).count());
        Ok(())
    })
}

fn scard(ctx: &mut Context<'_>) -> Outcome {
    let key = ctx.key(0);
    let (set, reply) = ctx.read::<Sets>(&key)?;
    reply.count(set.map_or(0, |set| set.len()));
    Ok(())
}

fn sismember(ctx: &mut Context<'_>) -> Outcome {
    let (key, member) = (ctx.key(0), Value::Bytes(ctx.args.get(2)));
    let (set, reply) = ctx.read::<Sets>(&key)?;
    reply.integer(set.is_some_and(|set| set.contains(member)).into());
    Ok(())
}

fn smembers(ctx: &mut Context<'_>) -> Outcome {
    let (key, budget) = (ctx.key(0), ctx.budget());
    let (set, reply) = ctx.read::<Sets>(&key)?;
    let len = set.map_or(0, |set| set.len());
    budget.allow(len)?;
    reply.set(len);
    if let Some(set) = set {
        set.for_each(|member| reply_value(reply, member));
    }
    Ok(())
}

fn smismember(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    let (set, reply) = ctx.read::<Sets>(&key)?;
    reply.array(args.len().saturating_sub(2));
    for word in args.from(2) {
        reply.integer(set.is_some_and(|set| set.contains(Value::Bytes(word))).into());
    }
    Ok(())
}

/// A member that expires goes on to do so.
fn smove(ctx: &mut Context<'_>) -> Outcome {
    let (from, to, member) = (ctx.key(0), ctx.key(1), Value::Bytes(ctx.args.get(3)));
    ctx.allow_members(3)?;
    let (source, reply) = ctx.look::<Sets>(&from)?;
    let Some(source) = source else {
        reply.integer(0);
        return Ok(());
    };
    let found = source.expires_at(member);
    let (target, reply) = ctx.look::<Sets>(&to)?;
    let is_there = target.is_some_and(|target| target.contains(member));
    reply.integer(found.is_some().into());
    let Some(expiry) = found.filter(|_| from.bytes != to.bytes) else { return Ok(()) };
    ctx.edit::<Sets, _>(&from, |set, _| Ok(set.remove(member)))?;
    if is_there {
        return Ok(());
    }
    ctx.edit_or_create::<Sets, _>(&to, |set, _| {
        match expiry {
            Some(at) => set.add_expiring(member, at, false),
            None => {
                set.expect(member, 1);
                set.add(member)
            }
        };
        Ok(())
    })
}

fn srem(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    let removed = ctx.edit::<Sets, _>(&key, |set, _| {
        Ok(args.from(2).filter(|word| set.remove(Value::Bytes(word))).count())
    })?;
    ctx.reply.count(removed.unwrap_or(0));
    Ok(())
}
