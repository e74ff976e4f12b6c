//! Bytes that several may hold at once: a large value that is stored, sent to clients and received
//! from one without being copied.
//!
//! A [`Blob`] is a part of a block with a count of its holders. Whoever wants to change it while
//! others hold it changes a copy, so nobody ever sees bytes change under him.

use std::ops::{Deref, Range};
use std::sync::Arc;

/// A growing block reserves its own length again up to this, and an eighth of it beyond.
const SPARE_MIN: usize = 1024 * 1024;

/// A part of a block that others may hold too.
#[derive(Clone, Debug, Default)]
pub struct Blob {
    block: Arc<Vec<u8>>,
    start: usize,
    len: usize,
}

/// A part of a block that can be held on to. Blocks are at most 4 GiB long.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    block: &'a Arc<Vec<u8>>,
    start: u32,
    len: u32,
}

impl Blob {
    /// All of a block.
    pub fn new(bytes: Vec<u8>) -> Self {
        let len = bytes.len();
        Self { block: Arc::new(bytes), start: 0, len }
    }

    /// So many zeros. The system has zeros at hand: memory is taken where it is first written to.
    pub fn zeroed(len: usize) -> Self {
        Self::new(vec![0; len])
    }

    /// The block that the bytes lie in.
    pub fn block(&self) -> &Arc<Vec<u8>> {
        &self.block
    }

    /// Bytes of memory of the block.
    pub fn capacity(&self) -> usize {
        self.block.capacity()
    }

    /// Whether others hold the block too.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.block) > 1
    }

    /// A part of these bytes; a range outside of them is cut.
    pub fn slice(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.len);
        let start = range.start.min(end);
        Self { block: self.block.clone(), start: self.start + start, len: end - start }
    }

    /// Bytes that [`Self::edit`] to this length would copy.
    pub fn cost_of_edit(&self, len: usize) -> usize {
        let in_place = !self.is_shared() && self.start.saturating_add(len) <= self.capacity();
        if in_place { 0 } else { self.len.min(len) }
    }

    /// The bytes to edit, made `len` long: cut, or filled up with zeros.
    pub fn edit(&mut self, len: usize) -> &mut [u8] {
        if self.is_shared() {
            let mut copy = Vec::with_capacity(len);
            copy.extend_from_slice(&self[..self.len.min(len)]);
            *self = Self { start: 0, len: copy.len(), block: Arc::new(copy) };
        }
        let (start, old_len) = (self.start, self.len);
        self.len = len;
        // Nobody else holds the block: it was looked at above, or is new.
        let Some(bytes) = Arc::get_mut(&mut self.block) else { return &mut [] };
        if len == old_len {
            return &mut bytes[start..start + len];
        }
        bytes.truncate(start + old_len.min(len));
        let end = start.saturating_add(len);
        if end > bytes.capacity() {
            let spare = if len <= SPARE_MIN { len } else { SPARE_MIN.max(len / 8) };
            if len - old_len > SPARE_MIN {
                // Most of it are zeros, which are better not written one by one.
                let mut zeroed = vec![0; len.saturating_add(spare)];
                zeroed[..old_len].copy_from_slice(&bytes[start..]);
                zeroed.truncate(len);
                *bytes = zeroed;
                self.start = 0;
                return bytes;
            }
            bytes.reserve_exact(end.saturating_add(spare) - bytes.len());
        }
        bytes.resize(end, 0);
        &mut bytes[start..]
    }

    /// The block, if nobody else holds it. Of several who ask at once, exactly one gets it.
    pub fn into_sole(self) -> Option<Vec<u8>> {
        Arc::into_inner(self.block)
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.block[self.start..self.start + self.len]
    }
}

impl<'a> Part<'a> {
    /// Where `bytes` lie in `block`, if they do and most of its memory is theirs: who holds a part
    /// of a block keeps all of it.
    pub fn of(block: &'a Arc<Vec<u8>>, bytes: &[u8]) -> Option<Self> {
        let start = bytes.as_ptr().addr().checked_sub(block.as_ptr().addr())?;
        let inside = start.checked_add(bytes.len())? <= block.len();
        let wasted = block.capacity() - bytes.len().min(block.capacity());
        if !inside || wasted > bytes.len() / 16 {
            return None;
        }
        let (start, len) = (u32::try_from(start).ok()?, u32::try_from(bytes.len()).ok()?);
        Some(Self { block, start, len })
    }

    /// The bytes.
    pub fn bytes(self) -> &'a [u8] {
        &self.block[self.start as usize..][..self.len as usize]
    }

    /// The bytes, held on to.
    pub fn hold(self) -> Blob {
        let (start, len) = (self.start as usize, self.len as usize);
        Blob { block: self.block.clone(), start, len }
    }
}

impl PartialEq for Part<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Part<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_seen_by_nobody_else() {
        let mut blob = Blob::new(b"0123456789".to_vec());
        let part = blob.slice(2..5);
        assert!(blob.is_shared() && &*part == b"234");
        assert_eq!(blob.cost_of_edit(10), 10);
        blob.edit(12)[2] = b'x';
        assert_eq!((&*blob, &*part), (&b"01x3456789\0\0"[..], &b"234"[..]));
        assert_eq!((blob.cost_of_edit(12), blob.is_shared()), (0, false));
        let mut part = part;
        part.edit(2)[0] = b'y';
        assert_eq!(&*part, b"y3");
        part.edit(4);
        assert_eq!(&*part, b"y3\0\0");
        let mut tail = Blob::new(b"0123456789".to_vec()).slice(8..10);
        tail.edit(3 * SPARE_MIN)[2 * SPARE_MIN] = b'z';
        assert_eq!((&tail[..3], tail[2 * SPARE_MIN], tail.len()), (&b"89\0"[..], b'z', 3 << 20));
        assert!(Blob::zeroed(9).iter().all(|byte| *byte == 0));
        assert_eq!(&*part.slice(3..9), b"\0");
        assert!(part.slice(9..20).is_empty());
    }

    #[test]
    fn one_of_several_holders_is_the_last() {
        let blob = Blob::new(vec![1; 10]);
        let other = blob.clone();
        assert!(blob.into_sole().is_none());
        assert_eq!(other.into_sole(), Some(vec![1; 10]));
    }

    #[test]
    fn a_part_is_most_of_its_block() {
        let mut bytes = Vec::with_capacity(1000);
        bytes.resize(1000, 7);
        let block = Arc::new(bytes);
        assert_eq!(Part::of(&block, &block[20..990]).map(|part| part.bytes().len()), Some(970));
        assert_eq!(Part::of(&block, &block[20..990]).map(|part| part.hold().len()), Some(970));
        assert!(Part::of(&block, &block[500..]).is_none());
        assert!(Part::of(&block, &[7; 990]).is_none());
    }
}
