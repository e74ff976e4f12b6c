//! When fields expire: setting, asking and taking back.
//!
//! What HEXPIRE and its like answer for each field: -2 it is not there, 0 its condition does not
//! hold, 1 done, 2 the time is past, so the field is gone.

use std::ops::Range;

use protocol::reply::Reply;
use values::Value;
use values::typed::{HashMut, Hashes, Sets};

use super::words::{Call, Options, Takes, exact_fields, time};
use crate::context::{Args, Context};
use crate::deadline::Unit;
use crate::expiry::{Condition, NO_EXPIRY, signed};
use crate::failure::{Failure, Outcome};

/// What is answered for a field that is not there.
const NO_FIELD: i64 = -2;
/// What FIELDTTL answers for a key that is not there, and for a field.
const FIELDTTL_NO_KEY: i64 = -2;
const FIELDTTL_NO_FIELD: i64 = -3;
const NOT_NOW: i64 = 0;
const DONE: i64 = 1;
const GONE: i64 = 2;

pub(super) fn hexpire(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, Unit::Seconds, false)
}

pub(super) fn hpexpire(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, Unit::Millis, false)
}

pub(super) fn hexpireat(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, Unit::Seconds, true)
}

pub(super) fn hpexpireat(ctx: &mut Context<'_>) -> Outcome {
    set_expiry(ctx, Unit::Millis, true)
}

fn set_expiry(ctx: &mut Context<'_>, unit: Unit, absolute: bool) -> Outcome {
    let (key, args, now_ms, command) = (ctx.key(0), ctx.args, ctx.now_ms, ctx.name);
    ctx.look::<Hashes>(&key)?;
    let at = time(args.get(2), unit, absolute, now_ms, command)?;
    let options = Options::parse(args, 3, Takes::Hexpire, Call { now_ms, command })?;
    let Options { fields, condition, .. } = options;
    answer_each(ctx, fields, |hash, name| expire(hash, name, condition, at, now_ms))
}

/// Replies what `answer` makes of each field; of none, if the key is not there.
fn answer_each(
    ctx: &mut Context<'_>,
    fields: Range<usize>,
    mut answer: impl FnMut(&mut HashMut<'_>, &[u8]) -> i64,
) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    let done = ctx.edit::<Hashes, _>(&key, |hash, reply| {
        reply.array(fields.len());
        fields.clone().for_each(|at| reply.integer(answer(hash, args.get(at))));
        Ok(())
    })?;
    if done.is_none() {
        reply_each(&mut ctx.reply, fields, |_| NO_FIELD);
    }
    Ok(())
}

fn reply_each(reply: &mut Reply<'_>, fields: Range<usize>, mut answer: impl FnMut(usize) -> i64) {
    reply.array(fields.len());
    fields.for_each(|at| reply.integer(answer(at)));
}

/// Lets a field expire where the condition allows it; one whose time is past goes.
fn expire(hash: &mut HashMut<'_>, name: &[u8], condition: Condition, at: i64, now_ms: u64) -> i64 {
    let Some(current) = hash.view().get(name).map(|field| field.expires_at) else {
        return NO_FIELD;
    };
    if !condition.allows(current.map(signed), at) {
        return NOT_NOW;
    }
    match u64::try_from(at) {
        Ok(at) if at > now_ms => {
            hash.expire(name, Some(at));
            DONE
        }
        _ => {
            hash.remove(name);
            GONE
        }
    }
}

pub(super) fn httl(ctx: &mut Context<'_>) -> Outcome {
    tell(ctx, |at, now_ms| seconds(at.saturating_sub(now_ms)))
}

pub(super) fn hpttl(ctx: &mut Context<'_>) -> Outcome {
    tell(ctx, u64::saturating_sub)
}

pub(super) fn hexpiretime(ctx: &mut Context<'_>) -> Outcome {
    tell(ctx, |at, _| seconds(at))
}

pub(super) fn hpexpiretime(ctx: &mut Context<'_>) -> Outcome {
    tell(ctx, |at, _| at)
}

/// Milliseconds in seconds, rounded up.
fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}

/// Answers with what `answer` makes of each field's expiry and the time.
fn tell(ctx: &mut Context<'_>, answer: impl Fn(u64, u64) -> u64) -> Outcome {
    let (key, args, now_ms) = (ctx.key(0), ctx.args, ctx.now_ms);
    let (hash, reply) = ctx.read::<Hashes>(&key)?;
    let fields = exact_fields(args, 2)?;
    reply_each(reply, fields, |at| {
        match hash.and_then(|hash| hash.get(args.get(at))).map(|field| field.expires_at) {
            None => NO_FIELD,
            Some(None) => NO_EXPIRY,
            Some(Some(at)) => signed(answer(at, now_ms)),
        }
    });
    Ok(())
}

pub(super) fn hpersist(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    ctx.look::<Hashes>(&key)?;
    let fields = exact_fields(args, 2)?;
    answer_each(ctx, fields, |hash, name| {
        match hash.view().get(name).map(|field| field.expires_at) {
            None => NO_FIELD,
            Some(None) => NO_EXPIRY,
            Some(Some(_)) => {
                hash.expire(name, None);
                DONE
            }
        }
    })
}

/// The seconds of Dragonfly's commands, which are positive, as a time.
pub(super) fn lifetime(
    args: Args<'_>,
    at: usize,
    now_ms: u64,
    command: &'static str,
) -> Result<u64, Failure> {
    let at = time(args.get(at), Unit::Seconds, false, now_ms, command).ok();
    let at = at.and_then(|at| u64::try_from(at).ok()).filter(|at| *at > now_ms);
    at.ok_or(Failure::NotInteger)
}

/// Of a hash or of a set.
pub(super) fn fieldexpire(ctx: &mut Context<'_>) -> Outcome {
    let (key, args, now_ms) = (ctx.key(0), ctx.args, ctx.now_ms);
    let at = lifetime(args, 2, now_ms, ctx.name)?;
    let code = |done| if done { DONE } else { NO_FIELD };
    let words = 3..args.len();
    if let Ok((Some(_), _)) = ctx.look::<Sets>(&key) {
        ctx.edit::<Sets, _>(&key, |set, reply| {
            reply_each(reply, words, |word| code(set.expire(Value::of(args.get(word)), Some(at))));
            Ok(())
        })?;
        return Ok(());
    }
    answer_each(ctx, words, |hash, name| code(hash.expire(name, Some(at))))
}

/// Of a hash or of a set.
pub(super) fn fieldttl(ctx: &mut Context<'_>) -> Outcome {
    let (key, name, now_ms) = (ctx.key(0), ctx.args.get(2), ctx.now_ms);
    let answer = |found: Option<Option<u64>>| match found {
        None => FIELDTTL_NO_FIELD,
        Some(None) => NO_EXPIRY,
        Some(Some(at)) => signed(seconds(at.saturating_sub(now_ms))),
    };
    if let Ok((Some(set), reply)) = ctx.look::<Sets>(&key) {
        reply.integer(answer(set.expires_at(Value::of(name))));
        return Ok(());
    }
    let (hash, reply) = ctx.read::<Hashes>(&key)?;
    let found = hash.map(|hash| hash.get(name).map(|field| field.expires_at));
    reply.integer(found.map_or(FIELDTTL_NO_KEY, answer));
    Ok(())
}
