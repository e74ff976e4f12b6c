//! A node of a stream's log: entries in the order of their ids, packed into one buffer.
//!
//! ```text
//! node:    | names | entry | entry | …
//! names:   | count | length | name | length | name | …       the field names of the first entry
//! entry:   | head 1 | ms | seq | fields | size, to be read backwards |
//! fields:  | length | value | …                              the names are the node's
//!          | count | length | name | length | value | …      the names are the entry's own
//! ```
//!
//! All numbers are varints of seven bits a byte, the lowest first. The milliseconds of an id count
//! from the node's base, the id of its first entry; so does its number if the milliseconds are
//! the same. An entry that is removed is only marked as such until enough of them are; those at
//! the front are skipped.

#![forbid(unsafe_code)]

use memory::block_size;

use super::Id;

/// The entry is removed.
const REMOVED: u8 = 1;
/// The names of the fields are the entry's own.
const OWN_NAMES: u8 = 2;
/// Bits of a byte of a varint.
const BITS: u32 = 7;
const MORE: u8 = 1 << BITS;
/// So many removed entries may stay in a node, or as many as are left.
const REMOVED_MAX: u32 = 8;

/// A node. Its base, the id of its first entry, is kept beside it.
#[derive(Clone, Debug, Default)]
pub struct Node {
    bytes: Vec<u8>,
    /// Where the first entry is that is not removed.
    start: u32,
    /// Entries that are there.
    live: u32,
    /// Entries that were ever added.
    added: u32,
    /// Entries behind `start` that are marked as removed.
    removed: u32,
}

/// An entry where it is in its node.
#[derive(Clone, Copy, Debug)]
pub struct Place<'n> {
    pub id: Id,
    pub fields: Fields<'n>,
    is_removed: bool,
    at: usize,
    end: usize,
}

/// The names and values of an entry, one pair after the other.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'n> {
    /// The names, if they are the node's.
    names: Option<&'n [u8]>,
    rest: &'n [u8],
    left: usize,
}

impl Node {
    /// An empty node for an entry with these names, in a buffer of about so many bytes.
    pub fn new<'w>(names: impl Iterator<Item = &'w [u8]> + Clone, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        push_number(&mut bytes, names.clone().count() as u64);
        names.for_each(|name| push_text(&mut bytes, name));
        let start = bytes.len() as u32;
        Self { bytes, start, ..Self::default() }
    }

    /// Bytes of its names and entries.
    #[inline]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Entries that are there.
    #[inline]
    pub fn live(&self) -> usize {
        self.live as usize
    }

    /// Entries that were ever added.
    #[inline]
    pub fn added(&self) -> usize {
        self.added as usize
    }

    /// Bytes of memory besides the node itself.
    pub fn memory(&self) -> usize {
        block_size(self.bytes.capacity())
    }

    /// Adds an entry behind all others.
    #[inline]
    pub fn push<'w>(&mut self, base: Id, id: Id, words: impl Iterator<Item = &'w [u8]> + Clone) {
        let shares = self.has_names(words.clone().step_by(2));
        let size = 32 + words.clone().map(|word| word.len() + 5).sum::<usize>();
        self.reserve(size);
        let at = self.bytes.len();
        self.bytes.push(if shares { 0 } else { OWN_NAMES });
        push_number(&mut self.bytes, id.ms - base.ms);
        push_number(&mut self.bytes, id.seq - if id.ms == base.ms { base.seq } else { 0 });
        if shares {
            words.skip(1).step_by(2).for_each(|value| push_text(&mut self.bytes, value));
        } else {
            push_number(&mut self.bytes, words.clone().count() as u64 / 2);
            words.for_each(|word| push_text(&mut self.bytes, word));
        }
        let size = self.bytes.len() - at;
        push_number_backwards(&mut self.bytes, size as u64);
        self.live += 1;
        self.added += 1;
    }

    /// Makes room for so many bytes; a buffer that grows does so by half.
    #[inline]
    fn reserve(&mut self, size: usize) {
        let len = self.bytes.len() + size;
        if len > self.bytes.capacity() {
            let capacity = block_size(len.max(self.bytes.capacity() / 2 * 3));
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }

    /// Gives back what the buffer has too much: nothing will be added.
    pub fn seal(&mut self) {
        if block_size(self.bytes.len()) < block_size(self.bytes.capacity()) {
            self.bytes.shrink_to(block_size(self.bytes.len()));
        }
    }

    /// Whether these are the names of its first entry.
    #[inline]
    fn has_names<'w>(&self, mut names: impl Iterator<Item = &'w [u8]>) -> bool {
        let mut rest = self.bytes.as_slice();
        let count = take_number(&mut rest);
        (0..count).all(|_| names.next() == Some(take_text(&mut rest))) && names.next().is_none()
    }

    /// Where the first entry may be that is not removed.
    #[inline]
    pub fn start(&self) -> usize {
        self.start as usize
    }

    /// The entry that begins at `at`; none at the end.
    #[inline]
    pub fn read(&self, base: Id, at: usize) -> Option<Place<'_>> {
        let mut rest = self.bytes.get(at..)?;
        let head = take_byte(&mut rest)?;
        let ms = base.ms.wrapping_add(take_number(&mut rest));
        let seq = take_number(&mut rest);
        let seq = if ms == base.ms { base.seq.wrapping_add(seq) } else { seq };
        let (names, count) = if head & OWN_NAMES == 0 {
            let mut names = self.bytes.as_slice();
            let count = take_number(&mut names);
            (Some(names), count)
        } else {
            (None, take_number(&mut rest))
        };
        let fields = Fields { names, rest, left: count as usize };
        let texts = if names.is_some() { count } else { count * 2 };
        (0..texts).for_each(|_| {
            take_text(&mut rest);
        });
        let size = self.bytes.len() - rest.len() - at;
        let end = at + size + len_of_number(size as u64);
        Some(Place { id: Id { ms, seq }, fields, is_removed: head & REMOVED != 0, at, end })
    }

    /// The entry that ends at `end`; none at the start.
    #[inline]
    pub fn read_back(&self, base: Id, end: usize) -> Option<Place<'_>> {
        if end <= self.start() {
            return None;
        }
        let size = take_number_backwards(self.bytes.get(..end)?);
        self.read(base, end.checked_sub(size as usize + len_of_number(size))?)
    }

    /// The first entry from `at` on that is not removed and whose id is not below `from`.
    #[inline]
    pub fn seek(&self, base: Id, from: Id, mut at: usize) -> Option<Place<'_>> {
        loop {
            let place = self.read(base, at)?;
            if !place.is_removed && place.id >= from {
                return Some(place);
            }
            at = place.end;
        }
    }

    /// The last entry before `end` that is not removed and whose id is not above `to`.
    #[inline]
    pub fn seek_back(&self, base: Id, to: Id, mut end: usize) -> Option<Place<'_>> {
        loop {
            let place = self.read_back(base, end)?;
            if !place.is_removed && place.id <= to {
                return Some(place);
            }
            end = place.at;
        }
    }

    /// The id of the last entry in the buffer, removed or not.
    pub fn last_id(&self, base: Id) -> Option<Id> {
        self.read_back(base, self.size()).map(|place| place.id)
    }

    /// Removes an entry; whether it was there.
    pub fn remove(&mut self, base: Id, id: Id) -> bool {
        let Some(place) = self.seek(base, id, self.start()) else { return false };
        if place.id != id {
            return false;
        }
        let (at, end) = (place.at, place.end);
        self.live -= 1;
        if at == self.start() {
            self.start = end as u32;
            self.skip_removed(base);
        } else {
            if let Some(head) = self.bytes.get_mut(at) {
                *head |= REMOVED;
            }
            self.removed += 1;
            if self.removed > REMOVED_MAX.max(self.live) {
                self.compact(base);
            }
        }
        true
    }

    fn skip_removed(&mut self, base: Id) {
        while let Some(place) = self.read(base, self.start()).filter(|place| place.is_removed) {
            self.start = place.end as u32;
            self.removed -= 1;
        }
    }

    /// Makes the buffer anew without what is removed.
    #[cold]
    fn compact(&mut self, base: Id) {
        let mut names = self.bytes.as_slice();
        (0..take_number(&mut names)).for_each(|_| {
            take_text(&mut names);
        });
        let start = self.bytes.len() - names.len();
        let mut bytes = Vec::with_capacity(block_size(self.bytes.len() / 2));
        bytes.extend_from_slice(self.bytes.get(..start).unwrap_or_default());
        let mut at = self.start();
        while let Some(place) = self.seek(base, Id::MIN, at) {
            bytes.extend_from_slice(self.bytes.get(place.at..place.end).unwrap_or_default());
            at = place.end;
        }
        *self = Self { bytes, start: start as u32, removed: 0, ..*self };
    }
}

