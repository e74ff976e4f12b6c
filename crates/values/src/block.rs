//! The block of a member: one allocation with all that is known of it.
//!
//! ```text
//! member of a set         | head 1 | member | expiry 6 |         the expiry only where it has one
//! field of a hash         | head 2 | field | value | expiry 6 |
//! member of a sorted set  | head 1 | score 8 | member |
//!
//! head of one text:   7 bits length, 1 bit "expires"; length 127: it follows in four bytes
//! head of two texts:  1 bit "long", 1 bit "expires", 7 + 7 bits lengths;
//!                     long: 31 + 31 bits, so that the head has eight bytes
//! ```
//!
//! The expiry, in milliseconds of Unix time, stands at the end, so that it fits into what the
//! allocator's class leaves free and comes and goes without moving the rest.
//!
//! Invariants: a block is at least eight bytes long and these are initialised; how many bytes it
//! has follows from them alone (its [`Shape`] says how), and so many are initialised. The
//! allocation has `memory::block_size` of that, so what stays in its class changes in place.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::ptr::{self, NonNull};

use table::Item;
use table::table::Ref;
use table::tick::{NEVER, tick_of};

use crate::score::Score;

/// Longer members, fields and values are not possible.
pub const LEN_MAX: usize = (1 << 31) - 1;
/// Bytes of an expiry.
const EXPIRY: usize = 6;
const EXPIRY_MAX: u64 = (1 << (8 * EXPIRY)) - 1;
/// Bytes of a head's word.
const WORD: usize = size_of::<u64>();

/// Where the parts of a block are.
#[derive(Clone, Copy)]
pub struct Frame {
    /// The head ends here.
    head: usize,
    key: usize,
    key_end: usize,
    expires: bool,
    size: usize,
}

impl Frame {
    fn expiry(self) -> Range<usize> {
        let from = if self.expires { self.size - EXPIRY } else { self.size };
        from..self.size
    }
}

/// How to read the first eight bytes of a block.
///
/// # Safety
/// `frame` depends on its argument alone; the parts lie in their order in `0..size`, the head has
/// at most eight bytes, and of these no others count.
pub unsafe trait Shape {
    /// Where the parts are in a block that begins with these bytes.
    fn frame(head: u64) -> Frame;
}

/// A shape of blocks that may expire.
pub trait Expiring: Shape + Sized {
    /// Sets or takes away the expiry; everything else stays.
    fn set_expiry(block: &mut Block<Self>, expires_at: Option<u64>);
}

/// The shape of a member of a set.
pub struct Plain;
/// The shape of a field of a hash, with its value.
pub struct Paired;
/// The shape of a member of a sorted set.
pub struct Ranked;

/// An owned block.
pub struct Block<S: Shape> {
    start: NonNull<u8>,
    shape: PhantomData<S>,
}

// SAFETY: a block owns its allocation. (What a `Link` may do is said there.)
unsafe impl<S: Shape> Send for Block<S> {}
// SAFETY: through a shared reference a block can only be read.
unsafe impl<S: Shape> Sync for Block<S> {}

/// Bits of a short length in a head of one text, and the length that means "long".
const SHORT_BITS: u32 = 7;
const SHORT: u64 = (1 << SHORT_BITS) - 1;
/// Bits of a long length in a head of two texts.
const LONG_BITS: u32 = 31;
const LONG: u64 = (1 << LONG_BITS) - 1;

/// The head of a block with one text.
#[inline]
fn head_of_one(len: usize, expires: bool) -> u64 {
    assert!(len <= LEN_MAX, "a member of {len} bytes");
    let (len, expires) = (len as u64, u64::from(expires) << SHORT_BITS);
    if len < SHORT { len | expires } else { SHORT | expires | len << u8::BITS }
}

/// The head of a block with two texts.
#[inline]
fn head_of_two(first: usize, second: usize, expires: bool) -> u64 {
    assert!(first.max(second) <= LEN_MAX, "a field of {first} bytes with {second}");
    let (first, second, expires) = (first as u64, second as u64, u64::from(expires) << 1);
    if first.max(second) <= SHORT {
        expires | first << 2 | second << (2 + SHORT_BITS)
    } else {
        1 | expires | first << 2 | second << (2 + LONG_BITS)
    }
}

