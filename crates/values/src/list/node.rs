//! A node of a list: a packed run of elements in a buffer.
//!
//! ```text
//! buffer:  | gap | element | element | … | element | gap |
//!              start                             len     capacity
//! ```
//!
//! A node at an end of the list has gaps, so that a push or pop there touches the element alone.
//! When a gap is used up the buffer doubles, or, when the other gap is large, the elements move.
//! Inner nodes are *sealed*: the buffer is of the allocator's class for the elements, no larger.
//! They may also be compressed; then the buffer holds the LZ4 block and its original length.
//!
//! Elements of one size, such as identifiers, are found by multiplication: the *stride* is the
//! size of every element, or zero when they differ. Only a forward walk finds the others.

#![forbid(unsafe_code)]

use crate::Value;
use lz4_flex::block;
use memory::block_size;

use super::{End, Shape};
use crate::packed::{Encoded, Splice, decode_value, list};

/// The smallest buffer of a node that is to be filled.
const CAPACITY_MIN: usize = 64;
/// The largest buffer with gaps, so that every place in it fits a field.
const GAPPED_MAX: usize = 1 << u16::BITS;
/// Above this many bytes an element is not compressed: that would hold up its shard for long.
const COMPRESSED_MAX: usize = 1024 * 1024;

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The element is in the node.
    Done,
    /// The element is in the node, and the elements before it moved.
    Moved,
    /// The node is full, or not worth to be moved. The element needs another node.
    Full,
}

/// A node. Its fields are as large as a packed run allows, 65,536 bytes; a larger buffer has one
/// element, which begins at its start.
#[derive(Clone, Debug, Default)]
pub struct Node {
    bytes: Vec<u8>,
    start: u16,
    count: u16,
    stride: u16,
    is_compressed: bool,
}

impl Node {
    /// A node of one element, with room for more at `end`: up to about `capacity` bytes.
    pub fn new(end: End, element: &Encoded<'_>, capacity: usize) -> Self {
        let size = element.len();
        let capacity = size.max(block_size(capacity.clamp(CAPACITY_MIN, GAPPED_MAX)));
        let mut bytes = Vec::with_capacity(capacity);
        let start = match end {
            End::Front => capacity - size,
            End::Back => 0,
        };
        bytes.resize(start, 0);
        element.append(&mut bytes);
        Self { bytes, start: narrow(start), count: 1, stride: stride_of(size), ..Self::default() }
    }

    /// A sealed node of these elements.
    fn sealed(run: &[u8], count: u16, stride: u16) -> Self {
        let mut bytes = Vec::with_capacity(block_size(run.len()));
        bytes.extend_from_slice(run);
        Self { bytes, start: 0, count, stride, is_compressed: false }
    }

    /// The number of elements.
    #[inline]
    pub fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether the elements are compressed.
    pub fn is_compressed(&self) -> bool {
        self.is_compressed
    }

    /// Bytes of the elements when they are not compressed.
    #[inline]
    pub fn live(&self) -> usize {
        if self.is_compressed {
            block::uncompressed_size(&self.bytes).map_or(0, |(size, _)| size)
        } else {
            self.bytes.len() - usize::from(self.start)
        }
    }

    /// Bytes of memory that the buffer takes.
    pub fn memory(&self) -> usize {
        block_size(self.bytes.capacity())
    }

    /// The elements of a node that is not compressed.
    #[inline]
    pub fn run(&self) -> &[u8] {
        debug_assert!(!self.is_compressed, "a compressed node is read as if it were not");
        &self.bytes[usize::from(self.start)..]
    }

