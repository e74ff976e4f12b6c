//! HRANDFIELD: fields drawn at random.

use protocol::reply::Reply;
use values::typed::{HashField, Hashes};

use crate::context::{Context, reply_value};
use crate::failure::Outcome;
use crate::picks::{self, Draw, Picks};
use crate::random::Random;

pub(super) fn hrandfield(ctx: &mut Context<'_>) -> Outcome {
    let (key, args, now_ms, budget) = (ctx.key(0), ctx.args, ctx.now_ms, ctx.budget());
    let mut random = Random::new(now_ms);
    if args.len() == 2 {
        let (hash, reply) = ctx.read::<Hashes>(&key)?;
        match hash.and_then(|hash| hash.random(|| random.draw())) {
            Some(field) => reply_value(reply, field.name),
            None => reply.null(),
        }
        return Ok(());
    }
    let (draw, with_values) = Draw::parse_with(ctx, b"withvalues")?;
    let (hash, reply) = ctx.read::<Hashes>(&key)?;
    let Some(hash) = hash else {
        reply.array(0);
        return Ok(());
    };
    match draw {
        Draw::Different(0) | Draw::Independent(0) => reply.array(0),
        Draw::Different(count) => {
            budget.allow(hash.stored())?;
            let count = count.min(hash.len());
            begin(reply, count, with_values);
            hash.sample(count, || random.draw(), |field| write(reply, field, with_values));
        }
        Draw::Independent(count) => {
            let counts = (count, hash.len());
            budget.allow(count.min(hash.stored()))?;
            begin(reply, count, with_values);
            let one = |random: &mut Random, reply: &mut Reply<'_>| {
                let field = hash.random(|| random.draw());
                field.into_iter().for_each(|field| write(reply, field, with_values));
            };
            let all = |picks: &mut Picks| {
                hash.for_each(|field| picks.push(|reply| write(reply, field, with_values)));
            };
            picks::repeated(reply, counts, random, one, all);
        }
    }
    Ok(())
}

/// Writes the head of a reply with so many fields; pairs are nested where the protocol has maps.
fn begin(reply: &mut Reply<'_>, count: usize, with_values: bool) {
    let is_flat = with_values && !reply.is_resp3();
    reply.array(if is_flat { count.saturating_mul(2) } else { count });
}

fn write(reply: &mut Reply<'_>, field: HashField<'_>, with_values: bool) {
    if with_values && reply.is_resp3() {
        reply.array(2);
    }
    reply_value(reply, field.name);
    if with_values {
        reply_value(reply, field.value);
    }
}
