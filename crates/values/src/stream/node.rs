//! A node of a stream's log: entries in the order of their ids, packed into one buffer.
//!
//! ```text
//! node:    | names | entry | entry | …
//! names:   | count | length | name | length | name | …       the field names of the first entry
//! entry:   | size of what follows, marks | ms | seq | fields |
//! fields:  | length | value | … | value |                        the names are the node's
//!          | count | length | name | length | value | … | value |    they are the entry's own
//! ```
//!
//! The last value ends where the entry does, so it needs no length. All numbers are varints of
//! seven bits a byte, the lowest first. The milliseconds of an id count from the node's base, the
//! id of its first entry; so does its number if the milliseconds are the same. An entry that is
//! removed is only marked as such until enough of them are; those at the front are skipped.

#![forbid(unsafe_code)]

use memory::block_size;

use super::Id;

/// Marks an entry that is removed.
const REMOVED: u64 = 1;
/// Marks an entry whose fields have names of its own.
const OWN_NAMES: u64 = 2;
/// Bits of the marks, which are the lowest of the number that an entry begins with.
const MARKS: u32 = 2;
/// Bits of a byte of a varint.
const BITS: u32 = 7;
const MORE: u8 = 1 << BITS;
/// So many removed entries may stay in a node, or as many as are left.
const REMOVED_MAX: u32 = 8;
/// So many entries are found at once when a node is read backwards.
const PLACES: usize = 128;
/// Of so many entries one is looked at when another is searched for.
const STRIDE: usize = 12;

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
    /// Its id.
    pub id: Id,
    /// Where it begins.
    pub at: usize,
    /// Where the next one begins.
    pub next: usize,
    /// Whether it is removed.
    pub is_removed: bool,
    head: u64,
    /// What follows its id.
    rest: &'n [u8],
    node: &'n Node,
}

/// The last ones of places that were pushed: all of a node of usual size.
#[derive(Clone, Debug)]
pub struct Places {
    /// A ring, the last one before `end`.
    ring: [u32; PLACES],
    end: usize,
    len: usize,
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
        let (count, stored) = if shares { (None, 1) } else { (Some(words.clone().count() / 2), 0) };
        let texts = words.skip(stored).step_by(1 + stored);
        let ms = id.ms - base.ms;
        let seq = if ms == 0 { id.seq - base.seq } else { id.seq };
        let (mut size, mut last_len) = (len_of_number(ms) + len_of_number(seq), 0);
        size += count.map_or(0, |count| len_of_number(count as u64));
        for text in texts.clone() {
            last_len = len_of_number(text.len() as u64);
            size += last_len + text.len();
        }
        size -= last_len;
        let head = (size as u64) << MARKS | if shares { 0 } else { OWN_NAMES };
        self.reserve(len_of_number(head) + size);
        let bytes = &mut self.bytes;
        push_number(bytes, head);
        let end = bytes.len() + size;
        push_number(bytes, ms);
        push_number(bytes, seq);
        if let Some(count) = count {
            push_number(bytes, count as u64);
        }
        for text in texts {
            if bytes.len() + text.len() < end {
                push_number(bytes, text.len() as u64);
            }
            bytes.extend_from_slice(text);
        }
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
        let mut rest = self.bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let head = take_number(&mut rest);
        let mut entry = take(&mut rest, (head >> MARKS) as usize);
        let next = self.bytes.len() - rest.len();
        let (ms, seq) = (take_number(&mut entry), take_number(&mut entry));
        let id = match ms {
            0 => Id { ms: base.ms, seq: base.seq.wrapping_add(seq) },
            _ => Id { ms: base.ms.wrapping_add(ms), seq },
        };
        Some(Place { id, is_removed: head & REMOVED != 0, at, next, node: self, head, rest: entry })
    }

    /// Where the entry behind the one at `at` begins.
    #[inline]
    fn skip(&self, at: usize) -> usize {
        let mut rest = self.bytes.get(at..).unwrap_or_default();
        let size = take_number(&mut rest) >> MARKS;
        take(&mut rest, size as usize);
        self.bytes.len() - rest.len()
    }

    /// A place at or before the first entry whose id is not below `from`, and near to it: only the
    /// ids of some entries are looked at.
    #[inline]
    pub fn approach(&self, base: Id, from: Id) -> usize {
        let mut at = self.start();
        loop {
            let ahead = (0..STRIDE).fold(at, |at, _| self.skip(at));
            match self.read(base, ahead) {
                Some(place) if place.id <= from => at = ahead,
                _ => return at,
            }
        }
    }

    /// The first entry from `at` on that is not removed and whose id is not below `from`.
    #[inline]
    pub fn seek(&self, base: Id, from: Id, mut at: usize) -> Option<Place<'_>> {
        loop {
            let place = self.read(base, at)?;
            if !place.is_removed && place.id >= from {
                return Some(place);
            }
            at = place.next;
        }
    }

    /// The last entries that begin before `end`: as many as fit into `places`.
    #[inline]
    pub fn places_before(&self, end: usize, places: &mut Places) {
        let mut at = self.start();
        while at < end {
            places.push(at);
            at = self.skip(at);
        }
    }

    /// The id of the last entry in the buffer, removed or not.
    pub fn last_id(&self, base: Id) -> Option<Id> {
        let mut places = Places::default();
        self.places_before(self.size(), &mut places);
        self.read(base, places.pop()?).map(|place| place.id)
    }

    /// Removes an entry; whether it was there.
    pub fn remove(&mut self, base: Id, id: Id) -> bool {
        let Some(place) = self.seek(base, id, self.approach(base, id)) else {
            return false;
        };
        if place.id != id {
            return false;
        }
        let (at, next) = (place.at, place.next);
        self.live -= 1;
        if at == self.start() {
            self.start = next as u32;
            self.skip_removed(base);
        } else {
            // The marks are in the first byte of the number.
            if let Some(head) = self.bytes.get_mut(at) {
                *head |= REMOVED as u8;
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
            self.start = place.next as u32;
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
            bytes.extend_from_slice(self.bytes.get(place.at..place.next).unwrap_or_default());
            at = place.next;
        }
        *self = Self { bytes, start: start as u32, removed: 0, ..*self };
    }
}

