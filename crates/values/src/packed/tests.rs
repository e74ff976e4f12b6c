//! Packed runs against plain collections.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::score::Score;

/// The bytes of one item.
fn bytes_of(item: Encoded<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    item.append(&mut bytes);
    assert_eq!(bytes.len(), item.len());
    let mut written = vec![0xee; bytes.len() + 1];
    item.write(&mut written);
    assert_eq!(written[..bytes.len()], bytes);
    assert_eq!(written[bytes.len()], 0xee);
    bytes
}

#[test]
fn every_kind_of_item_has_the_documented_form() {
    let value = |text: &[u8]| bytes_of(Encoded::of(Value::of(text)));
    assert_eq!(value(b""), [0x80]);
    assert_eq!(value(b"abc"), *b"\x83abc");
    assert_eq!(value(b"0"), [0]);
    assert_eq!(value(b"127"), [127]);
    assert_eq!(value(b"128"), [0xc9, 128, 0]);
    assert_eq!(value(b"-1"), [0xc9, 0xff, 0xff]);
    assert_eq!(value(b"12345"), [0xc9, 0x39, 0x30]);
    assert_eq!(value(b"-32768"), [0xc9, 0, 0x80]);
    assert_eq!(value(b"32768"), [0xca, 0, 0x80, 0]);
    assert_eq!(value(b"1767225600000").len(), 7);
    assert_eq!(value(b"-9223372036854775808").len(), 9);
    assert_eq!(value(b"01"), *b"\x8201");
    assert_eq!(value(&[b'x'; 63])[..2], [0xbf, b'x']);
    assert_eq!(value(&[b'x'; 64])[..3], [0xc0, 64, b'x']);
    assert_eq!(value(&[b'x'; 300])[..4], [0xc1, 44, 1, b'x']);
    assert_eq!(value(&[b'x'; 70_000])[..5], [0xc2, 0x70, 0x11, 1, b'x']);
    assert_eq!(bytes_of(Encoded::score(3.0)), [3]);
    assert_eq!(bytes_of(Encoded::score(0.5))[..2], [0xd0, 0]);
    assert_eq!(bytes_of(Encoded::score(-0.0)), [0xd0, 0, 0, 0, 0, 0, 0, 0, 0x80]);
    assert_eq!(bytes_of(Encoded::expiry(1)), [0xd1, 1, 0, 0, 0, 0, 0]);
    assert_eq!(bytes_of(Encoded::expiry(u64::MAX)), [0xd1, 255, 255, 255, 255, 255, 255]);
}

#[test]
fn forms_that_we_would_not_write_are_refused() {
    let cases: &[&[u8]] = &[
        b"\x83ab",
        b"\x811",
        b"\x82-1",
        b"\xc0\x02ab",
        b"\xc1\x40\x00",
        b"\xc7\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\xc8\x01",
        b"\xc9\x01\x00",
        b"\xca\x39\x30\x00",
        b"\xc9\x01",
        b"\xd2",
        b"\xff",
    ];
    for case in cases {
        assert_eq!(list::check(case), Err(Malformed { at: 0 }), "{case:x?}");
    }
    assert_eq!(list::check(b"\x01\x83ab"), Err(Malformed { at: 1 }));
    assert_eq!(list::check(&bytes_of(Encoded::score(0.5))), Err(Malformed { at: 0 }));
    assert_eq!(list::check(&bytes_of(Encoded::expiry(5))), Err(Malformed { at: 0 }));
    assert_eq!(set::check(b"\x01\x02\x01"), Err(Malformed { at: 2 }));
    assert_eq!(hash::check(b"\x01\x02\x01\x03"), Err(Malformed { at: 2 }));
    assert_eq!(hash::check(b"\x01"), Err(Malformed { at: 0 }));
    assert_eq!(hash::check(b"\xd1\0\0\0\0\0\0\x01"), Err(Malformed { at: 0 }));
    assert_eq!(sorted_set::check(b"\x01\x02\x03\x01"), Err(Malformed { at: 2 }));
    assert_eq!(sorted_set::check(b"\x01\x02\x01\x03"), Err(Malformed { at: 2 }));
    let not_a_number = [&[1, SCORE][..], &f64::NAN.to_le_bytes()].concat();
    assert_eq!(sorted_set::check(&not_a_number), Err(Malformed { at: 1 }));
    for check in [list::check, set::check, hash::check, sorted_set::check] {
        assert_eq!(check(b""), Ok(0));
    }
}

