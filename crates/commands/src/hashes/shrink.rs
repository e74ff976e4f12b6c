//! SHRINK: a hash or set is built anew, as tight as it can be.
//!
//! Tables shrink by themselves when many members go, but not at once and not to the last byte.

use values::Form;

use crate::context::Context;
use crate::failure::{Failure, Outcome};

pub(super) fn shrink(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms, budget) = (ctx.key(0), ctx.now_ms, ctx.budget());
    let (db, reply) = ctx.open(&key);
    let entry = db.get(&key, now_ms).ok_or(Failure::NoSuchKey)?;
    let members = match entry.form() {
        Form::Hash(hash) => hash.len(),
        Form::Set(set) => set.len(),
        // A packed one has no room to give back.
        Form::PackedHash(_) | Form::PackedSet(_) | Form::IntSet(_) => {
            reply.integer(0);
            return Ok(());
        }
        _ => return Err(Failure::WrongType),
    };
    budget.allow(members)?;
    let before = entry.memory();
    let tight = entry.copy_as(key.bytes);
    let saved = before.saturating_sub(tight.memory());
    if saved > 0 {
        db.remove(&key, now_ms);
        db.insert(&key, tight);
    }
    reply.count(saved);
    Ok(())
}
