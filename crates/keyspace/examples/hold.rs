//! How long a shard stays borrowed by one SET while a keyspace fills: growth and splits included.
//!
//! `cargo run --release -p keyspace --example hold -- 10000000`
//!
//! A thread that is put aside by the system while it holds a shard would be counted as a long hold,
//! so a hold during which the thread was put aside (the kernel counts these) is told apart.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::time::Instant;

use keyspace::Keyspace;
use values::Value;

/// How often the system has put this thread aside or run something else on its processor.
fn put_aside() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let counts = status.lines().filter_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
    counts.filter_map(|count| count.trim().parse::<u64>().ok()).sum()
}

fn main() {
    let count: u64 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(10_000_000);
    let keyspace = Keyspace::leak([1, 2]);
    let (mut longest, mut longest_aside, mut slow) = (0u128, 0u128, 0u64);
    let mut histogram = [0u64; 64];
    let mut aside = put_aside();
    for number in 0..count {
        let name = format!("key:{number:012}");
        let key = keyspace.key(name.as_bytes());
        let Some(mut shard) = keyspace.try_borrow(key.shard()) else { continue };
        let start = Instant::now();
        shard.db(0).set(&key, Value::Bytes(&[b'v'; 32]), None, 0);
        drop(shard);
        let held = start.elapsed().as_nanos();
        histogram[(128 - held.leading_zeros()) as usize] += 1;
        if held > longest.min(50_000) {
            let now = put_aside();
            if now == aside {
                longest = longest.max(held);
                slow += u64::from(held > 200_000);
            } else {
                longest_aside = longest_aside.max(held);
            }
            aside = now;
        }
    }
    println!("{count} SETs of new keys; longest hold {:.1} us", longest as f64 / 1000.0);
    println!(
        "holds above 200 us: {slow}; while put aside by the system at most {longest_aside} ns"
    );
    for (power, count) in histogram.iter().enumerate().filter(|(_, count)| **count > 0) {
        println!("below {:>10} ns: {count}", 1u128 << power);
    }
}
