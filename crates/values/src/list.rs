//! A list: a chain of packed nodes.
//!
//! ```text
//! nodes (a ring of 32 bytes each)
//!   │ front node          │ inner nodes                  │ back node
//!   | gap | e e e e e |   | e e e e e e e e |  | … |     | e e e | gap |
//!         └ packed.rs          sealed, or compressed
//! ```
//!
//! A node has at most 8 KiB of elements (or what `list-max-listpack-size` says); an element that is
//! larger has a node of its own. So an element of 16 bytes costs 17 in a node and the share of the
//! node's 32 bytes, and a push or pop costs the writing or reading of the element.
//!
//! An index is found by the counts of the nodes, from the nearer end: a look at 32 bytes for
//! every 8 KiB. In a node it is found by multiplication if the elements are of one size, else by
//! walking. Packed runs are read forwards only; so pops at the back of elements of different sizes
//! use `back`, the places of the last elements, filled by one walk for all elements of a node.
//!
//! With a compression depth all nodes but that many at each end are compressed where that saves
//! memory. They are read without being changed, and opened to be edited.
//!
//! Invariants: no node is empty; no two neighbours were left by an edit that would fit into one;
//! the first and last `depth` nodes, and always the first and the last, are not compressed.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ops::Range;

use crate::Value;
use memory::block_size;

use crate::packed::{self, Encoded};

mod node;

use node::{Node, Pushed};

/// One of the two ends of a list, or the direction that begins there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The end of the first element.
    Front,
    /// The end of the last element.
    Back,
}

/// How large the nodes of a list may be and how many stay uncompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    bytes_max: u32,
    count_max: u16,
    depth: u16,
}

impl Shape {
    /// Bytes of a node where its elements are counted.
    const COUNTED_BYTES_MAX: u32 = 8192;

    /// The shape that `list-max-listpack-size` and `list-compress-depth` ask for: a positive size
    /// is a number of elements, -1 to -5 are 4 KiB to 64 KiB; a depth of zero means that nothing is
    /// compressed.
    pub fn new(max_listpack_size: i64, compress_depth: u64) -> Self {
        let (bytes_max, count_max) = match max_listpack_size {
            0.. => (Self::COUNTED_BYTES_MAX, max_listpack_size.clamp(1, u16::MAX.into()) as u16),
            _ => (2048 << max_listpack_size.unsigned_abs().min(5), u16::MAX),
        };
        let depth = u16::try_from(compress_depth).unwrap_or(u16::MAX);
        Self { bytes_max, count_max, depth }
    }

    /// Whether a node of several elements may be so large.
    #[inline]
    pub fn allows(self, count: usize, bytes: usize) -> bool {
        count <= usize::from(self.count_max) && bytes <= self.node_bytes_max()
    }

    #[inline]
    fn node_bytes_max(self) -> usize {
        self.bytes_max as usize
    }
}

impl Default for Shape {
    fn default() -> Self {
        Self::new(-2, 0)
    }
}

/// What to look for, and where.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The end to begin at.
    pub from: End,
    /// Matches to pass over.
    pub skip: usize,
    /// Matches to report behind those.
    pub limit: usize,
    /// Elements to look at.
    pub compared_max: usize,
}

impl Search {
    /// Whether there is nothing left to look for.
    fn is_over(&self) -> bool {
        self.limit == 0 || self.compared_max == 0
    }

    /// Looks through a run, the next one on the way, and calls `each` with the index in there of
    /// every match to be reported. What remains to be looked for is left.
    pub(crate) fn scan(&mut self, run: &[u8], wanted: &Encoded<'_>, mut each: impl FnMut(usize)) {
        let mut offsets = packed::list::offsets(run).enumerate();
        match self.from {
            End::Front => {
                while !self.is_over() {
                    let Some((index, at)) = offsets.next() else { return };
                    self.compared_max -= 1;
                    if wanted.is_at(run, at) && self.reports() {
                        each(index);
                    }
                }
            }
            End::Back => {
                let (mut matches, mut count) = (Vec::new(), 0);
                for (index, at) in offsets {
                    count = index + 1;
                    if wanted.is_at(run, at) {
                        matches.push(index);
                    }
                }
                let first = count - self.compared_max.min(count);
                for index in matches.into_iter().rev().take_while(|index| *index >= first) {
                    if self.limit > 0 && self.reports() {
                        each(index);
                    }
                }
                self.compared_max -= count - first;
            }
        }
    }

