//! ZADD, ZINCRBY and ZREM: members by their names.

use protocol::number::parse_f64;
use values::Score;
use values::sorted_set::Update;
use values::typed::{SortedSetMut, SortedSets};

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
pub(crate) struct Options {
    /// Only those that are not there.
    pub(crate) nx: bool,
    /// Only those that are there.
    pub(crate) xx: bool,
    /// Only to a higher score, or to add them.
    gt: bool,
    /// Only to a lower score, or to add them.
    lt: bool,
    /// Whether those with a changed score count too.
    pub(crate) ch: bool,
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

    /// What an update adds to the reply.
    #[inline]
    fn counted(self, update: Update) -> usize {
        let is_new = update.old.is_none();
        usize::from(update.old != update.new && (self.ch || is_new))
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

/// A member, and the score that is given for it.
pub(crate) type Given<'a> = (Score, &'a [u8]);

pub(super) fn zadd(ctx: &mut Context<'_>) -> Outcome {
    let (options, first) = Options::parse(ctx.args, 2);
    let words = ctx.args.len().saturating_sub(first);
    if words == 0 || !words.is_multiple_of(2) {
        return Err(Failure::Syntax);
    }
    options.check(words / 2)?;
    ctx.allow_members(first)?;
    let args = ctx.args;
    if words == 2 {
        let member = args.get(first.saturating_add(1));
        return add_one(ctx, options, (score(args.get(first))?, member));
    }
    // All scores are read before the first counts.
    let mut pairs = Vec::with_capacity(words / 2);
    let mut words = args.from(first);
    while let (Some(given), Some(member)) = (words.next(), words.next()) {
        pairs.push((score(given)?, member));
    }
    add_many(ctx, options, &pairs)
}

pub(super) fn zincrby(ctx: &mut Context<'_>) -> Outcome {
    // As in Redis, a word that ZADD takes for an option is no number, but no score either.
    if Options::parse(ctx.args, 2).1 > 2 {
        return Err(Failure::Syntax);
    }
    ctx.allow_members(2)?;
    let (given, member) = (score(ctx.args.get(2))?, ctx.args.get(3));
    add_one(ctx, Options { incr: true, ..Options::default() }, (given, member))
}

/// Adds a member to the sorted set at the first key, or gives it another score, and replies.
pub(crate) fn add_one(ctx: &mut Context<'_>, options: Options, pair: Given<'_>) -> Outcome {
    let (key, (given, member)) = (ctx.key(0), pair);
    // What the member has afterwards, unless the options forbade it, or why that is no score.
    let mut decided = Ok(None);
    let decide = |old| {
        decided = options.decide(old, given);
        decided.as_ref().ok().copied().flatten()
    };
    let update = if options.xx {
        ctx.edit::<SortedSets, _>(&key, |set, _| Ok(set.update(member, decide)))?
    } else {
        Some(ctx.edit_or_create::<SortedSets, _>(&key, |set, _| {
            set.expect(1, member.len());
            Ok(set.update(member, decide))
        })?)
    };
    let (decided, reply) = (decided?, &mut ctx.reply);
    match decided {
        Some(score) if options.incr => reply.double(score.get()),
        None if options.incr => reply.null(),
        _ => reply.count(update.map_or(0, |update| options.counted(update))),
    }
    Ok(())
}

/// The same for several members, whose scores are not added to others.
pub(crate) fn add_many(ctx: &mut Context<'_>, options: Options, pairs: &[Given<'_>]) -> Outcome {
    let key = ctx.key(0);
    let add = |set: &mut SortedSetMut<'_>| {
        let mut count = 0_usize;
        for (given, member) in pairs {
            let update = set.update(member, |old| options.decide(old, *given).ok().flatten());
            count = count.saturating_add(options.counted(update));
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
