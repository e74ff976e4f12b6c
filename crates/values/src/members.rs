//! What set, hash and sorted set have in common: blocks in a table, found by their key.
//!
//! Members may expire. One whose time has come is as good as gone: nothing finds it, though it
//! takes memory and is counted until it is met by a write or by [`Members::drain_expired`].

use std::collections::HashSet;
use std::iter::FusedIterator;

use table::peek::Probe;
use table::table::{IntoIter, Occupied, Ref};
use table::tick::tick_of;
use table::{Hasher, Table};

use crate::block::{Block, Expiring, Shape};

/// A sample of more than one in so many members is chosen while all are visited.
const SAMPLE_DENSE: usize = 16;
/// After so many draws without success members are counted through instead.
const RANDOM_ATTEMPTS: usize = 64;

/// What becomes of the expiry of a member that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// A living member keeps the one it has; a new one has none.
    Keep,
    /// It does not expire.
    Never,
    /// It expires at this time, in milliseconds of Unix time.
    At(u64),
}

impl Expiry {
    /// The new expiry of a member that had the expiry `old`.
    #[inline]
    pub(crate) fn after(self, old: Option<u64>) -> Option<u64> {
        match self {
            Self::Keep => old,
            Self::Never => None,
            Self::At(at) => Some(at),
        }
    }
}

/// A collection of members (or fields) in a table, a block for each.
pub struct Members<S: Shape> {
    table: Table<Block<S>>,
    hasher: Hasher,
    sums: Sums,
}

/// What is known of all members together.
#[derive(Default)]
struct Sums {
    /// Bytes of their blocks.
    bytes: usize,
    /// How many have an expiry.
    expiring: usize,
}

impl Sums {
    #[inline]
    fn add<S: Shape>(&mut self, block: &Block<S>) {
        self.bytes += block.memory();
        self.expiring += usize::from(block.expires());
    }

    #[inline]
    fn take<S: Shape>(&mut self, block: &Block<S>) {
        self.bytes -= block.memory();
        self.expiring -= usize::from(block.expires());
    }
}

impl<S: Shape> Members<S> {
    /// An empty collection. All of a process use the same hasher.
    pub fn new(hasher: Hasher) -> Self {
        Self::with_capacity(0, hasher)
    }

    /// The same with room for so many members.
    pub(crate) fn with_capacity(members: usize, hasher: Hasher) -> Self {
        Self { table: Table::with_capacity(members), hasher, sums: Sums::default() }
    }

    /// Members, those counted that have expired and were not taken out yet.
    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no member, not even an expired one.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The hasher that the collection was made with.
    pub(crate) fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// Bytes of memory on the heap.
    pub fn memory(&self) -> usize {
        self.sums.bytes + self.table.memory()
    }

    /// Members that have an expiry, those counted whose time has come.
    #[inline]
    pub(crate) fn expiring(&self) -> usize {
        self.sums.expiring
    }

    /// A tick (see [`table::tick`]) before which no member expires.
    #[inline]
    pub fn earliest(&self) -> u32 {
        self.table.earliest()
    }

