//! One key with its value: one allocation, one pointer.
//!
//! ```text
//!  0        1      2        4            8
//!  | flags  | kind | key    | value      | expiry ms | key length | key … | payload …
//!  |        |      | length | length     | (8, flag) | (8, flag)  |       |
//! ```
//!
//! The payload is the value's bytes, an `i64`, or, from [`EMBEDDED_MAX`] on, the three words of a
//! [`Blob`], which others may hold too while they send it. A key of 65,535 bytes or more has its
//! length in a word of its own. Words behind the header are unaligned.
//!
//! Invariant: the block has exactly `memory::block_size(self.size())` bytes, where the size follows
//! from the header alone. So an entry whose new size falls into the same class changes in place.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use memory::{Blob, Part};

use crate::table::Item;
pub use crate::tick::{NEVER, TICK_SHIFT, tick_of};

/// Values above this many bytes live in a buffer of their own.
pub const EMBEDDED_MAX: usize = 4096;
/// A buffer above this goes back to the operating system when it is freed, which takes a while.
const LARGE: usize = 512 * 1024;
/// Bytes of a blob's counts and the words of its vector.
const BLOB_HEAD: usize = 2 * size_of::<usize>() + size_of::<Vec<u8>>();
/// Length of the longest decimal `i64`, with its sign.
const INTEGER_TEXT_MAX: usize = 20;

/// A value as a command sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A string that is the canonical decimal form of an integer.
    Int(i64),
    /// Any other string.
    Bytes(&'a [u8]),
    /// A string that an entry can hold on to without copying it. Entries show theirs as `Bytes`.
    Part(Part<'a>),
}

impl<'a> Value<'a> {
    /// The value of a string: an integer where the string is one in its canonical form.
    #[inline]
    pub fn of(bytes: &'a [u8]) -> Self {
        match bytes {
            [b'0'..=b'9' | b'-', ..] if bytes.len() <= INTEGER_TEXT_MAX => {
                integer_of(bytes).map_or(Value::Bytes(bytes), Value::Int)
            }
            _ => Value::Bytes(bytes),
        }
    }

    /// Length of the string in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Value::Int(number) => itoa::Buffer::new().format(*number).len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Part(part) => part.bytes().len(),
        }
    }

    /// Whether the string has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `with` with the string's bytes.
    #[inline]
    pub fn with_bytes<R>(&self, with: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Value::Int(number) => with(itoa::Buffer::new().format(*number).as_bytes()),
            Value::Bytes(bytes) => with(bytes),
            Value::Part(part) => with(part.bytes()),
        }
    }

    /// The string as owned bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.with_bytes(<[u8]>::to_vec)
    }

    #[inline]
    fn shape(&self) -> (Kind, usize) {
        match self {
            Value::Int(_) => (Kind::Int, 0),
            Value::Bytes(bytes) if bytes.len() <= EMBEDDED_MAX => (Kind::Embedded, bytes.len()),
            Value::Bytes(_) => (Kind::Heap, 0),
            Value::Part(part) if part.bytes().len() <= EMBEDDED_MAX => {
                Value::Bytes(part.bytes()).shape()
            }
            Value::Part(_) => (Kind::Heap, 0),
        }
    }
}

/// The integer whose canonical decimal form is `text`.
#[inline]
fn integer_of(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    let mut magnitude: u64 = 0;
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Int,
    Embedded,
    Heap,
}

const HAS_EXPIRY: u8 = 1;
const LONG_KEY: u8 = 2;
/// Marks that cache eviction must pass the entry by.
const STICKY: u8 = 4;
/// Marks a string that was edited in place (Redis then names its encoding `raw`).
const EDITED: u8 = 8;

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Header {
    flags: u8,
    kind: Kind,
    key_len: u16,
    value_len: u32,
}

const HEADER: usize = size_of::<Header>();
const WORD: usize = size_of::<u64>();

