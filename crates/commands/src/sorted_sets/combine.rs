//! Unions, intersections and differences of sorted sets, and of sets, whose members have the score
//! one here.
//!
//! The result is built in a table, in no order, and put in order once at the end. All tables have
//! their members in the order of one hash, so a table is filled from another from front to back.
//!
//! Scores are added in the order of Redis, the smallest source first: sums of floats depend on it.

use std::ops::ControlFlow;

use keyspace::Key;
use protocol::number::{parse_f64, parse_i64};
use values::sorted_set::Builder;
use values::typed::{Rules, SetRef, Sets, SortedSetRef, SortedSets, Type};
use values::{Form, Score, Value};

use super::Show;
use crate::collections::Sources;
use crate::context::{Args, Context};
use crate::failure::{Failure, Outcome};

const NOT_WEIGHT: Failure = Failure::text("ERR weight value is not a float");
const NEGATIVE_LIMIT: Failure = Failure::text("ERR LIMIT can't be negative");
/// The score of a member of a set.
const ONE: f64 = 1.0;

/// How sources are put together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// What becomes of several scores of one member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    /// The score for those so far and another one, which need not be a number.
    #[inline]
    fn of(self, so_far: Score, other: f64) -> Score {
        match self {
            Self::Sum => Score::or_zero(so_far.get() + other),
            Self::Min if other < so_far.get() => Score::or_zero(other),
            Self::Max if other > so_far.get() => Score::or_zero(other),
            Self::Min | Self::Max => so_far,
        }
    }
}

/// A sorted set or a set.
#[derive(Clone, Copy)]
enum Source<'s> {
    Sorted(SortedSetRef<'s>),
    Plain(SetRef<'s>),
    Absent,
}

impl<'s> Source<'s> {
    fn of(sources: &Sources<'s>, key: &Key<'_>, now_ms: u64) -> Result<Self, Failure> {
        let Some(form) = sources.form(key) else { return Ok(Self::Absent) };
        Self::of_form(form, now_ms).ok_or(Failure::WrongType)
    }

    fn of_form(form: Form<'s>, now_ms: u64) -> Option<Self> {
        let sorted = SortedSets::of(form, now_ms).map(Self::Sorted);
        sorted.or_else(|| Sets::of(form, now_ms).map(Self::Plain))
    }

    fn len(&self) -> usize {
        match self {
            Self::Sorted(set) => set.len(),
            Self::Plain(set) => set.len(),
            Self::Absent => 0,
        }
    }

    #[inline]
    fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Sorted(set) => set.score(member).map(Score::get),
            Self::Plain(set) => set.contains(Value::Bytes(member)).then_some(ONE),
            Self::Absent => None,
        }
    }

    /// Visits the members until one is the last to be visited.
    #[inline]
    fn try_for_each(&self, mut visit: impl FnMut(&[u8], f64) -> ControlFlow<()>) {
        match self {
            Self::Sorted(set) => set.try_for_each(|name, score| visit(name, score.get())),
            Self::Plain(set) => {
                // Whoever breaks has what it wants.
                _ = set.try_for_each(|member| member.with_bytes(|name| visit(name, ONE)));
            }
            Self::Absent => {}
        }
    }

    #[inline]
    fn for_each(&self, mut visit: impl FnMut(&[u8], f64)) {
        self.try_for_each(|name, score| {
            visit(name, score);
            ControlFlow::Continue(())
        });
    }
}

/// A source, and what its scores are multiplied by.
#[derive(Clone, Copy)]
struct Weighted<'s> {
    source: Source<'s>,
    weight: f64,
}

/// What a command is asked for.
struct Request<'s> {
    sources: Vec<Weighted<'s>>,
    aggregate: Aggregate,
    show: Show,
    /// Where ZINTERCARD stops to count; 0: nowhere.
    limit: usize,
}

/// Which options a command takes.
#[derive(Clone, Copy)]
struct Takes {
    weights: bool,
    scores: bool,
    limit: bool,
}

