//! Sorted sets of entries against a sorted `Vec`, in both forms and from one to the other.

use std::collections::BTreeMap;

use proptest::prelude::*;
use table::Hasher;

use super::*;
use crate::Limits;

const HASHER: [u64; 2] = [7, 8];

fn score(value: f64) -> Score {
    Score::new(value).expect("a number")
}

/// Limits by their members and bytes.
fn limits(members: u64, bytes: u64) -> Limits {
    let mut limits = Limits::new();
    *limits.sorted_set_members.get_mut() = members;
    *limits.sorted_set_bytes.get_mut() = bytes;
    limits
}

fn rules(limits: &Limits) -> Rules<'_> {
    Rules { hasher: Hasher::new(HASHER), limits, now_ms: 1 }
}

/// The members of an entry with their scores, in their order.
fn all(entry: &Entry) -> Vec<(Score, Vec<u8>)> {
    let set = SortedSets::of(entry.form(), 1).expect("a sorted set");
    let mut all = Vec::new();
    set.for_each(0..set.len(), false, |name, score| all.push((score, name.to_vec())));
    all
}

#[derive(Clone, Debug)]
enum Step {
    Set(Vec<u8>, f64),
    Add(Vec<u8>, f64),
    Leave(Vec<u8>),
    Remove(Vec<u8>),
    RemoveRange(usize, usize),
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-20..60i64).prop_map(|number| number.to_string().into_bytes()),
        3 => proptest::collection::vec(b'a'..b'd', 0..3),
        1 => proptest::collection::vec(any::<u8>(), 0..80),
    ]
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-9..9i32).prop_map(|value| f64::from(value) / 2.0),
        1 => any::<f64>().prop_filter("a number", |value| !value.is_nan()),
        1 => prop_oneof![Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0)],
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (name(), value()).prop_map(|(name, value)| Step::Set(name, value)),
        3 => (name(), value()).prop_map(|(name, value)| Step::Add(name, value)),
        1 => name().prop_map(Step::Leave),
        2 => name().prop_map(Step::Remove),
        1 => (any::<usize>(), 0..9usize).prop_map(|(at, count)| Step::RemoveRange(at, count)),
    ]
}

/// An entry with a sorted set, and what should be in it.
struct Pair {
    entry: Entry,
    model: BTreeMap<Vec<u8>, Score>,
}

impl Pair {
    fn sorted(&self) -> Vec<(Score, Vec<u8>)> {
        let mut all: Vec<_> = self.model.iter().map(|(m, score)| (*score, m.clone())).collect();
        all.sort();
        all
    }

    fn update(
        &mut self,
        name: Vec<u8>,
        rules: Rules<'_>,
        decide: impl Fn(Option<Score>) -> Option<Score>,
    ) {
        let mut set = SortedSets::edit(&mut self.entry, rules).expect("a sorted set");
        let old = self.model.get(&name).copied();
        let new = decide(old).or(old);
        assert_eq!(set.update(&name, &decide), Update { old, new });
        assert_eq!(set.changes(), u64::from(old != new));
        if let Some(new) = new {
            self.model.insert(name, new);
        }
    }

    fn apply(&mut self, step: Step, rules: Rules<'_>) {
        match step {
            Step::Set(name, value) => self.update(name, rules, |_| Some(score(value))),
            Step::Add(name, value) => {
                self.update(name, rules, |old| Score::new(old.map_or(0.0, Score::get) + value))
            }
            Step::Leave(name) => self.update(name, rules, |_| None),
            Step::Remove(name) => {
                let mut set = SortedSets::edit(&mut self.entry, rules).expect("a sorted set");
                let was_there = self.model.remove(&name).is_some();
                assert_eq!(set.remove(&name), was_there);
                assert_eq!(set.changes(), u64::from(was_there));
            }
            Step::RemoveRange(at, count) => {
                let all = self.sorted();
                let start = at % (all.len() + 1);
                let end = all.len().min(start + count);
                let mut set = SortedSets::edit(&mut self.entry, rules).expect("a sorted set");
                set.remove_range(start..end);
                assert_eq!(set.changes(), (end - start) as u64);
                all[start..end].iter().for_each(|(_, name)| _ = self.model.remove(name));
            }
        }
    }

    fn check(&self, name: &[u8], min: f64, max: f64) {
        let expected = self.sorted();
        assert_eq!(all(&self.entry), expected);
        let set = SortedSets::of(self.entry.form(), 1).expect("a sorted set");
        assert_eq!((set.len(), set.is_empty()), (expected.len(), expected.is_empty()));
        assert_eq!(set.score(name), self.model.get(name).copied());
        let rank = expected.iter().position(|(_, other)| other == name);
        assert_eq!(set.rank(name), rank.map(|rank| (rank, expected[rank].0)));
        let bounds = [Bound::Included(score(min)), Bound::Excluded(score(min)), Bound::Unbounded];
        for (low, high) in bounds.into_iter().zip(bounds.map(|bound| bound.map(|_| score(max)))) {
            let ranks = set.ranks_of_scores(low, high);
            let mut found = Vec::new();
            set.for_each(ranks, true, |name, score| found.push((score, name.to_vec())));
            let is_within = |score: &Score| is_at_least(score, &low) && is_at_most(score, &high);
            let within = expected.iter().rev().filter(|(score, _)| is_within(score));
            assert!(found.iter().eq(within));
        }
        self.check_choices(set);
    }

