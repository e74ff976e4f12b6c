//! A small set of integers: sorted, all of the width that the widest needs.
//!
//! ```text
//! | width | integer | integer | …        width: 1 to 8 bytes; integers are little-endian
//! ```
//!
//! No bytes at all are the empty set too. Like a packed run (see `packed.rs`) the bytes belong to
//! somebody else, and an edit is a splice. An integer that is wider than the set has all others
//! rewritten; the width never shrinks.

#![forbid(unsafe_code)]

use crate::packed::{Encoded, Malformed, Splice, load_signed, width_of};

const HEADER: usize = 1;

/// The width of the integers and their bytes.
#[inline]
fn split(set: &[u8]) -> (usize, &[u8]) {
    match set {
        [width @ 1..=8, numbers @ ..] => (usize::from(*width), numbers),
        _ => {
            debug_assert!(set.is_empty(), "a set of integers without a width");
            (1, &[])
        }
    }
}

/// The number of integers.
#[inline]
pub fn len(set: &[u8]) -> usize {
    let (width, numbers) = split(set);
    numbers.len() / width
}

/// The integer `index`, counted from the smallest.
#[inline]
pub fn get(set: &[u8], index: usize) -> Option<i64> {
    let (width, numbers) = split(set);
    let at = index * width;
    Some(match *numbers.get(at..at + width)? {
        [a, b] => i16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        ref bytes => load_signed(bytes),
    })
}

/// The integers, ascending.
pub fn numbers(set: &[u8]) -> impl ExactSizeIterator<Item = i64> + '_ {
    // Every index below the length has an integer.
    (0..len(set)).map(|index| get(set, index).unwrap_or_default())
}

/// The index of an integer, or the one that it would have.
pub fn find(set: &[u8], number: i64) -> Result<usize, usize> {
    let (mut low, mut high) = (0, len(set));
    while low < high {
        let middle = low.midpoint(high);
        match get(set, middle) {
            Some(found) if found == number => return Ok(middle),
            Some(found) if found < number => low = middle + 1,
            _ => high = middle,
        }
    }
    Err(low)
}

/// Whether an integer is in the set.
#[inline]
pub fn contains(set: &[u8], number: i64) -> bool {
    find(set, number).is_ok()
}

/// How an integer gets into a set.
#[derive(Clone, Debug)]
pub enum Insertion {
    /// It is there.
    Present,
    /// By this edit.
    Splice(Splice<'static>),
    /// By new bytes for the whole set, because its width changes.
    Rewrite(Vec<u8>),
}

/// Adds an integer.
pub fn insert(set: &[u8], number: i64) -> Insertion {
    let (width, numbers) = split(set);
    if set.is_empty() || width < width_of(number) {
        return Insertion::Rewrite(widened(set, number));
    }
    match find(set, number) {
        Ok(_) => Insertion::Present,
        Err(index) => {
            debug_assert!(index * width <= numbers.len());
            let at = HEADER + index * width;
            let item = Encoded::bare(number.cast_unsigned(), width);
            Insertion::Splice(Splice::new(at..at, [item]))
        }
    }
}

/// The set with an integer that is wider than all others, and so smaller or larger than they.
fn widened(set: &[u8], number: i64) -> Vec<u8> {
    let width = width_of(number);
    let mut bytes = Vec::with_capacity(HEADER + (len(set) + 1) * width);
    bytes.push(width as u8);
    let others = numbers(set);
    let (first, last) = if number < 0 { (Some(number), None) } else { (None, Some(number)) };
    for number in first.into_iter().chain(others).chain(last) {
        bytes.extend_from_slice(&number.to_le_bytes()[..width]);
    }
    bytes
}

/// Takes an integer out; nothing to do when it is not there.
pub fn remove(set: &[u8], number: i64) -> Option<Splice<'static>> {
    let (width, _) = split(set);
    let at = HEADER + find(set, number).ok()? * width;
    Some(Splice::cut(at..at + width))
}

/// The set of these integers, which ascend.
pub fn of(ascending: &[i64]) -> Vec<u8> {
    let ends = [ascending.first(), ascending.last()];
    let width = ends.into_iter().flatten().map(|end| width_of(*end)).max();
    let mut bytes = Vec::new();
    if let Some(width) = width {
        bytes.reserve(HEADER + ascending.len() * width);
        bytes.push(width as u8);
        ascending.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()[..width]));
    }
    bytes
}

/// The set with those of its integers that `keep` wants.
pub fn retained(set: &[u8], mut keep: impl FnMut(i64) -> bool) -> Vec<u8> {
    let (width, _) = split(set);
    let mut bytes = Vec::with_capacity(set.len());
    bytes.extend_from_slice(&set[..HEADER.min(set.len())]);
    for number in numbers(set) {
        if keep(number) {
            bytes.extend_from_slice(&number.to_le_bytes()[..width]);
        }
    }
    if bytes.len() == HEADER {
        bytes.clear();
    }
    bytes
}

/// Whether bytes from outside are a set of integers; their number.
pub fn check(bytes: &[u8]) -> Result<usize, Malformed> {
    let has_shape = match bytes {
        [] => true,
        [width @ 1..=8, numbers @ ..] => numbers.len() % usize::from(*width) == 0,
        _ => false,
    };
    if !has_shape {
        return Err(Malformed { at: 0 });
    }
    let width = split(bytes).0;
    let mut last = None;
    for (index, number) in numbers(bytes).enumerate() {
        if last.is_some_and(|last| last >= number) {
            return Err(Malformed { at: HEADER + index * width });
        }
        last = Some(number);
    }
    Ok(len(bytes))
}

#[cfg(test)]
mod tests;
