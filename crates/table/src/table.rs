//! The table: segments under a directory, growing and shrinking in small steps.
//!
//! Where the segments are is said by a root word (see `directory.rs`).
//!
//! Invariants: every item lies within `spill(home)` buckets behind its home; the tag of a slot is
//! what its segment computes from the item's hash; a bucket's, a segment's and the table's earliest
//! tick is not later than that of any item in it. `check_invariants` tests them.

mod sized;
mod walk;

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::bucket::{Bucket, SLOTS, Slot};
use crate::directory::{self, Root, segment_of};
use crate::peek::{Peek, Probe};
use crate::segment::{HOMES_LIMIT, PLACE_BITS, Segment};
use crate::tick::NEVER;

pub use walk::IntoIter;

/// A segment with more homes splits instead of growing.
const HOMES_MAX: usize = 61;
/// A directory does not get deeper than this; segments then grow beyond [`HOMES_MAX`].
const DEPTH_MAX: u32 = 28;
/// A segment that is full at less than this share of its slots (in sixteenths) splits: its hashes
/// are so uneven that more buckets would not help.
const UNEVEN_SIXTEENTHS: usize = 9;
/// When the table has less than this share of its slots in use (in sixteenths), removals shrink it.
const SPARSE_SIXTEENTHS: usize = 9;
/// One in so many removals from a sparse table looks whether its segment can shrink.
const REMOVALS_PER_SHRINK: u32 = 32;

/// What a table holds: an owner of a block that has a key.
///
/// # Safety
/// `into_raw` returns the address of a live block, aligned to 8 and below 2^48, and `from_raw` of
/// that address gives the same item back.
pub unsafe trait Item: Sized {
    /// Gives the block up.
    fn into_raw(self) -> NonNull<u8>;
    /// Takes the block back.
    ///
    /// # Safety
    /// `raw` came from `into_raw`, and the item is not used through two owners.
    unsafe fn from_raw(raw: NonNull<u8>) -> Self;
    /// The key.
    fn key(&self) -> &[u8];
    /// The tick in which the item expires, or [`NEVER`].
    fn due(&self) -> u32;
}

/// A table of items by key. The caller computes hashes, always by the same function.
///
/// What a look-up or an insertion needs comes first, to share a cache line with what lies before.
#[repr(C)]
pub struct Table<T: Item> {
    root: u64,
    len: usize,
    /// Home buckets of all segments.
    homes: usize,
    /// A tick before which nothing here expires.
    earliest: u32,
    removals: u32,
    /// Where the root is published for prefetching, if it is.
    peek: Option<&'static Peek>,
    /// Whether some thread may be looking at the blocks.
    watched: bool,
    items: PhantomData<T>,
}

/// Where an item lies.
#[derive(Clone, Copy)]
struct Place {
    segment: Segment,
    bucket: usize,
    slot: usize,
}

impl<T: Item> Table<T> {
    /// A table without items and without memory.
    pub const fn new() -> Self {
        Self {
            root: 0,
            len: 0,
            homes: 0,
            earliest: NEVER,
            removals: 0,
            peek: None,
            watched: false,
            items: PhantomData,
        }
    }

    /// Items in the table.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the table has no item.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A tick before which nothing here expires.
    #[inline]
    pub fn earliest(&self) -> u32 {
        self.earliest
    }

    /// Bytes of memory of the table itself, without its items.
    pub fn memory(&self) -> usize {
        let directory = match Root::decode(self.root) {
            Some(Root::Directory { depth, .. }) => size_of::<u64>() << depth,
            _ => 0,
        };
        directory + self.segments().map(|(_, segment)| segment.memory()).sum::<usize>()
    }

    /// Items that the table has room for without growing.
    pub fn capacity(&self) -> usize {
        self.homes * SLOTS
    }

    /// Publishes the table's place in `peek` from now on, or stops to.
    pub fn publish_in(&mut self, peek: Option<&'static Peek>) {
        self.watched |= peek.is_some();
        self.peek = peek;
        self.set_root(self.root);
    }

