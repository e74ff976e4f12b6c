//! The pending entries of a group: chunks in the order of their ids, and who has entries in which.
//!
//! ```text
//! chunks      5-0 ─> [5-0 5-1 6-0]   9-0 ─> [9-3 9-4]      key: no id of the chunk is smaller
//! ages        (1000, 5-0) (1007, 9-0)                      chunks by their earliest delivery
//! consumers   alice: 5-0 (2)          bob: 5-0 (1), 9-0 (2)
//! ```
//!
//! A consumer does not list its entries but the chunks where it has some, and how many: two bytes
//! for each entry, not sixteen. An entry that nobody owns (XNACK) has a number of its queue in the
//! place of its time.
//!
//! Invariants: no chunk is empty; every id of a chunk is at least its key and below the next one;
//! `ages` has each chunk once, and no owned entry of it was delivered before that; what consumers
//! count is what there is.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::Bound::{self, Excluded, Unbounded};

use super::chunk::{Chunk, FULL};
use super::consumers::Consumers;
use super::{Delivery, Owner};
use crate::stream::Id;

/// A chunk with fewer entries joins the one before it, if that has room.
const SPARSE: usize = FULL / 4;

/// Two chunks become one if it has no more entries than this.
const JOINED_MAX: usize = FULL * 3 / 4;

/// The pending entries of a group.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    chunks: BTreeMap<Id, Chunk>,
    ages: BTreeSet<(u64, Id)>,
    len: usize,
}

impl Pending {
    /// Entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The entry with the smallest id.
    pub fn first(&self) -> Option<Id> {
        self.chunks.first_key_value()?.1.first()
    }

    /// The entry with the largest id.
    pub fn last(&self) -> Option<Id> {
        self.chunks.last_key_value()?.1.last()
    }

    /// What is known of an entry.
    pub fn get(&self, id: Id) -> Option<Delivery> {
        let (_, chunk) = self.chunks.range(..=id).next_back()?;
        chunk.get(chunk.position(id).ok()?)
    }

    /// The entries between two, both of which belong to them.
    pub fn range(&self, from: Id, to: Id) -> impl Iterator<Item = (Id, Delivery)> {
        let start = self.chunks.range(..=from).next_back().map_or(from, |(key, _)| *key);
        // Whoever asks for a range that ends before it begins gets nothing, not a panic.
        let chunks = self.chunks.range(start.min(to)..=to.max(start));
        let entries = chunks.flat_map(move |(key, chunk)| entries_from(*key, chunk, from));
        entries.take_while(move |(id, _)| *id <= to)
    }

    /// The entries of one chunk from an id on.
    pub fn chunk_from(&self, key: Id, from: Id) -> impl Iterator<Item = (Id, Delivery)> {
        self.chunks.get(&key).into_iter().flat_map(move |chunk| entries_from(key, chunk, from))
    }

    /// Adds entries that were delivered together, or changes them if they are there; their ids
    /// ascend.
    pub fn deliver(&mut self, consumers: &mut Consumers, ids: &[Id], delivery: Delivery) {
        let Some(first) = ids.first() else { return };
        if self.last().is_none_or(|last| last < *first) {
            self.append(consumers, ids, delivery);
        } else {
            ids.iter().for_each(|id| _ = self.set(consumers, *id, delivery));
        }
    }

    /// Adds entries behind all others.
    fn append(&mut self, consumers: &mut Consumers, ids: &[Id], delivery: Delivery) {
        let mut left = ids;
        if let Some(mut chunk) = self.chunks.last_entry() {
            let room = FULL.saturating_sub(chunk.get().len()).min(left.len());
            let (here, rest) = left.split_at(room);
            if !here.is_empty() {
                chunk.get_mut().append(here, delivery);
                let key = *chunk.key();
                self.added(consumers, key, here.len(), delivery);
                left = rest;
            }
        }
        for here in left.chunks(FULL) {
            self.new_chunk(consumers, here, delivery);
        }
    }

    fn new_chunk(&mut self, consumers: &mut Consumers, ids: &[Id], delivery: Delivery) {
        let Some(key) = ids.first().copied() else { return };
        let chunk = Chunk::new(ids, delivery);
        self.ages.insert((chunk.earliest, key));
        self.chunks.insert(key, chunk);
        self.added(consumers, key, ids.len(), delivery);
    }

    /// Counts entries that a chunk has got.
    fn added(&mut self, consumers: &mut Consumers, key: Id, entries: usize, delivery: Delivery) {
        self.len += entries;
        consumers.add(delivery.owner, key, entries);
        self.may_be_earliest(key, delivery.owned_since());
    }

