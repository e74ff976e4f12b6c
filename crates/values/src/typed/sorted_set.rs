//! SortedSets in whatever form an entry keeps them.

#![forbid(unsafe_code)]

use crate::entry::{Entry, Form, Kind};
use crate::typed::{Edit, Rules, Type};

/// The type of sorted sets.
pub enum SortedSets {}

/// A sorted set to look at.
#[derive(Clone, Copy)]
pub struct SortedSetRef<'e> {
    form: Form<'e>,
    now_ms: u64,
}

/// A sorted set to change.
pub struct SortedSetMut<'e> {
    entry: &'e mut Entry,
    rules: Rules<'e>,
    changes: u64,
}

impl Type for SortedSets {
    type Ref<'e> = SortedSetRef<'e>;
    type Mut<'e> = SortedSetMut<'e>;

    fn of(form: Form<'_>, now_ms: u64) -> Option<SortedSetRef<'_>> {
        matches!(form, Form::PackedSortedSet(_) | Form::SortedSet(_))
            .then_some(SortedSetRef { form, now_ms })
    }

    fn edit<'e>(entry: &'e mut Entry, rules: Rules<'e>) -> Option<SortedSetMut<'e>> {
        Self::of(entry.form(), rules.now_ms).is_some().then_some(SortedSetMut {
            entry,
            rules,
            changes: 0,
        })
    }

    fn empty(key: &[u8], expires_at: Option<u64>) -> Entry {
        Entry::packed(key, Kind::PackedSortedSet, &[], expires_at)
    }
}

impl Edit for SortedSetMut<'_> {
    fn changes(&self) -> u64 {
        self.changes
    }
}

impl SortedSetRef<'_> {
    /// Members, those counted that have expired and were not taken out yet.
    pub fn len(&self) -> usize {
        self.form.len()
    }
}