    /// The item with this key.
    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Ref<'_, T>> {
        let place = self.locate(hash, key)?;
        // SAFETY: the slot holds an item, and the table stays borrowed as long as the reference.
        Some(Ref { item: ManuallyDrop::new(unsafe { self.item_at(place) }), table: PhantomData })
    }

    /// Starts to load the bucket where an item with this hash belongs, and says how to go on with
    /// the item. Who looks up many waits for memory less often so.
    #[inline]
    pub fn probe(&self, hash: u64) -> Option<Probe<'_>> {
        let segment = self.segment(hash)?;
        // SAFETY: the table is borrowed, so the segment lives.
        let buckets = unsafe { segment.buckets() }.get(segment.home_of(hash)..)?;
        Some(Probe::new(buckets, segment.tag(hash)))
    }

    /// The item with this key, to change or remove.
    #[inline]
    pub fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<Occupied<'_, T>> {
        let place = self.locate(hash, key)?;
        // SAFETY: the slot holds an item, which has no other user while the table is borrowed.
        let item = ManuallyDrop::new(unsafe { self.item_at(place) });
        Some(Occupied { table: self, place, item })
    }

    /// The item with this key. `decay` is let loose on one that `may_decay`, and when it says so
    /// the item is taken out and handed to `bury`.
    #[inline]
    pub fn find_living(
        &mut self,
        hash: u64,
        key: &[u8],
        may_decay: impl Fn(&T) -> bool,
        decay: impl FnOnce(&mut T) -> bool,
        bury: impl FnOnce(T),
        hash_of: impl Fn(&T) -> u64,
    ) -> Option<Occupied<'_, T>> {
        let place = self.locate(hash, key)?;
        // SAFETY: the slot holds an item, which has no other user while the table is borrowed.
        let mut item = ManuallyDrop::new(unsafe { self.item_at(place) });
        if may_decay(&item) {
            let mut found = Occupied { table: &mut *self, place, item };
            if decay(&mut found) {
                bury(found.remove(hash, hash_of));
                return None;
            }
            drop(found);
            // SAFETY: as above; it may lie elsewhere now.
            item = ManuallyDrop::new(unsafe { self.item_at(place) });
        }
        Some(Occupied { table: self, place, item })
    }

    /// Adds an item whose key is not in the table. `hash_of` computes the hash of other items.
    #[inline]
    pub fn insert(&mut self, hash: u64, item: T, hash_of: impl Fn(&T) -> u64) {
        let due = item.due();
        let raw = item.into_raw();
        loop {
            if let Some(segment) = self.segment(hash) {
                // SAFETY: the segment is this table's, which is borrowed mutably.
                if unsafe { segment.place(Slot::new(raw, segment.tag(hash)), due) }.is_ok() {
                    break;
                }
            }
            self.make_room(hash, &hash_of);
        }
        self.len += 1;
        self.earliest = self.earliest.min(due);
    }

    /// Visits the items of the first home bucket at or behind the hash `from`. Returns where to go
    /// on, or `None` at the end. An item that stays in the table from the first call to the last is
    /// visited, however the table grows or shrinks in between.
    pub fn scan(&self, from: u64, mut visit: impl FnMut(&T)) -> Option<u64> {
        let segment = self.segment(from)?;
        let (first, home) = (segment.tag(from), segment.home_of(from));
        // SAFETY: the table is borrowed, so the segment lives.
        let buckets = unsafe { segment.buckets() };
        for bucket in &buckets[home..=home + buckets[home].spill()] {
            for slot in bucket.slots() {
                let Some(address) = slot.address() else { continue };
                let tag = slot.tag();
                if segment.home(tag) == home && tag.bits() >= first.bits() {
                    // SAFETY: the slot holds an item, which stays while the table is borrowed.
                    visit(&*ManuallyDrop::new(unsafe { T::from_raw(address) }));
                }
            }
        }
        let depth = segment.depth();
        let prefix = if depth == 0 { 0 } else { from >> (u64::BITS - depth) };
        let next = (u128::from(prefix) << PLACE_BITS) + u128::from(segment.first_place(home + 1));
        u64::try_from(next << (u64::BITS - depth - PLACE_BITS)).ok()
    }

    /// Hands items whose tick lies before `tick` to `sift`, at most `limit` of them. What `sift`
    /// gives back stays in the table, under its key and with the tick that it has then. Returns how
    /// many were handed over; fewer than `limit` means that no other is left.
    pub fn drain_due(
        &mut self,
        tick: u32,
        limit: usize,
        mut sift: impl FnMut(T) -> Option<T>,
    ) -> usize {
        let (mut handed, mut taken) = (0, 0);
        let mut sift = |item| {
            handed += 1;
            let stays = sift(item);
            taken += usize::from(stays.is_none());
            (stays, handed < limit)
        };
        let mut may_go_on = limit > 0;
        let mut earliest = NEVER;
        let mut drained = Vec::new();
        for (first, segment) in self.segments() {
            // SAFETY: the segment is this table's, which is borrowed mutably.
            unsafe {
                if segment.earliest() < tick && may_go_on {
                    may_go_on = Self::drain_segment(segment, tick, &mut sift);
                    drained.push(first);
                }
                earliest = earliest.min(segment.earliest());
            }
        }
        self.earliest = earliest;
        self.len -= taken;
        if self.is_sparse() {
            for first in drained {
                self.shrink_in_place(first);
            }
        }
        handed
    }

    /// Hands a segment's due items to `sift`, which says besides what stays whether to go on.
    /// Returns whether to go on with other segments.
    ///
    /// # Safety
    /// The segment belongs to the table, which the caller owns.
    unsafe fn drain_segment(
        segment: Segment,
        tick: u32,
        sift: &mut impl FnMut(T) -> (Option<T>, bool),
    ) -> bool {
        let (mut segment_earliest, mut may_go_on) = (NEVER, true);
        // SAFETY: as the caller promises, here and below.
        for (number, bucket) in unsafe { segment.buckets() }.iter().enumerate() {
            if bucket.earliest() < tick && may_go_on {
                let mut earliest = NEVER;
                for index in 0..SLOTS {
                    let slot = bucket.slot(index);
                    let Some(address) = slot.address() else { continue };
                    // SAFETY: the slot holds an item.
                    let item = ManuallyDrop::new(unsafe { T::from_raw(address) });
                    if item.due() >= tick || !may_go_on {
                        earliest = earliest.min(item.due());
                        continue;
                    }
                    let (stays, more) = sift(ManuallyDrop::into_inner(item));
                    may_go_on = more;
                    if let Some(item) = stays {
                        earliest = earliest.min(item.due());
                        bucket.set_slot(index, Slot::new(item.into_raw(), slot.tag()));
                    } else {
                        // SAFETY: as the caller promises; the item is taken.
                        unsafe { segment.vacate(number, index) };
                    }
                }
                bucket.set_earliest(earliest);
            }
            segment_earliest = segment_earliest.min(bucket.earliest());
        }
        // SAFETY: as the caller promises.
        unsafe { segment.set_earliest(segment_earliest) };
        may_go_on
    }

    /// Counts the items that are `dead`, all of whose ticks lie before `tick`. Looks only where an
    /// item is due before that.
    pub fn count_dead(&self, tick: u32, dead: impl Fn(&T) -> bool) -> usize {
        // SAFETY: the table is borrowed, so its segments live.
        let segments = self.segments().filter(|(_, segment)| unsafe { segment.earliest() } < tick);
        // SAFETY: as above.
        let buckets = segments.flat_map(|(_, segment)| unsafe { segment.buckets() });
        let slots = buckets.filter(|bucket| bucket.earliest() < tick).flat_map(Bucket::slots);
        let is_dead = |address: &NonNull<u8>| {
            // SAFETY: a slot holds the item, which stays while the table is borrowed.
            dead(&ManuallyDrop::new(unsafe { T::from_raw(*address) }))
        };
        slots.filter_map(Slot::address).filter(is_dead).count()
    }

    #[inline]
    fn locate(&self, hash: u64, key: &[u8]) -> Option<Place> {
        let segment = self.segment(hash)?;
        let (tag, home) = (segment.tag(hash), segment.home_of(hash));
        // SAFETY: the table is borrowed, so the segment lives.
        let buckets = unsafe { segment.buckets() };
        for (distance, bucket) in buckets[home..=home + buckets[home].spill()].iter().enumerate() {
            for slot in bucket.matching(tag) {
                let Some(address) = bucket.slot(slot).address() else { continue };
                // SAFETY: the slot holds an item, which stays while the table is borrowed.
                let item = ManuallyDrop::new(unsafe { T::from_raw(address) });
                if item.key() == key {
                    return Some(Place { segment, bucket: home + distance, slot });
                }
            }
        }
        None
    }

    /// # Safety
    /// The place holds an item; the caller does not drop what it gets while the slot holds it.
    #[inline]
    unsafe fn item_at(&self, place: Place) -> T {
        // SAFETY: the table is borrowed, so the segment lives.
        let buckets = unsafe { place.segment.buckets() };
        match buckets[place.bucket].slot(place.slot).address() {
            // SAFETY: as the caller promises.
            Some(address) => unsafe { T::from_raw(address) },
            None => unreachable!("an empty slot was found"),
        }
    }

    #[inline]
    fn segment(&self, hash: u64) -> Option<Segment> {
        // SAFETY: the table owns its directory.
        unsafe { segment_of(Root::decode(self.root)?, hash) }
    }

    /// Each segment once with the smallest hash that belongs there, in the order of hashes.
    fn segments(&self) -> impl Iterator<Item = (u64, Segment)> + use<T> {
        let root = Root::decode(self.root);
        let mut index = 0;
        std::iter::from_fn(move || match root? {
            Root::One(segment) => {
                index += 1;
                (index == 1).then_some((0, segment))
            }
            Root::Directory { words, depth } => {
                if index >> depth != 0 {
                    return None;
                }
                // SAFETY: a directory has 2^depth words; callers change no directory meanwhile.
                let word = unsafe { words.add(index).as_ref() }.load(Ordering::Relaxed);
                let segment = Segment::from_word(word)?;
                let first = (index as u64) << (u64::BITS - depth);
                index += 1 << (depth - segment.depth());
                Some((first, segment))
            }
        })
    }

    fn set_root(&mut self, root: u64) {
        self.root = root;
        if let Some(peek) = self.peek {
            peek.publish(root);
        }
    }

    /// Makes the segment for `hash` larger, or two of it.
    #[cold]
    fn make_room(&mut self, hash: u64, hash_of: &impl Fn(&T) -> u64) {
        let Some(segment) = self.segment(hash) else {
            let segment = Segment::allocate(1, 0);
            self.homes = segment.homes();
            self.set_root(segment.word());
            return;
        };
        let homes = segment.homes();
        // SAFETY: the segment is this table's.
        let count = unsafe { segment.count() };
        let uneven = count * 16 < homes * SLOTS * UNEVEN_SIXTEENTHS;
        let larger = homes + (homes / 8).max(1);
        if segment.depth() < DEPTH_MAX && (uneven || larger > HOMES_MAX) {
            self.split(segment, hash, count, hash_of);
        } else {
            assert!(larger <= HOMES_LIMIT, "hashes of one shard are all alike");
            self.resize(segment, hash, larger);
        }
    }

    /// Moves a segment's items, in one pass, to a new segment with about `homes` homes.
    fn resize(&mut self, old: Segment, hash: u64, homes: usize) {
        // SAFETY: the segment is this table's.
        let new = Self::build(homes, old.depth(), |_| unsafe { old.slots() });
        self.homes = self.homes - old.homes() + new.homes();
        self.put(hash, new);
        self.retire(old);
    }

    /// Divides a segment's items between two new segments, one bit deeper.
    fn split(&mut self, old: Segment, hash: u64, count: usize, hash_of: &impl Fn(&T) -> u64) {
        let depth = old.depth() + 1;
        self.deepen(depth);
        let hashes = if old.keeps_tags() { Vec::new() } else { hashes_of(old, count, hash_of) };
        let prefix = hash >> (u64::BITS - depth) >> 1;
        for side in 0..2 {
            let prefix = prefix << 1 | side;
            let new = if old.keeps_tags() {
                // SAFETY: the segment is this table's.
                let items =
                    || unsafe { old.slots() }.filter(|(slot, _)| old.side(slot.tag()) == side);
                Self::build(homes_for(items().count()), depth, |_| items())
            } else {
                let items = || hashes.iter().filter(|item| item.1 >> (u64::BITS - depth) == prefix);
                Self::build_hashed(depth, items)
            };
            self.homes += new.homes();
            self.put(prefix << (u64::BITS - depth), new);
        }
        self.homes -= old.homes();
        self.retire(old);
    }

    /// A new segment with items whose hashes are known.
    fn build_hashed<'h, I: Iterator<Item = &'h Hashed>>(
        depth: u32,
        items: impl Fn() -> I,
    ) -> Segment {
        Self::build(homes_for(items().count()), depth, |new| {
            items().map(move |&(address, hash, due)| (Slot::new(address, new.tag(hash)), due))
        })
    }

    /// A new segment with these items; where they find no room, with more homes.
    fn build<I: Iterator<Item = (Slot, u32)>>(
        mut homes: usize,
        depth: u32,
        items: impl Fn(Segment) -> I,
    ) -> Segment {
        loop {
            let new = Segment::allocate(homes, depth);
            // SAFETY: the segment is new and known to nobody else.
            if unsafe { new.fill(items(new)) }.is_ok() {
                return new;
            }
            let new_homes = new.homes();
            // SAFETY: as above; the items still lie in the old segment.
            unsafe { new.free() };
            homes = new_homes + 1;
        }
    }

    /// Makes sure that the directory has at least `depth` bits.
    fn deepen(&mut self, depth: u32) {
        let (old_words, old_depth) = match Root::decode(self.root) {
            Some(Root::Directory { words, depth }) => (Some(words), depth),
            _ => (None, 0),
        };
        if old_words.is_some() && old_depth >= depth {
            return;
        }
        let spread = depth - old_depth;
        let words: Vec<u64> = (0..1usize << depth)
            .map(|index| match old_words {
                // SAFETY: a directory has 2^depth words.
                Some(old) => unsafe { old.add(index >> spread).as_ref() }.load(Ordering::Relaxed),
                None => self.root,
            })
            .collect();
        self.replace_directory(&words, depth);
    }

    /// Installs a new directory and retires the old one.
    fn replace_directory(&mut self, words: &[u64], depth: u32) {
        let old = Root::decode(self.root);
        let address = directory::install(words);
        self.set_root(address | u64::from(depth));
        if let Some(Root::Directory { words, depth }) = old {
            self.retire_directory(words, depth);
        }
    }

    /// Names `segment` in the directory for the hashes that share its depth's bits with `hash`.
    fn put(&mut self, hash: u64, segment: Segment) {
        match Root::decode(self.root) {
            Some(Root::Directory { words, depth }) => {
                let copies = depth - segment.depth();
                let first = (hash >> (u64::BITS - depth)) >> copies << copies;
                for index in first..first + (1 << copies) {
                    // SAFETY: a directory has 2^depth words.
                    let word = unsafe { words.add(index as usize).as_ref() };
                    word.store(segment.word(), Ordering::Release);
                }
            }
            _ => self.set_root(segment.word()),
        }
    }

    #[inline]
    fn is_sparse(&self) -> bool {
        self.len * 16 < self.homes * SLOTS * SPARSE_SIXTEENTHS
    }

    /// Makes the segment for `hash` smaller where few of its slots are used.
    fn shrink_in_place(&mut self, hash: u64) {
        let Some(segment) = self.segment(hash) else { return };
        // SAFETY: the segment is this table's.
        let count = unsafe { segment.count() };
        let homes = homes_for(count);
        if count * 16 < segment.homes() * SLOTS * SPARSE_SIXTEENTHS
            && Segment::rounded(homes) < segment.homes()
        {
            self.resize(segment, hash, homes);
        }
    }

    /// Gives memory back after a removal, a step at a time: the segment for `hash` becomes smaller,
    /// or one with its neighbour.
    #[cold]
    fn shrink(&mut self, hash: u64, hash_of: &impl Fn(&T) -> u64) {
        if self.len == 0 {
            self.clear();
            return;
        }
        self.shrink_in_place(hash);
        let Some(segment) = self.segment(hash) else { return };
        let Some(Root::Directory { depth, .. }) = Root::decode(self.root) else { return };
        let Some(buddy) = self.segment(hash ^ 1 << (u64::BITS - segment.depth())) else { return };
        if buddy.depth() != segment.depth() {
            return;
        }
        // SAFETY: the segments are this table's.
        let counts = unsafe { [segment.count(), buddy.count()] };
        // Half of what a segment can hold, lest it split again at once.
        if homes_for(counts[0] + counts[1]) > HOMES_MAX / 2 {
            return;
        }
        let mut hashes = hashes_of(segment, counts[0], hash_of);
        hashes.append(&mut hashes_of(buddy, counts[1], hash_of));
        let merged = Self::build_hashed(segment.depth() - 1, || hashes.iter());
        self.homes = self.homes - segment.homes() - buddy.homes() + merged.homes();
        self.put(hash, merged);
        self.retire(segment);
        self.retire(buddy);
        self.flatten(depth);
    }

    /// Halves the directory while no segment needs all of its depth.
    fn flatten(&mut self, depth: u32) {
        let deepest = self.segments().map(|(_, segment)| segment.depth()).max().unwrap_or(0);
        if deepest == depth {
            return;
        }
        let Some(Root::Directory { words: old, .. }) = Root::decode(self.root) else { return };
        let word = |index: usize| {
            // SAFETY: the directory has 2^depth words, and index < 2^deepest.
            unsafe { old.add(index << (depth - deepest)).as_ref() }.load(Ordering::Relaxed)
        };
        if deepest == 0 {
            self.set_root(word(0));
            self.retire_directory(old, depth);
        } else {
            let words: Vec<u64> = (0..1usize << deepest).map(word).collect();
            self.replace_directory(&words, deepest);
        }
    }

    /// Frees all blocks. The items must be gone.
    fn clear(&mut self) {
        let segments: Vec<_> = self.segments().collect();
        let root = Root::decode(self.root);
        self.set_root(0);
        for (_, segment) in segments {
            self.retire(segment);
        }
        if let Some(Root::Directory { words, depth }) = root {
            self.retire_directory(words, depth);
        }
        (self.len, self.homes, self.earliest) = (0, 0, NEVER);
    }

    /// Frees a segment that is no longer in the table, when nobody looks at it any more.
    fn retire(&self, segment: Segment) {
        // SAFETY: the table has given the segment up, and readers are waited for.
        self.when_unseen(move || unsafe { segment.free() });
    }

    fn retire_directory(&self, words: NonNull<AtomicU64>, depth: u32) {
        let address = words.as_ptr().expose_provenance();
        self.when_unseen(move || {
            let words = std::ptr::with_exposed_provenance_mut(address);
            // SAFETY: made by `directory::install` with this depth.
            unsafe { directory::free(words, depth) };
        });
    }

    fn when_unseen(&self, free: impl FnOnce() + Send + 'static) {
        if self.watched {
            let guard = crossbeam_epoch::pin();
            guard.defer(free);
        } else {
            free();
        }
    }
}