/// The frame of a block with one text and so many bytes between head and text.
#[inline]
fn frame_of_one(word: u64, between: usize) -> Frame {
    let short = word & SHORT;
    let (head, len) = if short == SHORT {
        (1 + size_of::<u32>(), (word >> u8::BITS) as u32 as usize)
    } else {
        (1, short as usize)
    };
    let expires = word >> SHORT_BITS & 1 != 0;
    let key = head + between;
    let size = key + len + if expires { EXPIRY } else { 0 };
    Frame { head, key, key_end: key + len, expires, size }
}

// SAFETY: as `frame_of_one` is written: the length is in the head's first five bytes.
unsafe impl Shape for Plain {
    #[inline]
    fn frame(head: u64) -> Frame {
        frame_of_one(head, 0)
    }
}

// SAFETY: as for `Plain`.
unsafe impl Shape for Ranked {
    #[inline]
    fn frame(head: u64) -> Frame {
        frame_of_one(head, size_of::<f64>())
    }
}

// SAFETY: both lengths are in the head, which says itself whether it has two bytes or eight.
unsafe impl Shape for Paired {
    #[inline]
    fn frame(word: u64) -> Frame {
        let (head, bits, mask) =
            if word & 1 == 0 { (2, SHORT_BITS, SHORT) } else { (WORD, LONG_BITS, LONG) };
        let expires = word >> 1 & 1 != 0;
        let key_end = head + (word >> 2 & mask) as usize;
        let value_end = key_end + (word >> (2 + bits) & mask) as usize;
        let size = value_end + if expires { EXPIRY } else { 0 };
        Frame { head, key: head, key_end, expires, size }
    }
}

/// What is allocated for a block of so many bytes.
fn layout_of(size: usize) -> Layout {
    match Layout::from_size_align(memory::block_size(size), align_of::<u64>()) {
        Ok(layout) => layout,
        Err(_) => unreachable!("a block of {size} bytes"),
    }
}

impl<S: Shape> Block<S> {
    /// A block with this head, and behind it these parts one after another.
    #[inline]
    fn new<const N: usize>(head: u64, parts: [&[u8]; N]) -> Self {
        let frame = S::frame(head);
        let layout = layout_of(frame.size);
        // SAFETY: the layout is not empty.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        let mut block = Self { start, shape: PhantomData };
        // SAFETY: the smallest class has room for a word, and blocks are aligned to it.
        unsafe { block.start.cast::<u64>().write(head.to_le()) };
        block.write(frame.head, parts);
        block
    }

    /// Copies `parts` to the place from `at` up to the block's end.
    #[inline]
    fn write<const N: usize>(&mut self, at: usize, parts: [&[u8]; N]) {
        let frame = self.frame();
        let len: usize = parts.iter().map(|part| part.len()).sum();
        assert!(frame.head <= at && at + len == frame.size, "parts fill a block");
        let mut at = at;
        for part in parts {
            // SAFETY: the parts lie within the block, as just checked, and come from elsewhere:
            // nobody can borrow from the block while it is borrowed mutably.
            unsafe {
                ptr::copy_nonoverlapping(part.as_ptr(), self.start.as_ptr().add(at), part.len());
            }
            at += part.len();
        }
    }

