//! Sets in whatever form an entry keeps them.
//!
//! ```text
//! integers   while all members are integers, up to `set-max-intset-entries`
//! packed     up to `set-max-listpack-entries` members of up to `set-max-listpack-value` bytes
//! table      beyond that, and as soon as a member expires
//! ```
//!
//! A set never goes back to a smaller form, but for what is stored anew: a result of several sets
//! (see [`algebra`]), and what a great SPOP leaves.

#![forbid(unsafe_code)]

use std::ops::ControlFlow;

use crate::block::Block;
use crate::entry::{Entry, Form, Kind, PACKED_BYTES_MAX};
use crate::intset;
use crate::members::{Choice, Expiry, below};
use crate::packed::{self, Encoded};
use crate::set::Set;
use crate::typed::{Edit, Rules, Type, within};
use crate::value::Value;

pub mod algebra;

/// When at most one in so many members stays, those that stay are made a new set.
const POP_MOST: usize = 5;

/// The type of sets.
pub enum Sets {}

/// A set to look at. What it shows lives as long as the table of its entry is borrowed; integers
/// of a set in a table are shown as their text.
#[derive(Clone, Copy)]
pub struct SetRef<'e> {
    shape: Shape<'e>,
    now_ms: u64,
}

#[derive(Clone, Copy)]
enum Shape<'e> {
    Integers(&'e [u8]),
    Packed(&'e [u8]),
    Table(&'e Set),
}

/// A set to change.
pub struct SetMut<'e> {
    entry: &'e mut Entry,
    rules: Rules<'e>,
    changes: u64,
}

impl Type for Sets {
    type Ref<'e> = SetRef<'e>;
    type Mut<'e> = SetMut<'e>;

    #[inline]
    fn of(form: Form<'_>, now_ms: u64) -> Option<SetRef<'_>> {
        let shape = match form {
            Form::IntSet(run) => Shape::Integers(run),
            Form::PackedSet(run) => Shape::Packed(run),
            Form::Set(set) => Shape::Table(set),
            _ => return None,
        };
        Some(SetRef { shape, now_ms })
    }

    #[inline]
    fn edit<'e>(entry: &'e mut Entry, rules: Rules<'e>) -> Option<SetMut<'e>> {
        let is_set = matches!(entry.kind(), Kind::IntSet | Kind::PackedSet | Kind::Set);
        is_set.then_some(SetMut { entry, rules, changes: 0 })
    }

    fn empty(key: &[u8], expires_at: Option<u64>) -> Entry {
        Entry::packed(key, Kind::IntSet, &[], expires_at)
    }
}

impl Edit for SetMut<'_> {
    fn changes(&self) -> u64 {
        self.changes
    }
}

/// The value with an integer's text made an integer, as packed forms know it.
#[inline]
fn canonical(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Bytes(bytes) => Value::of(bytes),
        value => value,
    }
}

impl<'e> SetRef<'e> {
    /// A set without members.
    pub const EMPTY: Self = Self { shape: Shape::Packed(&[]), now_ms: 0 };

