//! Members by chance: SPOP and SRANDMEMBER. Every choice is equally likely.

use keyspace::Key;
use protocol::number::parse_i64;
use protocol::reply::Reply;
use values::Value;
use values::typed::{SetRef, Sets};

use crate::context::reply_value;
use crate::picks::{self, Draw, Picks};
use crate::random::Random;
use crate::{Context, Failure, Outcome};

const NOT_POSITIVE: Failure = Failure::text("ERR value is out of range, must be positive");

/// Members visited for each that is chosen, at most.
const VISITS_PER_CHOICE: usize = 16;

/// Members that are visited to choose some.
fn visits(count: usize, len: usize) -> usize {
    count.saturating_mul(VISITS_PER_CHOICE).min(len)
}

pub(super) fn spop(ctx: &mut Context<'_>) -> Outcome {
    let (key, mut random) = (ctx.key(0), Random::new(ctx.now_ms));
    match ctx.args.len() {
        2 => {}
        3 => return spop_many(ctx, &key, &mut random),
        _ => return Err(Failure::Syntax),
    }
    let popped = ctx.edit::<Sets, _>(&key, |set, reply| {
        let mut found = false;
        set.pop(
            1,
            || random.draw(),
            |member| {
                reply_value(reply, member);
                found = true;
            },
        );
        Ok(found)
    })?;
    if popped != Some(true) {
        ctx.reply.null();
    }
    Ok(())
}

fn spop_many(ctx: &mut Context<'_>, key: &Key<'_>, random: &mut Random) -> Outcome {
    let count = parse_i64(ctx.args.get(2)).and_then(|count| usize::try_from(count).ok());
    let count = count.ok_or(NOT_POSITIVE)?;
    let (budget, now_ms) = (ctx.budget(), ctx.now_ms);
    let (set, reply) = ctx.look::<Sets>(key)?;
    let set = set.unwrap_or(SetRef::EMPTY);
    let len = set.len();
    budget.allow(visits(count, len))?;
    reply.set(count.min(len));
    if count >= len {
        // The members are freed in the background.
        set.for_each(|member| reply_value(reply, member));
        ctx.db(key).remove(key, now_ms);
    } else if count > 0 {
        ctx.edit::<Sets, _>(key, |set, reply| {
            set.pop(count, || random.draw(), |member| reply_value(reply, member));
            Ok(())
        })?;
    }
    Ok(())
}

pub(super) fn srandmember(ctx: &mut Context<'_>) -> Outcome {
    let (key, mut random) = (ctx.key(0), Random::new(ctx.now_ms));
    match ctx.args.len() {
        2 => {}
        3 => return srandmember_many(ctx, &key, random),
        _ => return Err(Failure::Syntax),
    }
    let (set, reply) = ctx.read::<Sets>(&key)?;
    match set.and_then(|set| set.random(|| random.draw())) {
        Some(member) => reply_value(reply, member),
        None => reply.null(),
    }
    Ok(())
}

fn srandmember_many(ctx: &mut Context<'_>, key: &Key<'_>, mut random: Random) -> Outcome {
    let draw = Draw::parse(ctx)?;
    let budget = ctx.budget();
    let (set, reply) = ctx.read::<Sets>(key)?;
    let Some(set) = set.filter(|set| !set.is_empty()) else {
        reply.array(0);
        return Ok(());
    };
    let len = set.len();
    match draw {
        Draw::Independent(wanted) => {
            budget.allow(wanted.min(len))?;
            reply.array(wanted);
            let one = |random: &mut Random, reply: &mut Reply<'_>| {
                let member = set.random(|| random.draw());
                member.into_iter().for_each(|member| reply_value(reply, member));
            };
            let all = |picks: &mut Picks| {
                set.for_each(|member| picks.push(|reply| reply_value(reply, member)));
            };
            picks::repeated(reply, (wanted, len), random, one, all);
        }
        Draw::Different(wanted) => {
            budget.allow(visits(wanted, len))?;
            reply.array(wanted.min(len));
            let show = |member: Value<'_>| reply_value(reply, member);
            if wanted >= len {
                set.for_each(show);
            } else {
                set.sample(wanted, || random.draw(), show);
            }
        }
    }
    Ok(())
}
