//! All shards, and how several are borrowed at once.
//!
//! Several shards are borrowed in ascending order and kept until all are there: with one fixed
//! order nobody can wait in a circle. But who waits for a busy shard while it keeps others would
//! make their users wait too, so a group first tries without waiting: where one shard is busy it
//! gives all back, waits for that one alone and, with it in hand, tries the others again. Only
//! after [`POLITE_ROUNDS`] such rounds does it keep what it has.

use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake};
use std::thread::Thread;

use smallvec::SmallVec;
use table::{Hasher, Peek};

use crate::borrow::Borrowable;
use crate::db::Shard;
use crate::slot::{self, SLOTS_PER_SHARD};
use crate::{Held, SHARDS};

/// Rounds in which a group keeps no shard while it waits.
const POLITE_ROUNDS: usize = 3;
/// Shards that a group holds without an allocation.
const INLINE: usize = 16;

/// A borrowed shard.
pub type HeldShard = Held<'static, Shard>;

/// Borrowed shards in ascending order of their numbers.
#[derive(Default)]
pub struct HeldSet {
    shards: SmallVec<[(u16, HeldShard); INLINE]>,
}

/// A key with what its place follows from.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// The key itself.
    pub bytes: &'a [u8],
    /// Its cluster slot.
    pub slot: u16,
    /// Its hash in the tables of its shard.
    pub hash: u64,
}

impl Key<'_> {
    /// The shard that the key lives in.
    #[inline]
    pub fn shard(&self) -> u16 {
        self.slot / SLOTS_PER_SHARD
    }
}

#[repr(C, align(128))]
struct Cell {
    peek: Peek,
    shard: Borrowable<Shard>,
}

/// The keyspace of a process.
pub struct Keyspace {
    cells: Box<[Cell]>,
    hasher: Hasher,
}

impl Keyspace {
    /// A keyspace without keys, which lives as long as the process. `secret` keys its hash.
    pub fn leak(secret: [u64; 2]) -> &'static Self {
        let hasher = Hasher::new(secret);
        let cells = (0..SHARDS)
            .map(|_| Cell { peek: Peek::new(), shard: Borrowable::new(Shard::new(hasher)) })
            .collect();
        let keyspace: &'static Self = Box::leak(Box::new(Self { cells, hasher }));
        for cell in &keyspace.cells {
            if let Some(mut shard) = cell.shard.try_borrow() {
                shard.publish_in(&cell.peek);
            }
        }
        keyspace
    }

    /// The place of a key.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        let slot = slot::slot_of(bytes);
        Key { bytes, slot, hash: self.hasher.hash(bytes, slot) }
    }

    /// Where the shard publishes its first database for prefetching.
    #[inline]
    pub fn peek(&self, shard: u16) -> &Peek {
        &self.cells[usize::from(shard)].peek
    }

    /// Starts to bring a shard's head into the cache: one line, see [`crate::Db`].
    #[inline]
    pub fn prefetch(&self, shard: u16) {
        table::peek::prefetch((&raw const self.cells[usize::from(shard)]).cast());
    }

    /// Borrows a shard if it is free or becomes so in a moment.
    #[inline]
    pub fn try_borrow(&'static self, shard: u16) -> Option<HeldShard> {
        self.cells[usize::from(shard)].shard.try_borrow_spinning()
    }

    /// Borrows a shard, waiting as a task.
    pub async fn borrow(&'static self, shard: u16) -> HeldShard {
        self.cells[usize::from(shard)].shard.borrow().await
    }

    /// Borrows a shard, making this thread wait. Not for threads that serve connections.
    pub fn borrow_blocking(&'static self, shard: u16) -> HeldShard {
        self.try_borrow(shard).unwrap_or_else(|| block_on(self.borrow(shard)))
    }

    /// Borrows several shards if all are free now. `shards` ascends.
    /// On failure it names the busy one.
    pub fn try_borrow_set(&'static self, shards: &[u16]) -> Result<HeldSet, u16> {
        let mut set = HeldSet::default();
        for &shard in shards {
            let Some(held) = self.try_borrow(shard) else { return Err(shard) };
            set.shards.push((shard, held));
        }
        Ok(set)
    }

    /// The hasher of keys, and of members of collections.
    pub fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// Borrows several shards, waiting as a task. `shards` ascends.
    pub async fn borrow_set(&'static self, shards: &[u16]) -> HeldSet {
        let mut busy = match self.try_borrow_set(shards) {
            Ok(set) => return set,
            Err(busy) => busy,
        };
        for _ in 0..POLITE_ROUNDS {
            let mut waited = Some(self.borrow(busy).await);
            match self.try_borrow_around(shards, busy, &mut waited) {
                Ok(set) => return set,
                Err(next) => busy = next,
            }
        }
        let mut set = HeldSet::default();
        for &shard in shards {
            set.shards.push((shard, self.borrow(shard).await));
        }
        set
    }

    /// As `try_borrow_set`, with the shard `number` in hand.
    fn try_borrow_around(
        &'static self,
        shards: &[u16],
        number: u16,
        in_hand: &mut Option<HeldShard>,
    ) -> Result<HeldSet, u16> {
        let mut set = HeldSet::default();
        for &shard in shards {
            let held = if shard == number { in_hand.take() } else { self.try_borrow(shard) };
            set.shards.push((shard, held.ok_or(shard)?));
        }
        Ok(set)
    }
}

/// Runs a future on a thread that has nothing else to do.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            // A wake that comes first makes the parking return at once.
            Poll::Pending => std::thread::park(),
        }
    }
}

impl HeldSet {
    /// A set of one shard.
    pub fn of_one(number: u16, shard: HeldShard) -> Self {
        let mut set = Self::default();
        set.shards.push((number, shard));
        set
    }

    /// The shard with this number.
    #[inline]
    pub fn get(&mut self, shard: u16) -> Option<&mut Shard> {
        self.index_of(shard).map(|index| &mut *self.shards[index].1)
    }

    /// The shard with this number, to look at.
    pub fn get_ref(&self, shard: u16) -> Option<&Shard> {
        self.index_of(shard).map(|index| &*self.shards[index].1)
    }

    #[inline]
    fn index_of(&self, shard: u16) -> Option<usize> {
        if self.shards.len() <= INLINE {
            self.shards.iter().position(|(number, _)| *number == shard)
        } else {
            self.shards.binary_search_by_key(&shard, |(number, _)| *number).ok()
        }
    }

    /// All shards held.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.shards.iter_mut().map(|(_, shard)| &mut **shard)
    }

    /// How many shards are held.
    pub fn len(&self) -> usize {
        self.shards.len()
    }

    /// Whether no shard is held.
    pub fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }
}

/// The numbers of all shards, ascending.
pub fn all_shards() -> &'static [u16] {
    static ALL: OnceLock<Vec<u16>> = OnceLock::new();
    ALL.get_or_init(|| (0..SHARDS as u16).collect())
}
