//! The entries of a stream: a tree of packed nodes by the ids of their first entries. The node at
//! the end, to which entries are added, is kept apart.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, btree_map};
use std::mem;

use memory::block_size;

use super::node::{Fields, Node, Place, Places};
use super::{Id, NodeLimits};

/// A node has at most this many bytes, whatever the configuration allows, unless it has one entry:
/// to find an entry its node is read from the start.
const NODE_BYTES_MAX: usize = 64 * 1024;
/// Bytes of memory of a place in the tree, as these are filled when they only grow at the end.
const TREE_PLACE: usize = (size_of::<Id>() + size_of::<Node>()) * 7 / 4;

/// The entries of a stream.
#[derive(Clone, Debug, Default)]
pub struct Log {
    nodes: BTreeMap<Id, Node>,
    /// The id of the first entry of the last node.
    tail_base: Id,
    /// The last node; an empty one if there is no entry.
    tail: Node,
    len: usize,
}

/// An entry.
#[derive(Clone, Copy, Debug)]
pub struct Item<'s> {
    /// Its id.
    pub id: Id,
    place: Place<'s>,
}

impl<'s> Item<'s> {
    fn at(place: Place<'s>) -> Self {
        Self { id: place.id, place }
    }

    /// How many fields it has.
    #[inline]
    pub fn field_count(&self) -> usize {
        self.fields().len()
    }

    /// The names and values of its fields.
    #[inline]
    pub fn fields(&self) -> Fields<'s> {
        self.place.fields()
    }
}

impl Log {
    /// Entries.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Nodes.
    pub fn node_count(&self) -> usize {
        self.nodes.len() + usize::from(self.tail.live() > 0)
    }

    /// Bytes of memory besides the log itself.
    pub fn memory(&self) -> usize {
        let nodes: usize = self.nodes.values().map(Node::memory).sum();
        let tail = if self.tail.size() > 0 { self.tail.memory() } else { 0 };
        nodes + tail + block_size(self.nodes.len() * TREE_PLACE)
    }

    /// Adds an entry, whose id is above all others. The words are names and values in turn.
    #[inline]
    pub fn append<'w>(
        &mut self,
        id: Id,
        words: impl Iterator<Item = &'w [u8]> + Clone,
        limits: NodeLimits,
    ) {
        let size: usize = words.clone().map(<[u8]>::len).sum();
        if self.tail.live() == 0 || is_full(&self.tail, size, limits) {
            self.open_node(id, words.clone().step_by(2));
        }
        self.tail.push(self.tail_base, id, words);
        self.len += 1;
    }

    fn open_node<'w>(&mut self, base: Id, names: impl Iterator<Item = &'w [u8]> + Clone) {
        let is_first = self.tail.live() == 0;
        // Nodes tend to become as large as the one before.
        let capacity = if is_first { 0 } else { block_size(self.tail.size()) };
        let mut full = mem::replace(&mut self.tail, Node::new(names, capacity));
        let full_base = mem::replace(&mut self.tail_base, base);
        if !is_first {
            full.seal();
            self.nodes.insert(full_base, full);
        }
    }

    /// Removes an entry; whether it was there.
    pub fn remove(&mut self, id: Id) -> bool {
        let in_tail = id >= self.tail_base;
        let node = if in_tail {
            Some((self.tail_base, &mut self.tail))
        } else {
            self.nodes.range_mut(..=id).next_back().map(|(base, node)| (*base, node))
        };
        let Some((base, node)) = node else { return false };
        if !node.remove(base, id) {
            return false;
        }
        self.len -= 1;
        if node.live() == 0 {
            self.drop_node(base, in_tail);
        }
        true
    }

    fn drop_node(&mut self, base: Id, is_tail: bool) {
        if is_tail {
            (self.tail_base, self.tail) = self.nodes.pop_last().unwrap_or_default();
        } else {
            self.nodes.remove(&base);
        }
    }

    /// The first node: its base and itself; none if there is no entry.
    fn first_node(&self) -> Option<(Id, &Node)> {
        let first = self.nodes.first_key_value().map(|(base, node)| (*base, node));
        first.or((self.tail.live() > 0).then_some((self.tail_base, &self.tail)))
    }

    /// Entries of the first node; zero if there is none.
    pub fn first_node_len(&self) -> usize {
        self.first_node().map_or(0, |(_, node)| node.live())
    }

    /// The id of the last entry that the first node has, or had.
    pub fn first_node_last_id(&self) -> Option<Id> {
        self.first_node().and_then(|(base, node)| node.last_id(base))
    }

    /// Removes the first node with all its entries. Returns how many there were.
    pub fn drop_first_node(&mut self) -> usize {
        let Some((base, node)) = self.first_node() else { return 0 };
        let dropped = node.live();
        self.len -= dropped;
        let is_tail = self.nodes.is_empty();
        self.drop_node(base, is_tail);
        dropped
    }

    /// For each node how many entries it has, and these.
    pub fn by_node(&self) -> impl Iterator<Item = (usize, Range<'_>)> {
        let tail = (self.tail.live() > 0).then_some((&self.tail_base, &self.tail));
        self.nodes.iter().chain(tail).map(|(base, node)| {
            let nodes = self.nodes.range(Id::MIN..Id::MIN);
            let (from, to) = (Id::MIN, Id::MAX);
            (node.live(), Range { nodes, tail: Some((*base, node)), at: None, from, to })
        })
    }

    /// How many nodes begin before an id, counted up to a number. The last node is not counted.
    pub fn nodes_before(&self, id: Id, at_most: usize) -> usize {
        self.nodes.range(..id).take(at_most).count()
    }

    /// The entries with ids from one to another.
    #[inline]
    pub fn range(&self, from: Id, to: Id) -> Range<'_> {
        let empty = Id::MIN..Id::MIN;
        let nodes = if from > to {
            return Range { nodes: self.nodes.range(empty), tail: None, at: None, from, to };
        } else if from >= self.tail_base {
            self.nodes.range(empty)
        } else {
            // The node that has `from`, if any, begins at it or before.
            let first = self.nodes.range(..=from).next_back().map_or(from, |(base, _)| *base);
            self.nodes.range(first..=to)
        };
        let has_tail = self.tail.live() > 0 && self.tail_base <= to;
        let tail = has_tail.then_some((self.tail_base, &self.tail));
        Range { nodes, tail, at: None, from, to }
    }

    /// The same from the end.
    #[inline]
    pub fn range_back(&self, from: Id, to: Id) -> RangeBack<'_> {
        RangeBack { range: self.range(from, to), places: Places::default() }
    }
}

