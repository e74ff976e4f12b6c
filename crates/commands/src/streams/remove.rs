//! XDEL and XDELEX.

use values::stream::{References, Removal};
use values::typed::Streams;

use super::named_ids::{read_ids, references_and_ids};
use crate::{Context, Outcome};

pub(super) fn xdel(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    ctx.allow_work(args.len())?;
    let removed = ctx.edit::<Streams, _>(&key, |stream, _| {
        for id in read_ids(args, 2, args.len())? {
            stream.remove(id, References::Keep);
        }
        Ok(stream.changes)
    })?;
    ctx.reply.integer(removed.map_or(0, |removed| i64::try_from(removed).unwrap_or(i64::MAX)));
    Ok(())
}

pub(super) fn xdelex(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    ctx.allow_work(args.len())?;
    ctx.look::<Streams>(&key)?;
    let (references, words) = references_and_ids(args, 2)?;
    let done = ctx.edit::<Streams, _>(&key, |stream, reply| {
        let ids = read_ids(args, words.first, words.count)?;
        reply.array(words.count);
        for id in ids {
            reply.integer(match stream.remove(id, references) {
                Removal::Absent => -1,
                Removal::Done => 1,
                Removal::Needed => 2,
            });
        }
        Ok(())
    })?;
    if done.is_none() {
        ctx.reply.array(words.count);
        (0..words.count).for_each(|_| ctx.reply.integer(-1));
    }
    Ok(())
}
