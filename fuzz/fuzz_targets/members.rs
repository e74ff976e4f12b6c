//! Any sequence of operations on a hash and a set does what it does to maps, fields and members
//! that expire included.
//!
//! The input is read byte by byte: an operation, then its operands. Keys are few, so that
//! operations meet; many may be written or removed in one, so that tables grow and shrink.

#![no_main]

mod input;

use std::collections::BTreeMap;

use input::Input;
use libfuzzer_sys::fuzz_target;
use table::Hasher;
use table::tick::tick_of;
use values::{Expiry, Hash, Set};

const BASE_MS: u64 = 1_800_000_000_000;
/// Operations of one input.
const STEPS_MAX: usize = 400;

/// Values and expiries by field; the members of the set have no values.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

impl Input<'_> {
    fn expiry(&mut self) -> Expiry {
        match self.byte() {
            0..100 => Expiry::Keep,
            100..180 => Expiry::Never,
            byte => Expiry::At(BASE_MS + u64::from(byte) * 40),
        }
    }
}

fn key(number: u16) -> Vec<u8> {
    match number {
        0 => Vec::new(),
        _ if number.is_multiple_of(97) => vec![number as u8; usize::from(number)],
        _ => format!("k{number}").into_bytes(),
    }
}

/// A hash, a set with its fields as members, what should be in them, and the time.
struct Pair {
    hash: Hash,
    set: Set,
    model: Model,
    now: u64,
}

impl Pair {
    fn living(&self, key: &[u8]) -> Option<&(Vec<u8>, Option<u64>)> {
        self.model.get(key).filter(|(_, at)| at.is_none_or(|at| at > self.now))
    }

    fn set(&mut self, key: Vec<u8>, value: Vec<u8>, expiry: Expiry) {
        let old = self.living(&key).map(|(_, at)| *at);
        assert_eq!(self.hash.set(&key, &value, expiry, self.now), old.is_none());
        assert_eq!(self.set.add(&key, expiry, self.now), old.is_none());
        let at = match expiry {
            Expiry::Keep => old.flatten(),
            Expiry::Never => None,
            Expiry::At(at) => Some(at),
        };
        self.model.insert(key, (value, at));
    }

    fn remove(&mut self, key: &[u8]) {
        let expected = self.living(key).cloned();
        let field = self.hash.remove(key, self.now);
        assert_eq!(field.map(|f| (f.value().to_vec(), f.expires_at())), expected);
        let member = self.set.remove(key, self.now);
        assert_eq!(member.map(|m| m.expires_at()), expected.map(|(_, at)| at));
        self.model.remove(key);
    }

    fn expire(&mut self, key: &[u8], at: Option<u64>) {
        let is_there = self.living(key).is_some();
        assert_eq!(self.hash.expire(key, at, self.now), is_there);
        assert_eq!(self.set.expire(key, at, self.now), is_there);
        if is_there {
            self.model.get_mut(key).unwrap().1 = at;
        }
    }

    fn drain(&mut self, limit: usize) {
        let tick = tick_of(self.now);
        let mut fields = Vec::new();
        let taken = self.hash.drain_expired(self.now, limit, |f| fields.push(f.key().to_vec()));
        assert!(taken == fields.len() && taken <= limit);
        for field in fields {
            let (_, at) = self.model.remove(&field).unwrap();
            assert!(at.is_some_and(|at| tick_of(at) < tick));
            self.set.remove(&field, 0);
        }
    }

    fn sample(&self, count: usize, seed: u64) {
        let mut state = seed;
        let random = || {
            state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            state ^ state >> 32
        };
        let mut seen = Vec::new();
        self.set.sample(count, self.now, random, |member| seen.push(member.key().to_vec()));
        seen.sort();
        seen.dedup();
        let living = self.model.keys().filter(|key| self.living(key).is_some()).count();
        assert_eq!(seen.len(), count.min(living));
        assert!(seen.iter().all(|key| self.living(key).is_some()));
    }

    fn check(&self) {
        self.hash.check_invariants();
        self.set.check_invariants();
        assert_eq!((self.hash.len(), self.set.len()), (self.model.len(), self.model.len()));
        for (key, (value, at)) in &self.model {
            let field = self.hash.get(key, 0).unwrap();
            assert_eq!((field.value(), field.expires_at()), (&value[..], *at));
            assert_eq!(self.set.get(key, 0).unwrap().expires_at(), *at);
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 10 {
            0..3 => {
                let (key, value) = (key(input.short() % 2048), vec![7; usize::from(input.byte())]);
                self.set(key, value, input.expiry());
            }
            3 => self.remove(&key(input.short() % 2048)),
            4 => {
                let (from, expiry) = (input.short() % 2048, input.expiry());
                for number in from..from + u16::from(input.byte()) * 4 {
                    self.set(key(number), vec![b'v'; 16], expiry);
                }
            }
            5 => {
                let from = input.short() % 2048;
                for number in from..from + u16::from(input.byte()) * 4 {
                    self.remove(&key(number));
                }
            }
            6 => {
                let key = key(input.short() % 2048);
                let byte = input.byte();
                self.expire(&key, (byte & 1 == 1).then(|| BASE_MS + u64::from(byte) * 40));
            }
            7 => self.drain(usize::from(input.short())),
            8 => self.now += u64::from(input.byte()) * 4,
            _ => self.sample(usize::from(input.short() % 512), u64::from(input.byte())),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let hasher = Hasher::new([7, 11]);
    let (hash, set) = (Hash::new(hasher), Set::new(hasher));
    let mut pair = Pair { hash, set, model: Model::new(), now: BASE_MS };
    for _ in 0..STEPS_MAX {
        if input.0.is_empty() {
            break;
        }
        pair.step(&mut input);
    }
    pair.check();
});
