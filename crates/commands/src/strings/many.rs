//! Several keys at once: MGET, MSET, MSETNX, MSETEX.

use keyspace::Key;
use values::Value;

use super::conditions::Condition;
use super::set_options::{self, Takes};
use super::store;
use crate::context::{Context, reply_string, storable};
use crate::failure::{Failure, Outcome};

/// Most pairs that MSETEX takes.
const PAIRS_MAX: i64 = i32::MAX as i64;
const BAD_COUNT: Failure = Failure::text("ERR invalid numkeys value");
const MISSING_PAIRS: Failure = Failure::text("ERR wrong number of key-value pairs");
/// Words of MSETEX before its pairs.
const MSETEX_PAIRS_AT: usize = 2;

pub(super) fn mget(ctx: &mut Context<'_>) -> Outcome {
    ctx.reply.array(ctx.keys.len());
    let now_ms = ctx.now_ms;
    for key in ctx.all_keys() {
        let (db, reply) = ctx.open(&key);
        match db.read(&key, now_ms) {
            Some(entry) if entry.string().is_some() => reply_string(reply, &entry)?,
            _ => reply.null(),
        }
    }
    Ok(())
}

pub(super) fn mset(ctx: &mut Context<'_>) -> Outcome {
    check_pairs(ctx)?;
    allow_pairs(ctx)?;
    set_all(ctx);
    ctx.reply.ok();
    Ok(())
}

pub(super) fn msetnx(ctx: &mut Context<'_>) -> Outcome {
    check_pairs(ctx)?;
    allow_pairs(ctx)?;
    let holds = all_are(ctx, Condition::Absent)?;
    if holds {
        set_all(ctx);
    }
    ctx.reply.integer(i64::from(holds));
    Ok(())
}

fn check_pairs(ctx: &Context<'_>) -> Outcome {
    // The command's name and pairs make an odd number of words.
    if ctx.args.len().is_multiple_of(2) { Err(Failure::Arity(ctx.name.into())) } else { Ok(()) }
}

/// Sees to it that large values are copied in the worker pool.
fn allow_pairs(ctx: &Context<'_>) -> Outcome {
    ctx.check_values(ctx.keys.iter().map(|at| (at.word as usize).saturating_add(1)))
}

fn set_all(ctx: &mut Context<'_>) {
    let now_ms = ctx.now_ms;
    for (key, value) in pairs(ctx) {
        ctx.db(&key).set(&key, value, None, now_ms);
    }
}

pub(super) fn msetex(ctx: &mut Context<'_>) -> Outcome {
    let count = ctx.int(1).ok().filter(|count| (1..=PAIRS_MAX).contains(count));
    let count = count.and_then(|count| usize::try_from(count).ok()).ok_or(BAD_COUNT)?;
    let options_at = count.saturating_mul(2).saturating_add(MSETEX_PAIRS_AT);
    if options_at > ctx.args.len() {
        return Err(MISSING_PAIRS);
    }
    debug_assert_eq!(ctx.keys.len(), count, "the key specs name the key of every pair");
    let options = set_options::parse(ctx.args.from(options_at), Takes::MSETEX)?;
    let now_ms = ctx.now_ms;
    let expiry = options.expiry.resolve(now_ms, ctx.name)?;
    allow_pairs(ctx)?;
    let holds = all_are(ctx, options.condition)?;
    if holds {
        for (key, value) in pairs(ctx) {
            store(ctx.db(&key), &key, value, expiry, now_ms);
        }
    }
    ctx.reply.integer(i64::from(holds));
    Ok(())
}

/// The keys, each with the word behind it.
fn pairs<'a>(ctx: &Context<'a>) -> impl Iterator<Item = (Key<'a>, Value<'a>)> + use<'a> {
    let (args, block) = (ctx.args, ctx.block);
    ctx.keys.iter().map(move |at| {
        let word = args.get((at.word as usize).saturating_add(1));
        (at.of(args), storable(block, word))
    })
}

/// Whether a condition holds for all keys.
fn all_are(ctx: &mut Context<'_>, condition: Condition<'_>) -> Result<bool, Failure> {
    if condition == Condition::Always {
        return Ok(true);
    }
    let now_ms = ctx.now_ms;
    for key in ctx.all_keys() {
        let found = ctx.db(&key).get(&key, now_ms);
        if !condition.holds(found.as_deref())? {
            return Ok(false);
        }
    }
    Ok(true)
}
