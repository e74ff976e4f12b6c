//! What lives in a shard: its part of each database.
//!
//! All access to keys goes through here, so this is where an expired key stops to exist: whoever
//! looks for it finds nothing and takes it away. Changes are counted here for the same reason.

use table::table::{Occupied, Ref};
use table::tick::tick_of;
use table::{Hasher, Peek, Table};
use values::typed::{Edit, Limits, Rules, Type};
use values::{Entry, Value};

use crate::shards::Key;
use crate::{DATABASES, reclaim, slot};

/// A shard of the keyspace.
#[repr(C)]
pub struct Shard {
    /// Database 0 lies here itself, to save its users a step.
    first: Db,
    others: Box<[Db]>,
    peek: Option<&'static Peek>,
}

/// One shard's part of a database.
///
/// The order of fields makes the lock of a shard, the counters and the root of database 0 one cache
/// line, the only one of a shard that reading or overwriting a key touches.
#[repr(C)]
pub struct Db {
    /// What happened here.
    pub stats: Stats,
    table: Table<Entry>,
    hasher: Hasher,
    timed: Timed,
}

/// Keys to which something happens in time.
#[derive(Clone, Copy, Default)]
struct Timed {
    /// Those that have an expiry.
    keys: usize,
    /// Those some members of which have one.
    holders: usize,
}

impl Timed {
    #[inline]
    fn add(&mut self, entry: &mut Entry) {
        self.keys += usize::from(entry.expires_at().is_some());
        self.holders += usize::from(entry.count_members());
    }

    #[inline]
    fn take(&mut self, entry: &Entry) {
        self.keys -= usize::from(entry.expires_at().is_some());
        self.holders -= usize::from(entry.is_counted());
    }

    /// Counts an entry again that has changed and was a holder or not before.
    #[inline]
    fn recount_members(&mut self, was_counted: bool, entry: &mut Entry) {
        let is_counted = entry.count_members();
        if was_counted != is_counted {
            self.holders = self.holders - usize::from(was_counted) + usize::from(is_counted);
        }
    }
}

/// Counters since the start or the last reset.
#[derive(Clone, Copy, Default, Debug)]
pub struct Stats {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not find their key.
    pub misses: u64,
    /// Keys removed because their time had come.
    pub expired: u64,
    /// Members of collections removed for the same reason.
    pub expired_members: u64,
    /// Changes of the data set.
    pub changes: u64,
}

impl Stats {
    #[inline]
    fn count_read(&mut self, found: bool) {
        if found {
            self.hits += 1;
        } else {
            self.misses += 1;
        }
    }
}

impl std::ops::AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.hits += other.hits;
        self.misses += other.misses;
        self.expired += other.expired;
        self.expired_members += other.expired_members;
        self.changes += other.changes;
    }
}

impl Shard {
    /// A shard without keys.
    pub fn new(hasher: Hasher) -> Self {
        let others = (1..DATABASES).map(|_| Db::new(hasher)).collect();
        Self { first: Db::new(hasher), others, peek: None }
    }

    /// Publishes database 0 for prefetching.
    pub(crate) fn publish_in(&mut self, peek: &'static Peek) {
        self.peek = Some(peek);
        self.first.table.publish_in(self.peek);
    }

    /// A database, whose number is below [`DATABASES`].
    #[inline]
    pub fn db(&mut self, number: u16) -> &mut Db {
        match usize::from(number).checked_sub(1) {
            None => &mut self.first,
            Some(index) => &mut self.others[index],
        }
    }

    /// The same while nobody changes anything.
    pub fn db_ref(&self, number: u16) -> &Db {
        match usize::from(number).checked_sub(1) {
            None => &self.first,
            Some(index) => &self.others[index],
        }
    }

    /// All databases with their numbers.
    pub fn dbs(&mut self) -> impl Iterator<Item = (u16, &mut Db)> {
        (0..).zip(std::iter::once(&mut self.first).chain(&mut self.others))
    }

    /// Exchanges two databases.
    pub fn swap(&mut self, a: u16, b: u16) {
        if a == b {
            return;
        }
        self.first.table.publish_in(None);
        let held = self.replace(a, Db::new(self.first.hasher));
        let other = self.replace(b, held);
        self.replace(a, other);
        self.first.table.publish_in(self.peek);
    }

    /// Empties a database and counts the change. What was in it is returned, to be dropped later.
    pub fn flush(&mut self, number: u16) -> Flushed {
        self.first.table.publish_in(None);
        let mut emptied = Db::new(self.first.hasher);
        emptied.stats = self.db(number).stats;
        emptied.stats.changes += self.db(number).len() as u64;
        let flushed = self.replace(number, emptied);
        self.first.table.publish_in(self.peek);
        Flushed(flushed.table)
    }