    /// Gives the block another head, and other bytes from `at` on, if that needs no other
    /// allocation and no other size of the head.
    #[inline]
    fn rewrite<const N: usize>(&mut self, head: u64, at: usize, parts: [&[u8]; N]) -> bool {
        let (old, new) = (self.frame(), S::frame(head));
        if old.head != new.head || memory::block_size(old.size) != memory::block_size(new.size) {
            return false;
        }
        assert!(at <= old.size, "what stays is initialised");
        // SAFETY: the block begins with at least a word. Only the head's own bytes change.
        unsafe {
            let bytes = head.to_le_bytes();
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.as_ptr(), new.head);
        }
        self.write(at, parts);
        true
    }

    #[inline]
    fn head(&self) -> u64 {
        // SAFETY: the first word is initialised and aligned.
        u64::from_le(unsafe { self.start.cast::<u64>().read() })
    }

    #[inline]
    fn frame(&self) -> Frame {
        S::frame(self.head())
    }

    #[inline]
    fn bytes(&self, range: Range<usize>) -> &[u8] {
        debug_assert!(range.end <= self.frame().size);
        // SAFETY: callers pass ranges of the frame, and so many bytes are initialised.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(range.start), range.len()) }
    }

    /// The member or field.
    #[inline]
    pub fn key(&self) -> &[u8] {
        let frame = self.frame();
        self.bytes(frame.key..frame.key_end)
    }

    /// The member or field of a block in a table, for as long as the table is borrowed.
    #[inline]
    pub fn key_of<'table>(block: &Ref<'table, Self>) -> &'table [u8] {
        let key = block.key();
        // SAFETY: the key is in the block's allocation, not in `block`, which only points to it; it
        // stays, and nobody changes it, while the table is borrowed.
        unsafe { std::slice::from_raw_parts(key.as_ptr(), key.len()) }
    }

    /// Whether it has an expiry.
    #[inline]
    pub(crate) fn expires(&self) -> bool {
        self.frame().expires
    }

    /// When it expires, in milliseconds of Unix time.
    #[inline]
    pub fn expires_at(&self) -> Option<u64> {
        let frame = self.frame();
        if !frame.expires {
            return None;
        }
        let mut word = [0; WORD];
        word[..EXPIRY].copy_from_slice(self.bytes(frame.expiry()));
        Some(u64::from_le_bytes(word))
    }

    /// Whether it has expired at this time.
    #[inline]
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_at().is_some_and(|at| at <= now_ms)
    }

    /// Where the block lies, which tells it from all others.
    pub(crate) fn address(&self) -> usize {
        self.start.addr().get()
    }

    /// Bytes of memory of the block.
    #[inline]
    pub fn memory(&self) -> usize {
        memory::block_size(self.frame().size)
    }
}

/// An expiry as the end of a block; none is no bytes.
struct Tail {
    bytes: [u8; WORD],
    len: usize,
}

impl Tail {
    #[inline]
    fn new(at: Option<u64>) -> Self {
        let bytes = at.unwrap_or(0).min(EXPIRY_MAX).to_le_bytes();
        Self { bytes, len: if at.is_some() { EXPIRY } else { 0 } }
    }

    #[inline]
    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Block<Plain> {
    /// A member of a set.
    #[inline]
    pub(crate) fn of_member(member: &[u8], expires_at: Option<u64>) -> Self {
        let head = head_of_one(member.len(), expires_at.is_some());
        Self::new(head, [member, Tail::new(expires_at).as_slice()])
    }
}

impl Block<Paired> {
    /// A field of a hash.
    #[inline]
    pub(crate) fn of_field(field: &[u8], value: &[u8], expires_at: Option<u64>) -> Self {
        let head = head_of_two(field.len(), value.len(), expires_at.is_some());
        Self::new(head, [field, value, Tail::new(expires_at).as_slice()])
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> &[u8] {
        let frame = self.frame();
        self.bytes(frame.key_end..frame.expiry().start)
    }

    /// Field and value of a block in a table, for as long as the table is borrowed.
    #[inline]
    pub fn texts_of<'table>(field: &Ref<'table, Self>) -> (&'table [u8], &'table [u8]) {
        let frame = field.frame();
        let text = |range: Range<usize>| {
            // SAFETY: as in `bytes`; the block stays, and nobody changes it, while the table is
            // borrowed, for `field` only points to it.
            unsafe {
                let start = field.start.as_ptr().add(range.start);
                std::slice::from_raw_parts::<'table, u8>(start, range.len())
            }
        };
        (text(frame.key..frame.key_end), text(frame.key_end..frame.expiry().start))
    }

    /// Replaces value and expiry.
    #[inline]
    pub(crate) fn set(&mut self, value: &[u8], expires_at: Option<u64>) {
        let frame = self.frame();
        let head = head_of_two(frame.key_end - frame.key, value.len(), expires_at.is_some());
        let expiry = Tail::new(expires_at);
        if !self.rewrite(head, frame.key_end, [value, expiry.as_slice()]) {
            *self = Self::of_field(self.key(), value, expires_at);
        }
    }
}

impl Block<Ranked> {
    /// A member of a sorted set, with its score.
    #[inline]
    pub(crate) fn of_ranked(member: &[u8], score: Score) -> Self {
        Self::new(head_of_one(member.len(), false), [&score.get().to_ne_bytes(), member])
    }

