//! A list in whatever form its entry keeps it.
//!
//! ```text
//! up to 2 KiB of elements   one packed run in the entry
//! more                      a `List`, which goes back into the entry below half of that
//! ```
//!
//! Redis has two forms too, a *listpack* and a *quicklist*, and tells which one it is. Where it
//! changes from one to the other follows from `list-max-listpack-size`, and from the bytes that its
//! own listpacks take, which are counted here: a small list is a listpack; a `List` remembers
//! whether it has outgrown one. It has when an edit is about to make it too large, and no more when
//! less than half the limit is left in one node.

#![forbid(unsafe_code)]

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use crate::entry::{Entry, Form, Kind};
use crate::list::{End, List, Search, Span};
use crate::packed::{self, Encoded, Splice};
use crate::typed::{Edit, Rules, Type};
use crate::value::Value;

/// Bytes of elements that an entry embeds.
pub const PACKED_LIST_BYTES_MAX: usize = 2048;

/// The type of lists.
pub enum Lists {}

/// A list to read.
#[derive(Clone, Copy, Debug)]
pub enum ListRef<'e> {
    /// Elements in the entry.
    Packed(&'e [u8]),
    /// Elements in a chain of nodes.
    Large(&'e List),
}

/// Some elements of a list in a row.
#[derive(Clone, Copy, Debug)]
pub enum Elements<'e> {
    /// Those of the entry: its run, where to begin, in which direction, and how many.
    Packed(&'e [u8], End, usize, usize),
    /// Those of a chain of nodes.
    Large(Span<'e>),
}

impl Elements<'_> {
    /// Bytes that are read to see the elements, not many more than they have.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Packed(run, ..) => run.len(),
            Self::Large(span) => span.bytes(),
        }
    }

    /// Calls `each` with the elements.
    pub fn for_each(&self, mut each: impl FnMut(Value<'_>)) {
        match *self {
            Self::Packed(run, End::Front, index, count) => {
                let at = packed::list::offset(run, index);
                packed::list::elements(run, at).take(count).for_each(each);
            }
            Self::Packed(run, End::Back, index, count) => {
                let offsets: Vec<usize> =
                    packed::list::offsets(run).take(index.saturating_add(1)).collect();
                let wanted = offsets.iter().rev().take(count);
                wanted.filter_map(|at| packed::list::element(run, *at)).for_each(&mut each);
            }
            Self::Large(span) => span.for_each(each),
        }
    }
}

impl<'e> ListRef<'e> {
    /// The number of elements.
    #[inline]
    pub fn len(self) -> usize {
        match self {
            Self::Packed(run) => packed::list::len(run),
            Self::Large(list) => list.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(self) -> bool {
        match self {
            Self::Packed(run) => run.is_empty(),
            Self::Large(list) => list.is_empty(),
        }
    }

    /// Up to `count` elements from the one at `index` on, away from the end `from`.
    pub fn span(self, from: End, index: usize, count: usize) -> Elements<'e> {
        match self {
            Self::Packed(run) => Elements::Packed(run, from, index, count),
            Self::Large(list) => Elements::Large(list.span(from, index, count)),
        }
    }

    /// Calls `each` with all elements.
    pub fn for_each(self, each: impl FnMut(Value<'_>)) {
        self.span(End::Front, 0, usize::MAX).for_each(each);
    }

    /// Calls `with` with the element `index`.
    pub fn get<R>(self, index: usize, with: impl FnOnce(Value<'_>) -> R) -> Option<R> {
        match self {
            Self::Packed(run) => {
                packed::list::element(run, packed::list::offset(run, index)).map(with)
            }
            Self::Large(list) => list.get(index, with),
        }
    }

    /// Calls `each` with the index of every element equal to `value` that the search asks for.
    pub fn positions(self, value: Value<'_>, search: Search, each: impl FnMut(usize)) {
        match self {
            Self::Packed(run) => ({ search }).scan(run, &Encoded::of(value), each),
            Self::Large(list) => list.positions(value, search, each),
        }
    }

    /// No element at this end has more bytes.
    #[inline]
    pub fn end_bytes(self, end: End) -> usize {
        match self {
            Self::Packed(run) => run.len(),
            Self::Large(list) => list.end_bytes(end),
        }
    }

    /// Bytes of the elements.
    fn bytes(self) -> usize {
        match self {
            Self::Packed(run) => run.len(),
            Self::Large(list) => list.bytes(),
        }
    }
}

impl Type for Lists {
    type Ref<'e> = ListRef<'e>;
    type Mut<'e> = ListMut<'e>;

    #[inline]
    fn of(form: Form<'_>, _now_ms: u64) -> Option<ListRef<'_>> {
        match form {
            Form::PackedList(run) => Some(ListRef::Packed(run)),
            Form::List(list) => Some(ListRef::Large(list)),
            _ => None,
        }
    }

    #[inline]
    fn edit<'e>(entry: &'e mut Entry, rules: Rules<'e>) -> Option<ListMut<'e>> {
        let is_list = matches!(entry.kind(), Kind::PackedList | Kind::List);
        is_list.then_some(ListMut { entry, rules, changes: 0 })
    }

    fn empty(key: &[u8], expires_at: Option<u64>) -> Entry {
        Entry::packed(key, Kind::PackedList, &[], expires_at)
    }
}

impl Edit for ListMut<'_> {
    #[inline]
    fn changes(&self) -> u64 {
        self.changes
    }
}

/// A list to change.
pub struct ListMut<'e> {
    entry: &'e mut Entry,
    rules: Rules<'e>,
    /// How many elements were added, removed or replaced.
    pub changes: u64,
}

impl ListMut<'_> {
    /// The list as it is now.
    #[inline]
    pub fn view(&self) -> ListRef<'_> {
        match self.entry.form() {
            Form::List(list) => ListRef::Large(list),
            _ => ListRef::Packed(self.entry.run()),
        }
    }

