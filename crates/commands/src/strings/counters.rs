//! INCR, DECR, INCRBY, DECRBY and INCRBYFLOAT. INCREX has a file of its own.

use protocol::number::parse_i64;
use values::{Entry, Value};

use crate::context::{Context, string_of};
use crate::failure::{Failure, Outcome};
use crate::long_double::LongDouble;

pub(crate) const OVERFLOW: Failure = Failure::text("ERR increment or decrement would overflow");
const DECREMENT_OVERFLOW: Failure = Failure::text("ERR decrement would overflow");
pub(crate) const NOT_FINITE: Failure = Failure::text("ERR increment would produce NaN or Infinity");

pub(super) fn incr(ctx: &mut Context<'_>) -> Outcome {
    increment(ctx, 1)
}

pub(super) fn decr(ctx: &mut Context<'_>) -> Outcome {
    increment(ctx, -1)
}

pub(super) fn incrby(ctx: &mut Context<'_>) -> Outcome {
    let by = ctx.int(2)?;
    increment(ctx, by)
}

pub(super) fn decrby(ctx: &mut Context<'_>) -> Outcome {
    let by = ctx.int(2)?.checked_neg().ok_or(DECREMENT_OVERFLOW)?;
    increment(ctx, by)
}

fn increment(ctx: &mut Context<'_>, by: i64) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (db, reply) = ctx.open(&key);
    let mut new = by;
    if let Some(mut entry) = db.get_mut(&key, now_ms) {
        new = integer(string_of(&entry)?)?.checked_add(by).ok_or(OVERFLOW)?;
        let expires_at = entry.expires_at();
        entry.set(Value::Int(new), expires_at);
    } else {
        db.insert(&key, Entry::new(key.bytes, Value::Int(new), None));
    }
    reply.integer(new);
    Ok(())
}

/// A stored integer.
pub(crate) fn integer(value: Value<'_>) -> Result<i64, Failure> {
    match value {
        Value::Int(number) => Ok(number),
        _ => value.with_bytes(parse_i64).ok_or(Failure::NotInteger),
    }
}

pub(super) fn incrbyfloat(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms, by) = (ctx.key(0), ctx.now_ms, ctx.args.get(2));
    // The stored value is looked at first, so its error is the one that shows.
    let sum = |old: LongDouble| -> Result<Vec<u8>, Failure> {
        let by = LongDouble::parse(by).ok_or(Failure::NotFloat)?;
        Ok(old.checked_add(by).ok_or(NOT_FINITE)?.to_text())
    };
    let (db, reply) = ctx.open(&key);
    let text;
    if let Some(mut entry) = db.get_mut(&key, now_ms) {
        text = sum(float(string_of(&entry)?)?)?;
        let expires_at = entry.expires_at();
        entry.set(Value::Bytes(&text), expires_at);
    } else {
        text = sum(LongDouble::ZERO)?;
        db.insert(&key, Entry::new(key.bytes, Value::Bytes(&text), None));
    }
    reply.bulk(&text);
    Ok(())
}

/// A stored float.
pub(crate) fn float(value: Value<'_>) -> Result<LongDouble, Failure> {
    match value {
        Value::Int(number) => Ok(LongDouble::from_i64(number)),
        _ => value.with_bytes(LongDouble::parse).ok_or(Failure::NotFloat),
    }
}
