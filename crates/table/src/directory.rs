//! The root word of a table, and the directory that it may lead to.
//!
//! A root word says where the table is: nothing, one segment, or a directory of 2^depth words, each
//! naming the segment for the hashes that begin with its index. A segment of smaller depth than the
//! directory stands in several neighbouring words. A directory's word has no homes, so the two
//! kinds of words are told apart.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::segment::{ADDRESS, DEPTH, HOMES_SHIFT, Segment};

const _: () = assert!(HOMES_SHIFT == 48, "addresses fit below the homes of a root word");

/// What a root word says, when it says anything.
#[derive(Clone, Copy)]
pub(crate) enum Root {
    One(Segment),
    Directory { words: NonNull<AtomicU64>, depth: u32 },
}

impl Root {
    #[inline]
    pub(crate) fn decode(word: u64) -> Option<Self> {
        if let Some(segment) = Segment::from_word(word) {
            return Some(Self::One(segment));
        }
        let address = std::ptr::with_exposed_provenance_mut((word & ADDRESS) as usize);
        NonNull::new(address).map(|words| Self::Directory { words, depth: (word & DEPTH) as u32 })
    }
}

/// The segment that items with `hash` belong to.
///
/// # Safety
/// The directory is not freed.
#[inline]
pub(crate) unsafe fn segment_of(root: Root, hash: u64) -> Option<Segment> {
    match root {
        Root::One(segment) => Some(segment),
        Root::Directory { words, depth } => {
            let index = (hash >> (u64::BITS - depth)) as usize;
            // SAFETY: a directory has 2^depth words.
            Segment::from_word(unsafe { words.add(index).as_ref() }.load(Ordering::Acquire))
        }
    }
}

/// Writes a directory and returns its address, aligned so that the depth fits below it.
pub(crate) fn install(words: &[u64]) -> u64 {
    let layout = layout(words.len());
    // SAFETY: the layout is not empty.
    let block = unsafe { alloc(layout) }.cast::<AtomicU64>();
    if block.is_null() {
        handle_alloc_error(layout);
    }
    for (index, word) in words.iter().enumerate() {
        // SAFETY: the block has room for all words.
        unsafe { block.add(index).write(AtomicU64::new(*word)) };
    }
    block.expose_provenance() as u64
}

/// # Safety
/// `words` came from `install` with 2^depth words and is not used again.
pub(crate) unsafe fn free(words: *mut AtomicU64, depth: u32) {
    // SAFETY: as the caller promises.
    unsafe { dealloc(words.cast(), layout(1 << depth)) };
}

fn layout(words: usize) -> Layout {
    match Layout::from_size_align(words * size_of::<u64>(), 64) {
        Ok(layout) => layout,
        Err(_) => unreachable!("a directory of {words} words"),
    }
}
