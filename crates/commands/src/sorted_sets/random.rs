//! ZRANDMEMBER: members by chance.

use protocol::number::parse_i64;
use protocol::reply::Reply;
use values::typed::{SortedSetRef, SortedSets};

use super::Show;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::picks::Picks;
use crate::random::Random;

const RANGE: Failure = Failure::text(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
);
/// So many members are drawn at once in any case.
const AT_ONCE_MEMBERS: usize = 1024;
const TOO_MANY_SCORES: Failure = Failure::text("ERR value is out of range");

pub(super) fn zrandmember(ctx: &mut Context<'_>) -> Outcome {
    let mut random = Random::new(ctx.now_ms);
    if ctx.args.len() > 2 {
        return several(ctx, random);
    }
    let key = ctx.key(0);
    let (set, reply) = ctx.read::<SortedSets>(&key)?;
    match set {
        Some(set) => set.draw(1, || random.draw(), |name, _| reply.bulk(name)),
        None => reply.null(),
    }
    Ok(())
}

fn several(ctx: &mut Context<'_>, mut random: Random) -> Outcome {
    let (key, budget) = (ctx.key(0), ctx.budget());
    let count = parse_i64(ctx.args.get(2)).ok_or(Failure::NotInteger)?;
    if count == i64::MIN {
        return Err(RANGE);
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
        budget.allow(times)?;
        repeated(reply, set, times, show, random);
    } else {
        let times = times.min(set.len());
        budget.allow(times)?;
        show.begin(reply, times);
        set.sample(times, || random.draw(), |name, score| show.member(reply, name, score));
    }
    Ok(())
}

/// Shows members that may come more than once. The request does not bound their number.
fn repeated(
    reply: &mut Reply<'_>,
    set: SortedSetRef<'_>,
    times: usize,
    show: Show,
    mut random: Random,
) {
    show.begin(reply, times);
    // The reply is not much larger than the set then.
    if times <= set.len().max(AT_ONCE_MEMBERS) {
        return set.draw(times, || random.draw(), |name, score| show.member(reply, name, score));
    }
    let mut picks = Picks::new(reply.is_resp3());
    set.for_each(0..set.len(), false, |name, score| {
        picks.push(|reply| show.member(reply, name, score));
    });
    picks.draw(times as u64, random, reply);
}
