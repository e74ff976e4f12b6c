//! ZRANDMEMBER: members by chance.

use protocol::reply::Reply;
use values::typed::SortedSets;

use super::Show;
use crate::context::Context;
use crate::failure::Outcome;
use crate::picks::{self, Draw, Picks};
use crate::random::Random;

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
    let (draw, with_scores) = Draw::parse_with(ctx, b"withscores")?;
    let (set, reply) = ctx.read::<SortedSets>(&key)?;
    let show = Show::scores_if(with_scores);
    let Some(set) = set else {
        reply.array(0);
        return Ok(());
    };
    match draw {
        Draw::Different(times) => {
            let times = times.min(set.len());
            budget.allow(times)?;
            show.begin(reply, times);
            set.sample(times, || random.draw(), |name, score| show.member(reply, name, score));
        }
        Draw::Independent(times) => {
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
        }
    }
    Ok(())
}