    /// Members.
    #[inline]
    pub fn len(self) -> usize {
        match self.shape {
            Shape::Integers(run) => intset::len(run),
            Shape::Packed(run) => packed::set::len(run),
            Shape::Table(set) => set.count_living(self.now_ms),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether the member is in the set.
    #[inline]
    pub fn contains(self, member: Value<'_>) -> bool {
        match self.shape {
            Shape::Integers(run) => match canonical(member) {
                Value::Int(number) => intset::contains(run, number),
                _ => false,
            },
            Shape::Packed(run) => packed::set::find(run, canonical(member)).is_some(),
            Shape::Table(set) => member.with_bytes(|bytes| set.contains(bytes, self.now_ms)),
        }
    }

    /// When a member expires, in milliseconds of Unix time, if it does; nothing when it is not
    /// there.
    pub fn expires_at(self, member: Value<'_>) -> Option<Option<u64>> {
        match self.shape {
            Shape::Table(set) => {
                let found = member.with_bytes(|bytes| set.get(bytes, self.now_ms));
                found.map(|block| block.expires_at())
            }
            _ => self.contains(member).then_some(None),
        }
    }

    /// Visits members, in no order, until `visit` breaks.
    #[inline]
    pub fn try_for_each(
        self,
        mut visit: impl FnMut(Value<'e>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match self.shape {
            Shape::Integers(run) => {
                intset::numbers(run).try_for_each(|number| visit(Value::Int(number)))
            }
            Shape::Packed(run) => packed::set::members(run).try_for_each(visit),
            Shape::Table(set) => {
                let mut members = set.iter(self.now_ms);
                members.try_for_each(|block| visit(Value::Bytes(Block::key_of(&block))))
            }
        }
    }

    /// Visits all members, in no order.
    #[inline]
    pub fn for_each(self, mut visit: impl FnMut(Value<'e>)) {
        let _ = self.try_for_each(|member| {
            visit(member);
            ControlFlow::Continue(())
        });
    }

    /// Some member; each is equally likely. `random` gives random numbers.
    pub fn random(self, mut random: impl FnMut() -> u64) -> Option<Value<'e>> {
        let draw = || random();
        match self.shape {
            Shape::Integers(run) => {
                let index = below(intset::len(run), random());
                intset::get(run, index).map(Value::Int)
            }
            Shape::Packed(run) => {
                packed::set::members(run).nth(below(packed::set::len(run), random()))
            }
            Shape::Table(set) => {
                set.random(self.now_ms, draw).map(|block| Value::Bytes(Block::key_of(&block)))
            }
        }
    }

    /// Visits `count` different members, or all if there are fewer; each such choice is equally
    /// likely. Their order is not random.
    pub fn sample(
        self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(Value<'e>),
    ) {
        if let Shape::Table(set) = self.shape {
            return set.sample(count, self.now_ms, random, |block| {
                visit(Value::Bytes(Block::key_of(block)));
            });
        }
        let mut choice = Choice { left: self.len(), wanted: count };
        self.for_each(|member| {
            if choice.takes(random()) {
                visit(member);
            }
        });
    }

    /// Visits the members of one bucket of a table, and says where to go on, if there is more. Sets
    /// without a table are visited whole.
    pub fn scan(self, from: u64, mut visit: impl FnMut(Value<'_>)) -> Option<u64> {
        if let Shape::Table(set) = self.shape {
            return set.scan(from, self.now_ms, |block| visit(Value::Bytes(block.key())));
        }
        self.for_each(visit);
        None
    }

    /// The table, if the set is one.
    #[inline]
    fn table(self) -> Option<&'e Set> {
        match self.shape {
            Shape::Table(set) => Some(set),
            _ => None,
        }
    }
}

impl SetMut<'_> {
    /// The set as it is now.
    #[inline]
    pub fn view(&self) -> SetRef<'_> {
        let shape = match self.entry.form() {
            Form::IntSet(run) => Shape::Integers(run),
            Form::Set(set) => Shape::Table(set),
            _ => Shape::Packed(self.entry.run()),
        };
        SetRef { shape, now_ms: self.rules.now_ms }
    }

    /// Takes the form at once that as many members suggest, of which `first` is one. As Redis does
    /// for the words of a command, even if some of them are equal.
    pub fn expect(&mut self, first: Value<'_>, count: usize) {
        let limits = self.rules.limits;
        let fits = match self.entry.kind() {
            Kind::IntSet if self.entry.run().is_empty() => {
                let is_integer = matches!(canonical(first), Value::Int(_));
                if is_integer && within(count, &limits.set_integers) {
                    return;
                }
                self.entry.set_run(Kind::PackedSet, &[]);
                within(count, &limits.set_members)
            }
            Kind::IntSet => within(count, &limits.set_integers),
            Kind::PackedSet => within(count, &limits.set_members),
            _ => true,
        };
        if !fits {
            self.become_table();
        }
    }

    /// Adds a member. Returns whether it is new.
    #[inline]
    pub fn add(&mut self, member: Value<'_>) -> bool {
        let is_new = match self.entry.kind() {
            Kind::IntSet => match canonical(member) {
                Value::Int(number) => self.add_integer(number),
                member => {
                    self.leave_integers(member.len());
                    self.put(member)
                }
            },
            _ => self.put(member),
        };
        self.changes += u64::from(is_new);
        is_new
    }

    /// Adds a member that expires at this time. One that is there gets the new time, or keeps what
    /// it has. Returns whether it is new.
    pub fn add_expiring(&mut self, member: Value<'_>, at: u64, may_keep: bool) -> bool {
        if may_keep && self.view().contains(member) {
            return false;
        }
        self.become_table();
        let now_ms = self.rules.now_ms;
        let Some(set) = self.entry.boxed_mut::<Set>() else { return false };
        let is_new = member.with_bytes(|bytes| set.add(bytes, Expiry::At(at), now_ms));
        self.entry.set_members_expire(true);
        self.changes += 1;
        is_new
    }

    /// Sets or takes away the expiry of a member. One whose time has come already is taken out.
    /// Returns whether the member was there.
    pub fn expire(&mut self, member: Value<'_>, at: Option<u64>) -> bool {
        if at.is_some_and(|at| at <= self.rules.now_ms) {
            return self.remove(member);
        }
        if !self.view().contains(member) {
            return false;
        }
        if at.is_some() {
            self.become_table();
            self.entry.set_members_expire(true);
        }
        let now_ms = self.rules.now_ms;
        if let Some(set) = self.entry.boxed_mut::<Set>() {
            member.with_bytes(|bytes| set.expire(bytes, at, now_ms));
        }
        self.changes += 1;
        true
    }

    /// Takes a member out. Returns whether it was there.
    #[inline]
    pub fn remove(&mut self, member: Value<'_>) -> bool {
        let now_ms = self.rules.now_ms;
        let splice = match self.entry.kind() {
            Kind::IntSet => match canonical(member) {
                Value::Int(number) => intset::remove(self.entry.run(), number),
                _ => None,
            },
            Kind::PackedSet => packed::set::remove(self.entry.run(), canonical(member)),
            _ => None,
        };
        let was_there = match (splice, self.entry.boxed_mut::<Set>()) {
            (Some(splice), _) => {
                self.entry.splice(&splice);
                true
            }
            (None, Some(set)) => member.with_bytes(|bytes| set.remove(bytes, now_ms)).is_some(),
            (None, None) => false,
        };
        self.changes += u64::from(was_there);
        was_there
    }

    /// Takes `count` members out, which there are; each such choice is equally likely. Shows each.
    pub fn pop(
        &mut self,
        count: usize,
        mut random: impl FnMut() -> u64,
        mut visit: impl FnMut(Value<'_>),
    ) {
        let len = self.view().len();
        let rest = len.saturating_sub(count);
        self.changes += (len - rest) as u64;
        let is_table = self.entry.kind() == Kind::Set;
        let makes_anew = !self.entry.members_expire() && rest.saturating_mul(POP_MOST) <= count;
        if is_table && !makes_anew {
            return self.pop_some(count, random, visit);
        }
        let mut choice = Choice { left: len, wanted: count };
        let mut keeps = |member: Value<'_>| {
            let takes = choice.takes(random());
            if takes {
                visit(member);
            }
            !takes
        };
        let rest = match self.view().shape {
            Shape::Integers(run) => {
                Store::Run(Kind::IntSet, intset::retained(run, |number| keeps(Value::Int(number))))
            }
            Shape::Packed(run) => Store::Run(Kind::PackedSet, packed::set::retained(run, keeps)),
            Shape::Table(set) => {
                let mut kept = Vec::with_capacity(rest);
                for block in set.iter(self.rules.now_ms) {
                    let member = Value::Bytes(Block::key_of(&block));
                    if keeps(member) {
                        kept.push(member);
                    }
                }
                Store::packed(&kept, self.rules).unwrap_or_else(|| Store::table(&kept, self.rules))
            }
        };
        rest.put(self.entry);
    }

    /// The same for a table that keeps many.
    fn pop_some(
        &mut self,
        count: usize,
        random: impl FnMut() -> u64,
        mut visit: impl FnMut(Value<'_>),
    ) {
        let mut chosen = Vec::new();
        if count == 1 {
            chosen.extend(self.view().random(random).map(|member| member.to_vec()));
        } else {
            self.view().sample(count, random, |member| chosen.push(member.to_vec()));
        }
        let now_ms = self.rules.now_ms;
        let Some(set) = self.entry.boxed_mut::<Set>() else { return };
        for member in chosen {
            set.remove(&member, now_ms);
            visit(Value::Bytes(&member));
        }
    }

    fn add_integer(&mut self, number: i64) -> bool {
        let run = self.entry.run();
        let insertion = intset::insert(run, number);
        let bytes = match &insertion {
            intset::Insertion::Present => return false,
            intset::Insertion::Splice(splice) => splice.len_after(run.len()),
            intset::Insertion::Rewrite(bytes) => bytes.len(),
        };
        let fits = within(intset::len(run) + 1, &self.rules.limits.set_integers);
        if !fits || bytes > PACKED_BYTES_MAX {
            self.become_table();
            return self.put(Value::Int(number));
        }
        match insertion {
            intset::Insertion::Splice(splice) => self.entry.splice(&splice),
            intset::Insertion::Rewrite(bytes) => self.entry.set_run(Kind::IntSet, &bytes),
            intset::Insertion::Present => {}
        }
        true
    }

    /// Leaves the form of integers for the one that has room for a string of so many bytes too.
    fn leave_integers(&mut self, len: usize) {
        let limits = self.rules.limits;
        let run = self.entry.run();
        let count = intset::len(run);
        let ends = [intset::get(run, 0), intset::get(run, count.saturating_sub(1))];
        let longest = ends.into_iter().flatten().map(|end| Value::Int(end).len()).max();
        let fits = within(count + 1, &limits.set_members)
            && within(len.max(longest.unwrap_or(0)), &limits.set_bytes);
        let integers: Vec<_> =
            if fits { intset::numbers(run).map(Value::Int).collect() } else { Vec::new() };
        match Store::packed(&integers, self.rules).filter(|_| fits) {
            Some(store) => store.put(self.entry),
            None => self.become_table(),
        }
    }

    /// Adds a member to a packed set or a table.
    #[inline]
    fn put(&mut self, member: Value<'_>) -> bool {
        let now_ms = self.rules.now_ms;
        if self.entry.kind() == Kind::PackedSet {
            let run = self.entry.run();
            let member = canonical(member);
            let Some(splice) = packed::set::insert(run, member) else { return false };
            let limits = self.rules.limits;
            // Each member has at least a byte.
            let has_room = within(run.len() + 1, &limits.set_members)
                || within(packed::set::len(run) + 1, &limits.set_members);
            let fits = has_room && within(member.len(), &limits.set_bytes);
            if fits && splice.len_after(run.len()) <= PACKED_BYTES_MAX {
                self.entry.splice(&splice);
                return true;
            }
            self.become_table();
        }
        let Some(set) = self.entry.boxed_mut::<Set>() else { return false };
        member.with_bytes(|bytes| set.add(bytes, Expiry::Keep, now_ms))
    }

    #[cold]
    fn become_table(&mut self) {
        if self.entry.kind() == Kind::Set {
            return;
        }
        let mut members = Vec::new();
        self.view().for_each(|member| members.push(member));
        Store::table(&members, self.rules).put(self.entry);
    }
}

/// A set that is made of members that are all different, in the smallest form that they fit.
pub struct Distinct<'e> {
    rules: Rules<'e>,
    /// The members, while they may be few enough for a small form.
    few: Vec<Value<'e>>,
    table: Option<Box<Set>>,
    /// Members for which a table has room from the start.
    expected: usize,
}

impl<'e> Distinct<'e> {
    /// A set without members, which is to get so many or more.
    pub fn new(expected: usize, rules: Rules<'e>) -> Self {
        Self { rules, few: Vec::new(), table: None, expected }
    }

