//! Sorted sets in whatever form an entry keeps them.
//!
//! Members are shown as bytes in both forms: commands send them, compare them and look for them in
//! other sets. A packed sorted set knows no negative zero (nor does Redis's): its scores are told
//! from members by being numbers.

#![forbid(unsafe_code)]

use std::borrow::Borrow;
use std::ops::{Bound, ControlFlow, Range};

use crate::entry::{Entry, Form, Kind, PACKED_BYTES_MAX};
use crate::members::below;
use crate::packed::sorted_set::{self as packed, Scored as Packed};
use crate::packed::{Encoded, Splice};
use crate::sorted_set::{Builder, Scored, SortedSet, Update};
use crate::typed::{Edit, Rules, Type, within};
use crate::{Score, Value};

/// The type of sorted sets.
pub enum SortedSets {}

/// A sorted set to look at.
#[derive(Clone, Copy)]
pub struct SortedSetRef<'e>(Kept<'e>);

#[derive(Clone, Copy)]
enum Kept<'e> {
    Packed(&'e [u8]),
    Boxed(&'e SortedSet),
}

/// A sorted set to change.
pub struct SortedSetMut<'e> {
    entry: &'e mut Entry,
    rules: Rules<'e>,
    changes: u64,
}

impl Type for SortedSets {
    type Ref<'e> = SortedSetRef<'e>;
    type Mut<'e> = SortedSetMut<'e>;

    #[inline]
    fn of(form: Form<'_>, _: u64) -> Option<SortedSetRef<'_>> {
        match form {
            Form::PackedSortedSet(run) => Some(SortedSetRef(Kept::Packed(run))),
            Form::SortedSet(set) => Some(SortedSetRef(Kept::Boxed(set))),
            _ => None,
        }
    }

    #[inline]
    fn edit<'e>(entry: &'e mut Entry, rules: Rules<'e>) -> Option<SortedSetMut<'e>> {
        let is_one = matches!(entry.kind(), Kind::PackedSortedSet | Kind::SortedSet);
        is_one.then_some(SortedSetMut { entry, rules, changes: 0 })
    }

    fn empty(key: &[u8], expires_at: Option<u64>) -> Entry {
        Entry::packed(key, Kind::PackedSortedSet, &[], expires_at)
    }
}

impl SortedSets {
    /// An entry with what was built, in the smallest form.
    pub fn entry(key: &[u8], builder: Builder, rules: Rules<'_>) -> Entry {
        let set = builder.finish();
        match pack(&set, rules) {
            Some(run) => Entry::packed(key, Kind::PackedSortedSet, &run, None),
            None => Entry::boxed(key, Box::new(set), None),
        }
    }
}

/// A sorted set in its packed form, if it may have that.
fn pack(set: &SortedSet, rules: Rules<'_>) -> Option<Vec<u8>> {
    if !within(set.len(), &rules.limits.sorted_set_members) {
        return None;
    }
    let mut run = Vec::new();
    for scored in set.range(0..set.len()) {
        let items = items(Value::of(scored.key()), scored.score());
        let len = run.len() + items.iter().map(Encoded::len).sum::<usize>();
        if !within(scored.key().len(), &rules.limits.sorted_set_bytes) || len > PACKED_BYTES_MAX {
            return None;
        }
        items.iter().for_each(|item| item.append(&mut run));
    }
    Some(run)
}

/// A member with its score, to be written.
fn items(member: Value<'_>, score: Score) -> [Encoded<'_>; 2] {
    [Encoded::of(member), Encoded::score(unsigned_zero(score).get())]
}

/// The score without the sign of a zero.
fn unsigned_zero(score: Score) -> Score {
    Score::new(score.get() + 0.0).unwrap_or(score)
}

impl<'e> SortedSetRef<'e> {
    /// Members.
    #[inline]
    pub fn len(&self) -> usize {
        match self.0 {
            Kept::Packed(run) => packed::len(run),
            Kept::Boxed(set) => set.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        match self.0 {
            Kept::Packed(run) => run.is_empty(),
            Kept::Boxed(set) => set.is_empty(),
        }
    }

    /// The score of a member.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<Score> {
        match self.0 {
            Kept::Packed(run) => Some(packed::find(run, Value::of(member)).ok()?.1.score),
            Kept::Boxed(set) => set.score(member),
        }
    }

