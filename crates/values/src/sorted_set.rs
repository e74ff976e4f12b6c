//! A sorted set: members with scores in a table, and their order in a tree.
//!
//! ```text
//! Table ──> bucket: 7 slots ──┐
//!                             ├──> | head 1 | score 8 | member |
//! Tree  ──> leaf: items ──────┘
//! ```
//!
//! A member is stored once, in its block, which the table owns; the tree has links to the same
//! blocks. A member of 16 bytes takes a block of 32, some 13 bytes of the table and 10 of the tree.
//!
//! Members are in the order of their scores, and those with one score in the order of their bytes.
//! A *rank* is how many members come before; whatever asks for a range of scores or of members
//! finds ranks first, by two ways down the tree.
//!
//! Invariant: the tree has a link to each block of the table and no others, at the place of the
//! block's score. A block is out of the tree when it is freed or gets a score with another place.

use std::cmp::Ordering;
use std::ops::{Bound, Range};

use table::Hasher;
use table::table::Ref;

use crate::block::{Block, Link, Ranked};
use crate::members::{Members, Remains};
use crate::score::Score;
use crate::tree::{Item, Key, Tree};

/// Members of a sorted set do not expire, so any time will do to look for them.
const ANY_TIME: u64 = 0;

/// A member of a sorted set with its score, in its block.
pub type Scored = Block<Ranked>;

impl Item for Link {
    #[inline]
    fn score(&self) -> Score {
        self.look().score()
    }

    #[inline]
    fn cmp_names(&self, other: &Self) -> Ordering {
        self.look().key().cmp(other.look().key())
    }

    #[inline]
    fn prefetch(&self) {
        Link::prefetch(self);
    }
}

/// What an update did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    /// The score that the member had, if it was there.
    pub old: Option<Score>,
    /// The score that it has now, if it is there.
    pub new: Option<Score>,
}

/// Byte strings in the order of their scores.
pub struct SortedSet {
    members: Members<Ranked>,
    order: Tree<Link>,
}

impl SortedSet {
    /// An empty sorted set. All of a process use the same hasher.
    pub fn new(hasher: Hasher) -> Self {
        Self { members: Members::new(hasher), order: Tree::new() }
    }

    /// The members without their order.
    pub(crate) fn members(&self) -> &Members<Ranked> {
        &self.members
    }

    /// Members.
    #[inline]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory on the heap.
    pub fn memory(&self) -> usize {
        self.members.memory() + self.order.memory()
    }

    /// The score of a member.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<Score> {
        Some(self.members.get(member, ANY_TIME)?.score())
    }

    /// Gives a member a score, whether it was there or not. Returns the score that it had.
    #[inline]
    pub fn add(&mut self, member: &[u8], score: Score) -> Option<Score> {
        self.update(member, |_| Some(score)).old
    }

    /// Lets `decide` choose the new score by the one that the member has. `None` changes nothing.
    #[inline]
    pub fn update(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<Score>) -> Option<Score>,
    ) -> Update {
        let hash = self.members.hasher().hash_member(member);
        let Some(mut found) = self.members.find_mut_hashed(hash, member) else {
            let new = decide(None);
            if let Some(score) = new {
                self.insert(hash, member, score);
            }
            return Update { old: None, new };
        };
        let old = found.block().score();
        let Some(new) = decide(Some(old)).filter(|new| *new != old) else {
            return Update { old: Some(old), new: Some(old) };
        };
        let key = key_of(found.block());
        if self.order.shift(key, new) {
            found.change(|block| block.set_score(new));
        } else {
            self.order.remove(key);
            found.change(|block| block.set_score(new));
            self.order.insert(Key { score: new, ..key });
        }
        Update { old: Some(old), new: Some(new) }
    }

    /// Adds a member that is not there yet.
    fn insert(&mut self, hash: u64, member: &[u8], score: Score) {
        let block = Scored::of_ranked(member, score);
        let key = key_of(&block);
        self.members.insert_hashed(hash, block);
        self.order.insert(key);
    }

    /// Takes a member out.
    pub fn remove(&mut self, member: &[u8]) -> Option<Scored> {
        let found = self.members.find_mut(member)?;
        let block = found.block();
        self.order.remove(key_of(block));
        Some(found.remove())
    }

    /// Takes the members of some ranks out and hands them over in ascending order.
    pub fn remove_range(&mut self, ranks: Range<usize>, mut removed: impl FnMut(Scored)) {
        let Self { members, order } = self;
        order.remove_range(ranks, |link| {
            members.remove(link.look().key(), ANY_TIME).into_iter().for_each(&mut removed);
        });
    }

    /// Takes out the member with the smallest score.
    pub fn pop_first(&mut self) -> Option<Scored> {
        self.pop(0)
    }

    /// Takes out the member with the largest score.
    pub fn pop_last(&mut self) -> Option<Scored> {
        self.pop(self.len().checked_sub(1)?)
    }

    fn pop(&mut self, rank: usize) -> Option<Scored> {
        let mut popped = None;
        self.remove_range(rank..rank + 1, |member| popped = Some(member));
        popped
    }

    /// How many members come before a member, and its score; `None` if it is not there.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, Score)> {
        let key = key_of(&*self.members.get(member, ANY_TIME)?);
        Some((self.order.rank(key)?, key.score))
    }

    /// The ranks of the members with scores between bounds.
    pub fn ranks_of_scores(&self, min: Bound<Score>, max: Bound<Score>) -> Range<usize> {
        self.ranks_between(min, max, |key, bound| key.score.cmp(bound))
    }

    /// The ranks of the members between bounds. All members must have the same score.
    pub fn ranks_of_members(&self, min: Bound<&[u8]>, max: Bound<&[u8]>) -> Range<usize> {
        self.ranks_between(min, max, |key, bound| key.item.look().key().cmp(bound))
    }

    fn ranks_between<B>(
        &self,
        min: Bound<B>,
        max: Bound<B>,
        compare: impl Fn(&Key<Link>, &B) -> Ordering,
    ) -> Range<usize> {
        let start = match &min {
            Bound::Unbounded => 0,
            Bound::Included(min) => self.order.count_before(|key| compare(key, min).is_lt()),
            Bound::Excluded(min) => self.order.count_before(|key| compare(key, min).is_le()),
        };
        let end = match &max {
            Bound::Unbounded => self.len(),
            Bound::Included(max) => self.order.count_before(|key| compare(key, max).is_le()),
            Bound::Excluded(max) => self.order.count_before(|key| compare(key, max).is_lt()),
        };
        start..end.max(start)
    }

    /// The members of some ranks in their order, or in reverse from the back.
    pub fn range(
        &self,
        ranks: Range<usize>,
    ) -> impl DoubleEndedIterator<Item = Ref<'_, Scored>> + ExactSizeIterator {
        self.order.range(ranks).map(Link::look)
    }

    /// Visits the members of one bucket, as [`table::Table::scan`] does.
    pub fn scan(&self, from: u64, visit: impl FnMut(&Scored)) -> Option<u64> {
        self.members.scan(from, ANY_TIME, visit)
    }

    /// All members, in no order; faster than in theirs.
    pub fn iter(&self) -> impl Iterator<Item = Ref<'_, Scored>> {
        self.members.iter(ANY_TIME)
    }

    /// Some member; each is equally likely. `random` gives random numbers.
    pub fn random(&self, random: impl FnMut() -> u64) -> Option<Ref<'_, Scored>> {
        self.members.random(ANY_TIME, random)
    }

    /// Visits `count` different members, or all if there are fewer; each such choice is equally
    /// likely. Their order is not random.
    pub fn sample(
        &self,
        count: usize,
        random: impl FnMut() -> u64,
        mut visit: impl FnMut(&Scored),
    ) {
        self.members.sample(count, ANY_TIME, random, |member| visit(member));
    }

    /// The members to take out or free one by one.
    pub fn into_remains(self) -> SortedRemains {
        SortedRemains { members: self.members.into_remains(), _order: self.order }
    }

    /// Checks what the head of this file promises; for tests.
    pub fn check_invariants(&self) {
        self.members.check_invariants();
        self.order.check_invariants();
        assert_eq!(self.members.len(), self.order.len());
        for scored in self.range(0..self.len()) {
            let owned = self.members.get(scored.key(), ANY_TIME);
            assert_eq!(owned.map(|block| block.address()), Some(scored.address()));
        }
    }
}