impl<T: Item> Table<T> {
    /// Checks what the head of this file promises; for tests.
    ///
    /// # Panics
    /// When the table is damaged.
    pub fn check_invariants(&self, hash_of: impl Fn(&T) -> u64) {
        let (mut len, mut homes) = (0, 0);
        for (_, segment) in self.segments() {
            homes += segment.homes();
            // SAFETY: the table is borrowed, so the segment lives.
            let (buckets, earliest) = unsafe { (segment.buckets(), segment.earliest()) };
            assert!(self.earliest <= earliest);
            for (index, bucket) in buckets.iter().enumerate() {
                assert!(earliest <= bucket.earliest());
                for address in bucket.slots().filter(|slot| !slot.is_empty()) {
                    let tag = address.tag();
                    let Some(address) = address.address() else { continue };
                    // SAFETY: the slot holds an item.
                    let item = ManuallyDrop::new(unsafe { T::from_raw(address) });
                    let hash = hash_of(&item);
                    assert!(self.segment(hash) == Some(segment) && segment.tag(hash) == tag);
                    assert_eq!(segment.home_of(hash), segment.home(tag));
                    let home = segment.home(tag);
                    assert!(home <= index && index <= home + buckets[home].spill());
                    assert!(bucket.earliest() <= item.due());
                    len += 1;
                }
            }
        }
        assert_eq!((self.len, self.homes), (len, homes));
    }
}

