//! A hash against a `BTreeMap`.

use std::collections::BTreeMap;

use proptest::prelude::*;
use table::Hasher;
use table::tick::{TICK_SHIFT, tick_of};

use super::*;

const BASE_MS: u64 = 1_800_000_000_000;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

#[derive(Clone, Debug)]
enum Step {
    Set(u32, Vec<u8>, Expiry),
    SetMany(u32, u32, Expiry),
    Remove(u32),
    RemoveMany(u32, u32),
    Expire(u32, Option<u64>),
    Drain(usize),
    /// Time goes on.
    Wait(u64),
    Look(u32),
    Sample(usize, u64),
}

fn expiry() -> impl Strategy<Value = Expiry> {
    prop_oneof![
        2 => Just(Expiry::Keep),
        2 => Just(Expiry::Never),
        1 => (0..20_000u64).prop_map(|after| Expiry::At(BASE_MS + after)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let number = || 0..2000u32;
    let value = proptest::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        4 => (number(), value, expiry()).prop_map(|(n, v, e)| Step::Set(n, v, e)),
        2 => (number(), 0..1500u32, expiry()).prop_map(|(n, m, e)| Step::SetMany(n, m, e)),
        3 => number().prop_map(Step::Remove),
        1 => (number(), 0..1500u32).prop_map(|(n, m)| Step::RemoveMany(n, m)),
        2 => (number(), proptest::option::of(0..20_000u64))
            .prop_map(|(n, after)| Step::Expire(n, after.map(|after| BASE_MS + after))),
        1 => (0..300usize).prop_map(Step::Drain),
        2 => (0..1500u64).prop_map(Step::Wait),
        2 => number().prop_map(Step::Look),
        1 => (0..2500usize, any::<u64>()).prop_map(|(n, seed)| Step::Sample(n, seed)),
    ]
}

fn field(number: u32) -> Vec<u8> {
    let pad = if number.is_multiple_of(97) { number as usize } else { 0 };
    format!("field:{number:0pad$}").into_bytes()
}

/// A hash, what should be in it, and the time.
struct Pair {
    hash: Hash,
    model: Model,
    now: u64,
}

impl Pair {
    /// Whether an expiry has not come.
    fn is_ahead(&self, at: Option<u64>) -> bool {
        at.is_none_or(|at| at > self.now)
    }

    fn set(&mut self, field: Vec<u8>, value: &[u8], expiry: Expiry) {
        let is_new = self.hash.set(&field, value, expiry, self.now);
        let old = self.model.get(&field).map(|(_, at)| *at).filter(|at| self.is_ahead(*at));
        assert_eq!(is_new, old.is_none());
        let at = match expiry {
            Expiry::Keep => old.flatten(),
            Expiry::Never => None,
            Expiry::At(at) => Some(at),
        };
        self.model.insert(field, (value.to_vec(), at));
    }

    fn remove(&mut self, field: &[u8]) {
        let removed = self.hash.remove(field, self.now);
        let removed = removed.map(|block| (block.value().to_vec(), block.expires_at()));
        let expected = self.model.remove(field).filter(|(_, at)| self.is_ahead(*at));
        assert_eq!(removed, expected);
    }

    fn drain(&mut self, limit: usize) {
        let (mut fields, tick) = (Vec::new(), tick_of(self.now));
        let count = self.hash.drain_expired(self.now, limit, |field| {
            fields.push(field.key().to_vec());
        });
        assert!(count == fields.len() && count <= limit);
        for field in fields {
            let (_, at) = self.model.remove(&field).expect("drained what was there");
            assert!(!self.is_ahead(at));
        }
        if count < limit {
            let is_left = |at: &Option<u64>| at.is_some_and(|at| tick_of(at) < tick);
            assert!(!self.model.values().any(|(_, at)| is_left(at)));
        }
    }

    fn sample(&self, count: usize, seed: u64) {
        let mut state = seed;
        let mut random = || {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            state ^ state >> 32
        };
        let living = self.model.values().filter(|(_, at)| self.is_ahead(*at)).count();
        let mut fields = Vec::new();
        self.hash.sample(count, self.now, &mut random, |field| fields.push(field.key().to_vec()));
        assert_eq!(fields.len(), count.min(living));
        assert!(fields.iter().all(|field| self.is_ahead(self.model[field].1)));
        fields.sort();
        fields.dedup();
        assert_eq!(fields.len(), count.min(living));
        let one = self.hash.random(self.now, random);
        assert_eq!(one.is_none(), living == 0);
        assert!(one.is_none_or(|field| self.is_ahead(self.model[field.key()].1)));
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Set(number, value, expiry) => self.set(field(number), &value, expiry),
            Step::SetMany(first, count, expiry) => {
                (first..first + count).for_each(|number| self.set(field(number), b"17", expiry));
            }
            Step::Remove(number) => self.remove(&field(number)),
            Step::RemoveMany(first, count) => {
                (first..first + count).for_each(|number| self.remove(&field(number)));
            }
            Step::Expire(number, at) => {
                let field = field(number);
                let is_there = self.hash.expire(&field, at, self.now);
                let now = self.now;
                let old = self.model.get_mut(&field);
                let old = old.filter(|(_, at)| at.is_none_or(|at| at > now));
                assert_eq!(is_there, old.is_some());
                old.into_iter().for_each(|(_, old)| *old = at);
            }
            Step::Drain(limit) => self.drain(limit),
            Step::Wait(time) => self.now += time,
            Step::Look(number) => {
                let found = self.hash.get(&field(number), self.now);
                let found = found.map(|block| (block.value().to_vec(), block.expires_at()));
                let expected = self.model.get(&field(number)).cloned();
                assert_eq!(found, expected.filter(|(_, at)| self.is_ahead(*at)));
            }
            Step::Sample(count, seed) => self.sample(count, seed),
        }
        assert_eq!(self.hash.len(), self.model.len());
        let earliest = self.model.values().filter_map(|(_, at)| *at).map(tick_of).min();
        assert!(earliest.is_none_or(|earliest| self.hash.earliest() <= earliest));
    }

    /// Compares all that is there, by iteration and by scan.
    fn check(&self) {
        self.hash.check_invariants();
        let living: Vec<&Vec<u8>> = self
            .model
            .iter()
            .filter(|(_, (_, at))| self.is_ahead(*at))
            .map(|(field, _)| field)
            .collect();
        let mut fields: Vec<_> = self.hash.iter(self.now).map(|f| f.key().to_vec()).collect();
        fields.sort();
        assert!(fields.iter().eq(living.iter().copied()));
        let (mut fields, mut at) = (Vec::new(), Some(0));
        while let Some(from) = at {
            at = self.hash.scan(from, self.now, |field| fields.push(field.key().to_vec()));
        }
        fields.sort();
        assert!(fields.iter().eq(living));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_map(steps in proptest::collection::vec(step(), 1..60)) {
        let hash = Hash::new(Hasher::new([3, 4]));
        let mut pair = Pair { hash, model: Model::new(), now: BASE_MS };
        for step in steps {
            pair.apply(step);
            pair.check();
        }
        let expected = pair.model;
        let mut remains: Vec<_> =
            pair.hash.into_remains().map(|field| field.key().to_vec()).collect();
        remains.sort();
        prop_assert!(remains.iter().eq(expected.keys()));
    }
}

#[test]
fn an_expiry_that_is_taken_back_leaves_nothing() {
    let mut hash = Hash::new(Hasher::new([3, 4]));
    hash.set(b"field", b"value", Expiry::At(BASE_MS), 0);
    assert!(hash.expire(b"field", None, 0));
    let later = BASE_MS + (2 << TICK_SHIFT);
    assert_eq!(hash.drain_expired(later, 10, drop), 0);
    assert_eq!(hash.earliest(), table::tick::NEVER);
    assert!(hash.get(b"field", later).is_some());
}

#[test]
fn what_is_left_is_freed_in_steps() {
    let mut hash = Hash::new(Hasher::new([3, 4]));
    for number in 0..5000 {
        hash.set(&field(number), b"value", Expiry::Never, 0);
    }
    let mut remains = hash.into_remains();
    let mut steps = 0;
    while remains.by_ref().take(100).count() > 0 {
        steps += 1;
        assert_eq!(remains.len(), 5000 - steps * 100);
    }
    assert_eq!(steps, 50);
}
