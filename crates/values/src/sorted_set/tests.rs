//! A sorted set against a map and a sorted `Vec`.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const HASHER: [u64; 2] = [7, 8];

fn score(value: f64) -> Score {
    Score::new(value).expect("a number")
}

fn member(number: u32) -> Vec<u8> {
    let pad = if number.is_multiple_of(89) { number as usize % 300 } else { 0 };
    format!("m{number:0pad$}").into_bytes()
}

#[derive(Clone, Debug)]
enum Step {
    Add(u32, f64),
    /// So many members, with scores that differ by so much.
    AddMany(u32, u32, f64, f64),
    Increment(u32, f64),
    IncrementMany(u32, u32, f64),
    Remove(u32),
    RemoveRange(usize, usize),
    RemoveScores(f64, f64),
    PopFirst,
    PopLast,
    Look(u32, f64, f64),
}

/// Few scores, so that many are equal, and some that are special.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => (-30..30i32).prop_map(|value| f64::from(value) / 4.0),
        2 => any::<f64>().prop_filter("a number", |value| !value.is_nan()),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), Just(0.0)],
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let number = || 0..3000u32;
    let by = || prop_oneof![Just(0.0), Just(1e-9), -3.0..3.0f64];
    prop_oneof![
        4 => (number(), value()).prop_map(|(n, v)| Step::Add(n, v)),
        2 => (number(), 0..1500u32, -9.0..9.0f64, by())
            .prop_map(|(n, m, first, by)| Step::AddMany(n, m, first, by)),
        3 => (number(), by()).prop_map(|(n, by)| Step::Increment(n, by)),
        1 => (number(), 0..500u32, by()).prop_map(|(n, m, by)| Step::IncrementMany(n, m, by)),
        3 => number().prop_map(Step::Remove),
        1 => (any::<usize>(), 0..1500usize).prop_map(|(at, n)| Step::RemoveRange(at, n)),
        1 => (value(), value()).prop_map(|(min, max)| Step::RemoveScores(min, max)),
        1 => Just(Step::PopFirst),
        1 => Just(Step::PopLast),
        4 => (number(), value(), value()).prop_map(|(n, min, max)| Step::Look(n, min, max)),
    ]
}

/// A sorted set, and what should be in it.
struct Pair {
    set: SortedSet,
    scores: HashMap<Vec<u8>, Score>,
}

impl Pair {
    /// All members in their order.
    fn sorted(&self) -> Vec<(Score, Vec<u8>)> {
        let mut all: Vec<_> = self.scores.iter().map(|(m, score)| (*score, m.clone())).collect();
        all.sort();
        all
    }

    fn add(&mut self, member: Vec<u8>, score: Score) {
        assert_eq!(self.set.add(&member, score), self.scores.get(&member).copied());
        self.scores.insert(member, score);
    }

    fn increment(&mut self, member: Vec<u8>, by: f64) {
        let sum = |old: Option<Score>| Score::new(old?.get() + by);
        let update = self.set.update(&member, sum);
        let old = self.scores.get(&member).copied();
        let new = sum(old).or(old);
        assert_eq!(update, Update { old, new });
        if let Some(new) = new {
            self.scores.insert(member, new);
        }
    }

    fn forget(&mut self, removed: Option<Scored>, expected: Option<(Score, Vec<u8>)>) {
        let removed = removed.map(|member| (member.score(), member.key().to_vec()));
        assert_eq!(removed, expected);
        if let Some((_, member)) = expected {
            self.scores.remove(&member);
        }
    }

    fn remove_range(&mut self, ranks: Range<usize>) {
        let all = self.sorted();
        let expected = &all[ranks.start.min(all.len())..ranks.end.min(all.len())];
        let mut removed = Vec::new();
        self.set
            .remove_range(ranks, |member| removed.push((member.score(), member.key().to_vec())));
        assert_eq!(removed, expected);
        for (_, member) in removed {
            self.scores.remove(&member);
        }
    }

