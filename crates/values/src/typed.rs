//! Collections by their types: what an entry holds, whatever form it keeps it in.
//!
//! ```text
//! type         to look at      to change       forms, the smaller first
//! Lists        ListRef         ListMut         packed list, list
//! Sets         SetRef          SetMut          integers, packed set, set
//! Hashes       HashRef         HashMut         packed hash, hash
//! SortedSets   SortedSetRef    SortedSetMut    packed sorted set, sorted set
//! Streams      StreamRef       StreamMut       stream
//! ```
//!
//! A collection begins in its smallest form and takes a larger one when it outgrows the limits of
//! the configuration (or [`PACKED_BYTES_MAX`](crate::entry::PACKED_BYTES_MAX)). Members whose time
//! has come are not seen. Whoever empties a collection removes its key, except a stream's: an entry
//! with an empty one is made only to be filled.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use table::Hasher;

use crate::entry::{Entry, Form};
use crate::list::Shape;
use crate::stream::producers::Horizon;

mod hash;
mod list;
pub mod set;
mod sorted_set;
mod stream;

pub use hash::{HashField, HashMut, HashRef, Hashes};
pub use list::{ListMut, ListRef, Lists};
pub use set::{SetMut, SetRef, Sets};
pub use sorted_set::{SortedSetMut, SortedSetRef, SortedSets};
pub use stream::{StreamMut, StreamRef, Streams};

/// A type of collection.
pub trait Type {
    /// A collection to look at.
    type Ref<'e>;
    /// A collection to change.
    type Mut<'e>: Edit;

    /// The collection in this form, if it is of this type.
    fn of(form: Form<'_>, now_ms: u64) -> Option<Self::Ref<'_>>;

    /// The collection of an entry, if it is of this type.
    fn edit<'e>(entry: &'e mut Entry, rules: Rules<'e>) -> Option<Self::Mut<'e>>;

    /// An entry with an empty collection in its smallest form.
    fn empty(key: &[u8], expires_at: Option<u64>) -> Entry;
}

/// A collection that is being changed.
pub trait Edit {
    /// Elements, members or fields that were added, changed or removed so far.
    fn changes(&self) -> u64;
}

/// By what rules a collection changes.
#[derive(Clone, Copy)]
pub struct Rules<'r> {
    /// The hasher of all collections.
    pub hasher: Hasher,
    /// Up to what size a collection stays in a smaller form.
    pub limits: &'r Limits,
    /// The time, in milliseconds of Unix time.
    pub now_ms: u64,
}

/// Up to what size collections stay in their smaller forms. They may change at any time; what a
/// collection has become stays.
#[derive(Debug)]
pub struct Limits {
    /// Fields of a packed hash (`hash-max-listpack-entries`).
    pub hash_fields: AtomicU64,
    /// Bytes of its fields and values (`hash-max-listpack-value`).
    pub hash_bytes: AtomicU64,
    /// Integers of a small set of them (`set-max-intset-entries`).
    pub set_integers: AtomicU64,
    /// Members of a packed set (`set-max-listpack-entries`).
    pub set_members: AtomicU64,
    /// Bytes of its members (`set-max-listpack-value`).
    pub set_bytes: AtomicU64,
    /// Members of a packed sorted set (`zset-max-listpack-entries`).
    pub sorted_set_members: AtomicU64,
    /// Bytes of its members (`zset-max-listpack-value`).
    pub sorted_set_bytes: AtomicU64,
    /// Bytes of a sparse HyperLogLog (`hll-sparse-max-bytes`).
    pub hyperloglog_bytes: AtomicU64,
    /// The size of a list's nodes (`list-max-listpack-size`), see [`Shape::new`].
    pub list_size: AtomicI64,
    /// Nodes at each end of a list that are not compressed (`list-compress-depth`); 0: all.
    pub list_depth: AtomicU64,
    /// Bytes of a stream's node (`stream-node-max-bytes`); 0: any number.
    pub stream_node_bytes: AtomicU64,
    /// Its entries (`stream-node-max-entries`); 0: any number.
    pub stream_node_entries: AtomicU64,
    /// Seconds for which a new stream remembers a producer's messages (`stream-idmp-duration`).
    pub stream_idmp_seconds: AtomicU64,
    /// How many of them it remembers (`stream-idmp-maxsize`).
    pub stream_idmp_messages: AtomicU64,
}

impl Limits {
    /// Redis's defaults.
    pub const fn new() -> Self {
        Self {
            hash_fields: AtomicU64::new(512),
            hash_bytes: AtomicU64::new(64),
            set_integers: AtomicU64::new(512),
            set_members: AtomicU64::new(128),
            set_bytes: AtomicU64::new(64),
            sorted_set_members: AtomicU64::new(128),
            sorted_set_bytes: AtomicU64::new(64),
            hyperloglog_bytes: AtomicU64::new(3000),
            list_size: AtomicI64::new(-2),
            list_depth: AtomicU64::new(0),
            stream_node_bytes: AtomicU64::new(4096),
            stream_node_entries: AtomicU64::new(100),
            stream_idmp_seconds: AtomicU64::new(Horizon::DEFAULT.seconds),
            stream_idmp_messages: AtomicU64::new(Horizon::DEFAULT.messages as u64),
        }
    }

    /// Bytes of a sparse HyperLogLog.
    #[inline]
    pub fn hyperloglog_bytes(&self) -> usize {
        usize::try_from(self.hyperloglog_bytes.load(Relaxed)).unwrap_or(usize::MAX)
    }

    /// The shape of lists.
    pub fn list_shape(&self) -> Shape {
        Shape::new(self.list_size.load(Relaxed), self.list_depth.load(Relaxed))
    }

    /// How much a new stream remembers of its producers.
    pub fn stream_horizon(&self) -> Horizon {
        let messages = self.stream_idmp_messages.load(Relaxed);
        Horizon {
            seconds: self.stream_idmp_seconds.load(Relaxed),
            messages: usize::try_from(messages).unwrap_or(usize::MAX),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a number of members or bytes is within a limit.
#[inline]
fn within(number: usize, limit: &AtomicU64) -> bool {
    number as u64 <= limit.load(Relaxed)
}
