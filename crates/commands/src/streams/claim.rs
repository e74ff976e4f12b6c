//! XCLAIM and XAUTOCLAIM: entries that one consumer takes over from others.

use protocol::number::parse_i64;
use values::stream::{Delivery, Group, Id, Owner, Stream};
use values::typed::Streams;

use super::deliver::{consumer, counted, entry_bytes, next_count};
use super::groups::no_group;
use super::ids::{self, reply_id};
use super::named_ids::Ids;
use super::range::reply_entry;
use crate::context::{Args, Context};
use crate::failure::{Failure, Outcome};

/// Entries that XAUTOCLAIM takes over if it is not told how many.
const DEFAULT_COUNT: i64 = 100;
/// It looks at so many entries for each one that it may take over.
const LOOKS: usize = 10;
/// Redis takes no higher count: it keeps ids of 16 bytes for as many.
const COUNT_MAX: i64 = i64::MAX / 16;

/// What XCLAIM is asked for.
struct Claim {
    ids: Ids,
    min_idle_ms: i64,
    /// When the entries are to have been delivered.
    time_ms: u64,
    retry_count: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: Id,
}

impl Claim {
    fn parse(args: Args<'_>, now_ms: u64) -> Result<Self, Failure> {
        let invalid = || Failure::text("ERR Invalid min-idle-time argument for XCLAIM");
        let min_idle_ms = parse_i64(args.get(4)).ok_or_else(invalid)?.max(0);
        let ids: Ids = args.from(5).map_while(|word| ids::exact(word, 0).ok()).collect();
        let mut index = ids.len().saturating_add(5);
        let mut claim = Self {
            ids,
            min_idle_ms,
            time_ms: now_ms,
            retry_count: None,
            force: false,
            just_id: false,
            last_id: Id::MIN,
        };
        let now = now_ms.cast_signed();
        while index < args.len() {
            let word = args.get(index);
            let next = index.saturating_add(1);
            let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
            let with = |option: &str| is(option) && next < args.len();
            let number = |option: &str| {
                let text = || format!("ERR Invalid {option} option argument for XCLAIM");
                parse_i64(args.get(next)).ok_or_else(|| Failure::Text(text().into()))
            };
            let mut words: usize = 2;
            if is("FORCE") {
                (claim.force, words) = (true, 1);
            } else if is("JUSTID") {
                (claim.just_id, words) = (true, 1);
            } else if with("IDLE") {
                claim.time_ms = until(now.wrapping_sub(number("IDLE")?), now);
            } else if with("TIME") {
                claim.time_ms = until(number("TIME")?, now);
            } else if with("RETRYCOUNT") {
                // One below zero is none.
                claim.retry_count = u64::try_from(number("RETRYCOUNT")?).ok();
            } else if with("LASTID") {
                claim.last_id = ids::exact(args.get(next), 0)?;
            } else {
                return Err(Failure::quoting("ERR Unrecognized XCLAIM option '", word, "'"));
            }
            index = index.saturating_add(words);
        }
        Ok(claim)
    }

    /// Takes an entry over, if it may be. Returns how many changes that was, and whether it shows.
    fn take(&self, stream: &Stream, group: &mut Group, owner: Owner, id: Id, now_ms: u64) -> Taken {
        let old = group.get(id);
        if !stream.contains(id) {
            // It can never be delivered again.
            return if group.remove(id).is_some() { Taken::Gone } else { Taken::No };
        }
        let Some(count) = old.map(|old| old.count).or(self.force.then_some(1)) else {
            return Taken::No;
        };
        if old.is_some_and(|old| !is_idle(old, self.min_idle_ms, now_ms)) {
            return Taken::No;
        }
        let count =
            self.retry_count.unwrap_or(if self.just_id { count } else { next_count(count) });
        group.set(id, Delivery::new(owner, self.time_ms, count));
        Taken::Yes
    }
}

/// What became of an entry that was to be taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Taken {
    No,
    Gone,
    Yes,
}

/// A time of delivery; one that cannot be is now.
fn until(time_ms: i64, now_ms: i64) -> u64 {
    let time_ms = if (0..=now_ms).contains(&time_ms) { time_ms } else { now_ms };
    u64::try_from(time_ms).unwrap_or(0)
}

/// Whether an entry was not delivered for so long. Whoever has it not has no time.
fn is_idle(delivery: Delivery, min_idle_ms: i64, now_ms: u64) -> bool {
    let idle = now_ms.cast_signed().saturating_sub(delivery.time_ms().cast_signed());
    min_idle_ms == 0 || delivery.owner == Owner::NOBODY || idle >= min_idle_ms
}

pub(super) fn xclaim(ctx: &mut Context<'_>) -> Outcome {
    let (key, args, now_ms, budget) = (ctx.key(0), ctx.args, ctx.now_ms, ctx.budget());
    let name = args.get(2);
    let done = ctx.edit::<Streams, _>(&key, |stream, reply| {
        let changes = stream.with_group(name, |stream, group| {
            let claim = Claim::parse(args, now_ms)?;
            let shown = if claim.just_id { &[][..] } else { &claim.ids };
            budget.allow_copy(bytes_of(stream, shown.first().copied(), shown.len()))?;
            let mut changes = 0_u64;
            if claim.last_id > group.last_id {
                group.last_id = claim.last_id;
                changes = 1;
            }
            let Some((owner, is_new)) = consumer(group, args.get(3), now_ms) else {
                return Ok(changes);
            };
            changes = changes.saturating_add(u64::from(is_new));
            let mut is_active = false;
            counted(reply, claim.ids.len(), |reply| {
                let mut shown: usize = 0;
                for id in &claim.ids {
                    let taken = claim.take(stream, group, owner, *id, now_ms);
                    changes = changes.saturating_add(u64::from(taken != Taken::No));
                    if taken != Taken::Yes {
                        continue;
                    }
                    is_active = true;
                    shown = shown.saturating_add(1);
                    match stream.get(*id).filter(|_| !claim.just_id) {
                        Some(item) => reply_entry(reply, item),
                        None => reply_id(reply, *id),
                    }
                }
                shown
            });
            activate(group, owner, is_active, now_ms);
            Ok(changes)
        });
        let changes = changes.transpose()?;
        stream.changes = stream.changes.saturating_add(changes.unwrap_or(0));
        Ok(changes.is_some())
    })?;
    if done == Some(true) { Ok(()) } else { Err(no_group(key.bytes, name, "")) }
}

