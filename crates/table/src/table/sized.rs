//! A table that is made for a number of items that is known beforehand.
//!
//! It has all its segments from the start, each as large as its share of the items needs, so it
//! does not grow while they come. That counts most for items in the order of their hashes: a table
//! that begins small splits at its end again and again then.

use super::{DEPTH_MAX, HOMES_MAX, Table, homes_for};
use crate::segment::Segment;

/// Shares of items differ by chance: segments begin so small that they can grow by an eighth.
const HOMES_FIRST: usize = HOMES_MAX * 8 / 9;

impl<T: super::Item> Table<T> {
    /// An empty table with room for about so many items.
    pub fn with_capacity(items: usize) -> Self {
        let mut table = Self::new();
        if items == 0 {
            return table;
        }
        let homes = |depth: u32| homes_for(items.div_ceil(1 << depth));
        let depth = (0..DEPTH_MAX).find(|depth| homes(*depth) <= HOMES_FIRST).unwrap_or(DEPTH_MAX);
        if depth > 0 {
            table.deepen(depth);
        }
        for index in 0..1_u64 << depth {
            let segment = Segment::allocate(homes(depth), depth);
            table.homes += segment.homes();
            // The only segment of depth 0 has no bits of the hash.
            table.put(index.checked_shl(u64::BITS - depth).unwrap_or(0), segment);
        }
        table
    }
}
