//! One key with its value: one allocation, one pointer.
//!
//! ```text
//!  0        1      2        4            8
//!  | flags  | kind | key    | value      | expiry ms | key length | key … | payload …
//!  |        |      | length | length     | (8, flag) | (8, flag)  |       |
//! ```
//!
//! The payload is the bytes of a string or of a packed collection, an `i64`, or, for a string from
//! [`EMBEDDED_MAX`] on, the three words of a [`Blob`], which others may hold too while they send
//! it. A collection that is not packed is the payload's one word, a pointer to a box. A key of
//! 65,535 bytes or more has its length in a word of its own. Words behind the header are unaligned.
//!
//! Invariant: the block has exactly `memory::block_size(self.size())` bytes, where the size follows
//! from the header alone. So an entry whose new size falls into the same class changes in place.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use memory::Blob;
use table::Item;
use table::table::Ref;
use table::tick::{NEVER, tick_of};

use crate::block::Shape;
use crate::members::Members;
use crate::packed::Splice;
use crate::{Hash, List, Set, SortedSet, Stream, Value, packed};

mod form;

pub use form::{Form, Kind};

/// Strings above this many bytes live in a buffer of their own.
pub const EMBEDDED_MAX: usize = 4096;
/// A packed collection has at most this many bytes, whatever the configuration allows: an edit
/// moves what lies behind it.
pub const PACKED_BYTES_MAX: usize = 64 * 1024;
/// A buffer above this goes back to the operating system when it is freed, which takes a while.
const LARGE: usize = 512 * 1024;
/// Collections of more members take a while to free.
const MANY: usize = 512;
/// Bytes of a blob's counts and the words of its vector.
const BLOB_HEAD: usize = 2 * size_of::<usize>() + size_of::<Vec<u8>>();

