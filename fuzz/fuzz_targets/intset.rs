//! Any sequence of operations on a set of integers does what it does to a `BTreeSet`, and no bytes
//! from outside make the check panic or let anything pass that is no such set.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use values::intset::{self, Insertion};

mod input;
use input::Input;

fn number(input: &mut Input<'_>) -> i64 {
    let byte = input.byte();
    match byte % 4 {
        0 | 1 => i64::from(byte) - 128,
        2 => i64::from(input.word() as i32),
        _ => input.word().cast_signed(),
    }
}

fn check_foreign(bytes: &[u8]) {
    let Ok(len) = intset::check(bytes) else { return };
    let numbers: Vec<i64> = intset::numbers(bytes).collect();
    assert_eq!(numbers.len(), len);
    assert!(numbers.is_sorted_by(|a, b| a < b));
    assert!(numbers.iter().all(|number| intset::contains(bytes, *number)));
}

fuzz_target!(|data: &[u8]| {
    check_foreign(data);
    let mut input = Input(data);
    let (mut set, mut model) = (Vec::new(), BTreeSet::new());
    while !input.is_empty() {
        let (adds, number) = (input.byte() % 3 > 0, number(&mut input));
        assert_eq!(intset::contains(&set, number), model.contains(&number));
        if adds {
            let is_new = model.insert(number);
            match intset::insert(&set, number) {
                Insertion::Present => assert!(!is_new),
                Insertion::Splice(splice) => splice.apply(&mut set),
                Insertion::Rewrite(bytes) => set = bytes,
            }
        } else {
            let splice = intset::remove(&set, number);
            assert_eq!(splice.is_some(), model.remove(&number));
            splice.iter().for_each(|splice| splice.apply(&mut set));
        }
    }
    assert_eq!(intset::check(&set), Ok(model.len()));
    assert!(intset::numbers(&set).eq(model.iter().copied()));
});
