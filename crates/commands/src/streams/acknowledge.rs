//! XACK, XACKDEL and XNACK: entries that a consumer has done with, and such that it gives back.

use protocol::number::parse_i64;
use values::stream::{Group, Id, References, Removal, Stream};
use values::typed::Streams;

use super::groups::no_group;
use super::named_ids::{IdWords, read_ids, references_and_ids};
use crate::context::{Args, Context};
use crate::failure::{Failure, Outcome};

pub(super) fn xack(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    let found = ctx.edit::<Streams, _>(&key, |stream, _| {
        let Some(group) = stream.groups.get_mut(args.get(2)) else { return Ok(0) };
        let ids = read_ids(args, 3, args.len())?;
        let acknowledged = group.acknowledge(&ids);
        stream.changes = stream.changes.saturating_add(acknowledged as u64);
        Ok(acknowledged)
    })?;
    ctx.reply.count(found.unwrap_or(0));
    Ok(())
}

/// Redis's answers for each id of XACKDEL.
mod answer {
    /// It was not pending.
    pub const NOT_PENDING: i64 = -1;
    /// It is acknowledged and gone.
    pub const GONE: i64 = 1;
    /// It is acknowledged, but some group needs it.
    pub const NEEDED: i64 = 2;
}

pub(super) fn xackdel(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    ctx.look::<Streams>(&key)?;
    let (references, words) = references_and_ids(args, 3)?;
    let found = ctx.edit::<Streams, _>(&key, |stream, reply| {
        let name = args.get(2);
        if stream.groups.get(name).is_none() {
            return Ok(false);
        }
        let ids = read_ids(args, words.first, words.count)?;
        reply.array(ids.len());
        for id in ids {
            let answer = acknowledge_and_delete(stream, name, id, references);
            stream.changes = stream.changes.saturating_add(u64::from(answer > 0));
            reply.integer(answer);
        }
        Ok(true)
    })?;
    if found != Some(true) {
        ctx.reply.array(words.count);
        (0..words.count).for_each(|_| ctx.reply.integer(answer::NOT_PENDING));
    }
    Ok(())
}

fn acknowledge_and_delete(
    stream: &mut Stream,
    group: &[u8],
    id: Id,
    references: References,
) -> i64 {
    let group = stream.groups.get_mut(group);
    if group.and_then(|group| group.remove(id)).is_none() {
        return answer::NOT_PENDING;
    }
    // What is not there any more counts as deleted.
    match stream.remove_with(id, references) {
        Removal::Needed => answer::NEEDED,
        Removal::Absent | Removal::Done => answer::GONE,
    }
}

/// How an entry comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// As if it had not been delivered.
    Silent,
    /// Its delivery failed.
    Fail,
    /// No delivery can succeed.
    Fatal,
}

/// Deliveries of an entry that no delivery can help.
const FATAL_COUNT: u64 = i64::MAX.cast_unsigned();

/// What XNACK is asked for.
struct Release {
    mode: Mode,
    ids: IdWords,
    count: Option<u64>,
    force: bool,
}

impl Release {
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        let word = args.get(3);
        let modes = [("SILENT", Mode::Silent), ("FAIL", Mode::Fail), ("FATAL", Mode::Fatal)];
        let mode = modes.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
        let (_, mode) = mode.ok_or(Failure::text("ERR mode must be SILENT, FAIL, or FATAL"))?;
        let (mut ids, mut count, mut force, mut index) = (None, None, false, 4);
        while index < args.len() {
            let word = args.get(index);
            let next = index.saturating_add(1);
            if word.eq_ignore_ascii_case(b"FORCE") {
                force = true;
                index = next;
            } else if word.eq_ignore_ascii_case(b"RETRYCOUNT") && next < args.len() {
                count = Some(retry_count(args.get(next))?);
                index = index.saturating_add(2);
            } else {
                let found = IdWords::at(args, index)?.ok_or(Failure::Syntax)?;
                index = found.end();
                ids = Some(found);
            }
        }
        Ok(Self { mode, ids: ids.ok_or(IdWords::MISSING)?, count, force })
    }

    /// The deliveries of an entry which had so many; `None` if it was not pending.
    fn count(&self, old: Option<u64>) -> u64 {
        match (self.count, self.mode) {
            (Some(count), _) => count,
            (None, Mode::Fatal) => FATAL_COUNT,
            (None, Mode::Fail) => old.unwrap_or(0),
            (None, Mode::Silent) => old.unwrap_or(0).saturating_sub(1),
        }
    }

    /// Takes an entry from its consumer. Returns whether it is pending now.
    fn apply(&self, stream: &Stream, group: &mut Group, id: Id) -> bool {
        let old = group.get(id);
        let may_be = old.is_some() || (self.force && stream.contains(id));
        if may_be {
            group.release(id, self.count(old.map(|old| old.count)));
        }
        may_be
    }
}

fn retry_count(word: &[u8]) -> Result<u64, Failure> {
    let count = parse_i64(word).and_then(|count| u64::try_from(count).ok());
    count.ok_or(Failure::text("ERR Invalid RETRYCOUNT option argument for XNACK"))
}

pub(super) fn xnack(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    ctx.look::<Streams>(&key)?;
    let release = Release::parse(args)?;
    let name = args.get(2);
    let found = ctx.edit::<Streams, _>(&key, |stream, _| {
        let released = stream.with_group(name, |stream, group| {
            let ids = read_ids(args, release.ids.first, release.ids.count)?;
            Ok(ids.iter().filter(|id| release.apply(stream, group, **id)).count())
        });
        let released = released.transpose()?;
        stream.changes = stream.changes.saturating_add(released.unwrap_or(0) as u64);
        Ok(released)
    })?;
    ctx.reply.count(found.flatten().ok_or_else(|| no_group(key.bytes, name, ""))?);
    Ok(())
}
