//! SORT and SORT_RO: the elements of a list, set or sorted set in an order, by themselves or by
//! what other keys say (`BY`), and what other keys say in their place (`GET`).
//!
//! ```text
//! words ──> Plan ──> elements ──> their order (order.rs) ──> a reply, or a list to store
//!                        └─ patterns.rs: keys made of elements, copied.rs: what they hold ─┘
//! ```
//!
//! Without patterns nothing is borrowed but the key and the destination, and the elements of a
//! small collection are references into it. `copied.rs` tells of many elements and of patterns.

use std::ops::Range;

use protocol::number::parse_i64;
use protocol::reply::Reply;
use values::list::End;
use values::typed::{ListMut, Lists, Type};
use values::{Entry, Value};

mod copied;
mod elements;
mod order;
mod patterns;

use self::elements::{Opened, Source};
use self::order::{Weights, order};
use self::patterns::{Get, Pattern};
use crate::context::reply_value;
use crate::spec::arguments::{Argument, block, integer, key, oneof, pattern, token};
use crate::spec::{Access, Find, Flags, Group, KeySpec};
use crate::{Command, Context, Failure, Handler, Outcome, Shards};

/// Bytes of a collection up to which it is copied, lest others wait for its shard.
const COPIED_MAX: usize = 256 * 1024 * 1024;

/// The arguments of both; the destination is SORT's alone.
const ARGUMENTS: &[Argument] = &[
    key("key"),
    pattern("by-pattern").shown("pattern").after("BY").opt().in_spec(1),
    block("limit").after("LIMIT").opt().of(&[integer("offset"), integer("count")]),
    pattern("get-pattern").shown("pattern").after("GET").opt().many_with_token().in_spec(1),
    oneof("order").opt().of(&[token("ASC"), token("DESC")]),
    token("ALPHA").named("sorting").opt(),
    key("destination").after("STORE").opt().in_spec(2),
];

const ARGUMENTS_RO: &[Argument] = match ARGUMENTS.split_last() {
    Some((_, others)) => others,
    None => &[],
};

const KEY: KeySpec = KeySpec::one(Access::READ);
const PATTERNS: KeySpec = KeySpec::unknown(Find::Made, Access::READ)
    .notes("The keys of BY and GET are made of elements, so no words name them.");
const DESTINATION: KeySpec = KeySpec::unknown(Find::SortStore, Access::OVERWRITE)
    .notes("STORE and its key may stand anywhere behind the first key.");
const TIME: &str = "O(N+M*log(M)) with N elements and M of them in the reply, O(N) if unsorted";

/// The rows of this family.
pub static COMMANDS: &[Command<Handler>] = &[
    Command::<Handler>::new("sort", -2, sort)
        .flags(Flags::WRITE.union(Flags::DENYOOM))
        .keys(&[KEY, PATTERNS, DESTINATION])
        .docs(Group::Generic, "1.0.0", "Sorts the elements of a list, set or sorted set.")
        .complexity(TIME)
        .category("set")
        .categories(&["sortedset", "list", "dangerous"])
        .args(ARGUMENTS),
    Command::<Handler>::new("sort_ro", -2, sort_ro)
        .flags(Flags::READONLY)
        .keys(&[KEY, PATTERNS])
        .docs(Group::Generic, "7.0.0", "Sorts the elements of a list, set or sorted set.")
        .complexity(TIME)
        .category("set")
        .categories(&["sortedset", "list", "dangerous"])
        .args(ARGUMENTS_RO),
];

fn sort(ctx: &mut Context<'_>) -> Outcome {
    let plan = Plan::parse(ctx.args.from(2), true)?;
    plan.carry_out(ctx)
}

fn sort_ro(ctx: &mut Context<'_>) -> Outcome {
    let plan = Plan::parse(ctx.args.from(2), false)?;
    plan.carry_out(ctx)
}

/// What elements are ordered by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By<'a> {
    /// Themselves.
    Element,
    /// The places where they lie.
    Place,
    /// What other keys say of them.
    Made(Pattern<'a>),
}

