//! Streams: a log of entries with ascending ids.
//!
//! ```text
//! log        the entries: a tree of packed nodes
//! node       a packed node
//! group      consumer groups
//! producers  what each producer has sent lately, so that nothing is added twice
//! ```

#![forbid(unsafe_code)]

use std::{fmt, mem};

mod group;
mod log;
mod node;
pub mod producers;

#[cfg(test)]
mod tests;

pub use group::{Consumer, Delivery, Group, Groups, Owner};
pub use log::{Item, Range, RangeBack};
pub use node::Fields;
pub use producers::Producers;

use log::Log;

/// An entry has at most this many bytes of names and values together.
pub const ENTRY_BYTES_MAX: usize = 1 << 30;

/// Pending entries lie in chunks, which mostly are not full.
const PENDING_PER_BLOCK: usize = 64;

/// The id of an entry: a Unix time in milliseconds, and a number among those of that time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Milliseconds.
    pub ms: u64,
    /// The number.
    pub seq: u64,
}

impl Id {
    /// The lowest id; no entry has it.
    pub const MIN: Self = Self::new(0, 0);
    /// The highest id.
    pub const MAX: Self = Self::new(u64::MAX, u64::MAX);

    /// An id.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The next higher id; none above the highest.
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => self.ms.checked_add(1).map(|ms| Self::new(ms, 0)),
        }
    }

    /// The next lower id; none below the lowest.
    pub fn previous(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => self.ms.checked_sub(1).map(|ms| Self::new(ms, u64::MAX)),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.ms, self.seq)
    }
}

/// Up to what size a node takes entries.
#[derive(Clone, Copy, Debug)]
pub struct NodeLimits {
    /// Bytes.
    pub bytes: usize,
    /// Entries, those counted that were removed.
    pub entries: usize,
}

/// How far a stream is cut off at its front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// So many entries are left.
    Len(u64),
    /// No id is lower.
    Id(Id),
}

/// What becomes of an entry that is to be deleted, and of the groups that have it pending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// It goes, and stays pending.
    #[default]
    Keep,
    /// It goes, and is pending no more.
    Delete,
    /// It goes if no group needs it any more.
    Acknowledged,
}

/// What has become of an entry that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It was not there.
    Absent,
    /// It is deleted.
    Done,
    /// Some group needs it, whether it is there or not.
    Needed,
}

/// How a stream is cut off at its front.
#[derive(Clone, Copy, Debug)]
pub struct Trim {
    /// How far.
    pub until: Until,
    /// Only whole nodes go, so that more may be left.
    pub approximate: bool,
    /// At most so many entries go at once; zero: all that have to.
    pub limit: u64,
    /// What becomes of what is pending. Unless it stays so, entries go one by one, approximate or
    /// not.
    pub references: References,
}

/// A stream.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    log: Log,
    last_id: Id,
    max_deleted_id: Id,
    entries_added: u64,
    /// The consumer groups.
    pub groups: Groups,
    /// Its producers; none if no message has a name and Redis's defaults hold.
    pub producers: Option<Box<Producers>>,
}

impl Stream {
    /// Entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.log.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nodes of the log.
    pub fn node_count(&self) -> usize {
        self.log.node_count()
    }

    /// How many nodes begin before an id, counted up to a number. The last node is not counted.
    pub fn nodes_before(&self, id: Id, at_most: usize) -> usize {
        self.log.nodes_before(id, at_most)
    }

    /// How many blocks of memory it has, about.
    pub fn blocks(&self) -> usize {
        self.node_count() + self.groups.pending() / PENDING_PER_BLOCK
    }

    /// Bytes of memory besides the stream itself.
    pub fn memory(&self) -> usize {
        let producers = self.producers.as_ref();
        self.log.memory()
            + self.groups.memory()
            + producers.map_or(0, |producers| size_of::<Producers>() + producers.bytes())
    }

    /// The highest id that an entry ever had, or that was set.
    #[inline]
    pub fn last_id(&self) -> Id {
        self.last_id
    }

    /// Sets it.
    pub fn set_last_id(&mut self, id: Id) {
        self.last_id = id;
    }

    /// The highest id of an entry that was deleted, or that was set.
    pub fn max_deleted_id(&self) -> Id {
        self.max_deleted_id
    }

    /// Sets it.
    pub fn set_max_deleted_id(&mut self, id: Id) {
        self.max_deleted_id = id;
    }

    /// How many entries were ever added, or as was set.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// Sets it.
    pub fn set_entries_added(&mut self, entries: u64) {
        self.entries_added = entries;
    }

    /// The id of the first entry.
    pub fn first_id(&self) -> Option<Id> {
        self.range(Id::MIN, Id::MAX).next().map(|item| item.id)
    }