    /// Counts a match; whether it is one of those to be reported.
    fn reports(&mut self) -> bool {
        let is_passed = self.skip > 0;
        self.skip -= usize::from(is_passed);
        self.limit -= usize::from(!is_passed);
        !is_passed
    }
}

/// Elements in a row.
#[derive(Clone, Copy, Debug)]
pub struct Span<'l> {
    list: &'l List,
    from: End,
    node: usize,
    index: usize,
    count: usize,
}

impl Span<'_> {
    /// Bytes of the nodes that the elements lie in, which have to be read for them.
    pub fn bytes(&self) -> usize {
        let (mut bytes, mut step, mut left) = (0, 0, self.count);
        while left > 0 {
            let Some(node) = self.nth(step) else { break };
            bytes += node.live();
            let beside = if step > 0 {
                0
            } else if self.from == End::Front {
                self.index
            } else {
                node.count() - 1 - self.index
            };
            left = left.saturating_sub(node.count() - beside);
            step += 1;
        }
        bytes
    }

    /// The node that is `step` nodes behind the first.
    fn nth(&self, step: usize) -> Option<&Node> {
        let index = match self.from {
            End::Front => self.node + step,
            End::Back => self.node.checked_sub(step)?,
        };
        self.list.nodes.get(index)
    }

    /// Calls `each` with the elements.
    pub fn for_each(&self, mut each: impl FnMut(Value<'_>)) {
        let (mut node, mut index, mut left) = (self.node, self.index, self.count);
        let (nodes, mut scratch, mut offsets) = (&self.list.nodes, Vec::new(), Vec::new());
        while left > 0 {
            let Some(found) = nodes.get(node) else { return };
            let run = found.read(&mut scratch);
            match self.from {
                End::Front => {
                    let taken = left.min(found.count() - index);
                    let at = found.offset(run, index);
                    for value in packed::list::elements(run, at).take(taken) {
                        each(value);
                    }
                    left -= taken;
                    (node, index) = (node + 1, 0);
                }
                End::Back => {
                    offsets.clear();
                    offsets.extend(packed::list::offsets(run).take(index + 1));
                    let wanted = offsets.iter().rev().take(left);
                    wanted.filter_map(|at| packed::list::element(run, *at)).for_each(&mut each);
                    left -= left.min(offsets.len());
                    let Some(before) = node.checked_sub(1) else { return };
                    (node, index) = (before, nodes[before].count() - 1);
                }
            }
        }
    }
}

/// An element's place: its node, its index in there, and where it begins.
#[derive(Clone, Copy, Debug)]
struct Place {
    node: usize,
    index: usize,
    offset: usize,
}

/// A list of strings.
#[derive(Clone, Debug, Default)]
pub struct List {
    nodes: VecDeque<Node>,
    len: usize,
    /// Where the last elements of the last node begin in its buffer: of some, of all, or of none.
    back: VecDeque<u16>,
    shape: Shape,
    /// What [`List::is_outgrown`] tells.
    is_outgrown: bool,
}

impl List {
    /// An empty list.
    pub fn new(shape: Shape) -> Self {
        Self { shape, ..Self::default() }
    }