#[test]
fn equal_scores_are_ordered_by_the_bytes_of_members() {
    let mut run = Vec::new();
    for member in ["9", "10", "a", "100", "", "-1"] {
        let score = Score::new(1.5).expect("a number");
        let member = Value::of(member.as_bytes());
        for splice in sorted_set::set_score(&run, None, member, score) {
            splice.iter().for_each(|splice| splice.apply(&mut run));
        }
    }
    let members: Vec<_> = sorted_set::members(&run).map(|found| found.member.to_vec()).collect();
    assert_eq!(members, ["", "-1", "10", "100", "9", "a"].map(|text| text.as_bytes().to_vec()));
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..40i64).prop_map(|number| number.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        2 => proptest::collection::vec(b'a'..b'd', 0..3),
        1 => proptest::collection::vec(any::<u8>(), 0..100),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => (-3..4i32).prop_map(f64::from),
        2 => (-6..7i32).prop_map(|quarter| f64::from(quarter) / 4.0),
        1 => any::<f64>().prop_filter("a number", |score| !score.is_nan()),
        1 => prop_oneof![Just(-0.0), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(1e15)],
    ]
}

fn expiry() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        2 => Just(None),
        1 => (0..50u64).prop_map(Some),
        1 => (0..=EXPIRY_MAX).prop_map(Some),
    ]
}

/// A step on a collection: which kind of step, and what it may need.
type Step = (u8, Vec<u8>, Vec<u8>, f64, Option<u64>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec((any::<u8>(), text(), text(), score(), expiry()), 0..300)
}

