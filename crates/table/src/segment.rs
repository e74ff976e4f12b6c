//! A run of buckets in one allocation, and the packed word that names it.
//!
//! ```text
//! word:  63 ─ 48   47 ──────────────── 6   5 ─ 0
//!        homes     address (64-aligned)    depth
//! block: | header (64 bytes) | home bucket 0 … homes-1 | tail buckets |
//! ```
//!
//! A segment of depth d holds the items whose hashes begin with the d bits of its place in the
//! directory. The next 16 bits are an item's *place*, which decides its home bucket:
//! `place × homes >> 16`, so homes are in the order of hashes. The last homes spill into the tail.
//!
//! The tag is 19 bits of the hash, from the last multiple of four up to d on. The place is in it:
//!
//! ```text
//! hash:   | directory: d bits | place: 16 bits      | …
//! tag:                | shared: d % 4 | place | rest |
//! ```
//!
//! So neither a copy into a segment with another number of homes nor three of four splits need a
//! hash.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::bucket::{Bucket, SLOTS, Slot, TAG_BITS, Tag};
use crate::slab::{self, Run, UNIT, UNITS_MAX};
use crate::tick::NEVER;

/// An item lies at most this many buckets behind its home.
pub(crate) const SPILL_MAX: usize = 24;
/// The most homes of one segment, which is a run of units.
pub(crate) const HOMES_LIMIT: usize = UNITS_MAX * UNIT / size_of::<Bucket>() - 3;

/// Tags begin at depths that are multiples of this.
const TAG_STEP: u32 = 4;
/// Bits of an item's place in its segment.
pub(crate) const PLACE_BITS: u32 = TAG_BITS + 1 - TAG_STEP;

pub(crate) const HOMES_SHIFT: u32 = 48;
pub(crate) const DEPTH: u64 = 63;
pub(crate) const ADDRESS: u64 = ((1 << HOMES_SHIFT) - 1) & !DEPTH;

#[repr(C, align(64))]
struct Header {
    /// A tick before which no item of the segment expires.
    earliest: AtomicU32,
    /// The slab that the block is a run of.
    slab: u32,
}

/// The name of a segment. Copies name the same one; its owner is the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment(u64);

/// The home bucket and its neighbours were full.
pub(crate) struct Full;

/// The most tail buckets.
const TAIL_MAX: usize = tail(HOMES_LIMIT);

/// Tail buckets behind `homes` homes.
const fn tail(homes: usize) -> usize {
    match homes {
        0..4 => 0,
        4..32 => 1,
        _ => 2,
    }
}

/// Units of memory for a header, `homes` buckets and their tail.
fn units_for(homes: usize) -> usize {
    ((1 + homes + tail(homes)) * size_of::<Bucket>()).div_ceil(UNIT)
}

/// The most homes that need no more units than `homes` do.
fn filling(homes: usize) -> usize {
    let buckets = units_for(homes) * UNIT / size_of::<Bucket>() - 1;
    (0..=TAIL_MAX)
        .map(|spare| buckets - spare)
        .find(|&homes| homes + tail(homes) <= buckets)
        .unwrap_or(homes)
}

impl Segment {
    /// A new segment without items, of at least `homes` homes: as many as its units have room for.
    pub(crate) fn allocate(homes: usize, depth: u32) -> Self {
        let homes = filling(homes);
        assert!((1..=HOMES_LIMIT).contains(&homes), "a segment of {homes} homes");
        let Run { start: block, slab, .. } = slab::allocate(units_for(homes));
        let address = block.as_ptr().expose_provenance() as u64;
        assert!(address & !ADDRESS == 0, "block at {address:#x}");
        // SAFETY: the block is fresh and has room for a header and the buckets behind it.
        unsafe {
            block.cast::<Header>().write(Header { earliest: AtomicU32::new(NEVER), slab });
            let first = block.cast::<Bucket>().add(1);
            for index in 0..homes + tail(homes) {
                first.add(index).write(Bucket::new());
            }
        }
        Self((homes as u64) << HOMES_SHIFT | address | u64::from(depth))
    }

    /// The homes that a new segment gets when it needs `homes`.
    pub(crate) fn rounded(homes: usize) -> usize {
        filling(homes)
    }

