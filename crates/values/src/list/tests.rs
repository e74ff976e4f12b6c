//! Lists against a `VecDeque`, with nodes so small that every edit meets their ends.

use proptest::prelude::*;

use super::*;

fn contents(list: &List) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    list.range(End::Front, 0, usize::MAX, |value| found.push(value.to_vec()));
    found
}

fn numbered(count: usize, shape: Shape) -> List {
    let mut list = List::new(shape);
    for number in 0..count {
        list.push(End::Back, Value::of(format!("element:{number:08}").as_bytes()));
    }
    list
}

#[test]
fn shapes_follow_the_setting() {
    let limits = |size| {
        let shape = Shape::new(size, 0);
        (shape.bytes_max, shape.count_max)
    };
    assert_eq!(limits(-1), (4096, u16::MAX));
    assert_eq!(limits(-2), (8192, u16::MAX));
    assert_eq!(limits(-5), (65_536, u16::MAX));
    assert_eq!(limits(i64::MIN), (65_536, u16::MAX));
    assert_eq!(limits(0), (8192, 1));
    assert_eq!(limits(128), (8192, 128));
    assert_eq!(limits(i64::MAX), (8192, u16::MAX));
    assert_eq!(Shape::new(-2, u64::MAX).depth, u16::MAX);
}

#[test]
fn an_element_of_16_bytes_costs_less_than_18() {
    for end in [End::Front, End::Back] {
        for count in [600_000, 1_000_000] {
            let mut list = List::default();
            (0..count).for_each(|_| list.push(end, Value::Bytes(&[b'x'; 16])));
            let bytes = list.memory() as f64 / count as f64;
            assert!(bytes < 17.3, "{bytes} bytes for each of {count}");
        }
    }
}

#[test]
fn a_short_list_takes_little() {
    let mut list = List::default();
    (0..3).for_each(|_| list.push(End::Back, Value::Bytes(b"abc")));
    assert!(list.memory() <= 64 + 4 * size_of::<Node>(), "{}", list.memory());
    assert_eq!(size_of::<Node>(), 32);
}

#[test]
fn memory_goes_back_when_elements_leave() {
    for end in [End::Front, End::Back] {
        let mut list = numbered(200_000, Shape::default());
        assert_eq!(list.pop_many(end, 199_998, |_| {}), 199_998);
        assert!(list.memory() <= 2048, "{} bytes for two elements", list.memory());
        list.check_invariants();
    }
    let mut list = numbered(200_000, Shape::default());
    list.trim(100_000..100_010);
    assert!(list.memory() <= 4096, "{} bytes for ten elements", list.memory());
    assert_eq!(list.get(0, |value| value.to_vec()), Some(b"element:00100000".to_vec()));
    list.check_invariants();
}

#[test]
fn inner_nodes_are_compressed_where_that_saves_memory() {
    let list = numbered(50_000, Shape::new(-2, 2));
    list.check_invariants();
    let compressed = list.nodes.iter().filter(|node| node.is_compressed()).count();
    assert_eq!(compressed, list.node_count() - 4);
    assert!(list.memory() < numbered(50_000, Shape::default()).memory() / 2);
    assert_eq!(list.get(25_000, |value| value.to_vec()), Some(b"element:00025000".to_vec()));

    let mut random = List::new(Shape::new(-2, 1));
    let mut word = 1u64;
    for _ in 0..5000 {
        let bytes: Vec<u8> = (0..4)
            .flat_map(|_| {
                word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                word.rotate_right(29).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()
            })
            .collect();
        random.push(End::Back, Value::of(&bytes));
    }
    assert!(!random.nodes.iter().any(Node::is_compressed));
}

#[test]
fn a_list_is_freed_in_steps() {
    let mut list = numbered(10_000, Shape::new(-2, 1));
    let mut steps = 0;
    while !list.drain(3) {
        list.check_invariants();
        steps += 1;
    }
    assert_eq!((list.len(), list.node_count()), (0, 0));
    assert!(steps > 3);
}

