//! SORT of copied elements: of many, so that nobody waits for their shard while they are sorted,
//! and wherever patterns make keys of them. Where these live is known only when the elements are.
//!
//! Few keys: the command runs again with their shards (or all shards) in hand, so it sees
//! everything at one point in time. Many keys: it goes to the worker pool with no shard in hand and
//! borrows one after the other, so nobody else waits, and sees each key as it is at some moment.

use keyspace::shards::all_shards;
use protocol::reply::Reply;
use values::typed::{Lists, Type};
use values::{Entry, Form, Value, packed};

use super::elements::{Opened, Source};
use super::order::{Weights, number};
use super::patterns::{Get, Pattern};
use super::{By, Plan, Sink};
use crate::context::reply_string;
use crate::{Context, Failure, KeyAt, Outcome, Shards};

/// Elements and lookups up to which the shards of just these keys are borrowed, in place of all.
const FEW: usize = 1024;
/// Elements and lookups up to which all shards are held: some 30 milliseconds.
const MANY: usize = 100_000;

/// Texts in one piece of memory.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

#[derive(Clone, Copy)]
enum Item {
    Nothing,
    Int(i64),
    Text { start: usize, len: usize },
}

impl Texts {
    fn push(&mut self, value: Option<Value<'_>>) {
        self.items.push(match value {
            None => Item::Nothing,
            Some(Value::Int(number)) => Item::Int(number),
            Some(value) => {
                let start = self.bytes.len();
                value.with_bytes(|bytes| self.bytes.extend_from_slice(bytes));
                Item::Text { start, len: self.bytes.len().saturating_sub(start) }
            }
        });
    }

    fn iter(&self) -> impl Iterator<Item = Option<Value<'_>>> {
        self.items.iter().map(|item| match *item {
            Item::Nothing => None,
            Item::Int(number) => Some(Value::Int(number)),
            Item::Text { start, len } => {
                let bytes = self.bytes.get(start..).and_then(|bytes| bytes.get(..len));
                bytes.map(Value::Bytes)
            }
        })
    }
}

pub(super) fn carry_out(plan: &Plan<'_>, ctx: &mut Context<'_>) -> Outcome {
    let is_bound = !matches!(ctx.shards, Shards::None) && !ctx.holds_all();
    let work = work(plan, ctx)?;
    if is_bound && work > MANY {
        return Err(Failure::Walk);
    }
    if is_bound && work > FEW {
        ctx.require(all_shards())?;
    }
    ctx.allow_work(work)?;
    let (copied, by, is_alpha) = copy(plan, ctx)?;
    let elements: Vec<Value<'_>> = copied.iter().flatten().collect();
    let require = |ctx: &Context<'_>, elements: &[Value<'_>]| {
        if is_bound { ctx.require(&shards_of(plan, ctx, elements)) } else { Ok(()) }
    };
    let chosen = match by {
        By::Made(pattern) => {
            require(ctx, &elements)?;
            let mut texts = Texts::default();
            let weights = weights(plan, ctx, &pattern, &elements, &mut texts)?;
            plan.ordered(&elements, &weights)?
        }
        By::Element => plan.ordered(&elements, &Weights::own(is_alpha))?,
        By::Place => elements,
    };
    require(ctx, &chosen)?;
    count_read(plan, ctx)?;
    put_out(plan, ctx, &chosen)
}

/// Elements and lookups.
fn work(plan: &Plan<'_>, ctx: &mut Context<'_>) -> Result<usize, Failure> {
    let (key, db, now_ms) = (ctx.key(0), ctx.db, ctx.now_ms);
    let mut shard = ctx.shard(key.shard())?;
    let form = shard.db(db).get(&key, now_ms).map(|entry| Entry::form_of(&entry));
    let len = Source::of(form, now_ms)?.len();
    Ok(plan.lookups(len).saturating_add(len))
}

/// Copies the elements, or the window where they lie in their order. Also what they are ordered by,
/// and whether as texts.
fn copy<'a>(plan: &Plan<'a>, ctx: &mut Context<'_>) -> Result<(Texts, By<'a>, bool), Failure> {
    let (key, db, now_ms) = (ctx.key(0), ctx.db, ctx.now_ms);
    let mut shard = ctx.shard(key.shard())?;
    let form = shard.db(db).get(&key, now_ms).map(|entry| Entry::form_of(&entry));
    let source = Source::of(form, now_ms)?;
    let (by, is_alpha) = plan.order_of(source);
    let mut opened = Opened::new();
    let elements = match by {
        By::Place => plan.placed(source, &mut opened),
        _ => source.all(&mut opened),
    };
    let mut copied = Texts { bytes: Vec::new(), items: Vec::with_capacity(elements.len()) };
    elements.into_iter().for_each(|element| copied.push(Some(element)));
    Ok((copied, by, is_alpha))
}

/// Counts the look at the key itself, which came several times.
fn count_read(plan: &Plan<'_>, ctx: &mut Context<'_>) -> Outcome {
    if !plan.stores {
        let (key, db, now_ms) = (ctx.key(0), ctx.db, ctx.now_ms);
        let counts = ctx.reads.note();
        ctx.shard(key.shard())?.db(db).read_if(counts, &key, now_ms);
    }
    Ok(())
}

