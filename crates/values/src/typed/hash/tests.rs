//! Hashes of entries, across their forms, against a `BTreeMap`.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use proptest::prelude::*;
use table::Hasher;

use super::*;
use crate::Limits;

const BASE_MS: u64 = 1_800_000_000_000;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

#[derive(Clone, Debug)]
enum Step {
    Set(u32, Vec<u8>, Expiry),
    SetMany(u32, u32, Expiry),
    Remove(u32),
    RemoveMany(u32, u32),
    Expire(u32, Option<u64>),
    Expect(usize),
    Limits(u64, u64),
    Drop,
    Wait(u64),
    Look(u32),
    Sample(usize, u64),
}

fn expiry() -> impl Strategy<Value = Expiry> {
    prop_oneof![
        2 => Just(Expiry::Keep),
        2 => Just(Expiry::Never),
        1 => (1..20_000u64).prop_map(|after| Expiry::At(BASE_MS + after)),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        (-9..200i64).prop_map(|number| number.to_string().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..100),
        Just(vec![b'x'; 30_000]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let number = || 0..300u32;
    prop_oneof![
        6 => (number(), value(), expiry()).prop_map(|(n, v, e)| Step::Set(n, v, e)),
        2 => (number(), 0..100u32, expiry()).prop_map(|(n, m, e)| Step::SetMany(n, m, e)),
        3 => number().prop_map(Step::Remove),
        1 => (number(), 0..300u32).prop_map(|(n, m)| Step::RemoveMany(n, m)),
        3 => (number(), proptest::option::of(1..20_000u64))
            .prop_map(|(n, after)| Step::Expire(n, after.map(|after| BASE_MS + after))),
        1 => (0..200usize).prop_map(Step::Expect),
        1 => (0..200u64, 0..100u64).prop_map(|(n, m)| Step::Limits(n, m)),
        1 => (300..100_000u64, 50..40_000u64).prop_map(|(n, m)| Step::Limits(n, m)),
        1 => Just(Step::Drop),
        2 => (0..3000u64).prop_map(Step::Wait),
        3 => number().prop_map(Step::Look),
        1 => (0..400usize, any::<u64>()).prop_map(|(n, seed)| Step::Sample(n, seed)),
    ]
}

fn name(number: u32) -> Vec<u8> {
    match number % 3 {
        0 => number.to_string().into_bytes(),
        1 => format!("field:{number}").into_bytes(),
        _ => format!("{number:0>70}").into_bytes(),
    }
}

/// An entry with a hash, what should be in it, and the time.
struct Pair {
    entry: Entry,
    model: Model,
    limits: Limits,
    now: u64,
    changes: u64,
}

impl Pair {
    fn new(limits: (u64, u64)) -> Self {
        let pair = Self {
            entry: Hashes::empty(b"key", Some(17)),
            model: Model::new(),
            limits: Limits::new(),
            now: BASE_MS,
            changes: 0,
        };
        pair.limit(limits.0, limits.1);
        pair
    }

    fn limit(&self, fields: u64, bytes: u64) {
        self.limits.hash_fields.store(fields, Relaxed);
        self.limits.hash_bytes.store(bytes, Relaxed);
    }

    fn is_ahead(&self, at: Option<u64>) -> bool {
        at.is_none_or(|at| at > self.now)
    }

    fn edit<R>(&mut self, edit: impl FnOnce(&mut HashMut<'_>) -> R) -> R {
        let rules = Rules { hasher: Hasher::new([3, 4]), limits: &self.limits, now_ms: self.now };
        let mut hash = Hashes::edit(&mut self.entry, rules).expect("a hash");
        let result = edit(&mut hash);
        self.changes = hash.changes();
        result
    }

    fn view(&self) -> HashRef<'_> {
        Hashes::of(self.entry.form(), self.now).expect("a hash")
    }

    fn set(&mut self, field: &[u8], value: &[u8], expiry: Expiry) {
        let is_new = self.edit(|hash| hash.set(field, value, expiry));
        assert_eq!(self.changes, 1);
        let old = self.model.get(field).map(|(_, at)| *at).filter(|at| self.is_ahead(*at));
        assert_eq!(is_new, old.is_none());
        let at = expiry.after(old.flatten());
        self.model.insert(field.to_vec(), (value.to_vec(), at));
        let fits = field.len().max(value.len()) as u64 <= self.limits.hash_bytes.load(Relaxed);
        assert!(fits || self.entry.kind() == Kind::Hash);
    }

    fn remove(&mut self, field: &[u8]) {
        let taken = self.edit(|hash| hash.take(field, |value| value.to_vec()));
        let expected = self.model.remove(field).filter(|(_, at)| self.is_ahead(*at));
        assert_eq!(taken, expected.map(|(value, _)| value));
        assert_eq!(self.changes, u64::from(taken.is_some()));
    }

    fn expire(&mut self, field: &[u8], at: Option<u64>) {
        let is_there = self.edit(|hash| hash.expire(field, at));
        let now = self.now;
        let old = self.model.get_mut(field).filter(|(_, at)| at.is_none_or(|at| at > now));
        assert_eq!(is_there, old.is_some());
        if let Some((_, old)) = old {
            *old = at;
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
        self.view().sample(count, &mut random, |field| {
            assert_eq!(self.model[&field.name.to_vec()].0, field.value.to_vec());
            fields.push(field.name.to_vec());
        });
        fields.sort();
        fields.dedup();
        assert_eq!(fields.len(), count.min(living));
        let one = self.view().random(random);
        assert_eq!(one.is_none(), living == 0);
        assert!(one.is_none_or(|field| self.is_ahead(self.model[&field.name.to_vec()].1)));
    }

    fn look(&self, field: &[u8]) {
        let found = self.view().get(field);
        let found = found.map(|found| {
            assert_eq!(found.name.to_vec(), field);
            (found.value.to_vec(), found.expires_at)
        });
        let expected = self.model.get(field).cloned();
        assert_eq!(found, expected.filter(|(_, at)| self.is_ahead(*at)));
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Set(number, value, expiry) => self.set(&name(number), &value, expiry),
            Step::SetMany(first, count, expiry) => {
                (first..first + count).for_each(|number| self.set(&name(number), b"17", expiry));
            }
            Step::Remove(number) => self.remove(&name(number)),
            Step::RemoveMany(first, count) => {
                (first..first + count).for_each(|number| self.remove(&name(number)));
            }
            // Commands delete a field in place of giving it an expiry in the past.
            Step::Expire(_, Some(at)) if at <= self.now => {}
            Step::Expire(number, at) => self.expire(&name(number), at),
            Step::Expect(count) => self.edit(|hash| hash.expect(count)),
            Step::Limits(fields, bytes) => self.limit(fields, bytes),
            Step::Drop => {
                self.entry.drop_expired(self.now, usize::MAX);
                let now = self.now;
                let stored = self.view().stored();
                self.model.retain(|_, (_, at)| at.is_none_or(|at| at > now));
                assert!(stored >= self.model.len());
            }
            Step::Wait(time) => self.now += time,
            Step::Look(number) => self.look(&name(number)),
            Step::Sample(count, seed) => self.sample(count, seed),
        }
    }

    /// Compares all that is there, by a walk and by scans.
    fn check(&self) {
        let living: Vec<_> = self.model.iter().filter(|(_, (_, at))| self.is_ahead(*at)).collect();
        let view = self.view();
        assert_eq!(view.len(), living.len());
        assert_eq!(view.is_empty(), living.is_empty());
        let expires = living.iter().any(|(_, (_, at))| at.is_some());
        assert!(self.entry.members_expire() || !expires);
        assert_eq!(self.entry.expires_at(), Some(17));
        let owned =
            |field: HashField<'_>| (field.name.to_vec(), (field.value.to_vec(), field.expires_at));
        let mut fields = Vec::new();
        view.for_each(|field| fields.push(owned(field)));
        fields.sort();
        assert!(fields.iter().map(|(name, rest)| (name, rest)).eq(living.iter().copied()));
        let (mut fields, mut at) = (Vec::new(), Some(0));
        while let Some(from) = at {
            at = view.scan(from, |field| fields.push(owned(field)));
        }
        fields.sort();
        assert!(fields.iter().map(|(name, rest)| (name, rest)).eq(living));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_map(
        limits in (0..300u64, 0..100u64),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut pair = Pair::new(limits);
        for step in steps {
            pair.apply(step);
            pair.check();
        }
    }
}

#[test]
fn a_packed_hash_becomes_a_table_at_the_limits() {
    let mut pair = Pair::new((3, 5));
    for number in 0..3 {
        pair.set(format!("f{number}").as_bytes(), b"12345", Expiry::Never);
    }
    assert_eq!(pair.entry.kind(), Kind::PackedHash);
    pair.edit(|hash| hash.expect(3));
    pair.set(b"f0", b"1", Expiry::Never);
    assert_eq!(pair.entry.kind(), Kind::PackedHash);
    pair.set(b"f3", b"1", Expiry::Never);
    assert_eq!(pair.entry.kind(), Kind::Hash);
    for (name, value) in [(&b"123456"[..], &b"1"[..]), (b"1", b"123456")] {
        let mut pair = Pair::new((3, 5));
        pair.set(name, value, Expiry::Never);
        assert_eq!(pair.entry.kind(), Kind::Hash);
    }
}

#[test]
fn a_run_never_outgrows_an_entry() {
    let mut pair = Pair::new((u64::MAX, u64::MAX));
    for number in 0..10_000 {
        pair.set(&name(number), b"value", Expiry::Never);
        assert!(pair.entry.run().len() <= PACKED_BYTES_MAX);
    }
    assert_eq!(pair.entry.kind(), Kind::Hash);
    pair.check();
    // An expiry makes a run longer too.
    let mut pair = Pair::new((u64::MAX, u64::MAX));
    for number in 0..9000u32 {
        pair.set(number.to_string().as_bytes(), b"1", Expiry::Never);
    }
    assert_eq!(pair.entry.kind(), Kind::PackedHash);
    for number in 0..9000u32 {
        pair.expire(number.to_string().as_bytes(), Some(BASE_MS + 1));
    }
    assert_eq!(pair.entry.kind(), Kind::Hash);
    pair.check();
}

#[test]
fn choices_are_fair() {
    for limit in [100, 0] {
        let mut pair = Pair::new((limit, 64));
        for number in 0..4u32 {
            pair.set(number.to_string().as_bytes(), b"", Expiry::Never);
        }
        let mut state = 9u64;
        let mut random = || {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            (state >> 33) << 33 | state >> 31
        };
        let mut counts = BTreeMap::<Vec<u8>, u32>::new();
        for _ in 0..4000 {
            let field = pair.view().random(&mut random).expect("there are fields");
            *counts.entry(field.name.to_vec()).or_default() += 1;
            pair.view().sample(2, &mut random, |field| {
                *counts.entry(field.name.to_vec()).or_default() += 1;
            });
        }
        assert!(counts.values().all(|count| (2700..3300).contains(count)), "{counts:?}");
    }
}