    /// How many members come before a member, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, Score)> {
        match self.0 {
            Kept::Packed(run) => {
                let (rank, found) = packed::find(run, Value::of(member)).ok()?;
                Some((rank, found.score))
            }
            Kept::Boxed(set) => set.rank(member),
        }
    }

    /// The ranks of the members with scores between bounds.
    pub fn ranks_of_scores(&self, min: Bound<Score>, max: Bound<Score>) -> Range<usize> {
        let run = match self.0 {
            Kept::Packed(run) => run,
            Kept::Boxed(set) => return set.ranks_of_scores(min, max),
        };
        let (mut start, mut end) = (0, 0);
        for found in packed::members(run) {
            if !is_at_most(&found.score, &max) {
                break;
            }
            start += usize::from(!is_at_least(&found.score, &min));
            end += 1;
        }
        start..end
    }

    /// The ranks of the members between bounds, of which the first is not above the second.
    ///
    /// It is meant for members of one score. Where scores differ, a packed set behaves as Redis's
    /// does: it shows what lies between the bounds in one piece, from that side where it begins.
    pub fn ranks_of_members(
        &self,
        min: Bound<&[u8]>,
        max: Bound<&[u8]>,
        from_back: bool,
    ) -> Range<usize> {
        let run = match self.0 {
            Kept::Packed(run) => run,
            Kept::Boxed(set) => return set.ranks_of_members(min, max),
        };
        // For each member whether it is at least the minimum and at most the maximum.
        let sides: Vec<(bool, bool)> = packed::members(run)
            .map(|found| {
                let sides = |name: &[u8]| (is_at_least(name, &min), is_at_most(name, &max));
                found.member.with_bytes(sides)
            })
            .collect();
        let may_overlap =
            matches!((sides.first(), sides.last()), (Some((_, true)), Some((true, _))));
        let (start, end) = if !may_overlap {
            (0, 0)
        } else if from_back {
            let end = sides.iter().rposition(|(_, below)| *below).map_or(0, |last| last + 1);
            let before = sides.iter().take(end).rposition(|(above, _)| !above);
            (before.map_or(0, |before| before + 1), end)
        } else {
            let start = sides.iter().position(|(above, _)| *above).unwrap_or(sides.len());
            let within = sides.iter().skip(start).take_while(|(_, below)| *below);
            (start, start + within.count())
        };
        start..end
    }

    /// Visits the members of some ranks in ascending order, or in descending order.
    #[inline]
    pub fn for_each(
        &self,
        ranks: Range<usize>,
        descending: bool,
        mut visit: impl FnMut(&[u8], Score),
    ) {
        match (self.0, descending) {
            (Kept::Packed(run), false) => {
                let members = packed::members(run).skip(ranks.start).take(ranks.len());
                members.for_each(|found| show(&found, &mut visit));
            }
            (Kept::Packed(run), true) => {
                let members = packed::members(run).skip(ranks.start).take(ranks.len());
                let members: Vec<_> = members.collect();
                members.iter().rev().for_each(|found| show(found, &mut visit));
            }
            (Kept::Boxed(set), false) => {
                set.range(ranks).for_each(|scored| visit(scored.key(), scored.score()));
            }
            (Kept::Boxed(set), true) => {
                set.range(ranks).rev().for_each(|scored| visit(scored.key(), scored.score()));
            }
        }
    }

