//! How commands open collections. Nothing else opens them, so here types are checked, emptied
//! collections are removed, and changes are counted.
//!
//! ```text
//! read, look        one to look at
//! edit              one to change, if it is there
//! edit_or_create    one to change, in any case
//! sources           several to look at, all at once
//! store             a new one in the place of whatever was there
//! ```

use keyspace::{Key, Shard};
use protocol::reply::Reply;
use table::table::Ref;
use values::typed::{Rules, Type};
use values::{Entry, Form, LEN_MAX};

use crate::context::{Context, Shards};
use crate::failure::{Failure, Outcome};

/// A collection, if the key is there, and the reply.
pub type Looked<'s, 'a, T> = (Option<<T as Type>::Ref<'s>>, &'s mut Reply<'a>);

impl<'a> Context<'a> {
    /// A collection to look at, counted as a hit or a miss; `None` if the key is not there. And the
    /// reply.
    #[inline]
    pub fn read<T: Type>(&mut self, key: &Key<'_>) -> Result<Looked<'_, 'a, T>, Failure> {
        let now_ms = self.now_ms;
        let (entry, reply) = self.read_entry(key);
        Ok((typed::<T>(entry, now_ms)?, reply))
    }

    /// The same, not counted.
    pub fn look<T: Type>(&mut self, key: &Key<'_>) -> Result<Looked<'_, 'a, T>, Failure> {
        let now_ms = self.now_ms;
        let (db, reply) = self.open(key);
        Ok((typed::<T>(db.get(key, now_ms), now_ms)?, reply))
    }

    /// Changes a collection by `with`, which also replies; `None` if the key is not there. An
    /// emptied collection is removed.
    #[inline]
    pub fn edit<T: Type, R>(
        &mut self,
        key: &Key<'_>,
        with: impl FnOnce(&mut T::Mut<'_>, &mut Reply<'a>) -> Result<R, Failure>,
    ) -> Result<Option<R>, Failure> {
        let (now_ms, limits) = (self.now_ms, &self.settings.limits);
        let (db, reply) = self.open(key);
        let Some(entry) = db.get_mut(key, now_ms) else { return Ok(None) };
        let done = entry.edit_as::<T, _>(limits, now_ms, |collection| with(collection, reply));
        done.ok_or(Failure::WrongType)?.map(Some)
    }

    /// The same, but a collection is made if the key is not there.
    #[inline]
    pub fn edit_or_create<T: Type, R>(
        &mut self,
        key: &Key<'_>,
        with: impl FnOnce(&mut T::Mut<'_>, &mut Reply<'a>) -> Result<R, Failure>,
    ) -> Result<R, Failure> {
        let (now_ms, limits) = (self.now_ms, &self.settings.limits);
        let (db, reply) = self.open(key);
        let with = |collection: &mut T::Mut<'_>| with(collection, reply);
        db.edit_or_create::<T, _>(key, limits, now_ms, with).ok_or(Failure::WrongType)?
    }

    /// Puts an entry in the place of what a key has, or removes the key if the entry's collection
    /// is empty. Returns whether the key was there.
    pub fn store(&mut self, key: &Key<'_>, entry: Entry) -> bool {
        self.store_counted(key, entry, 1)
    }

    /// The same, which counts as so many changes.
    pub fn store_counted(&mut self, key: &Key<'_>, entry: Entry, changes: u64) -> bool {
        let now_ms = self.now_ms;
        self.db(key).store(key, entry, changes, now_ms)
    }

    /// Sees to it that the words from `first` on may become members: that none is too long, and
    /// that much is copied in the worker pool. (A command of very many words runs there anyhow.)
    #[inline]
    pub fn allow_members(&self, first: usize) -> Outcome {
        let mut bytes = 0_usize;
        for word in self.args.from(first) {
            if word.len() > LEN_MAX {
                return Err(Failure::TooLong);
            }
            bytes = bytes.saturating_add(word.len());
        }
        self.allow_copy(bytes)
    }

    /// By what rules collections change, to build one that is stored later.
    pub fn rules(&self) -> Rules<'static> {
        let Self { keyspace, settings, now_ms, .. } = *self;
        Rules { hasher: keyspace.hasher(), limits: &settings.limits, now_ms }
    }

    /// The keys from number `first` on, to look at all at once, and the reply. They are counted as
    /// hits and misses by this.
    pub fn sources(&mut self, first: usize) -> (Sources<'_>, &mut Reply<'a>) {
        for key in self.all_keys().skip(first) {
            self.read_entry(&key);
        }
        let Self { shards, reply, db, now_ms, .. } = self;
        (Sources { shards, db: *db, now_ms: *now_ms }, reply)
    }
}

/// What an entry holds as a collection of this type.
#[inline]
fn typed<T: Type>(
    entry: Option<Ref<'_, Entry>>,
    now_ms: u64,
) -> Result<Option<T::Ref<'_>>, Failure> {
    let Some(entry) = entry else { return Ok(None) };
    T::of(Entry::form_of(&entry), now_ms).map(Some).ok_or(Failure::WrongType)
}

/// Keys to look at all at once.
pub struct Sources<'s> {
    shards: &'s Shards<'s>,
    db: u16,
    now_ms: u64,
}

impl<'s> Sources<'s> {
    /// What a key holds, of whatever type; `None` if it is not there.
    pub fn form(&self, key: &Key<'_>) -> Option<Form<'s>> {
        let shard: &'s Shard = match self.shards {
            Shards::One(shard) => shard,
            Shards::Set(set) => set.get_ref(key.shard())?,
            Shards::None => return None,
        };
        let entry = shard.db_ref(self.db).peek(key, self.now_ms)?;
        Some(Entry::form_of(&entry))
    }

    /// A collection; `None` if the key is not there.
    pub fn get<T: Type>(&self, key: &Key<'_>) -> Result<Option<T::Ref<'s>>, Failure> {
        let Some(form) = self.form(key) else { return Ok(None) };
        T::of(form, self.now_ms).map(Some).ok_or(Failure::WrongType)
    }
}