fn apply(run: &mut Vec<u8>, splice: Option<Splice<'_>>) -> bool {
    // An owner with room of its own gets the same as a vector.
    if let Some(splice) = &splice {
        let after = splice.len_after(run.len());
        let mut room = run.clone();
        room.resize(after.max(run.len()), 0);
        splice.write(&mut room, run.len());
        splice.apply(run);
        assert_eq!(*run, room[..after]);
    }
    splice.is_some()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn items_read_back(texts in proptest::collection::vec(text(), 0..50), score in score()) {
        let mut run = Vec::new();
        texts.iter().for_each(|text| Encoded::of(Value::of(text)).append(&mut run));
        prop_assert_eq!(list::check(&run), Ok(texts.len()));
        let read: Vec<_> = list::elements(&run, 0).map(|value| value.to_vec()).collect();
        prop_assert_eq!(&read, &texts);
        for (index, at) in list::offsets(&run).enumerate() {
            prop_assert_eq!(list::offset(&run, index), at);
            prop_assert_eq!(list::element(&run, at), Some(Value::of(&texts[index])));
        }
        prop_assert_eq!(list::offset(&run, texts.len() + 1), run.len());
        let score_run = bytes_of(Encoded::score(score));
        let (item, end) = decode(&score_run, 0).expect("an item");
        prop_assert_eq!(end, score_run.len());
        prop_assert_eq!(item.score().map(f64::to_bits), Some(score.to_bits()));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for at in 0..=bytes.len() {
            if let Some((_, end)) = decode(&bytes, at) {
                prop_assert!(at < end && end <= bytes.len());
            }
        }
        for check in [list::check, set::check, hash::check, sorted_set::check] {
            if let Ok(len) = check(&bytes) {
                prop_assert!(len <= bytes.len());
            }
        }
    }

    #[test]
    fn a_set_is_a_set(steps in steps()) {
        let mut run = Vec::new();
        let mut model: Vec<Vec<u8>> = Vec::new();
        for (kind, member, ..) in steps {
            let found = model.iter().position(|known| *known == member);
            prop_assert_eq!(set::find(&run, Value::of(&member)).is_some(), found.is_some());
            if kind % 3 > 0 {
                let splice = set::insert(&run, Value::of(&member));
                prop_assert_eq!(apply(&mut run, splice), found.is_none());
                if found.is_none() {
                    model.push(member);
                }
            } else {
                let splice = set::remove(&run, Value::of(&member));
                prop_assert_eq!(apply(&mut run, splice), found.is_some());
                found.map(|index| model.remove(index));
            }
            prop_assert_eq!(set::check(&run), Ok(model.len()));
            prop_assert_eq!(set::len(&run), model.len());
        }
        let members: Vec<_> = set::members(&run).map(|member| member.to_vec()).collect();
        prop_assert_eq!(members, model);
    }

    #[test]
    fn a_hash_is_a_map(steps in steps()) {
        let mut run = Vec::new();
        let mut model: Vec<(Vec<u8>, Vec<u8>, Option<u64>)> = Vec::new();
        for (kind, name, value, _, expires_at) in steps {
            let known = model.iter().position(|(known, ..)| *known == name);
            match kind % 6 {
                0..=2 => {
                    let (name_of, value_of) = (Value::of(&name), Value::of(&value));
                    let (splice, is_new) = hash::set(&run, name_of, value_of, expires_at);
                    apply(&mut run, Some(splice));
                    prop_assert_eq!(is_new, known.is_none());
                    match known {
                        Some(index) => model[index] = (name, value, expires_at),
                        None => model.push((name, value, expires_at)),
                    }
                }
                3 => {
                    let splice = hash::remove(&run, Value::of(&name));
                    prop_assert_eq!(apply(&mut run, splice), known.is_some());
                    known.map(|index| model.remove(index));
                }
                4 => {
                    let field = hash::find(&run, Value::of(&name));
                    let splice = field.map(|field| field.set_expiry(expires_at));
                    prop_assert_eq!(apply(&mut run, splice), known.is_some());
                    if let Some(index) = known {
                        model[index].2 = expires_at;
                    }
                }
                _ => {
                    let now = expires_at.unwrap_or(25);
                    while let Some(field) = hash::first_due(&run, now) {
                        let splice = Some(Splice::cut(field.range));
                        apply(&mut run, splice);
                    }
                    model.retain(|(.., at)| at.is_none_or(|at| at > now));
                }
            }
            prop_assert_eq!(hash::check(&run), Ok(model.len()));
            prop_assert_eq!(hash::len(&run), model.len());
            let earliest = model.iter().filter_map(|(.., at)| *at).min();
            prop_assert_eq!(hash::earliest_expiry(&run), earliest);
        }
        let fields = hash::fields(&run)
            .map(|field| (field.name.to_vec(), field.value.to_vec(), field.expires_at));
        prop_assert_eq!(fields.collect::<Vec<_>>(), model);
    }

    #[test]
    fn a_sorted_set_is_ordered(steps in steps()) {
        let mut run = Vec::new();
        let mut model: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
        for (kind, member, _, score, _) in steps {
            let known = model.get(&member).map(|score| score.to_bits());
            if kind % 4 > 0 {
                let found = sorted_set::find(&run, Value::of(&member)).ok().map(|found| found.1);
                let old = found.as_ref().map(|found| found.score.get().to_bits());
                prop_assert_eq!(old, known);
                let new = Score::new(score).expect("a number");
                let edits = sorted_set::set_score(&run, found.as_ref(), Value::of(&member), new);
                for splice in edits {
                    apply(&mut run, splice);
                }
                model.insert(member, score);
            } else {
                let found = sorted_set::find(&run, Value::of(&member)).ok();
                let splice = found.map(|(_, found)| Splice::cut(found.range));
                prop_assert_eq!(apply(&mut run, splice), known.is_some());
                model.remove(&member);
            }
            prop_assert_eq!(sorted_set::check(&run), Ok(model.len()));
            prop_assert_eq!(sorted_set::len(&run), model.len());
        }
        let mut ordered: Vec<_> = model.iter().collect();
        ordered.sort_by(|a, b| a.1.partial_cmp(b.1).expect("numbers").then(a.0.cmp(b.0)));
        for (rank, (member, score)) in ordered.iter().enumerate() {
            let found = sorted_set::find(&run, Value::of(member));
            let found = found.map(|(rank, found)| (rank, found.score.get().to_bits()));
            prop_assert_eq!(found, Ok((rank, score.to_bits())));
        }
        let absent = sorted_set::find(&run, Value::of(b"no such member"));
        prop_assert_eq!(absent.map(|(rank, _)| rank), Err(ordered.len()));
        let members: Vec<_> = sorted_set::members(&run).map(|m| m.member.to_vec()).collect();
        prop_assert_eq!(members, ordered.iter().map(|(m, _)| m.to_vec()).collect::<Vec<_>>());
    }

    #[test]
    fn a_list_is_a_list(steps in steps()) {
        let mut run = Vec::new();
        let mut model: Vec<Vec<u8>> = Vec::new();
        for (kind, value, other, ..) in steps {
            let index = usize::from(kind / 4) % (model.len() + 1);
            let at = list::offset(&run, index);
            let is_element = index < model.len();
            match kind % 4 {
                0 | 1 => {
                    apply(&mut run, Some(list::insert(at, Value::of(&value))));
                    model.insert(index, value);
                }
                2 if is_element => {
                    let splice = Some(list::replace(&run, at, Value::of(&value)));
                    apply(&mut run, splice);
                    model[index] = value;
                }
                3 => {
                    let found = list::find(&run, 0, &Encoded::of(Value::of(&other)));
                    let known = model.iter().position(|known| *known == other);
                    prop_assert_eq!(apply(&mut run, found.map(Splice::cut)), known.is_some());
                    known.map(|index| model.remove(index));
                }
                _ => {}
            }
            prop_assert_eq!(list::check(&run), Ok(model.len()));
            prop_assert_eq!(list::len(&run), model.len());
        }
        let elements: Vec<_> = list::elements(&run, 0).map(|value| value.to_vec()).collect();
        prop_assert_eq!(elements, model);
    }
}
