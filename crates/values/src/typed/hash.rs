//! Hashes in whatever form an entry keeps them.

#![forbid(unsafe_code)]

use crate::entry::{Entry, Form, Kind};
use crate::typed::{Edit, Rules, Type};

/// The type of hashes.
pub enum Hashes {}

/// A hash to look at.
#[derive(Clone, Copy)]
pub struct HashRef<'e> {
    form: Form<'e>,
    now_ms: u64,
}

/// A hash to change.
pub struct HashMut<'e> {
    entry: &'e mut Entry,
    rules: Rules<'e>,
    changes: u64,
}

impl Type for Hashes {
    type Ref<'e> = HashRef<'e>;
    type Mut<'e> = HashMut<'e>;

    fn of(form: Form<'_>, now_ms: u64) -> Option<HashRef<'_>> {
        matches!(form, Form::PackedHash(_) | Form::Hash(_)).then_some(HashRef { form, now_ms })
    }

    fn edit<'e>(entry: &'e mut Entry, rules: Rules<'e>) -> Option<HashMut<'e>> {
        Self::of(entry.form(), rules.now_ms).is_some().then_some(HashMut {
            entry,
            rules,
            changes: 0,
        })
    }

    fn empty(key: &[u8], expires_at: Option<u64>) -> Entry {
        Entry::packed(key, Kind::PackedHash, &[], expires_at)
    }
}

impl Edit for HashMut<'_> {
    fn changes(&self) -> u64 {
        self.changes
    }
}

impl HashRef<'_> {
    /// Members, those counted that have expired and were not taken out yet.
    pub fn len(&self) -> usize {
        self.form.len()
    }
}
