//! Sets as sources of sorted sets.

use std::ops::ControlFlow;

use values::{Form, Value, intset, packed};

/// A set in whatever form its entry keeps it.
#[derive(Clone, Copy)]
pub(super) struct Plain<'s> {
    form: Form<'s>,
    now_ms: u64,
}

impl<'s> Plain<'s> {
    /// The set of this form, if it is one.
    pub(super) fn of(form: Form<'s>, now_ms: u64) -> Option<Self> {
        let is_set = matches!(form, Form::IntSet(_) | Form::PackedSet(_) | Form::Set(_));
        is_set.then_some(Self { form, now_ms })
    }

    /// Members, those counted that have expired and were not taken out yet.
    pub(super) fn len(&self) -> usize {
        self.form.len()
    }

    pub(super) fn contains(&self, member: &[u8]) -> bool {
        match (self.form, Value::of(member)) {
            (Form::IntSet(run), Value::Int(number)) => intset::contains(run, number),
            (Form::PackedSet(run), member) => packed::set::find(run, member).is_some(),
            (Form::Set(set), _) => set.contains(member, self.now_ms),
            _ => false,
        }
    }

    pub(super) fn try_for_each(&self, mut visit: impl FnMut(&[u8]) -> ControlFlow<()>) {
        // Whoever breaks has what it wants.
        _ = match self.form {
            Form::IntSet(run) => intset::numbers(run)
                .try_for_each(|number| Value::Int(number).with_bytes(&mut visit)),
            Form::PackedSet(run) => {
                packed::set::members(run).try_for_each(|member| member.with_bytes(&mut visit))
            }
            Form::Set(set) => set.iter(self.now_ms).try_for_each(|block| visit(block.key())),
            _ => ControlFlow::Continue(()),
        };
    }
}
