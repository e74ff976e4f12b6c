//! Sorted sets: the rows of the family, and what looks at single members.
//!
//! ```text
//! write      ZADD and what else changes or removes members by name
//! ranges     all that takes ranks, scores or members from and to
//! pop        ZPOPMIN and its like
//! random     ZRANDMEMBER
//! combine    unions, intersections and differences, of sets too
//! ```

mod combine;
mod pop;
mod random;
mod ranges;
pub(crate) mod write;

use protocol::reply::Reply;
use values::Score;
use values::typed::{SortedSetRef, SortedSets};

use crate::spec::arguments::{Argument, block, double, integer, key, oneof, string, token};
use crate::spec::{Access, Find, Flags, Group, KeySpec, tips};
use crate::{Command, Context, Failure, Handler, Outcome};

const READ: Flags = Flags::READONLY;
const READ_FAST: Flags = READ.union(Flags::FAST);
const TAKE: Flags = Flags::WRITE;
const TAKE_FAST: Flags = TAKE.union(Flags::FAST);
const WRITE: Flags = TAKE.union(Flags::DENYOOM);
const WRITE_FAST: Flags = WRITE.union(Flags::FAST);

const READ_ONE: &[KeySpec] = &[KeySpec::one(Access::READ)];
const READ_SOME: &[KeySpec] = &[KeySpec::new(1, Find::Counted { step: 1 }, Access::READ)];
const STORE_SOME: &[KeySpec] =
    &[KeySpec::one(Access::OVERWRITE), KeySpec::new(2, Find::Counted { step: 1 }, Access::READ)];
const REMOVE_IN_ONE: &[KeySpec] = &[KeySpec::one(Access::REMOVE_IF)];
const TAKE_FROM_ONE: &[KeySpec] = &[KeySpec::one(Access::TAKE)];

const WITHSCORES: Argument = token("WITHSCORES").opt();
const LIMIT: Argument =
    block("limit").after("LIMIT").opt().of(&[integer("offset"), integer("count")]);
const SORTBY: Argument = oneof("sortby").opt().of(&[token("BYSCORE"), token("BYLEX")]);
const WEIGHTS: Argument = integer("weight").after("WEIGHTS").opt().many();
const AGGREGATE: Argument =
    oneof("aggregate").after("AGGREGATE").opt().of(&[token("SUM"), token("MIN"), token("MAX")]);
const SOURCES: &[Argument] =
    &[integer("numkeys"), key("key").many(), WEIGHTS, AGGREGATE, WITHSCORES];
const STORED_SOURCES: &[Argument] =
    &[key("destination"), integer("numkeys"), key("key").in_spec(1).many(), WEIGHTS, AGGREGATE];
const SCORES: &[Argument] = &[key("key"), double("min"), double("max")];
const NAMES: &[Argument] = &[key("key"), string("min"), string("max")];
const NAMED: &[Argument] = &[key("key"), string("member").many()];
const POPPED: &[Argument] = &[key("key"), integer("count").opt()];
const RANKED: &[Argument] = &[key("key"), string("member"), token("WITHSCORE").opt()];
const RANKED_HISTORY: &[(&str, &str)] = &[("7.2.0", "`WITHSCORE`.")];

const OF_ONE: &str = "O(log(N)) with N the number of members";
const OF_RANGE: &str = "O(log(N)+M) with N the number of members and M the number of those shown";
const OF_REMOVED: &str =
    "O(log(N)+M) with N the number of members and M the number of those removed";
const OF_POPPED: &str = "O(log(N)*M) with N the number of members and M the number of those taken";
const OF_UNION: &str = "O(N)+O(M*log(M)) with N members in all sources and M in the result";
const OF_INTER: &str =
    "O(N*K)+O(M*log(M)) with N members in the smallest of K sources and M in the result";
