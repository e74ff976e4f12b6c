//! One bit: SETBIT and GETBIT.

use super::{allow_edit, bit_of, create, len_with, mask_of, offset};
use crate::context::{Context, string_of};
use crate::failure::{Failure, Outcome};

const BAD_BIT: Failure = Failure::text("ERR bit is not an integer or out of range");

pub(super) fn setbit(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms, budget) = (ctx.key(0), ctx.now_ms, ctx.budget());
    let number = offset(ctx.args.get(2), None, ctx.settings.string_len_max())?;
    let bit = match ctx.args.get(3) {
        b"0" => false,
        b"1" => true,
        _ => return Err(BAD_BIT),
    };
    let write = |bytes: &mut [u8]| {
        let byte = usize::try_from(number / 8).ok().and_then(|at| bytes.get_mut(at));
        if let Some(byte) = byte {
            let others = *byte & !mask_of(number);
            *byte = if bit { others | mask_of(number) } else { others };
        }
    };
    let (db, reply) = ctx.open(&key);
    let Some(mut entry) = db.get_mut(&key, now_ms) else {
        create(db, &key, number, budget, write)?;
        reply.integer(0);
        return Ok(());
    };
    let (old_len, old) =
        string_of(&entry)?.with_bytes(|bytes| (bytes.len(), bit_of(bytes, number)));
    let len = old_len.max(len_with(number));
    allow_edit(&entry, old_len, len, budget)?;
    let is_changed = len > old_len || old != bit;
    // As in Redis, a string counts as edited even where its bits stay; but nothing is copied.
    if is_changed || !(entry.is_edited() || entry.is_shared()) {
        entry.edit_by(len, |bytes, changes| {
            write(bytes);
            *changes = changes.saturating_add(u64::from(is_changed));
        });
    }
    reply.integer(i64::from(old));
    Ok(())
}

pub(super) fn getbit(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let number = offset(ctx.args.get(2), None, ctx.settings.string_len_max())?;
    let (db, reply) = ctx.open(&key);
    let bit = match db.read(&key, now_ms) {
        Some(entry) => string_of(&entry)?.with_bytes(|bytes| bit_of(bytes, number)),
        None => false,
    };
    reply.integer(i64::from(bit));
    Ok(())
}
