//! XREADGROUP: entries delivered to a consumer, new ones, its own again, and those of others that
//! were not acknowledged for too long.

use std::iter::Peekable;

use keyspace::Key;
use protocol::reply::{Counted, Reply};
use values::stream::{Delivery, Group, Id, Item, Owner, Stream};
use values::typed::Streams;

use super::groups::no_group;
use super::ids::{self, reply_id};
use super::lag::Counts;
use super::range::{reply_entry, reply_fields};
use super::read::{Request, Room};
use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Entries that become pending together.
const BATCH: usize = 64;

/// So many entries are delivered at once, whatever they are.
const FEW: usize = 512;

/// Which entries of a stream to deliver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    /// What the group has not got.
    New,
    /// What the consumer has got and not acknowledged, behind an id.
    Own(Id),
}

pub(super) fn xreadgroup(ctx: &mut Context<'_>) -> Outcome {
    let ask = Request::parse(ctx.args, true)?;
    let group = ask.group.ok_or(Failure::text("ERR Missing GROUP option for XREADGROUP"))?.0;
    let (mut work, mut bytes, mut entries) = (0_usize, 0_usize, 0_usize);
    for index in 0..ask.keys {
        let (key, word) = (ctx.key(index), ask.id(ctx.args, index));
        let stream = ctx.read::<Streams>(&key)?.0.map(|stream| stream.stream());
        let found = stream.and_then(|stream| Some((stream, stream.groups.get(group)?)));
        let behind = " in XREADGROUP with GROUP option";
        let (stream, found) = found.ok_or_else(|| no_group(key.bytes, group, behind))?;
        let wanted = wanted(word)?;
        entries = estimate(&ask, stream, found, wanted);
        work = work.saturating_add(entries);
        // New entries of an only stream are looked at when they are delivered.
        if ask.keys > 1 || wanted != Wanted::New {
            let each = entry_bytes(new_of(stream, found, wanted).next());
            bytes = bytes.saturating_add(each.saturating_mul(entries));
        }
    }
    ctx.allow_work(work)?;
    ctx.allow_copy(bytes)?;
    let mut room = Room::new(ask.caps, &ctx.reply);
    // In RESP2, each stream is a pair of its own.
    let items = if ctx.reply.is_resp3() { Counted::Map } else { Counted::Array };
    let open = ctx.reply.open(items, ask.keys);
    let start = ctx.reply.len();
    let mut served = 0_usize;
    for index in 0..ask.keys {
        if room.entries(&ctx.reply) == 0 {
            break;
        }
        let (key, wanted) = (ctx.key(index), wanted(ask.id(ctx.args, index))?);
        let copies = (ask.keys == 1).then_some(entries);
        let shows = serve(ctx, &key, &ask, wanted, &mut room, copies)?;
        served = served.saturating_add(usize::from(shows));
    }
    debug_assert!(served > 0 || ctx.reply.len() == start, "what is not served writes nothing");
    match served {
        0 => {
            ctx.reply.cancel(open);
            ctx.reply.null_array();
        }
        _ => ctx.reply.close(open, served),
    }
    Ok(())
}

/// Reads what stands in the place of an id.
fn wanted(word: &[u8]) -> Result<Wanted, Failure> {
    match word {
        b"$" => Err(Failure::text(
            "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the \
             history of this consumer by specifying a proper ID, or use the > ID to get new \
             messages. The $ ID would just return an empty result set.",
        )),
        b"+" => Err(Failure::text(
            "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the \
             history of this consumer by specifying a proper ID, or use the > ID to get new \
             messages. The + ID would just return an empty result set.",
        )),
        b">" => Ok(Wanted::New),
        _ => match ids::exact(word, 0)? {
            // Nothing is behind the highest id, so Redis takes it for the same as `>`.
            Id::MAX => Ok(Wanted::New),
            id => Ok(Wanted::Own(id)),
        },
    }
}

/// How many entries are about to be visited.
fn estimate(ask: &Request<'_>, stream: &Stream, group: &Group, wanted: Wanted) -> usize {
    let len = match wanted {
        // So few need no counting.
        Wanted::New if ask.caps.count <= FEW => ask.caps.count,
        Wanted::New => {
            let lag = Counts::of(stream).lag(group).and_then(|lag| usize::try_from(lag).ok());
            let pending = if ask.claim.is_some() { group.pending() } else { 0 };
            lag.unwrap_or(usize::MAX).min(stream.len()).saturating_add(pending)
        }
        Wanted::Own(_) => {
            let owner = ask.group.and_then(|(_, name)| group.find_consumer(name));
            let consumer = owner.and_then(|owner| group.consumer(owner));
            consumer.map_or(0, |consumer| consumer.pending())
        }
    };
    len.min(ask.caps.count)
}