    /// The segment with this word, if the word names one.
    #[inline]
    pub(crate) fn from_word(word: u64) -> Option<Self> {
        (word >> HOMES_SHIFT != 0).then_some(Self(word))
    }

    #[inline]
    pub(crate) fn word(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) fn homes(self) -> usize {
        (self.0 >> HOMES_SHIFT) as usize
    }

    #[inline]
    pub(crate) fn depth(self) -> u32 {
        (self.0 & DEPTH) as u32
    }

    /// The tag that an item with this hash has here.
    #[inline]
    pub(crate) fn tag(self, hash: u64) -> Tag {
        let first = self.depth() / TAG_STEP * TAG_STEP;
        Tag::new(hash << first >> (u64::BITS - TAG_BITS))
    }

    /// The bucket where items with this hash belong.
    #[inline]
    pub(crate) fn home_of(self, hash: u64) -> usize {
        self.home_at(hash << self.depth() >> (u64::BITS - PLACE_BITS))
    }

    /// The bucket where items with this tag belong.
    #[inline]
    pub(crate) fn home(self, tag: Tag) -> usize {
        self.home_at(self.place_of(tag))
    }

    #[inline]
    fn home_at(self, place: u64) -> usize {
        ((place * self.homes() as u64) >> PLACE_BITS) as usize
    }

    #[inline]
    fn place_of(self, tag: Tag) -> u64 {
        let rest = TAG_BITS - PLACE_BITS - self.depth() % TAG_STEP;
        tag.bits() >> rest & ((1 << PLACE_BITS) - 1)
    }

    /// The smallest place whose home is `home`; `1 << PLACE_BITS` behind the last.
    pub(crate) fn first_place(self, home: usize) -> u64 {
        ((home as u64) << PLACE_BITS).div_ceil(self.homes() as u64)
    }

    /// Whether items keep their tags when the segment splits.
    pub(crate) fn keeps_tags(self) -> bool {
        !(self.depth() + 1).is_multiple_of(TAG_STEP)
    }

    /// On which side items with this tag come when the segment splits: the first bit of the place.
    #[inline]
    pub(crate) fn side(self, tag: Tag) -> u64 {
        self.place_of(tag) >> (PLACE_BITS - 1)
    }

    /// All items' slots, with ticks before which they do not expire: their buckets' earliest.
    ///
    /// # Safety
    /// The segment is not freed during `'a`.
    pub(crate) unsafe fn slots<'a>(self) -> impl Iterator<Item = (Slot, u32)> + 'a {
        // SAFETY: as the caller promises.
        unsafe { self.buckets() }.iter().flat_map(|bucket| {
            let due = bucket.earliest();
            bucket.slots().filter(|slot| !slot.is_empty()).map(move |slot| (slot, due))
        })
    }

    /// All buckets, homes first.
    ///
    /// # Safety
    /// The segment is not freed during `'a`.
    #[inline]
    pub(crate) unsafe fn buckets<'a>(self) -> &'a [Bucket] {
        let homes = self.homes();
        // SAFETY: `allocate` wrote that many buckets behind the header, and they are still there.
        unsafe {
            std::slice::from_raw_parts(self.block().cast::<Bucket>().add(1), homes + tail(homes))
        }
    }

    /// A tick before which nothing here expires.
    ///
    /// # Safety
    /// The segment is not freed.
    #[inline]
    pub(crate) unsafe fn earliest(self) -> u32 {
        // SAFETY: `allocate` wrote the header.
        unsafe { (*self.block()).earliest.load(Relaxed) }
    }

    /// Sets the earliest tick.
    ///
    /// # Safety
    /// The segment is not freed.
    #[inline]
    pub(crate) unsafe fn set_earliest(self, tick: u32) {
        // SAFETY: `allocate` wrote the header.
        unsafe { (*self.block()).earliest.store(tick, Relaxed) }
    }

    /// Lowers the earliest ticks of the segment and of its bucket `index` to `due`.
    ///
    /// # Safety
    /// The segment is not freed, and the caller owns the table.
    #[inline]
    pub(crate) unsafe fn note_due(self, index: usize, due: u32) {
        // SAFETY: as the caller promises.
        unsafe {
            let bucket = &self.buckets()[index];
            if due < bucket.earliest() {
                bucket.set_earliest(due);
                if due < self.earliest() {
                    self.set_earliest(due);
                }
            }
        }
    }