impl Clone for SortedSet {
    fn clone(&self) -> Self {
        let members = Members::with_capacity(self.len(), self.members.hasher());
        let mut copy = Self { members, order: Tree::new() };
        for scored in self.range(0..self.len()) {
            let hash = copy.members.hasher().hash_member(scored.key());
            copy.insert(hash, scored.key(), scored.score());
        }
        copy
    }
}

/// A sorted set that gets many members at once: they are put in order once, at the end.
pub struct Builder {
    members: Members<Ranked>,
}

impl Builder {
    /// No members, with room for so many. All of a process use the same hasher.
    pub fn with_capacity(members: usize, hasher: Hasher) -> Self {
        Self { members: Members::with_capacity(members, hasher) }
    }

    /// Members so far.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a member that is not there yet.
    #[inline]
    pub fn insert(&mut self, member: &[u8], score: Score) {
        self.members.insert(Scored::of_ranked(member, score));
    }

    /// Gives a member the score that `decide` finds for the one it has, if it is there.
    #[inline]
    pub fn set(&mut self, member: &[u8], decide: impl FnOnce(Option<Score>) -> Score) {
        let hash = self.members.hasher().hash_member(member);
        let Some(mut found) = self.members.find_mut_hashed(hash, member) else {
            return self.members.insert_hashed(hash, Scored::of_ranked(member, decide(None)));
        };
        let new = decide(Some(found.block().score()));
        found.change(|block| block.set_score(new));
    }

    /// Puts the members in their order.
    pub fn finish(self) -> SortedSet {
        let mut keys: Vec<_> = self.members.iter(ANY_TIME).map(|block| key_of(&block)).collect();
        keys.sort_unstable_by(Key::cmp);
        let order = Tree::of_ascending(keys.iter().map(|key| key.item));
        SortedSet { members: self.members, order }
    }
}

/// What is left of a sorted set that is no longer wanted; see [`Remains`].
pub struct SortedRemains {
    members: Remains<Ranked>,
    /// Nobody looks through its links any more. It is a fiftieth of the work to free.
    _order: Tree<Link>,
}

impl Iterator for SortedRemains {
    type Item = Scored;

    #[inline]
    fn next(&mut self) -> Option<Scored> {
        self.members.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.members.size_hint()
    }
}

impl ExactSizeIterator for SortedRemains {}

/// The place of a member in the tree, with a link to its block.
#[inline]
fn key_of(block: &Scored) -> Key<Link> {
    // SAFETY: links are only in the tree of a sorted set and in local variables of its methods and
    // its builder's. They are taken out of the tree before their block is freed; blocks do not
    // move; and a block is written only by methods that have the whole set to themselves and look
    // through no link meanwhile.
    let item = unsafe { Link::new(block) };
    Key { score: block.score(), item }
}

#[cfg(test)]
mod tests;