    /// Visits the members with this score and with higher ones in ascending order, until one is the
    /// last to be visited. What is shown lives as long as the set is borrowed.
    #[inline]
    pub fn try_from_score(
        &self,
        min: Score,
        mut visit: impl FnMut(Value<'e>, Score) -> ControlFlow<()>,
    ) {
        // Whoever breaks has what it wants.
        _ = match self.0 {
            Kept::Packed(run) => {
                let mut members = packed::members(run).skip_while(|found| found.score < min);
                members.try_for_each(|found| visit(found.member, found.score))
            }
            Kept::Boxed(set) => {
                let ranks = set.ranks_of_scores(Bound::Included(min), Bound::Unbounded);
                set.range(ranks).try_for_each(|scored| {
                    visit(Value::Bytes(Scored::key_of(&scored)), scored.score())
                })
            }
        };
    }

    /// Visits all members, in no order, until one is the last to be visited.
    #[inline]
    pub fn try_for_each(&self, mut visit: impl FnMut(&[u8], Score) -> ControlFlow<()>) {
        // Whoever breaks has what it wants, so it is no matter of who did.
        _ = match self.0 {
            Kept::Packed(run) => packed::members(run)
                .try_for_each(|found| found.member.with_bytes(|name| visit(name, found.score))),
            Kept::Boxed(set) => {
                set.iter().try_for_each(|scored| visit(scored.key(), scored.score()))
            }
        };
    }

    /// Visits some member, if there is one; each is equally likely. `random` gives random numbers.
    pub fn random(&self, mut random: impl FnMut() -> u64, mut visit: impl FnMut(&[u8], Score)) {
        match self.0 {
            Kept::Packed(run) => {
                let nth = below(self.len(), random());
                packed::members(run).nth(nth).iter().for_each(|found| show(found, &mut visit));
            }
            Kept::Boxed(set) => {
                let scored = set.random(random);
                scored.into_iter().for_each(|scored| visit(scored.key(), scored.score()));
            }
        }
    }

    /// Visits `count` different members, or all if there are fewer; each such choice is equally
    /// likely. Their order is not random.
    pub fn sample(
        &self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(&[u8], Score),
    ) {
        match self.0 {
            Kept::Packed(run) => {
                let mut wanted = count;
                for (left, found) in (1..=packed::len(run)).rev().zip(packed::members(run)) {
                    if below(left, random()) < wanted {
                        wanted -= 1;
                        show(&found, &mut visit);
                    }
                }
            }
            Kept::Boxed(set) => {
                set.sample(count, random, |scored| visit(scored.key(), scored.score()));
            }
        }
    }

    /// Visits some members and tells where to go on, as [`SortedSet::scan`] does; a packed set is
    /// visited at once.
    pub fn scan(&self, from: u64, mut visit: impl FnMut(&[u8], Score)) -> Option<u64> {
        match self.0 {
            Kept::Packed(run) => {
                packed::members(run).for_each(|found| show(&found, &mut visit));
                None
            }
            Kept::Boxed(set) => set.scan(from, |scored| visit(scored.key(), scored.score())),
        }
    }
}

#[inline]
fn show(found: &Packed<'_>, visit: &mut impl FnMut(&[u8], Score)) {
    found.member.with_bytes(|name| visit(name, found.score));
}

fn is_at_least<T: Ord + ?Sized>(item: &T, min: &Bound<impl Borrow<T>>) -> bool {
    match min {
        Bound::Unbounded => true,
        Bound::Included(min) => item >= min.borrow(),
        Bound::Excluded(min) => item > min.borrow(),
    }
}

fn is_at_most<T: Ord + ?Sized>(item: &T, max: &Bound<impl Borrow<T>>) -> bool {
    match max {
        Bound::Unbounded => true,
        Bound::Included(max) => item <= max.borrow(),
        Bound::Excluded(max) => item < max.borrow(),
    }
}

impl Edit for SortedSetMut<'_> {
    #[inline]
    fn changes(&self) -> u64 {
        self.changes
    }
}