const OF_DIFF: &str = "O(L + (N-K)log(N)) with L members in all sources, N in the first, and K of \
                       these in others too";

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("zadd", -4, write::zadd)
        .members(3, 2)
        .flags(WRITE_FAST)
        .keys(&[KeySpec::one(Access::UPDATE)])
        .docs(
            Group::SortedSet,
            "1.2.0",
            "Gives members a score, and adds those that are not there.",
        )
        .complexity("O(log(N)) for each member, with N the number of members")
        .history(&[
            ("2.4.0", "Takes several members."),
            ("3.0.2", "`XX`, `NX`, `CH` and `INCR`."),
            ("6.2.0", "`GT` and `LT`."),
        ])
        .args(&[
            key("key"),
            oneof("condition").opt().since("3.0.2").of(&[token("NX"), token("XX")]),
            oneof("comparison").opt().since("6.2.0").of(&[token("GT"), token("LT")]),
            token("CH").named("change").opt().since("3.0.2"),
            token("INCR").named("increment").opt().since("3.0.2"),
            block("data").many().of(&[double("score"), string("member")]),
        ]),
    Command::<Handler>::new("zcard", 2, zcard)
        .flags(READ_FAST)
        .keys(&[KeySpec::one(Access::INSPECT)])
        .docs(Group::SortedSet, "1.2.0", "Counts the members of a sorted set.")
        .complexity("O(1)")
        .args(&[key("key")]),
    Command::<Handler>::new("zcount", 4, ranges::zcount)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::SortedSet, "2.0.0", "Counts the members with scores from one to another.")
        .complexity(OF_ONE)
        .args(SCORES),
    Command::<Handler>::new("zdiff", -3, combine::zdiff)
        .flags(READ)
        .keys(READ_SOME)
        .docs(
            Group::SortedSet,
            "6.2.0",
            "Shows the members of the first sorted set that no other one has.",
        )
        .complexity(OF_DIFF)
        .args(&[integer("numkeys"), key("key").many(), WITHSCORES]),
    Command::<Handler>::new("zdiffstore", -4, combine::zdiffstore)
        .flags(WRITE)
        .keys(STORE_SOME)
        .docs(
            Group::SortedSet,
            "6.2.0",
            "Stores the members of the first sorted set that no other one has.",
        )
        .complexity(OF_DIFF)
        .args(&[key("destination"), integer("numkeys"), key("key").in_spec(1).many()]),
    Command::<Handler>::new("zincrby", 4, write::zincrby)
        .members(3, 2)
        .flags(WRITE_FAST)
        .keys(&[KeySpec::one(Access::EXCHANGE)])
        .docs(Group::SortedSet, "1.2.0", "Adds to the score of a member.")
        .complexity(OF_ONE)
        .args(&[key("key"), integer("increment"), string("member")]),
    Command::<Handler>::new("zinter", -3, combine::zinter)
        .flags(READ)
        .keys(READ_SOME)
        .docs(Group::SortedSet, "6.2.0", "Shows the members that all of several sorted sets have.")
        .complexity(OF_INTER)
        .args(SOURCES),
    Command::<Handler>::new("zintercard", -3, combine::zintercard)
        .flags(READ)
        .keys(READ_SOME)
        .docs(Group::SortedSet, "7.0.0", "Counts the members that all of several sorted sets have.")
        .complexity("O(N*K) with N the members of the smallest of K sources")
        .args(&[integer("numkeys"), key("key").many(), integer("limit").after("LIMIT").opt()]),
    Command::<Handler>::new("zinterstore", -4, combine::zinterstore)
        .flags(WRITE)
        .keys(STORE_SOME)
        .docs(Group::SortedSet, "2.0.0", "Stores the members that all of several sorted sets have.")
        .complexity(OF_INTER)
        .args(STORED_SOURCES),
    Command::<Handler>::new("zlexcount", 4, ranges::zlexcount)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(
            Group::SortedSet,
            "2.8.9",
            "Counts the members from one to another, where all have the same score.",
        )
        .complexity(OF_ONE)
        .args(NAMES),
    Command::<Handler>::new("zmpop", -4, pop::zmpop)
        .flags(TAKE)
        .keys(&[KeySpec::new(1, Find::Counted { step: 1 }, Access::TAKE)])
        .docs(
            Group::SortedSet,
            "7.0.0",
            "Takes members from an end of the first sorted set that is not empty.",
        )
        .complexity("O(K)+O(M*log(N)) with K keys, N members, and M of them taken")
        .args(&[
            integer("numkeys"),
            key("key").many(),
            oneof("where").of(&[token("MIN"), token("MAX")]),
            integer("count").after("COUNT").opt(),
        ]),
    Command::<Handler>::new("zmscore", -3, zmscore)
        .members(2, 1)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::SortedSet, "6.2.0", "Tells the scores of members.")
        .complexity("O(N) with N the number of members asked for")
        .args(NAMED),
    Command::<Handler>::new("zpopmax", -2, pop::zpopmax)
        .flags(TAKE_FAST)
        .keys(TAKE_FROM_ONE)
        .docs(Group::SortedSet, "5.0.0", "Takes the members with the highest scores.")
        .complexity(OF_POPPED)
        .args(POPPED),
    Command::<Handler>::new("zpopmin", -2, pop::zpopmin)
        .flags(TAKE_FAST)
        .keys(TAKE_FROM_ONE)
        .docs(Group::SortedSet, "5.0.0", "Takes the members with the lowest scores.")
        .complexity(OF_POPPED)
        .args(POPPED),
    Command::<Handler>::new("zrandmember", -2, random::zrandmember)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::SortedSet, "6.2.0", "Shows members by chance.")
        .complexity("O(N) with N the number of members shown")
        .tips(&[tips::NONDETERMINISTIC])
        .args(&[key("key"), block("options").opt().of(&[integer("count"), WITHSCORES])]),
    Command::<Handler>::new("zrange", -4, ranges::zrange)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::SortedSet, "1.2.0", "Shows the members of a range of ranks.")
        .complexity(OF_RANGE)
        .history(&[("6.2.0", "`REV`, `BYSCORE`, `BYLEX` and `LIMIT`.")])
        .args(&[
            key("key"),
            string("start"),
            string("stop"),
            SORTBY.since("6.2.0"),
            token("REV").opt().since("6.2.0"),
            LIMIT.since("6.2.0"),
            WITHSCORES,
        ]),
    Command::<Handler>::new("zrangebylex", -4, ranges::zrangebylex)
        .flags(READ)
        .keys(READ_ONE)
        .docs(
            Group::SortedSet,
            "2.8.9",
            "Shows the members from one to another, where all have the same score.",
        )
        .complexity(OF_RANGE)
        .deprecated("6.2.0", "`ZRANGE` with `BYLEX`")
        .args(&[key("key"), string("min"), string("max"), LIMIT]),
    Command::<Handler>::new("zrangebyscore", -4, ranges::zrangebyscore)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::SortedSet, "1.0.5", "Shows the members with scores from one to another.")
        .complexity(OF_RANGE)
        .history(&[("2.0.0", "`WITHSCORES`.")])
        .deprecated("6.2.0", "`ZRANGE` with `BYSCORE`")
        .args(&[key("key"), double("min"), double("max"), WITHSCORES.since("2.0.0"), LIMIT]),
    Command::<Handler>::new("zrangestore", -5, ranges::zrangestore)
        .flags(WRITE)
        .keys(&[KeySpec::one(Access::OVERWRITE), KeySpec::at(2, Access::READ)])
        .docs(Group::SortedSet, "6.2.0", "Stores a range of members under another key.")
        .complexity("O(log(N)+M) with N the number of members and M the number of those stored")
        .args(&[
            key("dst"),
            key("src").in_spec(1),
            string("min"),
            string("max"),
            SORTBY,
            token("REV").opt(),
            LIMIT,
        ]),
    Command::<Handler>::new("zrank", -3, zrank)
        .members(2, 2)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::SortedSet, "2.0.0", "Counts the members with lower scores than one has.")
        .complexity("O(log(N))")
        .history(RANKED_HISTORY)
        .args(RANKED),
    Command::<Handler>::new("zrem", -3, write::zrem)
        .members(2, 1)
        .flags(TAKE_FAST)
        .keys(REMOVE_IN_ONE)
        .docs(Group::SortedSet, "1.2.0", "Removes members.")
        .complexity("O(M*log(N)) with N the number of members and M the number of those removed")
        .history(&[("2.4.0", "Takes several members.")])
        .args(NAMED),
    Command::<Handler>::new("zremrangebylex", 4, ranges::zremrangebylex)
        .flags(TAKE)
        .keys(REMOVE_IN_ONE)
        .docs(
            Group::SortedSet,
            "2.8.9",
            "Removes the members from one to another, where all have the same score.",
        )
        .complexity(OF_REMOVED)
        .args(NAMES),
    Command::<Handler>::new("zremrangebyrank", 4, ranges::zremrangebyrank)
        .flags(TAKE)
        .keys(REMOVE_IN_ONE)
        .docs(Group::SortedSet, "2.0.0", "Removes the members of a range of ranks.")
        .complexity(OF_REMOVED)
        .args(&[key("key"), integer("start"), integer("stop")]),
    Command::<Handler>::new("zremrangebyscore", 4, ranges::zremrangebyscore)
        .flags(TAKE)
        .keys(REMOVE_IN_ONE)
        .docs(Group::SortedSet, "1.2.0", "Removes the members with scores from one to another.")
        .complexity(OF_REMOVED)
        .args(SCORES),
    Command::<Handler>::new("zrevrange", -4, ranges::zrevrange)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::SortedSet, "1.2.0", "Shows the members of a range of ranks from the end.")
        .complexity(OF_RANGE)
        .deprecated("6.2.0", "`ZRANGE` with `REV`")
        .args(&[key("key"), integer("start"), integer("stop"), WITHSCORES]),
    Command::<Handler>::new("zrevrangebylex", -4, ranges::zrevrangebylex)
        .flags(READ)
        .keys(READ_ONE)
        .docs(
            Group::SortedSet,
            "2.8.9",
            "Shows the members from one down to another, where all have the same score.",
        )
        .complexity(OF_RANGE)
        .deprecated("6.2.0", "`ZRANGE` with `REV` and `BYLEX`")
        .args(&[key("key"), string("max"), string("min"), LIMIT]),
    Command::<Handler>::new("zrevrangebyscore", -4, ranges::zrevrangebyscore)
        .flags(READ)
        .keys(READ_ONE)
        .docs(Group::SortedSet, "2.2.0", "Shows the members with scores from one down to another.")
        .complexity(OF_RANGE)
        .history(&[("2.1.6", "Bounds that do not belong to the range.")])
        .deprecated("6.2.0", "`ZRANGE` with `REV` and `BYSCORE`")
        .args(&[key("key"), double("max"), double("min"), WITHSCORES, LIMIT]),
    Command::<Handler>::new("zrevrank", -3, zrevrank)
        .members(2, 2)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::SortedSet, "2.0.0", "Counts the members with higher scores than one has.")
        .complexity("O(log(N))")
        .history(RANKED_HISTORY)
        .args(RANKED),
    Command::<Handler>::new("zscore", 3, zscore)
        .members(2, 1)
        .flags(READ_FAST)
        .keys(READ_ONE)
        .docs(Group::SortedSet, "1.2.0", "Tells the score of a member.")
        .complexity("O(1)")
        .args(&[key("key"), string("member")]),
    Command::<Handler>::new("zunion", -3, combine::zunion)
        .flags(READ)
        .keys(READ_SOME)
        .docs(Group::SortedSet, "6.2.0", "Shows the members that some of several sorted sets have.")
        .complexity(OF_UNION)
        .args(SOURCES),
    Command::<Handler>::new("zunionstore", -4, combine::zunionstore)
        .flags(WRITE)
        .keys(STORE_SOME)
        .docs(
            Group::SortedSet,
            "2.0.0",
            "Stores the members that some of several sorted sets have.",
        )
        .complexity(OF_UNION)
        .args(STORED_SOURCES),
];

