//! The table against a `HashMap`.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::hash::Hasher;
use crate::tick::tick_of;

const HASHER: [u64; 2] = [1, 2];

/// An item: a key with a value and an expiry.
struct Entry(Box<Stored>);

#[repr(align(8))]
struct Stored {
    key: Vec<u8>,
    value: Vec<u8>,
    at: Option<u64>,
}

// SAFETY: the raw form is the address of a box, aligned to 8.
unsafe impl Item for Entry {
    fn into_raw(self) -> NonNull<u8> {
        NonNull::from(Box::leak(self.0)).cast()
    }

    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        // SAFETY: the address came from `into_raw`.
        Self(unsafe { Box::from_raw(raw.cast().as_ptr()) })
    }

    fn key(&self) -> &[u8] {
        &self.0.key
    }

    fn due(&self) -> u32 {
        self.0.at.map_or(NEVER, tick_of)
    }
}

fn hash(key: &[u8]) -> u64 {
    // The keys that end with 77 share a slot, as keys with one hash tag do.
    let spread = Hasher::new([3, 4]).hash(key, 0) as u16;
    Hasher::new(HASHER).hash(key, if key.ends_with(b"77") { 5 } else { spread })
}

fn hash_of(entry: &Entry) -> u64 {
    hash(entry.key())
}

fn put(table: &mut Table<Entry>, key: &[u8], value: &[u8], at: Option<u64>) {
    if let Some(mut entry) = table.find_mut(hash(key), key) {
        // At another address.
        *entry = Entry(Box::new(Stored { key: key.to_vec(), value: value.to_vec(), at }));
        return;
    }
    let stored = Stored { key: key.to_vec(), value: value.to_vec(), at };
    table.insert(hash(key), Entry(Box::new(stored)), hash_of);
}

fn key(number: u32) -> Vec<u8> {
    format!("key:{number:012}").into_bytes()
}

#[derive(Clone, Debug)]
enum Step {
    Put(u32, Vec<u8>, Option<u16>),
    Remove(u32),
    RemoveMany(u32, u32),
    PutMany(u32, u32),
    Drain(u16, usize),
    Scan,
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0..3000u32;
    prop_oneof![
        4 => (number.clone(), proptest::collection::vec(any::<u8>(), 0..80), any::<Option<u16>>())
            .prop_map(|(k, v, e)| Step::Put(k, v, e)),
        4 => number.clone().prop_map(Step::Remove),
        1 => (number.clone(), 0..2500u32).prop_map(|(k, n)| Step::RemoveMany(k, n)),
        1 => (number, 0..2500u32).prop_map(|(k, n)| Step::PutMany(k, n)),
        1 => (any::<u16>(), 0..500usize).prop_map(|(t, n)| Step::Drain(t, n)),
        1 => Just(Step::Scan),
    ]
}

/// Times of expiry lie this far from one another, more than a tick.
const GRAIN_MS: u64 = 1000;
const BASE_MS: u64 = 1_800_000_000_000;

fn time(at: u16) -> u64 {
    BASE_MS + u64::from(at) * GRAIN_MS
}

type Model = HashMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

fn remove(table: &mut Table<Entry>, model: &mut Model, key: &[u8]) {
    let found = table.find_mut(hash(key), key).map(|entry| entry.remove(hash(key), hash_of));
    let expected = model.remove(key);
    assert_eq!(found.map(|entry| (entry.0.value.clone(), entry.0.at)), expected);
}