impl Place<'_> {
    /// Where the entry begins, which is where the one before it ends.
    #[inline]
    pub fn start(&self) -> usize {
        self.at
    }

    /// Where the entry ends, which is where the next one begins.
    #[inline]
    pub fn end(&self) -> usize {
        self.end
    }
}

impl<'n> Iterator for Fields<'n> {
    type Item = (&'n [u8], &'n [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = take_text(self.names.as_mut().unwrap_or(&mut self.rest));
        Some((name, take_text(&mut self.rest)))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Fields<'_> {}

/// Bytes of a varint.
#[inline]
fn len_of_number(number: u64) -> usize {
    let bits = u64::BITS - (number | 1).leading_zeros();
    bits.div_ceil(BITS) as usize
}

#[inline]
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= u64::from(MORE) {
        bytes.push(number as u8 | MORE);
        number >>= BITS;
    }
    bytes.push(number as u8);
}

/// Appends a varint whose bytes stand in the opposite order.
#[inline]
fn push_number_backwards(bytes: &mut Vec<u8>, number: u64) {
    for index in (0..len_of_number(number)).rev() {
        let last = number >> (BITS * (index as u32 + 1)) == 0;
        let group = (number >> (BITS * index as u32)) as u8 & (MORE - 1);
        bytes.push(if last { group } else { group | MORE });
    }
}

#[inline]
fn push_text(bytes: &mut Vec<u8>, text: &[u8]) {
    push_number(bytes, text.len() as u64);
    bytes.extend_from_slice(text);
}

#[inline]
fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, behind) = rest.split_first()?;
    *rest = behind;
    Some(*first)
}

/// The varint at the front. (One that is cut short ends there: nodes are made here alone.)
#[inline]
fn take_number(rest: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    while let Some(byte) = take_byte(rest) {
        number |= u64::from(byte & (MORE - 1)) << shift;
        if byte & MORE == 0 {
            break;
        }
        shift += BITS;
    }
    number
}

/// The varint at the end, whose bytes stand in the opposite order.
#[inline]
fn take_number_backwards(bytes: &[u8]) -> u64 {
    let (mut number, mut shift) = (0, 0);
    for byte in bytes.iter().rev() {
        number |= u64::from(byte & (MORE - 1)) << shift;
        if byte & MORE == 0 {
            break;
        }
        shift += BITS;
    }
    number
}

#[inline]
fn take_text<'n>(rest: &mut &'n [u8]) -> &'n [u8] {
    let len = take_number(rest) as usize;
    let (text, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
    *rest = behind;
    text
}