impl Header {
    /// Bytes of the words between header and key.
    #[inline]
    fn words(self) -> usize {
        usize::from(self.flags & HAS_EXPIRY != 0) * WORD
            + usize::from(self.flags & LONG_KEY != 0) * WORD
    }

    #[inline]
    fn payload(self) -> usize {
        match self.kind {
            Kind::Int => WORD,
            Kind::Embedded => self.value_len as usize,
            Kind::Heap => size_of::<Blob>(),
        }
    }
}

/// An owned entry.
pub struct Entry {
    block: NonNull<Header>,
}

// SAFETY: an entry owns its block, and a heap value is a `Blob`, which may be sent and shared.
unsafe impl Send for Entry {}
// SAFETY: through a shared reference an entry can only be read.
unsafe impl Sync for Entry {}

fn layout_of(size: usize) -> Layout {
    // An entry is at most a header, words and a key that the protocol bounds far below
    // `isize::MAX`.
    match Layout::from_size_align(memory::block_size(size), align_of::<Header>()) {
        Ok(layout) => layout,
        Err(_) => unreachable!("an entry of {size} bytes"),
    }
}

impl Entry {
    /// A new entry; `expires_at` is a Unix time in milliseconds.
    pub fn new(key: &[u8], value: Value<'_>, expires_at: Option<u64>) -> Self {
        let (kind, value_len) = value.shape();
        let mut entry = Self::allocate(key, kind, value_len, expires_at);
        entry.write_payload(entry.payload_at(), value);
        entry
    }

