//! BITOP: strings combined bit by bit.
//!
//! The result is made block by block, each from all strings in turn, so that it is written to
//! memory once. A string that ends early goes on as zeros.

use std::sync::Arc;

use memory::Part;
use values::{Entry, Form, Value};

use crate::context::Context;
use crate::failure::{Failure, Outcome};

/// Bytes of the result that are worked on at a time; they stay in the nearest cache.
const BLOCK: usize = 8 * 1024;

const ONE_SOURCE: Failure = Failure::text("ERR BITOP NOT must be called with a single source key.");

/// What is made of the strings X, Y1, Y2, …
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    And,
    Or,
    Xor,
    Not,
    /// X, but what is in a Y.
    Diff,
    /// What is in a Y, but not in X.
    Diff1,
    /// What is in X and in a Y.
    AndOr,
    /// What is in one of all strings only.
    One,
}

impl Operation {
    const NAMES: [(&'static str, Self); 8] = [
        ("AND", Self::And),
        ("OR", Self::Or),
        ("XOR", Self::Xor),
        ("NOT", Self::Not),
        ("DIFF", Self::Diff),
        ("DIFF1", Self::Diff1),
        ("ANDOR", Self::AndOr),
        ("ONE", Self::One),
    ];

    /// The operation with this name, for so many strings.
    fn parse(word: &[u8], sources: usize) -> Result<Self, Failure> {
        let named = Self::NAMES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
        let (name, operation) = *named.ok_or(Failure::Syntax)?;
        let needs_two = matches!(operation, Self::Diff | Self::Diff1 | Self::AndOr);
        if operation == Self::Not && sources != 1 {
            return Err(ONE_SOURCE);
        }
        if needs_two && sources < 2 {
            let text = format!("ERR BITOP {name} must be called with at least two source keys.");
            return Err(Failure::Text(text.into()));
        }
        Ok(operation)
    }

    /// Whether a block of the result begins as what the first string has there, and not as zeros.
    fn begins_with_first(self) -> bool {
        !matches!(self, Self::Diff1 | Self::AndOr)
    }

    /// Makes a block of the result. `first` is what the first string has there and `sources`
    /// what the others have, at most as much.
    fn combine<'s>(
        self,
        block: &mut [u8],
        twice: &mut [u8; BLOCK],
        first: &[u8],
        sources: impl Iterator<Item = &'s [u8]>,
    ) {
        match self {
            Self::And => sources.for_each(|source| keep(block, source)),
            Self::Or | Self::Diff1 | Self::AndOr => {
                sources.for_each(|source| each(block, source, |old, new| old | new));
            }
            Self::Xor => sources.for_each(|source| each(block, source, |old, new| old ^ new)),
            Self::Not => block.iter_mut().for_each(|byte| *byte = !*byte),
            Self::Diff => sources.for_each(|source| each(block, source, |old, new| old & !new)),
            Self::One => {
                twice.fill(0);
                for source in sources {
                    for ((twice, old), new) in twice.iter_mut().zip(block.iter_mut()).zip(source) {
                        *twice |= *old & new;
                        *old |= new;
                    }
                }
                each(block, twice, |old, new| old & !new);
            }
        }
        match self {
            Self::Diff1 => each(block, first, |old, new| old & !new),
            Self::AndOr => keep(block, first),
            _ => {}
        }
    }
}

/// Changes each byte by the one that a string has there; behind its end they stay.
fn each(block: &mut [u8], source: &[u8], with: impl Fn(u8, u8) -> u8) {
    for (old, new) in block.iter_mut().zip(source) {
        *old = with(*old, *new);
    }
}

/// Keeps the bits that a string has too.
fn keep(block: &mut [u8], source: &[u8]) {
    each(block, source, |old, new| old & new);
    block.get_mut(source.len()..).unwrap_or_default().fill(0);
}

