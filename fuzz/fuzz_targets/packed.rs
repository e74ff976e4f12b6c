//! Packed runs: no bytes make a decoder panic, what passes a check reads and edits as it should,
//! and operations on a hash and a sorted set do what they do to maps.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use values::packed::{self, Encoded, Splice, hash, list, set, sorted_set};
use values::{Score, Value};

mod input;
use input::Input;

fn apply(run: &mut Vec<u8>, splice: Option<Splice<'_>>) -> bool {
    splice.iter().for_each(|splice| splice.apply(run));
    splice.is_some()
}

/// What any bytes must bear, and what must hold of those that pass as a collection.
fn check_foreign(bytes: &[u8]) {
    for at in 0..=bytes.len() {
        if let Some((_, end)) = packed::decode(bytes, at) {
            assert!(at < end && end <= bytes.len());
        }
    }
    if let Ok(len) = list::check(bytes) {
        let mut copy = Vec::new();
        list::elements(bytes, 0).for_each(|value| Encoded::of(value).append(&mut copy));
        assert_eq!((copy.as_slice(), list::len(bytes)), (bytes, len));
    }
    if let Ok(len) = set::check(bytes) {
        assert_eq!(set::len(bytes), len);
        assert!(set::members(bytes).all(|member| set::insert(bytes, member).is_none()));
    }
    if let Ok(len) = hash::check(bytes) {
        assert_eq!((hash::len(bytes), hash::fields(bytes).count()), (len, len));
        for field in hash::fields(bytes) {
            assert_eq!(hash::find(bytes, field.name), Some(field));
        }
    }
    if let Ok(len) = sorted_set::check(bytes) {
        assert_eq!((sorted_set::len(bytes), sorted_set::members(bytes).count()), (len, len));
        for (rank, scored) in sorted_set::members(bytes).enumerate() {
            assert_eq!(sorted_set::find(bytes, scored.member), Ok((rank, scored)));
        }
    }
}

fn run_hash(input: &mut Input<'_>) {
    let mut run = Vec::new();
    let mut model: BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)> = BTreeMap::new();
    while !input.is_empty() {
        let (kind, name) = (input.byte(), input.text());
        let expires_at = (kind & 8 > 0).then(|| input.word() % packed::EXPIRY_MAX);
        let found = hash::find(&run, Value::of(&name));
        let known = found.as_ref().map(|field| (field.value.to_vec(), field.expires_at));
        assert_eq!(known.as_ref(), model.get(&name));
        match kind % 4 {
            0 | 1 => {
                let value = input.text();
                let (name_of, value_of) = (Value::of(&name), Value::of(&value));
                let (splice, is_new) = hash::set(&run, name_of, value_of, expires_at);
                splice.apply(&mut run);
                assert_eq!(model.insert(name, (value, expires_at)).is_none(), is_new);
            }
            2 => {
                let splice = hash::remove(&run, Value::of(&name));
                assert_eq!(apply(&mut run, splice), model.remove(&name).is_some());
            }
            _ => {
                let splice = found.map(|field| field.set_expiry(expires_at));
                apply(&mut run, splice);
                model.entry(name).and_modify(|known| known.1 = expires_at);
            }
        }
    }
    assert_eq!(hash::check(&run), Ok(model.len()));
    assert_eq!(hash::earliest_expiry(&run), model.values().filter_map(|known| known.1).min());
}

fn run_sorted_set(input: &mut Input<'_>) {
    let mut run = Vec::new();
    let mut model: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    while !input.is_empty() {
        let (kind, member) = (input.byte(), input.text());
        let found = sorted_set::find(&run, Value::of(&member)).ok().map(|(_, found)| found);
        if kind % 4 == 0 {
            let splice = found.map(|found| Splice::cut(found.range));
            assert_eq!(apply(&mut run, splice), model.remove(&member).is_some());
            continue;
        }
        let score = match kind % 4 {
            1 => f64::from(kind / 32),
            2 => -f64::from(kind / 32) / 2.0,
            _ => Some(f64::from_bits(input.word())).filter(|s| !s.is_nan()).unwrap_or(-0.0),
        };
        let new = Score::new(score).expect("a number");
        let edits = sorted_set::set_score(&run, found.as_ref(), Value::of(&member), new);
        let old = found.map(|found| found.score.get().to_bits());
        edits.into_iter().for_each(|splice| _ = apply(&mut run, splice));
        assert_eq!(old, model.insert(member, score.to_bits()));
    }
    // The check sees to the order.
    assert_eq!(sorted_set::check(&run), Ok(model.len()));
    for found in sorted_set::members(&run) {
        assert_eq!(model.remove(&found.member.to_vec()), Some(found.score.get().to_bits()));
    }
}

fuzz_target!(|data: &[u8]| {
    check_foreign(data);
    let mut input = Input(data);
    match input.byte() % 2 {
        0 => run_hash(&mut input),
        _ => run_sorted_set(&mut input),
    }
});
