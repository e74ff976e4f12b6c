//! An order over items: a B+ tree that knows how many items are below each of its nodes.
//!
//! ```text
//! inner node: | node, count, first | node, count, first | …   up to 32 children of 48 bytes
//!                │                         count: items below
//!                v                         first: the smallest key below, its score and its item
//! leaf:       | item | item | item | …     up to 512 bytes
//! ```
//!
//! An item is a small handle of something that lies elsewhere and has a score and a name; to look
//! at it costs a cache miss. So the way down compares scores that the inner nodes have, the last
//! step loads several items of the leaf at once, and an item that is known to be in the tree is
//! found in its leaf by its handle alone.
//!
//! Who inserts makes room on the way down. A full node shares its entries evenly with neighbours,
//! and only if these are nearly full too they get one node more; so nodes are four fifths full or
//! better. (Nodes of many sizes, each just large enough, took less memory but more pages: items
//! come in waves, and a wave leaves the pages of one size half empty.) At the ends of the tree a
//! full node stays as it is and a new one begins, so that items that come in ascending or
//! descending order fill their leaves. A node that has become small and a neighbour become one if
//! that is then at most three quarters full.
//!
//! Invariants: keys ascend; `count` and `first` are right for every child; all leaves are equally
//! deep; no node but an empty root is empty, and the root has no only child.

use std::cmp::Ordering;
use std::iter::FusedIterator;
use std::mem;
use std::ops::Range;

use crate::score::Score;

/// Bytes of a full leaf.
const LEAF_BYTES: usize = 512;
/// Children of a full inner node.
const INNER_MAX: usize = 32;
/// Bytes of the smallest memory of a node.
const NODE_BYTES_MIN: usize = 64;
/// So many neighbours share their entries.
const NEIGHBOURS: usize = 4;
/// They get a node more when less than this share of their room is left.
const ROOM_SHARE: usize = 16;
/// An iterator loads items this far ahead.
const AHEAD: usize = 8;
/// Items that are loaded at once in a search.
const PIVOTS: usize = 7;

/// A handle of something with a score and a name.
pub(crate) trait Item: Copy + PartialEq {
    /// The score.
    fn score(&self) -> Score;
    /// Compares the names, which decide between equal scores.
    fn cmp_names(&self, other: &Self) -> Ordering;
    /// Starts to load what the handle leads to.
    fn prefetch(&self) {}
}

/// The place of an item in the order. The item need not have that score yet, or any more.
#[derive(Clone, Copy)]
pub(crate) struct Key<I> {
    pub(crate) score: Score,
    pub(crate) item: I,
}

impl<I: Item> Key<I> {
    #[inline]
    fn of(item: I) -> Self {
        Self { score: item.score(), item }
    }

    /// The order of the tree.
    #[inline]
    pub(crate) fn cmp(&self, other: &Self) -> Ordering {
        match self.score.cmp(&other.score) {
            Ordering::Equal if self.item == other.item => Ordering::Equal,
            Ordering::Equal => self.item.cmp_names(&other.item),
            order => order,
        }
    }

    #[inline]
    fn is_before(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Less
    }
}

/// Items in ascending order.
pub(crate) struct Tree<I> {
    root: Node<I>,
    len: usize,
}

enum Node<I> {
    Leaf(Vec<I>),
    Inner(Vec<Child<I>>),
}

struct Child<I> {
    node: Node<I>,
    count: usize,
    first: Key<I>,
}

/// Whether a node is the first and the last of its level.
#[derive(Clone, Copy)]
struct Ends {
    first: bool,
    last: bool,
}

impl Ends {
    const BOTH: Self = Self { first: true, last: true };

    /// The same for the child `at` of `len`.
    fn of_child(self, at: usize, len: usize) -> Self {
        Self { first: self.first && at == 0, last: self.last && at + 1 == len }
    }
}

/// How to find an item that is in the tree.
trait Find<I> {
    /// The child that has it.
    fn child(&mut self, children: &[Child<I>]) -> usize;
    /// Its place in the leaf.
    fn place(&self, items: &[I]) -> Option<usize>;
}

/// Finds the item with so many items before it.
struct ByRank(usize);

