//! The consumers of a group: in the order of their names, and by the numbers that pending entries
//! know them by.

use std::collections::BTreeMap;

use super::Owner;
use crate::stream::Id;

/// Who reads from a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last tried to read or claim, in milliseconds of Unix time.
    pub seen_ms: u64,
    /// When it last got something.
    pub active_ms: Option<u64>,
    pending: usize,
    /// The chunks where it has entries, and how many.
    chunks: BTreeMap<Id, usize>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Entries that were delivered to it and not acknowledged.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// The chunks from one on where it has entries.
    pub(super) fn chunks_from(&self, key: Id) -> impl Iterator<Item = Id> {
        // An id may be in a chunk whose key is smaller.
        let first = self.chunks.range(..=key).next_back().map_or(key, |(key, _)| *key);
        self.chunks.range(first..).map(|(key, _)| *key)
    }
}

/// The consumers of a group.
#[derive(Clone, Debug, Default)]
pub struct Consumers {
    /// By their numbers; those of the deleted are free.
    slots: Vec<Option<Consumer>>,
    free: Vec<Owner>,
    /// In the order of their names.
    order: Vec<Owner>,
}

impl Consumers {
    /// Consumers.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// A consumer by its number.
    pub fn get(&self, owner: Owner) -> Option<&Consumer> {
        self.slots.get(owner.0 as usize)?.as_ref()
    }

    /// A consumer to change.
    pub fn get_mut(&mut self, owner: Owner) -> Option<&mut Consumer> {
        self.slots.get_mut(owner.0 as usize)?.as_mut()
    }

    /// All, in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&Consumer>> {
        self.order.iter().map(|owner| self.get(*owner))
    }

    /// Where a name is in the order, or where it would be.
    fn place(&self, name: &[u8]) -> Result<usize, usize> {
        self.order
            .binary_search_by(|owner| self.get(*owner).map_or(&[][..], Consumer::name).cmp(name))
    }

    /// The number of a consumer.
    pub fn find(&self, name: &[u8]) -> Option<Owner> {
        self.order.get(self.place(name).ok()?).copied()
    }

    /// Adds a consumer; `None` if there is one of this name.
    pub fn create(&mut self, name: &[u8], now_ms: u64) -> Option<Owner> {
        let place = self.place(name).err()?;
        let consumer = Consumer {
            name: name.into(),
            seen_ms: now_ms,
            active_ms: None,
            pending: 0,
            chunks: BTreeMap::new(),
        };
        let owner = match self.free.pop() {
            Some(owner) => owner,
            None => {
                let owner = Owner(u32::try_from(self.slots.len()).ok()?);
                self.slots.push(None);
                owner
            }
        };
        if let Some(slot) = self.slots.get_mut(owner.0 as usize) {
            *slot = Some(consumer);
        }
        self.order.insert(place, owner);
        Some(owner)
    }

    /// Removes a consumer, whose entries must be gone.
    pub fn remove(&mut self, owner: Owner) {
        let Some(consumer) = self.get(owner) else { return };
        if let Ok(place) = self.place(&consumer.name) {
            self.order.remove(place);
        }
        if let Some(slot) = self.slots.get_mut(owner.0 as usize) {
            *slot = None;
            self.free.push(owner);
        }
    }

    /// Counts entries that a consumer has got in a chunk.
    pub fn add(&mut self, owner: Owner, key: Id, entries: usize) {
        if let Some(consumer) = self.get_mut(owner) {
            consumer.pending += entries;
            *consumer.chunks.entry(key).or_insert(0) += entries;
        }
    }

    /// Counts entries that a consumer has no more.
    pub fn subtract(&mut self, owner: Owner, key: Id, entries: usize) {
        let Some(consumer) = self.get_mut(owner) else { return };
        consumer.pending -= entries;
        if let Some(count) = consumer.chunks.get_mut(&key) {
            *count -= entries;
            if *count == 0 {
                consumer.chunks.remove(&key);
            }
        }
    }

    /// The chunks where a consumer has entries, and how many.
    pub fn chunks_of(&self, owner: Owner) -> impl Iterator<Item = (Id, usize)> {
        let chunks = self.get(owner).into_iter().flat_map(|consumer| &consumer.chunks);
        chunks.map(|(key, entries)| (*key, *entries))
    }

    /// Bytes of memory, about.
    pub fn memory(&self) -> usize {
        let of_one = |consumer: &Consumer| {
            consumer.name.len() + consumer.chunks.len() * size_of::<(Id, usize)>()
        };
        let consumers: usize = self.slots.iter().flatten().map(of_one).sum();
        consumers
            + self.slots.capacity() * size_of::<Option<Consumer>>()
            + self.order.capacity() * size_of::<Owner>()
    }

    #[cfg(test)]
    pub fn counted(&self) -> BTreeMap<(Owner, Id), usize> {
        let owners = self.order.iter().copied();
        owners
            .flat_map(|owner| self.chunks_of(owner).map(move |(key, n)| ((owner, key), n)))
            .collect()
    }
}