impl<T: Item> Default for Table<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Item> Drop for Table<T> {
    fn drop(&mut self) {
        for address in self.addresses() {
            // SAFETY: a slot holds the item, and the table is about to go.
            drop(unsafe { T::from_raw(address) });
        }
        self.clear();
    }
}

/// Homes for a segment of `count` items, at a load of four fifths.
fn homes_for(count: usize) -> usize {
    (count * 8).div_ceil(SLOTS * 7).max(1)
}

/// The address of an item, its hash and its tick.
type Hashed = (NonNull<u8>, u64, u32);

/// Items of a segment with their hashes and ticks. They still lie in the segment.
fn hashes_of<T: Item>(segment: Segment, count: usize, hash_of: &impl Fn(&T) -> u64) -> Vec<Hashed> {
    const AHEAD: usize = 8;
    let mut items = Vec::with_capacity(count);
    // SAFETY: the caller owns the table that the segment belongs to.
    let slots = unsafe { segment.buckets() }.iter().flat_map(|bucket| bucket.slots());
    items.extend(slots.filter_map(Slot::address).map(|address| (address, 0, NEVER)));
    for index in 0..items.len() {
        if let Some((address, ..)) = items.get(index + AHEAD) {
            crate::peek::prefetch(address.as_ptr());
        }
        // SAFETY: the address came from a slot, so it is an item's.
        let item = ManuallyDrop::new(unsafe { T::from_raw(items[index].0) });
        (items[index].1, items[index].2) = (hash_of(&item), item.due());
    }
    items
}