impl<'n> Place<'n> {
    /// The names and values of its fields.
    #[inline]
    pub fn fields(&self) -> Fields<'n> {
        let mut rest = self.rest;
        if self.head & OWN_NAMES == 0 {
            let mut names = self.node.bytes.as_slice();
            let left = take_number(&mut names) as usize;
            Fields { names: Some(names), rest, left }
        } else {
            let left = take_number(&mut rest) as usize;
            Fields { names: None, rest, left }
        }
    }
}

impl Default for Places {
    fn default() -> Self {
        Self { ring: [0; PLACES], end: 0, len: 0 }
    }
}

impl Places {
    #[inline]
    fn push(&mut self, at: usize) {
        if let Some(place) = self.ring.get_mut(self.end % PLACES) {
            *place = at as u32;
        }
        self.end = self.end.wrapping_add(1);
        self.len = PLACES.min(self.len + 1);
    }

    /// The last one, which is taken out.
    #[inline]
    pub fn pop(&mut self) -> Option<usize> {
        self.len = self.len.checked_sub(1)?;
        self.end = self.end.wrapping_sub(1);
        self.ring.get(self.end % PLACES).map(|at| *at as usize)
    }
}

impl<'n> Iterator for Fields<'n> {
    type Item = (&'n [u8], &'n [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let name = take_text(self.names.as_mut().unwrap_or(&mut self.rest));
        let value = match self.left {
            0 => std::mem::take(&mut self.rest),
            _ => take_text(&mut self.rest),
        };
        Some((name, value))
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
    match rest {
        [byte, behind @ ..] if *byte < MORE => {
            *rest = behind;
            u64::from(*byte)
        }
        [low, high, behind @ ..] if *high < MORE => {
            *rest = behind;
            u64::from(low & (MORE - 1)) | u64::from(*high) << BITS
        }
        _ => take_long_number(rest),
    }
}

#[cold]
fn take_long_number(rest: &mut &[u8]) -> u64 {
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

#[inline]
fn take_text<'n>(rest: &mut &'n [u8]) -> &'n [u8] {
    let len = take_number(rest);
    take(rest, len as usize)
}

#[inline]
fn take<'n>(rest: &mut &'n [u8], len: usize) -> &'n [u8] {
    let (text, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
    *rest = behind;
    text
}