/// The entries behind the last one that was delivered, or behind an id.
fn new_of<'s>(
    stream: &'s Stream,
    group: &Group,
    wanted: Wanted,
) -> impl Iterator<Item = Item<'s>> + use<'s> {
    let behind = if let Wanted::Own(behind) = wanted { behind } else { group.last_id };
    let new = behind.next().map(|first| stream.range(first, Id::MAX));
    new.into_iter().flatten()
}

/// Bytes of the first entry that is about to be delivered; mostly the others are like it.
pub(super) fn entry_bytes(first: Option<Item<'_>>) -> usize {
    let fields = first.into_iter().flat_map(|item| item.fields());
    fields.map(|(name, value)| name.len().saturating_add(value.len())).sum()
}

/// Delivers entries of one stream, whose group is there; about so many are copied, if that was not
/// looked at before. Returns whether the reply shows the stream.
fn serve(
    ctx: &mut Context<'_>,
    key: &Key<'_>,
    ask: &Request<'_>,
    wanted: Wanted,
    room: &mut Room,
    copies: Option<usize>,
) -> Result<bool, Failure> {
    let (now_ms, budget) = (ctx.now_ms, ctx.budget());
    let Some((group, name)) = ask.group else { return Ok(false) };
    let served = ctx.edit::<Streams, _>(key, |stream, reply| {
        let served = stream.with_group(group, |stream, group| {
            let mut new = new_of(stream, group, wanted).peekable();
            if let (Some(copies), Wanted::New) = (copies, wanted) {
                let each = entry_bytes(new.peek().copied());
                budget.allow_copy(each.saturating_mul(copies))?;
            }
            let Some((owner, is_new)) = consumer(group, name, now_ms) else {
                return Ok((false, 0));
            };
            let mut reader = Reader { stream, group, owner, ask, room, now_ms, changes: 0 };
            let is_served = match wanted {
                Wanted::Own(behind) => {
                    reader.title(reply, key);
                    reader.own(reply, behind);
                    true
                }
                Wanted::New => reader.new_and_claimed(reply, key, new),
            };
            Ok((is_served, reader.changes.min(1).saturating_add(u64::from(is_new))))
        });
        let (is_served, changes) = served.transpose()?.unwrap_or_default();
        stream.changes = stream.changes.saturating_add(changes);
        Ok(is_served)
    })?;
    Ok(served.unwrap_or(false))
}

/// The consumer of a name, which is added if it is not there (the second value), and is seen by
/// this.
pub(super) fn consumer(group: &mut Group, name: &[u8], now_ms: u64) -> Option<(Owner, bool)> {
    let (owner, is_new) = match group.find_consumer(name) {
        Some(owner) => (owner, false),
        None => (group.create_consumer(name, now_ms)?, true),
    };
    group.consumer_mut(owner)?.seen_ms = now_ms;
    Some((owner, is_new))
}

/// Delivers entries of a stream to a consumer.
struct Reader<'r, 'a> {
    stream: &'r Stream,
    group: &'r mut Group,
    owner: Owner,
    ask: &'r Request<'a>,
    room: &'r mut Room,
    now_ms: u64,
    changes: u64,
}

impl Reader<'_, '_> {
    /// Writes what comes before the entries of a stream.
    fn title(&self, reply: &mut Reply<'_>, key: &Key<'_>) {
        if !reply.is_resp3() {
            reply.array(2);
        }
        reply.bulk(key.bytes);
    }

    /// The consumer has got something.
    fn is_active(&mut self) {
        self.changes = self.changes.saturating_add(1);
        if let Some(consumer) = self.group.consumer_mut(self.owner) {
            consumer.active_ms = Some(self.now_ms);
        }
    }

    /// Delivers again what the consumer has got and not acknowledged.
    fn own(&mut self, reply: &mut Reply<'_>, behind: Id) {
        let from = behind.next().unwrap_or_default();
        let entries = self.group.range_of(self.owner, from, Id::MAX).take(self.ask.caps.count);
        let entries: Vec<(Id, Delivery)> = entries.take(self.room.entries(reply)).collect();
        counted(reply, entries.len(), |reply| {
            let mut shown: usize = 0;
            for (id, old) in entries {
                if !self.room.take(reply) {
                    break;
                }
                shown = shown.saturating_add(1);
                match self.stream.get(id) {
                    Some(item) => {
                        reply_entry(reply, item);
                        let again = Delivery::new(self.owner, self.now_ms, next_count(old.count));
                        self.group.set(id, again);
                    }
                    // It is pending, but not in the stream any more.
                    None => {
                        reply.array(2);
                        reply_id(reply, id);
                        reply.null_array();
                    }
                }
            }
            shown
        });
    }

