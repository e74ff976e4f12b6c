//! The kinds of values: what they are, and how an entry keeps them.

#![forbid(unsafe_code)]

use crate::{Hash, List, Set, SortedSet, Stream, Value, intset, packed};

/// What a value is and how it is kept. Kinds that are asked for together stand together, so that
/// asking is one comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A string that is an integer.
    Int,
    /// A string in the entry's block.
    Embedded,
    /// A packed list.
    PackedList,
    /// A small set of integers.
    IntSet,
    /// A packed set.
    PackedSet,
    /// A packed hash.
    PackedHash,
    /// A packed sorted set.
    PackedSortedSet,
    /// A string in a block of its own.
    Heap,
    /// A list in a box.
    List,
    /// A set in a box.
    Set,
    /// A hash in a box.
    Hash,
    /// A sorted set in a box.
    SortedSet,
    /// A stream.
    Stream,
}

impl Kind {
    /// Whether it is a collection in one run of bytes in the entry's block.
    #[inline]
    pub fn is_packed(self) -> bool {
        (Self::PackedList as u8..=Self::PackedSortedSet as u8).contains(&(self as u8))
    }

    /// Whether the value's bytes are in the entry's block.
    #[inline]
    pub(crate) fn is_embedded(self) -> bool {
        (Self::Embedded as u8..=Self::PackedSortedSet as u8).contains(&(self as u8))
    }

    /// Whether the value has memory outside of the entry's block.
    #[inline]
    pub(crate) fn owns_memory(self) -> bool {
        self as u8 >= Self::Heap as u8
    }

    /// Whether it is a collection in a box.
    #[inline]
    pub(crate) fn is_boxed(self) -> bool {
        self as u8 >= Self::List as u8
    }
}

/// A value in the form in which its entry keeps it.
#[derive(Clone, Copy)]
pub enum Form<'e> {
    /// A string of any kind.
    String(Value<'e>),
    /// A packed list (see [`packed::list`]).
    PackedList(&'e [u8]),
    /// A list in a box.
    List(&'e List),
    /// A small set of integers (see [`intset`]).
    IntSet(&'e [u8]),
    /// A packed set (see [`packed::set`]).
    PackedSet(&'e [u8]),
    /// A set in a box.
    Set(&'e Set),
    /// A packed hash (see [`packed::hash`]).
    PackedHash(&'e [u8]),
    /// A hash in a box.
    Hash(&'e Hash),
    /// A packed sorted set (see [`packed::sorted_set`]).
    PackedSortedSet(&'e [u8]),
    /// A sorted set in a box.
    SortedSet(&'e SortedSet),
    /// A stream.
    Stream(&'e Stream),
}

impl Form<'_> {
    /// Elements, members or fields, those counted that have expired; bytes of a string.
    pub fn len(&self) -> usize {
        match self {
            Self::String(value) => value.len(),
            Self::PackedList(run) => packed::list::len(run),
            Self::List(list) => list.len(),
            Self::IntSet(run) => intset::len(run),
            Self::PackedSet(run) => packed::set::len(run),
            Self::Set(set) => set.len(),
            Self::PackedHash(run) => packed::hash::len(run),
            Self::Hash(hash) => hash.len(),
            Self::PackedSortedSet(run) => packed::sorted_set::len(run),
            Self::SortedSet(set) => set.len(),
            Self::Stream(stream) => stream.len(),
        }
    }

    /// Whether there is no element, member, field or byte. A stream is there for its groups and
    /// ids too, so it is never empty.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::PackedList(run)
            | Self::PackedSet(run)
            | Self::PackedHash(run)
            | Self::PackedSortedSet(run) => run.is_empty(),
            Self::Stream(_) => false,
            form => form.len() == 0,
        }
    }

    /// The name of the value's type in Redis.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::PackedList(_) | Self::List(_) => "list",
            Self::IntSet(_) | Self::PackedSet(_) | Self::Set(_) => "set",
            Self::PackedHash(_) | Self::Hash(_) => "hash",
            Self::PackedSortedSet(_) | Self::SortedSet(_) => "zset",
            Self::Stream(_) => "stream",
        }
    }
}
