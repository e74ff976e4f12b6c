//! Sets of all forms against a map to expiries; their algebra against that of `BTreeSet`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

use proptest::prelude::*;
use table::Hasher;

use super::*;
use crate::typed::Limits;

fn limits(integers: u64, members: u64, bytes: u64) -> Limits {
    let limits = Limits::new();
    limits.set_integers.store(integers, Relaxed);
    limits.set_members.store(members, Relaxed);
    limits.set_bytes.store(bytes, Relaxed);
    limits
}

fn rules(limits: &Limits, now_ms: u64) -> Rules<'_> {
    Rules { hasher: Hasher::new([1, 2]), limits, now_ms }
}

fn look(entry: &Entry, now_ms: u64) -> SetRef<'_> {
    Sets::of(entry.form(), now_ms).unwrap()
}

/// Random numbers that repeat with each test.
fn randoms(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (state ^ state >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }
}

/// Integers of all widths, short strings, and few that are long.
fn member(number: u16) -> Vec<u8> {
    match number % 8 {
        0 => format!("a member of more than sixteen bytes: {number}").into_bytes(),
        1 | 2 => format!("m{number}").into_bytes(),
        3 => (-i64::from(number) << 40).to_string().into_bytes(),
        4 => format!("0{number}").into_bytes(),
        _ => number.to_string().into_bytes(),
    }
}

fn texts(set: SetRef<'_>) -> BTreeSet<Vec<u8>> {
    let mut texts = BTreeSet::new();
    set.for_each(|member| assert!(texts.insert(member.to_vec()), "a member is shown twice"));
    assert_eq!(texts.len(), set.len());
    texts
}

#[derive(Clone, Debug)]
enum Step {
    Add(u16),
    Remove(u16),
    AddExpiring(u16, u64, bool),
    Expire(u16, Option<u64>),
    Pop(usize),
    Expect(u16, usize),
    Fill(Vec<u16>),
}

fn step(range: u16) -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => (0..range).prop_map(Step::Add),
        8 => (0..range).prop_map(Step::Remove),
        1 => (0..range, 1..200u64, any::<bool>())
            .prop_map(|(n, at, keep)| Step::AddExpiring(n, at, keep)),
        1 => (0..range, proptest::option::of(1..200u64)).prop_map(|(n, at)| Step::Expire(n, at)),
        1 => (0..40usize).prop_map(Step::Pop),
        1 => (0..range, 0..40usize).prop_map(|(n, count)| Step::Expect(n, count)),
        1 => proptest::collection::vec(0..range, 0..60).prop_map(Step::Fill),
    ]
}

type Texts = BTreeSet<Vec<u8>>;
type Model = BTreeMap<Vec<u8>, Option<u64>>;

