//! Any sequence of operations on a table of entries does what it does to a map.
//!
//! The input is read byte by byte: an operation, then its operands. Keys are few and of several
//! lengths, so that operations meet; many may be put or removed in one operation, so that the table
//! grows, splits, shrinks and merges within an input of some bytes.

#![no_main]

mod input;

use std::collections::HashMap;

use input::Input;
use libfuzzer_sys::fuzz_target;
use table::tick::tick_of;
use table::{Hasher, Table};
use values::{Entry, Value};

const SECRET: [u64; 2] = [7, 11];
const BASE_MS: u64 = 1_800_000_000_000;
/// Operations of one input.
const STEPS_MAX: usize = 400;

type Model = HashMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

impl Input<'_> {
    fn key(&mut self) -> Vec<u8> {
        key(self.short() % 4096)
    }

    fn expiry(&mut self) -> Option<u64> {
        let byte = self.byte();
        (byte & 1 == 1).then(|| BASE_MS + u64::from(byte) * 100)
    }

    /// A number, a short text or a long one.
    fn value(&mut self) -> Vec<u8> {
        let byte = self.byte();
        match byte % 4 {
            0 => (i64::from(byte) * 1_000_003 - 100_000_000).to_string().into_bytes(),
            1 => vec![byte; usize::from(byte) / 4],
            2 => vec![byte; usize::from(self.short() % 9000)],
            _ => Vec::new(),
        }
    }
}

/// Keys of no byte, of some, and now and then of many.
fn key(number: u16) -> Vec<u8> {
    match number {
        0 => Vec::new(),
        _ if number % 97 == 0 => format!("{number:0width$}", width = usize::from(number)).into(),
        _ => format!("k{number}").into_bytes(),
    }
}

fn hash(key: &[u8]) -> u64 {
    Hasher::new(SECRET).hash(key, u16::from(key.last().map_or(0, |byte| byte % 3)))
}

/// The string of an entry.
fn text(entry: &Entry) -> Vec<u8> {
    entry.string().unwrap().to_vec()
}

fn hash_of(entry: &Entry) -> u64 {
    hash(entry.key())
}

/// A table and what should be in it.
#[derive(Default)]
struct Pair {
    table: Table<Entry>,
    model: Model,
}

impl Pair {
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>, at: Option<u64>) {
        if let Some(mut entry) = self.table.find_mut(hash(&key), &key) {
            entry.set(Value::of(&value), at);
        } else {
            self.table.insert(hash(&key), Entry::new(&key, Value::of(&value), at), hash_of);
        }
        self.model.insert(key, (value, at));
    }

    fn take(&mut self, key: &[u8]) -> Option<Entry> {
        let taken = self.table.find_mut(hash(key), key).map(|e| e.remove(hash(key), hash_of));
        let expected = self.model.remove(key);
        let found = taken.as_ref().map(|entry| (text(entry), entry.expires_at()));
        assert_eq!(found, expected);
        taken
    }

    fn rename(&mut self, from: &[u8], to: Vec<u8>) {
        let Some(entry) = self.take(from) else { return };
        drop(self.take(&to));
        let (value, at) = (text(&entry), entry.expires_at());
        self.table.insert(hash(&to), entry.rename(&to), hash_of);
        self.model.insert(to, (value, at));
    }

    fn copy(&mut self, from: &[u8], to: Vec<u8>) {
        let Some(copy) = self.table.find(hash(from), from).map(|entry| entry.copy_as(&to)) else {
            return;
        };
        let source = self.model[from].clone();
        drop(self.take(&to));
        self.table.insert(hash(&to), copy, hash_of);
        self.model.insert(to, source);
    }

    fn edit(&mut self, key: &[u8], len: usize, byte: u8) {
        let Some(mut entry) = self.table.find_mut(hash(key), key) else { return };
        let bytes = entry.edit(len);
        assert_eq!(bytes.len(), len);
        let value = &mut self.model.get_mut(key).unwrap().0;
        let kept = value.len().min(len);
        assert_eq!(bytes[..kept], value[..kept]);
        // What is new has no promised content.
        bytes[kept..].fill(byte);
        value.resize(len, byte);
    }

    fn drain(&mut self, at: u64, limit: usize) {
        let tick = tick_of(at);
        let mut keys = Vec::new();
        let taken = self.table.drain_due(tick, limit, |entry| {
            keys.push(entry.key().to_vec());
            None
        });
        assert!(taken == keys.len() && taken <= limit);
        for key in keys {
            let (_, due) = self.model.remove(&key).unwrap();
            assert!(due.is_some_and(|due| tick_of(due) < tick));
        }
        if taken < limit {
            let is_due = |due: &Option<u64>| due.is_some_and(|due| tick_of(due) < tick);
            assert!(!self.model.values().any(|(_, due)| is_due(due)));
        }
    }

    fn check(&self) {
        self.table.check_invariants(hash_of);
        assert_eq!(self.table.len(), self.model.len());
        let (mut seen, mut at) = (Vec::new(), Some(0));
        while let Some(from) = at {
            at = self.table.scan(from, |entry| {
                let (value, due) = &self.model[entry.key()];
                assert_eq!((&text(entry), &entry.expires_at()), (value, due));
                seen.push(entry.key().to_vec());
            });
        }
        assert_eq!(seen.len(), self.model.len());
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), self.model.len());
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 12 {
            0 | 1 => {
                let (key, value, at) = (input.key(), input.value(), input.expiry());
                self.put(key, value, at);
            }
            2 => drop(self.take(&input.key())),
            3 => {
                let (from, at) = (input.short() % 4096, input.expiry());
                for number in from..from + u16::from(input.byte()) * 4 {
                    self.put(key(number), b"17".to_vec(), at);
                }
            }
            4 => {
                let from = input.short() % 4096;
                for number in from..from + u16::from(input.byte()) * 4 {
                    drop(self.take(&key(number)));
                }
            }
            5 => self.rename(&input.key(), input.key()),
            6 => self.copy(&input.key(), input.key()),
            7 => self.edit(&input.key(), usize::from(input.short() % 9000), input.byte()),
            8 => self.drain(BASE_MS + u64::from(input.byte()) * 110, usize::from(input.short())),
            9 => {
                let (key, at) = (input.key(), input.expiry());
                if let Some(mut entry) = self.table.find_mut(hash(&key), &key) {
                    entry.set_expiry(at);
                    self.model.get_mut(&key).unwrap().1 = at;
                }
            }
            10 => {
                let random = || u64::from(input.short()) << 48 | u64::from(input.short());
                match self.table.random(random) {
                    Some(entry) => assert!(self.model.contains_key(entry.key())),
                    None => assert!(self.model.is_empty()),
                }
            }
            _ => self.check(),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let mut pair = Pair::default();
    for _ in 0..STEPS_MAX {
        if input.0.is_empty() {
            break;
        }
        pair.step(&mut input);
    }
    pair.check();
});
