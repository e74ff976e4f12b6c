//! What a handler sees of the world: its command's words and keys, the shards of these, a reply
//! to write, the time.
//!
//! Invariant: the shard of every key is held for as long as the command runs, so opening a key
//! neither waits nor fails. Asking for a key that the row's key specs do not name is a bug, and
//! ends the process.

use std::sync::Arc;

use keyspace::shards::{HeldSet, HeldShard, all_shards};
use keyspace::slot::SLOTS_PER_SHARD;
use keyspace::{DATABASES, Db, Key, Keyspace, Shard};
use memory::Part;
use protocol::number::parse_i64;
use protocol::output::BY_REFERENCE_MIN;
use protocol::reply::Reply;
use protocol::request::Arg;
use table::table::Ref;
use values::{Entry, Value};

use crate::failure::{Failure, Outcome};
use crate::settings::Settings;

/// A command that copies more bytes than this does so in the worker pool: a few milliseconds.
const QUICK_COPY_MAX: usize = 4 * 1024 * 1024;

/// A command that visits more members than this does so in the worker pool: half a millisecond.
const QUICK_MEMBERS_MAX: usize = 8192;

/// The words of a command, in the buffer where they arrived.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    bytes: &'a [u8],
    args: &'a [Arg],
}

impl<'a> Args<'a> {
    /// The words at `args` in `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8], args: &'a [Arg]) -> Self {
        Self { bytes, args }
    }

    /// How many words there are, the command's name included.
    #[inline]
    pub fn len(self) -> usize {
        self.args.len()
    }

    /// Whether there is no word.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.args.is_empty()
    }

    /// The word `index`; the name is word 0. A word that is not there is empty.
    #[inline]
    pub fn get(self, index: usize) -> &'a [u8] {
        self.args.get(index).map_or(&[], |arg| arg.of(self.bytes))
    }

    /// The words as ranges of their buffer.
    pub fn ranges(self) -> &'a [Arg] {
        self.args
    }

    /// The words from `first` on.
    #[inline]
    pub fn from(self, first: usize) -> impl Iterator<Item = &'a [u8]> + Clone {
        self.args.get(first..).unwrap_or_default().iter().map(move |arg| arg.of(self.bytes))
    }
}

/// Where a key stands among the words, and where it lives.
#[derive(Clone, Copy, Debug)]
pub struct KeyAt {
    /// Index of the word.
    pub word: u32,
    /// Its cluster slot.
    pub slot: u16,
    /// Its hash.
    pub hash: u64,
}

impl KeyAt {
    /// Its shard.
    #[inline]
    pub fn shard(&self) -> u16 {
        self.slot / SLOTS_PER_SHARD
    }

    /// The key among the words where it stands.
    #[inline]
    pub fn of<'a>(&self, args: Args<'a>) -> Key<'a> {
        Key { bytes: args.get(self.word as usize), slot: self.slot, hash: self.hash }
    }
}

/// How many looks at keys were counted as hits or misses. A command that goes to the worker pool
/// begins again there, and looks first at what it has looked at before, which is not counted again.
#[derive(Clone, Copy, Default)]
pub struct Reads {
    done: u32,
    /// Looks that an earlier run has counted.
    known: u32,
}

impl Reads {
    /// For a run that begins where this one did.
    pub fn again(self) -> Self {
        Self { done: 0, known: self.done.max(self.known) }
    }

    /// Notes one more look. Returns whether it is to be counted.
    #[inline]
    pub fn note(&mut self) -> bool {
        self.done = self.done.saturating_add(1);
        self.done > self.known
    }
}

/// The shards that are borrowed for a command.
pub enum Shards<'a> {
    /// Those of no key.
    None,
    /// That of its only key.
    One(&'a mut Shard),
    /// Those of several keys.
    Set(&'a mut HeldSet),
}

/// A shard to look at: one that the command holds, or one borrowed for the moment.
pub enum ShardRef<'a> {
    /// Held as long as the command runs.
    Held(&'a mut Shard),
    /// Given back when this goes out of scope.
    Borrowed(HeldShard),
}

impl std::ops::Deref for ShardRef<'_> {
    type Target = Shard;

    fn deref(&self) -> &Shard {
        match self {
            Self::Held(shard) => shard,
            Self::Borrowed(shard) => shard,
        }
    }
}

impl std::ops::DerefMut for ShardRef<'_> {
    fn deref_mut(&mut self) -> &mut Shard {
        match self {
            Self::Held(shard) => shard,
            Self::Borrowed(shard) => shard,
        }
    }
}

/// What a handler sees of the world.
pub struct Context<'a> {
    /// The keyspace, for commands that walk it.
    pub keyspace: &'static Keyspace,
    /// The command's words.
    pub args: Args<'a>,
    /// The block that the words lie in, if a value that came in it may keep it.
    pub block: Option<&'a Arc<Vec<u8>>>,
    /// Its keys, in the order of the words.
    pub keys: &'a [KeyAt],
    /// The shards of its keys.
    pub shards: Shards<'a>,
    /// Looks that were counted, by commands that may go to the worker pool after that.
    pub reads: Reads,
    /// Where the reply goes.
    pub reply: Reply<'a>,
    /// The time of this command, in milliseconds of Unix time.
    pub now_ms: u64,
    /// The client's database.
    pub db: u16,
    /// The command's name.
    pub name: &'static str,
    /// Parameters of the configuration.
    pub settings: &'static Settings,
    /// Whether this is the worker pool, where a command may wait and take its time.
    pub may_wait: bool,
}

