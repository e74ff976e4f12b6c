//! Ranges of ranks, of scores and of members: ZRANGE with its older forms, what stores, counts and
//! removes such ranges.
//!
//! Every range becomes one of ranks, which a sorted set finds by two ways down its tree.

use std::ops::{Bound, Range};

use protocol::number::parse_i64;
use values::Score;
use values::sorted_set::Builder;
use values::typed::{SortedSetRef, SortedSets};

use super::Show;
use crate::context::{Args, Context};
use crate::failure::{Failure, Outcome, shown};
use crate::strings::ranges::part;

const NOT_SCORES: Failure = Failure::text("ERR min or max is not a float");
const NOT_MEMBERS: Failure = Failure::text("ERR min or max not valid string range item");
const LIMIT_OF_RANKS: Failure = Failure::text(
    "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
);
const SCORES_OF_MEMBERS: Failure =
    Failure::text("ERR syntax error, WITHSCORES not supported in combination with BYLEX");

/// By what a range is said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    Rank,
    Score,
    Member,
}

/// From where to where.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Bounds<'a> {
    /// Ranks in the order of the reply; negative ones count from the end.
    Ranks(i64, i64),
    /// Scores from the lower to the higher.
    Scores(Bound<Score>, Bound<Score>),
    /// Members from the lower to the higher.
    Members(Bound<&'a [u8]>, Bound<&'a [u8]>),
    /// Nothing at all.
    Empty,
}

impl<'a> Bounds<'a> {
    /// Reads the two words of a range, the lower bound first.
    fn parse(by: By, low: &'a [u8], high: &'a [u8]) -> Result<Self, Failure> {
        Ok(match by {
            By::Rank => {
                let rank = |word| parse_i64(word).ok_or(Failure::NotInteger);
                Self::Ranks(rank(low)?, rank(high)?)
            }
            By::Score => Self::Scores(score_bound(low)?, score_bound(high)?),
            By::Member => match (MemberBound::parse(low)?, MemberBound::parse(high)?) {
                (MemberBound::Above, _) | (_, MemberBound::Below) => Self::Empty,
                (low, high) => Self::of_members(low.bound(), high.bound()),
            },
        })
    }

    fn of_members(low: Bound<&'a [u8]>, high: Bound<&'a [u8]>) -> Self {
        use Bound::{Excluded, Included};
        let is_empty = match (low, high) {
            (Included(low), Included(high)) => low > high,
            (Included(low) | Excluded(low), Included(high) | Excluded(high)) => low >= high,
            _ => false,
        };
        if is_empty { Self::Empty } else { Self::Members(low, high) }
    }

    /// The ranks of a set that lie within.
    fn ranks(self, set: SortedSetRef<'_>, descending: bool) -> Range<usize> {
        match self {
            Self::Ranks(start, stop) => {
                let len = set.len();
                let ranks = part(len, start, stop);
                if descending { from_end(&ranks, len) } else { ranks }
            }
            Self::Scores(min, max) => set.ranks_of_scores(min, max),
            Self::Members(min, max) => set.ranks_of_members(min, max, descending),
            Self::Empty => 0..0,
        }
    }
}

/// Ranks counted from the other end.
fn from_end(ranks: &Range<usize>, len: usize) -> Range<usize> {
    len.saturating_sub(ranks.end)..len.saturating_sub(ranks.start)
}

/// Reads a bound of scores: `(` excludes it, nothing is zero, a zero byte ends it. What is too
/// large for a float is infinite.
fn score_bound(word: &[u8]) -> Result<Bound<Score>, Failure> {
    let (word, bound): (_, fn(Score) -> Bound<Score>) = match shown(word) {
        [b'(', rest @ ..] => (rest, Bound::Excluded),
        word => (word, Bound::Included),
    };
    let text = std::str::from_utf8(if word.is_empty() { b"0" } else { word });
    let score = text.ok().and_then(|text| text.parse().ok()).and_then(Score::new);
    score.map(bound).ok_or(NOT_SCORES)
}

/// A bound of members.
#[derive(Clone, Copy)]
enum MemberBound<'a> {
    /// Before all members.
    Below,
    /// Behind all members.
    Above,
    At(Bound<&'a [u8]>),
}