/// Bytes of so many entries, which mostly are like the first one.
fn bytes_of(stream: &Stream, first: Option<Id>, entries: usize) -> usize {
    entry_bytes(first.and_then(|first| stream.get(first))).saturating_mul(entries)
}

fn activate(group: &mut Group, owner: Owner, is_active: bool, now_ms: u64) {
    if let Some(consumer) = group.consumer_mut(owner).filter(|_| is_active) {
        consumer.active_ms = Some(now_ms);
    }
}

/// What XAUTOCLAIM is asked for.
struct Sweep {
    min_idle_ms: i64,
    start: Id,
    count: usize,
    just_id: bool,
}

impl Sweep {
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        let invalid = || Failure::text("ERR Invalid min-idle-time argument for XAUTOCLAIM");
        let min_idle_ms = parse_i64(args.get(4)).ok_or_else(invalid)?.max(0);
        let start = ids::start(args.get(5))?;
        let (mut count, mut just_id, mut index) = (DEFAULT_COUNT, false, 6_usize);
        while index < args.len() {
            let word = args.get(index);
            let next = index.saturating_add(1);
            index = next;
            if word.eq_ignore_ascii_case(b"COUNT") && next < args.len() {
                count = parse_i64(args.get(next))
                    .filter(|count| (1..=COUNT_MAX).contains(count))
                    .ok_or(Failure::text("ERR COUNT must be > 0"))?;
                index = index.saturating_add(1);
            } else if word.eq_ignore_ascii_case(b"JUSTID") {
                just_id = true;
            } else {
                return Err(Failure::Syntax);
            }
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Ok(Self { min_idle_ms, start, count, just_id })
    }

    /// Looks which entries may be taken over.
    fn find(&self, stream: &Stream, group: &Group, now_ms: u64) -> Found {
        let mut found = Found::default();
        let mut pending = group.range(self.start, Id::MAX);
        let mut looks = self.count.saturating_mul(LOOKS);
        let mut left = self.count;
        while looks > 0 && left > 0 {
            let Some((id, delivery)) = pending.next() else { break };
            looks = looks.saturating_sub(1);
            if !stream.contains(id) {
                found.gone.push(id);
                left = left.saturating_sub(1);
            } else if is_idle(delivery, self.min_idle_ms, now_ms) {
                found.idle.push((id, delivery.count));
                left = left.saturating_sub(1);
            }
        }
        found.next = pending.next().map_or(Id::MIN, |(id, _)| id);
        found
    }
}

/// What XAUTOCLAIM has found.
#[derive(Default)]
struct Found {
    /// Entries to take over, and how often they were delivered.
    idle: Vec<(Id, u64)>,
    /// Entries that are not in the stream any more.
    gone: Vec<Id>,
    /// Where to go on.
    next: Id,
}

pub(super) fn xautoclaim(ctx: &mut Context<'_>) -> Outcome {
    let (key, args, now_ms, budget) = (ctx.key(0), ctx.args, ctx.now_ms, ctx.budget());
    let (sweep, name) = (Sweep::parse(args)?, args.get(2));
    let done = ctx.edit::<Streams, _>(&key, |stream, reply| {
        let changes = stream.with_group(name, |stream, group| {
            budget.allow(group.pending().min(sweep.count.saturating_mul(LOOKS)))?;
            let found = sweep.find(stream, group, now_ms);
            let shown = if sweep.just_id { &[][..] } else { &found.idle };
            budget.allow_copy(bytes_of(stream, shown.first().map(|idle| idle.0), shown.len()))?;
            let Some((owner, is_new)) = consumer(group, args.get(3), now_ms) else {
                return Ok(0);
            };
            reply.array(3);
            reply_id(reply, found.next);
            reply.array(found.idle.len());
            for (id, count) in &found.idle {
                let count = if sweep.just_id { *count } else { next_count(*count) };
                group.set(*id, Delivery::new(owner, now_ms, count));
                match stream.get(*id).filter(|_| !sweep.just_id) {
                    Some(item) => reply_entry(reply, item),
                    None => reply_id(reply, *id),
                }
            }
            activate(group, owner, !found.idle.is_empty(), now_ms);
            reply.array(found.gone.len());
            found.gone.iter().for_each(|id| reply_id(reply, *id));
            group.acknowledge(&found.gone);
            let taken = found.idle.len().saturating_add(found.gone.len()) as u64;
            Ok(taken.saturating_add(u64::from(is_new)))
        });
        let changes = changes.transpose()?;
        stream.changes = stream.changes.saturating_add(changes.unwrap_or(0));
        Ok(changes.is_some())
    })?;
    if done == Some(true) { Ok(()) } else { Err(no_group(key.bytes, name, "")) }
}
