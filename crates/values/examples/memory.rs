//! What collections cost: bytes per member and time per operation.
//!
//! `cargo run --release -p values --example memory`
//!
//! Members and values have 16 bytes. Every line is measured in a process of its own, which this
//! program starts with the line's kind and count as arguments. `used` is what the allocator counts,
//! `RSS` what the system does; both without what was there before the first member. Times are of
//! the processor, operations one after another on members in random order, the making of the
//! member's name included.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::hint::black_box;

use table::Hasher;
use values::{Expiry, Hash, Score, Set, SortedSet};

#[global_allocator]
static ALLOCATOR: memory::CountedAllocator = memory::CountedAllocator;

const KINDS: &[&str] = &["set", "hash", "hash-expiring", "zset-random", "zset-ascending"];
const COUNTS: &[usize] = &[600_000, 1_000_000, 2_000_000, 5_000_000];
/// Small collections are measured by many of them at once.
const SMALL: &[usize] = &[200, 600, 2000];
const SMALL_MEMBERS: usize = 1_000_000;
/// Operations of which the mean is told.
const OPERATIONS: usize = 500_000;
const NOW_MS: u64 = 1_800_000_000_000;

fn scramble(number: usize) -> u64 {
    let mut bits = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// A name of 16 bytes.
fn name(mut number: usize) -> [u8; 16] {
    let mut name = *b"member:000000000";
    for digit in name[7..].iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    name
}

fn score(value: f64) -> Score {
    Score::new(value).unwrap_or_else(|| unreachable!("a number"))
}

fn rss() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or(0) * 1024
}

/// Nanoseconds that this thread has run.
fn cpu_ns() -> usize {
    let status = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    status.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

fn used() -> usize {
    memory::publish();
    memory::used() as usize
}

/// One of the collections, with what is measured of it.
enum Collection {
    Set(Set),
    Hash(Hash, Expiry),
    Sorted(SortedSet, bool),
}

impl Collection {
    fn new(kind: &str) -> Self {
        let hasher = Hasher::new([1, 2]);
        match kind {
            "set" => Self::Set(Set::new(hasher)),
            "hash" => Self::Hash(Hash::new(hasher), Expiry::Never),
            "hash-expiring" => Self::Hash(Hash::new(hasher), Expiry::At(NOW_MS + 1_000_000)),
            _ => Self::Sorted(SortedSet::new(hasher), kind == "zset-ascending"),
        }
    }

    fn insert(&mut self, number: usize) {
        match self {
            Self::Set(set) => {
                black_box(set.add(&name(number), Expiry::Keep, NOW_MS));
            }
            Self::Hash(hash, expiry) => {
                black_box(hash.set(&name(number), b"value-value-valu", *expiry, NOW_MS));
            }
            Self::Sorted(set, ascending) => {
                let value = if *ascending { number as f64 } else { scramble(number) as f64 };
                black_box(set.add(&name(number), score(value)));
            }
        }
    }

    fn counted(&self) -> usize {
        match self {
            Self::Set(set) => set.memory(),
            Self::Hash(hash, _) => hash.memory(),
            Self::Sorted(set, _) => set.memory(),
        }
    }

    /// Prints the times of operations.
    fn time(&mut self, count: usize) {
        match self {
            Self::Set(set) => {
                each("lookup", count, |number| set.contains(&name(number), NOW_MS));
                let mut next = 0;
                let mut draw = move || {
                    next += 1;
                    scramble(next)
                };
                each("random", count, |_| set.random(NOW_MS, &mut draw).is_some());
                each("remove", count, |number| set.remove(&name(number), NOW_MS).is_some());
            }
            Self::Hash(hash, expiry) => {
                each("lookup", count, |number| hash.get(&name(number), NOW_MS).is_some());
                let value = b"another-value-16";
                each("set", count, |number| hash.set(&name(number), value, *expiry, NOW_MS));
                each("remove", count, |number| hash.remove(&name(number), NOW_MS).is_some());
            }
            Self::Sorted(set, _) => time_sorted(set, count),
        }
        println!();
    }
}

fn time_sorted(set: &mut SortedSet, count: usize) {
    each("lookup", count, |number| set.score(&name(number)));
    each("rank", count, |number| set.rank(&name(number)));
    each("range of 100", count, |number| {
        let first = number.min(count - 100);
        set.range(first..first + 100).map(|member| member.key().len()).sum::<usize>()
    });
    let by = |old: Option<Score>, step: f64| old.and_then(|old| Score::new(old.get() + step));
    each("increment by 1", count, |number| set.update(&name(number), |old| by(old, 1.0)));
    let far = u64::MAX as f64 / 7.0;
    each("move far", count, |number| set.update(&name(number), |old| by(old, far)));
    each("remove", count, |number| set.remove(&name(number)).is_some());
}

/// Prints the mean time of an operation on random members out of `count`.
fn each<R>(what: &str, count: usize, mut operation: impl FnMut(usize) -> R) {
    let start = cpu_ns();
    for turn in 0..OPERATIONS {
        black_box(operation(scramble(turn) as usize % count));
    }
    print!("  {what} {} ns", (cpu_ns() - start) / OPERATIONS);
}

/// Measures collections of `count` members each, as many as have `members` together.
fn measure(kind: &str, count: usize, members: usize) {
    let collections = members / count;
    let mut all: Vec<Collection> = (0..collections).map(|_| Collection::new(kind)).collect();
    let (used_before, rss_before) = (used(), rss());
    let start = cpu_ns();
    for number in 0..count {
        for (index, collection) in all.iter_mut().enumerate() {
            collection.insert(index * count + number);
        }
    }
    let members = count * collections;
    let elapsed = (cpu_ns() - start) / members;
    let per_member = |bytes: usize| bytes as f64 / members as f64;
    let counted: usize = all.iter().map(Collection::counted).sum();
    println!(
        "{kind:<15} {count:>8}: used {:.2}  RSS {:.2}  told {:.2}  insert {elapsed} ns",
        per_member(used() - used_before),
        per_member(rss().saturating_sub(rss_before)),
        per_member(counted),
    );
    if let [only] = &mut all[..] {
        only.time(count);
    }
}

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, kind, count, members] = &arguments[..] {
        if let (Ok(count), Ok(members)) = (count.parse(), members.parse()) {
            measure(kind, count, members);
        }
        return Ok(());
    }
    let small = SMALL.iter().map(|&count| (count, SMALL_MEMBERS));
    let large = COUNTS.iter().map(|&count| (count, count));
    let all: Vec<(usize, usize)> = small.chain(large).collect();
    for kind in KINDS {
        for (count, members) in &all {
            let program = std::env::current_exe()?;
            let arguments = [(*kind).to_owned(), count.to_string(), members.to_string()];
            std::process::Command::new(program).args(arguments).status()?;
        }
    }
    Ok(())
}
