//! Lists in entries against a `VecDeque`, across all their forms.

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

use proptest::prelude::*;

use super::*;
use crate::Limits;

fn limits(size: i64, depth: u64) -> Limits {
    let limits = Limits::new();
    limits.list_size.store(size, Relaxed);
    limits.list_depth.store(depth, Relaxed);
    limits
}

/// A list that is changed under these limits.
struct Subject {
    entry: Entry,
    limits: Limits,
}

impl Subject {
    fn new(size: i64, depth: u64) -> Self {
        Self { entry: Lists::empty(b"key", Some(5)), limits: limits(size, depth) }
    }

    fn edit<R>(&mut self, with: impl FnOnce(&mut ListMut<'_>) -> R) -> (R, u64) {
        let hasher = table::Hasher::new([1, 2]);
        let rules = Rules { hasher, limits: &self.limits, now_ms: 0 };
        let mut list = Lists::edit(&mut self.entry, rules).expect("it is a list");
        let result = with(&mut list);
        (result, list.changes())
    }

    fn view(&self) -> ListRef<'_> {
        Lists::of(self.entry.form(), 0).expect("it is a list")
    }

    fn contents(&self) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        self.view().for_each(|value| found.push(value.to_vec()));
        found
    }

    fn push(&mut self, end: End, words: &[&[u8]]) {
        let values = words.iter().map(|word| Value::of(word));
        self.edit(|list| list.push_many(end, values));
    }

    fn is_quick(&self) -> bool {
        matches!(self.view(), ListRef::Large(list) if list.is_outgrown())
    }

    fn is_packed(&self) -> bool {
        matches!(self.view(), ListRef::Packed(_))
    }
}

#[test]
fn elements_are_pushed_in_order() {
    for extra in [0, 300] {
        let mut subject = Subject::new(-2, 0);
        let filler = vec![b'x'; extra];
        subject.push(End::Back, &[b"c", &filler, b"d"]);
        subject.push(End::Front, &[b"b", b"a", b"1"]);
        subject.push(End::Back, &[b"e"]);
        subject.push(End::Front, &[b"0"]);
        let expected: [&[u8]; 8] = [b"0", b"1", b"a", b"b", b"c", &filler, b"d", b"e"];
        assert_eq!(subject.contents(), expected);
        assert!(subject.is_packed());
    }
}

#[test]
fn a_list_is_large_while_it_has_many_bytes() {
    let mut subject = Subject::new(-2, 0);
    let element = [b'x'; 99];
    (0..20).for_each(|_| subject.push(End::Back, &[&element]));
    assert!(subject.is_packed());
    subject.push(End::Back, &[&element]);
    assert!(!subject.is_packed() && !subject.is_quick());
    subject.edit(|list| list.pop_many(End::Front, 10, |_| {}));
    assert!(!subject.is_packed());
    subject.edit(|list| list.pop(End::Back, |_| ()));
    assert!(subject.is_packed());
    assert_eq!(subject.entry.expires_at(), Some(5));
}

#[test]
fn a_list_outgrows_a_listpack_by_bytes_where_redis_says() {
    // Seven bytes of the listpack, and the element as a string.
    for (len, is_quick) in [(8185, false), (8186, true)] {
        let mut subject = Subject::new(-2, 0);
        subject.push(End::Back, &[&vec![b'x'; len]]);
        assert_eq!(subject.is_quick(), is_quick, "{len} bytes");
    }
    let mut subject = Subject::new(-2, 0);
    for _ in 0..454 {
        // Of 18 bytes each.
        subject.push(End::Front, &[b"element:00000000"]);
    }
    // 7 + 454 * 18 = 8179
    subject.push(End::Front, &[b"0"]);
    assert!(!subject.is_quick());
    subject.push(End::Front, &[b"element:00000000"]);
    assert!(subject.is_quick());
    // 7 + 228 * 18 = 4111
    let ((), changes) = subject.edit(|list| list.pop_many(End::Front, 228, |_| {}));
    assert_eq!(changes, 228);
    assert!(subject.is_quick());
    subject.edit(|list| list.pop(End::Front, |_| ()));
    assert!(!subject.is_quick());
}

#[test]
fn a_list_outgrows_a_listpack_by_elements() {
    let mut subject = Subject::new(3, 0);
    subject.push(End::Back, &[b"a", b"b", b"c"]);
    assert!(subject.is_packed());
    subject.push(End::Back, &[b"d"]);
    assert!(subject.is_quick());
    subject.edit(|list| list.trim(0..2));
    assert!(subject.is_quick());
    subject.edit(|list| list.remove(End::Front, Value::Bytes(b"a"), 1));
    assert!(subject.is_packed());
    let mut subject = Subject::new(0, 0);
    subject.push(End::Back, &[b"a"]);
    assert!(subject.is_packed());
    // Redis takes the new value for one element more.
    subject.edit(|list| list.set(0, Value::Bytes(b"b")));
    assert!(subject.is_quick());
}