/// What is asked for.
#[derive(PartialEq, Eq, Debug)]
struct Plan<'a> {
    by: By<'a>,
    gets: Vec<Get<'a>>,
    is_alpha: bool,
    is_descending: bool,
    offset: i64,
    /// A negative one is all.
    count: i64,
    stores: bool,
}

impl<'a> Plan<'a> {
    /// Reads the words behind the key.
    fn parse(mut words: impl Iterator<Item = &'a [u8]>, may_store: bool) -> Result<Self, Failure> {
        let mut plan = Self {
            by: By::Element,
            gets: Vec::new(),
            is_alpha: false,
            is_descending: false,
            offset: 0,
            count: -1,
            stores: false,
        };
        while let Some(word) = words.next() {
            let mut next = || words.next().ok_or(Failure::Syntax);
            match word.to_ascii_lowercase().as_slice() {
                b"asc" => plan.is_descending = false,
                b"desc" => plan.is_descending = true,
                b"alpha" => plan.is_alpha = true,
                b"limit" => {
                    let (offset, count) = (next()?, next()?);
                    plan.offset = parse_i64(offset).ok_or(Failure::NotInteger)?;
                    plan.count = parse_i64(count).ok_or(Failure::NotInteger)?;
                }
                b"by" => plan.set_by(next()?),
                b"get" => plan.gets.push(Get::of(next()?)),
                b"store" if may_store => {
                    next()?;
                    plan.stores = true;
                }
                _ => return Err(Failure::Syntax),
            }
        }
        Ok(plan)
    }

    /// As in Redis, one BY without a star is enough to leave the elements where they are.
    fn set_by(&mut self, word: &'a [u8]) {
        self.by = match Pattern::of(word) {
            Some(pattern) if self.by != By::Place => By::Made(pattern),
            _ => By::Place,
        };
    }