    /// Moves a chunk forward in the order of ages if an entry of it is older than all were.
    fn may_be_earliest(&mut self, key: Id, time: u64) {
        if let Some(chunk) = self.chunks.get_mut(&key)
            && time < chunk.earliest
        {
            self.ages.remove(&(chunk.earliest, key));
            chunk.earliest = time;
            self.ages.insert((time, key));
        }
    }

    /// Sets what is known of an entry, which is added if it is not there. Returns what was.
    pub fn set(
        &mut self,
        consumers: &mut Consumers,
        id: Id,
        delivery: Delivery,
    ) -> Option<Delivery> {
        let Some((key, chunk)) = self.chunks.range_mut(..=id).next_back() else {
            self.new_chunk(consumers, &[id], delivery);
            return None;
        };
        let key = *key;
        match chunk.position(id) {
            Ok(index) => {
                let old = chunk.replace(index, delivery)?;
                if old.owner != delivery.owner {
                    consumers.subtract(old.owner, key, 1);
                    consumers.add(delivery.owner, key, 1);
                }
                self.may_be_earliest(key, delivery.owned_since());
                Some(old)
            }
            Err(index) if chunk.len() < FULL => {
                chunk.insert(index, id, delivery);
                self.added(consumers, key, 1, delivery);
                None
            }
            // Whoever adds many does so in ascending order, so the chunk behind will be filled.
            Err(index) if index == chunk.len() => {
                self.new_chunk(consumers, &[id], delivery);
                None
            }
            Err(_) => {
                self.split(consumers, key);
                self.set(consumers, id, delivery)
            }
        }
    }

    /// Makes two chunks of one.
    fn split(&mut self, consumers: &mut Consumers, key: Id) {
        let Some(chunk) = self.chunks.get_mut(&key) else { return };
        let behind = chunk.split_off(chunk.len() / 2);
        let Some(behind_key) = behind.first() else { return };
        for (owner, entries) in behind.owners() {
            consumers.subtract(owner, key, entries);
            consumers.add(owner, behind_key, entries);
        }
        self.ages.insert((behind.earliest, behind_key));
        self.chunks.insert(behind_key, behind);
    }

    /// Takes an entry out.
    pub fn remove(&mut self, consumers: &mut Consumers, id: Id) -> Option<Delivery> {
        let (key, chunk) = self.chunks.range_mut(..=id).next_back()?;
        let key = *key;
        let delivery = chunk.remove(chunk.position(id).ok()?)?;
        let left = chunk.len();
        consumers.subtract(delivery.owner, key, 1);
        self.len -= 1;
        // Not after each removal: this looks at the chunk before.
        if left == 0 || (left < SPARSE && left.is_power_of_two()) {
            self.settle(consumers, key);
        }
        Some(delivery)
    }

    /// Takes entries out; ids that ascend cost least. Returns how many there were.
    pub fn remove_all(&mut self, consumers: &mut Consumers, ids: &[Id]) -> usize {
        let before = self.len;
        let mut left = ids;
        while let Some((first, rest)) = left.split_first() {
            let chunk = self.chunks.range_mut(..=*first).next_back();
            let Some((key, chunk)) = chunk.filter(|(_, chunk)| chunk.last() >= Some(*first)) else {
                left = rest;
                continue;
            };
            let last = chunk.last();
            let follows = |pair: &&[Id]| pair[0] < pair[1] && Some(pair[1]) <= last;
            let run = 1 + left.windows(2).take_while(follows).count();
            let (here, behind) = left.split_at(run);
            let (key, len) = (*key, &mut self.len);
            chunk.remove_all(here, |delivery, entries| {
                *len -= entries;
                consumers.subtract(delivery.owner, key, entries);
            });
            self.settle(consumers, key);
            left = behind;
        }
        before - self.len
    }

    /// Takes all entries of a consumer out.
    pub fn remove_of(&mut self, consumers: &mut Consumers, owner: Owner) {
        let keys: Vec<(Id, usize)> = consumers.chunks_of(owner).collect();
        for (key, entries) in keys {
            if let Some(chunk) = self.chunks.get_mut(&key) {
                chunk.remove_of(owner);
                self.len -= entries;
                consumers.subtract(owner, key, entries);
                self.settle(consumers, key);
            }
        }
    }