impl<'a> MemberBound<'a> {
    fn parse(word: &'a [u8]) -> Result<Self, Failure> {
        match word {
            [b'-'] | [b'-', 0, ..] => Ok(Self::Below),
            [b'+'] | [b'+', 0, ..] => Ok(Self::Above),
            [b'(', member @ ..] => Ok(Self::At(Bound::Excluded(member))),
            [b'[', member @ ..] => Ok(Self::At(Bound::Included(member))),
            _ => Err(NOT_MEMBERS),
        }
    }

    fn bound(self) -> Bound<&'a [u8]> {
        match self {
            Self::Below | Self::Above => Bound::Unbounded,
            Self::At(bound) => bound,
        }
    }
}

/// What a command of the ZRANGE kind is asked for.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Request<'a> {
    bounds: Bounds<'a>,
    descending: bool,
    /// Members to pass over, and how many to show then; negative: none, and all.
    limit: (i64, i64),
    show: Show,
}

/// What a command says by its name, so that it takes no option for it.
#[derive(Clone, Copy, Default)]
struct Given {
    by: Option<By>,
    descending: Option<bool>,
    is_stored: bool,
}

impl<'a> Request<'a> {
    /// Reads the two bounds from the word `at` on, and the options behind.
    fn parse(args: Args<'a>, at: usize, given: Given) -> Result<Self, Failure> {
        let Given { mut by, mut descending, is_stored } = given;
        let (mut limit, mut show) = ((0, -1), Show::Names);
        let mut next = at.saturating_add(2);
        while next < args.len() {
            let is = |token: &[u8]| args.get(next).eq_ignore_ascii_case(token);
            let is_followed_by_two = next.saturating_add(2) < args.len();
            if !is_stored && is(b"withscores") {
                show = Show::Scores;
            } else if is_followed_by_two && is(b"limit") {
                let int = |step| {
                    let word = args.get(next.saturating_add(step));
                    parse_i64(word).ok_or(Failure::NotInteger)
                };
                limit = (int(1)?, int(2)?);
                next = next.saturating_add(2);
            } else if descending.is_none() && is(b"rev") {
                descending = Some(true);
            } else if by.is_none() && is(b"byscore") {
                by = Some(By::Score);
            } else if by.is_none() && is(b"bylex") {
                by = Some(By::Member);
            } else {
                return Err(Failure::Syntax);
            }
            next = next.saturating_add(1);
        }
        let (by, descending) = (by.unwrap_or(By::Rank), descending.unwrap_or(false));
        if by == By::Rank && limit.1 != -1 {
            return Err(LIMIT_OF_RANKS);
        }
        if by == By::Member && show == Show::Scores {
            return Err(SCORES_OF_MEMBERS);
        }
        let (first, second) = (args.get(at), args.get(at.saturating_add(1)));
        let is_turned = descending && by != By::Rank;
        let (low, high) = if is_turned { (second, first) } else { (first, second) };
        Ok(Self { bounds: Bounds::parse(by, low, high)?, descending, limit, show })
    }

    /// The ranks of a set that are asked for.
    fn ranks(&self, set: SortedSetRef<'_>) -> Range<usize> {
        let Range { start, end } = self.bounds.ranks(set, self.descending);
        if matches!(self.bounds, Bounds::Ranks(..)) {
            return start..end;
        }
        let Ok(offset) = usize::try_from(self.limit.0) else { return 0..0 };
        let count = usize::try_from(self.limit.1).unwrap_or(usize::MAX);
        if self.descending {
            let end = end.saturating_sub(offset).max(start);
            start.max(end.saturating_sub(count))..end
        } else {
            let start = start.saturating_add(offset).min(end);
            start..end.min(start.saturating_add(count))
        }
    }
}

/// Shows a range; the bounds are the words behind the key.
fn show(ctx: &mut Context<'_>, given: Given) -> Outcome {
    let (key, budget) = (ctx.key(0), ctx.budget());
    let request = Request::parse(ctx.args, 2, given)?;
    let (set, reply) = ctx.read::<SortedSets>(&key)?;
    let Some(set) = set else {
        reply.array(0);
        return Ok(());
    };
    let ranks = request.ranks(set);
    budget.allow(ranks.len())?;
    request.show.range(reply, set, ranks, request.descending);
    Ok(())
}

pub(super) fn zrange(ctx: &mut Context<'_>) -> Outcome {
    show(ctx, Given::default())
}

pub(super) fn zrevrange(ctx: &mut Context<'_>) -> Outcome {
    show(ctx, Given { by: Some(By::Rank), descending: Some(true), ..Given::default() })
}