#[test]
fn sizes_of_listpacks_are_bounded_by_those_of_runs() {
    let mut lens: Vec<usize> = (0..600).chain(4000..4200).collect();
    lens.extend([16_379, 16_380, 65_535, 65_536, 2_097_146, 2_097_147]);
    let texts: Vec<Vec<u8>> = lens.into_iter().map(|len| vec![b'x'; len]).collect();
    let mut values: Vec<Value<'_>> = texts.iter().map(|text| Value::Bytes(text)).collect();
    let bits = (0..63).flat_map(|bit| [1 << bit, (1 << bit) - 1, -1 << bit, (-1 << bit) - 1]);
    values.extend(bits.chain([i64::MAX, i64::MIN]).map(Value::Int));
    for value in values {
        let (ours, theirs) = (Encoded::of(value).len(), Listpack::element_bytes(value));
        let range = ours..=ours + Listpack::ELEMENT_EXCESS_MAX;
        assert!(range.contains(&theirs), "{ours} and {theirs} bytes");
    }
}

#[test]
fn rotations_keep_the_list() {
    let mut subject = Subject::new(-2, 0);
    subject.push(End::Back, &[b"a", b"b", b"3"]);
    let mut shown = Vec::new();
    let mut rotate = |subject: &mut Subject, from, to| {
        let show = |value: Value<'_>| shown.push(value.to_vec());
        subject.edit(|list| list.rotate(from, to, show))
    };
    assert_eq!(rotate(&mut subject, End::Front, End::Back), (true, 1));
    assert_eq!(rotate(&mut subject, End::Back, End::Front), (true, 1));
    assert_eq!(rotate(&mut subject, End::Back, End::Front), (true, 1));
    assert_eq!(rotate(&mut subject, End::Front, End::Front), (true, 1));
    assert_eq!(rotate(&mut subject, End::Back, End::Back), (true, 1));
    assert_eq!(shown, [b"a", b"a", b"3", b"3", b"b"]);
    assert_eq!(subject.contents(), [b"3", b"a", b"b"]);
    let mut empty = Subject::new(-2, 0);
    assert_eq!(empty.edit(|list| list.rotate(End::Front, End::Back, |_| ())), (false, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Push(End, Vec<Vec<u8>>),
    Pop(End),
    PopMany(End, usize),
    Set(usize, Vec<u8>),
    Insert(End, Vec<u8>, Vec<u8>),
    Remove(End, Vec<u8>, usize),
    Trim(usize, usize),
    Rotate(End, End),
    Positions(End, Vec<u8>, usize, usize, usize),
    Span(End, usize, usize),
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Front), Just(End::Back)]
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0..8u8).prop_map(|letter| vec![b'a' + letter]),
        3 => (-300..300i64).prop_map(|number| number.to_string().into_bytes()),
        2 => (0..4usize).prop_map(|size| vec![b'x'; 40 * size]),
        1 => (0..4usize).prop_map(|size| vec![b'y'; 3000 * size]),
        1 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let index = || prop_oneof![4 => 0..8usize, 1 => 0..200usize];
    let limit = || prop_oneof![3 => 0..4usize, 1 => Just(usize::MAX)];
    prop_oneof![
        6 => (end(), prop::collection::vec(element(), 1..5)).prop_map(|(e, v)| Step::Push(e, v)),
        1 => (end(), prop::collection::vec(element(), 1..60)).prop_map(|(e, v)| Step::Push(e, v)),
        3 => end().prop_map(Step::Pop),
        1 => (end(), index()).prop_map(|(e, n)| Step::PopMany(e, n)),
        2 => (index(), element()).prop_map(|(i, v)| Step::Set(i, v)),
        2 => (end(), element(), element()).prop_map(|(e, p, v)| Step::Insert(e, p, v)),
        2 => (end(), element(), limit()).prop_map(|(e, v, n)| Step::Remove(e, v, n)),
        1 => (index(), index()).prop_map(|(from, len)| Step::Trim(from, from + len)),
        1 => (end(), end()).prop_map(|(from, to)| Step::Rotate(from, to)),
        2 => (end(), element(), 0..3usize, limit(), limit())
            .prop_map(|(e, v, skip, most, looked)| Step::Positions(e, v, skip, most, looked)),
        2 => (end(), index(), index()).prop_map(|(e, i, n)| Step::Span(e, i, n)),
    ]
}

type Model = VecDeque<Vec<u8>>;

fn pop(model: &mut Model, end: End) -> Option<Vec<u8>> {
    if end == End::Front { model.pop_front() } else { model.pop_back() }
}

fn push(model: &mut Model, end: End, element: Vec<u8>) {
    if end == End::Front { model.push_front(element) } else { model.push_back(element) }
}

/// The indexes of a model's elements, from an end on.
fn indexes(model: &Model, from: End) -> Vec<usize> {
    let all = 0..model.len();
    if from == End::Front { all.collect() } else { all.rev().collect() }
}