pub(super) fn bitop(ctx: &mut Context<'_>) -> Outcome {
    let operation = Operation::parse(ctx.args.get(1), ctx.args.len().saturating_sub(3))?;
    let (target, keys, budget) = (ctx.key(0), ctx.all_keys().skip(1), ctx.budget());
    let (sources, _) = ctx.sources(1);
    let strings: Result<Vec<Value<'_>>, Failure> = keys
        .map(|key| match sources.form(&key) {
            None => Ok(Value::Bytes(&[])),
            Some(Form::String(value)) => Ok(value),
            Some(_) => Err(Failure::WrongType),
        })
        .collect();
    let strings = strings?;
    let lens = strings.iter().map(Value::len);
    budget.allow_copy(lens.fold(0, usize::saturating_add))?;
    let result = result_of(operation, &strings);
    let len = result.len();
    let entry = entry_of(target.bytes, result);
    ctx.store(&target, entry);
    ctx.reply.count(len);
    Ok(())
}

/// All of the result, which is as long as the longest string.
fn result_of(operation: Operation, strings: &[Value<'_>]) -> Vec<u8> {
    const EMPTY: &[u8] = &[];
    let numbers: Vec<Vec<u8>> = strings
        .iter()
        .map(|value| if matches!(value, Value::Int(_)) { value.to_vec() } else { Vec::new() })
        .collect();
    let strings: Vec<&[u8]> = strings
        .iter()
        .zip(&numbers)
        .map(|(value, number)| match value {
            Value::Int(_) => number.as_slice(),
            Value::Bytes(bytes) => bytes,
            Value::Part(part) => part.bytes(),
        })
        .collect();
    let len = strings.iter().map(|string| string.len()).max().unwrap_or(0);
    let (first, others) = strings.split_first().unwrap_or((&EMPTY, &[]));
    let (mut result, mut twice) = (Vec::with_capacity(len), [0; BLOCK]);
    while result.len() < len {
        let (at, end) = (result.len(), result.len().saturating_add(BLOCK).min(len));
        let part = |string: &&[u8]| at.min(string.len())..end.min(string.len());
        let first = first.get(part(first)).unwrap_or_default();
        if operation.begins_with_first() {
            result.extend_from_slice(first);
        }
        result.resize(end, 0);
        let others = others.iter().map(|string| string.get(part(string)).unwrap_or_default());
        let block = result.get_mut(at..).unwrap_or_default();
        operation.combine(block, &mut twice, first, others);
    }
    result
}

/// The result as a value, which a long one becomes without being copied. Redis calls its encoding
/// that of an edited string.
fn entry_of(key: &[u8], result: Vec<u8>) -> Entry {
    let len = result.len();
    let block = Arc::new(result);
    let value = Part::of(&block, &block).map_or(Value::Bytes(&block), Value::Part);
    let mut entry = Entry::new(key, value, None);
    if entry.blob().is_none() {
        entry.edit(len);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a bit of the result is, of the bits of all strings.
    fn model(operation: Operation, bits: &[bool]) -> bool {
        let (first, others) = (bits[0], &bits[1..]);
        let (any, count) = (others.contains(&true), bits.iter().filter(|bit| **bit).count());
        match operation {
            Operation::And => count == bits.len(),
            Operation::Or => count > 0,
            Operation::Xor => count % 2 == 1,
            Operation::Not => !first,
            Operation::Diff => first && !any,
            Operation::Diff1 => any && !first,
            Operation::AndOr => first && any,
            Operation::One => count == 1,
        }
    }

    #[test]
    fn every_bit_is_that_of_the_model() {
        // Strings that end in different blocks, in different places.
        let lens = [BLOCK + 100, 2 * BLOCK, 7, 0, BLOCK, 3 * BLOCK + 1];
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let strings: Vec<Vec<u8>> =
            lens.iter().map(|len| (0..*len).map(|_| next() & next()).collect()).collect();
        for (_, operation) in Operation::NAMES {
            for count in [1, 2, 3, 6] {
                if (operation == Operation::Not) != (count == 1) && operation == Operation::Not {
                    continue;
                }
                let used = &strings[..count];
                let values: Vec<_> = used.iter().map(|string| Value::Bytes(string)).collect();
                let result = result_of(operation, &values);
                assert_eq!(result.len(), used.iter().map(Vec::len).max().unwrap());
                for (at, byte) in result.iter().enumerate() {
                    for bit in 0..8 {
                        let bits: Vec<bool> = used
                            .iter()
                            .map(|string| string.get(at).is_some_and(|b| b & (1 << bit) != 0))
                            .collect();
                        let expected = model(operation, &bits);
                        assert_eq!(byte & (1 << bit) != 0, expected, "{operation:?} {at} {bit}");
                    }
                }
            }
        }
    }
}
