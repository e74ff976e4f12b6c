//! A small list, and the nodes of a large one: elements in order.

#![forbid(unsafe_code)]

use std::ops::Range;

use crate::Value;

use super::{Encoded, Malformed, Splice, checked, count, decode_value, skip};

/// The elements of a list.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    run: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    #[inline]
    fn next(&mut self) -> Option<Value<'a>> {
        let Some((value, end)) = decode_value(self.run, self.at) else {
            debug_assert!(self.at >= self.run.len(), "no element at {}", self.at);
            return None;
        };
        self.at = end;
        Some(value)
    }
}

/// The elements from the one at `at` on.
#[inline]
pub fn elements(run: &[u8], at: usize) -> Elements<'_> {
    Elements { run, at }
}

/// The element at `at`.
#[inline]
pub fn element(run: &[u8], at: usize) -> Option<Value<'_>> {
    decode_value(run, at).map(|(value, _)| value)
}

/// Where the elements begin.
#[inline]
pub fn offsets(run: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let mut next = 0;
    std::iter::from_fn(move || {
        let at = next;
        (at < run.len()).then(|| {
            next = skip(run, at);
            at
        })
    })
}

/// The number of elements.
pub fn len(run: &[u8]) -> usize {
    count(run)
}

/// Where the element `index` begins; the end of the run when there are fewer.
#[inline]
pub fn offset(run: &[u8], index: usize) -> usize {
    let mut at = 0;
    for _ in 0..index {
        if at >= run.len() {
            break;
        }
        at = skip(run, at);
    }
    at
}

/// The first element from `at` on that is equal to `wanted`.
pub fn find(run: &[u8], at: usize, wanted: &Encoded<'_>) -> Option<Range<usize>> {
    let mut at = at;
    while at < run.len() {
        if wanted.is_at(run, at) {
            return Some(at..at + wanted.len());
        }
        at = skip(run, at);
    }
    None
}

/// Puts an element before the one at `at`, or at the end of the run.
pub fn insert(at: usize, value: Value<'_>) -> Splice<'_> {
    Splice::new(at..at, [Encoded::of(value)])
}

/// Puts an element in the place of the one at `at`.
pub fn replace<'a>(run: &[u8], at: usize, value: Value<'a>) -> Splice<'a> {
    Splice::new(at..skip(run, at), [Encoded::of(value)])
}

/// Whether bytes from outside are a list; its number of elements.
pub fn check(bytes: &[u8]) -> Result<usize, Malformed> {
    let mut len = 0;
    for item in checked(bytes) {
        let (range, item) = item?;
        if item.value().is_none() {
            return Err(Malformed { at: range.start });
        }
        len += 1;
    }
    Ok(len)
}
