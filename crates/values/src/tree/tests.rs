//! A tree against a sorted `Vec`.

use proptest::prelude::*;

use super::*;

/// An item that has its score and name in itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Plain {
    score: i32,
    name: u32,
}

impl Item for Plain {
    fn score(&self) -> Score {
        Score::new(f64::from(self.score)).expect("a number")
    }

    fn cmp_names(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Plain),
    /// So many items, of which each has a score and a name larger by so much.
    InsertMany(Plain, usize, i32, u32),
    Remove(usize),
    RemoveRange(usize, usize),
    RemoveEach(usize),
}

fn item() -> impl Strategy<Value = Plain> {
    (-20..20i32, 0..2000u32).prop_map(|(score, name)| Plain { score, name })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => item().prop_map(Step::Insert),
        3 => (item(), 0..1500usize, -2..3i32, 0..5u32)
            .prop_map(|(first, n, score, name)| Step::InsertMany(first, n, score, name)),
        3 => any::<usize>().prop_map(Step::Remove),
        2 => (any::<usize>(), 0..1500usize).prop_map(|(at, n)| Step::RemoveRange(at, n)),
        1 => (1..9usize).prop_map(Step::RemoveEach),
    ]
}

/// A tree and what should be in it.
struct Pair {
    tree: Tree<Plain>,
    model: Vec<Plain>,
}

impl Pair {
    fn insert(&mut self, item: Plain) {
        if let Err(at) = self.model.binary_search(&item) {
            self.model.insert(at, item);
            self.tree.insert(Key::of(item));
        }
    }

    fn remove(&mut self, at: usize) {
        if at < self.model.len() {
            assert!(self.tree.remove(Key::of(self.model.remove(at))));
        }
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Insert(item) => self.insert(item),
            Step::InsertMany(mut item, count, score, name) => {
                for _ in 0..count {
                    self.insert(item);
                    item = Plain { score: item.score + score, name: item.name.wrapping_add(name) };
                }
            }
            Step::Remove(at) => self.remove(at % self.model.len().max(1)),
            Step::RemoveRange(at, count) => {
                let start = at % self.model.len().max(1);
                let end = self.model.len().min(start + count);
                let mut removed = Vec::new();
                self.tree.remove_range(start..start + count, |item| removed.push(item));
                assert_eq!(removed, self.model.drain(start..end).collect::<Vec<_>>());
            }
            Step::RemoveEach(step) => {
                (0..self.model.len()).rev().step_by(step).for_each(|at| self.remove(at));
            }
        }
    }

    fn check(&self, random: usize) {
        self.tree.check_invariants();
        let len = self.model.len();
        assert_eq!(self.tree.len(), len);
        assert!(self.tree.range(0..len).eq(&self.model));
        assert!(self.tree.range(0..len + 5).rev().eq(self.model.iter().rev()));
        if len > 0 {
            let (rank, other) = (random % len, random / 7 % len);
            let item = self.model[rank];
            assert_eq!(self.tree.rank(Key::of(item)), Some(rank));
            let (start, end) = (rank.min(other), rank.max(other));
            let mut range = self.tree.range(start..end);
            assert_eq!(range.len(), end - start);
            // From both ends towards the middle.
            let mut model = self.model[start..end].iter();
            while let Some(item) = model.next() {
                assert_eq!(range.next(), Some(item));
                assert_eq!(range.next_back(), model.next_back());
            }
            assert_eq!((range.next(), range.next_back()), (None, None));
            let before = self.tree.count_before(|key| key.score < item.score());
            assert_eq!(before, self.model.partition_point(|other| other.score < item.score));
        }
        let absent = Plain { score: 100_000, name: 0 };
        assert_eq!(self.tree.rank(Key::of(absent)), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_sorted_vec(
        steps in proptest::collection::vec((step(), any::<usize>()), 1..60),
    ) {
        let mut pair = Pair { tree: Tree::new(), model: Vec::new() };
        for (step, random) in steps {
            pair.apply(step);
            pair.check(random);
        }
        pair.tree.remove_range(0..usize::MAX, |_| {});
        pair.model.clear();
        pair.check(0);
        prop_assert!(pair.tree.memory() <= NODE_BYTES_MIN);
    }
}

#[test]
fn a_tree_of_items_in_order_is_one_that_grew() {
    for len in (0..300).chain([3_000, 100_000]) {
        let items: Vec<_> =
            (0..len).map(|name| Plain { score: name / 7, name: name as u32 }).collect();
        let mut pair = Pair { tree: Tree::of_ascending(items.iter().copied()), model: items };
        pair.check(len as usize / 3);
        pair.insert(Plain { score: len / 14, name: 1_000_000 });
        pair.remove(len as usize / 2);
        pair.check(len as usize / 5);
    }
}

fn bytes_per_item(items: impl Iterator<Item = i32>) -> f64 {
    let mut tree = Tree::new();
    items.for_each(|score| tree.insert(Key::of(Plain { score, name: 0 })));
    tree.check_invariants();
    tree.memory() as f64 / tree.len() as f64
}

#[test]
fn nodes_are_well_filled_in_any_order() {
    const COUNT: i32 = 200_000;
    let scattered = |number: i32| number.wrapping_mul(0x5bd1_e995).wrapping_add(12_345);
    assert!(bytes_per_item((0..COUNT).map(scattered)) < 11.0);
    assert!(bytes_per_item(0..COUNT) < 9.1);
    assert!(bytes_per_item((0..COUNT).rev()) < 9.1);
    // Two ascending runs at once, one of which has no end of the tree for itself.
    let two = (0..COUNT).flat_map(|number| [number, number + COUNT]);
    assert!(bytes_per_item(two) < 12.0);
}