    /// The living member with this key.
    #[inline]
    pub fn get(&self, key: &[u8], now_ms: u64) -> Option<Ref<'_, Block<S>>> {
        self.get_hashed(self.hasher.hash_member(key), key, now_ms)
    }

    /// The same by its hash. Who looks up many begins with [`Self::probe`].
    #[inline]
    pub(crate) fn get_hashed(
        &self,
        hash: u64,
        key: &[u8],
        now_ms: u64,
    ) -> Option<Ref<'_, Block<S>>> {
        let block = self.table.find(hash, key)?;
        (!block.is_expired(now_ms)).then_some(block)
    }

    /// Starts to load where a member with this hash is; see [`Table::probe`].
    #[inline]
    pub(crate) fn probe(&self, hash: u64) -> Option<Probe<'_>> {
        self.table.probe(hash)
    }

    /// The member with this key, living or not, to change or to take out.
    #[inline]
    pub(crate) fn find_mut(&mut self, key: &[u8]) -> Option<Found<'_, S>> {
        self.find_mut_hashed(self.hasher.hash_member(key), key)
    }

    /// The same by its hash.
    #[inline]
    pub(crate) fn find_mut_hashed(&mut self, hash: u64, key: &[u8]) -> Option<Found<'_, S>> {
        let block = self.table.find_mut(hash, key)?;
        Some(Found { block, hash, hasher: self.hasher, sums: &mut self.sums })
    }

    /// Adds a member whose key is not there yet.
    #[inline]
    pub(crate) fn insert(&mut self, block: Block<S>) {
        self.insert_hashed(self.hasher.hash_member(block.key()), block);
    }

    /// The same for one whose hash is known.
    #[inline]
    pub(crate) fn insert_hashed(&mut self, hash: u64, block: Block<S>) {
        let Self { table, hasher, sums } = self;
        sums.add(&block);
        table.insert(hash, block, |block| hasher.hash_member(block.key()));
    }

    /// Takes the member with this key out, and hands it over if it was living.
    #[inline]
    pub fn remove(&mut self, key: &[u8], now_ms: u64) -> Option<Block<S>> {
        let block = self.find_mut(key)?.remove();
        (!block.is_expired(now_ms)).then_some(block)
    }

    /// Visits the living members of one bucket, as [`Table::scan`] does.
    pub fn scan(&self, from: u64, now_ms: u64, mut visit: impl FnMut(&Block<S>)) -> Option<u64> {
        self.table.scan(from, |block| {
            if !block.is_expired(now_ms) {
                visit(block);
            }
        })
    }

    /// All living members, in no order.
    pub fn iter(&self, now_ms: u64) -> impl Iterator<Item = Ref<'_, Block<S>>> {
        self.table.iter().filter(move |block| !block.is_expired(now_ms))
    }

    /// How many members are living.
    pub(crate) fn count_living(&self, now_ms: u64) -> usize {
        let tick = tick_of(now_ms);
        if tick < self.earliest() {
            return self.len();
        }
        self.len() - self.table.count_dead(tick.saturating_add(1), |block| block.is_expired(now_ms))
    }

    /// Some living member; each is equally likely. `random` gives random numbers.
    pub fn random(
        &self,
        now_ms: u64,
        mut random: impl FnMut() -> u64,
    ) -> Option<Ref<'_, Block<S>>> {
        for _ in 0..RANDOM_ATTEMPTS {
            let block = self.table.random(&mut random)?;
            if !block.is_expired(now_ms) {
                return Some(block);
            }
        }
        // Most have expired and nobody has taken them out.
        let living = self.count_living(now_ms);
        self.iter(now_ms).nth(below(living, random()))
    }

    /// Visits `count` different living members, or all if there are fewer; each such choice is
    /// equally likely. Their order is not random.
    pub fn sample<'m>(
        &'m self,
        count: usize,
        now_ms: u64,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(&Ref<'m, Block<S>>),
    ) {
        let living = self.count_living(now_ms);
        if count <= living / SAMPLE_DENSE {
            let mut seen = HashSet::with_capacity(count);
            for _ in 0..count.saturating_mul(RANDOM_ATTEMPTS) {
                if seen.len() == count {
                    return;
                }
                let Some(member) = self.random(now_ms, &mut random) else { return };
                if seen.insert(member.address()) {
                    visit(&member);
                }
            }
            // Random numbers that repeat themselves get what comes first.
            let unseen = self.iter(now_ms).filter(|member| !seen.contains(&member.address()));
            unseen.take(count - seen.len()).for_each(|member| visit(&member));
            return;
        }
        let mut choice = Choice { left: living, wanted: count };
        self.iter(now_ms).filter(|_| choice.takes(random())).for_each(|member| visit(&member));
    }

    /// Sets or takes away the expiry of a living member. Returns whether there is one.
    pub fn expire(&mut self, key: &[u8], expires_at: Option<u64>, now_ms: u64) -> bool
    where
        S: Expiring,
    {
        match self.find_mut(key) {
            Some(mut found) if !found.block().is_expired(now_ms) => {
                found.change(|block| S::set_expiry(block, expires_at));
                true
            }
            _ => false,
        }
    }

    /// Takes out members that have expired, at most `limit`, but for those whose time came within
    /// the last tick. Returns how many.
    pub fn drain_expired(
        &mut self,
        now_ms: u64,
        limit: usize,
        mut removed: impl FnMut(Block<S>),
    ) -> usize {
        let sums = &mut self.sums;
        self.table.drain_due(tick_of(now_ms), limit, |block| {
            sums.take(&block);
            removed(block);
            None
        })
    }

    /// Takes out all members that have expired. Looks at all buckets in which a member expires in
    /// this tick, so it is for small collections. Returns how many.
    pub fn drop_expired(&mut self, now_ms: u64) -> usize {
        let (sums, before) = (&mut self.sums, self.table.len());
        self.table.drain_due(tick_of(now_ms).saturating_add(1), usize::MAX, |block| {
            if !block.is_expired(now_ms) {
                return Some(block);
            }
            sums.take(&block);
            None
        });
        before - self.table.len()
    }

    /// All members to take out one by one.
    pub fn into_remains(self) -> Remains<S> {
        Remains(self.table.into_iter())
    }

    /// Checks the table and the sum of bytes; for tests.
    pub fn check_invariants(&self) {
        self.table.check_invariants(|block| self.hasher.hash_member(block.key()));
        let mut sums = Sums::default();
        self.iter(0).for_each(|block| sums.add(&block));
        assert_eq!((self.sums.bytes, self.sums.expiring), (sums.bytes, sums.expiring));
    }
}