    /// The id of the last entry.
    pub fn last_entry_id(&self) -> Option<Id> {
        self.range_back(Id::MIN, Id::MAX).next().map(|item| item.id)
    }

    /// An entry.
    #[inline]
    pub fn get(&self, id: Id) -> Option<Item<'_>> {
        self.range(id, id).next()
    }

    /// Whether an entry is there.
    pub fn contains(&self, id: Id) -> bool {
        self.get(id).is_some()
    }

    /// Changes a group, with a look at the entries; `None` if there is none of this name.
    pub fn with_group<R>(
        &mut self,
        name: &[u8],
        with: impl FnOnce(&Self, &mut Group) -> R,
    ) -> Option<R> {
        let mut groups = mem::take(&mut self.groups);
        let done = groups.get_mut(name).map(|group| with(self, group));
        self.groups = groups;
        done
    }

    /// The entries from one id to another, which both belong to it.
    #[inline]
    pub fn range(&self, from: Id, to: Id) -> Range<'_> {
        self.log.range(from, to)
    }

    /// The same, from the last one on.
    #[inline]
    pub fn range_back(&self, from: Id, to: Id) -> RangeBack<'_> {
        self.log.range_back(from, to)
    }

    /// Adds an entry of at most [`ENTRY_BYTES_MAX`] bytes, whose id is above [`Self::last_id`]. The
    /// words are names and values in turn.
    #[inline]
    pub fn append<'w>(
        &mut self,
        id: Id,
        words: impl Iterator<Item = &'w [u8]> + Clone,
        limits: NodeLimits,
    ) {
        debug_assert!(id > self.last_id, "{id} after {}", self.last_id);
        self.log.append(id, words, limits);
        self.last_id = id;
        self.entries_added = self.entries_added.saturating_add(1);
    }

    /// Deletes an entry; whether it was there.
    pub fn remove(&mut self, id: Id) -> bool {
        let is_there = self.log.remove(id);
        if is_there {
            self.max_deleted_id = self.max_deleted_id.max(id);
        }
        is_there
    }

    /// Deletes an entry, and minds what is pending.
    pub fn remove_with(&mut self, id: Id, references: References) -> Removal {
        match references {
            References::Keep => {}
            References::Delete => {
                self.groups.forget(id);
            }
            References::Acknowledged if self.groups.is_needed(id) => {
                return Removal::Needed;
            }
            References::Acknowledged => {}
        }
        if self.remove(id) { Removal::Done } else { Removal::Absent }
    }

    /// Cuts entries off at the front. Returns how many.
    pub fn trim(&mut self, trim: &Trim) -> u64 {
        if trim.references != References::Keep && !self.groups.is_empty() {
            return self.trim_entries(trim);
        }
        let approximate = trim.approximate && trim.references == References::Keep;
        let mut removed: u64 = 0;
        while !self.is_empty() && !self.is_trimmed(trim.until) {
            let entries = self.log.first_node_len() as u64;
            if trim.limit > 0 && removed.saturating_add(entries) > trim.limit {
                break;
            }
            let whole = match trim.until {
                Until::Len(len) => self.len() as u64 - entries >= len,
                Until::Id(id) => self.log.first_node_last_id().is_some_and(|last| last < id),
            };
            if whole {
                removed += self.log.drop_first_node() as u64;
            } else if approximate {
                break;
            } else if let Some(first) = self.first_id() {
                removed += u64::from(self.log.remove(first));
            }
        }
        removed
    }

    /// The same entry by entry, because groups have a say.
    fn trim_entries(&mut self, trim: &Trim) -> u64 {
        let spares_needed = trim.references == References::Acknowledged;
        let mut left = self.len() as u64;
        let mut removed = Vec::new();
        'nodes: for (entries, items) in self.log.by_node() {
            let limit = usize::try_from(trim.limit).unwrap_or(usize::MAX);
            if limit > 0 && removed.len() + entries > limit {
                break;
            }
            for item in items {
                let is_trimmed = match trim.until {
                    Until::Len(len) => left <= len,
                    Until::Id(id) => item.id >= id,
                };
                if is_trimmed {
                    break 'nodes;
                }
                if !(spares_needed && self.groups.is_needed(item.id)) {
                    removed.push(item.id);
                    left -= 1;
                }
            }
        }
        for id in &removed {
            self.groups.forget(*id);
            self.log.remove(*id);
        }
        removed.len() as u64
    }

    fn is_trimmed(&self, until: Until) -> bool {
        match until {
            Until::Len(len) => self.len() as u64 <= len,
            Until::Id(id) => self.first_id().is_none_or(|first| first >= id),
        }
    }
}