impl<'a> Context<'a> {
    /// The key number `index` of those that the key specs name. Handlers ask for keys that their
    /// arity and specs guarantee.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "arity and key specs guarantee the key")]
    pub fn key(&self, index: usize) -> Key<'a> {
        self.keys[index].of(self.args)
    }

    /// All keys that the key specs name, in the order of the words.
    #[inline]
    pub fn all_keys(&self) -> impl Iterator<Item = Key<'a>> + use<'a> {
        let args = self.args;
        self.keys.iter().map(move |at| at.of(args))
    }

    /// The client's database in the shard of a key.
    #[inline]
    pub fn db(&mut self, key: &Key<'_>) -> &mut Db {
        self.open(key).0
    }

    /// The client's database in the shard of a key, and the reply.
    #[inline]
    pub fn open(&mut self, key: &Key<'_>) -> (&mut Db, &mut Reply<'a>) {
        let shard = held(&mut self.shards, key.shard());
        (shard.db(self.db), &mut self.reply)
    }

    /// The entry of a key, counted as a hit or a miss, and the reply; for commands that may go to
    /// the worker pool after that.
    #[inline]
    pub fn read_entry(&mut self, key: &Key<'_>) -> (Option<Ref<'_, Entry>>, &mut Reply<'a>) {
        let (counts, now_ms) = (self.reads.note(), self.now_ms);
        let (db, reply) = self.open(key);
        (db.read_if(counts, key, now_ms), reply)
    }

    /// Any database in the shard of a key.
    pub fn other_db(&mut self, key: &Key<'_>, number: u16) -> &mut Db {
        held(&mut self.shards, key.shard()).db(number)
    }

    /// What this command may do before it has to go to the worker pool.
    #[inline]
    pub fn budget(&self) -> Budget {
        Budget { may_wait: self.may_wait }
    }

    /// Sends a command that is about to visit so many members to the worker pool if it should be
    /// there. To be called before anything is changed or replied.
    #[inline]
    pub fn allow_work(&self, members: usize) -> Result<(), Failure> {
        self.budget().allow(members)
    }

    /// All shards that the command holds.
    pub fn all_held(&mut self) -> impl Iterator<Item = &mut Shard> {
        let (one, set) = match &mut self.shards {
            Shards::None => (None, None),
            Shards::One(shard) => (Some(&mut **shard), None),
            Shards::Set(set) => (None, Some(set.iter_mut())),
        };
        one.into_iter().chain(set.into_iter().flatten())
    }

    /// The shard with this number, for commands that walk the keyspace. Where it is busy and the
    /// command may not wait, the command must run in the worker pool.
    pub fn shard(&mut self, number: u16) -> Result<ShardRef<'_>, Failure> {
        self.reach(number).map(|(shard, _)| shard)
    }

    /// The same, and the reply.
    pub fn reach(&mut self, number: u16) -> Result<(ShardRef<'_>, &mut Reply<'a>), Failure> {
        let own = self.keys.first().map(KeyAt::shard);
        let Self { shards, reply, .. } = self;
        let held = match shards {
            Shards::None => None,
            Shards::One(shard) => (own == Some(number)).then_some(&mut **shard),
            Shards::Set(set) => set.get(number),
        };
        if let Some(shard) = held {
            return Ok((ShardRef::Held(shard), reply));
        }
        if self.may_wait {
            return Ok((ShardRef::Borrowed(self.keyspace.borrow_blocking(number)), reply));
        }
        let shard = self.keyspace.try_borrow(number).ok_or(Failure::Detach)?;
        Ok((ShardRef::Borrowed(shard), reply))
    }

    /// Makes sure that the command holds shards which its words do not name: those with these
    /// numbers, which ascend. If it does not, it runs again with them, or with all if it was given
    /// more than its own already and data have changed since. To be called before anything is
    /// changed or replied.
    pub fn require(&self, numbers: &[u16]) -> Result<(), Failure> {
        let mut own: Vec<u16> = self.keys.iter().map(KeyAt::shard).collect();
        own.sort_unstable();
        own.dedup();
        let (holds_all, held) = match &self.shards {
            Shards::None => (numbers.is_empty(), 0),
            Shards::One(_) => (numbers.iter().all(|number| own.contains(number)), 1),
            Shards::Set(set) => {
                (numbers.iter().all(|number| set.get_ref(*number).is_some()), set.len())
            }
        };
        if holds_all {
            return Ok(());
        }
        let wanted = if held > own.len() { all_shards() } else { numbers };
        Err(Failure::Needs(wanted.to_vec()))
    }

    /// Whether the command holds every shard.
    pub fn holds_all(&self) -> bool {
        matches!(&self.shards, Shards::Set(set) if set.len() == all_shards().len())
    }

    /// The word `index` as a value to store. One that is most of its block is held on to; one that
    /// would take long to copy is left to the worker pool.
    #[inline]
    pub fn value(&self, index: usize) -> Result<Value<'a>, Failure> {
        let word = self.args.get(index);
        if word.len() < BY_REFERENCE_MIN { Ok(Value::of(word)) } else { self.large_value(word) }
    }

    #[cold]
    fn large_value(&self, word: &'a [u8]) -> Result<Value<'a>, Failure> {
        let value = storable(self.block, word);
        self.allow_copy(copied(&value))?;
        Ok(value)
    }

    /// Sends a command that stores the words at `indices` to the worker pool if copying them takes
    /// long.
    pub fn check_values(&self, indices: impl Iterator<Item = usize>) -> Result<(), Failure> {
        let bytes = indices.map(|index| copied(&storable(self.block, self.args.get(index))));
        self.allow_copy(bytes.fold(0, usize::saturating_add))
    }

    /// Sends a command that is about to copy so many bytes to the worker pool if it should be
    /// there.
    #[inline]
    pub fn allow_copy(&self, bytes: usize) -> Result<(), Failure> {
        self.budget().allow_copy(bytes)
    }

    /// The word `index` as an integer.
    #[inline]
    pub fn int(&self, index: usize) -> Result<i64, Failure> {
        parse_i64(self.args.get(index)).ok_or(Failure::NotInteger)
    }
}