impl<S: Shape> Clone for Members<S> {
    fn clone(&self) -> Self {
        let mut copy = Self::with_capacity(self.len(), self.hasher);
        self.table.iter().for_each(|block| copy.insert(Block::clone(&block)));
        copy
    }
}

/// A choice of so many out of all that are left, while these pass by one by one.
pub(crate) struct Choice {
    pub(crate) left: usize,
    pub(crate) wanted: usize,
}

impl Choice {
    /// Whether the next one is taken, by 64 random bits: with the probability that makes up the
    /// number in the end.
    #[inline]
    pub(crate) fn takes(&mut self, random: u64) -> bool {
        let takes = below(self.left, random) < self.wanted;
        self.left = self.left.saturating_sub(1);
        self.wanted -= usize::from(takes);
        takes
    }
}

/// A random number below `bound` out of 64 random bits.
pub(crate) fn below(bound: usize, random: u64) -> usize {
    ((u128::from(random) * bound as u128) >> u64::BITS) as usize
}

/// A member that was found, to change or to take out.
pub(crate) struct Found<'members, S: Shape> {
    block: Occupied<'members, Block<S>>,
    hash: u64,
    hasher: Hasher,
    sums: &'members mut Sums,
}

impl<'members, S: Shape> Found<'members, S> {
    /// The member.
    #[inline]
    pub(crate) fn block(&self) -> &Block<S> {
        &self.block
    }

    /// Changes the member by `change`, which keeps its key.
    #[inline]
    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut Block<S>) -> R) -> R {
        self.sums.take(&self.block);
        let result = change(&mut self.block);
        self.sums.add(&self.block);
        result
    }

    /// Takes the member out.
    #[inline]
    pub(crate) fn remove(self) -> Block<S> {
        self.sums.take(&self.block);
        let hasher = self.hasher;
        self.block.remove(self.hash, |block| hasher.hash_member(block.key()))
    }
}

/// What is left of a collection that is no longer wanted: members to take or drop one by one, so
/// that millions are freed in steps. Dropping it frees the rest at once.
pub struct Remains<S: Shape>(IntoIter<Block<S>>);

impl<S: Shape> Iterator for Remains<S> {
    type Item = Block<S>;

    #[inline]
    fn next(&mut self) -> Option<Block<S>> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<S: Shape> ExactSizeIterator for Remains<S> {}
impl<S: Shape> FusedIterator for Remains<S> {}