impl<I> Find<I> for ByRank {
    fn child(&mut self, children: &[Child<I>]) -> usize {
        for (at, child) in children.iter().enumerate() {
            if self.0 < child.count {
                return at;
            }
            self.0 -= child.count;
        }
        children.len() - 1
    }

    fn place(&self, items: &[I]) -> Option<usize> {
        (self.0 < items.len()).then_some(self.0)
    }
}

impl<I: Item> Find<I> for Key<I> {
    fn child(&mut self, children: &[Child<I>]) -> usize {
        child_for(children, self)
    }

    fn place(&self, items: &[I]) -> Option<usize> {
        items.iter().position(|item| *item == self.item)
    }
}

impl<I: Item> Tree<I> {
    /// No items, and no memory.
    pub(crate) const fn new() -> Self {
        Self { root: Node::Leaf(Vec::new()), len: 0 }
    }

    /// The tree of items that come in ascending order.
    pub(crate) fn of_ascending(items: impl ExactSizeIterator<Item = I>) -> Self {
        let len = items.len();
        let mut level: Vec<Node<I>> = parts_of(items, LEAF_BYTES / size_of::<I>(), Node::Leaf);
        while level.len() > 1 {
            let children = level.into_iter().map(Child::new);
            level = parts_of(children, INNER_MAX, Node::Inner);
        }
        Self { root: level.pop().unwrap_or(Node::Leaf(Vec::new())), len }
    }

    /// Items in the tree.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes of memory of the nodes.
    pub(crate) fn memory(&self) -> usize {
        self.root.memory()
    }

    /// Adds an item that is not in the tree yet.
    pub(crate) fn insert(&mut self, key: Key<I>) {
        if self.root.is_full() {
            let node = mem::replace(&mut self.root, Node::Inner(Vec::new()));
            let only = Child { count: self.len, first: node.first(), node };
            self.root = Node::Inner(vec![only]);
        }
        self.len += 1;
        let (mut node, mut ends) = (&mut self.root, Ends::BOTH);
        loop {
            match node {
                Node::Leaf(items) => {
                    let at = search_leaf(items, |other| other.is_before(&key));
                    reserve(items, 1);
                    items.insert(at, key.item);
                    return;
                }
                Node::Inner(children) => {
                    let mut at = child_for(children, &key);
                    if children[at].node.is_full() {
                        make_room(children, at, &key, ends);
                        at = child_for(children, &key);
                    }
                    ends = ends.of_child(at, children.len());
                    let child = &mut children[at];
                    if at == 0 && key.is_before(&child.first) {
                        child.first = key;
                    }
                    child.count += 1;
                    node = &mut child.node;
                }
            }
        }
    }

    /// Takes an item out that is in the tree with this key. Returns whether it was.
    pub(crate) fn remove(&mut self, mut key: Key<I>) -> bool {
        self.take(&mut key, 1, &mut |_| {}) == 1
    }

    /// Takes out the items of some ranks and hands them over in ascending order.
    pub(crate) fn remove_range(&mut self, ranks: Range<usize>, mut removed: impl FnMut(I)) {
        let mut left = ranks.end.min(self.len).saturating_sub(ranks.start);
        while left > 0 {
            let taken = self.take(&mut ByRank(ranks.start), left, &mut removed);
            debug_assert!(taken > 0, "an item of rank {}", ranks.start);
            left -= taken.max(1);
        }
    }

    /// Takes out the item found and those behind it in the same leaf, at most `limit`.
    fn take(
        &mut self,
        find: &mut impl Find<I>,
        limit: usize,
        removed: &mut impl FnMut(I),
    ) -> usize {
        let taken = self.root.take(find, limit, removed);
        self.len -= taken;
        while let Node::Inner(children) = &mut self.root {
            match children.len() {
                0 => self.root = Node::Leaf(Vec::new()),
                1 => {
                    let Some(only) = children.pop() else { break };
                    self.root = only.node;
                }
                _ => break,
            }
        }
        taken
    }

    /// Moves an item that is in the tree with the key `old` to where it belongs with another score,
    /// if that is in the same leaf. Returns whether it was; then the caller sets the score.
    pub(crate) fn shift(&mut self, mut old: Key<I>, score: Score) -> bool {
        let new = Key { score, ..old };
        self.root.shift(&mut old, new, Ends::BOTH, None)
    }

