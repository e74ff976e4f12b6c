//! Hashes in whatever form an entry keeps them: a packed run, or a table of fields.
//!
//! A field whose time has come is not seen, and a new one of its name takes its place. A packed
//! hash becomes a table when it gets more fields, or longer texts, than the limits allow; never
//! back.

#![forbid(unsafe_code)]

use crate::entry::{Entry, Form, Kind, PACKED_BYTES_MAX};
use crate::members::below;
use crate::packed::Splice;
use crate::packed::hash as packed;
use crate::typed::{Edit, Rules, Type, within};
use crate::{Expiry, Hash, Value, hash};

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

/// A field with its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HashField<'e> {
    /// Its name.
    pub name: Value<'e>,
    /// Its value.
    pub value: Value<'e>,
    /// When it expires, in milliseconds of Unix time.
    pub expires_at: Option<u64>,
}

impl Type for Hashes {
    type Ref<'e> = HashRef<'e>;
    type Mut<'e> = HashMut<'e>;

    #[inline]
    fn of(form: Form<'_>, now_ms: u64) -> Option<HashRef<'_>> {
        matches!(form, Form::PackedHash(_) | Form::Hash(_)).then_some(HashRef { form, now_ms })
    }

    #[inline]
    fn edit<'e>(entry: &'e mut Entry, rules: Rules<'e>) -> Option<HashMut<'e>> {
        let is_hash = matches!(entry.kind(), Kind::PackedHash | Kind::Hash);
        is_hash.then_some(HashMut { entry, rules, changes: 0 })
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

impl<'e> From<packed::Field<'e>> for HashField<'e> {
    #[inline]
    fn from(field: packed::Field<'e>) -> Self {
        Self { name: field.name, value: field.value, expires_at: field.expires_at }
    }
}

/// A field in a table, which stays as long as the table is borrowed.
#[inline]
fn in_table<'e>(field: &table::table::Ref<'e, hash::Field>) -> HashField<'e> {
    let (name, value) = hash::Field::texts_of(field);
    HashField {
        name: Value::Bytes(name),
        value: Value::Bytes(value),
        expires_at: field.expires_at(),
    }
}

impl<'e> HashRef<'e> {
    /// Fields, those counted that have expired and were not taken out yet: how many a walk visits.
    #[inline]
    pub fn stored(&self) -> usize {
        self.form.len()
    }

    /// Fields. Takes longer when some may have expired.
    #[inline]
    pub fn len(&self) -> usize {
        match self.form {
            Form::PackedHash(_) => {
                let mut count = 0;
                self.for_each(|_| count += 1);
                count
            }
            Form::Hash(hash) => hash.count_living(self.now_ms),
            _ => 0,
        }
    }

    /// Bytes of memory of all that is stored.
    pub fn memory(&self) -> usize {
        match self.form {
            Form::PackedHash(run) => run.len(),
            Form::Hash(hash) => hash.memory(),
            _ => 0,
        }
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The field of this name.
    #[inline]
    pub fn get(&self, name: &[u8]) -> Option<HashField<'e>> {
        match self.form {
            Form::PackedHash(run) => {
                let field = packed::find(run, Value::of(name))?;
                self.is_living(&field).then(|| field.into())
            }
            Form::Hash(hash) => hash.get(name, self.now_ms).as_ref().map(in_table),
            _ => None,
        }
    }

    /// Visits all fields.
    #[inline]
    pub fn for_each(&self, mut visit: impl FnMut(HashField<'e>)) {
        match self.form {
            Form::PackedHash(run) => {
                let living = packed::fields(run).filter(|field| self.is_living(field));
                living.for_each(|field| visit(field.into()));
            }
            Form::Hash(hash) => {
                hash.iter(self.now_ms).for_each(|field| visit(in_table(&field)));
            }
            _ => {}
        }
    }

    /// Visits fields from a position on, first 0; returns the next position, `None` at the end. A
    /// packed hash is visited at once.
    pub fn scan(&self, from: u64, mut visit: impl FnMut(HashField<'_>)) -> Option<u64> {
        match self.form {
            Form::Hash(hash) => hash.scan(from, self.now_ms, |field| {
                visit(HashField {
                    name: Value::Bytes(field.key()),
                    value: Value::Bytes(field.value()),
                    expires_at: field.expires_at(),
                });
            }),
            _ => {
                self.for_each(visit);
                None
            }
        }
    }

    /// Some field; each is equally likely. `random` gives random numbers.
    pub fn random(&self, mut random: impl FnMut() -> u64) -> Option<HashField<'e>> {
        match self.form {
            Form::PackedHash(run) => {
                let nth = below(self.len(), random());
                packed::fields(run).filter(|field| self.is_living(field)).nth(nth).map(Into::into)
            }
            Form::Hash(hash) => hash.random(self.now_ms, random).as_ref().map(in_table),
            _ => None,
        }
    }

    /// Visits `count` different fields, or all if there are fewer; each such choice is equally
    /// likely. Their order is not random.
    pub fn sample(
        &self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(HashField<'_>),
    ) {
        if let Form::Hash(hash) = self.form {
            return hash.sample(count, self.now_ms, random, |field| {
                visit(HashField {
                    name: Value::Bytes(field.key()),
                    value: Value::Bytes(field.value()),
                    expires_at: field.expires_at(),
                });
            });
        }
        // Each field is taken with the probability that makes up the number in the end.
        let (mut left, mut wanted) = (self.len(), count);
        self.for_each(|field| {
            if below(left, random()) < wanted {
                wanted -= 1;
                visit(field);
            }
            left -= 1;
        });
    }

    #[inline]
    fn is_living(&self, field: &packed::Field<'_>) -> bool {
        field.expires_at.is_none_or(|at| at > self.now_ms)
    }
}

impl HashMut<'_> {
    /// The hash to look at.
    #[inline]
    pub fn view(&self) -> HashRef<'_> {
        HashRef { form: self.entry.form(), now_ms: self.rules.now_ms }
    }

