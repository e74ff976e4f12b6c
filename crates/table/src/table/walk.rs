//! Ways through a table that follow no key: all items, all items to take, some item.

use std::iter::{FusedIterator, repeat};
use std::ptr::NonNull;

use super::{HOMES_MAX, Item, Ref, Table};
use crate::bucket::{Bucket, SLOTS, Slot};
use crate::directory::Root;
use crate::peek::prefetch;
use crate::segment::Segment;

/// Most buckets of a segment that is not larger than usual: its homes and their tail.
const BUCKETS_MAX: usize = HOMES_MAX + 2;

impl<T: Item> Table<T> {
    /// All items, in the order of hashes as far as buckets go.
    pub fn iter(&self) -> impl Iterator<Item = Ref<'_, T>> {
        // SAFETY: slots hold the items, and the table stays borrowed as long as the references.
        self.addresses().map(|address| unsafe { Ref::new(address) })
    }

    /// A random item; `random` gives random numbers. Each item is equally likely.
    pub fn random(&self, mut random: impl FnMut() -> u64) -> Option<Ref<'_, T>> {
        /// Slots are empty this often in a row only where hashes are very uneven.
        const ATTEMPTS: usize = 256;
        if self.is_empty() {
            return None;
        }
        let address = (0..ATTEMPTS).find_map(|_| self.draw(random()));
        let address = address.or_else(|| self.addresses().next())?;
        // SAFETY: a slot holds the item, and the table stays borrowed as long as the reference.
        Some(unsafe { Ref::new(address) })
    }

    /// The item in a random slot, if there is one. Each slot of the table is equally likely, for a
    /// segment stands for as many slots as the largest has, and counts only where the first of its
    /// words in the directory is met.
    fn draw(&self, random: u64) -> Option<NonNull<u8>> {
        let segment = self.segment(random)?;
        // SAFETY: the table is borrowed, so the segment lives.
        let buckets = unsafe { segment.buckets() };
        let mut slots = buckets.len() * SLOTS;
        if let Some(Root::Directory { depth, .. }) = Root::decode(self.root) {
            let word = random >> (u64::BITS - depth);
            if word & ((1 << (depth - segment.depth())) - 1) != 0 {
                return None;
            }
            slots = slots.max(BUCKETS_MAX * SLOTS);
        }
        // The directory takes the upper bits, the slot is chosen by the lower ones.
        let index = (((random & u64::from(u32::MAX)) * slots as u64) >> u32::BITS) as usize;
        buckets.get(index / SLOTS)?.slot(index % SLOTS).address()
    }

    /// The addresses of all items. Those of the next bucket are on their way into the cache.
    pub(super) fn addresses(&self) -> impl Iterator<Item = NonNull<u8>> + use<'_, T> {
        let ahead = self.buckets().skip(1).map(Some).chain(repeat(None));
        self.buckets().zip(ahead).flat_map(|(bucket, next)| {
            next.into_iter().for_each(prefetch_items);
            bucket.slots().filter_map(Slot::address)
        })
    }

    fn buckets(&self) -> impl Iterator<Item = &Bucket> {
        // SAFETY: the table is borrowed, so its segments live.
        self.segments().flat_map(|(_, segment)| unsafe { segment.buckets() })
    }
}

fn prefetch_items(bucket: &Bucket) {
    for address in bucket.slots().filter_map(Slot::address) {
        prefetch(address.as_ptr());
    }
}

impl<T: Item> IntoIterator for Table<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { table: self, first: Some(0), bucket: 0, slot: 0 }
    }
}

/// Takes a table's items out one by one. What is left goes with the iterator, so a table of
/// millions of items can be freed in steps.
pub struct IntoIter<T: Item> {
    /// A slot whose item was taken is empty.
    table: Table<T>,
    /// The smallest hash of the segment that the next item is in.
    first: Option<u64>,
    bucket: usize,
    slot: usize,
}

impl<T: Item> IntoIter<T> {
    /// Goes on to the next segment.
    fn leave(&mut self, segment: Segment) {
        let step = 1u64.checked_shl(u64::BITS - segment.depth());
        self.first = self.first.zip(step).and_then(|(first, step)| first.checked_add(step));
        (self.bucket, self.slot) = (0, 0);
    }
}

impl<T: Item> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.table.len == 0 {
            // Spares a look through empty buckets when the iterator is dropped.
            self.table.clear();
            return None;
        }
        loop {
            let segment = self.table.segment(self.first?)?;
            // SAFETY: the table is owned, so the segment lives.
            let buckets = unsafe { segment.buckets() };
            let Some(bucket) = buckets.get(self.bucket) else {
                self.leave(segment);
                continue;
            };
            if self.slot == 0 {
                buckets.get(self.bucket + 1).into_iter().for_each(prefetch_items);
            }
            let slot = self.slot;
            self.slot += 1;
            if self.slot == SLOTS {
                (self.bucket, self.slot) = (self.bucket + 1, 0);
            }
            if let Some(address) = bucket.slot(slot).address() {
                bucket.set_slot(slot, Slot::EMPTY);
                self.table.len -= 1;
                // SAFETY: the slot held the item, and gave it up.
                return Some(unsafe { T::from_raw(address) });
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.table.len, Some(self.table.len))
    }
}

impl<T: Item> ExactSizeIterator for IntoIter<T> {}
impl<T: Item> FusedIterator for IntoIter<T> {}