    /// The patterns of GET that make keys.
    fn made_gets(&self) -> impl Iterator<Item = &Pattern<'a>> {
        self.gets.iter().filter_map(|get| match get {
            Get::Made(pattern) => Some(pattern),
            _ => None,
        })
    }

    /// How many keys are looked at for so many elements.
    fn lookups(&self, elements: usize) -> usize {
        let by = if matches!(self.by, By::Made(_)) { elements } else { 0 };
        let window = self.window(elements).len();
        self.made_gets().count().saturating_mul(window).saturating_add(by)
    }

    /// The places that are asked for, of so many.
    fn window(&self, len: usize) -> Range<usize> {
        let start = usize::try_from(self.offset.max(0)).unwrap_or(usize::MAX).min(len);
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        start..start.saturating_add(count).min(len)
    }

    /// How a collection is sorted. What is stored of an unsorted set is the same each time, so it
    /// is sorted by its members' texts then.
    fn order_of(&self, source: Source<'_>) -> (By<'a>, bool) {
        match self.by {
            By::Place if self.stores && source.is_set() => (By::Element, true),
            by => (by, self.is_alpha),
        }
    }

    /// How many elements come out for each in the window.
    fn width(&self) -> usize {
        self.gets.len().max(1)
    }

    fn carry_out(&self, ctx: &mut Context<'_>) -> Outcome {
        let makes_keys = matches!(self.by, By::Made(_)) || self.made_gets().next().is_some();
        let is_free = matches!(ctx.shards, Shards::None);
        if makes_keys || is_free { copied::carry_out(self, ctx) } else { self.carry_out_here(ctx) }
    }

    /// Sorts what no other key says anything of, in the shard that it lies in.
    fn carry_out_here(&self, ctx: &mut Context<'_>) -> Outcome {
        let (key, now_ms, budget, rules) = (ctx.key(0), ctx.now_ms, ctx.budget(), ctx.rules());
        let destination = self.stores.then(|| ctx.key(1));
        // As in Redis, a look to store is not counted as a read.
        let counts = !self.stores && ctx.reads.note();
        let (db, reply) = ctx.open(&key);
        let entry = db.read_if(counts, &key, now_ms);
        let source = Source::of(entry.map(|entry| Entry::form_of(&entry)), now_ms)?;
        if budget.allow(source.len()).is_err() {
            // What is stored must be what was there at that time, so its shards are kept.
            let copies = !self.stores && source.memory() <= COPIED_MAX;
            return Err(if copies { Failure::Walk } else { Failure::Detach });
        }
        let mut opened = Opened::new();
        let chosen = self.chosen(source, &mut opened)?;
        let Some(destination) = destination else {
            reply.array(chosen.len().saturating_mul(self.width()));
            chosen.iter().for_each(|element| self.put(*element, &mut Sink::Reply, reply));
            return Ok(());
        };
        let mut entry = Lists::empty(destination.bytes, None);
        if let Some(list) = Lists::edit(&mut entry, rules) {
            let mut sink = Sink::List(list);
            chosen.iter().for_each(|element| self.put(*element, &mut sink, reply));
        }
        let count = entry.form().len();
        // As in Redis, each element that is stored is a change.
        ctx.store_counted(&destination, entry, count as u64);
        ctx.reply.count(count);
        Ok(())
    }

    /// The elements in the window, in their order.
    fn chosen<'e>(
        &self,
        source: Source<'e>,
        opened: &'e mut Opened,
    ) -> Result<Vec<Value<'e>>, Failure> {
        match self.order_of(source) {
            (By::Place, _) => Ok(self.placed(source, opened)),
            (_, is_alpha) => self.ordered(&source.all(opened), &Weights::own(is_alpha)),
        }
    }

    /// The elements in the window, where they lie in their order.
    fn placed<'e>(&self, source: Source<'e>, opened: &'e mut Opened) -> Vec<Value<'e>> {
        source.window(self.window(source.len()), self.is_descending, opened)
    }

    /// Those of the elements that come in the window when they are in their order.
    fn ordered<'e>(
        &self,
        elements: &[Value<'e>],
        weights: &Weights<'_>,
    ) -> Result<Vec<Value<'e>>, Failure> {
        let window = self.window(elements.len());
        let chosen = order(elements, weights, self.is_descending, window)?;
        Ok(chosen.into_iter().filter_map(|index| elements.get(index).copied()).collect())
    }

    /// Puts out what is asked for in an element's place, where no key says it.
    fn put(&self, element: Value<'_>, sink: &mut Sink<'_>, reply: &mut Reply<'_>) {
        if self.gets.is_empty() {
            sink.put(reply, Some(element));
        }
        for get in &self.gets {
            sink.put(reply, (*get == Get::Element).then_some(element));
        }
    }
}

/// Where results go.
enum Sink<'s> {
    /// To the client.
    Reply,
    /// Into a list that is to be stored.
    List(ListMut<'s>),
}

impl Sink<'_> {
    /// A list has an empty text in the place of nothing.
    fn put(&mut self, reply: &mut Reply<'_>, value: Option<Value<'_>>) {
        match (self, value) {
            (Self::Reply, Some(value)) => reply_value(reply, value),
            (Self::Reply, None) => reply.null(),
            (Self::List(list), value) => list.push(End::Back, value.unwrap_or(Value::Bytes(b""))),
        }
    }
}

/// The index of SORT's destination among the words of a call: behind the last STORE that is none
/// of the others' values.
pub(crate) fn destination<'a>(words: usize, word: impl Fn(usize) -> &'a [u8]) -> Option<usize> {
    let (mut index, mut found) = (2_usize, None);
    while index < words {
        let values = match word(index).to_ascii_lowercase().as_slice() {
            b"limit" => 2,
            b"by" | b"get" => 1,
            b"store" => {
                found = index.checked_add(1).filter(|at| *at < words).or(found);
                1
            }
            _ => 0,
        };
        index = index.saturating_add(values).saturating_add(1);
    }
    found
}

#[cfg(test)]
mod tests;