    /// Members so far.
    pub fn len(&self) -> usize {
        self.table.as_ref().map_or(self.few.len(), |set| set.len())
    }

    /// Whether there is no member yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a member that is not there yet.
    #[inline]
    pub fn push(&mut self, member: Value<'e>) {
        if let Some(set) = &mut self.table {
            return member.with_bytes(|bytes| set.add_new(bytes));
        }
        self.few.push(member);
        let (limits, len) = (self.rules.limits, self.few.len());
        let may_be_small = within(len, &limits.set_integers) || within(len, &limits.set_members);
        if !may_be_small || len > PACKED_BYTES_MAX {
            self.table = Some(table_of(&self.few, self.expected, self.rules));
            self.few = Vec::new();
        }
    }

    /// An entry with this key and the members.
    pub fn into_entry(self, key: &[u8]) -> Entry {
        if let Some(set) = self.table {
            return Entry::boxed(key, set, None);
        }
        let store = Store::integers(&self.few, self.rules);
        let store = store.or_else(|| Store::packed(&self.few, self.rules));
        match store.unwrap_or_else(|| Store::table(&self.few, self.rules)) {
            Store::Run(kind, run) => Entry::packed(key, kind, &run, None),
            Store::Table(set) => Entry::boxed(key, set, None),
        }
    }
}

/// A table of members that are all different, with room for as many as are expected.
fn table_of(members: &[Value<'_>], expected: usize, rules: Rules<'_>) -> Box<Set> {
    let room = members.len().max(expected);
    let mut set = Box::new(Set::with_capacity(room, rules.hasher));
    members.iter().for_each(|member| member.with_bytes(|bytes| set.add_new(bytes)));
    set
}

/// What an entry is to hold in place of what it has.
enum Store {
    Run(Kind, Vec<u8>),
    Table(Box<Set>),
}

impl Store {
    /// A set of integers, if they are some and fit one.
    fn integers(members: &[Value<'_>], rules: Rules<'_>) -> Option<Self> {
        if !within(members.len(), &rules.limits.set_integers) {
            return None;
        }
        let mut numbers = Vec::with_capacity(members.len());
        for member in members {
            let Value::Int(number) = canonical(*member) else { return None };
            numbers.push(number);
        }
        numbers.sort_unstable();
        let run = intset::of(&numbers);
        (run.len() <= PACKED_BYTES_MAX).then_some(Self::Run(Kind::IntSet, run))
    }

    /// A packed set, if they fit one.
    fn packed(members: &[Value<'_>], rules: Rules<'_>) -> Option<Self> {
        let limits = rules.limits;
        if !within(members.len(), &limits.set_members) {
            return None;
        }
        let mut run = Vec::new();
        for member in members {
            let member = canonical(*member);
            if !within(member.len(), &limits.set_bytes) {
                return None;
            }
            Encoded::of(member).append(&mut run);
            if run.len() > PACKED_BYTES_MAX {
                return None;
            }
        }
        Some(Self::Run(Kind::PackedSet, run))
    }

    fn table(members: &[Value<'_>], rules: Rules<'_>) -> Self {
        Self::Table(table_of(members, 0, rules))
    }

    fn put(self, entry: &mut Entry) {
        match self {
            Self::Run(kind, run) => entry.set_run(kind, &run),
            Self::Table(set) => entry.set_boxed(set),
        }
    }
}

#[cfg(test)]
mod tests;
