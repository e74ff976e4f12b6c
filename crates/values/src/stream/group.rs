//! Consumer groups of a stream: who has got which entries and has not acknowledged them.
//!
//! ```text
//! Groups ─> Group ─┬─ last delivered id, entries read
//!                  ├─ consumers    by name, by number             consumers.rs
//!                  ├─ pending      entries by id, packed          pending.rs, chunk.rs
//!                  └─ released     entries that nobody owns (XNACK), in the order of their release
//! ```

use std::collections::BTreeMap;

use super::Id;

mod chunk;
mod consumers;
mod pending;

use self::consumers::Consumers;
use self::pending::Pending;

pub use self::consumers::Consumer;

/// The number of a consumer within its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner(u32);

impl Owner {
    /// The owner of what was released and not claimed since.
    pub const NOBODY: Self = Self(u32::MAX);
}

/// What is known of a pending entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Who has it.
    pub owner: Owner,
    /// When it was delivered last, in milliseconds of Unix time; that of an entry which nobody owns
    /// is its place in the queue of those.
    time: u64,
    /// How often it was delivered.
    pub count: u64,
}

impl Delivery {
    /// A delivery to a consumer.
    pub fn new(owner: Owner, time_ms: u64, count: u64) -> Self {
        Self { owner, time: time_ms, count }
    }

    /// When it was delivered last, in milliseconds of Unix time; 0 if nobody owns it.
    pub fn time_ms(&self) -> u64 {
        if self.owner == Owner::NOBODY { 0 } else { self.time }
    }

    /// The same, but later than all times if nobody owns it.
    fn owned_since(&self) -> u64 {
        if self.owner == Owner::NOBODY { u64::MAX } else { self.time }
    }
}

/// The consumer groups of a stream.
#[derive(Clone, Debug, Default)]
pub struct Groups(BTreeMap<Box<[u8]>, Box<Group>>);

impl Groups {
    /// Groups.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no group.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A group by its name.
    pub fn get(&self, name: &[u8]) -> Option<&Group> {
        self.0.get(name).map(Box::as_ref)
    }

    /// A group to change.
    pub fn get_mut(&mut self, name: &[u8]) -> Option<&mut Group> {
        self.0.get_mut(name).map(Box::as_mut)
    }

    /// The groups in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &Group)> {
        self.0.iter().map(|(name, group)| (name.as_ref(), group.as_ref()))
    }

    /// Adds a group; returns whether there was none of this name.
    pub fn create(&mut self, name: &[u8], last_id: Id, entries_read: Option<u64>) -> bool {
        let is_new = !self.0.contains_key(name);
        if is_new {
            self.0.insert(name.into(), Box::new(Group::new(last_id, entries_read)));
        }
        is_new
    }

    /// Removes a group.
    pub fn remove(&mut self, name: &[u8]) -> Option<Box<Group>> {
        self.0.remove(name)
    }

    /// Takes an entry out of the pending ones of all groups. Returns in how many it was.
    pub fn forget(&mut self, id: Id) -> usize {
        self.0.values_mut().filter_map(|group| group.remove(id)).count()
    }

    /// Whether some group has not acknowledged an entry, or has not got it yet.
    pub fn is_needed(&self, id: Id) -> bool {
        self.0.values().any(|group| group.last_id < id || group.get(id).is_some())
    }

    /// Pending entries of all groups.
    pub fn pending(&self) -> usize {
        self.0.values().map(|group| group.pending()).sum()
    }

    /// Bytes of memory, about.
    pub fn memory(&self) -> usize {
        self.iter().map(|(name, group)| name.len() + group.memory()).sum()
    }
}

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group {
    /// The last entry that it has delivered; what is behind it is new to the group.
    pub last_id: Id,
    /// Entries that the group has read since the stream's first one, if that is known.
    pub entries_read: Option<u64>,
    consumers: Consumers,
    pending: Pending,
    /// Entries that nobody owns, by their places in the queue.
    released: BTreeMap<u64, Id>,
}

impl Group {
    fn new(last_id: Id, entries_read: Option<u64>) -> Self {
        Self {
            last_id,
            entries_read,
            consumers: Consumers::default(),
            pending: Pending::default(),
            released: BTreeMap::new(),
        }
    }

