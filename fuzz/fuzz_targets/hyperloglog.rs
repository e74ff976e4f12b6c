//! Any bytes as a HyperLogLog do no harm, whatever is done with them, and sparse and dense values
//! go on to have the same registers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use values::hyperloglog::{
    self, Corrupt, DENSE_LEN, Form, Joined, REGISTERS, Union, all_registers, parse, registers,
    sparse,
};

mod input;
use input::Input;

fn registers_of(value: &[u8]) -> Result<Vec<u8>, Corrupt> {
    parse(value).map_or(Err(Corrupt), all_registers).map(Iterator::collect)
}

/// A string that is given from outside.
fn check_foreign(value: &mut Vec<u8>, elements: &[&[u8]], sparse_max: usize) {
    let Some(form) = parse(value) else { return };
    let found = registers_of(value);
    assert_eq!(hyperloglog::count(form).is_ok(), found.is_ok());
    if let Form::Sparse(body) = form {
        assert!(sparse::runs(body).count() <= body.len());
    }
    let mut dense = registers::ZERO;
    let mut union = Union::default();
    let joined = union.add(form).map(|()| union.join(&mut dense));
    assert_eq!(joined.is_ok(), found.is_ok());
    if let Ok(joined) = joined {
        let mut copy = value.clone();
        assert!(hyperloglog::store(&mut copy, &joined, &dense, sparse_max).is_ok());
        assert_eq!(registers_of(&copy), found);
        if matches!(joined, Joined::Dense) {
            assert_eq!(copy.len(), DENSE_LEN);
        }
    }
    let (changes, added) = hyperloglog::add(value, elements.iter().copied(), sparse_max);
    assert!(changes <= elements.len() as u64);
    if found.is_ok() {
        assert!(added.is_ok() && registers_of(value).is_ok());
        assert_eq!(changes > 0, registers_of(value) != found);
    }
    let _ = hyperloglog::to_dense(value);
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let sparse_max = usize::from(input.byte()) * 16;
    let rest = input.0;
    let elements: Vec<&[u8]> = rest.chunks(3).take(32).collect();
    check_foreign(&mut rest.to_vec(), &elements, sparse_max);
    let body = [&hyperloglog::empty()[..16], rest].concat();
    check_foreign(&mut body.clone(), &elements, sparse_max);
    let mut large = body;
    large[4] = 0;
    large.resize(DENSE_LEN, 0x5a);
    check_foreign(&mut large, &elements, sparse_max);

    let (mut first, mut second) = (hyperloglog::empty().to_vec(), hyperloglog::empty().to_vec());
    assert_eq!(hyperloglog::to_dense(&mut second), Ok(true));
    for element in rest.chunks(2) {
        let one = || std::iter::once(element);
        let added = hyperloglog::add(&mut first, one(), sparse_max);
        assert_eq!(added, hyperloglog::add(&mut second, one(), sparse_max));
    }
    let found = registers_of(&first);
    assert!(found.as_ref().is_ok_and(|found| found.len() == REGISTERS));
    assert_eq!(found, registers_of(&second));
});