    fn look(&self, number: u32, min: Score, max: Score) {
        let (all, member) = (self.sorted(), member(number));
        assert_eq!(self.set.score(&member), self.scores.get(&member).copied());
        let rank = all.iter().position(|(_, other)| *other == member);
        assert_eq!(self.set.rank(&member), rank.map(|rank| (rank, all[rank].0)));
        for (from, to) in [
            (Bound::Included(min), Bound::Included(max)),
            (Bound::Excluded(min), Bound::Excluded(max)),
            (Bound::Unbounded, Bound::Excluded(max)),
            (Bound::Excluded(min), Bound::Unbounded),
        ] {
            let ranks = self.set.ranks_of_scores(from, to);
            let is_within = |score: &Score| std::ops::RangeBounds::contains(&(from, to), score);
            let expected: Vec<_> = all.iter().filter(|(score, _)| is_within(score)).collect();
            assert_eq!(ranks.len(), expected.len());
            let found = self.set.range(ranks.clone()).map(|m| (m.score(), m.key().to_vec()));
            assert!(found.eq(expected.iter().copied().cloned()));
            let found = self.set.range(ranks).rev().map(|m| (m.score(), m.key().to_vec()));
            assert!(found.eq(expected.into_iter().rev().cloned()));
        }
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Add(number, value) => self.add(member(number), score(value)),
            Step::AddMany(first, count, value, by) => {
                for turn in 0..count {
                    self.add(member(first + turn), score(value + f64::from(turn) * by));
                }
            }
            Step::Increment(number, by) => self.increment(member(number), by),
            Step::IncrementMany(first, count, by) => {
                (first..first + count).for_each(|number| self.increment(member(number), by));
            }
            Step::Remove(number) => {
                let member = member(number);
                let expected = self.scores.get(&member).map(|score| (*score, member.clone()));
                let removed = self.set.remove(&member);
                self.forget(removed, expected);
            }
            Step::RemoveRange(at, count) => {
                let start = at % (self.scores.len() + 1);
                self.remove_range(start..start + count);
            }
            Step::RemoveScores(min, max) => {
                let bounds = (Bound::Included(score(min)), Bound::Excluded(score(max)));
                self.remove_range(self.set.ranks_of_scores(bounds.0, bounds.1));
            }
            Step::PopFirst => {
                let (popped, expected) = (self.set.pop_first(), self.sorted().first().cloned());
                self.forget(popped, expected);
            }
            Step::PopLast => {
                let (popped, expected) = (self.set.pop_last(), self.sorted().last().cloned());
                self.forget(popped, expected);
            }
            Step::Look(number, min, max) => self.look(number, score(min), score(max)),
        }
        self.set.check_invariants();
        assert_eq!(self.set.len(), self.scores.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_sorted_map(steps in proptest::collection::vec(step(), 1..60)) {
        let mut pair =
            Pair { set: SortedSet::new(Hasher::new(HASHER)), scores: HashMap::new() };
        for step in steps {
            pair.apply(step);
        }
        let found: Vec<_> =
            pair.set.range(0..usize::MAX).map(|m| (m.score(), m.key().to_vec())).collect();
        prop_assert_eq!(found, pair.sorted());
        prop_assert_eq!(pair.set.into_remains().count(), pair.scores.len());
    }

    #[test]
    fn a_builder_makes_what_additions_make(
        steps in proptest::collection::vec((0..900u32, value()), 0..2000),
    ) {
        let (mut set, mut builder) =
            (SortedSet::new(Hasher::new(HASHER)), Builder::with_capacity(500, Hasher::new(HASHER)));
        for (number, value) in steps {
            let sum = |old: Option<Score>| match old {
                Some(old) => Score::new(old.get() + value).unwrap_or(old),
                None => score(value),
            };
            set.update(&member(number), |old| Some(sum(old)));
            builder.set(&member(number), sum);
        }
        prop_assert_eq!((builder.len(), builder.is_empty()), (set.len(), set.is_empty()));
        let mut built = builder.finish();
        built.check_invariants();
        let all = |set: &SortedSet| -> Vec<_> {
            set.range(0..usize::MAX).map(|m| (m.score(), m.key().to_vec())).collect()
        };
        prop_assert_eq!(all(&built), all(&set));
        built.add(b"another", score(0.5));
        built.remove_range(3..50, |_| {});
        built.check_invariants();
    }

    #[test]
    fn members_of_one_score_are_in_the_order_of_their_bytes(
        numbers in proptest::collection::btree_set(0..5000u32, 0..1500),
        from in 0..5000u32,
        to in 0..5000u32,
    ) {
        let mut set = SortedSet::new(Hasher::new(HASHER));
        let mut model: Vec<Vec<u8>> = numbers.into_iter().map(member).collect();
        for member in &model {
            set.add(member, score(-0.0));
        }
        model.sort();
        set.check_invariants();
        let (from, to) = (member(from), member(to));
        let within = |low: Bound<&[u8]>, high: Bound<&[u8]>| {
            let found = set.range(set.ranks_of_members(low, high));
            let found: Vec<_> = found.map(|member| member.key().to_vec()).collect();
            let is_within = |m: &Vec<u8>| std::ops::RangeBounds::contains(&(low, high), &m[..]);
            assert!(found.iter().eq(model.iter().filter(|member| is_within(member))));
        };
        within(Bound::Included(&from), Bound::Included(&to));
        within(Bound::Excluded(&from), Bound::Excluded(&to));
        within(Bound::Unbounded, Bound::Excluded(&to));
        within(Bound::Included(&from), Bound::Unbounded);
    }
}

#[test]
fn a_score_that_changes_little_keeps_its_place() {
    let mut set = SortedSet::new(Hasher::new(HASHER));
    (0..1000)
        .for_each(|number| assert!(set.add(&member(number), score(f64::from(number))).is_none()));
    for number in 0..1000 {
        let update = set.update(&member(number), |old| Some(score(old?.get() + 0.5)));
        assert_eq!(update.new, Some(score(f64::from(number) + 0.5)));
        assert_eq!(set.rank(&member(number)).map(|(rank, _)| rank), Some(number as usize));
    }
    set.check_invariants();
    let nothing = Update { old: Some(score(0.5)), new: Some(score(0.5)) };
    assert_eq!(set.update(&member(0), |_| None), nothing);
    assert_eq!(set.update(b"absent", |_| None), Update { old: None, new: None });
}