    /// Makes ready for many fields at once: a hash that is to get more of them than a packed one
    /// may have becomes a table at once, as in Redis, though some may be the same.
    #[inline]
    pub fn expect(&mut self, fields: usize) {
        if self.is_packed() && !within(fields, &self.rules.limits.hash_fields) {
            self.unpack();
        }
    }

    /// Sets a field to a value. Returns whether the field is new.
    #[inline]
    pub fn set(&mut self, name: &[u8], value: &[u8], expiry: Expiry) -> bool {
        self.changes += 1;
        if let Expiry::At(_) = expiry {
            // Without the mark nobody would look for fields that expire.
            self.entry.set_members_expire(true);
        }
        if self.is_packed() {
            if let Some(is_new) = self.set_packed(name, value, expiry) {
                return is_new;
            }
            self.unpack();
        }
        let now_ms = self.rules.now_ms;
        self.entry.boxed_mut::<Hash>().is_some_and(|hash| hash.set(name, value, expiry, now_ms))
    }

    /// The same while the hash stays packed; nothing is done when it cannot.
    #[inline]
    fn set_packed(&mut self, name: &[u8], value: &[u8], expiry: Expiry) -> Option<bool> {
        let Rules { limits, now_ms, .. } = self.rules;
        if !within(name.len().max(value.len()), &limits.hash_bytes) {
            return None;
        }
        let (name, value) = (Value::of(name), Value::of(value));
        let run = self.entry.run();
        let (splice, is_new) = match packed::look(run, name) {
            Ok(field) => {
                let living = field.expires_at.is_none_or(|at| at > now_ms);
                let old = field.expires_at.filter(|_| living);
                let expires_at = expiry.after(old);
                if field.expires_at == expires_at {
                    (field.set_value(value), !living)
                } else {
                    (packed::put(field.range, name, value, expires_at), !living)
                }
            }
            Err(count) if within(count + 1, &limits.hash_fields) => {
                (packed::put(run.len()..run.len(), name, value, expiry.after(None)), true)
            }
            Err(_) => return None,
        };
        if splice.len_after(run.len()) > PACKED_BYTES_MAX {
            return None;
        }
        self.entry.splice(&splice);
        Some(is_new)
    }

    /// Takes a field out, and shows its value to `with` if it was living.
    #[inline]
    pub fn take<R>(&mut self, name: &[u8], with: impl FnOnce(Value<'_>) -> R) -> Option<R> {
        let now_ms = self.rules.now_ms;
        let shown = if self.is_packed() {
            let field = packed::find(self.entry.run(), Value::of(name))?;
            let living = field.expires_at.is_none_or(|at| at > now_ms);
            let shown = living.then(|| with(field.value));
            let cut = Splice::cut(field.range);
            self.entry.splice(&cut);
            shown
        } else {
            let hash = self.entry.boxed_mut::<Hash>()?;
            hash.remove(name, now_ms).map(|field| with(Value::Bytes(field.value())))
        };
        self.changes += u64::from(shown.is_some());
        shown
    }

    /// Takes a field out. Returns whether it was there.
    #[inline]
    pub fn remove(&mut self, name: &[u8]) -> bool {
        self.take(name, |_| ()).is_some()
    }

    /// Sets or takes away the expiry of a field, which is not past. Returns whether the field is
    /// there.
    pub fn expire(&mut self, name: &[u8], expires_at: Option<u64>) -> bool {
        let now_ms = self.rules.now_ms;
        if self.is_packed() {
            let run = self.entry.run();
            let field = packed::find(run, Value::of(name));
            let field = field.filter(|field| field.expires_at.is_none_or(|at| at > now_ms));
            let Some(field) = field else { return false };
            let splice = field.set_expiry(expires_at);
            if splice.len_after(run.len()) > PACKED_BYTES_MAX {
                self.unpack();
                return self.expire(name, expires_at);
            }
            self.entry.splice(&splice);
        } else {
            let hash = self.entry.boxed_mut::<Hash>();
            if !hash.is_some_and(|hash| hash.expire(name, expires_at, now_ms)) {
                return false;
            }
        }
        if expires_at.is_some() {
            self.entry.set_members_expire(true);
        }
        self.changes += 1;
        true
    }

    #[inline]
    fn is_packed(&self) -> bool {
        self.entry.kind() == Kind::PackedHash
    }

    /// Makes a table of a packed hash.
    #[cold]
    fn unpack(&mut self) {
        let now_ms = self.rules.now_ms;
        let mut table = Hash::with_capacity(self.view().stored(), self.rules.hasher);
        let expires = self.entry.members_expire();
        self.view().for_each(|field| {
            let expiry = field.expires_at.map_or(Expiry::Never, Expiry::At);
            field.name.with_bytes(|name| {
                field.value.with_bytes(|value| table.set(name, value, expiry, now_ms))
            });
        });
        self.entry.set_boxed(Box::new(table));
        self.entry.set_members_expire(expires);
    }
}

#[cfg(test)]
mod tests;
