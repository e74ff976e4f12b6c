//! Commands on several sets: intersection, union, difference; shown, counted or stored.
//!
//! Sources are looked at where they are, all at one moment, and no member is copied but into the
//! reply or the result.

use std::ops::ControlFlow;

use keyspace::Key;
use protocol::number::parse_i64;
use values::Value;
use values::typed::set::Distinct;
use values::typed::set::algebra;
use values::typed::{SetRef, Sets};

use super::estimate::Estimate;
use crate::collections::Sources;
use crate::found::Found;
use crate::{Context, Failure, Outcome};

const BAD_COUNT: Failure = Failure::text("ERR numkeys should be greater than 0");
const MISSING_KEYS: Failure =
    Failure::text("ERR Number of keys can't be greater than number of args");
const BAD_LIMIT: Failure = Failure::text("ERR LIMIT can't be negative");

/// What is made of several sets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Intersection,
    Union,
    Difference,
}

impl Operation {
    /// Shows the members of the result until `visit` breaks.
    fn each<'e>(self, sets: &[SetRef<'e>], visit: &mut dyn FnMut(Value<'e>) -> ControlFlow<()>) {
        let _ = match self {
            Self::Intersection => algebra::intersection(sets, visit),
            Self::Union => algebra::union(sets, visit),
            Self::Difference => algebra::difference(sets, visit),
        };
    }

    /// Shows all members of the result.
    fn all<'e>(self, sets: &[SetRef<'e>], mut show: impl FnMut(Value<'e>)) {
        self.each(sets, &mut |member| {
            show(member);
            ControlFlow::Continue(())
        });
    }

    /// Members that are visited for it, about.
    fn visits(self, sets: &[SetRef<'_>]) -> usize {
        let lens = sets.iter().map(|set| set.len());
        match self {
            Self::Intersection => lens.min().unwrap_or(0).saturating_mul(sets.len()),
            _ => lens.fold(0, usize::saturating_add),
        }
    }

    /// Members that the result has at least.
    fn least(self, sets: &[SetRef<'_>]) -> usize {
        let mut lens = sets.iter().map(|set| set.len());
        match self {
            Self::Intersection => 0,
            Self::Union => lens.max().unwrap_or(0),
            Self::Difference => {
                let first = lens.next().unwrap_or(0);
                lens.fold(first, usize::saturating_sub)
            }
        }
    }
}

/// The sets at these keys. One that is not there is empty.
fn sets_at<'s, 'k>(
    sources: &Sources<'s>,
    keys: impl Iterator<Item = Key<'k>>,
) -> Result<Vec<SetRef<'s>>, Failure> {
    keys.map(|key| Ok(sources.get::<Sets>(&key)?.unwrap_or(SetRef::EMPTY))).collect()
}

pub(super) fn sdiff(ctx: &mut Context<'_>) -> Outcome {
    show(ctx, Operation::Difference)
}

pub(super) fn sinter(ctx: &mut Context<'_>) -> Outcome {
    show(ctx, Operation::Intersection)
}

pub(super) fn sunion(ctx: &mut Context<'_>) -> Outcome {
    show(ctx, Operation::Union)
}

fn show(ctx: &mut Context<'_>, operation: Operation) -> Outcome {
    let (keys, budget) = (ctx.all_keys(), ctx.budget());
    let (sources, reply) = ctx.sources(0);
    let sets = sets_at(&sources, keys)?;
    budget.allow(operation.visits(&sets))?;
    let mut found = Found::default();
    operation.all(&sets, |member| found.push(member));
    found.show_set(reply);
    Ok(())
}

pub(super) fn sdiffstore(ctx: &mut Context<'_>) -> Outcome {
    store(ctx, Operation::Difference)
}

pub(super) fn sinterstore(ctx: &mut Context<'_>) -> Outcome {
    store(ctx, Operation::Intersection)
}

pub(super) fn sunionstore(ctx: &mut Context<'_>) -> Outcome {
    store(ctx, Operation::Union)
}

fn store(ctx: &mut Context<'_>, operation: Operation) -> Outcome {
    let (target, keys) = (ctx.key(0), ctx.all_keys().skip(1));
    let (budget, rules) = (ctx.budget(), ctx.rules());
    let (sources, _) = ctx.sources(1);
    let sets = sets_at(&sources, keys)?;
    budget.allow(operation.visits(&sets))?;
    let mut members = Distinct::new(operation.least(&sets), rules);
    operation.all(&sets, |member| members.push(member));
    let (count, entry) = (members.len(), members.into_entry(target.bytes));
    ctx.store(&target, entry);
    ctx.reply.count(count);
    Ok(())
}

pub(super) fn sdiffcard(ctx: &mut Context<'_>) -> Outcome {
    count(ctx, Operation::Difference)
}

pub(super) fn sintercard(ctx: &mut Context<'_>) -> Outcome {
    count(ctx, Operation::Intersection)
}

pub(super) fn sunioncard(ctx: &mut Context<'_>) -> Outcome {
    count(ctx, Operation::Union)
}

fn count(ctx: &mut Context<'_>, operation: Operation) -> Outcome {
    let options = Options::parse(ctx, operation)?;
    let (keys, budget, hasher) = (ctx.all_keys(), ctx.budget(), ctx.rules().hasher);
    let (sources, reply) = ctx.sources(0);
    let sets = sets_at(&sources, keys)?;
    budget.allow(operation.visits(&sets))?;
    if options.may_estimate && Estimate::is_worthwhile(operation.visits(&sets)) {
        let mut estimate = Estimate::new(hasher);
        sets.iter().for_each(|set| set.for_each(|member| estimate.note(member)));
        reply.count(estimate.count().min(options.limit));
        return Ok(());
    }
    let mut count = 0_usize;
    operation.each(&sets, &mut |_| {
        count = count.saturating_add(1);
        if count < options.limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    reply.count(count);
    Ok(())
}

/// What stands behind the keys of a command that counts.
struct Options {
    /// Where counting ends.
    limit: usize,
    may_estimate: bool,
}

impl Options {
    fn parse(ctx: &Context<'_>, operation: Operation) -> Result<Self, Failure> {
        let keys = parse_i64(ctx.args.get(1)).filter(|keys| *keys > 0).ok_or(BAD_COUNT)?;
        let end = usize::try_from(keys).unwrap_or(usize::MAX).saturating_add(2);
        if end > ctx.args.len() {
            return Err(MISSING_KEYS);
        }
        let mut options = Self { limit: usize::MAX, may_estimate: false };
        let mut words = ctx.args.from(end);
        while let Some(word) = words.next() {
            if operation == Operation::Union && word.eq_ignore_ascii_case(b"approx") {
                options.may_estimate = true;
                continue;
            }
            let value = words.next().filter(|_| word.eq_ignore_ascii_case(b"limit"));
            let limit = parse_i64(value.ok_or(Failure::Syntax)?).filter(|limit| *limit >= 0);
            options.limit = match limit.ok_or(BAD_LIMIT)? {
                0 => usize::MAX,
                limit => usize::try_from(limit).unwrap_or(usize::MAX),
            };
        }
        Ok(options)
    }
}
