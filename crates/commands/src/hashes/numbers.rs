//! HINCRBY and HINCRBYFLOAT. When a field expires stays as it is.

use protocol::number::parse_i64;
use values::typed::{HashMut, Hashes};
use values::{Expiry, Value};

use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::long_double::LongDouble;
use crate::strings::counters::{NOT_FINITE, OVERFLOW, float};

const NOT_INTEGER: Failure = Failure::text("ERR hash value is not an integer");
const NOT_FLOAT: Failure = Failure::text("ERR hash value is not a float");
const INFINITE: Failure = Failure::text("ERR value is NaN or Infinity");

pub(super) fn hincrby(ctx: &mut Context<'_>) -> Outcome {
    let (key, name, by) = (ctx.key(0), ctx.args.get(2), ctx.int(3)?);
    ctx.allow_members(2)?;
    ctx.edit_or_create::<Hashes, _>(&key, |hash, reply| {
        let old = match stored(hash, name) {
            None => 0,
            Some(Value::Int(number)) => number,
            Some(value) => value.with_bytes(parse_i64).ok_or(NOT_INTEGER)?,
        };
        let new = old.checked_add(by).ok_or(OVERFLOW)?;
        Value::Int(new).with_bytes(|text| hash.set(name, text, Expiry::Keep));
        reply.integer(new);
        Ok(())
    })
}

pub(super) fn hincrbyfloat(ctx: &mut Context<'_>) -> Outcome {
    let (key, name, by) = (ctx.key(0), ctx.args.get(2), ctx.args.get(3));
    let by = LongDouble::parse(by).ok_or(Failure::NotFloat)?;
    if LongDouble::ZERO.checked_add(by).is_none() {
        return Err(INFINITE);
    }
    ctx.allow_members(2)?;
    ctx.edit_or_create::<Hashes, _>(&key, |hash, reply| {
        let old = match stored(hash, name) {
            None => LongDouble::ZERO,
            Some(value) => float(value).map_err(|_| NOT_FLOAT)?,
        };
        let text = old.checked_add(by).ok_or(NOT_FINITE)?.to_text();
        hash.set(name, &text, Expiry::Keep);
        reply.bulk(&text);
        Ok(())
    })
}

/// What a field holds.
fn stored<'h>(hash: &'h HashMut<'_>, name: &[u8]) -> Option<Value<'h>> {
    hash.view().get(name).map(|field| field.value)
}