    /// How many items lie before the item with this key, which is in the tree.
    pub(crate) fn rank(&self, mut key: Key<I>) -> Option<usize> {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(items) => return Some(rank + key.place(items)?),
                Node::Inner(children) => {
                    let at = key.child(children);
                    rank += children[..at].iter().map(|child| child.count).sum::<usize>();
                    node = &children[at].node;
                }
            }
        }
    }

    /// How many items lie `before` a point. That must hold for all up to there and for none behind.
    pub(crate) fn count_before(&self, before: impl Fn(&Key<I>) -> bool) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(items) => return rank + search_leaf(items, &before),
                Node::Inner(children) => {
                    let at = children.partition_point(|child| before(&child.first));
                    let at = at.saturating_sub(1);
                    rank += children[..at].iter().map(|child| child.count).sum::<usize>();
                    node = &children[at].node;
                }
            }
        }
    }

    /// The items of some ranks, from both sides.
    pub(crate) fn range(&self, ranks: Range<usize>) -> Iter<'_, I> {
        let end = ranks.end.min(self.len);
        let start = ranks.start.min(end);
        Iter { tree: self, front: Cursor::new(), back: Cursor::new(), ranks: start..end }
    }

    /// The leaf with the item of a rank, and the ranks of its items.
    fn leaf(&self, rank: usize) -> Option<(&[I], Range<usize>)> {
        let (mut node, mut find) = (&self.root, ByRank(rank));
        loop {
            match node {
                Node::Leaf(items) => {
                    let start = rank - find.place(items)?;
                    return Some((items, start..start + items.len()));
                }
                Node::Inner(children) => node = &children[find.child(children)].node,
            }
        }
    }
}

impl<I: Item> Node<I> {
    /// Items or children.
    fn width(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Inner(children) => children.len(),
        }
    }

    fn width_max(&self) -> usize {
        match self {
            Self::Leaf(_) => LEAF_BYTES / size_of::<I>(),
            Self::Inner(_) => INNER_MAX,
        }
    }

    fn is_full(&self) -> bool {
        self.width() >= self.width_max()
    }

    /// The smallest key. The node is not empty.
    fn first(&self) -> Key<I> {
        match self {
            Self::Leaf(items) => Key::of(items[0]),
            Self::Inner(children) => children[0].first,
        }
    }

    /// A key that lies before all that is to be appended to the node.
    fn last(&self) -> Key<I> {
        match self {
            Self::Leaf(items) => Key::of(items[items.len() - 1]),
            Self::Inner(children) => children[children.len() - 1].first,
        }
    }

    fn prefetch_first(&self) {
        if let Self::Leaf(items) = self {
            items[0].prefetch();
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Inner(children) => children.iter().map(|child| child.count).sum(),
        }
    }

    fn memory(&self) -> usize {
        match self {
            Self::Leaf(items) => memory_of(items),
            Self::Inner(children) => {
                let below = children.iter().map(|child| child.node.memory());
                memory_of(children) + below.sum::<usize>()
            }
        }
    }

    /// As [`Tree::take`]. The node may be empty afterwards.
    fn take(
        &mut self,
        find: &mut impl Find<I>,
        limit: usize,
        removed: &mut impl FnMut(I),
    ) -> usize {
        match self {
            Self::Leaf(items) => {
                let Some(at) = find.place(items) else { return 0 };
                let end = at + limit.min(items.len() - at);
                items[at..end].iter().for_each(Item::prefetch);
                items.drain(at..end).for_each(removed);
                shrink(items);
                end - at
            }
            Self::Inner(children) => {
                let at = find.child(children);
                let child = &mut children[at];
                let taken = child.node.take(find, limit, removed);
                child.count -= taken;
                if child.count == 0 {
                    children.remove(at);
                } else {
                    child.refresh(None);
                    merge(children, at);
                }
                shrink(children);
                taken
            }
        }
    }

    /// As [`Tree::shift`]; `next` is the smallest key behind this node, if there is one.
    fn shift(&mut self, old: &mut Key<I>, new: Key<I>, ends: Ends, next: Option<&Key<I>>) -> bool {
        match self {
            Self::Leaf(items) => {
                let Some(at) = old.place(items) else { return false };
                // Most often the item stays between its neighbours.
                let is_before = |other: &I| Key::of(*other).is_before(&new);
                if old.is_before(&new) {
                    let behind = &items[at + 1..];
                    if behind.first().is_some_and(is_before) {
                        let to = at + search_leaf(behind, |other| other.is_before(&new));
                        items[at..=to].rotate_left(1);
                    }
                } else if !items[..at].last().is_none_or(is_before) {
                    let to = search_leaf(&items[..at], |other| other.is_before(&new));
                    items[to..=at].rotate_right(1);
                }
                true
            }
            Self::Inner(children) => {
                let at = old.child(children);
                let ends = ends.of_child(at, children.len());
                let (upto, behind) = children.split_at_mut(at + 1);
                let next = behind.first().map(|child| &child.first).or(next);
                let child = &mut upto[at];
                let is_beyond = next.is_some_and(|next| next.is_before(&new))
                    || !ends.first && new.is_before(&child.first);
                if is_beyond || !child.node.shift(old, new, ends, next) {
                    return false;
                }
                child.refresh(Some(new));
                true
            }
        }
    }
}

