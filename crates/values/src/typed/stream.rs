//! Streams as entries keep them: in a box, however small.

#![forbid(unsafe_code)]

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::entry::{Entry, Form};
use crate::stream::producers::{Horizon, Producers};
use crate::stream::{Id, NodeLimits, References, Removal, Stream, Trim};
use crate::typed::{Edit, Rules, Type};

/// The type of streams.
pub enum Streams {}

/// A stream to look at.
#[derive(Clone, Copy)]
pub struct StreamRef<'e>(&'e Stream);

/// A stream to change. What is changed through it is counted; what is changed through the
/// [`Stream`] that it leads to is for the caller to count.
pub struct StreamMut<'e> {
    stream: &'e mut Stream,
    rules: Rules<'e>,
    /// What was changed so far.
    pub changes: u64,
}

impl Type for Streams {
    type Ref<'e> = StreamRef<'e>;
    type Mut<'e> = StreamMut<'e>;

    #[inline]
    fn of(form: Form<'_>, _: u64) -> Option<StreamRef<'_>> {
        match form {
            Form::Stream(stream) => Some(StreamRef(stream)),
            _ => None,
        }
    }

    #[inline]
    fn edit<'e>(entry: &'e mut Entry, rules: Rules<'e>) -> Option<StreamMut<'e>> {
        let stream = entry.boxed_mut::<Stream>()?;
        Some(StreamMut { stream, rules, changes: 0 })
    }

    fn empty(key: &[u8], expires_at: Option<u64>) -> Entry {
        Entry::boxed(key, Box::<Stream>::default(), expires_at)
    }
}

impl<'e> StreamRef<'e> {
    /// The stream, for as long as its table is borrowed.
    #[inline]
    pub fn stream(self) -> &'e Stream {
        self.0
    }
}

impl Deref for StreamRef<'_> {
    type Target = Stream;

    #[inline]
    fn deref(&self) -> &Stream {
        self.0
    }
}

impl Edit for StreamMut<'_> {
    #[inline]
    fn changes(&self) -> u64 {
        self.changes
    }
}

impl Deref for StreamMut<'_> {
    type Target = Stream;

    #[inline]
    fn deref(&self) -> &Stream {
        self.stream
    }
}

impl DerefMut for StreamMut<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Stream {
        self.stream
    }
}

impl<'e> StreamMut<'e> {
    /// By what rules it changes.
    #[inline]
    pub fn rules(&self) -> Rules<'e> {
        self.rules
    }

    /// Adds an entry; see [`Stream::append`].
    #[inline]
    pub fn append<'w>(&mut self, id: Id, words: impl Iterator<Item = &'w [u8]> + Clone) {
        let limit = |limit: &AtomicU64| match limit.load(Relaxed) {
            0 => usize::MAX,
            some => usize::try_from(some).unwrap_or(usize::MAX),
        };
        let limits = self.rules.limits;
        if self.stream.entries_added() == 0 {
            self.begin();
        }
        let bytes = limit(&limits.stream_node_bytes);
        let entries = limit(&limits.stream_node_entries);
        self.stream.append(id, words, NodeLimits { bytes, entries });
        self.changes += 1;
    }

    /// A new stream follows the configuration in what it remembers of producers, for good.
    #[cold]
    fn begin(&mut self) {
        let horizon = self.rules.limits.stream_horizon();
        if self.stream.producers.is_none() && horizon != Horizon::DEFAULT {
            self.stream.producers = Some(Box::new(Producers::new(horizon)));
        }
    }

    /// Deletes an entry; see [`Stream::remove_with`].
    pub fn remove(&mut self, id: Id, references: References) -> Removal {
        let removal = self.stream.remove_with(id, references);
        self.changes += u64::from(removal == Removal::Done);
        removal
    }

    /// Cuts entries off at the front. Returns how many.
    pub fn trim(&mut self, trim: &Trim) -> u64 {
        let removed = self.stream.trim(trim);
        self.changes += removed;
        removed
    }
}