/// Does a step that changes both; how many changes it should count.
fn change(subject: &mut Subject, model: &mut Model, step: Step) -> (u64, u64) {
    match step {
        Step::Push(end, elements) => {
            let values = elements.iter().map(|element| Value::of(element));
            let (len, counted) = subject.edit(|list| list.push_many(end, values));
            let count = elements.len() as u64;
            elements.into_iter().for_each(|element| push(model, end, element));
            assert_eq!(len, model.len());
            (counted, count)
        }
        Step::Pop(end) => {
            let (popped, counted) = subject.edit(|list| list.pop(end, |value| value.to_vec()));
            assert_eq!(popped, pop(model, end));
            (counted, u64::from(popped.is_some()))
        }
        Step::PopMany(end, count) => {
            let mut popped = Vec::new();
            let each = |value: Value<'_>| popped.push(value.to_vec());
            let ((), counted) = subject.edit(|list| list.pop_many(end, count, each));
            let expected: Vec<_> = (0..count).map_while(|_| pop(model, end)).collect();
            assert_eq!(popped, expected);
            (counted, expected.len() as u64)
        }
        Step::Set(index, element) => {
            let (is_there, counted) = subject.edit(|list| list.set(index, Value::of(&element)));
            assert_eq!(is_there, index < model.len());
            model.get_mut(index).into_iter().for_each(|old| old.clone_from(&element));
            (counted, u64::from(is_there))
        }
        Step::Insert(side, pivot, element) => {
            let (pivot_value, value) = (Value::of(&pivot), Value::of(&element));
            let (is_there, counted) = subject.edit(|list| list.insert(side, pivot_value, value));
            let at = model.iter().position(|found| *found == pivot);
            assert_eq!(is_there, at.is_some());
            let at = at.map(|at| at + usize::from(side == End::Back));
            at.into_iter().for_each(|at| model.insert(at, element.clone()));
            (counted, u64::from(is_there))
        }
        Step::Remove(from, element, limit) => {
            let value = Value::of(&element);
            let (removed, counted) = subject.edit(|list| list.remove(from, value, limit));
            let mut places: Vec<usize> = indexes(model, from);
            places.retain(|index| model[*index] == element);
            places.truncate(limit);
            places.sort_unstable();
            places.iter().rev().for_each(|index| drop(model.remove(*index)));
            assert_eq!(removed, places.len());
            (counted, removed as u64)
        }
        Step::Trim(from, to) => {
            let before = model.len();
            let ((), counted) = subject.edit(|list| list.trim(from..to));
            model.truncate(to);
            model.drain(..from.min(model.len()));
            (counted, (before - model.len()) as u64)
        }
        Step::Rotate(from, to) => {
            let (is_there, counted) = subject.edit(|list| list.rotate(from, to, |_| ()));
            let moved = pop(model, from);
            assert_eq!(is_there, moved.is_some());
            moved.into_iter().for_each(|element| push(model, to, element));
            (counted, u64::from(is_there))
        }
        Step::Positions(..) | Step::Span(..) => (0, 0),
    }
}

/// Compares what both show.
fn look(subject: &Subject, model: &Model, step: &Step) {
    let list = subject.view();
    match step {
        Step::Positions(from, element, skip, limit, compared_max) => {
            let (from, skip, limit, compared_max) = (*from, *skip, *limit, *compared_max);
            let mut found = Vec::new();
            let search = Search { from, skip, limit, compared_max };
            list.positions(Value::of(element), search, |index| found.push(index));
            let looked = indexes(model, from).into_iter().take(compared_max);
            let equal = looked.filter(|index| model[*index] == *element);
            assert_eq!(found, equal.skip(skip).take(limit).collect::<Vec<_>>());
        }
        Step::Span(from, index, count) if *index < model.len() => {
            let (mut found, mut len) = (Vec::new(), 0);
            let span = list.span(*from, *index, *count);
            span.for_each(|value| {
                len += value.len();
                found.push(value.to_vec());
            });
            let beside = if *from == End::Front { *index } else { model.len() - 1 - *index };
            let wanted = indexes(model, *from).into_iter().skip(beside).take(*count);
            let expected: Vec<_> = wanted.map(|index| model[index].clone()).collect();
            assert_eq!(found, expected);
            // An integer may take fewer bytes than its digits.
            assert!(len <= 20 * count + span.bytes());
            assert_eq!(list.get(*index, |value| value.to_vec()), model.get(*index).cloned());
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn lists_are_sequences_in_every_form(
        size in prop_oneof![Just(-2i64), Just(-1), 1..6i64, Just(128)],
        depth in prop_oneof![3 => Just(0u64), 1 => 1..3u64],
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut subject = Subject::new(size, depth);
        let mut model = Model::new();
        for step in steps {
            look(&subject, &model, &step);
            let (counted, expected) = change(&mut subject, &mut model, step);
            prop_assert_eq!(counted, expected);
            prop_assert_eq!(subject.contents(), Vec::from(model.clone()));
            prop_assert_eq!(subject.view().len(), model.len());
            if let ListRef::Large(list) = subject.view() {
                list.check_invariants();
            } else {
                prop_assert!(subject.entry.run().len() <= PACKED_LIST_BYTES_MAX);
            }
        }
    }
}