    /// The score.
    #[inline]
    pub fn score(&self) -> Score {
        let at = self.frame().head;
        // SAFETY: in this shape the bytes between head and key are a score.
        unsafe { self.start.as_ptr().add(at).cast::<Score>().read_unaligned() }
    }

    /// Changes the score.
    #[inline]
    pub(crate) fn set_score(&mut self, score: Score) {
        let at = self.frame().head;
        // SAFETY: as for reading it, and `&mut self` makes the access the only one.
        unsafe { self.start.as_ptr().add(at).cast::<Score>().write_unaligned(score) };
    }
}

/// A second way to a block that something else owns, in six bytes: an address has 48 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link([u16; 3]);

impl Link {
    /// A link to `block`.
    ///
    /// # Safety
    /// While this link or a copy of it is looked through, the block lives, at the same address, and
    /// is not written to.
    #[inline]
    pub(crate) unsafe fn new(block: &Block<Ranked>) -> Self {
        let address = block.start.expose_provenance().get() as u64;
        debug_assert!(address >> 48 == 0, "address {address:#x} does not fit a link");
        Self([address as u16, (address >> 16) as u16, (address >> 32) as u16])
    }

    /// The block.
    #[inline]
    pub(crate) fn look(&self) -> Ref<'_, Block<Ranked>> {
        // SAFETY: the block is there and is not written to, as whoever made the link has promised.
        unsafe { Ref::new(self.address()) }
    }

    /// Starts to load the block.
    #[inline]
    pub(crate) fn prefetch(&self) {
        table::peek::prefetch(self.address().as_ptr());
    }

    #[inline]
    fn address(&self) -> NonNull<u8> {
        let [low, middle, high] = self.0;
        let address = u64::from(low) | u64::from(middle) << 16 | u64::from(high) << 32;
        match NonZeroUsize::new(address as usize) {
            Some(address) => NonNull::with_exposed_provenance(address),
            None => unreachable!("a link to nothing"),
        }
    }
}

impl Expiring for Plain {
    fn set_expiry(block: &mut Block<Self>, expires_at: Option<u64>) {
        let frame = block.frame();
        let head = head_of_one(frame.key_end - frame.key, expires_at.is_some());
        if !block.rewrite(head, frame.key_end, [Tail::new(expires_at).as_slice()]) {
            *block = Block::of_member(block.key(), expires_at);
        }
    }
}

impl Expiring for Paired {
    fn set_expiry(block: &mut Block<Self>, expires_at: Option<u64>) {
        let frame = block.frame();
        let (field, value) = (frame.key_end - frame.key, frame.expiry().start - frame.key_end);
        let head = head_of_two(field, value, expires_at.is_some());
        if !block.rewrite(head, frame.expiry().start, [Tail::new(expires_at).as_slice()]) {
            *block = Block::of_field(block.key(), block.value(), expires_at);
        }
    }
}

impl<S: Shape> Clone for Block<S> {
    fn clone(&self) -> Self {
        let frame = self.frame();
        Self::new(self.head(), [self.bytes(frame.head..frame.size)])
    }
}

impl<S: Shape> Drop for Block<S> {
    #[inline]
    fn drop(&mut self) {
        let layout = layout_of(self.frame().size);
        // SAFETY: allocated with this layout, which follows from the head, and not used again.
        unsafe { dealloc(self.start.as_ptr(), layout) };
    }
}

// SAFETY: the raw form is the block's address, aligned to a word; addresses of the process are
// below 2^48, which the table checks.
unsafe impl<S: Shape> Item for Block<S> {
    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).start
    }

    #[inline]
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Self { start: raw, shape: PhantomData }
    }

    #[inline]
    fn key(&self) -> &[u8] {
        Block::key(self)
    }

    #[inline]
    fn due(&self) -> u32 {
        self.expires_at().map_or(NEVER, tick_of)
    }
}

#[cfg(test)]
mod tests;
