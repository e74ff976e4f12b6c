//! A small sorted set: member and score in turn, in the order of scores, and of members' bytes
//! where scores are equal.

#![forbid(unsafe_code)]

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::Range;

use crate::Value;

use super::{Encoded, Malformed, Splice, checked, count, decode, decode_value, skip};

/// A member with its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored<'a> {
    /// Where both lie. Ranges of neighbours are one range, and a cut of it removes them.
    pub range: Range<usize>,
    /// The member.
    pub member: Value<'a>,
    /// Its score, never NaN.
    pub score: f64,
    score_at: usize,
}

/// The members with their scores, in order.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    run: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = Scored<'a>;

    #[inline]
    fn next(&mut self) -> Option<Scored<'a>> {
        let scored = scored_at(self.run, self.at);
        debug_assert!(scored.is_some() || self.at >= self.run.len(), "no member at {}", self.at);
        self.at = scored.as_ref()?.range.end;
        scored
    }
}

/// The members with their scores, in order.
#[inline]
pub fn members(run: &[u8]) -> Members<'_> {
    Members { run, at: 0 }
}

/// The member at `at` with its score.
#[inline]
fn scored_at(run: &[u8], at: usize) -> Option<Scored<'_>> {
    let (member, score_at) = decode_value(run, at)?;
    let (score, end) = decode(run, score_at)?;
    Some(Scored { range: at..end, member, score: score.score()?, score_at })
}

/// The number of members.
pub fn len(run: &[u8]) -> usize {
    count(run) / 2
}

/// The order of a sorted set. A score of zero has no sign here.
pub fn compare(a: (f64, Value<'_>), b: (f64, Value<'_>)) -> Ordering {
    // No score is NaN, so two scores are always in some order.
    a.0.partial_cmp(&b.0)
        .unwrap_or(Ordering::Equal)
        .then_with(|| a.1.with_bytes(|first| b.1.with_bytes(|second| first.cmp(second))))
}

/// A member with its score and, before it, its rank.
#[inline]
pub fn find<'a>(run: &'a [u8], member: Value<'_>) -> Option<(usize, Scored<'a>)> {
    let member = Encoded::of(member);
    let (mut at, mut rank) = (0, 0);
    while at < run.len() {
        if member.is_at(run, at) {
            return Some((rank, scored_at(run, at)?));
        }
        at = skip(run, skip(run, at));
        rank += 1;
    }
    None
}

/// What [`set_score`] does to a member.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// The score that the member had.
    pub old: Option<f64>,
    /// The edits, to be applied one after the other.
    pub splices: [Option<Splice<'a>>; 2],
}

/// Gives a member, new or not, this score, which must not be NaN.
pub fn set_score<'a>(run: &[u8], member: Value<'a>, score: f64) -> Change<'a> {
    let found = find(run, member).map(|(_, found)| found);
    let own = found.as_ref().map_or(run.len()..run.len(), |found| found.range.clone());
    let mut place = 0;
    while let Some(other) = scored_at(run, place) {
        let is_behind = compare((other.score, other.member), (score, member)).is_gt();
        if is_behind && place != own.start {
            break;
        }
        place = other.range.end;
    }
    let items = [Encoded::of(member), Encoded::score(score)];
    let Some(found) = found else {
        let splice = Splice::new(place..place, items);
        return Change { old: None, splices: [Some(splice), None] };
    };
    let splices = if place == own.start || place == own.end {
        [Some(Splice::new(found.score_at..own.end, [Encoded::score(score)])), None]
    } else {
        let place = if place > own.start { place - own.len() } else { place };
        [Some(Splice::cut(own)), Some(Splice::new(place..place, items))]
    };
    Change { old: Some(found.score), splices }
}

/// Takes a member out; nothing to do when it is not there.
pub fn remove(run: &[u8], member: Value<'_>) -> Option<Splice<'static>> {
    find(run, member).map(|(_, found)| Splice::cut(found.range))
}

/// Whether bytes from outside are a sorted set; its number of members.
pub fn check(bytes: &[u8]) -> Result<usize, Malformed> {
    let mut seen = HashSet::new();
    let mut last: Option<(f64, Value<'_>)> = None;
    let mut items = checked(bytes);
    while let Some(item) = items.next() {
        let (range, member) = item?;
        let fault = Err(Malformed { at: range.start });
        let Some(score) = items.next() else { return fault };
        let (Some(member), Some(score)) = (member.value(), score?.1.score()) else { return fault };
        let in_order = last.is_none_or(|last| compare(last, (score, member)).is_lt());
        if !in_order || !seen.insert(&bytes[range]) {
            return fault;
        }
        last = Some((score, member));
    }
    Ok(seen.len())
}