impl<I: Item> Child<I> {
    /// A child with these entries, at least one.
    fn new(node: Node<I>) -> Self {
        Self { count: node.count(), first: node.first(), node }
    }

    /// Corrects `first` after the node has changed, without a look at an item that is known or that
    /// has got a new key.
    fn refresh(&mut self, new: Option<Key<I>>) {
        self.first = match (&self.node, new) {
            (Node::Leaf(items), Some(new)) if items[0] == new.item => new,
            (Node::Leaf(items), _) if items[0] == self.first.item => return,
            (node, _) => node.first(),
        }
    }

    /// Takes over what is in the child to the right.
    fn absorb(&mut self, right: Self) {
        self.count += right.count;
        match (&mut self.node, right.node) {
            (Node::Leaf(items), Node::Leaf(more)) => append(items, more),
            (Node::Inner(children), Node::Inner(more)) => append(children, more),
            _ => unreachable!("leaves are equally deep"),
        }
    }
}

/// How many of a leaf's items are `before` a point.
fn search_leaf<I: Item>(items: &[I], before: impl Fn(&Key<I>) -> bool) -> usize {
    search(items, |item| item, |item| before(&Key::of(*item)))
}

/// How many entries are `before` a point, which must hold for all up to there and for none behind.
/// `before` looks at the items, of which several are loaded at once.
fn search<T, I: Item>(
    entries: &[T],
    item: impl Fn(&T) -> &I,
    before: impl Fn(&T) -> bool,
) -> usize {
    let part = entries.len() / (PIVOTS + 1) + 1;
    let pivots = || (part - 1..entries.len()).step_by(part);
    pivots().for_each(|pivot| item(&entries[pivot]).prefetch());
    // The first pivot that is not before the point, by halves.
    let (mut low, mut high) = (0, pivots().len());
    while low < high {
        let middle = usize::midpoint(low, high);
        if before(&entries[part * (middle + 1) - 1]) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let start = part * low;
    let rest = &entries[start..entries.len().min(start + part - 1)];
    rest.iter().for_each(|entry| item(entry).prefetch());
    start + rest.partition_point(before)
}

/// The capacity of a node for so many entries: what the allocator's class has room for.
fn capacity_for<T>(len: usize) -> usize {
    memory::block_size((len * size_of::<T>()).max(NODE_BYTES_MIN)) / size_of::<T>()
}

fn with_room<T>(len: usize) -> Vec<T> {
    Vec::with_capacity(capacity_for::<T>(len))
}

fn memory_of<T>(entries: &Vec<T>) -> usize {
    match entries.capacity() {
        0 => 0,
        capacity => memory::block_size(capacity * size_of::<T>()),
    }
}

fn reserve<T>(entries: &mut Vec<T>, more: usize) {
    let len = entries.len();
    if len + more > entries.capacity() {
        entries.reserve_exact(capacity_for::<T>(len + more) - len);
    }
}

/// Gives memory back if much is unused.
fn shrink<T>(entries: &mut Vec<T>) {
    let len = entries.len();
    if len + len / 4 + NODE_BYTES_MIN / size_of::<T>() < entries.capacity() {
        entries.shrink_to(capacity_for::<T>(len));
    }
}

fn append<T>(entries: &mut Vec<T>, mut more: Vec<T>) {
    reserve(entries, more.len());
    entries.append(&mut more);
}

/// The child that a key belongs to, whether it is there or not.
fn child_for<I: Item>(children: &[Child<I>], key: &Key<I>) -> usize {
    let low = children.partition_point(|child| child.first.score < key.score);
    let ties = children[low..].partition_point(|child| child.first.score == key.score);
    let ties = &children[low..low + ties];
    // Among equal scores the names decide, and these are elsewhere.
    let behind = search(ties, |child| &child.first.item, |child| !key.is_before(&child.first));
    (low + behind).saturating_sub(1)
}

/// Makes room in the full child `at`, or beside it, for `key`. The node itself is not full.
#[cold]
fn make_room<I: Item>(children: &mut Vec<Child<I>>, at: usize, key: &Key<I>, ends: Ends) {
    let ends = ends.of_child(at, children.len());
    let child = &mut children[at];
    let width = child.node.width();
    let cut = if ends.last && child.node.last().is_before(key) {
        width - 1
    } else if ends.first && key.is_before(&child.first) {
        1
    } else {
        return share(children, at);
    };
    let right = match &mut child.node {
        Node::Leaf(items) => Node::Leaf(split_off(items, cut)),
        Node::Inner(children) => Node::Inner(split_off(children, cut)),
    };
    let right = Child::new(right);
    child.count -= right.count;
    reserve(children, 1);
    children.insert(at + 1, right);
}

/// Shares the entries of the child `at` and its neighbours evenly among them, and with a new one if
/// they are nearly full.
fn share<I: Item>(children: &mut Vec<Child<I>>, at: usize) {
    let last = children.len().saturating_sub(NEIGHBOURS);
    let from = at.saturating_sub(NEIGHBOURS / 2).min(last);
    let to = children.len().min(from + NEIGHBOURS);
    let max = children[at].node.width_max();
    let width: usize = children[from..to].iter().map(|child| child.node.width()).sum();
    let room = (to - from) * max;
    let parts = to - from + usize::from(width + room / ROOM_SHARE > room);
    let (mut leaves, mut inner) = (Vec::new(), Vec::new());
    for child in children.drain(from..to) {
        match child.node {
            Node::Leaf(items) => leaves.push(items),
            Node::Inner(children) => inner.push(children),
        }
    }
    let mut nodes: Vec<Node<I>> = if inner.is_empty() {
        spread(leaves, parts, max).map(Node::Leaf).collect()
    } else {
        spread(inner, parts, max).map(Node::Inner).collect()
    };
    nodes.iter().for_each(Node::prefetch_first);
    reserve(children, parts);
    children.splice(from..from, nodes.drain(..).map(Child::new));
}

/// Makes so many nodes of nearly one width out of fewer, with room for `max` entries each.
fn spread<T>(mut nodes: Vec<Vec<T>>, parts: usize, max: usize) -> impl Iterator<Item = Vec<T>> {
    let len = nodes.iter().map(Vec::len).sum();
    let mut entries = Vec::with_capacity(len);
    nodes.iter_mut().for_each(|node| entries.append(node));
    let mut entries = entries.into_iter();
    nodes.resize_with(parts, Vec::new);
    nodes.into_iter().enumerate().map(move |(part, mut node)| {
        node.reserve_exact(max);
        node.extend(entries.by_ref().take((part + 1) * len / parts - part * len / parts));
        node
    })
}

/// Nodes of nearly one width, at most `max`, with these entries.
fn parts_of<T, N>(
    mut entries: impl ExactSizeIterator<Item = T>,
    max: usize,
    node: impl Fn(Vec<T>) -> N,
) -> Vec<N> {
    let len = entries.len();
    let parts = len.div_ceil(max);
    let fill = |part: usize| {
        let width = (part + 1) * len / parts - part * len / parts;
        let mut part = with_room(width);
        part.extend(entries.by_ref().take(width));
        node(part)
    };
    (0..parts).map(fill).collect()
}

fn split_off<T>(entries: &mut Vec<T>, cut: usize) -> Vec<T> {
    let mut right = with_room(entries.len() - cut);
    right.extend(entries.drain(cut..));
    right
}

/// Makes the child `at` one with a neighbour if it has become small and the two fit.
fn merge<I: Item>(children: &mut Vec<Child<I>>, at: usize) {
    let max = children[at].node.width_max();
    if children[at].node.width() >= max / 3 {
        return;
    }
    for left in at.saturating_sub(1)..=at {
        let Some([one, other]) = children.get(left..left + 2) else { continue };
        if one.node.width() + other.node.width() <= max / 4 * 3 {
            let right = children.remove(left + 1);
            children[left].absorb(right);
            return;
        }
    }
}

/// A leaf that an iterator is in.
struct Cursor<'tree, I> {
    items: &'tree [I],
    /// The ranks of the items.
    ranks: Range<usize>,
}

