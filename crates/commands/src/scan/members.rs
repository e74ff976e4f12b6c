//! HSCAN, SSCAN and ZSCAN: walks over the members of one collection.
//!
//! A packed collection is small, so it comes as a whole with the cursor 0, whatever the call says.
//! One in a table is walked bucket after bucket in the order of hashes, as a database is (see
//! `walk.rs`), so what is there from the first call to the last is met, however it grows and
//! shrinks in between.

use protocol::number::write_f64;
use values::entry::Form;
use values::typed::{Hashes, Sets, SortedSets};
use values::{Entry, Score, Type, Value};

use super::walk::{Position, walk_table};
use super::{COUNT_SHORT_MAX, Found, INVALID_CURSOR, Over, Request, STEPS_PER_KEY, parse_cursor};
use crate::{Context, Failure, Outcome};

pub(super) fn hscan(ctx: &mut Context<'_>) -> Outcome {
    scan(ctx, Over::Fields)
}

pub(super) fn sscan(ctx: &mut Context<'_>) -> Outcome {
    scan(ctx, Over::Members)
}

pub(super) fn zscan(ctx: &mut Context<'_>) -> Outcome {
    scan(ctx, Over::Scores)
}

fn scan(ctx: &mut Context<'_>, over: Over) -> Outcome {
    let cursor = parse_cursor(ctx.args.get(2)).ok_or(INVALID_CURSOR)?;
    let (key, now_ms, args, may_wait) = (ctx.key(0), ctx.now_ms, ctx.args, ctx.may_wait);
    let (entry, reply) = ctx.read_entry(&key);
    let Some(entry) = entry else {
        Found::default().page(reply, 0);
        return Ok(());
    };
    let form = Entry::form_of(&entry);
    if !is_over(form, over) {
        return Err(Failure::WrongType);
    }
    // As in Redis, nobody reads the options where there is nothing to walk over.
    let request = Request::parse(args.from(3), over)?;
    if request.count.min(form.len()) > COUNT_SHORT_MAX && !may_wait {
        return Err(Failure::Detach);
    }
    let mut position = match form {
        Form::Hash(_) | Form::Set(_) | Form::SortedSet(_) => Position::in_table(cursor),
        _ => Position::START,
    };
    let mut page = Page { request, now_ms, found: Found::default(), visited: 0 };
    let mut steps = 0_usize;
    walk_table(&mut position, |from| {
        steps = steps.saturating_add(1);
        (page.visit(form, from), page.is_full(steps))
    });
    page.found.page(reply, position.cursor());
    Ok(())
}

fn is_over(form: Form<'_>, over: Over) -> bool {
    match over {
        Over::Keys => false,
        Over::Fields => matches!(form, Form::PackedHash(_) | Form::Hash(_)),
        Over::Members => matches!(form, Form::IntSet(_) | Form::PackedSet(_) | Form::Set(_)),
        Over::Scores => matches!(form, Form::PackedSortedSet(_) | Form::SortedSet(_)),
    }
}

/// What one call finds.
struct Page<'a> {
    request: Request<'a>,
    now_ms: u64,
    found: Found,
    visited: usize,
}

impl Page<'_> {
    /// Whether so many buckets are enough.
    fn is_full(&self, steps: usize) -> bool {
        let Request { count, .. } = self.request;
        self.visited >= count || steps >= count.saturating_mul(STEPS_PER_KEY)
    }

    /// Visits the bucket at `from`, or all that is packed. Returns where the next bucket is.
    fn visit(&mut self, form: Form<'_>, from: u64) -> Option<u64> {
        if let Some(hash) = Hashes::of(form, self.now_ms) {
            hash.scan(from, |field| self.add(field.name, |found| found.push(field.value)))
        } else if let Some(set) = Sets::of(form, self.now_ms) {
            set.scan(from, |member| self.add(member, |_| ()))
        } else if let Some(set) = SortedSets::of(form, self.now_ms) {
            set.scan(from, |member, score| {
                self.add(Value::Bytes(member), |found| push_score(found, score));
            })
        } else {
            None
        }
    }

    /// Adds a member, and what belongs to it.
    fn add(&mut self, member: Value<'_>, second: impl FnOnce(&mut Found)) {
        self.visited = self.visited.saturating_add(1);
        if member.with_bytes(|bytes| self.request.filter.admits_text(bytes)) {
            self.found.push(member);
            if !self.request.is_bare {
                second(&mut self.found);
            }
        }
    }
}

fn push_score(found: &mut Found, score: Score) {
    let mut text = Vec::new();
    write_f64(&mut text, score.get());
    found.push(Value::Bytes(&text));
}