/// Whether an entry with names and values of so many bytes needs another node.
#[inline]
fn is_full(node: &Node, size: usize, limits: NodeLimits) -> bool {
    let bytes = limits.bytes.min(NODE_BYTES_MAX);
    node.size().saturating_add(size) >= bytes || node.added() >= limits.entries
}

/// Entries in the order of their ids.
#[derive(Clone, Debug)]
pub struct Range<'s> {
    nodes: btree_map::Range<'s, Id, Node>,
    tail: Option<(Id, &'s Node)>,
    /// The node that is read, its base, and where in it.
    at: Option<(Id, &'s Node, usize)>,
    from: Id,
    to: Id,
}

impl<'s> Iterator for Range<'s> {
    type Item = Item<'s>;

    #[inline]
    fn next(&mut self) -> Option<Item<'s>> {
        loop {
            if let Some((base, node, at)) = &mut self.at {
                if let Some(place) = node.seek(*base, self.from, *at) {
                    *at = place.next;
                    return (place.id <= self.to).then(|| Item::at(place));
                }
                self.at = None;
            }
            let next = self.nodes.next().map(|(base, node)| (*base, node));
            let (base, node) = next.or_else(|| self.tail.take())?;
            self.at = Some((base, node, node.approach(base, self.from)));
        }
    }
}

/// Entries in the opposite order.
#[derive(Clone, Debug)]
pub struct RangeBack<'s> {
    range: Range<'s>,
    /// Places of entries of the node that is read, before the one where the range is.
    places: Places,
}

impl<'s> RangeBack<'s> {
    /// The place of the entry before, in the node that is read.
    #[inline]
    fn place_before(&mut self) -> Option<Place<'s>> {
        let (base, node, end) = self.range.at.as_mut()?;
        let at = self.places.pop().or_else(|| {
            node.places_before(*end, &mut self.places);
            self.places.pop()
        })?;
        *end = at;
        node.read(*base, at)
    }
}

impl<'s> Iterator for RangeBack<'s> {
    type Item = Item<'s>;

    #[inline]
    fn next(&mut self) -> Option<Item<'s>> {
        loop {
            while let Some(place) = self.place_before() {
                if !place.is_removed && place.id <= self.range.to {
                    return (place.id >= self.range.from).then(|| Item::at(place));
                }
            }
            let range = &mut self.range;
            let before = || range.nodes.next_back().map(|(base, node)| (*base, node));
            let (base, node) = range.tail.take().or_else(before)?;
            range.at = Some((base, node, node.size()));
        }
    }
}