#[test]
fn inserting_in_one_place_keeps_nodes_full() {
    let mut list = numbered(2000, Shape::default());
    let pivot = b"element:00001000";
    for number in 0..4000 {
        let text = format!("inserted:{number:07}");
        assert!(list.insert(End::Front, Value::of(pivot), Value::of(text.as_bytes())));
    }
    list.check_invariants();
    assert!(list.memory() < 6000 * 17 * 3 / 2, "{} bytes", list.memory());
}

#[test]
fn removing_half_of_all_joins_nodes() {
    let mut list = List::default();
    for number in 0..100_000usize {
        let text: &[u8] = if number % 2 == 0 { b"goes goes goes g" } else { b"stays stays stay" };
        list.push(End::Back, Value::of(text));
    }
    assert_eq!(list.remove(End::Back, Value::of(b"goes goes goes g"), usize::MAX), 50_000);
    list.check_invariants();
    assert!(list.memory() < 50_000 * 18, "{} bytes", list.memory());
}

#[derive(Clone, Debug)]
enum Step {
    Push(End, Vec<u8>, u8),
    Pop(End, u8),
    Set(u16, Vec<u8>),
    Insert(End, Vec<u8>, Vec<u8>),
    Remove(End, Vec<u8>, u8),
    Trim(u8, u8),
    Range(End, u16, u8),
    Positions(End, Vec<u8>, u8, u8, u8),
    Rebuild,
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Front), Just(End::Back)]
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => (0..10u8).prop_map(|digit| vec![b'0' + digit]),
        4 => (0..6u8).prop_map(|letter| vec![b'a' + letter; 16]),
        2 => (0..40usize).prop_map(|len| vec![b'x'; len]),
        1 => (50..400usize).prop_map(|len| vec![b'y'; len]),
        1 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (end(), element(), 1..12u8).prop_map(|(end, value, n)| Step::Push(end, value, n)),
        5 => (end(), 1..12u8).prop_map(|(end, count)| Step::Pop(end, count)),
        3 => (any::<u16>(), element()).prop_map(|(index, value)| Step::Set(index, value)),
        3 => (end(), element(), element()).prop_map(|(end, a, b)| Step::Insert(end, a, b)),
        1 => (end(), element(), 1..20u8).prop_map(|(end, value, n)| Step::Remove(end, value, n)),
        1 => (0..8u8, 0..8u8).prop_map(|(front, back)| Step::Trim(front, back)),
        2 => (end(), any::<u16>(), any::<u8>()).prop_map(|(end, at, n)| Step::Range(end, at, n)),
        2 => (end(), element(), 0..3u8, 0..5u8, any::<u8>())
            .prop_map(|(end, value, skip, n, max)| Step::Positions(end, value, skip, n, max)),
        1 => Just(Step::Rebuild),
    ]
}

/// A list and what should be in it.
struct Pair {
    list: List,
    model: VecDeque<Vec<u8>>,
}

impl Pair {
    fn push(&mut self, end: End, value: Vec<u8>) {
        self.list.push(end, Value::of(&value));
        match end {
            End::Front => self.model.push_front(value),
            End::Back => self.model.push_back(value),
        }
    }

    fn pop(&mut self, end: End) {
        let expected = match end {
            End::Front => self.model.pop_front(),
            End::Back => self.model.pop_back(),
        };
        assert_eq!(self.list.pop(end, |value| value.to_vec()), expected);
    }

    fn set(&mut self, index: u16, value: Vec<u8>) {
        let index = usize::from(index) % (self.model.len() + 1);
        assert_eq!(self.list.set(index, Value::of(&value)), index < self.model.len());
        if let Some(element) = self.model.get_mut(index) {
            *element = value;
        }
    }

    fn insert(&mut self, side: End, pivot: &[u8], value: Vec<u8>) {
        let found = self.model.iter().position(|element| element == pivot);
        assert_eq!(self.list.insert(side, Value::of(pivot), Value::of(&value)), found.is_some());
        if let Some(index) = found {
            self.model.insert(index + usize::from(side == End::Back), value);
        }
    }