const HAS_EXPIRY: u8 = 1;
const LONG_KEY: u8 = 2;
/// Marks that cache eviction must pass the entry by.
const STICKY: u8 = 4;
/// Marks a string that was edited in place (Redis then names its encoding `raw`).
const EDITED: u8 = 8;
/// Marks a collection some members of which may expire.
const MEMBERS_EXPIRE: u8 = 16;
/// Marks one some members of which did expire when somebody last looked.
const COUNTED: u8 = 32;
/// Marks that belong to the key and not to its value.
const LASTING: u8 = STICKY;

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
            Kind::Heap => size_of::<Blob>(),
            kind if kind.is_embedded() => self.value_len as usize,
            _ => WORD,
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
    /// A new entry with a string; `expires_at` is a Unix time in milliseconds.
    pub fn new(key: &[u8], value: Value<'_>, expires_at: Option<u64>) -> Self {
        let (kind, len) = shape(value);
        let mut entry = Self::allocate(key, kind, len, expires_at);
        entry.write_string(entry.payload_at(), value);
        entry
    }

    /// A new entry with a packed collection of this kind.
    pub fn packed(key: &[u8], kind: Kind, run: &[u8], expires_at: Option<u64>) -> Self {
        debug_assert!(kind.is_packed() && run.len() <= PACKED_BYTES_MAX);
        let mut entry = Self::allocate(key, kind, run.len(), expires_at);
        entry.write_bytes(entry.payload_at(), run);
        entry
    }

    /// A new entry with a collection in a box.
    pub fn boxed<T: Boxed>(key: &[u8], collection: Box<T>, expires_at: Option<u64>) -> Self {
        let mut entry = Self::allocate(key, T::KIND, 0, expires_at);
        entry.write_box(collection);
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
        // What is embedded has at most `EMBEDDED_MAX` or `PACKED_BYTES_MAX` bytes.
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

    /// What kind of value it is and how it is kept.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.header().kind
    }

    /// The value, if it is a string. Always inlined: by itself it is longer than most of its uses.
    #[inline(always)]
    pub fn string(&self) -> Option<Value<'_>> {
        match self.header().kind {
            Kind::Int => Some(Value::Int(self.read_word(self.payload_at()).cast_signed())),
            Kind::Embedded => Some(Value::Bytes(self.run())),
            Kind::Heap => {
                let blob = self.peek_blob();
                // SAFETY: the entry keeps the blob and thereby its bytes, which nobody changes
                // while the entry is borrowed.
                let bytes = unsafe { std::slice::from_raw_parts(blob.as_ptr(), blob.len()) };
                Some(Value::Bytes(bytes))
            }
            _ => None,
        }
    }

    /// The value in the form in which it is kept.
    #[inline]
    pub fn form(&self) -> Form<'_> {
        match self.header().kind {
            Kind::PackedList => Form::PackedList(self.run()),
            Kind::IntSet => Form::IntSet(self.run()),
            Kind::PackedSet => Form::PackedSet(self.run()),
            Kind::PackedHash => Form::PackedHash(self.run()),
            Kind::PackedSortedSet => Form::PackedSortedSet(self.run()),
            Kind::Int | Kind::Embedded | Kind::Heap => {
                Form::String(self.string().unwrap_or(Value::Bytes(&[])))
            }
            // SAFETY: the kinds above are those without a box.
            _ => unsafe { self.form_in_box() },
        }
    }

    /// The collection in the entry's box.
    ///
    /// # Safety
    /// The entry's kind is a boxed one.
    #[inline]
    unsafe fn form_in_box(&self) -> Form<'_> {
        // SAFETY: each kind is that of its type, and the caller promises one of these.
        unsafe {
            match self.header().kind {
                Kind::List => Form::List(self.in_box()),
                Kind::Set => Form::Set(self.in_box()),
                Kind::Hash => Form::Hash(self.in_box()),
                Kind::SortedSet => Form::SortedSet(self.in_box()),
                _ => Form::Stream(self.in_box()),
            }
        }
    }

    /// The same for an entry in a table: the value stays as long as the table is borrowed.
    #[inline]
    pub fn form_of<'table>(entry: &Ref<'table, Self>) -> Form<'table> {
        let form = entry.form();
        // SAFETY: a form borrows from the entry's block and box, not from `entry`, which only
        // points to them; they stay, and nobody changes them, while the table is borrowed.
        unsafe { std::mem::transmute::<Form<'_>, Form<'table>>(form) }
    }

    /// When the key expires, in milliseconds of Unix time.
    #[inline]
    pub fn expires_at(&self) -> Option<u64> {
        (self.header().flags & HAS_EXPIRY != 0).then(|| self.read_word(HEADER))
    }

    /// Whether the key or some of its members may expire at all.
    #[inline]
    pub fn may_expire(&self) -> bool {
        self.header().flags & (HAS_EXPIRY | MEMBERS_EXPIRE) != 0
    }

    /// Whether some members may expire.
    #[inline]
    pub fn members_expire(&self) -> bool {
        self.header().flags & MEMBERS_EXPIRE != 0
    }

    /// Notes that some members may expire, or that none does.
    pub fn set_members_expire(&mut self, expire: bool) {
        self.set_flag(MEMBERS_EXPIRE, expire);
    }

    /// Whether [`Self::count_members`] said last that some members expire.
    #[inline]
    pub fn is_counted(&self) -> bool {
        self.header().flags & COUNTED != 0
    }

    /// Finds out whether some members have an expiry, and marks the entry by that. So whoever keeps
    /// count of such entries knows by [`Self::is_counted`] whether this is one of them.
    #[inline]
    pub fn count_members(&mut self) -> bool {
        self.header().flags & (MEMBERS_EXPIRE | COUNTED) != 0 && self.look_for_expiring()
    }

    #[cold]
    fn look_for_expiring(&mut self) -> bool {
        let some_expire = match self.form() {
            Form::PackedHash(run) => packed::hash::earliest_expiry(run).is_some(),
            Form::Hash(hash) => hash.expiring() > 0,
            Form::Set(set) => set.expiring() > 0,
            _ => false,
        };
        self.set_flag(COUNTED, some_expire);
        some_expire
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

    /// Sets a string and the expiry, whatever was there. Does not allocate where the new size is of
    /// the same class.
    #[inline]
    pub fn set(&mut self, value: Value<'_>, expires_at: Option<u64>) {
        let (kind, len) = shape(value);
        self.make_place(kind, len, expires_at);
        self.write_string(self.payload_at(), value);
    }

    /// Puts a packed collection of this kind in the place of the value. The expiry stays.
    pub fn set_run(&mut self, kind: Kind, run: &[u8]) {
        debug_assert!(kind.is_packed() && run.len() <= PACKED_BYTES_MAX);
        self.make_place(kind, run.len(), self.expires_at());
        self.write_bytes(self.payload_at(), run);
    }

    /// Puts a collection in a box in the place of the value. The expiry stays.
    pub fn set_boxed<T: Boxed>(&mut self, collection: Box<T>) {
        self.make_place(T::KIND, 0, self.expires_at());
        self.write_box(collection);
    }

    /// The bytes of an embedded string or a packed collection; none for other kinds.
    #[inline]
    pub fn run(&self) -> &[u8] {
        let header = self.header();
        let len = if header.kind.is_embedded() { header.value_len as usize } else { 0 };
        // SAFETY: what is embedded has `value_len` bytes at the payload's place.
        unsafe { std::slice::from_raw_parts(self.at(self.payload_at()), len) }
    }

    /// Edits the run of a packed collection.
    #[inline]
    pub fn splice(&mut self, splice: &Splice<'_>) {
        debug_assert!(self.header().kind.is_packed());
        let before = self.run().len();
        let after = splice.len_after(before);
        let size = self.size();
        if memory::block_size(size) != memory::block_size(size - before + after) {
            return self.splice_elsewhere(splice, after);
        }
        self.resize_in_place(after.max(before));
        splice.write(self.bytes_mut(), before);
        self.resize_in_place(after);
    }

    /// Edits a run that moves to another block by that.
    fn splice_elsewhere(&mut self, splice: &Splice<'_>, len: usize) {
        let old = self.header();
        let mut new = Self::allocate(self.key(), old.kind, len, self.expires_at());
        new.set_flag(old.flags & (LASTING | MEMBERS_EXPIRE | COUNTED), true);
        splice.copy(self.run(), new.fresh(len));
        *self = new;
    }

    /// The collection in the box, if it is one of this type.
    #[inline]
    pub fn boxed_mut<T: Boxed>(&mut self) -> Option<&mut T> {
        if self.header().kind != T::KIND {
            return None;
        }
        // SAFETY: the kind says what is in the box, and `&mut self` makes the access the only one.
        Some(unsafe { self.box_at().cast::<T>().as_mut() })
    }

    /// Sets or takes away the expiry; the value stays.
    pub fn set_expiry(&mut self, expires_at: Option<u64>) {
        match (self.header().flags & HAS_EXPIRY != 0, expires_at) {
            (true, Some(at)) => self.write_word(HEADER, at),
            (false, None) => {}
            _ => self.move_to(None, expires_at),
        }
    }

    /// The string to hold on to, if it lives in a block of its own.
    pub fn blob(&self) -> Option<Blob> {
        (self.header().kind == Kind::Heap).then(|| Blob::clone(&self.peek_blob()))
    }

    /// Whether it is a string that others hold too, so that an edit changes a copy.
    pub fn is_shared(&self) -> bool {
        self.header().kind == Kind::Heap && self.peek_blob().is_shared()
    }

    /// Bytes that [`Self::edit`] to this length would copy, zeros not counted.
    pub fn cost_of_edit(&self, len: usize) -> usize {
        match self.header().kind {
            Kind::Heap => self.peek_blob().cost_of_edit(len),
            _ => self.size(),
        }
    }

    /// The string's bytes to edit, made `len` long: cut, or filled up with zeros. What is no string
    /// becomes one.
    pub fn edit(&mut self, len: usize) -> &mut [u8] {
        let kind = self.header().kind;
        if kind == Kind::Heap {
            return self.edit_blob(len);
        }
        if kind != Kind::Embedded || len > EMBEDDED_MAX || !self.resize_in_place(len) {
            self.edit_elsewhere(len);
        }
        self.set_flag(EDITED, true);
        self.bytes_mut()
    }

    /// Edits a string in a blob, which stays one.
    fn edit_blob(&mut self, len: usize) -> &mut [u8] {
        let mut blob = self.peek_blob();
        let start = blob.edit(len).as_mut_ptr();
        self.write_blob(ManuallyDrop::into_inner(blob));
        self.set_flag(EDITED, true);
        // SAFETY: the blob has so many bytes there, nobody else holds it after `edit`, and
        // `&mut self` makes the access the only one.
        unsafe { std::slice::from_raw_parts_mut(start, len) }
    }

    /// Gives a string that was none in bytes, or does not fit any more, another place.
    fn edit_elsewhere(&mut self, len: usize) {
        let old = self.string().map_or_else(Vec::new, |value| value.to_vec());
        let kept = old.len().min(len);
        if len <= EMBEDDED_MAX {
            let mut bytes = old;
            bytes.resize(len, 0);
            return self.set(Value::Bytes(&bytes), self.expires_at());
        }
        let mut blob = Blob::zeroed(len);
        blob.edit(len)[..kept].copy_from_slice(&old[..kept]);
        self.make_place(Kind::Heap, 0, self.expires_at());
        self.write_blob(blob);
    }

    /// A copy under another key, with its value and expiry. The bytes of a heap string are shared.
    pub fn copy_as(&self, key: &[u8]) -> Self {
        let expires_at = self.expires_at();
        let mut copy = match self.form() {
            Form::String(value) => match self.blob() {
                Some(blob) => {
                    let mut copy = Self::allocate(key, Kind::Heap, 0, expires_at);
                    copy.write_blob(blob);
                    copy
                }
                None => Self::new(key, value, expires_at),
            },
            Form::List(list) => Self::boxed(key, Box::new(list.clone()), expires_at),
            Form::Set(set) => Self::boxed(key, Box::new(set.clone()), expires_at),
            Form::Hash(hash) => Self::boxed(key, Box::new(hash.clone()), expires_at),
            Form::SortedSet(set) => Self::boxed(key, Box::new(set.clone()), expires_at),
            Form::Stream(stream) => Self::boxed(key, Box::new(stream.clone()), expires_at),
            _ => Self::packed(key, self.kind(), self.run(), expires_at),
        };
        copy.set_flag(self.header().flags & (STICKY | EDITED | MEMBERS_EXPIRE), true);
        copy
    }

    /// The entry under another key, with its value and expiry. What is not embedded is not copied.
    pub fn rename(mut self, key: &[u8]) -> Self {
        self.move_to(Some(key), self.expires_at());
        self
    }

    /// Whether freeing the entry may take long enough to be left to another thread.
    #[inline]
    pub fn is_large(&self) -> bool {
        self.header().kind.owns_memory() && self.owns_much()
    }

    #[cold]
    fn owns_much(&self) -> bool {
        match self.form() {
            Form::String(_) => self.peek_blob().capacity() > LARGE,
            Form::List(list) => list.node_count() > MANY,
            Form::Stream(stream) => stream.blocks() > MANY / 8,
            form => form.len() > MANY,
        }
    }

    /// Bytes of memory that the entry takes.
    pub fn memory(&self) -> usize {
        let own = memory::block_size(self.size());
        let boxed = |size, heap| memory::block_size(size) + heap;
        own + match self.form() {
            Form::String(_) if self.header().kind == Kind::Heap => {
                BLOB_HEAD + memory::block_size(self.peek_blob().capacity())
            }
            Form::List(list) => boxed(size_of::<List>(), list.memory()),
            Form::Set(set) => boxed(size_of::<Set>(), set.memory()),
            Form::Hash(hash) => boxed(size_of::<Hash>(), hash.memory()),
            Form::SortedSet(set) => boxed(size_of::<SortedSet>(), set.memory()),
            Form::Stream(stream) => boxed(size_of::<Stream>(), stream.memory()),
            _ => 0,
        }
    }

    /// Takes out members that have expired, at most `limit`. Returns how many.
    ///
    /// Small collections lose all that have, large ones may keep those whose time came within the
    /// last tick: to look for them again and again would take too long.
    pub fn drop_expired(&mut self, now_ms: u64, limit: usize) -> usize {
        let mut dropped = 0;
        match self.header().kind {
            Kind::PackedHash => {
                while let Some(field) = packed::hash::first_due(self.run(), now_ms) {
                    let cut = Splice::cut(field.range);
                    self.splice(&cut);
                    dropped += 1;
                }
                let expires = packed::hash::earliest_expiry(self.run()).is_some();
                self.set_members_expire(expires);
            }
            Kind::Hash => {
                let hash = self.boxed_mut::<Hash>();
                dropped = hash.map_or(0, |hash| drop_members(hash, now_ms, limit));
            }
            Kind::Set => {
                let set = self.boxed_mut::<Set>();
                dropped = set.map_or(0, |set| drop_members(set, now_ms, limit));
            }
            _ => {}
        }
        dropped
    }

    /// The tick in which the key or its first member expires, or one before it.
    fn due_in_time(&self) -> u32 {
        let own = self.expires_at().map_or(NEVER, tick_of);
        if self.members_expire() { own.min(self.members_due()) } else { own }
    }

    /// The tick in which the first member expires, or one before it.
    fn members_due(&self) -> u32 {
        match self.form() {
            Form::PackedHash(run) => packed::hash::earliest_expiry(run).map_or(NEVER, tick_of),
            Form::Hash(hash) => hash.earliest(),
            Form::Set(set) => set.earliest(),
            _ => NEVER,
        }
    }

    /// Changes the length of what is embedded where the block's class allows it; what it is longer
    /// by is zero.
    #[inline]
    fn resize_in_place(&mut self, len: usize) -> bool {
        let old = self.header();
        let (size, old_len) = (self.size(), old.value_len as usize);
        let fits = memory::block_size(size) == memory::block_size(size - old_len + len);
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
        let header = self.header();
        match header.kind {
            Kind::Heap => {
                let len = self.peek_blob().len();
                self.edit_blob(len)
            }
            kind if kind.is_embedded() => {
                let (at, len) = (self.payload_at(), header.value_len as usize);
                // SAFETY: as in `run`, and `&mut self` makes the access the only one.
                unsafe { std::slice::from_raw_parts_mut(self.at(at), len) }
            }
            _ => &mut [],
        }
    }

    /// The embedded bytes of an entry that was just allocated with so many, as zeros.
    fn fresh(&mut self, len: usize) -> &mut [u8] {
        debug_assert!(self.header().kind.is_embedded());
        debug_assert_eq!(len, self.header().value_len as usize);
        // SAFETY: the payload has `len` bytes, which are initialised by this.
        unsafe { ptr::write_bytes(self.at(self.payload_at()), 0, len) };
        self.bytes_mut()
    }

    /// Frees the value and gives the entry a payload of another shape, and another expiry. The
    /// caller must write the payload at once.
    #[inline]
    fn make_place(&mut self, kind: Kind, value_len: usize, expires_at: Option<u64>) {
        self.free_value();
        let old = self.header();
        if (old.flags & HAS_EXPIRY != 0) == expires_at.is_some() {
            let flags = old.flags & !(EDITED | MEMBERS_EXPIRE | COUNTED);
            let new = Header { flags, kind, value_len: value_len as u32, ..old };
            let size = self.size();
            let new_size = size - old.payload() + new.payload();
            if memory::block_size(size) == memory::block_size(new_size) {
                self.set_header(new);
                if let Some(at) = expires_at {
                    self.write_word(HEADER, at);
                }
                return;
            }
        }
        self.reallocate(kind, value_len, expires_at);
    }

    #[cold]
    fn reallocate(&mut self, kind: Kind, value_len: usize, expires_at: Option<u64>) {
        let mut new = Self::allocate(self.key(), kind, value_len, expires_at);
        new.set_flag(self.header().flags & LASTING, true);
        // What is here is embedded bytes now, so that nothing else is freed.
        drop(std::mem::replace(self, new));
    }

    /// Frees what the value has outside of the block. What is left are bytes of no meaning.
    #[inline]
    fn free_value(&mut self) {
        if self.header().kind.owns_memory() {
            self.free_outside();
        }
    }

    #[cold]
    fn free_outside(&mut self) {
        // SAFETY: the kind says what the payload is, and it is not looked at again.
        unsafe {
            match self.header().kind {
                Kind::Int => {}
                Kind::Heap => drop(ManuallyDrop::into_inner(self.peek_blob())),
                Kind::List => drop(Box::from_raw(self.box_at().cast::<List>().as_ptr())),
                Kind::Set => drop(Box::from_raw(self.box_at().cast::<Set>().as_ptr())),
                Kind::Hash => drop(Box::from_raw(self.box_at().cast::<Hash>().as_ptr())),
                Kind::SortedSet => drop(Box::from_raw(self.box_at().cast::<SortedSet>().as_ptr())),
                Kind::Stream => drop(Box::from_raw(self.box_at().cast::<Stream>().as_ptr())),
                _ => {}
            }
        }
        self.forget_value();
    }

    /// Makes the payload bytes of no meaning, of the same length.
    fn forget_value(&mut self) {
        let old = self.header();
        let value_len = old.payload() as u32;
        self.set_header(Header { kind: Kind::Embedded, value_len, ..old });
    }

    /// Moves value and marks to a new block, maybe under another key, with another expiry.
    #[cold]
    fn move_to(&mut self, key: Option<&[u8]>, expires_at: Option<u64>) {
        let (old, key) = (self.header(), key.unwrap_or(self.key()));
        let mut new = Self::allocate(key, old.kind, old.value_len as usize, expires_at);
        debug_assert_eq!(old.payload(), new.header().payload(), "a block for another payload");
        new.set_flag(old.flags & (STICKY | EDITED | MEMBERS_EXPIRE | COUNTED), true);
        let (from, to) = (self.at(self.payload_at()), new.at(new.payload_at()));
        // SAFETY: both blocks have a payload of this size there, and they are different blocks.
        unsafe { ptr::copy_nonoverlapping(from, to, old.payload()) };
        // What the payload owns belongs to the new entry now.
        self.forget_value();
        *self = new;
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
        // SAFETY: `offset` is where `write_word` or `write_string` wrote a word of this block.
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

    /// The blob of a heap string, which stays the entry's.
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

    /// Where the box of a collection lies.
    #[inline]
    fn box_at(&self) -> NonNull<u8> {
        debug_assert!(self.header().kind.is_boxed(), "a value of another kind");
        // SAFETY: only called for boxed kinds, whose payload `write_box` wrote.
        unsafe { self.at(self.payload_at()).cast::<NonNull<u8>>().read_unaligned() }
    }

    /// What is in the box.
    ///
    /// # Safety
    /// The entry's kind is that of `T`.
    #[inline]
    unsafe fn in_box<T: Boxed>(&self) -> &T {
        debug_assert!(self.header().kind == T::KIND, "a value of another kind");
        // SAFETY: as the caller promises; the box lives, unchanged, while the entry is borrowed.
        unsafe { self.box_at().cast::<T>().as_ref() }
    }

    /// Puts a box into the payload; one that was there is forgotten.
    fn write_box<T: Boxed>(&mut self, collection: Box<T>) {
        debug_assert!(self.header().kind == T::KIND, "a value of another kind");
        let word = NonNull::from(Box::leak(collection)).cast::<u8>();
        // SAFETY: only called for boxed kinds, whose payload has this size.
        unsafe { self.at(self.payload_at()).cast::<NonNull<u8>>().write_unaligned(word) }
    }

    /// Writes a string at `offset`, where the block has the payload of its shape.
    #[inline]
    fn write_string(&mut self, offset: usize, value: Value<'_>) {
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

/// Takes out members that have expired: all of a small collection, at most `limit` of a large one.
fn drop_members<S: Shape>(members: &mut Members<S>, now_ms: u64, limit: usize) -> usize {
    if members.len() <= MANY {
        members.drop_expired(now_ms)
    } else {
        members.drain_expired(now_ms, limit, drop)
    }
}

/// How a string is kept, and its embedded bytes.
#[inline]
fn shape(value: Value<'_>) -> (Kind, usize) {
    match value {
        Value::Int(_) => (Kind::Int, 0),
        Value::Bytes(bytes) if bytes.len() <= EMBEDDED_MAX => (Kind::Embedded, bytes.len()),
        Value::Bytes(_) => (Kind::Heap, 0),
        Value::Part(part) if part.bytes().len() <= EMBEDDED_MAX => {
            (Kind::Embedded, part.bytes().len())
        }
        Value::Part(_) => (Kind::Heap, 0),
    }
}

/// A collection that an entry keeps in a box.
///
/// # Safety
/// No other type has the same kind, and the kind is a boxed one.
pub unsafe trait Boxed: Send + Sync {
    /// The kind of entries that have one.
    const KIND: Kind;
}

// SAFETY: only lists have this kind.
unsafe impl Boxed for List {
    const KIND: Kind = Kind::List;
}
// SAFETY: only sets have this kind.
unsafe impl Boxed for Set {
    const KIND: Kind = Kind::Set;
}
// SAFETY: only hashes have this kind.
unsafe impl Boxed for Hash {
    const KIND: Kind = Kind::Hash;
}
// SAFETY: only sorted sets have this kind.
unsafe impl Boxed for SortedSet {
    const KIND: Kind = Kind::SortedSet;
}
// SAFETY: only streams have this kind.
unsafe impl Boxed for Stream {
    const KIND: Kind = Kind::Stream;
}

impl Drop for Entry {
    #[inline]
    fn drop(&mut self) {
        self.free_value();
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
        if self.may_expire() { self.due_in_time() } else { NEVER }
    }
}

#[cfg(test)]
mod tests;