impl<'s> Request<'s> {
    /// Looks at the sources with these keys, and reads the options behind them.
    fn read(
        args: Args<'_>,
        found: &Sources<'s>,
        keys: impl Iterator<Item = Key<'s>>,
        options_at: usize,
        takes: Takes,
        now_ms: u64,
    ) -> Result<Self, Failure> {
        let source = |key| Source::of(found, &key, now_ms);
        let weighted = |key| Ok(Weighted { source: source(key)?, weight: ONE });
        let sources = keys.map(weighted).collect::<Result<Vec<_>, Failure>>()?;
        let mut request = Self { sources, aggregate: Aggregate::Sum, show: Show::Names, limit: 0 };
        request.read_options(args.from(options_at), takes)?;
        Ok(request)
    }

    fn read_options<'a>(
        &mut self,
        mut words: impl Iterator<Item = &'a [u8]>,
        takes: Takes,
    ) -> Outcome {
        while let Some(word) = words.next() {
            let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
            if takes.weights && is(b"weights") {
                // Words lie in a slice, so this is how many there are.
                if words.size_hint().0 < self.sources.len() {
                    return Err(Failure::Syntax);
                }
                for (weighted, word) in self.sources.iter_mut().zip(words.by_ref()) {
                    weighted.weight = parse_f64(word).ok_or(NOT_WEIGHT)?;
                }
            } else if takes.weights && is(b"aggregate") {
                self.aggregate = aggregate(words.next())?;
            } else if takes.scores && is(b"withscores") {
                self.show = Show::Scores;
            } else if takes.limit && is(b"limit") {
                let limit = parse_i64(words.next().ok_or(Failure::Syntax)?);
                let limit = limit.and_then(|limit| usize::try_from(limit).ok());
                self.limit = limit.ok_or(NEGATIVE_LIMIT)?;
            } else {
                return Err(Failure::Syntax);
            }
        }
        Ok(())
    }

    /// Members of all sources.
    fn len(&self) -> usize {
        let lens = self.sources.iter().map(|weighted| weighted.source.len());
        lens.fold(0, usize::saturating_add)
    }

    /// Members that the result has at least.
    fn least(&self, operation: Operation) -> usize {
        let mut lens = self.sources.iter().map(|weighted| weighted.source.len());
        match operation {
            Operation::Inter => 0,
            Operation::Union => lens.max().unwrap_or(0),
            Operation::Diff => {
                let first = lens.next().unwrap_or(0);
                lens.fold(first, usize::saturating_sub)
            }
        }
    }

    /// Puts the sources together.
    fn run(&mut self, operation: Operation, rules: Rules<'_>) -> Builder {
        if operation != Operation::Diff {
            self.sort();
        }
        let mut result = Builder::with_capacity(self.least(operation), rules.hasher);
        match operation {
            Operation::Union => self.unite(&mut result),
            Operation::Inter => self.intersect(|name, score| {
                result.insert(name, score);
                ControlFlow::Continue(())
            }),
            Operation::Diff => {
                let Some((first, others)) = self.sources.split_first() else { return result };
                first.source.for_each(|name, score| {
                    if others.iter().all(|other| other.source.score(name).is_none()) {
                        result.insert(name, Score::or_zero(score));
                    }
                });
            }
        }
        result
    }

    /// Puts the smallest source first.
    fn sort(&mut self) {
        self.sources.sort_by_cached_key(|weighted| weighted.source.len());
    }

    fn unite(&self, result: &mut Builder) {
        let aggregate = self.aggregate;
        for Weighted { source, weight } in &self.sources {
            let is_first = result.is_empty();
            source.for_each(|name, score| {
                let score = Score::or_zero(score * weight);
                if is_first {
                    result.insert(name, score);
                } else {
                    let sum = |old| aggregate.of(old, score.get());
                    result.set(name, |old| old.map_or(score, sum));
                }
            });
        }
    }

    /// Visits the members that all sources have, with their scores.
    fn intersect(&self, mut visit: impl FnMut(&[u8], Score) -> ControlFlow<()>) {
        let Some((first, others)) = self.sources.split_first() else { return };
        first.source.try_for_each(|name, score| {
            let mut so_far = Score::or_zero(score * first.weight);
            for Weighted { source, weight } in others {
                let Some(score) = source.score(name) else { return ControlFlow::Continue(()) };
                so_far = self.aggregate.of(so_far, score * weight);
            }
            visit(name, so_far)
        });
    }
}