    fn remove(&mut self, from: End, value: &[u8], limit: usize) {
        let mut left = limit;
        let mut stays = |element: &Vec<u8>| {
            let goes = element == value && left > 0;
            left -= usize::from(goes);
            !goes
        };
        match from {
            End::Front => self.model.retain(&mut stays),
            End::Back => {
                let kept = self.model.iter().rev().filter(|element| stays(element));
                let mut kept: VecDeque<Vec<u8>> = kept.cloned().collect();
                kept.make_contiguous().reverse();
                self.model = kept;
            }
        }
        assert_eq!(self.list.remove(from, Value::of(value), limit), limit - left);
    }

    fn trim(&mut self, front: usize, back: usize) {
        let len = self.model.len();
        self.list.trim(front..len.saturating_sub(back));
        self.model.truncate(len.saturating_sub(back));
        self.model.drain(..front.min(self.model.len()));
    }

    fn range(&self, from: End, index: u16, count: usize) {
        let index = usize::from(index) % (self.model.len() + 1);
        let mut found = Vec::new();
        self.list.range(from, index, count, |value| found.push(value.to_vec()));
        let expected: Vec<Vec<u8>> = match from {
            End::Front => self.model.iter().skip(index).take(count).cloned().collect(),
            End::Back if index >= self.model.len() => Vec::new(),
            End::Back => self.model.range(..=index).rev().take(count).cloned().collect(),
        };
        assert_eq!(found, expected);
    }

    fn positions(&self, value: &[u8], search: Search) {
        let mut found = Vec::new();
        self.list.positions(Value::of(value), search, |index| found.push(index));
        let elements = self.model.iter().enumerate();
        let order: Vec<(usize, &Vec<u8>)> = match search.from {
            End::Front => elements.collect(),
            End::Back => elements.rev().collect(),
        };
        let looked_at = order.into_iter().take(search.compared_max);
        let matches = looked_at.filter(|(_, element)| *element == value).map(|(index, _)| index);
        let expected: Vec<usize> = matches.skip(search.skip).take(search.limit).collect();
        assert_eq!(found, expected);
    }

    fn rebuild(&mut self) {
        let (mut run, mut scratch) = (Vec::new(), Vec::new());
        for node in 0..self.list.node_count() {
            run.extend_from_slice(self.list.node(node, &mut scratch).expect("a node"));
        }
        assert_eq!(packed::list::check(&run), Ok(self.model.len()));
        let rebuilt = List::from_packed(self.list.shape, &run);
        assert_eq!(contents(&rebuilt), contents(&self.list));
        self.list = self.list.clone();
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Push(end, value, count) => {
                (0..count).for_each(|_| self.push(end, value.clone()));
            }
            Step::Pop(end, count) => (0..count).for_each(|_| self.pop(end)),
            Step::Set(index, value) => self.set(index, value),
            Step::Insert(side, pivot, value) => self.insert(side, &pivot, value),
            Step::Remove(from, value, limit) => self.remove(from, &value, limit.into()),
            Step::Trim(front, back) => self.trim(front.into(), back.into()),
            Step::Range(from, index, count) => self.range(from, index, count.into()),
            Step::Positions(from, value, skip, limit, compared_max) => {
                let (skip, limit) = (skip.into(), limit.into());
                let search = Search { from, skip, limit, compared_max: compared_max.into() };
                self.positions(&value, search);
            }
            Step::Rebuild => self.rebuild(),
        }
        self.list.check_invariants();
        assert_eq!(self.list.len(), self.model.len());
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    let bytes = prop_oneof![Just(64), 40..600u32, Just(8192)];
    let count = prop_oneof![1..6u16, Just(u16::MAX)];
    (bytes, count, 0..3u16).prop_map(|(bytes_max, count_max, depth)| Shape {
        bytes_max,
        count_max,
        depth,
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn it_is_a_list(shape in shape(), steps in proptest::collection::vec(step(), 0..400)) {
        let mut pair = Pair { list: List::new(shape), model: VecDeque::new() };
        for step in steps {
            pair.step(step);
        }
        prop_assert_eq!(contents(&pair.list), Vec::from(pair.model.clone()));
        for (index, element) in pair.model.iter().enumerate() {
            let found = pair.list.get(index, |value| value.to_vec());
            prop_assert_eq!(found.as_ref(), Some(element));
        }
        prop_assert_eq!(pair.list.get(pair.model.len(), |_| ()), None);
    }
}