/// What a command may do before it has to go to the worker pool.
#[derive(Clone, Copy)]
pub struct Budget {
    may_wait: bool,
}

impl Budget {
    /// Sends the command to the worker pool if it is about to visit so many members and should be
    /// there.
    #[inline]
    pub fn allow(self, members: usize) -> Result<(), Failure> {
        if members > QUICK_MEMBERS_MAX && !self.may_wait { Err(Failure::Detach) } else { Ok(()) }
    }

    /// The same for bytes that it is about to copy.
    #[inline]
    pub fn allow_copy(self, bytes: usize) -> Result<(), Failure> {
        if bytes > QUICK_COPY_MAX && !self.may_wait { Err(Failure::Detach) } else { Ok(()) }
    }
}

#[inline]
fn held<'s>(shards: &'s mut Shards<'_>, number: u16) -> &'s mut Shard {
    match shards {
        Shards::One(shard) => shard,
        Shards::Set(set) => match set.get(number) {
            Some(shard) => shard,
            None => unreachable!("a key's shard is borrowed before its command runs"),
        },
        Shards::None => unreachable!("a command without keys opens no key"),
    }
}

/// The string of an entry that must have one.
#[inline]
pub fn string_of(entry: &Entry) -> Result<Value<'_>, Failure> {
    match entry.string() {
        Some(value) => Ok(value),
        None => Err(Failure::WrongType),
    }
}

/// Writes the string of an entry that must have one as a bulk string, a large one by reference.
#[inline]
pub fn reply_string(reply: &mut Reply<'_>, entry: &Entry) -> Outcome {
    match string_of(entry)? {
        Value::Int(number) => reply.bulk_integer(number),
        Value::Bytes(bytes) if bytes.len() < BY_REFERENCE_MIN => reply.bulk(bytes),
        value => match entry.blob() {
            Some(blob) => reply.bulk_blob(blob),
            None => reply_value(reply, value),
        },
    }
    Ok(())
}

/// Writes a value as a bulk string.
#[inline]
pub fn reply_value(reply: &mut Reply<'_>, value: Value<'_>) {
    match value {
        Value::Int(number) => reply.bulk_integer(number),
        Value::Bytes(bytes) => reply.bulk(bytes),
        Value::Part(part) => reply.bulk(part.bytes()),
    }
}

/// A word as a value, however long it takes to copy; see [`Context::check_values`].
#[inline]
pub fn storable<'a>(block: Option<&'a Arc<Vec<u8>>>, word: &'a [u8]) -> Value<'a> {
    if word.len() < BY_REFERENCE_MIN {
        return Value::of(word);
    }
    let part = block.and_then(|block| Part::of(block, word));
    part.map_or(Value::Bytes(word), Value::Part)
}

/// Bytes that storing a value copies.
fn copied(value: &Value<'_>) -> usize {
    match value {
        Value::Bytes(bytes) => bytes.len(),
        Value::Int(_) | Value::Part(_) => 0,
    }
}

/// What Redis says of an integer that its type `int` cannot hold.
const NOT_INT: Failure =
    Failure::text("ERR value is out of range, value must between -2147483648 and 2147483647");

/// The number of a database, as COPY, MOVE and their like take it.
pub fn db_number(word: &[u8]) -> Result<u16, Failure> {
    let number = parse_i64(word).ok_or(Failure::NotInteger)?;
    db_in_range(i32::try_from(number).map_err(|_| NOT_INT)?)
}

/// The number of a database, if there is one with this number.
pub fn db_in_range(number: i32) -> Result<u16, Failure> {
    match u16::try_from(number) {
        Ok(number) if usize::from(number) < DATABASES => Ok(number),
        _ => Err(Failure::DbRange),
    }
}
