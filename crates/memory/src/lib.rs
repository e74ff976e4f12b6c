//! The process's allocator: mimalloc, with every block counted.
//!
//! `used_memory` is the sum of the *blocks* that are handed out, not of the sizes that were asked
//! for, so it agrees with what the operating system sees. Each thread counts in a variable of its
//! own and publishes it in steps of [`PUBLISH_STEP`] bytes: an allocation costs an addition and no
//! shared cache line. A block may be freed by another thread than the one that took it; then one
//! counter goes below zero and the sum is still right.
//!
//! Invariant: for every live block, [`block_size`] of its layout was added once and not yet taken
//! away. The function depends on the size alone, so the two always match.

pub mod blob;

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use libmimalloc_sys as mi;

pub use blob::{Blob, Part};

/// A thread publishes its count when it has moved by this many bytes.
pub const PUBLISH_STEP: i64 = 64 * 1024;

/// mimalloc promises this alignment without being asked (see `.cargo/config.toml`).
const NATURAL_ALIGN: usize = 8;
/// Up to here block sizes are multiples of a word.
const WORD_CLASS_MAX: usize = 64;
/// Above this, mimalloc gives whole pages of the operating system.
const CLASS_MAX: usize = 512 * 1024;
const PAGE: usize = 4096;

static PUBLISHED: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

/// How often [`ask_for_purge`] was called, and how many threads have done what the last call asks.
static PURGE: AtomicU64 = AtomicU64::new(0);
static PURGED: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static PENDING: Cell<i64> = const { Cell::new(0) };
    /// The last purge that this thread has done.
    static DONE: Cell<u64> = const { Cell::new(0) };
}

/// The allocator to install with `#[global_allocator]`.
pub struct CountedAllocator;

/// Bytes of the block that mimalloc uses for a request of `size` bytes.
///
/// Classes as in mimalloc's `page-queue.c`: words up to 64 bytes, then four steps to each doubling.
#[inline]
pub const fn block_size(size: usize) -> usize {
    if size <= WORD_CLASS_MAX {
        // An empty request still takes the smallest block.
        return if size == 0 { 8 } else { (size + 7) & !7 };
    }
    if size > CLASS_MAX {
        return (size.saturating_add(PAGE - 1)) & !(PAGE - 1);
    }
    let step = 1usize << ((usize::BITS - 1 - (size - 1).leading_zeros()) - 2);
    (size + step - 1) & !(step - 1)
}

/// Bytes in use by the whole process, exact but for what threads have not published yet.
pub fn used() -> u64 {
    u64::try_from(PUBLISHED.load(Ordering::Relaxed)).unwrap_or(0)
}

/// The highest published value of [`used`] so far.
pub fn peak() -> u64 {
    u64::try_from(PEAK.load(Ordering::Relaxed)).unwrap_or(0).max(used())
}

/// Publishes what this thread has counted; for threads about to sleep and for exact tests.
pub fn publish() {
    let _ = PENDING.try_with(|pending| flush(pending, pending.get()));
}

#[inline]
fn count(delta: i64) {
    // During the destruction of a thread its counter may be gone: count at once then.
    let counted = PENDING.try_with(|pending| {
        let sum = pending.get().wrapping_add(delta);
        if sum.unsigned_abs() >= PUBLISH_STEP.unsigned_abs() {
            flush(pending, sum);
        } else {
            pending.set(sum);
        }
    });
    if counted.is_err() {
        PUBLISHED.fetch_add(delta, Ordering::Relaxed);
    }
}

#[cold]
fn flush(pending: &Cell<i64>, sum: i64) {
    pending.set(0);
    let now = PUBLISHED.fetch_add(sum, Ordering::Relaxed).wrapping_add(sum);
    PEAK.fetch_max(now, Ordering::Relaxed);
}

#[inline]
fn signed(size: usize) -> i64 {
    i64::try_from(block_size(size)).unwrap_or(i64::MAX)
}