    /// Puts an item into the first free slot from its home on.
    ///
    /// # Safety
    /// The segment is not freed, and the caller owns the table.
    #[inline]
    pub(crate) unsafe fn place(self, slot: Slot, due: u32) -> Result<(), Full> {
        let home = self.home(slot.tag());
        // SAFETY: as the caller promises.
        let buckets = unsafe { self.buckets() };
        for distance in 0..=SPILL_MAX {
            let Some(bucket) = buckets.get(home + distance) else { break };
            if let Some(index) = bucket.free_slot() {
                bucket.set_slot(index, slot);
                if distance > buckets[home].spill() {
                    buckets[home].set_spill(distance);
                }
                // SAFETY: as the caller promises.
                unsafe { self.note_due(home + distance, due) };
                return Ok(());
            }
        }
        Err(Full)
    }

    /// Puts items into a segment that has none, each into the first free slot from its home on, as
    /// [`Self::place`] does one by one. Slots are taken in order, so it is enough to count them.
    ///
    /// # Safety
    /// The segment is not freed, and the caller owns the table.
    pub(crate) unsafe fn fill(self, items: impl Iterator<Item = (Slot, u32)>) -> Result<(), Full> {
        // SAFETY: as the caller promises.
        let buckets = unsafe { self.buckets() };
        let mut lens = [0_u8; HOMES_LIMIT + TAIL_MAX];
        let lens = &mut lens[..buckets.len()];
        let mut earliest = NEVER;
        for (slot, due) in items {
            let home = self.home(slot.tag());
            let Some(room) = lens[home..].iter().position(|len| usize::from(*len) < SLOTS) else {
                return Err(Full);
            };
            if room > 0 {
                if room > SPILL_MAX {
                    return Err(Full);
                }
                buckets[home].set_spill(room.max(buckets[home].spill()));
            }
            let (bucket, len) = (&buckets[home + room], &mut lens[home + room]);
            bucket.set_slot(usize::from(*len), slot);
            *len += 1;
            if due != NEVER {
                bucket.set_earliest(due.min(bucket.earliest()));
                earliest = earliest.min(due);
            }
        }
        // SAFETY: as the caller promises.
        unsafe { self.set_earliest(earliest) };
        Ok(())
    }

    /// Empties a slot, and lowers the spill of its item's home where no other item needs it.
    ///
    /// # Safety
    /// The segment is not freed, and the caller owns the table and takes the item.
    #[inline]
    pub(crate) unsafe fn vacate(self, index: usize, slot: usize) {
        // SAFETY: as the caller promises.
        let buckets = unsafe { self.buckets() };
        let home = self.home(buckets[index].slot(slot).tag());
        buckets[index].set_slot(slot, Slot::EMPTY);
        let mut spill = buckets[home].spill();
        if index == home || index - home < spill {
            return;
        }
        let belongs = |slot: Slot| !slot.is_empty() && self.home(slot.tag()) == home;
        while spill > 0 && !buckets[home + spill].slots().any(belongs) {
            spill -= 1;
        }
        buckets[home].set_spill(spill);
    }

    /// Items in the segment, counted.
    ///
    /// # Safety
    /// The segment is not freed.
    pub(crate) unsafe fn count(self) -> usize {
        // SAFETY: as the caller promises.
        unsafe { self.buckets() }.iter().map(Bucket::len).sum()
    }

    /// Bytes of the segment's block.
    pub(crate) fn memory(self) -> usize {
        units_for(self.homes()) * UNIT
    }

    /// Gives the block back. Items must have been moved or dropped.
    ///
    /// # Safety
    /// Nobody uses the segment any more.
    pub(crate) unsafe fn free(self) {
        // SAFETY: `allocate` wrote the header.
        let slab = unsafe { (*self.block()).slab };
        if let Some(start) = NonNull::new(self.block().cast()) {
            // SAFETY: the run was allocated with these units in this slab.
            unsafe { slab::free(Run { start, units: units_for(self.homes()), slab }) };
        }
    }

    #[inline]
    fn block(self) -> *mut Header {
        std::ptr::with_exposed_provenance_mut((self.0 & ADDRESS) as usize)
    }
}
