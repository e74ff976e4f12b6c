//! What PFSELFTEST runs: registers keep what they are given, sparse and dense values agree, and
//! estimates are as good as they should be.

use super::registers::{self, Dense, Planes, ZERO};
use super::{DENSE_LEN, Mark, REGISTERS, add, count, empty, parse, to_dense};

/// Rounds of random registers.
const ROUNDS: usize = 1000;
/// Elements that are added.
const ELEMENTS: u64 = 10_000_000;
/// The usual error of an estimate, and how many times that is too much.
const ERROR: f64 = 1.04 / 128.0;
const TOLERANCE: f64 = 6.0;

/// Tests all of it with random numbers; what is wrong, if something is.
pub fn self_test(sparse_max: usize, mut random: impl FnMut() -> u64) -> Result<(), String> {
    test_registers(&mut random)?;
    test_estimates(sparse_max, random())
}

fn test_registers(random: &mut impl FnMut() -> u64) -> Result<(), String> {
    let mut dense: Dense = ZERO;
    let mut values = vec![0; REGISTERS];
    for _ in 0..ROUNDS {
        for (index, value) in (0..).zip(&mut values) {
            *value = (random() >> 32) as u8 & 63;
            registers::set(&mut dense, Mark { index, value: *value });
        }
        let mut planes = Planes::new();
        planes.merge(&dense);
        let mut packed: Dense = ZERO;
        planes.pack(&mut packed);
        for (index, value) in (0..).zip(&values) {
            let places = [
                registers::get(&dense, index),
                planes.get(usize::from(index)),
                registers::get(&packed, index),
            ];
            if let Some(found) = places.into_iter().find(|found| found != value) {
                return Err(format!("Register {index} should be {value} but is {found}"));
            }
        }
    }
    Ok(())
}

fn test_estimates(sparse_max: usize, seed: u64) -> Result<(), String> {
    let (mut first, mut second) = (empty().to_vec(), empty().to_vec());
    let corrupt = |_| "a value is corrupt".to_owned();
    to_dense(&mut first).map_err(corrupt)?;
    let mut checkpoint = 1;
    for number in 1..=ELEMENTS {
        let element = (number ^ seed).to_le_bytes();
        for value in [&mut first, &mut second] {
            add(value, std::iter::once(&element[..]), sparse_max).1.map_err(corrupt)?;
        }
        if number != checkpoint {
            continue;
        }
        if number < sparse_max as u64 / 2 && second.len() == DENSE_LEN {
            return Err("sparse encoding not used".into());
        }
        let count_of = |value: &[u8]| parse(value).map_or(Ok(0), count).map_err(corrupt);
        let found = count_of(&first)?;
        if found != count_of(&second)? {
            return Err("dense/sparse disagree".into());
        }
        // So few elements collide seldom, but then by much.
        let allowed = if number == 10 { 1.0 } else { (ERROR * TOLERANCE * number as f64).ceil() };
        let error = found.abs_diff(number);
        if error as f64 > allowed {
            return Err(format!("Too big error. card:{number} abserr:{error}"));
        }
        checkpoint *= 10;
    }
    Ok(())
}