// SAFETY: mimalloc keeps the contract of `GlobalAlloc` (fresh, aligned, disjoint blocks, null when
// it has none); the counting touches no block.
unsafe impl GlobalAlloc for CountedAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        let block = if align <= NATURAL_ALIGN {
            // SAFETY: any size may be asked for; blocks are aligned to 8 bytes.
            unsafe { mi::mi_malloc(size) }
        } else {
            // SAFETY: `align` is a power of two, as `Layout` guarantees.
            unsafe { mi::mi_malloc_aligned(size, align) }
        };
        if !block.is_null() {
            count(signed(size));
        }
        block.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        // SAFETY: as for `alloc`.
        let block = unsafe { mi::mi_zalloc_aligned(size, align.max(NATURAL_ALIGN)) };
        if !block.is_null() {
            count(signed(size));
        }
        block.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller passes a live block of this allocator, by `GlobalAlloc`'s contract.
        unsafe { mi::mi_free(block.cast::<c_void>()) };
        count(signed(layout.size()).wrapping_neg());
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let align = layout.align().max(NATURAL_ALIGN);
        // SAFETY: the caller passes a live block of this allocator and its layout.
        let moved = unsafe { mi::mi_realloc_aligned(block.cast(), size, align) };
        if !moved.is_null() {
            count(signed(size).wrapping_sub(signed(layout.size())));
        }
        moved.cast()
    }
}

/// Publishes what this thread has counted, and gives pages that have been free for a while back to
/// the operating system; all that are free, if a purge was asked for. mimalloc does this only when
/// it is called, so a thread that goes quiet after much was freed must come here from time to time.
pub fn settle() {
    publish();
    let wanted = PURGE.load(Ordering::Acquire);
    let is_purge = DONE.with(|done| done.replace(wanted) != wanted);
    // SAFETY: may be called at any time from any thread.
    unsafe { mi::mi_collect(is_purge) };
    if is_purge {
        PURGED.fetch_add(1, Ordering::AcqRel);
    }
}

/// Has each thread give all its free pages back to the operating system when it settles next.
pub fn ask_for_purge() {
    PURGED.store(0, Ordering::Release);
    PURGE.fetch_add(1, Ordering::AcqRel);
}

/// Threads that have purged since it was asked for.
pub fn purged() -> usize {
    PURGED.load(Ordering::Acquire)
}

/// Bytes that mimalloc has from the operating system and may use.
pub fn committed() -> u64 {
    let mut bytes = 0;
    let none = std::ptr::null_mut();
    // SAFETY: each pointer is null, for what is not wanted, or leads to a `usize`.
    unsafe { mi::mi_process_info(none, none, none, none, none, &raw mut bytes, none, none) };
    bytes as u64
}

/// The version of mimalloc, as `3.3.2`.
pub fn version() -> String {
    // SAFETY: a pure function.
    let version = unsafe { mi::mi_version() };
    format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100)
}

/// mimalloc's own report of what it does.
pub fn report() -> String {
    unsafe extern "C" fn add(text: *const c_char, report: *mut c_void) {
        // SAFETY: mimalloc passes a text that ends with a zero, and the argument given below.
        let (text, report) = unsafe { (CStr::from_ptr(text), &mut *report.cast::<String>()) };
        report.push_str(&text.to_string_lossy());
    }
    let mut report = String::new();
    // SAFETY: the function is called with the report before this returns, and never later.
    unsafe { mi::mi_stats_print_out(Some(add), (&raw mut report).cast()) };
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_sizes_are_those_of_mimalloc() {
        for size in (0..=CLASS_MAX).step_by(1).take(70_000).chain((70_000..CLASS_MAX).step_by(997))
        {
            // SAFETY: a pure function of its argument.
            let good = unsafe { mi::mi_good_size(size) };
            assert_eq!(block_size(size), good, "request of {size} bytes");
        }
    }

    #[test]
    fn a_freed_block_is_taken_off_again() {
        publish();
        let before = PUBLISHED.load(Ordering::Relaxed);
        let layout = Layout::from_size_align(1_000_000, 8).expect("a valid layout");
        // SAFETY: allocated and freed with the same layout, never read.
        unsafe {
            let block = CountedAllocator.alloc(layout);
            assert!(PUBLISHED.load(Ordering::Relaxed) >= before + 1_000_000);
            CountedAllocator.dealloc(block, layout);
        }
        publish();
        assert!(PUBLISHED.load(Ordering::Relaxed) - before < 4096);
    }
}
