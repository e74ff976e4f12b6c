//! ZRANDMEMBER: members by chance.

use protocol::number::parse_i64;
use protocol::reply::Reply;
use values::typed::SortedSets;

use super::Show;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::picks::{self, Picks};
use crate::random::Random;

const TOO_MANY_SCORES: Failure = Failure::text("ERR value is out of range");

pub(super) fn zrandmember(ctx: &mut Context<'_>) -> Outcome {
    let mut random = Random::new(ctx.now_ms);
    if ctx.args.len() > 2 {
        return several(ctx, random);
    }
    let key = ctx.key(0);
    let (set, reply) = ctx.read::<SortedSets>(&key)?;
    match set {
        Some(set) => set.random(|| random.draw(), |name, _| reply.bulk(name)),
        None => reply.null(),
    }
    Ok(())
}

fn several(ctx: &mut Context<'_>, mut random: Random) -> Outcome {
    let (key, budget) = (ctx.key(0), ctx.budget());
    let count = parse_i64(ctx.args.get(2)).ok_or(Failure::NotInteger)?;
    if count == i64::MIN {
        return Err(Failure::NO_OPPOSITE);
    }
    let with_scores = match ctx.args.len() {
        3 => false,
        4 if ctx.args.get(3).eq_ignore_ascii_case(b"withscores") => true,
        _ => return Err(Failure::Syntax),
    };
    if with_scores && count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
        return Err(TOO_MANY_SCORES);
    }
    let (set, reply) = ctx.read::<SortedSets>(&key)?;
    let show = Show::scores_if(with_scores);
    let times = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let Some(set) = set else {
        reply.array(0);
        return Ok(());
    };
    if count < 0 {
        let counts = (times, set.len());
        budget.allow(counts.0.min(counts.1))?;
        show.begin(reply, times);
        let one = |random: &mut Random, reply: &mut Reply<'_>| {
            set.random(|| random.draw(), |name, score| show.member(reply, name, score));
        };
        let all = |picks: &mut Picks| {
            set.for_each(0..set.len(), false, |name, score| {
                picks.push(|reply| show.member(reply, name, score));
            });
        };
        picks::repeated(reply, counts, random, one, all);
    } else {
        let times = times.min(set.len());
        budget.allow(times)?;
        show.begin(reply, times);
        set.sample(times, || random.draw(), |name, score| show.member(reply, name, score));
    }
    Ok(())
}
