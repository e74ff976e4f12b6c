//! A look at a table from a thread that does not own it, to prefetch what a command will need.
//!
//! A pipeline's commands are parsed ahead, and their buckets and entries are brought into the cache
//! before the first of them runs. That look must not wait for shards, and must not touch freed
//! memory. So the table publishes its root in an atomic, its directory and buckets are atomics
//! too, and a block taken out of the table is freed only when no thread is still inside a look
//! (epochs of `crossbeam-epoch`). What is read may be out of date; then the prefetch is useless and
//! nothing else: items are never read, only their addresses are handed to the processor as a hint.

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_epoch::Guard;

use crate::bucket::{Bucket, Tag};
use crate::directory::{Root, segment_of};

/// Where a table publishes its root word.
#[derive(Default)]
pub struct Peek {
    root: AtomicU64,
}

/// Buckets of which the first is on its way into the cache, and the tag to look for in them.
#[derive(Clone, Copy)]
pub struct Probe<'guard> {
    buckets: &'guard [Bucket],
    tag: Tag,
}

impl Peek {
    /// A place where nothing is published yet.
    pub const fn new() -> Self {
        Self { root: AtomicU64::new(0) }
    }

    /// Tells the readers where the table is now. Blocks it leaves must be retired, not freed.
    pub(crate) fn publish(&self, root: u64) {
        self.root.store(root, Ordering::Release);
    }

    /// Starts to load the home bucket of a hash.
    #[inline]
    pub fn prefetch_bucket<'guard>(&self, hash: u64, _: &'guard Guard) -> Option<Probe<'guard>> {
        let root = Root::decode(self.root.load(Ordering::Acquire))?;
        // SAFETY: what the root leads to was published with release order, and what is taken out
        // later is freed only after this guard is gone.
        let segment = unsafe { segment_of(root, hash) }?;
        // SAFETY: as above.
        let buckets = unsafe { segment.buckets() }.get(segment.home_of(hash)..)?;
        Some(Probe::new(buckets, segment.tag(hash)))
    }
}

impl<'guard> Probe<'guard> {
    /// Starts to load the first of these buckets.
    #[inline]
    pub(crate) fn new(buckets: &'guard [Bucket], tag: Tag) -> Self {
        prefetch(buckets.as_ptr().cast());
        Self { buckets, tag }
    }

    /// Starts to load the items that may be the wanted one: two cache lines each.
    #[inline]
    pub fn prefetch_item(self) {
        let spill = self.buckets.first().map_or(0, Bucket::spill);
        for bucket in self.buckets.iter().take(spill + 1) {
            let mut found = false;
            for index in bucket.matching(self.tag) {
                if let Some(address) = bucket.slot(index).address() {
                    let address: *const u8 = address.as_ptr();
                    prefetch(address);
                    prefetch(address.wrapping_add(64));
                    found = true;
                }
            }
            if found {
                return;
            }
        }
    }
}

/// Frees blocks that this thread retired, and others that nobody looks at any more. Threads that
/// change tables come here from time to time; a block is freed some visits after it was retired.
pub fn settle() {
    crossbeam_epoch::pin().flush();
}

/// Hints that the cache line at `address` is wanted soon. Any address will do.
#[inline]
pub fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults and changes nothing but the cache.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