pub(super) fn zrangebyscore(ctx: &mut Context<'_>) -> Outcome {
    show(ctx, Given { by: Some(By::Score), descending: Some(false), ..Given::default() })
}

pub(super) fn zrevrangebyscore(ctx: &mut Context<'_>) -> Outcome {
    show(ctx, Given { by: Some(By::Score), descending: Some(true), ..Given::default() })
}

pub(super) fn zrangebylex(ctx: &mut Context<'_>) -> Outcome {
    show(ctx, Given { by: Some(By::Member), descending: Some(false), ..Given::default() })
}

pub(super) fn zrevrangebylex(ctx: &mut Context<'_>) -> Outcome {
    show(ctx, Given { by: Some(By::Member), descending: Some(true), ..Given::default() })
}

pub(super) fn zrangestore(ctx: &mut Context<'_>) -> Outcome {
    let (destination, source) = (ctx.key(0), ctx.key(1));
    let (budget, rules) = (ctx.budget(), ctx.rules());
    let request = Request::parse(ctx.args, 3, Given { is_stored: true, ..Given::default() })?;
    let mut builder = Builder::with_capacity(0, rules.hasher);
    if let (Some(set), _) = ctx.read::<SortedSets>(&source)? {
        let ranks = request.ranks(set);
        budget.allow(ranks.len())?;
        builder = Builder::with_capacity(ranks.len(), rules.hasher);
        set.for_each(ranks, false, |name, score| builder.insert(name, score));
    }
    let count = builder.len();
    ctx.store(&destination, SortedSets::entry(destination.bytes, builder, rules));
    ctx.reply.count(count);
    Ok(())
}

/// Counts the members of a range.
fn count(ctx: &mut Context<'_>, by: By) -> Outcome {
    let key = ctx.key(0);
    let bounds = Bounds::parse(by, ctx.args.get(2), ctx.args.get(3))?;
    let (set, reply) = ctx.read::<SortedSets>(&key)?;
    reply.count(set.map_or(0, |set| bounds.ranks(set, false).len()));
    Ok(())
}

pub(super) fn zcount(ctx: &mut Context<'_>) -> Outcome {
    count(ctx, By::Score)
}

pub(super) fn zlexcount(ctx: &mut Context<'_>) -> Outcome {
    count(ctx, By::Member)
}

/// Removes the members of a range.
fn remove(ctx: &mut Context<'_>, by: By) -> Outcome {
    let (key, budget) = (ctx.key(0), ctx.budget());
    let bounds = Bounds::parse(by, ctx.args.get(2), ctx.args.get(3))?;
    let removed = ctx.edit::<SortedSets, _>(&key, |set, _| {
        let ranks = bounds.ranks(set.view(), false);
        budget.allow(ranks.len())?;
        set.remove_range(ranks.clone());
        Ok(ranks.len())
    })?;
    ctx.reply.count(removed.unwrap_or(0));
    Ok(())
}

pub(super) fn zremrangebyrank(ctx: &mut Context<'_>) -> Outcome {
    remove(ctx, By::Rank)
}

pub(super) fn zremrangebyscore(ctx: &mut Context<'_>) -> Outcome {
    remove(ctx, By::Score)
}

pub(super) fn zremrangebylex(ctx: &mut Context<'_>) -> Outcome {
    remove(ctx, By::Member)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_scores_are_read_as_redis_does() {
        let score = |value| Score::new(value).expect("a number");
        let included: &[(&[u8], f64)] = &[
            (b"1", 1.0),
            (b"+1.5", 1.5),
            (b"-.5", -0.5),
            (b"5.", 5.0),
            (b"1e2", 100.0),
            (b"", 0.0),
            (b"7\0x", 7.0),
            (b"1e400", f64::INFINITY),
            (b"1e-400", 0.0),
            (b"-inf", f64::NEG_INFINITY),
            (b"+Infinity", f64::INFINITY),
        ];
        for (word, expected) in included {
            assert_eq!(score_bound(word), Ok(Bound::Included(score(*expected))), "{word:?}");
            let excluded = [b"(", *word].concat();
            assert_eq!(score_bound(&excluded), Ok(Bound::Excluded(score(*expected))));
        }
        let wrong: &[&[u8]] =
            &[b" 1", b"1 ", b"nan", b"-nan", b"0x1", b"((1", b".", b"e5", b"1e", b"--1", b"\xff"];
        for word in wrong {
            assert_eq!(score_bound(word), Err(NOT_SCORES), "{word:?}");
        }
    }
}
