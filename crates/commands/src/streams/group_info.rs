//! XINFO GROUPS, XINFO CONSUMERS, and what XINFO STREAM FULL shows of groups.

use protocol::reply::Reply;
use values::stream::{Consumer, Delivery, Group, Id, Stream};
use values::typed::Streams;

use super::groups::no_group_in;
use super::ids::reply_id;
use super::lag::Counts;
use crate::context::Context;
use crate::failure::{Failure, Outcome};

pub(super) fn xinfo_groups(ctx: &mut Context<'_>) -> Outcome {
    let (key, budget) = (ctx.key(0), ctx.budget());
    let (stream, reply) = ctx.read::<Streams>(&key)?;
    let stream = stream.ok_or(Failure::NoSuchKey)?.stream();
    budget.allow(stream.groups.len())?;
    let counts = Counts::of(stream);
    reply.array(stream.groups.len());
    for (name, group) in stream.groups.iter() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        reply.bulk(b"consumers");
        reply.count(group.consumer_count());
        reply.bulk(b"pending");
        reply.count(group.pending());
        reply_progress(reply, &counts, group);
    }
    Ok(())
}

/// How far a group is.
fn reply_progress(reply: &mut Reply<'_>, counts: &Counts, group: &Group) {
    reply.bulk(b"last-delivered-id");
    reply_id(reply, group.last_id);
    reply.bulk(b"entries-read");
    reply_known(reply, group.entries_read.map(u64::cast_signed));
    reply.bulk(b"lag");
    reply_known(reply, counts.lag(group));
}

fn reply_known(reply: &mut Reply<'_>, number: Option<i64>) {
    match number {
        Some(number) => reply.integer(number),
        None => reply.null(),
    }
}

pub(super) fn xinfo_consumers(ctx: &mut Context<'_>) -> Outcome {
    let (key, name, now_ms, budget) = (ctx.key(0), ctx.args.get(3), ctx.now_ms, ctx.budget());
    let (stream, reply) = ctx.read::<Streams>(&key)?;
    let stream = stream.ok_or(Failure::NoSuchKey)?.stream();
    let group = stream.groups.get(name).ok_or_else(|| no_group_in(key.bytes, name))?;
    budget.allow(group.consumer_count())?;
    reply.array(group.consumer_count());
    for consumer in group.consumers() {
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        reply.bulk(b"pending");
        reply.count(consumer.pending());
        let since = |time_ms: u64| now_ms.saturating_sub(time_ms).cast_signed();
        reply.bulk(b"idle");
        reply.integer(since(consumer.seen_ms));
        reply.bulk(b"inactive");
        reply.integer(consumer.active_ms.map_or(-1, since));
    }
    Ok(())
}

/// How many groups, consumers and pending entries [`reply_groups`] visits, if it shows `count` of
/// the latter for each of the former.
pub(super) fn groups_work(stream: &Stream, count: usize) -> usize {
    let works = stream.groups.iter().map(|(_, group)| {
        let of_one = |consumer: &Consumer| consumer.pending().min(count).saturating_add(1);
        let consumers = group.consumers().map(of_one).fold(0, usize::saturating_add);
        group.pending().min(count).saturating_add(consumers)
    });
    works.fold(0, usize::saturating_add)
}

/// Writes all groups with their consumers, and at most `count` pending entries of each.
pub(super) fn reply_groups(reply: &mut Reply<'_>, stream: &Stream, count: usize) {
    let counts = Counts::of(stream);
    reply.array(stream.groups.len());
    for (name, group) in stream.groups.iter() {
        reply.map(8);
        reply.bulk(b"name");
        reply.bulk(name);
        reply_progress(reply, &counts, group);
        reply.bulk(b"pel-count");
        reply.count(group.pending());
        reply.bulk(b"pending");
        reply.array(group.pending().min(count));
        for (id, delivery) in group.range(Id::MIN, Id::MAX).take(count) {
            reply.array(4);
            reply_id(reply, id);
            reply.bulk(group.name_of(delivery.owner));
            reply_delivery(reply, delivery);
        }
        reply.bulk(b"consumers");
        reply.array(group.consumer_count());
        for consumer in group.consumers() {
            reply_consumer(reply, group, consumer, count);
        }
        reply.bulk(b"nacked-count");
        reply.count(group.released());
    }
}

fn reply_consumer(reply: &mut Reply<'_>, group: &Group, consumer: &Consumer, count: usize) {
    reply.map(5);
    reply.bulk(b"name");
    reply.bulk(consumer.name());
    reply.bulk(b"seen-time");
    reply.integer(consumer.seen_ms.cast_signed());
    reply.bulk(b"active-time");
    reply.integer(consumer.active_ms.map_or(-1, u64::cast_signed));
    reply.bulk(b"pel-count");
    reply.count(consumer.pending());
    reply.bulk(b"pending");
    reply.array(consumer.pending().min(count));
    let owner = group.find_consumer(consumer.name());
    let entries = owner.into_iter().flat_map(|owner| group.range_of(owner, Id::MIN, Id::MAX));
    for (id, delivery) in entries.take(count) {
        reply.array(3);
        reply_id(reply, id);
        reply_delivery(reply, delivery);
    }
}

fn reply_delivery(reply: &mut Reply<'_>, delivery: Delivery) {
    reply.integer(delivery.time_ms().cast_signed());
    reply.integer(delivery.count.cast_signed());
}