/// The shards of all keys that the elements may lead to, and of the command's own.
fn shards_of(plan: &Plan<'_>, ctx: &Context<'_>, elements: &[Value<'_>]) -> Vec<u16> {
    let mut numbers: Vec<u16> = ctx.keys.iter().map(KeyAt::shard).collect();
    let by = match &plan.by {
        By::Made(pattern) => Some(pattern),
        _ => None,
    };
    let mut name = Vec::new();
    for pattern in by.into_iter().chain(plan.made_gets()) {
        for element in elements {
            pattern.make(*element, &mut name);
            numbers.push(ctx.keyspace.key(&name).shard());
        }
    }
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// What BY's keys say of the elements. As in Redis, a number that nobody says is zero.
fn weights<'t>(
    plan: &Plan<'_>,
    ctx: &mut Context<'_>,
    pattern: &Pattern<'_>,
    elements: &[Value<'_>],
    texts: &'t mut Texts,
) -> Result<Weights<'t>, Failure> {
    let mut name = Vec::new();
    if plan.is_alpha {
        for element in elements {
            look_up(ctx, pattern, *element, &mut name, |said, _| texts.push(said.value))?;
        }
        return Ok(Weights::Texts(texts.iter().collect()));
    }
    let mut numbers = Vec::with_capacity(elements.len());
    for element in elements {
        let number = look_up(ctx, pattern, *element, &mut name, |said, _| {
            said.value.map_or(Ok(0.0), number)
        })?;
        numbers.push(number?);
    }
    Ok(Weights::Numbers(numbers))
}

/// What a key says of an element.
struct Said<'s> {
    value: Option<Value<'s>>,
    /// The entry, where the value is all of it.
    entry: Option<&'s Entry>,
}

/// Calls `with` with what the key that a pattern makes of an element says, and the reply.
fn look_up<R>(
    ctx: &mut Context<'_>,
    pattern: &Pattern<'_>,
    element: Value<'_>,
    name: &mut Vec<u8>,
    with: impl FnOnce(Said<'_>, &mut Reply<'_>) -> R,
) -> Result<R, Failure> {
    pattern.make(element, name);
    let (key, db, now_ms) = (ctx.keyspace.key(name), ctx.db, ctx.now_ms);
    let counts = ctx.reads.note();
    let (mut shard, reply) = ctx.reach(key.shard())?;
    let entry = shard.db(db).read_if(counts, &key, now_ms);
    let form = entry.as_ref().map(Entry::form_of);
    let with = |value, entry| Ok(with(Said { value, entry }, reply));
    match (pattern.field, form) {
        (None, Some(Form::String(value))) => with(Some(value), entry.as_deref()),
        (Some(field), Some(Form::PackedHash(run))) => {
            let found = packed::hash::find(run, Value::of(field));
            let living = found.filter(|field| field.expires_at.is_none_or(|at| at > now_ms));
            with(living.map(|field| field.value), None)
        }
        (Some(field), Some(Form::Hash(hash))) => {
            let found = hash.get(field, now_ms);
            with(found.as_ref().map(|field| Value::Bytes(field.value())), None)
        }
        _ => with(None, None),
    }
}

/// Replies or stores what is asked for in the elements' place.
fn put_out(plan: &Plan<'_>, ctx: &mut Context<'_>, chosen: &[Value<'_>]) -> Outcome {
    if !plan.stores {
        ctx.reply.array(chosen.len().saturating_mul(plan.width()));
        return put_all(plan, ctx, chosen, &mut Sink::Reply);
    }
    let (destination, db, now_ms) = (ctx.key(1), ctx.db, ctx.now_ms);
    let mut entry = Lists::empty(destination.bytes, None);
    if let Some(list) = Lists::edit(&mut entry, ctx.rules()) {
        put_all(plan, ctx, chosen, &mut Sink::List(list))?;
    }
    let count = entry.form().len();
    ctx.shard(destination.shard())?.db(db).store(&destination, entry, count as u64, now_ms);
    ctx.reply.count(count);
    Ok(())
}

fn put_all(
    plan: &Plan<'_>,
    ctx: &mut Context<'_>,
    chosen: &[Value<'_>],
    sink: &mut Sink<'_>,
) -> Outcome {
    let mut name = Vec::new();
    for element in chosen {
        if plan.gets.is_empty() {
            sink.put(&mut ctx.reply, Some(*element));
        }
        for get in &plan.gets {
            match get {
                Get::Element => sink.put(&mut ctx.reply, Some(*element)),
                Get::Nothing => sink.put(&mut ctx.reply, None),
                Get::Made(pattern) => {
                    look_up(ctx, pattern, *element, &mut name, |said, reply| {
                        match (&sink, said.entry) {
                            // A large one goes out by reference.
                            (Sink::Reply, Some(entry)) => reply_string(reply, entry),
                            _ => {
                                sink.put(reply, said.value);
                                Ok(())
                            }
                        }
                    })??;
                }
            }
        }
    }
    Ok(())
}