/// How members are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Show {
    /// One by one, without their scores.
    Names,
    /// With their scores; those are pairs in RESP3, and in RESP2 follow the members.
    Scores,
    /// In pairs in RESP2 too.
    Pairs,
}

impl Show {
    fn scores_if(wanted: bool) -> Self {
        if wanted { Self::Scores } else { Self::Names }
    }

    /// Whether each member is an array with its score.
    fn has_pairs(self, reply: &Reply<'_>) -> bool {
        self == Self::Pairs || self == Self::Scores && reply.is_resp3()
    }

    /// Begins the reply with so many members.
    fn begin(self, reply: &mut Reply<'_>, members: usize) {
        let is_flat = self == Self::Scores && !reply.is_resp3();
        reply.array(if is_flat { members.saturating_mul(2) } else { members });
    }

    /// Writes a member.
    #[inline]
    fn member(self, reply: &mut Reply<'_>, name: &[u8], score: Score) {
        if self.has_pairs(reply) {
            reply.array(2);
        }
        reply.bulk(name);
        if self != Self::Names {
            reply.double(score.get());
        }
    }

    /// Writes the members of some ranks, which the set has.
    fn range(
        self,
        reply: &mut Reply<'_>,
        set: SortedSetRef<'_>,
        ranks: std::ops::Range<usize>,
        descending: bool,
    ) {
        self.begin(reply, ranks.len());
        set.for_each(ranks, descending, |name, score| self.member(reply, name, score));
    }
}

