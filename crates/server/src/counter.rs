//! Counters that one thread writes and all may read: an addition without a locked instruction.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Adds to a counter; only for the thread that writes it. Where two add at once, one may be lost.
#[inline]
pub fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}