    /// Looks at keys of all databases that are due, at most `limit`, and removes what has expired.
    /// Returns the number of these keys and of the members removed from collections; if that is
    /// below `limit`, nothing else is due.
    pub fn expire_due(&mut self, now_ms: u64, limit: usize) -> usize {
        let (mut handled, tick) = (0, tick_of(now_ms));
        for (_, db) in self.dbs() {
            if handled < limit && db.table.earliest() < tick {
                handled += db.expire_due(now_ms, limit.saturating_sub(handled));
            }
        }
        handled
    }

    fn replace(&mut self, number: u16, db: Db) -> Db {
        std::mem::replace(self.db(number), db)
    }
}

/// The keys of a flushed database. Dropping it takes time in proportion to their number.
pub struct Flushed(Table<Entry>);

impl Flushed {
    /// Keys to drop.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing to drop.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Members that are taken out of a large collection because a command or a sweep looks at it.
const MEMBERS_AT_ONCE: usize = 256;

#[inline]
fn is_expired(entry: &Entry, now_ms: u64) -> bool {
    entry.expires_at().is_some_and(|at| at <= now_ms)
}

/// Takes expired members out of a collection. Whether the key has to go now, and was counted as
/// gone: it has expired itself, or its last member has.
fn decays(entry: &mut Entry, now_ms: u64, stats: &mut Stats, timed: &mut Timed) -> bool {
    let mut dies = is_expired(entry, now_ms);
    if !dies && entry.members_expire() {
        let was_counted = entry.is_counted();
        let dropped = entry.drop_expired(now_ms, MEMBERS_AT_ONCE);
        stats.expired_members += dropped as u64;
        dies = dropped > 0 && entry.form().is_empty();
        timed.recount_members(was_counted, entry);
    }
    if dies {
        stats.expired += 1;
        timed.take(entry);
    }
    dies
}

/// Drops an entry, a large one in the background.
#[inline]
fn free(entry: Entry) {
    if entry.is_large() {
        reclaim::later(Box::new(entry));
    }
}

impl Db {
    fn new(hasher: Hasher) -> Self {
        Self { table: Table::new(), hasher, timed: Timed::default(), stats: Stats::default() }
    }

    /// Keys, those included that expired and were not yet removed.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Keys that have an expiry.
    pub fn volatile(&self) -> usize {
        self.timed.keys
    }

    /// Keys some members of which have an expiry.
    pub fn holders(&self) -> usize {
        self.timed.holders
    }

    /// Bytes of memory of the table, without the entries.
    pub fn table_memory(&self) -> usize {
        self.table.memory()
    }

    /// Keys that the table has room for without growing.
    pub fn capacity(&self) -> usize {
        self.table.capacity()
    }

