//! Any sequence of operations on a stream and one of its groups does what it does to plain maps of
//! the entries and of the pending ones.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use values::stream::{Id, Item, NodeLimits, References, Stream, Trim, Until};

mod input;
use input::Input;

/// Operations of one input.
const STEPS_MAX: usize = 500;
const GROUP: &[u8] = b"group";
const CONSUMERS: [&[u8]; 3] = [b"alice", b"bob", b"carol"];

/// A stream and what should be in it.
struct Pair {
    stream: Stream,
    limits: NodeLimits,
    entries: BTreeMap<Id, Vec<Vec<u8>>>,
    /// Who has got which entries and not acknowledged them.
    pending: BTreeMap<Id, &'static [u8]>,
}

fn words(item: Item<'_>) -> Vec<Vec<u8>> {
    assert_eq!(item.field_count(), item.fields().count());
    item.fields().flat_map(|(name, value)| [name.to_vec(), value.to_vec()]).collect()
}

impl Pair {
    fn append(&mut self, input: &mut Input<'_>) {
        let last = self.stream.last_id();
        let step = u64::from(input.byte());
        let id = match input.byte() % 4 {
            0 => last.ms.checked_add(1 + step * step).map(|ms| Id::new(ms, step)),
            1 => Some(Id::new(last.ms.saturating_add(input.word()), last.seq)),
            _ => last.seq.checked_add(1 + step).map(|seq| Id::new(last.ms, seq)),
        };
        let Some(id) = id.filter(|id| *id > last) else { return };
        let fields = 1 + input.below(4);
        let words: Vec<Vec<u8>> = (0..2 * fields).map(|_| input.text()).collect();
        for _ in 0..=input.byte() % 8 {
            let id = self.stream.last_id().next().unwrap_or(id).max(id);
            if id > self.stream.last_id() {
                self.stream.append(id, words.iter().map(Vec::as_slice), self.limits);
                self.entries.insert(id, words.clone());
            }
        }
    }

    /// An id that is there, or next to one.
    fn id(&self, input: &mut Input<'_>) -> Id {
        let index = input.below(self.entries.len().max(1));
        let near = self.entries.keys().nth(index).copied().unwrap_or(Id::MIN);
        match input.byte() % 8 {
            0 => near.next().unwrap_or(near),
            1 => near.previous().unwrap_or(near),
            2 => Id::new(input.word(), input.word()),
            _ => near,
        }
    }

    fn trim(&mut self, input: &mut Input<'_>) {
        let until = match input.byte() % 2 {
            0 => Until::Len(input.below(self.entries.len() + 2) as u64),
            _ => Until::Id(self.id(input)),
        };
        let trim = Trim { until, approximate: false, limit: 0, references: References::Keep };
        let before = self.entries.len();
        match until {
            Until::Len(len) => {
                while self.entries.len() as u64 > len {
                    self.entries.pop_first();
                }
            }
            Until::Id(id) => self.entries.retain(|own, _| *own >= id),
        }
        assert_eq!(self.stream.trim(&trim), (before - self.entries.len()) as u64);
    }

    fn range(&self, from: Id, to: Id) {
        let expected: Vec<_> = if from <= to {
            self.entries.range(from..=to).map(|(id, words)| (*id, words.clone())).collect()
        } else {
            Vec::new()
        };
        let read = |item: Item<'_>| (item.id, words(item));
        assert!(self.stream.range(from, to).map(read).eq(expected.iter().cloned()));
        assert!(self.stream.range_back(from, to).map(read).eq(expected.into_iter().rev()));
    }

    fn deliver(&mut self, input: &mut Input<'_>) {
        let (from, count) = (self.id(input), 1 + input.below(40));
        let ids: Vec<Id> = self.entries.range(from..).map(|(id, _)| *id).take(count).collect();
        let name = CONSUMERS[input.below(CONSUMERS.len())];
        let Some(group) = self.stream.groups.get_mut(GROUP) else { return };
        let owner = group.find_consumer(name).or_else(|| group.create_consumer(name, 1));
        let Some(owner) = owner else { return };
        group.deliver(owner, &ids, u64::from(input.byte()));
        self.pending.extend(ids.iter().map(|id| (*id, name)));
    }

    fn acknowledge(&mut self, input: &mut Input<'_>) {
        let (from, count) = (self.id(input), input.below(40));
        let ids: Vec<Id> = self.pending.range(from..).map(|(id, _)| *id).take(count).collect();
        let Some(group) = self.stream.groups.get_mut(GROUP) else { return };
        assert_eq!(group.acknowledge(&ids), ids.len());
        self.pending.retain(|id, _| !ids.contains(id));
    }

    fn remove_consumer(&mut self, name: &[u8]) {
        let Some(group) = self.stream.groups.get_mut(GROUP) else { return };
        let before = self.pending.len();
        let removed = group.remove_consumer(name);
        self.pending.retain(|_, owner| *owner != name);
        assert_eq!(removed.unwrap_or(0), before - self.pending.len());
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 12 {
            0..=4 => self.append(input),
            5 | 6 => {
                let id = self.id(input);
                assert_eq!(self.stream.remove(id), self.entries.remove(&id).is_some());
            }
            7 => self.trim(input),
            8 => self.range(self.id(input), self.id(input)),
            9 => self.deliver(input),
            10 => self.acknowledge(input),
            _ => self.remove_consumer(CONSUMERS[input.below(CONSUMERS.len())]),
        }
        assert_eq!(self.stream.len(), self.entries.len());
        assert_eq!(self.stream.first_id(), self.entries.keys().next().copied());
        assert_eq!(self.stream.last_entry_id(), self.entries.keys().next_back().copied());
    }

    fn check_pending(&self) {
        let Some(group) = self.stream.groups.get(GROUP) else { return };
        let found = group.range(Id::MIN, Id::MAX).map(|(id, d)| (id, group.name_of(d.owner)));
        assert!(found.eq(self.pending.iter().map(|(id, name)| (*id, *name))));
        for consumer in group.consumers() {
            let own = self.pending.values().filter(|name| **name == consumer.name()).count();
            assert_eq!(consumer.pending(), own);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let entries = [2, 5, 100, usize::MAX][input.below(4)];
    let limits = NodeLimits { bytes: 64 << input.below(8), entries };
    let (entries, pending) = (BTreeMap::new(), BTreeMap::new());
    let mut pair = Pair { stream: Stream::default(), limits, entries, pending };
    pair.stream.groups.create(GROUP, Id::MIN, None);
    for _ in 0..STEPS_MAX {
        if input.is_empty() {
            break;
        }
        pair.step(&mut input);
        pair.check_pending();
    }
    pair.range(Id::MIN, Id::MAX);
});