    /// An entry whose payload is not yet written, which the caller must do at once.
    #[inline]
    fn allocate(key: &[u8], kind: Kind, value_len: usize, expires_at: Option<u64>) -> Self {
        let mut flags = 0;
        if expires_at.is_some() {
            flags |= HAS_EXPIRY;
        }
        let key_len = u16::try_from(key.len()).unwrap_or(u16::MAX);
        if key_len == u16::MAX {
            flags |= LONG_KEY;
        }
        // An embedded value has at most `EMBEDDED_MAX` bytes.
        let header = Header { flags, kind, key_len, value_len: value_len as u32 };
        let key_at = HEADER + header.words();
        let layout = layout_of(key_at + key.len() + header.payload());
        // SAFETY: the layout is not empty.
        let block = unsafe { alloc(layout) }.cast::<Header>();
        let Some(block) = NonNull::new(block) else { handle_alloc_error(layout) };
        // SAFETY: the block is fresh, aligned for a header and larger than one.
        unsafe { block.as_ptr().write(header) };
        let mut entry = Self { block };
        if let Some(at) = expires_at {
            entry.write_word(HEADER, at);
        }
        if flags & LONG_KEY != 0 {
            entry.write_word(key_at - WORD, key.len() as u64);
        }
        entry.write_bytes(key_at, key);
        entry
    }

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        let start = HEADER + self.header().words();
        // SAFETY: the key was written there with this length, and lives as long as the entry.
        unsafe { std::slice::from_raw_parts(self.at(start), self.key_len()) }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> Value<'_> {
        let at = self.payload_at();
        match self.header().kind {
            Kind::Int => Value::Int(self.read_word(at).cast_signed()),
            Kind::Embedded => {
                let len = self.header().value_len as usize;
                // SAFETY: an embedded value has `value_len` bytes at the payload's place.
                Value::Bytes(unsafe { std::slice::from_raw_parts(self.at(at), len) })
            }
            Kind::Heap => {
                let blob = self.peek_blob();
                // SAFETY: the entry keeps the blob and thereby its bytes, which nobody changes
                // while the entry is borrowed.
                Value::Bytes(unsafe { std::slice::from_raw_parts(blob.as_ptr(), blob.len()) })
            }
        }
    }

    /// When the entry expires, in milliseconds of Unix time.
    #[inline]
    pub fn expires_at(&self) -> Option<u64> {
        (self.header().flags & HAS_EXPIRY != 0).then(|| self.read_word(HEADER))
    }

    /// Whether cache eviction must pass this entry by.
    pub fn is_sticky(&self) -> bool {
        self.header().flags & STICKY != 0
    }

    /// Whether the string was edited in place since it was last set.
    pub fn is_edited(&self) -> bool {
        self.header().flags & EDITED != 0
    }

    /// Exempts the entry from cache eviction, or not.
    pub fn set_sticky(&mut self, sticky: bool) {
        self.set_flag(STICKY, sticky);
    }

    /// Replaces value and expiry. Does not allocate where the new size is of the same class.
    #[inline]
    pub fn set(&mut self, value: Value<'_>, expires_at: Option<u64>) {
        let old = self.header();
        let (kind, value_len) = value.shape();
        let same_frame = (old.flags & HAS_EXPIRY != 0) == expires_at.is_some();
        if same_frame && old.kind != Kind::Heap && kind != Kind::Heap {
            let new =
                Header { flags: old.flags & !EDITED, kind, value_len: value_len as u32, ..old };
            let size = self.size();
            let new_size = size - old.payload() + new.payload();
            if memory::block_size(size) == memory::block_size(new_size) {
                let at = size - old.payload();
                self.set_header(new);
                self.write_payload(at, value);
                if let Some(at) = expires_at {
                    self.write_word(HEADER, at);
                }
                return;
            }
        }
        self.rebuild(value, expires_at);
    }

    /// Sets or takes away the expiry; the value stays.
    pub fn set_expiry(&mut self, expires_at: Option<u64>) {
        match (self.header().flags & HAS_EXPIRY != 0, expires_at) {
            (true, Some(at)) => self.write_word(HEADER, at),
            (false, None) => {}
            _ => self.reframe(expires_at),
        }
    }

    /// The string to hold on to, if it lives in a block of its own.
    pub fn blob(&self) -> Option<Blob> {
        (self.header().kind == Kind::Heap).then(|| Blob::clone(&self.peek_blob()))
    }

    /// Bytes that [`Self::edit`] to this length would copy, zeros not counted.
    pub fn cost_of_edit(&self, len: usize) -> usize {
        match self.header().kind {
            Kind::Heap => self.peek_blob().cost_of_edit(len),
            Kind::Int | Kind::Embedded => self.size(),
        }
    }

    /// The string's bytes to edit, made `len` long: cut, or filled up with zeros.
    pub fn edit(&mut self, len: usize) -> &mut [u8] {
        if self.header().kind == Kind::Heap {
            let mut blob = self.peek_blob();
            blob.edit(len);
            self.write_blob(ManuallyDrop::into_inner(blob));
        } else if self.header().kind == Kind::Int || !self.resize_in_place(len) {
            let mut bytes = self.value().to_vec();
            bytes.resize(len, 0);
            self.rebuild(Value::Bytes(&bytes), self.expires_at());
        }
        self.set_flag(EDITED, true);
        self.bytes_mut()
    }

    /// A copy under another key, with its value and expiry. The bytes of a heap value are shared.
    pub fn copy_as(&self, key: &[u8]) -> Self {
        let mut copy = match self.blob() {
            Some(blob) => {
                let mut copy = Self::allocate(key, Kind::Heap, 0, self.expires_at());
                copy.write_blob(blob);
                copy
            }
            None => Self::new(key, self.value(), self.expires_at()),
        };
        copy.set_flag(EDITED, self.is_edited());
        copy.set_flag(STICKY, self.is_sticky());
        copy
    }

    /// The entry under another key, with its value and expiry. A heap value is not copied.
    pub fn rename(mut self, key: &[u8]) -> Self {
        let (header, expires_at) = (self.header(), self.expires_at());
        let mut new = Self::allocate(key, header.kind, header.value_len as usize, expires_at);
        self.hand_over(&mut new);
        new
    }

    /// Whether freeing the entry may take long enough to be left to another thread.
    #[inline]
    pub fn is_large(&self) -> bool {
        self.header().kind == Kind::Heap && self.peek_blob().capacity() > LARGE
    }

    /// Bytes of memory that the entry takes.
    pub fn memory(&self) -> usize {
        let own = memory::block_size(self.size());
        if self.header().kind != Kind::Heap {
            return own;
        }
        own + BLOB_HEAD + memory::block_size(self.peek_blob().capacity())
    }

    /// Changes the length of an embedded value where the block's class allows it.
    fn resize_in_place(&mut self, len: usize) -> bool {
        let old = self.header();
        let (size, old_len) = (self.size(), old.value_len as usize);
        let fits = len <= EMBEDDED_MAX
            && memory::block_size(size) == memory::block_size(size - old_len + len);
        if fits {
            self.set_header(Header { value_len: len as u32, ..old });
            if len > old_len {
                let at = self.payload_at() + old_len;
                // SAFETY: the bytes lie between the old and the new end, both inside the block.
                unsafe { ptr::write_bytes(self.at(at), 0, len - old_len) };
            }
        }
        fits
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        match self.header().kind {
            Kind::Int => &mut [],
            Kind::Embedded => {
                let (at, len) = (self.payload_at(), self.header().value_len as usize);
                // SAFETY: as in `value`, and `&mut self` makes the access the only one.
                unsafe { std::slice::from_raw_parts_mut(self.at(at), len) }
            }
            Kind::Heap => {
                // In place, as nobody else holds the blob: `edit` has just seen to that.
                let mut blob = self.peek_blob();
                let len = blob.len();
                let start = blob.edit(len).as_mut_ptr();
                self.write_blob(ManuallyDrop::into_inner(blob));
                // SAFETY: as in `value`, and `&mut self` makes the access the only one.
                unsafe { std::slice::from_raw_parts_mut(start, len) }
            }
        }
    }

    /// Moves key and lasting flags to a new block with another value.
    #[cold]
    fn rebuild(&mut self, value: Value<'_>, expires_at: Option<u64>) {
        let mut new = Self::new(self.key(), value, expires_at);
        new.set_flag(STICKY, self.is_sticky());
        *self = new;
    }

    /// Moves everything to a block with or without an expiry.
    #[cold]
    fn reframe(&mut self, expires_at: Option<u64>) {
        let old = self.header();
        let mut new = Self::allocate(self.key(), old.kind, old.value_len as usize, expires_at);
        self.hand_over(&mut new);
        *self = new;
    }

    /// Moves payload and lasting flags to `new`, which was allocated for a payload of the same kind
    /// and length and does not have it yet.
    fn hand_over(&mut self, new: &mut Self) {
        let old = self.header();
        debug_assert_eq!(old.payload(), new.header().payload(), "a block for another payload");
        new.set_flag(old.flags & (STICKY | EDITED), true);
        let (from, to) = (self.at(self.payload_at()), new.at(new.payload_at()));
        // SAFETY: both blocks have a payload of this size there, and they are different blocks.
        unsafe { ptr::copy_nonoverlapping(from, to, old.payload()) };
        if old.kind == Kind::Heap {
            // The blob belongs to the new entry now; what is left here are bytes of no meaning.
            let value_len = size_of::<Blob>() as u32;
            self.set_header(Header { kind: Kind::Embedded, value_len, ..old });
        }
    }

    #[inline]
    fn header(&self) -> Header {
        // SAFETY: the block starts with an initialised header.
        unsafe { *self.block.as_ptr() }
    }

    #[inline]
    fn set_header(&mut self, header: Header) {
        // SAFETY: the block starts with a header, and `&mut self` makes the access the only one.
        unsafe { *self.block.as_ptr() = header }
    }

    fn set_flag(&mut self, flag: u8, on: bool) {
        let header = self.header();
        let flags = if on { header.flags | flag } else { header.flags & !flag };
        self.set_header(Header { flags, ..header });
    }

    /// A pointer to the block's byte `offset`.
    #[inline]
    fn at(&self, offset: usize) -> *mut u8 {
        // SAFETY: callers pass offsets up to `size()`, which the block has.
        unsafe { self.block.as_ptr().cast::<u8>().add(offset) }
    }

    #[inline]
    fn key_len(&self) -> usize {
        let header = self.header();
        if header.flags & LONG_KEY != 0 {
            self.read_word(HEADER + header.words() - WORD) as usize
        } else {
            usize::from(header.key_len)
        }
    }

    #[inline]
    fn payload_at(&self) -> usize {
        HEADER + self.header().words() + self.key_len()
    }

    #[inline]
    fn size(&self) -> usize {
        self.payload_at() + self.header().payload()
    }

    #[inline]
    fn read_word(&self, offset: usize) -> u64 {
        // SAFETY: `offset` is where `write_word` or `write_payload` wrote a word of this block.
        unsafe { self.at(offset).cast::<u64>().read_unaligned() }
    }

    #[inline]
    fn write_word(&mut self, offset: usize, word: u64) {
        // SAFETY: the block has a word's room at `offset`, as its header says.
        unsafe { self.at(offset).cast::<u64>().write_unaligned(word) }
    }

    #[inline]
    fn write_bytes(&mut self, offset: usize, bytes: &[u8]) {
        // SAFETY: the block has room for `bytes` at `offset`, and they are not part of it: a block
        // is only written from memory that the caller borrows while holding `&mut self`.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.at(offset), bytes.len()) }
    }

    /// The blob of a heap value, which stays the entry's.
    #[inline]
    fn peek_blob(&self) -> ManuallyDrop<Blob> {
        debug_assert!(self.header().kind == Kind::Heap, "a value of another kind");
        // SAFETY: only called for kind `Heap`, whose payload is a `Blob`; what is returned is not
        // dropped, so the entry goes on to own it.
        unsafe { self.at(self.payload_at()).cast::<ManuallyDrop<Blob>>().read_unaligned() }
    }

    /// Puts a blob into the payload; one that was there is forgotten.
    fn write_blob(&mut self, blob: Blob) {
        // SAFETY: only called for kind `Heap`, whose payload has this size.
        unsafe { self.at(self.payload_at()).cast::<Blob>().write_unaligned(blob) }
    }

    /// Writes the value at `offset`, where the block has the payload of its shape.
    #[inline]
    fn write_payload(&mut self, offset: usize, value: Value<'_>) {
        match value {
            Value::Int(number) => self.write_word(offset, number.cast_unsigned()),
            Value::Bytes(bytes) if bytes.len() <= EMBEDDED_MAX => self.write_bytes(offset, bytes),
            Value::Bytes(bytes) => self.write_blob(Blob::new(bytes.to_vec())),
            Value::Part(part) if part.bytes().len() <= EMBEDDED_MAX => {
                self.write_bytes(offset, part.bytes());
            }
            Value::Part(part) => self.write_blob(part.hold()),
        }
    }
}

impl Drop for Entry {
    #[inline]
    fn drop(&mut self) {
        if self.header().kind == Kind::Heap {
            // It is not looked at again.
            drop(ManuallyDrop::into_inner(self.peek_blob()));
        }
        let layout = layout_of(self.size());
        // SAFETY: the block was allocated with this layout and is not used again.
        unsafe { dealloc(self.block.as_ptr().cast(), layout) };
    }
}

// SAFETY: the raw form is the block's address, unique while the entry lives and aligned to 8.
unsafe impl Item for Entry {
    #[inline]
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).block.cast()
    }

    #[inline]
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Self { block: raw.cast() }
    }

    #[inline]
    fn key(&self) -> &[u8] {
        Entry::key(self)
    }

    #[inline]
    fn due(&self) -> u32 {
        self.expires_at().map_or(NEVER, tick_of)
    }
}

#[cfg(test)]
mod tests;