    /// The entry of a key, counted as a hit or a miss.
    #[inline]
    pub fn read(&mut self, key: &Key<'_>, now_ms: u64) -> Option<Ref<'_, Entry>> {
        self.read_if(true, key, now_ms)
    }

    /// The same, counted only if `counts`.
    #[inline]
    pub fn read_if(&mut self, counts: bool, key: &Key<'_>, now_ms: u64) -> Option<Ref<'_, Entry>> {
        let Self { table, hasher, timed, stats } = self;
        let found = living(table, *hasher, timed, stats, key, now_ms);
        if counts {
            stats.count_read(found.is_some());
        }
        found.map(Occupied::into_ref)
    }

    /// The entry of a key, not counted.
    #[inline]
    pub fn get(&mut self, key: &Key<'_>, now_ms: u64) -> Option<Ref<'_, Entry>> {
        self.read_if(false, key, now_ms)
    }

    /// The entry of a key, to change or remove.
    #[inline]
    pub fn get_mut(&mut self, key: &Key<'_>, now_ms: u64) -> Option<EntryMut<'_>> {
        let Self { table, hasher, timed, stats } = self;
        let found = living(table, *hasher, timed, stats, key, now_ms);
        let changes = &mut stats.changes;
        found.map(|entry| EntryMut { entry, hash: key.hash, hasher: *hasher, timed, changes })
    }

    /// The entry of a key, to show and then change or remove, counted as a hit or a miss.
    #[inline]
    pub fn read_mut(&mut self, key: &Key<'_>, now_ms: u64) -> Option<EntryMut<'_>> {
        let Self { table, hasher, timed, stats } = self;
        let found = living(table, *hasher, timed, stats, key, now_ms);
        stats.count_read(found.is_some());
        let changes = &mut stats.changes;
        found.map(|entry| EntryMut { entry, hash: key.hash, hasher: *hasher, timed, changes })
    }

    /// Sets a key, whatever it was before. Always inlined, as this is most of what SET does.
    #[inline(always)]
    pub fn set(&mut self, key: &Key<'_>, value: Value<'_>, expires_at: Option<u64>, now_ms: u64) {
        if let Some(mut entry) = self.get_mut(key, now_ms) {
            entry.set(value, expires_at);
            return;
        }
        self.insert(key, Entry::new(key.bytes, value, expires_at));
    }

    /// Adds an entry under a key that is not there.
    #[inline]
    pub fn insert(&mut self, key: &Key<'_>, entry: Entry) {
        self.stats.changes += 1;
        self.add(key, entry);
    }

    /// Puts an entry in the place of what a key has, or removes the key if the entry's collection
    /// is empty. Returns whether the key was there. That counts as so many changes, or as one if
    /// the key is only removed.
    pub fn store(&mut self, key: &Key<'_>, entry: Entry, changes: u64, now_ms: u64) -> bool {
        let was_there = self.get_mut(key, now_ms).map(EntryMut::detach).map(free).is_some();
        if entry.form().is_empty() {
            self.count_changes(was_there.into());
        } else {
            self.count_changes(changes);
            self.add(key, entry);
        }
        was_there
    }

    /// Counts changes beside those that are counted as keys change.
    pub fn count_changes(&mut self, changes: u64) {
        self.stats.changes += changes;
    }

    #[inline]
    fn add(&mut self, key: &Key<'_>, mut entry: Entry) {
        debug_assert!(entry.key() == key.bytes, "an entry under another key");
        self.timed.add(&mut entry);
        let hasher = self.hasher;
        self.table.insert(key.hash, entry, |entry| hash_of(hasher, entry));
    }

    /// The entry of a key while nobody changes anything, not counted.
    pub fn peek(&self, key: &Key<'_>, now_ms: u64) -> Option<Ref<'_, Entry>> {
        self.table.find(key.hash, key.bytes).filter(|entry| !is_expired(entry, now_ms))
    }

    /// Changes a collection, which is made if the key is not there and something is changed.
    /// `None`: the key has a value of another type.
    pub fn edit_or_create<T: Type, R>(
        &mut self,
        key: &Key<'_>,
        limits: &Limits,
        now_ms: u64,
        with: impl FnOnce(&mut T::Mut<'_>) -> R,
    ) -> Option<R> {
        if let Some(entry) = self.get_mut(key, now_ms) {
            return entry.edit_as::<T, R>(limits, now_ms, with);
        }
        let mut entry = T::empty(key.bytes, None);
        let mut collection = T::edit(&mut entry, self.rules(limits, now_ms))?;
        let result = with(&mut collection);
        let changes = collection.changes();
        drop(collection);
        self.stats.changes += changes;
        if changes > 0 && !entry.form().is_empty() {
            self.add(key, entry);
        }
        Some(result)
    }

    /// By what rules collections here change.
    pub fn rules<'r>(&self, limits: &'r Limits, now_ms: u64) -> Rules<'r> {
        Rules { hasher: self.hasher, limits, now_ms }
    }

    /// Takes a key out.
    #[inline]
    pub fn take(&mut self, key: &Key<'_>, now_ms: u64) -> Option<Entry> {
        self.get_mut(key, now_ms).map(EntryMut::take)
    }

    /// Removes a key and frees it; whether it was there.
    #[inline]
    pub fn remove(&mut self, key: &Key<'_>, now_ms: u64) -> bool {
        self.take(key, now_ms).map(free).is_some()
    }

    /// Visits the living keys of one bucket, as [`Table::scan`] does.
    pub fn scan(&self, from: u64, now_ms: u64, mut visit: impl FnMut(&Entry)) -> Option<u64> {
        self.table.scan(from, |entry| {
            if !is_expired(entry, now_ms) {
                visit(entry);
            }
        })
    }

    /// Some living key, if one is found in a few attempts with the random numbers of `random`.
    pub fn random(&self, now_ms: u64, mut random: impl FnMut() -> u64) -> Option<Ref<'_, Entry>> {
        const ATTEMPTS: usize = 16;
        let entries = std::iter::repeat_with(|| self.table.random(&mut random));
        entries.take(ATTEMPTS).flatten().find(|entry| !is_expired(entry, now_ms))
    }

    /// Looks at keys that are due before the tick of this time, at most `limit`, and removes what
    /// has expired. Returns the number of these keys and of the members removed from collections;
    /// if that is below `limit`, nothing else is due.
    fn expire_due(&mut self, now_ms: u64, limit: usize) -> usize {
        let Self { table, stats, timed, .. } = self;
        let members_before = stats.expired_members;
        let handled = table.drain_due(tick_of(now_ms), limit, |mut entry| {
            if !decays(&mut entry, now_ms, stats, timed) {
                return Some(entry);
            }
            free(entry);
            None
        });
        handled.saturating_add((stats.expired_members - members_before) as usize)
    }
}

#[inline]
fn hash_of(hasher: Hasher, entry: &Entry) -> u64 {
    hasher.hash(entry.key(), slot::slot_of(entry.key()))
}

/// The entry of a key; one that has expired is removed.
#[inline]
fn living<'table>(
    table: &'table mut Table<Entry>,
    hasher: Hasher,
    timed: &mut Timed,
    stats: &mut Stats,
    key: &Key<'_>,
    now_ms: u64,
) -> Option<Occupied<'table, Entry>> {
    let decay = |entry: &mut Entry| decays(entry, now_ms, stats, timed);
    let hash_of = |entry: &Entry| hash_of(hasher, entry);
    table.find_living(key.hash, key.bytes, Entry::may_expire, decay, free, hash_of)
}

/// An entry that may change; its changes are counted.
pub struct EntryMut<'db> {
    entry: Occupied<'db, Entry>,
    hash: u64,
    hasher: Hasher,
    timed: &'db mut Timed,
    changes: &'db mut u64,
}

impl std::ops::Deref for EntryMut<'_> {
    type Target = Entry;

