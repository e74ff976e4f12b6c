//! XPENDING: what was delivered and not acknowledged.

use protocol::number::parse_i64;
use protocol::reply::Reply;
use values::stream::{Consumer, Delivery, Group, Id, Owner};
use values::typed::Streams;

use super::deliver::counted;
use super::groups::no_group;
use super::ids::{self, reply_id};
use crate::context::{Args, Budget, Context};
use crate::failure::{Failure, Outcome};

/// Which pending entries to show.
struct Filter<'a> {
    min_idle_ms: i64,
    from: Id,
    to: Id,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    /// Reads `[IDLE ms] start end count [consumer]`.
    fn parse(args: Args<'a>) -> Result<Self, Failure> {
        let (mut index, mut min_idle_ms) = (3_usize, 0);
        if args.get(index).eq_ignore_ascii_case(b"IDLE") {
            min_idle_ms = parse_i64(args.get(4)).ok_or(Failure::NotInteger)?;
            if args.len() < 8 {
                return Err(Failure::Syntax);
            }
            index = 5;
        }
        let word = |behind: usize| args.get(index.saturating_add(behind));
        let count = parse_i64(word(2)).ok_or(Failure::NotInteger)?;
        let (from, to) = (ids::start(word(0))?, ids::end(word(1))?);
        let has_consumer = index.saturating_add(3) < args.len();
        Ok(Self {
            min_idle_ms,
            from,
            to,
            count: usize::try_from(count).unwrap_or(0),
            consumer: has_consumer.then(|| word(3)),
        })
    }
}

pub(super) fn xpending(ctx: &mut Context<'_>) -> Outcome {
    let (key, args, now_ms, budget) = (ctx.key(0), ctx.args, ctx.now_ms, ctx.budget());
    let filter = match args.len() {
        3 => None,
        6..=9 => Some(Filter::parse(args)?),
        _ => return Err(Failure::Syntax),
    };
    let name = args.get(2);
    let (stream, reply) = ctx.read::<Streams>(&key)?;
    let group = stream.and_then(|stream| stream.stream().groups.get(name));
    let group = group.ok_or_else(|| no_group(key.bytes, name, ""))?;
    match filter {
        Some(filter) => show(reply, group, &filter, now_ms, budget),
        None => sum_up(reply, group, budget),
    }
}

/// How many entries are pending, the first and the last, and how many each consumer has.
fn sum_up(reply: &mut Reply<'_>, group: &Group, budget: Budget) -> Outcome {
    budget.allow(group.consumer_count())?;
    reply.array(4);
    reply.count(group.pending());
    let (Some(first), Some(last)) = (group.first_pending(), group.last_pending()) else {
        reply.null();
        reply.null();
        reply.null_array();
        return Ok(());
    };
    reply_id(reply, first);
    reply_id(reply, last);
    let busy = || group.consumers().filter(|consumer| consumer.pending() > 0);
    reply.array(busy().count());
    for consumer in busy() {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_integer(i64::try_from(consumer.pending()).unwrap_or(i64::MAX));
    }
    Ok(())
}

fn show(
    reply: &mut Reply<'_>,
    group: &Group,
    filter: &Filter<'_>,
    now_ms: u64,
    budget: Budget,
) -> Outcome {
    let owner = match filter.consumer.map(|name| group.find_consumer(name)) {
        Some(None) => {
            reply.array(0);
            return Ok(());
        }
        Some(owner) => owner,
        None => None,
    };
    let of_one = owner.and_then(|owner| group.consumer(owner)).map(Consumer::pending);
    let pending = of_one.unwrap_or(group.pending());
    // A filter by time may pass over many.
    let visited = if filter.min_idle_ms > 0 { pending } else { pending.min(filter.count) };
    budget.allow(visited)?;
    let is_idle = |(_, delivery): &(Id, Delivery)| {
        let idle = now_ms.cast_signed().saturating_sub(delivery.time_ms().cast_signed());
        filter.min_idle_ms == 0 || idle >= filter.min_idle_ms
    };
    let show = |reply: &mut Reply<'_>, (id, delivery)| {
        reply_pending(reply, group, id, delivery, now_ms);
    };
    let (from, to, count) = (filter.from, filter.to, filter.count);
    counted(reply, pending.min(count), |reply| {
        let all = owner.is_none().then(|| group.range(from, to)).into_iter().flatten();
        let own = owner.into_iter().flat_map(|owner| group.range_of(owner, from, to));
        let shown = all.chain(own).filter(is_idle).take(count);
        shown.map(|entry| show(reply, entry)).count()
    });
    Ok(())
}

fn reply_pending(reply: &mut Reply<'_>, group: &Group, id: Id, delivery: Delivery, now_ms: u64) {
    let idle = now_ms.saturating_sub(delivery.time_ms()).cast_signed();
    reply.array(4);
    reply_id(reply, id);
    reply.bulk(group.name_of(delivery.owner));
    reply.integer(if delivery.owner == Owner::NOBODY { -1 } else { idle });
    reply.integer(delivery.count.cast_signed());
}