    /// The number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// Adds an element at an end.
    pub fn push(&mut self, end: End, value: Value<'_>) {
        self.push_many(end, std::iter::once(value));
    }

    /// Adds elements one by one at an end; how many there are then.
    #[inline]
    pub fn push_many<'v, V>(&mut self, end: End, values: V) -> usize
    where
        V: DoubleEndedIterator<Item = Value<'v>> + ExactSizeIterator + Clone,
    {
        self.changes += values.len() as u64;
        if let Some(list) = self.entry.boxed_mut::<List>()
            && list.is_outgrown()
        {
            values.for_each(|value| list.push(end, value));
            return list.len();
        }
        self.push_to_small(end, values);
        self.len()
    }

    /// Adds elements to a list that they may be too large for.
    #[inline(never)]
    fn push_to_small<'v, V>(&mut self, end: End, values: V)
    where
        V: DoubleEndedIterator<Item = Value<'v>> + ExactSizeIterator + Clone,
    {
        self.grow(values.clone());
        let bytes: usize = match self.view() {
            ListRef::Large(_) => 0,
            ListRef::Packed(_) => values.clone().map(|value| Encoded::of(value).len()).sum(),
        };
        let len = self.entry.run().len();
        if len + bytes > PACKED_LIST_BYTES_MAX {
            self.unpack();
        }
        if let Some(list) = self.entry.boxed_mut::<List>() {
            return values.for_each(|value| list.push(end, value));
        }
        if values.len() == 1 {
            let at = if end == End::Front { 0 } else { len };
            values.for_each(|value| self.entry.splice(&packed::list::insert(at, value)));
            return;
        }
        let mut run = Vec::with_capacity(len + bytes);
        match end {
            End::Front => {
                values.rev().for_each(|value| Encoded::of(value).append(&mut run));
                run.extend_from_slice(self.entry.run());
            }
            End::Back => {
                run.extend_from_slice(self.entry.run());
                values.for_each(|value| Encoded::of(value).append(&mut run));
            }
        }
        self.entry.set_run(Kind::PackedList, &run);
    }