    #[inline]
    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl EntryMut<'_> {
    /// Replaces value and expiry.
    #[inline]
    pub fn set(&mut self, value: Value<'_>, expires_at: Option<u64>) {
        self.recount(expires_at);
        if self.entry.is_counted() {
            self.timed.holders -= 1;
        }
        if self.entry.is_large() {
            let mut new = Entry::new(self.entry.key(), value, expires_at);
            new.set_sticky(self.entry.is_sticky());
            free(std::mem::replace(&mut *self.entry, new));
        } else {
            self.entry.set(value, expires_at);
        }
    }

    /// Sets or takes away the expiry.
    #[inline]
    pub fn set_expiry(&mut self, expires_at: Option<u64>) {
        self.recount(expires_at);
        self.entry.set_expiry(expires_at);
    }

    /// The string's bytes to edit, made `len` long.
    pub fn edit(&mut self, len: usize) -> &mut [u8] {
        *self.changes += 1;
        self.entry.edit(len)
    }

    /// Edits the same bytes by `with`, which adds its changes to the number it is given.
    pub fn edit_by<R>(&mut self, len: usize, with: impl FnOnce(&mut [u8], &mut u64) -> R) -> R {
        with(self.entry.edit(len), self.changes)
    }

    /// Edits the value by `with`, which says how many changes that was. The expiry stays.
    #[inline]
    pub fn edit_value<R>(&mut self, with: impl FnOnce(&mut Entry) -> (u64, R)) -> R {
        let (changes, result) = with(&mut self.entry);
        *self.changes += changes;
        result
    }

    /// Exempts the entry from cache eviction, or not.
    pub fn set_sticky(&mut self, sticky: bool) {
        *self.changes += 1;
        self.entry.set_sticky(sticky);
    }

    /// Changes a collection, and removes it when it is empty then. `None`: the entry is none of
    /// this type.
    #[inline]
    pub fn edit_as<T: Type, R>(
        mut self,
        limits: &Limits,
        now_ms: u64,
        with: impl FnOnce(&mut T::Mut<'_>) -> R,
    ) -> Option<R> {
        let rules = Rules { hasher: self.hasher, limits, now_ms };
        let was_counted = self.entry.is_counted();
        let mut collection = T::edit(&mut self.entry, rules)?;
        let result = with(&mut collection);
        *self.changes += collection.changes();
        drop(collection);
        self.timed.recount_members(was_counted, &mut self.entry);
        if self.entry.form().is_empty() {
            free(self.detach());
        }
        Some(result)
    }

    /// Takes the entry out of the database.
    #[inline]
    pub fn take(self) -> Entry {
        *self.changes += 1;
        self.detach()
    }

    #[inline]
    fn detach(self) -> Entry {
        let Self { entry, hash, hasher, timed, .. } = self;
        timed.take(&entry);
        entry.remove(hash, |entry| hash_of(hasher, entry))
    }

    /// Removes the entry.
    #[inline]
    pub fn remove(self) {
        free(self.take());
    }

    #[inline]
    fn recount(&mut self, expires_at: Option<u64>) {
        *self.changes += 1;
        match (self.entry.expires_at(), expires_at) {
            (None, Some(_)) => self.timed.keys += 1,
            (Some(_), None) => self.timed.keys -= 1,
            _ => {}
        }
    }
}