    /// What comes by chance must be there, and once where it should.
    fn check_choices(&self, set: SortedSetRef<'_>) {
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state
        };
        for count in [1, set.len() / 2, set.len(), set.len() + 3] {
            let mut sample = BTreeMap::new();
            set.sample(count, &mut random, |name, score| {
                assert!(sample.insert(name.to_vec(), score).is_none());
            });
            assert_eq!(sample.len(), count.min(set.len()));
            assert!(sample.iter().all(|(name, score)| self.model.get(name) == Some(score)));
        }
        let mut drawn = 0;
        for _ in 0..5 {
            set.random(&mut random, |name, score| {
                drawn += 1;
                assert_eq!(self.model.get(name), Some(&score));
            });
        }
        assert_eq!(drawn, if set.is_empty() { 0 } else { 5 });
        let (mut seen, mut from) = (BTreeMap::new(), Some(0));
        while let Some(at) = from {
            from = set.scan(at, |name, score| _ = seen.insert(name.to_vec(), score));
        }
        assert_eq!(seen, self.model);
        let mut visited = 0;
        set.try_for_each(|_, _| {
            visited += 1;
            if visited == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(visited, set.len().min(3));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_sorted_map(
        steps in proptest::collection::vec(step(), 1..200),
        (members, bytes) in (0..40u64, 0..90u64),
        look in (name(), value(), value()),
    ) {
        let limits = limits(members, bytes);
        let rules = rules(&limits);
        let mut pair = Pair { entry: SortedSets::empty(b"key", None), model: BTreeMap::new() };
        for (number, step) in steps.into_iter().enumerate() {
            pair.apply(step, rules);
            if number % 16 == 0 {
                pair.check(&look.0, look.1, look.2);
            }
        }
        pair.check(&look.0, look.1, look.2);
        let mut builder = Builder::with_capacity(0, rules.hasher);
        pair.model.iter().for_each(|(name, score)| builder.insert(name, *score));
        let built = SortedSets::entry(b"another", builder, rules);
        prop_assert_eq!(all(&built), all(&pair.entry));
        let is_small = pair.model.len() as u64 <= members
            && pair.model.keys().all(|name| name.len() as u64 <= bytes);
        prop_assert_eq!(built.kind() == Kind::PackedSortedSet, is_small);
    }

    #[test]
    fn members_of_one_score_have_ranges(
        names in proptest::collection::btree_set(name(), 0..60),
        (min, max) in (name(), name()),
        is_packed in any::<bool>(),
    ) {
        let limits = limits(if is_packed { 100 } else { 0 }, 100);
        let mut builder = Builder::with_capacity(0, Hasher::new(HASHER));
        names.iter().for_each(|name| builder.insert(name, score(0.0)));
        let entry = SortedSets::entry(b"key", builder, rules(&limits));
        let set = SortedSets::of(entry.form(), 1).expect("a sorted set");
        let (min, max) = if min <= max { (min, max) } else { (max, min) };
        for (low, high) in [
            (Bound::Included(&min[..]), Bound::Included(&max[..])),
            (Bound::Excluded(&min[..]), Bound::Unbounded),
            (Bound::Unbounded, Bound::Excluded(&max[..])),
        ] {
            for from_back in [false, true] {
                let mut found = Vec::new();
                let ranks = set.ranks_of_members(low, high, from_back);
                set.for_each(ranks, false, |name, _| found.push(name.to_vec()));
                let within = |name: &&Vec<u8>| {
                    is_at_least(&name[..], &low) && is_at_most(&name[..], &high)
                };
                prop_assert!(found.iter().eq(names.iter().filter(within)));
            }
        }
    }
}

#[test]
fn a_packed_set_of_many_scores_shows_one_piece_of_a_range_of_members() {
    let limits = limits(10, 10);
    let mut builder = Builder::with_capacity(0, Hasher::new(HASHER));
    for (name, value) in [("a", 1.0), ("z", 2.0), ("c", 3.0), ("b", 5.0)] {
        builder.insert(name.as_bytes(), score(value));
    }
    let entry = SortedSets::entry(b"key", builder, rules(&limits));
    let set = SortedSets::of(entry.form(), 1).expect("a sorted set");
    let (min, max) = (Bound::Included(&b"b"[..]), Bound::Included(&b"d"[..]));
    assert_eq!(set.ranks_of_members(min, max, false).len(), 0);
    assert_eq!(set.ranks_of_members(min, max, true), 1..4);
}

#[test]
fn a_packed_set_is_never_too_long() {
    let limits = limits(u64::MAX, u64::MAX);
    let mut entry = SortedSets::empty(b"key", Some(5));
    let mut set = SortedSets::edit(&mut entry, rules(&limits)).expect("a sorted set");
    set.expect(1_000_000, 1_000_000);
    for number in 0..3_000 {
        set.update(format!("a member of some length {number}").as_bytes(), |_| Some(score(0.5)));
    }
    assert_eq!((entry.kind(), entry.expires_at()), (Kind::SortedSet, Some(5)));
    assert_eq!(all(&entry).len(), 3_000);
}

#[test]
fn what_will_be_large_begins_so() {
    for (members, bytes, kind) in
        [(10, 10, Kind::PackedSortedSet), (11, 10, Kind::SortedSet), (10, 11, Kind::SortedSet)]
    {
        let limits = limits(10, 10);
        let mut entry = SortedSets::empty(b"key", None);
        SortedSets::edit(&mut entry, rules(&limits)).expect("a sorted set").expect(members, bytes);
        assert_eq!(entry.kind(), kind);
    }
}
