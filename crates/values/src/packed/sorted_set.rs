//! A small sorted set: member and score in turn, in the order of scores, and of members' bytes
//! where scores are equal.

#![forbid(unsafe_code)]

use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::Range;

use crate::Value;

use super::{Encoded, Malformed, Splice, checked, count, decode, decode_value, skip};
use crate::score::Score;

/// A member with its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored<'a> {
    /// Where both lie. Ranges of neighbours are one range, and a cut of it removes them.
    pub range: Range<usize>,
    /// The member.
    pub member: Value<'a>,
    /// Its score.
    pub score: Score,
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
    let score = Score::new(score.score()?)?;
    Some(Scored { range: at..end, member, score, score_at })
}

/// The number of members.
pub fn len(run: &[u8]) -> usize {
    count(run) / 2
}

/// The order of a sorted set.
pub fn compare(a: (Score, Value<'_>), b: (Score, Value<'_>)) -> Ordering {
    let by_name = || a.1.with_bytes(|first| b.1.with_bytes(|second| first.cmp(second)));
    a.0.cmp(&b.0).then_with(by_name)
}

/// A member with its score and, before it, its rank; or the number of members when it is not one.
#[inline]
pub fn find<'a>(run: &'a [u8], member: Value<'_>) -> Result<(usize, Scored<'a>), usize> {
    let member = Encoded::of(member);
    let (mut at, mut rank) = (0, 0);
    while at < run.len() {
        if member.is_at(run, at)
            && let Some(found) = scored_at(run, at)
        {
            return Ok((rank, found));
        }
        at = skip(run, skip(run, at));
        rank += 1;
    }
    Err(rank)
}

/// The edits that give a member this score, to be applied one after the other. `found` is where
/// [`find`] has found the member, nothing for a new one.
pub fn set_score<'a>(
    run: &[u8],
    found: Option<&Scored<'_>>,
    member: Value<'a>,
    score: Score,
) -> [Option<Splice<'a>>; 2] {
    let own = found.map_or(run.len()..run.len(), |found| found.range.clone());
    let mut place = 0;
    while let Some(other) = scored_at(run, place) {
        let is_behind = compare((other.score, other.member), (score, member)).is_gt();
        if is_behind && place != own.start {
            break;
        }
        place = other.range.end;
    }
    let items = [Encoded::of(member), Encoded::score(score.get())];
    let Some(found) = found else { return [Some(Splice::new(place..place, items)), None] };
    if place == own.start || place == own.end {
        let score = Encoded::score(score.get());
        [Some(Splice::new(found.score_at..own.end, [score])), None]
    } else {
        let place = if place > own.start { place - own.len() } else { place };
        [Some(Splice::cut(own)), Some(Splice::new(place..place, items))]
    }
}

/// Whether bytes from outside are a sorted set; its number of members.
pub fn check(bytes: &[u8]) -> Result<usize, Malformed> {
    let mut seen = HashSet::new();
    let mut last: Option<(Score, Value<'_>)> = None;
    let mut items = checked(bytes);
    while let Some(item) = items.next() {
        let (range, member) = item?;
        let fault = Err(Malformed { at: range.start });
        let Some(score) = items.next() else { return fault };
        let score = score?.1.score().and_then(Score::new);
        let (Some(member), Some(score)) = (member.value(), score) else { return fault };
        let in_order = last.is_none_or(|last| compare(last, (score, member)).is_lt());
        if !in_order || !seen.insert(&bytes[range]) {
            return fault;
        }
        last = Some((score, member));
    }
    Ok(seen.len())
}
