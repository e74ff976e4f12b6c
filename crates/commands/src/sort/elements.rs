//! The elements of what is sorted, as references into it. Only compressed nodes of a list are
//! opened beside it.

use std::ops::Range;

use values::set::Member;
use values::sorted_set::Scored;
use values::{Form, Value, intset, packed};

use crate::failure::Failure;

/// A collection whose elements have, or can get, an order.
#[derive(Clone, Copy)]
pub(super) struct Source<'e> {
    form: Form<'e>,
    now_ms: u64,
}

/// What compressed nodes of a list hold.
pub(super) type Opened = Vec<Vec<u8>>;

impl<'e> Source<'e> {
    /// What a key holds; one that is not there has no elements.
    pub(super) fn of(form: Option<Form<'e>>, now_ms: u64) -> Result<Self, Failure> {
        match form.unwrap_or(Form::PackedList(&[])) {
            Form::String(_) | Form::PackedHash(_) | Form::Hash(_) | Form::Stream(_) => {
                Err(Failure::WrongType)
            }
            form => Ok(Self { form, now_ms }),
        }
    }

    /// Elements, those counted that have expired and were not taken out yet.
    pub(super) fn len(self) -> usize {
        self.form.len()
    }

    /// Bytes of memory that it takes, about.
    pub(super) fn memory(self) -> usize {
        match self.form {
            Form::List(list) => list.memory(),
            Form::Set(set) => set.memory(),
            Form::SortedSet(set) => set.memory(),
            _ => values::entry::PACKED_BYTES_MAX,
        }
    }

    /// Whether its elements lie in no order.
    pub(super) fn is_set(self) -> bool {
        matches!(self.form, Form::IntSet(_) | Form::PackedSet(_) | Form::Set(_))
    }

    /// All elements, as they come.
    pub(super) fn all(self, opened: &'e mut Opened) -> Vec<Value<'e>> {
        match self.form {
            Form::SortedSet(set) => {
                let mut elements = Vec::with_capacity(set.len());
                elements.extend(set.iter().map(|scored| Value::of(Scored::key_of(&scored))));
                elements
            }
            form => self.at(0..form.len(), opened),
        }
    }

    /// The elements at some places, in their order; from the back if it is descending, which a set
    /// is not.
    pub(super) fn window(
        self,
        places: Range<usize>,
        descending: bool,
        opened: &'e mut Opened,
    ) -> Vec<Value<'e>> {
        if !descending || self.is_set() {
            return self.at(places, opened);
        }
        let len = self.len();
        let mirrored = len.saturating_sub(places.end)..len.saturating_sub(places.start);
        let mut elements = self.at(mirrored, opened);
        elements.reverse();
        elements
    }

    fn at(self, places: Range<usize>, opened: &'e mut Opened) -> Vec<Value<'e>> {
        let Range { start, .. } = places;
        let count = places.len();
        let mut elements = Vec::with_capacity(count);
        match self.form {
            Form::PackedList(run) => {
                elements.extend(packed::list::elements(run, 0).skip(start).take(count));
            }
            Form::List(list) => return at_of_list(list, places, opened),
            Form::IntSet(run) => {
                elements.extend(intset::numbers(run).skip(start).take(count).map(Value::Int));
            }
            Form::PackedSet(run) => {
                elements.extend(packed::set::members(run).skip(start).take(count));
            }
            Form::Set(set) => {
                let members = set.iter(self.now_ms).skip(start).take(count);
                elements.extend(members.map(|member| Value::of(Member::key_of(&member))));
            }
            Form::PackedSortedSet(run) => {
                let members = packed::sorted_set::members(run).skip(start).take(count);
                elements.extend(members.map(|scored| scored.member));
            }
            Form::SortedSet(set) => {
                elements.extend(set.range(places).map(|scored| Value::of(Scored::key_of(&scored))));
            }
            Form::String(_) | Form::PackedHash(_) | Form::Hash(_) | Form::Stream(_) => {}
        }
        elements
    }
}

fn at_of_list<'e>(
    list: &'e values::List,
    places: Range<usize>,
    opened: &'e mut Opened,
) -> Vec<Value<'e>> {
    // Each node that has a part of the elements, and where that part begins and ends there.
    let mut parts = Vec::new();
    let mut before = 0_usize;
    for (index, (count, run)) in list.node_runs().enumerate() {
        let clip = |place: usize| place.saturating_sub(before).min(count);
        let part = clip(places.start)..clip(places.end);
        if !part.is_empty() {
            if run.is_none() {
                let mut bytes = Vec::new();
                list.node(index, &mut bytes);
                opened.push(bytes);
            }
            parts.push((run, part));
        }
        before = before.saturating_add(count);
        if before >= places.end {
            break;
        }
    }
    let mut elements = Vec::with_capacity(places.len());
    let mut opened = opened.iter();
    for (run, part) in parts {
        let run = run.or_else(|| opened.next().map(Vec::as_slice)).unwrap_or_default();
        elements.extend(packed::list::elements(run, 0).skip(part.start).take(part.len()));
    }
    elements
}
