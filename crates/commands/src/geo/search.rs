//! GEOSEARCH, GEORADIUS and their like.
//!
//! The cells around an area are ranges of scores, and these are ranges of ranks, so how many
//! members have to be looked at is known before the first is.

use std::ops::{Bound, ControlFlow, Range};

use protocol::reply::Reply;
use values::geo::{Area, cell, order};
use values::sorted_set::Builder;
use values::typed::{SortedSetRef, SortedSets};
use values::{Score, Value};

use super::request::{Form, Request, Shown, Sorted, read};
use super::{reply_distance, reply_point};
use crate::context::{Budget, Context, reply_value};
use crate::failure::{Failure, Outcome};

/// Cells that cover an area, at most.
const CELLS: usize = 9;
/// So many members are looked at before a search that may end soon asks whether it may go on.
const LOOKED_AT_ONCE: usize = 1024;

/// A member in the area.
struct Found<'s> {
    /// Metres from the centre, if they matter.
    distance: f64,
    score: Score,
    member: Value<'s>,
}

pub(super) fn georadius(ctx: &mut Context<'_>) -> Outcome {
    search(ctx, Form::Place { may_store: true })
}

pub(super) fn georadius_ro(ctx: &mut Context<'_>) -> Outcome {
    search(ctx, Form::Place { may_store: false })
}

pub(super) fn georadiusbymember(ctx: &mut Context<'_>) -> Outcome {
    search(ctx, Form::Member { may_store: true })
}

pub(super) fn georadiusbymember_ro(ctx: &mut Context<'_>) -> Outcome {
    search(ctx, Form::Member { may_store: false })
}

pub(super) fn geosearch(ctx: &mut Context<'_>) -> Outcome {
    search(ctx, Form::Search)
}

pub(super) fn geosearchstore(ctx: &mut Context<'_>) -> Outcome {
    search(ctx, Form::SearchStore)
}

fn search(ctx: &mut Context<'_>, form: Form) -> Outcome {
    let (source, destination) = if form == Form::SearchStore { (1, 0) } else { (0, 1) };
    let (args, budget, rules) = (ctx.args, ctx.budget(), ctx.rules());
    let (set, reply) = ctx.read::<SortedSets>(&ctx.key(source))?;
    let (request, area) = read(args, form, set)?;
    let found = match set.zip(area) {
        Some((set, area)) => request.search(set, &area, budget)?,
        None => Vec::new(),
    };
    if !request.stores {
        request.show(reply, &found);
        return Ok(());
    }
    let mut builder = Builder::new(rules.hasher);
    for Found { distance, score, member } in &found {
        let distance = || Score::or_zero(distance / request.unit);
        let score = if request.stores_distances { distance() } else { *score };
        member.with_bytes(|name| builder.insert(name, score));
    }
    let (count, destination) = (builder.len(), ctx.key(destination));
    ctx.store(&destination, SortedSets::entry(destination.bytes, builder, rules));
    ctx.reply.count(count);
    Ok(())
}

impl Request {
    /// Whether distances matter.
    fn measures(&self) -> bool {
        self.shown.distance || self.stores_distances || self.sorted != Sorted::Not
    }

    /// The members of a set that are asked for.
    fn search<'s>(
        &self,
        set: SortedSetRef<'s>,
        area: &Area,
        budget: Budget,
    ) -> Result<Vec<Found<'s>>, Failure> {
        let ranges = area.cells().map(|cell| ranks(set, cell.scores()));
        let mut search = Search { set, area, measures: self.measures(), found: Vec::new() };
        match self.count.filter(|_| self.any) {
            Some(enough) => search.some(ranges, enough, budget)?,
            None => search.all(ranges, budget)?,
        }
        let Search { mut found, .. } = search;
        let count = self.count.unwrap_or(found.len());
        match self.sorted {
            Sorted::Not => {}
            Sorted::Nearest => {
                order::put_first(&mut found, count, |a, b| a.distance.total_cmp(&b.distance));
            }
            Sorted::Farthest => {
                order::put_first(&mut found, count, |a, b| b.distance.total_cmp(&a.distance));
            }
        }
        found.truncate(count);
        Ok(found)
    }

    fn show(&self, reply: &mut Reply<'_>, found: &[Found<'_>]) {
        let Shown { distance, hash, point } = self.shown;
        let more = usize::from(distance).saturating_add(hash.into()).saturating_add(point.into());
        reply.array(found.len());
        for member in found {
            if more > 0 {
                reply.array(more.saturating_add(1));
            }
            reply_value(reply, member.member);
            if distance {
                reply_distance(reply, member.distance / self.unit);
            }
            let score = member.score.get();
            if hash {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "scores of cells have 52 bits"
                )]
                reply.integer(score as i64);
            }
            if point {
                reply_point(reply, cell::point(score));
            }
        }
    }
}

/// A search under way.
struct Search<'s, 'a> {
    set: SortedSetRef<'s>,
    area: &'a Area,
    measures: bool,
    found: Vec<Found<'s>>,
}

impl Search<'_, '_> {
    /// Finds all members in the area that have these ranks.
    fn all(&mut self, ranges: impl Iterator<Item = Range<usize>>, budget: Budget) -> Outcome {
        let mut wanted: [Range<usize>; CELLS] = Default::default();
        wanted.iter_mut().zip(ranges).for_each(|(wanted, range)| *wanted = range);
        let members = wanted.iter().fold(0_usize, |sum, range| sum.saturating_add(range.len()));
        budget.allow(members.saturating_mul(self.area.corners()))?;
        wanted.into_iter().for_each(|range| self.look(range, usize::MAX));
        Ok(())
    }

    /// Finds members until there are enough. How many have to be looked at is not known, so what
    /// was found is forgotten if that becomes too much.
    fn some(
        &mut self,
        ranges: impl Iterator<Item = Range<usize>>,
        enough: usize,
        budget: Budget,
    ) -> Outcome {
        let mut looked = 0_usize;
        for mut range in ranges {
            while !range.is_empty() && self.found.len() < enough {
                let end = range.end.min(range.start.saturating_add(LOOKED_AT_ONCE));
                looked = looked.saturating_add(end.saturating_sub(range.start));
                budget.allow(looked.saturating_mul(self.area.corners()))?;
                self.look(range.start..end, enough);
                range.start = end;
            }
        }
        Ok(())
    }

    /// Finds those of the members with these ranks that are in the area, until there are enough.
    #[inline]
    fn look(&mut self, range: Range<usize>, enough: usize) {
        let Self { set, area, measures, found } = self;
        // Whoever breaks has what it wants.
        _ = set.try_range(range, |member, score| {
            let point = cell::point(score.get());
            let distance = if *measures {
                area.distance_within(point)
            } else {
                area.contains(point).then_some(0.0)
            };
            found.extend(distance.map(|distance| Found { distance, score, member }));
            if found.len() < enough { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    }
}

/// The ranks of the members with these scores.
fn ranks(set: SortedSetRef<'_>, scores: Range<f64>) -> Range<usize> {
    let score = Score::or_zero;
    set.ranks_of_scores(Bound::Included(score(scores.start)), Bound::Excluded(score(scores.end)))
}
