//! Groups beside a plain model: every operation, many chunks, ids that repeat and go backwards.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Names of consumers.
const NAMES: [&[u8]; 4] = [b"a", b"b", b"c", b""];

#[derive(Clone, Debug)]
enum Step {
    /// A consumer gets so many ids, the first of them, and how far apart they are.
    Deliver { consumer: usize, first: u64, step: u64, count: usize },
    /// An entry is set: claimed, or redelivered at some time.
    Set { consumer: usize, id: u64, time: u64, count: u64 },
    /// Nobody owns it any more.
    Release { id: u64 },
    /// Ids are acknowledged: in ascending order from a first one on, and then some.
    Acknowledge { first: u64, step: u64, count: usize, others: Vec<u64> },
    /// One is taken out.
    Remove { id: u64 },
    /// A consumer goes, with what it has.
    RemoveConsumer { consumer: usize },
    /// A look at a part.
    Look { from: u64, to: u64, until: u64, count: usize, missing: u64 },
}

/// Ids, dense enough to meet.
const SPAN: u64 = 1500;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = || 0..SPAN;
    let consumer = || 0..NAMES.len();
    let step = prop_oneof![
        4 => (consumer(), id(), 1_u64..4, 0_usize..300)
            .prop_map(|(consumer, first, step, count)| {
                Step::Deliver { consumer, first, step, count }
            }),
        4 => (consumer(), id(), 0_u64..50, 0_u64..3)
            .prop_map(|(consumer, id, time, count)| Step::Set { consumer, id, time, count }),
        2 => id().prop_map(|id| Step::Release { id }),
        4 => (id(), 1_u64..4, 0_usize..300, prop::collection::vec(id(), 0..5)).prop_map(
            |(first, step, count, others)| Step::Acknowledge { first, step, count, others }
        ),
        3 => id().prop_map(|id| Step::Remove { id }),
        1 => consumer().prop_map(|consumer| Step::RemoveConsumer { consumer }),
        3 => (id(), id(), 0_u64..60, 0_usize..200, 1_u64..5).prop_map(
            |(from, to, until, count, missing)| Step::Look { from, to, until, count, missing }
        ),
    ];
    prop::collection::vec(step, 1..80)
}

fn id(number: u64) -> Id {
    Id::new(number / 10, number % 10)
}

/// What a group is, in plain words.
#[derive(Default)]
struct Model {
    entries: BTreeMap<Id, (Option<usize>, u64, u64)>,
    queue: Vec<Id>,
    consumers: BTreeSet<usize>,
}

impl Model {
    fn set(&mut self, id: Id, owner: Option<usize>, time: u64, count: u64) {
        self.queue.retain(|queued| *queued != id);
        self.entries.insert(id, (owner, time, count));
    }

    fn remove(&mut self, id: Id) -> bool {
        self.queue.retain(|queued| *queued != id);
        self.entries.remove(&id).is_some()
    }

    fn oldest(&self, until: u64, count: usize, is_there: impl Fn(Id) -> bool) -> Vec<Id> {
        let queue = self.queue.iter().copied();
        let mut owned: Vec<(u64, Id)> = Vec::new();
        for (id, (owner, time, _)) in &self.entries {
            if owner.is_some() && *time <= until {
                owned.push((*time, *id));
            }
        }
        owned.sort_unstable();
        let all = queue.chain(owned.into_iter().map(|(_, id)| id));
        all.filter(|id| is_there(*id)).take(count).collect()
    }
}

fn owner(group: &mut Group, model: &mut Model, consumer: usize) -> Owner {
    model.consumers.insert(consumer);
    let name = NAMES[consumer];
    match group.find_consumer(name) {
        Some(owner) => owner,
        None => group.create_consumer(name, 7).expect("the name is free"),
    }
}

fn apply(group: &mut Group, model: &mut Model, step: &Step, now: u64) {
    match step {
        Step::Deliver { consumer, first, step, count } => {
            let owner = owner(group, model, *consumer);
            let ids: Vec<Id> = (0..*count as u64).map(|n| id(first + n * step)).collect();
            group.deliver(owner, &ids, now);
            ids.iter().for_each(|id| model.set(*id, Some(*consumer), now, 1));
        }
        Step::Set { consumer, id: number, time, count } => {
            let owner = owner(group, model, *consumer);
            group.set(id(*number), Delivery::new(owner, *time, *count));
            model.set(id(*number), Some(*consumer), *time, *count);
        }
        Step::Release { id: number } => {
            group.release(id(*number), 9);
            model.set(id(*number), None, 0, 9);
            model.queue.push(id(*number));
        }
        Step::Acknowledge { first, step, count, others } => {
            let ids = (0..*count as u64).map(|n| first + n * step).chain(others.iter().copied());
            let ids: Vec<Id> = ids.map(id).collect();
            let removed = ids.iter().filter(|id| model.remove(**id)).count();
            assert_eq!(group.acknowledge(&ids), removed);
        }
        Step::Remove { id: number } => {
            assert_eq!(group.remove(id(*number)).is_some(), model.remove(id(*number)));
        }
        Step::RemoveConsumer { consumer } => {
            let ids = model.entries.iter().filter(|(_, entry)| entry.0 == Some(*consumer));
            let ids: Vec<Id> = ids.map(|(id, _)| *id).collect();
            ids.iter().for_each(|id| _ = model.remove(*id));
            let was_there = model.consumers.remove(consumer);
            assert_eq!(group.remove_consumer(NAMES[*consumer]), was_there.then_some(ids.len()));
        }
        Step::Look { from, to, until, count, missing } => {
            let is_there = |id: Id| id.seq.is_multiple_of(*missing);
            let found = group.oldest(*until, *count, is_there);
            assert!(found.iter().all(|(id, delivery)| group.get(*id) == Some(*delivery)));
            let found: Vec<Id> = found.into_iter().map(|(id, _)| id).collect();
            assert_eq!(found, model.oldest(*until, *count, is_there));
            compare_range(group, model, id(*from), id(*to));
        }
    }
}

