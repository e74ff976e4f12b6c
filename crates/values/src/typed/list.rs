//! Lists in whatever form an entry keeps them.

#![forbid(unsafe_code)]

use crate::entry::{Entry, Form, Kind};
use crate::typed::{Edit, Rules, Type};

/// The type of lists.
pub enum Lists {}

/// A list to look at.
#[derive(Clone, Copy)]
pub struct ListRef<'e> {
    form: Form<'e>,
    now_ms: u64,
}

/// A list to change.
pub struct ListMut<'e> {
    entry: &'e mut Entry,
    rules: Rules<'e>,
    changes: u64,
}

impl Type for Lists {
    type Ref<'e> = ListRef<'e>;
    type Mut<'e> = ListMut<'e>;

    fn of(form: Form<'_>, now_ms: u64) -> Option<ListRef<'_>> {
        matches!(form, Form::PackedList(_) | Form::List(_)).then_some(ListRef { form, now_ms })
    }

    fn edit<'e>(entry: &'e mut Entry, rules: Rules<'e>) -> Option<ListMut<'e>> {
        Self::of(entry.form(), rules.now_ms).is_some().then_some(ListMut {
            entry,
            rules,
            changes: 0,
        })
    }

    fn empty(key: &[u8], expires_at: Option<u64>) -> Entry {
        Entry::packed(key, Kind::PackedList, &[], expires_at)
    }
}

impl Edit for ListMut<'_> {
    fn changes(&self) -> u64 {
        self.changes
    }
}

impl ListRef<'_> {
    /// Members, those counted that have expired and were not taken out yet.
    pub fn len(&self) -> usize {
        self.form.len()
    }
}