    /// The consumers in the order of their names.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.consumers.iter().flatten()
    }

    /// Consumers.
    pub fn consumer_count(&self) -> usize {
        self.consumers.len()
    }

    /// A consumer by its number.
    pub fn consumer(&self, owner: Owner) -> Option<&Consumer> {
        self.consumers.get(owner)
    }

    /// A consumer to change.
    pub fn consumer_mut(&mut self, owner: Owner) -> Option<&mut Consumer> {
        self.consumers.get_mut(owner)
    }

    /// The name of a consumer; that of nobody is empty.
    pub fn name_of(&self, owner: Owner) -> &[u8] {
        self.consumer(owner).map_or(&[], Consumer::name)
    }

    /// The number of a consumer.
    pub fn find_consumer(&self, name: &[u8]) -> Option<Owner> {
        self.consumers.find(name)
    }

    /// Adds a consumer; `None` if there is one of this name.
    pub fn create_consumer(&mut self, name: &[u8], now_ms: u64) -> Option<Owner> {
        self.consumers.create(name, now_ms)
    }

    /// Removes a consumer with its pending entries. Returns how many these were; `None` if there is
    /// no such consumer.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let owner = self.consumers.find(name)?;
        let pending = self.consumer(owner)?.pending();
        self.pending.remove_of(&mut self.consumers, owner);
        self.consumers.remove(owner);
        Some(pending)
    }

    /// Pending entries.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The pending entry with the smallest id.
    pub fn first_pending(&self) -> Option<Id> {
        self.pending.first()
    }

    /// The pending entry with the largest id.
    pub fn last_pending(&self) -> Option<Id> {
        self.pending.last()
    }

    /// What is known of a pending entry.
    pub fn get(&self, id: Id) -> Option<Delivery> {
        self.pending.get(id)
    }

    /// The pending entries between two, both of which belong to them.
    pub fn range(&self, from: Id, to: Id) -> impl Iterator<Item = (Id, Delivery)> {
        self.pending.range(from, to)
    }

    /// Those of one consumer.
    pub fn range_of(&self, owner: Owner, from: Id, to: Id) -> impl Iterator<Item = (Id, Delivery)> {
        let consumer = self.consumer(owner).into_iter();
        let keys = consumer.flat_map(move |consumer| consumer.chunks_from(from));
        let keys = keys.take_while(move |key| *key <= to);
        let entries = keys.flat_map(move |key| self.pending.chunk_from(key, from));
        let own = entries.filter(move |(_, delivery)| delivery.owner == owner);
        own.take_while(move |(id, _)| *id <= to)
    }

    /// Makes entries pending that are delivered to a consumer, for the first time or again from
    /// the start; their ids ascend.
    pub fn deliver(&mut self, owner: Owner, ids: &[Id], now_ms: u64) {
        self.drop_released(ids);
        self.pending.deliver(&mut self.consumers, ids, Delivery::new(owner, now_ms, 1));
    }

    /// Those of them that were released are in the queue no more.
    fn drop_released(&mut self, ids: &[Id]) {
        if !self.released.is_empty() {
            for delivery in ids.iter().filter_map(|id| self.pending.get(*id)) {
                forget_release(&mut self.released, delivery);
            }
        }
    }

    /// Sets what is known of a pending entry, which is added if it is not there.
    pub fn set(&mut self, id: Id, delivery: Delivery) {
        let old = self.pending.set(&mut self.consumers, id, delivery);
        old.into_iter().for_each(|old| forget_release(&mut self.released, old));
    }

    /// Takes an entry from its consumer, so that it is the last of those which nobody owns; it is
    /// added if it is not there.
    pub fn release(&mut self, id: Id, count: u64) {
        let place = self.released.last_key_value().map_or(0, |(place, _)| place + 1);
        self.set(id, Delivery { owner: Owner::NOBODY, time: place, count });
        self.released.insert(place, id);
    }

    /// Entries that nobody owns.
    pub fn released(&self) -> usize {
        self.released.len()
    }

    /// Takes a pending entry out.
    pub fn remove(&mut self, id: Id) -> Option<Delivery> {
        let delivery = self.pending.remove(&mut self.consumers, id)?;
        forget_release(&mut self.released, delivery);
        Some(delivery)
    }

    /// Takes pending entries out; ids that ascend cost least. Returns how many there were.
    pub fn acknowledge(&mut self, ids: &[Id]) -> usize {
        self.drop_released(ids);
        self.pending.remove_all(&mut self.consumers, ids)
    }

    /// At most `count` pending entries that were not delivered after a time, and which `is_there`
    /// says are there: those that nobody owns first, the others by their times.
    pub fn oldest(
        &mut self,
        until_ms: u64,
        count: usize,
        mut is_there: impl FnMut(Id) -> bool,
    ) -> Vec<(Id, Delivery)> {
        let ids = self.released.values().copied().filter(|id| is_there(*id)).take(count);
        let mut found: Vec<_> =
            ids.filter_map(|id| self.pending.get(id).map(|delivery| (id, delivery))).collect();
        if found.len() < count {
            let count = count - found.len();
            found.extend(self.pending.oldest(until_ms, count, is_there));
        }
        found
    }

    /// Bytes of memory, about.
    pub fn memory(&self) -> usize {
        let released = self.released.len() * size_of::<(u64, Id)>();
        size_of::<Self>() + self.consumers.memory() + self.pending.memory() + released
    }
}

/// Takes an entry out of the queue of those that nobody owns, if it was one of them.
fn forget_release(released: &mut BTreeMap<u64, Id>, old: Delivery) {
    if old.owner == Owner::NOBODY {
        released.remove(&old.time);
    }
}

#[cfg(test)]
mod tests;