impl<'tree, I: Item> Cursor<'tree, I> {
    const fn new() -> Self {
        Self { items: &[], ranks: 0..0 }
    }

    /// The place in the leaf of the item with a rank, and whether the leaf is another than before.
    #[inline]
    fn go(&mut self, tree: &'tree Tree<I>, rank: usize) -> Option<(usize, bool)> {
        let is_new = !self.ranks.contains(&rank);
        if is_new {
            (self.items, self.ranks) = tree.leaf(rank)?;
        }
        Some((rank - self.ranks.start, is_new))
    }
}

/// Items in ascending order, or from the back in descending order.
pub(crate) struct Iter<'tree, I> {
    tree: &'tree Tree<I>,
    front: Cursor<'tree, I>,
    back: Cursor<'tree, I>,
    /// What is still to come.
    ranks: Range<usize>,
}

impl<'tree, I: Item> Iterator for Iter<'tree, I> {
    type Item = &'tree I;

    #[inline]
    fn next(&mut self) -> Option<&'tree I> {
        let rank = self.ranks.next()?;
        let (at, is_new) = self.front.go(self.tree, rank)?;
        let items = self.front.items;
        if is_new {
            items[at..].iter().take(AHEAD).for_each(Item::prefetch);
        }
        items.get(at + AHEAD).into_iter().for_each(Item::prefetch);
        items.get(at)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.ranks.size_hint()
    }
}

