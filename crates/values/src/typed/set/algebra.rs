//! Intersection, union and difference of sets, as references to their members: nothing is copied.
//!
//! Members of one set are looked up in the others. For those in tables that is done in batches: a
//! member is hashed once for all tables, and while memory loads what one member needs, the others
//! of the batch are on their way too. Where there would be too many look-ups (see [`NOTING`]),
//! members are noted in a table of references instead.

#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::hash::Hash;
use std::ops::ControlFlow;

use super::{SetRef, canonical};
use crate::value::Value;

/// Members that are looked up together.
const BATCH: usize = 16;
/// A member that is noted costs about as much as so many look-ups.
const NOTING: usize = 3;

/// Is shown members one by one, until it breaks.
type Visit<'v, 'e> = &'v mut dyn FnMut(Value<'e>) -> ControlFlow<()>;

/// Visits the members that all sets have.
pub fn intersection<'e>(sets: &[SetRef<'e>], visit: Visit<'_, 'e>) -> ControlFlow<()> {
    let sorted = by_len(sets);
    let Some((smallest, others)) = sorted.split_first() else { return ControlFlow::Continue(()) };
    if smallest.is_empty() {
        return ControlFlow::Continue(());
    }
    looking_up(*smallest, others, true, visit)
}

/// Visits the members of all sets, each once.
pub fn union<'e>(sets: &[SetRef<'e>], visit: Visit<'_, 'e>) -> ControlFlow<()> {
    let mut sorted = by_len(sets);
    sorted.retain(|set| !set.is_empty());
    sorted.reverse();
    let lens: Vec<_> = sorted.iter().map(|set| set.len()).collect();
    let look_ups = lens.iter().enumerate().map(|(before, len)| len.saturating_mul(before));
    let noted = lens.iter().copied().fold(0, usize::saturating_add).saturating_mul(NOTING);
    if look_ups.fold(0, usize::saturating_add) <= noted {
        // The largest comes first; of the others, what no set before has.
        for (index, set) in sorted.iter().enumerate() {
            looking_up(*set, sorted.get(..index).unwrap_or_default(), false, visit)?;
        }
        return ControlFlow::Continue(());
    }
    let mut seen = HashSet::new();
    for set in sorted {
        set.try_for_each(|member| {
            if seen.insert(Noted::of(member)) { visit(member) } else { ControlFlow::Continue(()) }
        })?;
    }
    ControlFlow::Continue(())
}

/// Visits the members of the first set that no other has.
pub fn difference<'e>(sets: &[SetRef<'e>], visit: Visit<'_, 'e>) -> ControlFlow<()> {
    let Some((first, others)) = sets.split_first() else { return ControlFlow::Continue(()) };
    // Large ones first: they are the likeliest to have a member.
    let mut others = by_len(others);
    others.retain(|set| !set.is_empty());
    others.reverse();
    let noted = others.iter().map(|set| set.len()).fold(0, usize::saturating_add);
    let len = first.len();
    if len.saturating_mul(others.len()) <= noted.saturating_mul(NOTING).saturating_add(len) {
        return looking_up(*first, &others, false, visit);
    }
    let mut gone = HashSet::new();
    others.iter().for_each(|set| set.for_each(|member| _ = gone.insert(Noted::of(member))));
    first.try_for_each(|member| {
        if gone.contains(&Noted::of(member)) { ControlFlow::Continue(()) } else { visit(member) }
    })
}

/// The sets, the smallest first.
fn by_len<'e>(sets: &[SetRef<'e>]) -> Vec<SetRef<'e>> {
    let mut sorted = sets.to_vec();
    sorted.sort_by_cached_key(|set| set.len());
    sorted
}

/// Visits the members of a set that all others have, or none of them.
fn looking_up<'e>(
    set: SetRef<'e>,
    others: &[SetRef<'e>],
    wanted: bool,
    visit: Visit<'_, 'e>,
) -> ControlFlow<()> {
    if others.is_empty() {
        return set.try_for_each(visit);
    }
    let mut batch = Batch { members: Vec::with_capacity(BATCH) };
    set.try_for_each(|member| {
        batch.members.push((member, 0));
        if batch.members.len() < BATCH {
            return ControlFlow::Continue(());
        }
        batch.show(others, wanted, visit)
    })?;
    batch.show(others, wanted, visit)
}

/// Some members that are looked up together, with their hashes where a set is a table.
struct Batch<'e> {
    members: Vec<(Value<'e>, u64)>,
}

impl<'e> Batch<'e> {
    /// Shows those that all sets have, or none of them, and is empty then.
    fn show(&mut self, sets: &[SetRef<'e>], wanted: bool, visit: Visit<'_, 'e>) -> ControlFlow<()> {
        if let Some(table) = sets.iter().find_map(|set| set.table()) {
            let hasher = table.hasher();
            for (member, hash) in &mut self.members {
                *hash = member.with_bytes(|bytes| hasher.hash_member(bytes));
            }
        }
        for set in sets {
            self.sift(*set, wanted);
            if self.members.is_empty() {
                break;
            }
        }
        self.members.drain(..).try_for_each(|(member, _)| visit(member))
    }

    /// Leaves those that the set has, or has not.
    fn sift(&mut self, set: SetRef<'e>, wanted: bool) {
        let Some(table) = set.table() else {
            return self.members.retain(|(member, _)| set.contains(*member) == wanted);
        };
        let mut probes = [None; BATCH];
        for ((_, hash), probe) in self.members.iter().zip(&mut probes) {
            *probe = table.probe(*hash);
        }
        probes.iter().flatten().for_each(|probe| probe.prefetch_item());
        self.members.retain(|(member, hash)| {
            let found = member.with_bytes(|bytes| table.get_hashed(*hash, bytes, set.now_ms));
            found.is_some() == wanted
        });
    }
}

/// A member as the key of a table of references.
#[derive(PartialEq, Eq)]
struct Noted<'e>(Value<'e>);

impl<'e> Noted<'e> {
    fn of(member: Value<'e>) -> Self {
        Self(canonical(member))
    }
}

impl Hash for Noted<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        match self.0 {
            Value::Int(number) => state.write_i64(number),
            value => value.with_bytes(|bytes| state.write(bytes)),
        }
    }
}