    /// Removes a chunk that is empty, and joins one that is nearly so with the one before it.
    fn settle(&mut self, consumers: &mut Consumers, key: Id) {
        let Some(chunk) = self.chunks.get_mut(&key) else { return };
        let len = chunk.len();
        if len >= SPARSE {
            return;
        }
        chunk.shrink();
        let earliest = chunk.earliest;
        let before = self.chunks.range(..key).next_back();
        let joins = before.filter(|(_, chunk)| chunk.len() + len <= JOINED_MAX);
        let joins = joins.map(|(key, _)| *key).filter(|_| len > 0);
        if len > 0 && joins.is_none() {
            return;
        }
        self.ages.remove(&(earliest, key));
        let gone = self.chunks.remove(&key);
        let (Some(before), Some(gone)) = (joins, gone) else { return };
        for (owner, entries) in gone.owners() {
            consumers.subtract(owner, key, entries);
            consumers.add(owner, before, entries);
        }
        self.may_be_earliest(before, gone.earliest);
        if let Some(chunk) = self.chunks.get_mut(&before) {
            chunk.absorb(&gone);
        }
    }

    /// The entries that were delivered longest ago: at most `count` of those which somebody owns,
    /// which were not delivered after `until`, and which `is_there` says are there; in the order
    /// of their times, then of their ids.
    pub fn oldest(
        &mut self,
        until: u64,
        count: usize,
        mut is_there: impl FnMut(Id) -> bool,
    ) -> Vec<(Id, Delivery)> {
        // The youngest of those found is at the top, for an older one to take its place.
        let mut found: BinaryHeap<(u64, Id, u64, Owner)> = BinaryHeap::new();
        let is_older = |found: &BinaryHeap<_>, time: u64, id: Id| {
            let youngest: Option<&(u64, Id, u64, Owner)> = found.peek();
            found.len() < count || youngest.is_some_and(|other| (time, id) < (other.0, other.1))
        };
        let mut at = Unbounded;
        while let Some((earliest, key)) = self.next_by_age(at, until) {
            // Nothing in this chunk or in one behind it is older than its age, and then its key.
            if !is_older(&found, earliest, key) {
                break;
            }
            at = Excluded((earliest, key));
            for (id, delivery) in self.chunks.get(&key).into_iter().flat_map(Chunk::iter) {
                let Delivery { owner, time, count: deliveries } = delivery;
                let may_be = owner != Owner::NOBODY && time <= until;
                if may_be && is_older(&found, time, id) && is_there(id) {
                    found.push((time, id, deliveries, owner));
                    if found.len() > count {
                        found.pop();
                    }
                }
            }
        }
        let found = found.into_sorted_vec().into_iter();
        found.map(|(time, id, count, owner)| (id, Delivery { owner, time, count })).collect()
    }

    /// The chunk behind a place in the order of ages, if anything in it was delivered until a time.
    /// What was claimed or acknowledged since may have left a chunk too far in front; it moves to
    /// its place now.
    fn next_by_age(&mut self, behind: Bound<(u64, Id)>, until: u64) -> Option<(u64, Id)> {
        loop {
            let (earliest, key) = *self.ages.range((behind, Unbounded)).next()?;
            if earliest > until {
                return None;
            }
            let chunk = self.chunks.get_mut(&key)?;
            let exact = chunk.exact_earliest();
            if exact == earliest {
                return Some((earliest, key));
            }
            chunk.earliest = exact;
            self.ages.remove(&(earliest, key));
            self.ages.insert((exact, key));
        }
    }

    /// Bytes of memory, about.
    pub fn memory(&self) -> usize {
        let per_chunk = size_of::<(Id, Chunk)>() + size_of::<(u64, Id)>();
        let chunks: usize = self.chunks.values().map(Chunk::memory).sum();
        chunks + self.chunks.len() * per_chunk
    }

    #[cfg(test)]
    pub fn check(&self, consumers: &Consumers) {
        let mut len = 0;
        let mut counted = BTreeMap::new();
        let mut previous = None;
        for (key, chunk) in &self.chunks {
            chunk.check();
            assert!(chunk.len() > 0, "no chunk is empty");
            assert!(chunk.first() >= Some(*key), "keys are below ids");
            assert!(previous < Some(*key), "ids are below the next key");
            assert!(self.ages.contains(&(chunk.earliest, *key)), "a chunk has its age");
            previous = chunk.last();
            len += chunk.len();
            for (owner, entries) in chunk.owners() {
                *counted.entry((owner, *key)).or_insert(0) += entries;
            }
        }
        assert_eq!(len, self.len);
        assert_eq!(self.ages.len(), self.chunks.len());
        counted.retain(|(owner, _), _| *owner != Owner::NOBODY);
        assert_eq!(consumers.counted(), counted, "consumers count what there is");
    }
}

/// The entries of a chunk from an id on, which may be before its key.
fn entries_from(key: Id, chunk: &Chunk, from: Id) -> super::chunk::Entries<'_> {
    let index = if from <= key { 0 } else { chunk.position(from).unwrap_or_else(|index| index) };
    chunk.iter_from(index)
}
