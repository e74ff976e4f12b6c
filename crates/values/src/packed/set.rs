//! A small set: its members in the order in which they came.

#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::ops::Range;

use crate::Value;

use super::{Encoded, Malformed, Splice, checked, count, list};

/// The members.
#[inline]
pub fn members(run: &[u8]) -> impl Iterator<Item = Value<'_>> {
    list::elements(run, 0)
}

/// The number of members.
pub fn len(run: &[u8]) -> usize {
    count(run)
}

/// Where a member lies.
pub fn find(run: &[u8], member: Value<'_>) -> Option<Range<usize>> {
    list::find(run, 0, &Encoded::of(member))
}

/// Adds a member; nothing to do when it is there.
pub fn insert<'a>(run: &[u8], member: Value<'a>) -> Option<Splice<'a>> {
    match find(run, member) {
        Some(_) => None,
        None => Some(Splice::new(run.len()..run.len(), [Encoded::of(member)])),
    }
}

/// Takes a member out; nothing to do when it is not there.
pub fn remove(run: &[u8], member: Value<'_>) -> Option<Splice<'static>> {
    find(run, member).map(Splice::cut)
}

/// The set with those of its members that `keep` wants.
pub fn retained(run: &[u8], mut keep: impl FnMut(Value<'_>) -> bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(run.len());
    members(run).filter(|member| keep(*member)).for_each(|member| {
        Encoded::of(member).append(&mut bytes);
    });
    bytes
}

/// Whether bytes from outside are a set; its number of members.
pub fn check(bytes: &[u8]) -> Result<usize, Malformed> {
    let mut seen = HashSet::new();
    for item in checked(bytes) {
        let (range, item) = item?;
        let at = range.start;
        if item.value().is_none() || !seen.insert(&bytes[range]) {
            return Err(Malformed { at });
        }
    }
    Ok(seen.len())
}