/// Carries out a step; what it changed, in the model too.
fn take(step: &Step, set: &mut SetMut<'_>, model: &mut Model, seed: u64) {
    let now_ms = set.rules.now_ms;
    match *step {
        Step::Add(number) => {
            let text = member(number);
            assert_eq!(set.add(Value::of(&text)), !model.contains_key(&text));
            model.entry(text).or_insert(None);
        }
        Step::Remove(number) => {
            let text = member(number);
            assert_eq!(set.remove(Value::of(&text)), model.remove(&text).is_some());
        }
        Step::AddExpiring(number, after, keep) => {
            let text = member(number);
            let was_there = model.contains_key(&text);
            assert_eq!(set.add_expiring(Value::of(&text), now_ms + after, keep), !was_there);
            if !(was_there && keep) {
                model.insert(text, Some(now_ms + after));
            }
        }
        Step::Expire(number, after) => {
            let text = member(number);
            let at = after.map(|after| now_ms + after - 1);
            assert_eq!(set.expire(Value::of(&text), at), model.contains_key(&text));
            if at.is_some_and(|at| at <= now_ms) {
                model.remove(&text);
            } else if let Some(expiry) = model.get_mut(&text) {
                *expiry = at;
            }
        }
        Step::Pop(count) => {
            let count = count.min(model.len());
            let mut popped = 0;
            set.pop(count, randoms(seed), |member| {
                assert!(model.remove(&member.to_vec()).is_some());
                popped += 1;
            });
            assert_eq!(popped, count);
        }
        Step::Expect(number, count) => set.expect(Value::of(&member(number)), count),
        Step::Fill(ref numbers) => {
            let texts: BTreeSet<Vec<u8>> = numbers.iter().map(|number| member(*number)).collect();
            let values: Vec<_> = texts.iter().map(|text| Value::Bytes(text)).collect();
            let mut distinct = Distinct::new(values.len() % 7 * 100, set.rules);
            values.iter().for_each(|member| distinct.push(*member));
            assert_eq!(distinct.len(), values.len());
            *set.entry = distinct.into_entry(b"key");
            model.clear();
            model.extend(texts.iter().map(|text| (text.clone(), None)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_map_to_expiries(
        integers in 0..60u64,
        members in 0..60u64,
        bytes in prop_oneof![Just(64u64), 0..20u64],
        range in prop_oneof![Just(40u16), Just(200)],
        steps in (1..500usize).prop_flat_map(|len| proptest::collection::vec(step(200), len)),
    ) {
        let limits = limits(integers, members, bytes);
        let mut entry = Sets::empty(b"key", None);
        let mut model = Model::new();
        for (now_ms, mut step) in steps.into_iter().enumerate() {
            let now_ms = now_ms as u64 * 10 + 1000;
            if let Step::Add(number) | Step::Remove(number) = &mut step {
                *number %= range;
            }
            model.retain(|_, at| at.is_none_or(|at| at > now_ms));
            let mut set = Sets::edit(&mut entry, rules(&limits, now_ms)).unwrap();
            take(&step, &mut set, &mut model, now_ms);
            let set = look(&entry, now_ms);
            prop_assert_eq!(set.len(), model.len());
            for number in [0, 1, 3, 4, 5] {
                let text = member(number);
                prop_assert_eq!(set.contains(Value::of(&text)), model.contains_key(&text));
                prop_assert_eq!(set.contains(Value::Bytes(&text)), model.contains_key(&text));
                prop_assert_eq!(set.expires_at(Value::of(&text)), model.get(&text).copied());
            }
        }
        let set = look(&entry, u64::from(u32::MAX));
        model.retain(|_, at| at.is_none());
        prop_assert_eq!(texts(set), model.into_keys().collect());
        if let Some(table) = set.table() {
            table.check_invariants();
        }
    }

    #[test]
    fn algebra_is_that_of_sets(
        sources in proptest::collection::vec(
            (proptest::collection::btree_set(0..120u16, 0..120), 0..40u64, 0..40u64), 1..9),
        stop in 0..50usize,
    ) {
        let mut entries = Vec::new();
        let mut models = Vec::new();
        for (numbers, integers, members) in &sources {
            let limits = limits(*integers, *members, 64);
            let mut entry = Sets::empty(b"key", None);
            let mut set = Sets::edit(&mut entry, rules(&limits, 1)).unwrap();
            numbers.iter().for_each(|number| assert!(set.add(Value::of(&member(*number)))));
            entries.push(entry);
            models.push(numbers.iter().map(|number| member(*number)).collect::<BTreeSet<_>>());
        }
        let sets: Vec<_> = entries.iter().map(|entry| look(entry, 1)).collect();
        let (first, others) = models.split_first().unwrap();
        let all = |wanted: fn(&Texts, &Texts) -> Texts| {
            others.iter().fold(first.clone(), |set, other| wanted(&set, other))
        };
        type Operation = for<'v, 'e> fn(
            &[SetRef<'e>],
            &'v mut dyn FnMut(Value<'e>) -> ControlFlow<()>,
        ) -> ControlFlow<()>;
        let operations: [(Operation, Texts); 3] = [
            (algebra::intersection, all(|a, b| a & b)),
            (algebra::union, all(|a, b| a | b)),
            (algebra::difference, all(|a, b| a - b)),
        ];
        for (operation, expected) in operations {
            let mut found = BTreeSet::new();
            let outcome = operation(&sets, &mut |member| {
                assert!(found.insert(member.to_vec()), "a member is shown twice");
                ControlFlow::Continue(())
            });
            prop_assert!(outcome.is_continue());
            prop_assert_eq!(&found, &expected);
            let mut count = 0;
            let _ = operation(&sets, &mut |_| {
                count += 1;
                if count > stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            prop_assert_eq!(count, expected.len().min(stop + 1));
        }
    }
}

/// Adds members, each by itself, and tells the form.
fn form_of(limits: &Limits, members: &[&str]) -> Kind {
    let mut entry = Sets::empty(b"key", None);
    let mut set = Sets::edit(&mut entry, rules(limits, 1)).unwrap();
    for member in members {
        set.expect(Value::of(member.as_bytes()), 1);
        set.add(Value::of(member.as_bytes()));
    }
    entry.kind()
}

#[test]
fn forms_change_where_redis_changes_them() {
    let limits = limits(3, 4, 5);
    assert_eq!(form_of(&limits, &["1", "2", "3"]), Kind::IntSet);
    assert_eq!(form_of(&limits, &["1", "2", "3", "4"]), Kind::Set);
    assert_eq!(form_of(&limits, &["1", "2", "3", "x"]), Kind::PackedSet);
    assert_eq!(form_of(&limits, &["x", "1", "2", "3", "4"]), Kind::Set);
    assert_eq!(form_of(&limits, &["1", "01"]), Kind::PackedSet);
    assert_eq!(form_of(&limits, &["12345", "x"]), Kind::PackedSet);
    assert_eq!(form_of(&limits, &["123456", "x"]), Kind::Set);
    assert_eq!(form_of(&limits, &["x", "12345y"]), Kind::Set);
    assert_eq!(form_of(&limits, &[""]), Kind::PackedSet);
    limits.set_integers.store(0, Relaxed);
    assert_eq!(form_of(&limits, &["1"]), Kind::PackedSet);
    limits.set_members.store(0, Relaxed);
    assert_eq!(form_of(&limits, &["1"]), Kind::Set);
}

#[test]
fn a_run_never_gets_too_long() {
    let limits = limits(u64::MAX, u64::MAX, u64::MAX);
    for text in ["", "a rather long member of a set "] {
        let mut entry = Sets::empty(b"key", None);
        let mut set = Sets::edit(&mut entry, rules(&limits, 1)).unwrap();
        for number in 0..20_000u64 {
            assert!(set.add(Value::of(format!("{text}{}", number << 20).as_bytes())));
            assert!(set.entry.run().len() <= PACKED_BYTES_MAX);
        }
        assert_eq!(entry.kind(), Kind::Set);
        assert_eq!(look(&entry, 1).len(), 20_000);
    }
}

/// Each form, of the members 0 to 199 as text.
fn forms() -> [Entry; 3] {
    [(512, 0), (0, 512), (0, 0)].map(|(integers, members)| {
        let limits = limits(integers, members, 64);
        let mut entry = Sets::empty(b"key", None);
        let mut set = Sets::edit(&mut entry, rules(&limits, 1)).unwrap();
        for number in 0..200 {
            set.expect(Value::Int(number), 1);
            assert!(set.add(Value::Int(number)));
        }
        entry
    })
}

/// How often each member was shown, divided by how often it should have been; squared, a mean.
fn unevenness(counts: &BTreeMap<Vec<u8>, u32>, share: f64) -> f64 {
    let total: u32 = counts.values().sum();
    let mean = f64::from(total) / 200.0;
    let sum: f64 = counts.values().map(|&n| (f64::from(n) - mean).powi(2)).sum();
    sum / 200.0 / (mean * (1.0 - share))
}

#[test]
fn choices_are_even_in_every_form() {
    let mut random = randoms(3);
    for entry in forms() {
        let set = look(&entry, 1);
        let mut counts = BTreeMap::new();
        let mut note = |member: Value<'_>| *counts.entry(member.to_vec()).or_insert(0) += 1;
        (0..40_000).for_each(|_| note(set.random(&mut random).unwrap()));
        assert_eq!(counts.len(), 200);
        let uneven = unevenness(&counts, 0.0);
        assert!((0.7..1.4).contains(&uneven), "draws: {uneven:.2}");
        for count in [5, 30, 170] {
            let mut counts = BTreeMap::new();
            for _ in 0..40_000 / count {
                set.sample(count, &mut random, |member| {
                    *counts.entry(member.to_vec()).or_insert(0) += 1;
                });
            }
            let uneven = unevenness(&counts, count as f64 / 200.0);
            assert!((0.7..1.4).contains(&uneven), "samples of {count}: {uneven:.2}");
        }
    }
}

#[test]
fn what_is_popped_is_even_in_every_form() {
    let limits = Limits::new();
    let mut random = randoms(4);
    for entry in forms() {
        for count in [1, 30, 170, 200] {
            let mut counts = BTreeMap::new();
            for _ in 0..(20_000 / count).min(2000) {
                let mut copy = entry.copy_as(b"copy");
                let mut set = Sets::edit(&mut copy, rules(&limits, 1)).unwrap();
                set.pop(count, &mut random, |member| {
                    *counts.entry(member.to_vec()).or_insert(0) += 1;
                });
                assert_eq!(set.changes(), count as u64);
                assert_eq!(look(&copy, 1).len(), 200 - count);
            }
            let uneven = unevenness(&counts, count as f64 / 200.0);
            assert!(count == 200 || (0.7..1.4).contains(&uneven), "{count} popped: {uneven:.2}");
        }
    }
}

#[test]
fn a_scan_shows_all_members() {
    for entry in forms() {
        let (mut seen, mut from) = (BTreeSet::new(), Some(0));
        while let Some(hash) = from {
            from = look(&entry, 1).scan(hash, |member| _ = seen.insert(member.to_vec()));
        }
        assert_eq!(seen.len(), 200);
    }
}