    /// Delivers what was pending for too long, and what the group has not got. Returns whether
    /// there is any of it.
    fn new_and_claimed<'s>(
        &mut self,
        reply: &mut Reply<'_>,
        key: &Key<'_>,
        mut new: Peekable<impl Iterator<Item = Item<'s>>>,
    ) -> bool {
        let claimable = self.claimable(reply);
        let has_new = new.peek().is_some();
        if claimable.is_empty() && !has_new {
            return false;
        }
        self.title(reply, key);
        let expected = self.ask.caps.count.min(self.stream.len());
        let expected = if has_new { expected } else { claimable.len() };
        counted(reply, expected, |reply| {
            let shown = self.claim(reply, &claimable);
            let left = self.ask.caps.count.saturating_sub(shown);
            shown.saturating_add(self.new_entries(reply, new.take(left)))
        });
        true
    }

    /// The entries that were pending for too long.
    fn claimable(&mut self, reply: &Reply<'_>) -> Vec<(Id, Delivery)> {
        let until = self.ask.claim.and_then(|idle| self.now_ms.checked_sub(idle));
        let Some(until) = until else { return Vec::new() };
        let count = self.ask.caps.count.min(self.room.entries(reply));
        self.group.oldest(until, count, |id| self.stream.contains(id))
    }

    /// Takes entries over.
    fn claim(&mut self, reply: &mut Reply<'_>, claimable: &[(Id, Delivery)]) -> usize {
        let mut shown: usize = 0;
        for (id, old) in claimable {
            let Some(item) = self.stream.get(*id) else { continue };
            if !self.room.take(reply) {
                break;
            }
            shown = shown.saturating_add(1);
            reply.array(4);
            reply_id(reply, *id);
            reply_fields(reply, item);
            reply.integer(self.now_ms.saturating_sub(old.time_ms()).cast_signed());
            reply.integer(old.count.cast_signed());
            self.group.set(*id, Delivery::new(self.owner, self.now_ms, next_count(old.count)));
        }
        if shown > 0 {
            self.is_active();
        }
        shown
    }

    /// Delivers entries that the group has not got.
    fn new_entries<'s>(
        &mut self,
        reply: &mut Reply<'_>,
        new: impl Iterator<Item = Item<'s>>,
    ) -> usize {
        let counts = Counts::of(self.stream);
        let has_idle = self.ask.claim.is_some();
        let (mut batch, mut filled) = ([Id::MIN; BATCH], 0_usize);
        let mut shown: usize = 0;
        for item in new {
            if !self.room.take(reply) {
                break;
            }
            shown = shown.saturating_add(1);
            if has_idle {
                reply.array(4);
                reply_id(reply, item.id);
                reply_fields(reply, item);
                // Nobody has got it before.
                reply.integer(0);
                reply.integer(0);
            } else {
                reply_entry(reply, item);
            }
            counts.read(self.group, item.id);
            if let Some(place) = batch.get_mut(filled) {
                *place = item.id;
                filled = filled.saturating_add(1);
            }
            if filled == BATCH {
                self.pend(&batch);
                filled = 0;
            }
        }
        self.pend(batch.get(..filled).unwrap_or_default());
        if shown > 0 {
            self.changes = self.changes.saturating_add(1);
        }
        shown
    }

    /// Makes entries pending, if they have to be acknowledged.
    fn pend(&mut self, ids: &[Id]) {
        if !self.ask.no_ack && !ids.is_empty() {
            self.group.deliver(self.owner, ids, self.now_ms);
            self.is_active();
        }
    }
}

/// One delivery more.
pub(super) fn next_count(count: u64) -> u64 {
    count.saturating_add(1).min(i64::MAX.cast_unsigned())
}

/// Writes an array of as many items as `write` writes.
pub(super) fn counted(
    reply: &mut Reply<'_>,
    expected: usize,
    write: impl FnOnce(&mut Reply<'_>) -> usize,
) {
    let open = reply.open(Counted::Array, expected);
    let len = write(reply);
    reply.close(open, len);
}
