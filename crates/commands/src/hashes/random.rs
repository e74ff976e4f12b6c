//! HRANDFIELD: fields drawn at random.

use protocol::number::parse_i64;
use protocol::reply::Reply;
use values::typed::{HashField, Hashes};

use crate::context::{Context, reply_value};
use crate::failure::{Failure, Outcome};
use crate::picks::{self, Picks};
use crate::random::Random;

const OUT_OF_RANGE: Failure = Failure::text("ERR value is out of range");
/// More pairs are refused, because a reply counts both halves of each.
const PAIRS_MAX: u64 = i64::MAX.unsigned_abs() / 2;

/// How many fields are drawn.
#[derive(Clone, Copy)]
enum Draw {
    /// So many different ones, or all if there are fewer.
    Different(usize),
    /// So many, of which each is drawn from all.
    Independent(usize),
}

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
    let (draw, with_values) = options(ctx)?;
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

/// The words behind the key.
fn options(ctx: &Context<'_>) -> Result<(Draw, bool), Failure> {
    let count = parse_i64(ctx.args.get(2)).ok_or(Failure::NotInteger)?;
    if count == i64::MIN {
        return Err(Failure::NO_OPPOSITE);
    }
    let with_values = match ctx.args.len() {
        3 => false,
        4 if ctx.args.get(3).eq_ignore_ascii_case(b"withvalues") => true,
        _ => return Err(Failure::Syntax),
    };
    if with_values && count.unsigned_abs() > PAIRS_MAX {
        return Err(OUT_OF_RANGE);
    }
    let times = usize::try_from(count.unsigned_abs()).map_err(|_| OUT_OF_RANGE)?;
    Ok((if count < 0 { Draw::Independent(times) } else { Draw::Different(times) }, with_values))
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