/// A shared look at an item that something else owns, usually a table.
pub struct Ref<'table, T: Item> {
    item: ManuallyDrop<T>,
    table: PhantomData<&'table T>,
}

impl<T: Item> Ref<'_, T> {
    /// A look at the item with the raw form `raw`.
    ///
    /// # Safety
    /// The item lives, and nobody changes it, as long as the look does.
    #[inline]
    pub unsafe fn new(raw: NonNull<u8>) -> Self {
        // SAFETY: as the caller promises; the item is never dropped through this.
        Self { item: ManuallyDrop::new(unsafe { T::from_raw(raw) }), table: PhantomData }
    }
}

impl<T: Item> Deref for Ref<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.item
    }
}

/// An item that may change. Its new address and expiry are noted when this goes out of scope.
pub struct Occupied<'table, T: Item> {
    table: &'table mut Table<T>,
    place: Place,
    item: ManuallyDrop<T>,
}

impl<'table, T: Item> Occupied<'table, T> {
    /// Keeps the item as it is, to look at.
    #[inline]
    pub fn into_ref(self) -> Ref<'table, T> {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: taken once, and never dropped through `Ref` either: the slot owns the item.
        let item = ManuallyDrop::new(unsafe { ManuallyDrop::take(&mut this.item) });
        Ref { item, table: PhantomData }
    }

    /// Takes the item out of the table. `hash` is the item's, `hash_of` computes others'.
    pub fn remove(self, hash: u64, hash_of: impl Fn(&T) -> u64) -> T {
        let mut this = ManuallyDrop::new(self);
        // SAFETY: the item is taken once: `this` is never dropped, and the slot is emptied.
        let item = unsafe { ManuallyDrop::take(&mut this.item) };
        let place = this.place;
        // SAFETY: the table is borrowed mutably, and the item is taken.
        unsafe { place.segment.vacate(place.bucket, place.slot) };
        let table = &mut *this.table;
        table.len -= 1;
        if table.is_sparse() {
            table.removals = table.removals.wrapping_add(1);
            if table.removals.is_multiple_of(REMOVALS_PER_SHRINK) || table.len == 0 {
                table.shrink(hash, &hash_of);
            }
        }
        item
    }
}

impl<T: Item> Deref for Occupied<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T: Item> DerefMut for Occupied<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.item
    }
}

impl<T: Item> Drop for Occupied<'_, T> {
    #[inline]
    fn drop(&mut self) {
        let due = self.item.due();
        // SAFETY: the item goes back to its slot and is not used here again.
        let raw = unsafe { ManuallyDrop::take(&mut self.item) }.into_raw();
        let Place { segment, bucket, slot } = self.place;
        // SAFETY: the table is borrowed mutably, so the segment lives and has no other user.
        unsafe {
            let cell = &segment.buckets()[bucket];
            cell.set_slot(slot, Slot::new(raw, cell.slot(slot).tag()));
            if due != NEVER {
                segment.note_due(bucket, due);
                self.table.earliest = self.table.earliest.min(due);
            }
        }
    }
}

#[cfg(test)]
mod tests;