impl<I: Item> DoubleEndedIterator for Iter<'_, I> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        let rank = self.ranks.next_back()?;
        let (at, is_new) = self.back.go(self.tree, rank)?;
        let items = self.back.items;
        if is_new {
            items[..=at].iter().rev().take(AHEAD).for_each(Item::prefetch);
        }
        at.checked_sub(AHEAD).into_iter().for_each(|ahead| items[ahead].prefetch());
        items.get(at)
    }
}

impl<I: Item> ExactSizeIterator for Iter<'_, I> {}
impl<I: Item> FusedIterator for Iter<'_, I> {}

impl<I: Item> Tree<I> {
    /// Checks what the head of this file promises; for tests.
    pub(crate) fn check_invariants(&self) {
        let mut last = None;
        self.root.check(&mut last);
        assert_eq!(self.len, self.root.count());
        assert!(!matches!(&self.root, Node::Inner(children) if children.len() < 2));
    }
}

impl<I: Item> Node<I> {
    /// Checks the node, whose keys come behind `last`. Returns its height.
    fn check(&self, last: &mut Option<Key<I>>) -> usize {
        assert!(self.width() <= self.width_max());
        match self {
            Self::Leaf(items) => {
                for key in items.iter().copied().map(Key::of) {
                    assert!(last.is_none_or(|last| last.is_before(&key)));
                    *last = Some(key);
                }
                0
            }
            Self::Inner(children) => {
                let mut heights = children.iter().map(|child| {
                    assert!(child.count > 0 && child.count == child.node.count());
                    let first = child.node.first();
                    assert!(child.first.item == first.item && child.first.score == first.score);
                    child.node.check(last)
                });
                let height = heights.next().unwrap_or(0);
                assert!(heights.all(|other| other == height));
                height + 1
            }
        }
    }
}

#[cfg(test)]
mod tests;