    /// The elements, which `scratch` holds if they are compressed.
    #[inline]
    pub fn read<'a>(&'a self, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        if self.is_compressed {
            self.decompress(scratch);
            scratch
        } else {
            self.run()
        }
    }

    /// Where the element `index` begins in `run`, which is this node's.
    #[inline]
    pub fn offset(&self, run: &[u8], index: usize) -> usize {
        match self.stride {
            0 => list::offset(run, index),
            stride => index * usize::from(stride),
        }
    }

    /// Where the last element begins, if that is to be had without a walk.
    #[inline]
    pub fn last_offset(&self) -> Option<usize> {
        (self.stride > 0).then(|| self.run().len() - usize::from(self.stride))
    }

    /// Bytes before the first element in the buffer.
    #[inline]
    pub fn start(&self) -> u16 {
        self.start
    }

    /// The free bytes at an end.
    #[inline]
    fn gap(&self, end: End) -> usize {
        match end {
            End::Front => usize::from(self.start),
            End::Back => self.bytes.capacity() - self.bytes.len(),
        }
    }

    /// Adds an element at an end.
    #[inline]
    pub fn push(&mut self, end: End, element: &Encoded<'_>, shape: Shape) -> Pushed {
        let size = element.len();
        if !shape.allows(self.count() + 1, self.run().len() + size) {
            return Pushed::Full;
        }
        let mut outcome = Pushed::Done;
        if self.gap(end) < size {
            if !self.make_room(end, size, shape) {
                return Pushed::Full;
            }
            outcome = Pushed::Moved;
        }
        match end {
            End::Front => {
                let start = usize::from(self.start) - size;
                element.write(&mut self.bytes[start..]);
                self.start = narrow(start);
            }
            End::Back => element.append(&mut self.bytes),
        }
        self.count += 1;
        self.join_stride(stride_of(size));
        outcome
    }

    /// Makes a gap of at least `size` bytes at an end, unless the buffer has its largest size and
    /// so little is free in it that the elements would have to move again soon.
    #[cold]
    fn make_room(&mut self, end: End, size: usize, shape: Shape) -> bool {
        let (live, capacity) = (self.run().len(), self.bytes.capacity());
        let free = capacity - live;
        let capacity_max = shape.node_bytes_max();
        let capacity = if free >= size.max(live / 8) && capacity <= capacity_max {
            capacity
        } else if capacity < capacity_max {
            block_size((2 * capacity).max(live + size)).min(capacity_max)
        } else {
            return false;
        };
        // Where only one end is pushed to, it gets all the room; else both get some.
        let free = capacity - live;
        let other = match end {
            End::Front => self.gap(End::Back),
            End::Back => self.gap(End::Front),
        };
        let wanted = if other == 0 { free } else { size.max(free.div_ceil(2)) };
        self.relocate(capacity, if end == End::Front { wanted } else { free - wanted });
        true
    }

    /// Moves the elements to `start` in a buffer of this capacity.
    fn relocate(&mut self, capacity: usize, start: usize) {
        let (old, len) = (usize::from(self.start), self.run().len());
        if capacity == self.bytes.capacity() {
            let end = self.bytes.len();
            self.bytes.resize(end.max(start + len), 0);
            self.bytes.copy_within(old..end, start);
            self.bytes.truncate(start + len);
        } else {
            let mut bytes = Vec::with_capacity(capacity);
            bytes.resize(start, 0);
            bytes.extend_from_slice(self.run());
            self.bytes = bytes;
        }
        self.start = narrow(start);
    }

    /// Takes the first element out.
    #[inline]
    pub fn pop_front<R>(&mut self, take: impl FnOnce(Value<'_>) -> R) -> Option<R> {
        let (value, next) = decode_value(self.run(), 0)?;
        let taken = take(value);
        // Behind the last element the place may be too far for the field, and matters no more.
        self.start = narrow((usize::from(self.start) + next) * usize::from(self.count > 1));
        self.count -= 1;
        Some(taken)
    }

    /// Takes the last element out, which begins at `offset`.
    #[inline]
    pub fn pop_back<R>(&mut self, offset: usize, take: impl FnOnce(Value<'_>) -> R) -> Option<R> {
        let taken = take(list::element(self.run(), offset)?);
        self.bytes.truncate(usize::from(self.start) + offset);
        self.count -= 1;
        Some(taken)
    }

    /// Drops `count` elements of more at an end.
    pub fn drop_some(&mut self, end: End, count: usize) {
        self.open();
        let from = match end {
            End::Front => count,
            End::Back => self.count() - count,
        };
        let offset = usize::from(self.start) + self.offset(self.run(), from);
        match end {
            End::Front => self.start = narrow(offset),
            End::Back => self.bytes.truncate(offset),
        }
        self.count -= narrow(count);
        self.shrink();
    }

    /// Halves a buffer of which less than a quarter is used; whether it did.
    #[inline]
    pub fn shrink(&mut self) -> bool {
        let live = self.run().len();
        let is_sparse = self.bytes.capacity() > CAPACITY_MIN.max(4 * live);
        if is_sparse {
            self.refit(2 * live);
        }
        is_sparse
    }

    #[cold]
    fn refit(&mut self, capacity: usize) {
        let capacity = block_size(capacity.max(CAPACITY_MIN));
        let free = capacity - self.run().len();
        self.relocate(capacity, if capacity <= GAPPED_MAX { free / 2 } else { 0 });
    }

    /// Puts an element in the place of `removed` bytes at `offset`, which are an element or none.
    /// Others stay, and all have room in a node.
    pub fn splice(&mut self, offset: usize, removed: usize, element: &Encoded<'_>) {
        let len = self.run().len() - removed + element.len();
        if usize::from(self.start) + len > self.bytes.capacity() {
            self.relocate(block_size(len), 0);
        }
        let at = usize::from(self.start) + offset;
        Splice::new(at..at + removed, [*element]).apply(&mut self.bytes);
        self.count += u16::from(removed == 0);
        self.join_stride(stride_of(element.len()));
    }

    /// Takes out the elements of `size` bytes at these offsets, which ascend.
    pub fn remove(&mut self, offsets: &[usize], size: usize) {
        let Some(first) = offsets.first() else { return };
        let (start, end) = (usize::from(self.start), self.bytes.len());
        let nexts = offsets[1..].iter().map(|offset| start + offset).chain([end]);
        let mut to = start + first;
        for (offset, next) in offsets.iter().zip(nexts) {
            let from = start + offset + size;
            self.bytes.copy_within(from..next, to);
            to += next - from;
        }
        self.bytes.truncate(to);
        self.count -= narrow(offsets.len());
    }

    /// Cuts the node before the element `index` at `offset`; the elements from there on.
    pub fn split(&mut self, index: usize, offset: usize) -> Self {
        let tail = Self::sealed(&self.run()[offset..], self.count - narrow(index), self.stride);
        self.bytes.truncate(usize::from(self.start) + offset);
        self.count = narrow(index);
        tail
    }

    /// Whether this node and the one behind may be one.
    pub fn may_join(&self, next: &Self, shape: Shape) -> bool {
        shape.allows(self.count() + next.count(), self.live() + next.live())
    }

    /// Takes all elements of the node behind.
    pub fn join(&mut self, mut next: Self) {
        self.open();
        next.open();
        self.relocate(block_size(self.live() + next.live()), 0);
        self.bytes.extend_from_slice(next.run());
        self.count += next.count;
        self.join_stride(next.stride);
    }

    /// Gives back what the elements do not need.
    pub fn seal(&mut self) {
        let capacity = block_size(self.bytes.len() - usize::from(self.start));
        if !self.is_compressed && capacity < block_size(self.bytes.capacity()) {
            self.relocate(capacity, 0);
        }
    }

    /// Compresses the elements, if that saves memory.
    pub fn compress(&mut self) {
        if self.is_compressed || self.run().len() > COMPRESSED_MAX {
            return;
        }
        let compressed = block::compress_prepend_size(self.run());
        if block_size(compressed.len()) < self.memory() {
            // A copy, because the compressor's buffer is larger than what it holds.
            let mut bytes = Vec::with_capacity(compressed.len());
            bytes.extend_from_slice(&compressed);
            (self.bytes, self.start, self.is_compressed) = (bytes, 0, true);
        }
    }

    /// Makes sure that the elements are not compressed.
    #[inline]
    pub fn open(&mut self) {
        if self.is_compressed {
            let mut bytes = Vec::with_capacity(block_size(self.live()));
            self.decompress(&mut bytes);
            (self.bytes, self.is_compressed) = (bytes, false);
        }
    }

    fn decompress(&self, to: &mut Vec<u8>) {
        let block = block::uncompressed_size(&self.bytes);
        let read = block.and_then(|(size, block)| {
            to.clear();
            to.resize(size, 0);
            block::decompress_into(block, to)
        });
        // The block is our own work, so a failure is memory that was overwritten.
        assert!(read.is_ok(), "a node of a list cannot be decompressed: {read:?}");
    }

    /// Notes that elements with this stride came to those that are here.
    #[inline]
    fn join_stride(&mut self, stride: u16) {
        self.stride = if self.stride == stride { stride } else { 0 };
    }

    /// Fails where the node is not what it should be.
    pub fn check_invariants(&self, shape: Shape) {
        let mut scratch = Vec::new();
        let run = self.read(&mut scratch);
        assert_eq!(list::check(run), Ok(self.count()));
        assert!(self.count > 0);
        assert_eq!(run.len(), self.live());
        assert!(self.count == 1 || self.bytes.capacity() <= GAPPED_MAX);
        assert!(self.count == 1 || shape.allows(self.count(), run.len()));
        let is_uniform = list::offsets(run).map(|at| crate::packed::skip(run, at) - at);
        assert!(self.stride == 0 || is_uniform.into_iter().all(|len| len == self.stride.into()));
    }
}

/// The stride of elements of one size; none when that is too large.
#[inline]
fn stride_of(size: usize) -> u16 {
    u16::try_from(size).unwrap_or(0)
}

/// A place or count in a packed run of at most 65,536 bytes that is not its end.
#[inline]
fn narrow(number: usize) -> u16 {
    debug_assert!(number <= usize::from(u16::MAX), "{number} in a node");
    number as u16
}
