//! One cache line of the table: seven slots and eight bytes about them.
//!
//! ```text
//! slot:  63 ─────── 48 47 ───────────────────────── 3 2 ─ 0
//!        tag, high 16  address of the item (8-aligned) tag, low 3
//! about: 39 ─ 32 31 ────────────────────────────────────── 0
//!        spill   earliest tick at which an item here expires
//! ```
//!
//! A slot of zero is empty. The *spill* of a bucket is how many buckets behind it must be looked at
//! for items that belong here: an item goes to the first free slot from its home onwards.
//!
//! Words are atomics with relaxed order, which cost nothing here, because the prefetch pass of
//! another thread may read a bucket while its owner changes it (see `peek.rs`). Only the owner,
//! who has the shard borrowed, writes.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Slots in a bucket.
pub const SLOTS: usize = 7;
/// Bits of an item's hash that its slot keeps.
pub const TAG_BITS: u32 = 19;

const TAG_LOW_BITS: u32 = 3;
const TAG_LOW: u64 = (1 << TAG_LOW_BITS) - 1;
const ADDRESS_BITS: u32 = 48;
const ADDRESS: u64 = ((1 << ADDRESS_BITS) - 1) & !TAG_LOW;
const EARLIEST: u64 = u32::MAX as u64;
const SPILL_SHIFT: u32 = 32;
const SPILL: u64 = 0xff << SPILL_SHIFT;

/// A tag in the place it has in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(u64);

impl Tag {
    /// The tag with the value `bits`, of which the lower [`TAG_BITS`] count.
    #[inline]
    pub fn new(bits: u64) -> Self {
        Self(bits >> TAG_LOW_BITS << ADDRESS_BITS | bits & TAG_LOW)
    }

    /// The tag's value, below `1 << TAG_BITS`.
    #[inline]
    pub fn bits(self) -> u64 {
        self.0 >> ADDRESS_BITS << TAG_LOW_BITS | self.0 & TAG_LOW
    }
}

/// What a slot holds: an item's address and tag, or nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Slot(u64);

impl Slot {
    /// A slot that holds nothing.
    pub const EMPTY: Self = Self(0);

    /// A slot for the item at `address`, which must be 8-aligned and below 2^48.
    #[inline]
    pub fn new(address: NonNull<u8>, tag: Tag) -> Self {
        let address = address.as_ptr().expose_provenance() as u64;
        debug_assert!(address & !ADDRESS == 0, "address {address:#x} does not fit a slot");
        Self(address | tag.0)
    }

    /// The item's address, unless the slot is empty.
    #[inline]
    pub fn address(self) -> Option<NonNull<u8>> {
        NonNull::new(std::ptr::with_exposed_provenance_mut((self.0 & ADDRESS) as usize))
    }

    /// The item's tag.
    #[inline]
    pub fn tag(self) -> Tag {
        Tag(self.0 & !ADDRESS)
    }

    /// Whether the slot holds nothing.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A cache line of slots.
#[repr(C, align(64))]
pub struct Bucket {
    slots: [AtomicU64; SLOTS],
    about: AtomicU64,
}

impl Bucket {
    /// A bucket without items.
    pub const fn new() -> Self {
        Self { slots: [const { AtomicU64::new(0) }; SLOTS], about: AtomicU64::new(EARLIEST) }
    }

    /// The slot `index`, below [`SLOTS`].
    #[inline]
    pub fn slot(&self, index: usize) -> Slot {
        Slot(self.slots[index].load(Relaxed))
    }

    /// Writes the slot `index`.
    #[inline]
    pub fn set_slot(&self, index: usize, slot: Slot) {
        self.slots[index].store(slot.0, Relaxed);
    }

    /// All slots in order.
    #[inline]
    pub fn slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.slots.iter().map(|slot| Slot(slot.load(Relaxed)))
    }

    /// A bit for each slot that has the tag; an empty slot may be among them when the tag is zero.
    #[inline]
    pub fn matching(&self, tag: Tag) -> Mask {
        let mut mask = 0;
        for (index, slot) in self.slots.iter().enumerate() {
            mask |= u8::from(slot.load(Relaxed) & !ADDRESS == tag.0) << index;
        }
        Mask(mask)
    }

    /// The first empty slot.
    #[inline]
    pub fn free_slot(&self) -> Option<usize> {
        self.slots.iter().position(|slot| slot.load(Relaxed) == 0)
    }

    /// Items in the bucket.
    pub fn len(&self) -> usize {
        self.slots().filter(|slot| !slot.is_empty()).count()
    }

    /// Whether the bucket has no item.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many buckets behind this one may hold items that belong here.
    #[inline]
    pub fn spill(&self) -> usize {
        (self.about.load(Relaxed) >> SPILL_SHIFT & 0xff) as usize
    }

    /// Sets the spill, which is at most 255.
    #[inline]
    pub fn set_spill(&self, spill: usize) {
        let about = self.about.load(Relaxed) & !SPILL;
        self.about.store(about | (spill as u64) << SPILL_SHIFT & SPILL, Relaxed);
    }

    /// A tick before which no item of this bucket expires.
    #[inline]
    pub fn earliest(&self) -> u32 {
        (self.about.load(Relaxed) & EARLIEST) as u32
    }

    /// Sets the earliest tick.
    #[inline]
    pub fn set_earliest(&self, tick: u32) {
        self.about.store(self.about.load(Relaxed) & !EARLIEST | u64::from(tick), Relaxed);
    }
}

impl Default for Bucket {
    fn default() -> Self {
        Self::new()
    }
}

/// A set of slots of a bucket, iterated from the first.
#[derive(Clone, Copy)]
pub struct Mask(u8);

impl Iterator for Mask {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let index = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        Some(index as usize)
    }
}
