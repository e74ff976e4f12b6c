//! What is set of a stream beside its entries: XSETID, XCFGSET, XIDMPRECORD.

use protocol::number::parse_i64;
use values::stream::Id;
use values::stream::producers::Horizon;
use values::typed::{StreamMut, Streams};

use super::ids;
use crate::context::Args;
use crate::{Context, Failure, Outcome};

/// What XSETID sets.
#[derive(Clone, Copy)]
struct Positions {
    last: Id,
    entries_added: Option<u64>,
    max_deleted: Option<Id>,
}

impl Positions {
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        let last = ids::exact(args.get(2), 0)?;
        let mut positions = Self { last, entries_added: None, max_deleted: None };
        let mut words = args.from(3);
        while let Some(word) = words.next() {
            let value = words.next().ok_or(Failure::Syntax)?;
            if word.eq_ignore_ascii_case(b"entriesadded") {
                let entries = parse_i64(value).ok_or(Failure::NotInteger)?;
                let negative = Failure::text("ERR entries_added must be positive");
                positions.entries_added = Some(u64::try_from(entries).map_err(|_| negative)?);
            } else if word.eq_ignore_ascii_case(b"maxdeletedid") {
                let id = ids::exact(value, 0)?;
                if last < id {
                    return Err(Failure::text(
                        "ERR The ID specified in XSETID is smaller than the provided \
                         max_deleted_entry_id",
                    ));
                }
                positions.max_deleted = (id != Id::MIN).then_some(id);
            } else {
                return Err(Failure::Syntax);
            }
        }
        Ok(positions)
    }

    fn set(self, stream: &mut StreamMut<'_>) -> Outcome {
        if self.last < stream.max_deleted_id() {
            return Err(Failure::text(
                "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
            ));
        }
        if stream.last_entry_id().is_some_and(|last| self.last < last) {
            return Err(Failure::text(
                "ERR The ID specified in XSETID is smaller than the target stream top item",
            ));
        }
        if self.entries_added.is_some_and(|added| added < stream.len() as u64) {
            return Err(Failure::text(
                "ERR The entries_added specified in XSETID is smaller than the target stream \
                 length",
            ));
        }
        stream.set_last_id(self.last);
        if let Some(entries) = self.entries_added {
            stream.set_entries_added(entries);
        }
        if let Some(id) = self.max_deleted {
            stream.set_max_deleted_id(id);
        }
        stream.changes = 1;
        Ok(())
    }
}

pub(super) fn xsetid(ctx: &mut Context<'_>) -> Outcome {
    let key = ctx.key(0);
    let positions = Positions::parse(ctx.args)?;
    ctx.edit::<Streams, _>(&key, |stream, reply| {
        positions.set(stream)?;
        reply.ok();
        Ok(())
    })?
    .ok_or(Failure::NoSuchKey)
}

pub(super) fn xcfgset(ctx: &mut Context<'_>) -> Outcome {
    let (key, args) = (ctx.key(0), ctx.args);
    ctx.edit::<Streams, _>(&key, |stream, reply| {
        let old = stream.producers.as_ref().map_or(Horizon::DEFAULT, |all| all.horizon());
        let new = horizon(args, old)?;
        if new != old {
            stream.producers.get_or_insert_default().set_horizon(new);
            stream.changes = 1;
        }
        reply.ok();
        Ok(())
    })?
    .ok_or(Failure::NoSuchKey)
}

/// How much is to be remembered, where it was so much so far.
fn horizon(args: Args<'_>, old: Horizon) -> Result<Horizon, Failure> {
    let (mut seconds, mut messages) = (None, None);
    let mut words = args.from(2);
    while let Some(word) = words.next() {
        let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
        let (set, max, repeated, beyond) = if is("idmp-duration") {
            (&mut seconds, 86_400, DURATION_TWICE, DURATION_BEYOND)
        } else if is("idmp-maxsize") {
            (&mut messages, 10_000, MAXSIZE_TWICE, MAXSIZE_BEYOND)
        } else {
            return Err(Failure::Syntax);
        };
        let value = words.next().ok_or(Failure::Syntax)?;
        if set.is_some() {
            return Err(repeated);
        }
        let value = parse_i64(value).ok_or(Failure::NotInteger)?;
        let value = u64::try_from(value).ok().filter(|value| (1..=max).contains(value));
        *set = Some(value.ok_or(beyond)?);
    }
    if seconds.is_none() && messages.is_none() {
        return Err(Failure::text("ERR At least one parameter must be specified"));
    }
    let messages = messages.and_then(|messages| usize::try_from(messages).ok());
    Ok(Horizon {
        seconds: seconds.unwrap_or(old.seconds),
        messages: messages.unwrap_or(old.messages),
    })
}

const DURATION_TWICE: Failure = Failure::text("ERR IDMP-DURATION specified multiple times");
const DURATION_BEYOND: Failure =
    Failure::text("ERR IDMP-DURATION must be between 1 and 86400 seconds");
const MAXSIZE_TWICE: Failure = Failure::text("ERR IDMP-MAXSIZE specified multiple times");
const MAXSIZE_BEYOND: Failure =
    Failure::text("ERR IDMP-MAXSIZE must be between 1 and 10000 entries");

pub(super) fn xidmprecord(ctx: &mut Context<'_>) -> Outcome {
    let (key, now_ms) = (ctx.key(0), ctx.now_ms);
    let (producer, message) = (ctx.args.get(2), ctx.args.get(3));
    let id = ids::exact(ctx.args.get(4), 0)?;
    if producer.is_empty() {
        return Err(Failure::text("ERR producer ID must be non-empty"));
    }
    if message.is_empty() {
        return Err(Failure::text("ERR idempotent ID must be non-empty"));
    }
    ctx.edit::<Streams, _>(&key, |stream, reply| {
        if !stream.contains(id) {
            return Err(Failure::text("ERR No such message in stream"));
        }
        let producers = stream.producers.get_or_insert_default();
        match producers.find(producer, message, now_ms) {
            Some(known) if known != id => {
                return Err(Failure::text(
                    "ERR IID already exists for this producer with a different stream ID",
                ));
            }
            Some(_) => {}
            None => {
                producers.record(producer, message, id, now_ms);
                stream.changes = 1;
            }
        }
        reply.ok();
        Ok(())
    })?
    .ok_or(Failure::NoSuchKey)
}