fn aggregate(word: Option<&[u8]>) -> Result<Aggregate, Failure> {
    let word = word.ok_or(Failure::Syntax)?;
    let known = [(&b"sum"[..], Aggregate::Sum), (b"min", Aggregate::Min), (b"max", Aggregate::Max)];
    let found = known.iter().find(|(token, _)| word.eq_ignore_ascii_case(token));
    found.map(|(_, aggregate)| *aggregate).ok_or(Failure::Syntax)
}

/// How many sources the word `at` announces; they follow it.
fn source_count(ctx: &Context<'_>, at: usize) -> Result<usize, Failure> {
    let count = ctx.int(at)?;
    let Some(count) = usize::try_from(count).ok().filter(|count| *count > 0) else {
        let text = format!("ERR at least 1 input key is needed for '{}' command", ctx.name);
        return Err(Failure::Text(text.into()));
    };
    let words = ctx.args.len().saturating_sub(at).saturating_sub(1);
    if count > words { Err(Failure::Syntax) } else { Ok(count) }
}

/// Shows the result.
fn show(ctx: &mut Context<'_>, operation: Operation) -> Outcome {
    let count = source_count(ctx, 1)?;
    let (keys, args, now_ms) = (ctx.all_keys(), ctx.args, ctx.now_ms);
    let (budget, rules) = (ctx.budget(), ctx.rules());
    let takes = Takes { weights: operation != Operation::Diff, scores: true, limit: false };
    let (found, reply) = ctx.sources(0);
    let options_at = count.saturating_add(2);
    let mut request = Request::read(args, &found, keys, options_at, takes, now_ms)?;
    budget.allow(request.len())?;
    let result = request.run(operation, rules).finish();
    request.show.begin(reply, result.len());
    for scored in result.range(0..result.len()) {
        request.show.member(reply, scored.key(), scored.score());
    }
    Ok(())
}

/// Stores the result.
fn store(ctx: &mut Context<'_>, operation: Operation) -> Outcome {
    let count = source_count(ctx, 2)?;
    let (destination, keys, args) = (ctx.key(0), ctx.all_keys().skip(1), ctx.args);
    let (budget, rules, now_ms) = (ctx.budget(), ctx.rules(), ctx.now_ms);
    let takes = Takes { weights: operation != Operation::Diff, scores: false, limit: false };
    let (found, _) = ctx.sources(1);
    let options_at = count.saturating_add(3);
    let mut request = Request::read(args, &found, keys, options_at, takes, now_ms)?;
    budget.allow(request.len())?;
    let result = request.run(operation, rules);
    let count = result.len();
    ctx.store(&destination, SortedSets::entry(destination.bytes, result, rules));
    ctx.reply.count(count);
    Ok(())
}

pub(super) fn zunion(ctx: &mut Context<'_>) -> Outcome {
    show(ctx, Operation::Union)
}

pub(super) fn zinter(ctx: &mut Context<'_>) -> Outcome {
    show(ctx, Operation::Inter)
}

pub(super) fn zdiff(ctx: &mut Context<'_>) -> Outcome {
    show(ctx, Operation::Diff)
}

pub(super) fn zunionstore(ctx: &mut Context<'_>) -> Outcome {
    store(ctx, Operation::Union)
}

pub(super) fn zinterstore(ctx: &mut Context<'_>) -> Outcome {
    store(ctx, Operation::Inter)
}

pub(super) fn zdiffstore(ctx: &mut Context<'_>) -> Outcome {
    store(ctx, Operation::Diff)
}

pub(super) fn zintercard(ctx: &mut Context<'_>) -> Outcome {
    let count = source_count(ctx, 1)?;
    let (keys, args, now_ms, budget) = (ctx.all_keys(), ctx.args, ctx.now_ms, ctx.budget());
    let takes = Takes { weights: false, scores: false, limit: true };
    let (found, reply) = ctx.sources(0);
    let options_at = count.saturating_add(2);
    let mut request = Request::read(args, &found, keys, options_at, takes, now_ms)?;
    request.sort();
    budget.allow(request.sources.first().map_or(0, |first| first.source.len()))?;
    let mut common = 0_usize;
    request.intersect(|_, _| {
        common = common.saturating_add(1);
        if common == request.limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    reply.count(common);
    Ok(())
}