    /// Takes the element at an end out.
    #[inline]
    pub fn pop<R>(&mut self, end: End, take: impl FnOnce(Value<'_>) -> R) -> Option<R> {
        let taken = self.pop_only(end, take)?;
        self.shrink();
        Some(taken)
    }

    /// The same, but the list keeps its form.
    #[inline]
    fn pop_only<R>(&mut self, end: End, take: impl FnOnce(Value<'_>) -> R) -> Option<R> {
        let Some(list) = self.entry.boxed_mut::<List>() else { return self.pop_packed(end, take) };
        let taken = list.pop(end, take)?;
        self.changes += 1;
        Some(taken)
    }

    fn pop_packed<R>(&mut self, end: End, take: impl FnOnce(Value<'_>) -> R) -> Option<R> {
        let run = self.entry.run();
        let at = match end {
            End::Front => 0,
            End::Back => packed::list::offsets(run).last()?,
        };
        let (value, next) = packed::decode_value(run, at)?;
        let taken = take(value);
        self.entry.splice(&Splice::cut(at..next));
        self.changes += 1;
        Some(taken)
    }

    /// Takes up to `count` elements out, one by one from an end.
    pub fn pop_many(&mut self, end: End, count: usize, each: impl FnMut(Value<'_>)) {
        let count = count.min(self.len());
        if let Some(list) = self.entry.boxed_mut::<List>() {
            list.pop_many(end, count, each);
            self.changes += count as u64;
            return self.shrink();
        }
        let len = self.len();
        let (first, kept) = match end {
            End::Front => (0, count..len),
            End::Back => (len.saturating_sub(1), 0..len - count),
        };
        self.view().span(end, first, count).for_each(each);
        self.trim(kept);
    }

    /// Takes an element from one end and adds it at one; false when there is none.
    pub fn rotate(&mut self, from: End, to: End, show: impl FnOnce(Value<'_>)) -> bool {
        let taken = self.pop_only(from, |value| {
            show(value);
            value.to_vec()
        });
        let Some(element) = taken else { return false };
        self.push(to, Value::of(&element));
        self.shrink();
        // Both together are one change.
        self.changes -= 1;
        true
    }

    /// Puts another value in the place of the element `index`; false when there is none.
    pub fn set(&mut self, index: usize, value: Value<'_>) -> bool {
        if index >= self.len() {
            return false;
        }
        self.make_room(value);
        match self.entry.boxed_mut::<List>() {
            Some(list) => {
                list.set(index, value);
            }
            None => {
                let run = self.entry.run();
                let splice = packed::list::replace(run, packed::list::offset(run, index), value);
                self.entry.splice(&splice);
            }
        }
        self.changes += 1;
        self.shrink();
        true
    }

    /// Puts an element beside the first one equal to `pivot`, on its side towards `side`; false
    /// when there is none.
    pub fn insert(&mut self, side: End, pivot: Value<'_>, value: Value<'_>) -> bool {
        self.make_room(value);
        let is_there = match self.entry.boxed_mut::<List>() {
            Some(list) => list.insert(side, pivot, value),
            None => {
                let found = packed::list::find(self.entry.run(), 0, &Encoded::of(pivot));
                let at =
                    found.map(|range| if side == End::Front { range.start } else { range.end });
                at.map(|at| self.entry.splice(&packed::list::insert(at, value))).is_some()
            }
        };
        self.changes += u64::from(is_there);
        is_there
    }

    /// Takes out up to `limit` elements equal to `value`, from an end on; how many there were.
    pub fn remove(&mut self, from: End, value: Value<'_>, limit: usize) -> usize {
        let removed = match self.entry.boxed_mut::<List>() {
            Some(list) => list.remove(from, value, limit),
            None => self.remove_packed(from, value, limit),
        };
        self.changes += removed as u64;
        if removed > 0 {
            self.shrink();
        }
        removed
    }

    fn remove_packed(&mut self, from: End, value: Value<'_>, limit: usize) -> usize {
        let (run, wanted) = (self.entry.run(), Encoded::of(value));
        let found = packed::list::offsets(run).filter(|at| wanted.is_at(run, *at));
        let mut found: Vec<usize> = found.collect();
        match from {
            End::Front => found.truncate(limit),
            End::Back => drop(found.drain(..found.len().saturating_sub(limit))),
        }
        let (mut kept, mut at) = (Vec::with_capacity(run.len()), 0);
        for offset in &found {
            kept.extend_from_slice(&run[at..*offset]);
            at = offset + wanted.len();
        }
        if !found.is_empty() {
            kept.extend_from_slice(&run[at..]);
            self.entry.set_run(Kind::PackedList, &kept);
        }
        found.len()
    }

    /// Keeps the elements with an index in this range.
    pub fn trim(&mut self, keep: Range<usize>) {
        let len = self.len();
        let end = keep.end.min(len);
        let start = keep.start.min(end);
        if (start, end) == (0, len) {
            return self.shrink();
        }
        self.changes += (len - (end - start)) as u64;
        if let Some(list) = self.entry.boxed_mut::<List>() {
            list.trim(start..end);
            return self.shrink();
        }
        let run = self.entry.run();
        let from = packed::list::offset(run, start);
        let to = from + packed::list::offset(&run[from..], end - start);
        let run_len = run.len();
        self.entry.splice(&Splice::cut(to..run_len));
        self.entry.splice(&Splice::cut(0..from));
    }

    /// Prepares for one more element, which may be the first that does not fit into the entry.
    fn make_room(&mut self, value: Value<'_>) {
        self.grow(std::iter::once(value));
        if let ListRef::Packed(run) = self.view()
            && run.len() + Encoded::of(value).len() > PACKED_LIST_BYTES_MAX
        {
            self.unpack();
        }
    }

    /// Makes a packed list a large one, if it is none.
    #[cold]
    fn unpack(&mut self) {
        if let ListRef::Packed(run) = self.view() {
            let list = List::from_packed(self.rules.limits.list_shape(), run);
            self.entry.set_boxed(Box::new(list));
        }
    }

    /// Notes when the list outgrows a listpack with these elements.
    #[inline]
    fn grow<'v>(&mut self, values: impl ExactSizeIterator<Item = Value<'v>>) {
        if matches!(self.view(), ListRef::Large(list) if list.is_outgrown()) {
            return;
        }
        let count = values.len();
        let bytes = values.map(|value| value.len()).sum();
        let listpack = Listpack::of_size(self.rules.limits.list_size.load(Relaxed));
        if listpack.holds(self.view(), bytes, count) {
            return;
        }
        self.unpack();
        if let Some(list) = self.entry.boxed_mut::<List>() {
            list.set_outgrown(true);
        }
    }

    /// Goes back to a smaller form when little is left.
    #[inline]
    fn shrink(&mut self) {
        let Some(list) = self.entry.boxed_mut::<List>() else { return };
        if list.node_count() != 1 {
            return;
        }
        if list.is_outgrown() {
            let listpack = Listpack::of_size(self.rules.limits.list_size.load(Relaxed));
            if !listpack.halved().holds(ListRef::Large(list), 0, 0) {
                return;
            }
            list.set_outgrown(false);
        }
        if list.bytes() <= PACKED_LIST_BYTES_MAX / 2 {
            let mut scratch = Vec::new();
            let run = list.node(0, &mut scratch).map(<[u8]>::to_vec);
            self.entry.set_run(Kind::PackedList, &run.unwrap_or_default());
        }
    }
}

/// How much Redis puts into one listpack.
#[derive(Clone, Copy, Debug)]
struct Listpack {
    bytes_max: usize,
    count_max: usize,
}

impl Listpack {
    /// Bytes of one without elements.
    const EMPTY: usize = 7;
    /// No element has so many bytes more there than in a run of ours; and none has fewer.
    const ELEMENT_EXCESS_MAX: usize = 5;
    /// Bytes of one in which elements are counted.
    const COUNTED_BYTES_MAX: usize = 8192;

    /// What `list-max-listpack-size` allows.
    fn of_size(size: i64) -> Self {
        match usize::try_from(size) {
            Ok(count) => Self { bytes_max: Self::COUNTED_BYTES_MAX, count_max: count.max(1) },
            Err(_) => {
                let step = size.unsigned_abs().min(5);
                Self { bytes_max: 2048 << step, count_max: usize::MAX }
            }
        }
    }

    /// Half of what it is limited by.
    fn halved(self) -> Self {
        match self.count_max {
            usize::MAX => Self { bytes_max: self.bytes_max / 2, ..self },
            count_max => Self { count_max: count_max / 2, ..self },
        }
    }

    /// Whether it holds a list, and so many bytes and elements more.
    fn holds(self, list: ListRef<'_>, bytes: usize, count: usize) -> bool {
        let counts = || list.len() + count;
        if self.count_max < usize::MAX && counts() > self.count_max {
            return false;
        }
        let least = Self::EMPTY + list.bytes() + bytes;
        if least > self.bytes_max {
            return false;
        }
        // No element has less than a byte, so the bytes are a bound of the number.
        let excess = |elements: usize| elements.saturating_mul(Self::ELEMENT_EXCESS_MAX);
        let fits = |elements| least.saturating_add(excess(elements)) <= self.bytes_max;
        if fits(list.bytes()) || fits(list.len()) {
            return true;
        }
        let mut exact = Self::EMPTY + bytes;
        list.for_each(|value| exact += Self::element_bytes(value));
        exact <= self.bytes_max
    }

    /// Bytes of an element: a header, what it announces, and the length of both.
    fn element_bytes(value: Value<'_>) -> usize {
        let bytes = match value {
            Value::Int(0..=127) => 1,
            Value::Int(-4096..=4095) => 2,
            Value::Int(number) if i16::try_from(number).is_ok() => 3,
            Value::Int(-8_388_608..=8_388_607) => 4,
            Value::Int(number) if i32::try_from(number).is_ok() => 5,
            Value::Int(_) => 9,
            value => match value.len() {
                len @ 0..64 => 1 + len,
                len @ 64..4096 => 2 + len,
                len => 5 + len,
            },
        };
        let back = match bytes {
            0..128 => 1,
            128..16_383 => 2,
            16_383..2_097_151 => 3,
            2_097_151..268_435_455 => 4,
            _ => 5,
        };
        bytes + back
    }
}

#[cfg(test)]
mod tests;
