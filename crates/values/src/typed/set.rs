//! Sets in whatever form an entry keeps them.

#![forbid(unsafe_code)]

use crate::entry::{Entry, Form, Kind};
use crate::typed::{Edit, Rules, Type};

/// The type of sets.
pub enum Sets {}

/// A set to look at.
#[derive(Clone, Copy)]
pub struct SetRef<'e> {
    form: Form<'e>,
    now_ms: u64,
}

/// A set to change.
pub struct SetMut<'e> {
    entry: &'e mut Entry,
    rules: Rules<'e>,
    changes: u64,
}

impl Type for Sets {
    type Ref<'e> = SetRef<'e>;
    type Mut<'e> = SetMut<'e>;

    fn of(form: Form<'_>, now_ms: u64) -> Option<SetRef<'_>> {
        matches!(form, Form::IntSet(_) | Form::PackedSet(_) | Form::Set(_))
            .then_some(SetRef { form, now_ms })
    }

    fn edit<'e>(entry: &'e mut Entry, rules: Rules<'e>) -> Option<SetMut<'e>> {
        Self::of(entry.form(), rules.now_ms).is_some().then_some(SetMut {
            entry,
            rules,
            changes: 0,
        })
    }

    fn empty(key: &[u8], expires_at: Option<u64>) -> Entry {
        Entry::packed(key, Kind::IntSet, &[], expires_at)
    }
}

impl Edit for SetMut<'_> {
    fn changes(&self) -> u64 {
        self.changes
    }
}

impl SetRef<'_> {
    /// Members, those counted that have expired and were not taken out yet.
    pub fn len(&self) -> usize {
        self.form.len()
    }
}