fn compare_range(group: &Group, model: &Model, from: Id, to: Id) {
    let shown = |(id, delivery): (Id, Delivery)| {
        let name = group.consumer(delivery.owner).map(Consumer::name);
        (id, name, delivery.time_ms(), delivery.count)
    };
    let expected = |owner: Option<usize>| {
        let entries = model.entries.iter().filter(move |(id, entry)| {
            from <= **id && **id <= to && owner.is_none_or(|owner| entry.0 == Some(owner))
        });
        entries
            .map(|(id, (owner, time, count))| (*id, owner.map(|owner| NAMES[owner]), *time, *count))
    };
    assert!(group.range(from, to).map(shown).eq(expected(None)));
    for (index, name) in NAMES.into_iter().enumerate() {
        if let Some(owner) = group.find_consumer(name) {
            assert!(group.range_of(owner, from, to).map(shown).eq(expected(Some(index))));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_group_is_its_model(steps in steps()) {
        let (mut group, mut model) = (Group::new(Id::MIN, Some(0)), Model::default());
        for (now, step) in steps.iter().enumerate() {
            apply(&mut group, &mut model, step, now as u64);
            group.pending.check(&group.consumers);
            assert_eq!(group.pending(), model.entries.len());
            assert_eq!(group.released(), model.queue.len());
            assert_eq!(group.first_pending(), model.entries.keys().next().copied());
            assert_eq!(group.last_pending(), model.entries.keys().next_back().copied());
            let mut names: Vec<&[u8]> = model.consumers.iter().map(|index| NAMES[*index]).collect();
            names.sort_unstable();
            assert!(group.consumers().map(Consumer::name).eq(names));
        }
        compare_range(&group, &model, Id::MIN, Id::MAX);
    }
}

#[test]
fn entries_delivered_together_take_little_memory() {
    let mut group = Group::new(Id::MIN, Some(0));
    let owner = group.create_consumer(b"consumer", 0).expect("the name is free");
    for batch in 0..1000_u64 {
        let ids: Vec<Id> = (0..100).map(|n| Id::new(1_790_000_000_000 + batch, n)).collect();
        group.deliver(owner, &ids, batch);
    }
    assert!(group.memory() < 24 * group.pending(), "{} bytes each", group.memory() / 100_000);
    let mut group = Group::new(Id::MIN, Some(0));
    let owner = group.create_consumer(b"consumer", 0).expect("the name is free");
    for single in 0..10_000_u64 {
        group.deliver(owner, &[Id::new(1_790_000_000_000 + single, 0)], single);
    }
    assert!(group.memory() < 50 * group.pending(), "{} bytes each", group.memory() / 10_000);
}

#[test]
fn groups_know_what_is_needed_and_forget() {
    let mut groups = Groups::default();
    assert!(!groups.is_needed(Id::new(1, 0)));
    assert!(groups.create(b"first", Id::new(5, 0), None));
    assert!(!groups.create(b"first", Id::MIN, None), "the name is taken");
    assert!(groups.create(b"a", Id::new(7, 0), Some(3)));
    let names: Vec<&[u8]> = groups.iter().map(|(name, _)| name).collect();
    assert_eq!(names, [&b"a"[..], b"first"]);
    assert!(groups.is_needed(Id::new(6, 0)), "one has not got it");
    assert!(!groups.is_needed(Id::new(5, 0)));
    for name in [&b"a"[..], b"first"] {
        let group = groups.get_mut(name).expect("it was created");
        let owner = group.create_consumer(b"c", 0).expect("the name is free");
        group.deliver(owner, &[Id::new(5, 0)], 1);
    }
    assert!(groups.is_needed(Id::new(5, 0)), "it is pending");
    assert_eq!(groups.forget(Id::new(5, 0)), 2);
    assert_eq!(groups.forget(Id::new(5, 0)), 0);
    assert!(!groups.is_needed(Id::new(5, 0)));
    assert!(groups.remove(b"a").is_some() && groups.remove(b"a").is_none());
    assert_eq!(groups.len(), 1);
}