/// Writes a score, or nothing.
#[inline]
fn reply_score(reply: &mut Reply<'_>, score: Option<Score>) {
    match score {
        Some(score) => reply.double(score.get()),
        None => reply.null(),
    }
}

fn zcard(ctx: &mut Context<'_>) -> Outcome {
    let key = ctx.key(0);
    let (set, reply) = ctx.read::<SortedSets>(&key)?;
    reply.count(set.map_or(0, |set| set.len()));
    Ok(())
}

fn zscore(ctx: &mut Context<'_>) -> Outcome {
    let (key, member) = (ctx.key(0), ctx.args.get(2));
    let (set, reply) = ctx.read::<SortedSets>(&key)?;
    reply_score(reply, set.and_then(|set| set.score(member)));
    Ok(())
}

fn zmscore(ctx: &mut Context<'_>) -> Outcome {
    let (key, members) = (ctx.key(0), ctx.args.from(2));
    let count = ctx.args.len().saturating_sub(2);
    let (set, reply) = ctx.read::<SortedSets>(&key)?;
    reply.array(count);
    members.for_each(|member| reply_score(reply, set.and_then(|set| set.score(member))));
    Ok(())
}

fn zrank(ctx: &mut Context<'_>) -> Outcome {
    rank(ctx, false)
}

fn zrevrank(ctx: &mut Context<'_>) -> Outcome {
    rank(ctx, true)
}

fn rank(ctx: &mut Context<'_>, descending: bool) -> Outcome {
    let (key, member) = (ctx.key(0), ctx.args.get(2));
    let with_score = match ctx.args.len() {
        ..4 => false,
        4 if ctx.args.get(3).eq_ignore_ascii_case(b"withscore") => true,
        4 => return Err(Failure::Syntax),
        5.. => return Err(Failure::Arity(ctx.name.into())),
    };
    let (set, reply) = ctx.read::<SortedSets>(&key)?;
    let found = set.and_then(|set| {
        let (rank, score) = set.rank(member)?;
        let rank = if descending { set.len().checked_sub(rank)?.checked_sub(1)? } else { rank };
        Some((rank, score))
    });
    match found {
        Some((rank, score)) if with_score => {
            reply.array(2);
            reply.count(rank);
            reply.double(score.get());
        }
        Some((rank, _)) => reply.count(rank),
        None if with_score => reply.null_array(),
        None => reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
