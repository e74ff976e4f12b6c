//! GEOSEARCH, GEORADIUS and their like.
//!
//! The points of a cell have scores between two bounds, so they stand behind each other in the
//! sorted set. What comes first in a reply that is not sorted follows from the order of the cells.

use std::ops::ControlFlow;

use protocol::reply::Reply;
use values::geo::{Area, Cell, cell, order};
use values::sorted_set::Builder;
use values::typed::{SortedSetRef, SortedSets};
use values::{Score, Value};

use super::request::{Form, Request, Shown, Sorted, read};
use super::{reply_distance, reply_point};
use crate::context::{Budget, Context, reply_value};
use crate::failure::{Failure, Outcome};

/// Members for which there is room before the first is found.
const ROOM: usize = 64;

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
    let bytes = found.iter().map(|found| found.member.len());
    budget.allow_copy(bytes.fold(0, usize::saturating_add))?;
    let mut builder = Builder::with_capacity(found.len(), rules.hasher);
    for Found { distance, score, member } in &found {
        let distance = || Score::or_zero(distance / request.unit);
        let score = if request.stores_distances { distance() } else { *score };
        member.with_bytes(|name| builder.insert(name, score));
    }
    let (count, destination) = (builder.len(), ctx.key(destination));
    // As in Redis, each member that is stored is a change, and nothing else is.
    let entry = SortedSets::entry(destination.bytes, builder, rules);
    ctx.store_counted(&destination, entry, count as u64);
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
        let enough = self.count.filter(|_| self.any).unwrap_or(usize::MAX);
        let mut found = Vec::with_capacity(enough.min(ROOM));
        let mut look = Look { area, measures: self.measures(), steps: 0 };
        for cell in area.cells() {
            if found.len() >= enough {
                break;
            }
            look.at_cell(set, cell, budget, |member| {
                found.push(member);
                found.len() < enough
            })?;
        }
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

/// A look at members, one after the other.
struct Look<'a> {
    area: &'a Area,
    /// Whether distances matter.
    measures: bool,
    /// Steps that it took so far.
    steps: usize,
}

impl Look<'_> {
    /// Finds the members in the area that lie in a cell, until `more` wants no more.
    ///
    /// Where a cell's scores begin is found by a way down the tree, which costs as much as a look
    /// at twenty members; where they end shows. So it is not known how many there are, and when
    /// they become too many, all is begun anew in the worker pool.
    fn at_cell<'s>(
        &mut self,
        set: SortedSetRef<'s>,
        cell: Cell,
        budget: Budget,
        mut more: impl FnMut(Found<'s>) -> bool,
    ) -> Outcome {
        let scores = cell.scores();
        let mut outcome = Ok(());
        let corners = self.area.corners();
        set.try_from_score(Score::or_zero(scores.start), |member, score| {
            if score.get() >= scores.end {
                return ControlFlow::Break(());
            }
            self.steps = self.steps.saturating_add(corners);
            if let Err(failure) = budget.allow(self.steps) {
                outcome = Err(failure);
                return ControlFlow::Break(());
            }
            let point = cell::point(score.get());
            let distance = if self.measures {
                self.area.distance_within(point)
            } else {
                self.area.contains(point).then_some(0.0)
            };
            let found = distance.map(|distance| Found { distance, score, member });
            if found.is_none_or(&mut more) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        outcome
    }
}
