//! ZADD, ZINCRBY and ZREM: members by their names.

use protocol::number::parse_f64;
use values::Score;
use values::typed::SortedSets;

use crate::context::{Args, Context};
use crate::failure::{Failure, Outcome};

const BOTH_CONDITIONS: Failure =
    Failure::text("ERR XX and NX options at the same time are not compatible");
const BOTH_COMPARISONS: Failure =
    Failure::text("ERR GT, LT, and/or NX options at the same time are not compatible");
const MANY_INCREMENTS: Failure =
    Failure::text("ERR INCR option supports a single increment-element pair");
const NOT_A_NUMBER: Failure = Failure::text("ERR resulting score is not a number (NaN)");

/// Which members ZADD may change, and how.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Options {
    /// Only those that are not there.
    nx: bool,
    /// Only those that are there.
    xx: bool,
    /// Only to a higher score, or to add them.
    gt: bool,
    /// Only to a lower score, or to add them.
    lt: bool,
    /// Whether those with a changed score count too.
    ch: bool,
    /// Whether the score is added to the one that is there.
    incr: bool,
}

impl Options {
    /// Reads options from the word `at` on; and where they end.
    fn parse(args: Args<'_>, mut at: usize) -> (Self, usize) {
        let mut options = Self::default();
        while at < args.len() {
            // Most often here comes a number.
            let word = args.get(at);
            let is = |token: &[u8]| word.eq_ignore_ascii_case(token);
            match word.first() {
                Some(b'n' | b'N') if is(b"nx") => options.nx = true,
                Some(b'x' | b'X') if is(b"xx") => options.xx = true,
                Some(b'g' | b'G') if is(b"gt") => options.gt = true,
                Some(b'l' | b'L') if is(b"lt") => options.lt = true,
                Some(b'c' | b'C') if is(b"ch") => options.ch = true,
                Some(b'i' | b'I') if is(b"incr") => options.incr = true,
                _ => break,
            }
            at = at.saturating_add(1);
        }
        (options, at)
    }

    /// Refuses what contradicts itself.
    fn check(self, pairs: usize) -> Outcome {
        if self.nx && self.xx {
            Err(BOTH_CONDITIONS)
        } else if (self.gt || self.lt) && self.nx || self.gt && self.lt {
            Err(BOTH_COMPARISONS)
        } else if self.incr && pairs > 1 {
            Err(MANY_INCREMENTS)
        } else {
            Ok(())
        }
    }

    /// The score that a member gets for the one that it has, unless it is to stay as it is.
    #[inline]
    fn decide(self, old: Option<Score>, given: Score) -> Result<Option<Score>, Failure> {
        let Some(old) = old else { return Ok((!self.xx).then_some(given)) };
        if self.nx {
            return Ok(None);
        }
        let new = if self.incr {
            Score::new(old.get() + given.get()).ok_or(NOT_A_NUMBER)?
        } else {
            given
        };
        let may_not = self.lt && new >= old || self.gt && new <= old;
        Ok((!may_not).then_some(new))
    }
}

fn score(word: &[u8]) -> Result<Score, Failure> {
    parse_f64(word).and_then(Score::new).ok_or(Failure::NotFloat)
}

pub(super) fn zadd(ctx: &mut Context<'_>) -> Outcome {
    let (options, first) = Options::parse(ctx.args, 2);
    let words = ctx.args.len().saturating_sub(first);
    if words == 0 || !words.is_multiple_of(2) {
        return Err(Failure::Syntax);
    }
    options.check(words / 2)?;
    if words == 2 { add_one(ctx, options, first) } else { add_many(ctx, options, first) }
}

pub(super) fn zincrby(ctx: &mut Context<'_>) -> Outcome {
    // As in Redis, a word that ZADD takes for an option is no number, but no score either.
    if Options::parse(ctx.args, 2).1 > 2 {
        return Err(Failure::Syntax);
    }
    add_one(ctx, Options { incr: true, ..Options::default() }, 2)
}

/// What became of a member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    /// It has this score now, or still has it.
    Set(Score),
    /// The options forbade it.
    Nothing,
}

fn add_one(ctx: &mut Context<'_>, options: Options, at: usize) -> Outcome {
    let (key, member) = (ctx.key(0), ctx.args.get(at.saturating_add(1)));
    let given = score(ctx.args.get(at))?;
    let (mut done, mut failure) = (Done::Nothing, None);
    let mut decide = |old| match options.decide(old, given) {
        Ok(new) => {
            done = new.map_or(Done::Nothing, Done::Set);
            new
        }
        Err(found) => {
            failure = Some(found);
            None
        }
    };
    let update = if options.xx {
        ctx.edit::<SortedSets, _>(&key, |set, _| Ok(set.update(member, decide)))?
    } else {
        let update = ctx.edit_or_create::<SortedSets, _>(&key, |set, _| {
            set.expect(1, member.len());
            Ok(set.update(member, &mut decide))
        })?;
        Some(update)
    };
    if let Some(failure) = failure {
        return Err(failure);
    }
    let reply = &mut ctx.reply;
    match done {
        Done::Set(score) if options.incr => reply.double(score.get()),
        Done::Nothing if options.incr => reply.null(),
        _ => {
            let is_counted = |update: &values::sorted_set::Update| {
                update.old != update.new && (options.ch || update.old.is_none())
            };
            reply.integer(i64::from(update.as_ref().is_some_and(is_counted)));
        }
    }
    Ok(())
}

fn add_many(ctx: &mut Context<'_>, options: Options, first: usize) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    // All scores are read before the first counts.
    let mut pairs = Vec::with_capacity(args.len().saturating_sub(first) / 2);
    let mut words = args.from(first);
    while let (Some(given), Some(member)) = (words.next(), words.next()) {
        pairs.push((score(given)?, member));
    }
    let add = |set: &mut values::typed::SortedSetMut<'_>| {
        let mut count = 0_usize;
        for (given, member) in &pairs {
            let update = set.update(member, |old| options.decide(old, *given).ok().flatten());
            let is_counted = update.old != update.new && (options.ch || update.old.is_none());
            count = count.saturating_add(usize::from(is_counted));
        }
        count
    };
    let count = if options.xx {
        ctx.edit::<SortedSets, _>(&key, |set, _| Ok(add(set)))?.unwrap_or(0)
    } else {
        let longest = pairs.iter().map(|(_, member)| member.len()).max().unwrap_or(0);
        ctx.edit_or_create::<SortedSets, _>(&key, |set, _| {
            set.expect(pairs.len(), longest);
            Ok(add(set))
        })?
    };
    ctx.reply.count(count);
    Ok(())
}

pub(super) fn zrem(ctx: &mut Context<'_>) -> Outcome {
    let (key, members) = (ctx.key(0), ctx.args.from(2));
    let removed = ctx.edit::<SortedSets, _>(&key, |set, _| {
        Ok(members.filter(|member| set.remove(member)).count())
    })?;
    ctx.reply.count(removed.unwrap_or(0));
    Ok(())
}