fn apply(table: &mut Table<Entry>, model: &mut Model, step: Step) {
    match step {
        Step::Put(number, value, at) => {
            let at = at.map(time);
            put(table, &key(number), &value, at);
            model.insert(key(number), (value, at));
        }
        Step::Remove(number) => remove(table, model, &key(number)),
        Step::RemoveMany(first, count) => {
            for number in first..first + count {
                remove(table, model, &key(number));
            }
        }
        Step::PutMany(first, count) => {
            for number in first..first + count {
                put(table, &key(number), b"17", None);
                model.insert(key(number), (b"17".to_vec(), None));
            }
        }
        Step::Drain(at, limit) => {
            let tick = tick_of(time(at));
            // Some stay, with another expiry, and maybe at another address.
            let later = |key: &[u8]| key.ends_with(b"3").then(|| time(at) + GRAIN_MS);
            let mut keys = Vec::new();
            let handed = table.drain_due(tick, limit, |mut entry| {
                keys.push(entry.key().to_vec());
                entry.0.at = Some(later(entry.key())?);
                Some(Entry(Box::new(*entry.0)))
            });
            assert_eq!(handed, keys.len());
            for key in keys {
                let (value, due) = model.remove(&key).expect("drained what was there");
                assert!(due.is_some_and(|due| tick_of(due) < tick));
                if let Some(at) = later(&key) {
                    model.insert(key, (value, Some(at)));
                }
            }
            if handed < limit {
                let left = |due: &Option<u64>| due.is_some_and(|due| tick_of(due) < tick);
                assert!(!model.values().any(|(_, due)| left(due)));
            }
        }
        Step::Scan => {
            let (mut seen, mut at) = (Vec::new(), Some(0));
            while let Some(from) = at {
                at = table.scan(from, |entry| seen.push(entry.key().to_vec()));
            }
            seen.sort();
            let mut keys: Vec<_> = model.keys().cloned().collect();
            keys.sort();
            assert_eq!(seen, keys);
        }
    }
    assert_eq!(table.len(), model.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_map(
        capacity in prop_oneof![Just(0), 0..4000_usize],
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let (mut table, mut model) = (Table::with_capacity(capacity), Model::new());
        for step in steps {
            apply(&mut table, &mut model, step);
            table.check_invariants(hash_of);
        }
        for (key, (value, at)) in &model {
            let entry = table.find(hash(key), key).expect("the model has it");
            prop_assert_eq!((entry.0.value.clone(), entry.0.at), (value.clone(), *at));
        }
    }
}

#[test]
fn a_table_of_known_size_hardly_grows_and_is_not_larger_than_others() {
    for items in [1, 7, 300, 500, 5_000, 40_000, 100_000] {
        let mut table = Table::with_capacity(items as usize);
        let at_first = table.memory();
        for number in 0..items {
            put(&mut table, &key(number * 100), b"x", None);
        }
        table.check_invariants(hash_of);
        let now = table.memory();
        assert!(now * 20 < at_first * 21, "{items}: from {at_first} to {now} bytes");
        assert!(now < 14 * items as usize + 1000, "{items}: {now} bytes");
    }
}

#[test]
fn a_scan_sees_all_that_stays_while_the_table_changes() {
    let mut table = Table::new();
    for number in 0..20_000 {
        put(&mut table, &key(number), b"x", None);
    }
    let (mut seen, mut at, mut turn) = (std::collections::HashSet::new(), Some(0), 20_000);
    while let Some(from) = at {
        at = table.scan(from, |entry| {
            seen.insert(entry.key().to_vec());
        });
        // First it grows to twice its size, then only a tenth of the first keys stays.
        if turn < 40_000 {
            (turn..turn + 50).for_each(|number| put(&mut table, &key(number), b"y", None));
        } else {
            for number in (turn - 40_000..turn - 39_950).filter(|n| n % 10 != 0 && *n < 20_000) {
                let key = key(number);
                if let Some(entry) = table.find_mut(hash(&key), &key) {
                    entry.remove(hash(&key), hash_of);
                }
            }
        }
        turn += 50;
    }
    assert!((0..20_000).step_by(10).all(|number| seen.contains(&key(number))));
}

#[test]
fn memory_per_key_is_level_and_comes_back() {
    let mut table = Table::new();
    let (mut low, mut high) = (f64::MAX, 0f64);
    for number in 0..400_000 {
        put(&mut table, &key(number), b"x", None);
        if number > 10_000 && number % 1000 == 0 {
            let per_key = table.memory() as f64 / f64::from(number);
            (low, high) = (low.min(per_key), high.max(per_key));
        }
    }
    assert!(high < 12.5 && low > 9.0, "bytes of table per key: {low:.2} to {high:.2}");
    for number in 0..399_000 {
        let key = key(number);
        let entry = table.find_mut(hash(&key), &key).expect("was put");
        entry.remove(hash(&key), hash_of);
    }
    table.check_invariants(hash_of);
    assert!(table.memory() < 1000 * 80, "{} bytes for 1,000 keys", table.memory());
}

/// SplitMix64 from a fixed start.
fn draws() -> impl FnMut() -> u64 {
    let mut state: u64 = 0;
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }
}

/// Pearson's chi-squared over its mean, which is near one when all items are equally likely.
fn unevenness(table: &Table<Entry>, draws_per_item: usize) -> f64 {
    let mut draw = draws();
    let mut counts: HashMap<Vec<u8>, usize> = HashMap::new();
    for _ in 0..table.len() * draws_per_item {
        let item = table.random(&mut draw).expect("not empty");
        *counts.entry(item.key().to_vec()).or_default() += 1;
    }
    let mean = draws_per_item as f64;
    let missed = (table.len() - counts.len()) as f64 * mean;
    let sum: f64 = counts.values().map(|&count| (count as f64 - mean).powi(2) / mean).sum();
    (sum + missed) / (table.len() - 1) as f64
}

#[test]
fn every_item_is_equally_likely_to_be_drawn() {
    let mut table = Table::new();
    assert!(table.random(draws()).is_none());
    for number in 0..5000 {
        put(&mut table, &key(number), b"x", None);
        if [0, 5, 40, 300, 1000, 2600, 4999].contains(&number) {
            let uneven = unevenness(&table, 40);
            assert!(number < 100 || (0.8..1.2).contains(&uneven), "{number}: {uneven:.2}");
            assert!(uneven < 2.0 || number == 0, "{number}: {uneven:.2}");
        }
    }
}

#[test]
fn iteration_visits_each_item_once_and_may_stop_halfway() {
    let mut table: Table<Entry> = Table::new();
    assert_eq!(table.iter().count() + table.into_iter().count(), 0);
    table = Table::new();
    for number in 0..3000 {
        put(&mut table, &key(number), b"x", None);
    }
    let mut keys: Vec<_> = table.iter().map(|entry| entry.key().to_vec()).collect();
    keys.sort();
    assert_eq!(keys, (0..3000).map(key).collect::<Vec<_>>());
    let mut owned = table.into_iter();
    let mut keys: Vec<_> = owned.by_ref().take(1300).map(|entry| entry.key().to_vec()).collect();
    assert_eq!(owned.len(), 1700);
    // The others are dropped with the iterator, which AddressSanitizer watches.
    let more: Vec<Entry> = owned.by_ref().take(100).collect();
    keys.extend(more.iter().map(|entry| entry.key().to_vec()));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 1400);
}