impl SortedSetMut<'_> {
    /// The sorted set as it is now.
    #[inline]
    pub fn view(&self) -> SortedSetRef<'_> {
        SortedSetRef(match self.entry.form() {
            Form::SortedSet(set) => Kept::Boxed(set),
            _ => Kept::Packed(self.entry.run()),
        })
    }

    /// Gives an empty set the form that it needs for so many members, the longest of so many bytes.
    pub fn expect(&mut self, members: usize, bytes_max: usize) {
        let limits = self.rules.limits;
        let is_small = within(members, &limits.sorted_set_members)
            && within(bytes_max, &limits.sorted_set_bytes);
        if !is_small && self.view().is_empty() {
            self.unpack();
        }
    }

    /// Lets `decide` choose the new score of a member by the one that it has. `None` changes
    /// nothing.
    #[inline]
    pub fn update(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<Score>) -> Option<Score>,
    ) -> Update {
        let update = match self.entry.boxed_mut::<SortedSet>() {
            Some(set) => set.update(member, decide),
            None => self.update_packed(member, decide),
        };
        self.changes += u64::from(update.old != update.new);
        update
    }

    fn update_packed(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<Score>) -> Option<Score>,
    ) -> Update {
        let (run, name, limits) = (self.entry.run(), Value::of(member), self.rules.limits);
        let (found, may_stay) = match packed::find(run, name) {
            Ok((_, found)) => (Some(found), true),
            Err(len) => {
                let is_one_more = within(len + 1, &limits.sorted_set_members);
                (None, is_one_more && within(member.len(), &limits.sorted_set_bytes))
            }
        };
        let old = found.as_ref().map(|found| found.score);
        let Some(new) = decide(old).filter(|new| Some(*new) != old) else {
            return Update { old, new: old };
        };
        let edits = packed::set_score(run, found.as_ref(), name, unsigned_zero(new));
        let lens = edits.iter().flatten().scan(run.len(), |len, edit| {
            *len = edit.len_after(*len);
            Some(*len)
        });
        if may_stay && lens.max() <= Some(PACKED_BYTES_MAX) {
            edits.iter().flatten().for_each(|edit| self.entry.splice(edit));
        } else {
            self.unpack();
            self.entry.boxed_mut::<SortedSet>().map(|set| set.add(member, new));
        }
        Update { old, new: Some(new) }
    }

    /// Gives a packed set its large form.
    #[cold]
    fn unpack(&mut self) {
        let run = self.entry.run();
        let mut builder = Builder::with_capacity(packed::len(run), self.rules.hasher);
        for found in packed::members(run) {
            show(&found, &mut |name, score| builder.insert(name, score));
        }
        self.entry.set_boxed(Box::new(builder.finish()));
    }

    /// Takes a member out. Returns whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let was_there = match self.entry.boxed_mut::<SortedSet>() {
            Some(set) => set.remove(member).is_some(),
            None => match packed::find(self.entry.run(), Value::of(member)) {
                Ok((_, found)) => {
                    self.entry.splice(&Splice::cut(found.range));
                    true
                }
                Err(_) => false,
            },
        };
        self.changes += u64::from(was_there);
        was_there
    }

    /// Takes the members of some ranks out.
    pub fn remove_range(&mut self, ranks: Range<usize>) {
        if ranks.is_empty() {
            return;
        }
        self.changes += ranks.len() as u64;
        if let Some(set) = self.entry.boxed_mut::<SortedSet>() {
            return set.remove_range(ranks, drop);
        }
        let mut members = packed::members(self.entry.run()).skip(ranks.start).take(ranks.len());
        let first = members.next().map(|first| first.range);
        let last = members.last().map(|last| last.range);
        if let Some(first) = first {
            let end = last.map_or(first.end, |last| last.end);
            self.entry.splice(&Splice::cut(first.start..end));
        }
    }
}

#[cfg(test)]
mod tests;