    /// A list of the elements of a packed run.
    pub fn from_packed(shape: Shape, run: &[u8]) -> Self {
        let mut list = Self::new(shape);
        packed::list::elements(run, 0).for_each(|value| list.push(End::Back, value));
        list
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the list was once too large for what its owner calls a small one. The owner says so,
    /// and takes it back; the list only keeps it.
    pub fn is_outgrown(&self) -> bool {
        self.is_outgrown
    }

    /// Says what [`Self::is_outgrown`] is to tell.
    pub fn set_outgrown(&mut self, is_outgrown: bool) {
        self.is_outgrown = is_outgrown;
    }

    /// Bytes of the elements when they are not compressed.
    pub fn bytes(&self) -> usize {
        self.nodes.iter().map(Node::live).sum()
    }

    /// Bytes of the node at an end, none of whose elements has more.
    #[inline]
    pub fn end_bytes(&self, end: End) -> usize {
        let node = match end {
            End::Front => self.nodes.front(),
            End::Back => self.nodes.back(),
        };
        node.map_or(0, Node::live)
    }

    /// The number of nodes.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The packed elements of a node, which `scratch` holds if they are compressed there.
    pub fn node<'a>(&'a self, index: usize, scratch: &'a mut Vec<u8>) -> Option<&'a [u8]> {
        Some(self.nodes.get(index)?.read(scratch))
    }

    /// Each node's number of elements, and its run unless that is compressed.
    pub fn node_runs(&self) -> impl Iterator<Item = (usize, Option<&[u8]>)> {
        self.nodes.iter().map(|node| (node.count(), (!node.is_compressed()).then(|| node.run())))
    }

    /// Bytes of memory that the list takes, without the struct itself.
    pub fn memory(&self) -> usize {
        let heap = |bytes| if bytes == 0 { 0 } else { block_size(bytes) };
        self.nodes.iter().map(Node::memory).sum::<usize>()
            + heap(self.nodes.capacity() * size_of::<Node>())
            + heap(self.back.capacity() * size_of::<u16>())
    }

    /// Adds an element at an end.
    #[inline]
    pub fn push(&mut self, end: End, value: Value<'_>) {
        let element = Encoded::of(value);
        let shape = self.shape;
        match self.end_node(end).map(|node| node.push(end, &element, shape)) {
            Some(Pushed::Done) => {
                if end == End::Back && !self.back.is_empty() {
                    self.note_back(element.len());
                }
            }
            Some(Pushed::Moved) => self.back.clear(),
            Some(Pushed::Full) | None => self.push_node(end, &element),
        }
        self.len += 1;
    }

    /// The node at an end.
    #[inline]
    fn end_node(&mut self, end: End) -> Option<&mut Node> {
        match end {
            End::Front => self.nodes.front_mut(),
            End::Back => self.nodes.back_mut(),
        }
    }

    /// Notes the place of the last element, which has `size` bytes and was just pushed.
    fn note_back(&mut self, size: usize) {
        let end = self.nodes.back().map_or(0, |node| usize::from(node.start()) + node.live());
        // A node of several elements ends at 65,536 at the latest.
        self.back.push_back((end - size) as u16);
    }

    /// Adds a node for an element at an end.
    #[cold]
    fn push_node(&mut self, end: End, element: &Encoded<'_>) {
        let capacity = if self.nodes.is_empty() { 0 } else { self.shape.node_bytes_max() / 8 };
        let node = Node::new(end, element, capacity);
        // A list's only node is still an end after this.
        if self.nodes.len() > 1
            && let Some(node) = self.end_node(end)
        {
            node.seal();
        }
        match end {
            End::Front => self.nodes.push_front(node),
            End::Back => {
                self.nodes.push_back(node);
                self.back = VecDeque::new();
            }
        }
        let depth = usize::from(self.shape.depth);
        let behind = match end {
            End::Front => depth,
            End::Back => (self.nodes.len() - 1).saturating_sub(depth),
        };
        if self.is_deep(behind) {
            self.nodes[behind].compress();
        }
    }

    /// Takes the element at an end out.
    #[inline]
    pub fn pop<R>(&mut self, end: End, take: impl FnOnce(Value<'_>) -> R) -> Option<R> {
        let (node, taken) = match end {
            End::Front => {
                let node = self.nodes.front_mut()?;
                let taken = node.pop_front(take)?;
                (node, taken)
            }
            End::Back => {
                let offset = self.last_offset()?;
                let node = self.nodes.back_mut()?;
                self.back.pop_back();
                let taken = node.pop_back(offset, take)?;
                (node, taken)
            }
        };
        let left = node.count();
        if left == 0 {
            self.pop_node(end);
        } else if node.shrink() {
            self.back = VecDeque::new();
        } else if self.back.len() > left && self.nodes.len() == 1 {
            self.back.pop_front();
        }
        self.len -= 1;
        Some(taken)
    }

    /// Takes up to `count` elements out, one by one from an end; how many there were.
    pub fn pop_many(&mut self, end: End, count: usize, mut take: impl FnMut(Value<'_>)) -> usize {
        let count = count.min(self.len);
        for _ in 0..count {
            self.pop(end, &mut take);
        }
        count
    }

    /// Where the last element begins in the last node's run.
    #[inline]
    fn last_offset(&mut self) -> Option<usize> {
        let node = self.nodes.back()?;
        let start = node.start();
        if let Some(offset) = node.last_offset() {
            return Some(offset);
        }
        if self.back.is_empty() {
            // As in `note_back`.
            self.back.extend(packed::list::offsets(node.run()).map(|at| start + at as u16));
        }
        self.back.back().map(|place| usize::from(place - start))
    }

    /// Takes the node at an end out.
    #[cold]
    fn pop_node(&mut self, end: End) {
        let depth = usize::from(self.shape.depth).max(1);
        let exposed = match end {
            End::Front => {
                self.nodes.pop_front();
                self.nodes.get_mut(depth - 1)
            }
            End::Back => {
                self.nodes.pop_back();
                self.nodes.len().checked_sub(depth).and_then(|index| self.nodes.get_mut(index))
            }
        };
        if let Some(node) = exposed {
            node.open();
        }
        if end == End::Back || self.nodes.is_empty() {
            self.back.clear();
        }
        self.shrink_ring();
    }

    /// Gives back the ring's memory when it has become much too large.
    fn shrink_ring(&mut self) {
        const RING_MIN: usize = 16;
        if self.nodes.capacity() > RING_MIN.max(4 * self.nodes.len()) {
            self.nodes.shrink_to(2 * self.nodes.len());
        }
    }

    /// Calls `with` with the element `index`.
    pub fn get<R>(&self, index: usize, with: impl FnOnce(Value<'_>) -> R) -> Option<R> {
        let (node, index) = self.locate(index)?;
        let mut scratch = Vec::new();
        let node = &self.nodes[node];
        let run = node.read(&mut scratch);
        packed::list::element(run, node.offset(run, index)).map(with)
    }

    /// The node of the element `index`, and the element's index in there.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        if index < self.len / 2 {
            let mut left = index;
            for (at, node) in self.nodes.iter().enumerate() {
                match left.checked_sub(node.count()) {
                    Some(rest) => left = rest,
                    None => return Some((at, left)),
                }
            }
        } else {
            let (mut at, mut behind) = (self.nodes.len(), self.len);
            for node in self.nodes.iter().rev() {
                at -= 1;
                behind -= node.count();
                if index >= behind {
                    return Some((at, index - behind));
                }
            }
        }
        None
    }

    /// Calls `each` with `count` elements from the one at `index` on, away from the end `from`.
    pub fn range(&self, from: End, index: usize, count: usize, each: impl FnMut(Value<'_>)) {
        self.span(from, index, count).for_each(each);
    }

    /// `count` elements from the one at `index` on, away from the end `from`.
    pub fn span(&self, from: End, index: usize, count: usize) -> Span<'_> {
        let place = self.locate(index);
        let (node, index) = place.unwrap_or_default();
        Span { list: self, from, node, index, count: if place.is_some() { count } else { 0 } }
    }

    /// Calls `each` with the index of every element equal to `value` that the search asks for.
    pub fn positions(&self, value: Value<'_>, search: Search, mut each: impl FnMut(usize)) {
        let wanted = Encoded::of(value);
        let (mut search, mut scratch, mut passed) = (search, Vec::new(), 0);
        for step in 0..self.nodes.len() {
            if search.is_over() {
                return;
            }
            let node = &self.nodes[self.nth_node(search.from, step)];
            let first = match search.from {
                End::Front => passed,
                End::Back => self.len - passed - node.count(),
            };
            search.scan(node.read(&mut scratch), &wanted, |index| each(first + index));
            passed += node.count();
        }
    }

    /// The index of the node that is `step` nodes away from an end.
    fn nth_node(&self, from: End, step: usize) -> usize {
        match from {
            End::Front => step,
            End::Back => self.nodes.len() - 1 - step,
        }
    }

    /// Puts another value in the place of the element `index`; false when there is none.
    pub fn set(&mut self, index: usize, value: Value<'_>) -> bool {
        let Some((at, index)) = self.locate(index) else { return false };
        let node = &mut self.nodes[at];
        node.open();
        let offset = node.offset(node.run(), index);
        let len = packed::skip(node.run(), offset) - offset;
        self.splice(Place { node: at, index, offset }, len, &Encoded::of(value));
        true
    }

    /// Puts an element beside the first one equal to `pivot`, on its side towards `side`; false
    /// when there is none.
    pub fn insert(&mut self, side: End, pivot: Value<'_>, value: Value<'_>) -> bool {
        let wanted = Encoded::of(pivot);
        let mut scratch = Vec::new();
        let mut found = self.nodes.iter().enumerate().filter_map(|(at, node)| {
            let run = node.read(&mut scratch);
            let range = packed::list::find(run, 0, &wanted)?;
            let index = packed::count(&run[..range.start]);
            Some(match side {
                End::Front => Place { node: at, index, offset: range.start },
                End::Back => Place { node: at, index: index + 1, offset: range.end },
            })
        });
        let Some(place) = found.next() else { return false };
        drop(found);
        self.nodes[place.node].open();
        self.splice(place, 0, &Encoded::of(value));
        true
    }

    /// Takes out up to `limit` elements equal to `value`, from an end on; how many there were.
    pub fn remove(&mut self, from: End, value: Value<'_>, limit: usize) -> usize {
        let wanted = Encoded::of(value);
        let (mut scratch, mut matches) = (Vec::new(), Vec::new());
        let mut touched: Option<(usize, usize)> = None;
        let mut left = limit;
        for step in 0..self.nodes.len() {
            if left == 0 {
                break;
            }
            let at = self.nth_node(from, step);
            let run = self.nodes[at].read(&mut scratch);
            matches.clear();
            matches.extend(packed::list::offsets(run).filter(|at| wanted.is_at(run, *at)));
            let taken = left.min(matches.len());
            if taken == 0 {
                continue;
            }
            let chosen = match from {
                End::Front => &matches[..taken],
                End::Back => &matches[matches.len() - taken..],
            };
            self.nodes[at].open();
            self.nodes[at].remove(chosen, wanted.len());
            left -= taken;
            let (low, high) = touched.unwrap_or((at, at));
            touched = Some((low.min(at), high.max(at)));
        }
        if let Some((low, high)) = touched {
            self.len -= limit - left;
            self.settle(low..high + 1);
        }
        limit - left
    }

    /// Keeps the elements with an index in this range.
    pub fn trim(&mut self, keep: Range<usize>) {
        let end = keep.end.min(self.len);
        self.drop_many(End::Back, self.len - end);
        self.drop_many(End::Front, keep.start.min(end));
    }

    /// Drops `count` elements, which there are, at an end.
    fn drop_many(&mut self, end: End, count: usize) {
        if count == 0 {
            return;
        }
        self.len -= count;
        let mut left = count;
        let goes_whole = |node: &&Node| match left.checked_sub(node.count()) {
            Some(rest) => {
                left = rest;
                true
            }
            None => false,
        };
        let whole = match end {
            End::Front => self.nodes.iter().take_while(goes_whole).count(),
            End::Back => self.nodes.iter().rev().take_while(goes_whole).count(),
        };
        match end {
            End::Front => drop(self.nodes.drain(..whole)),
            End::Back => self.nodes.truncate(self.nodes.len() - whole),
        }
        if left > 0
            && let Some(node) = self.end_node(end)
        {
            node.drop_some(end, left);
        }
        self.back.clear();
        self.open_ends();
        self.shrink_ring();
    }

    /// Drops up to `limit` nodes, for a list that is to be freed in steps; whether it is empty now.
    pub fn drain(&mut self, limit: usize) -> bool {
        let kept = self.nodes.len().saturating_sub(limit);
        self.len -= self.nodes.range(kept..).map(Node::count).sum::<usize>();
        self.nodes.truncate(kept);
        self.back.clear();
        self.open_ends();
        self.nodes.is_empty()
    }

    /// Puts an element in the place of `removed` bytes, which are an element or none. The node is
    /// open.
    fn splice(&mut self, place: Place, removed: usize, element: &Encoded<'_>) {
        let Place { node: at, index, offset } = place;
        let node = &mut self.nodes[at];
        let others = node.count() - usize::from(removed > 0);
        let bytes = node.run().len() - removed + element.len();
        self.len += usize::from(removed == 0);
        if others == 0 {
            *node = Node::new(End::Back, element, 0);
            return self.settle(at..at + 1);
        }
        if self.shape.allows(others + 1, bytes) {
            node.splice(offset, removed, element);
            return self.settle(at..at + 1);
        }
        if removed > 0 {
            node.remove(&[offset], removed);
        }
        let tail = node.split(index, offset);
        self.nodes.insert(at + 1, Node::new(End::Back, element, 0));
        self.nodes.insert(at + 2, tail);
        self.settle(at..at + 3);
    }

    /// Makes good what edits of these nodes have left: drops the empty ones, joins those that fit
    /// together, and seals or compresses what lies inside.
    fn settle(&mut self, edited: Range<usize>) {
        let start = edited.start.saturating_sub(1);
        let end = (edited.end + 1).min(self.nodes.len());
        if end == self.nodes.len() {
            self.back.clear();
        }
        let mut kept = start;
        for index in start..end {
            if self.nodes[index].count() == 0 {
                continue;
            }
            if kept > start && self.nodes[kept - 1].may_join(&self.nodes[index], self.shape) {
                let next = std::mem::take(&mut self.nodes[index]);
                self.nodes[kept - 1].join(next);
                continue;
            }
            self.nodes.swap(kept, index);
            kept += 1;
        }
        self.nodes.drain(kept..end);
        self.shrink_ring();
        for index in start..kept {
            let is_inner = index > 0 && index + 1 < self.nodes.len();
            let node = &mut self.nodes[index];
            if is_inner {
                node.seal();
            } else {
                node.open();
                node.shrink();
            }
            if self.is_deep(index) {
                self.nodes[index].compress();
            }
        }
        self.open_ends();
    }

    /// Opens the nodes that are nearer to an end now, because others were dropped or joined.
    fn open_ends(&mut self) {
        for index in 0..usize::from(self.shape.depth).min(self.nodes.len()) {
            let mirrored = self.nodes.len() - 1 - index;
            self.nodes[index].open();
            self.nodes[mirrored].open();
        }
    }

    /// Whether a node is so far inside that it is to be compressed.
    fn is_deep(&self, index: usize) -> bool {
        let depth = usize::from(self.shape.depth);
        depth > 0 && index >= depth && index + depth < self.nodes.len()
    }

    /// Fails where the list is not what it should be.
    pub fn check_invariants(&self) {
        self.nodes.iter().for_each(|node| node.check_invariants(self.shape));
        assert_eq!(self.nodes.iter().map(Node::count).sum::<usize>(), self.len);
        for (index, node) in self.nodes.iter().enumerate() {
            assert!(!node.is_compressed() || self.is_deep(index));
        }
        let Some(node) = self.nodes.back() else { return assert!(self.back.is_empty()) };
        let places: Vec<usize> = self.back.iter().map(|place| usize::from(*place)).collect();
        let offsets = packed::list::offsets(node.run()).map(|at| usize::from(node.start()) + at);
        let all: Vec<usize> = offsets.collect();
        assert!(places.len() <= all.len() && all.ends_with(&places));
    }
}

#[cfg(test)]
mod tests;
