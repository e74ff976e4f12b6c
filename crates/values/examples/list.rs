//! What an element of a list costs: bytes as the allocator and the system count them, and time.
//!
//! `cargo run --release -p values --example list [-- ELEMENTS…]`
//!
//! One process per number of elements, because what the allocator keeps of one list would blur the
//! figures of the next. Without huge pages, of which the last would count whole: at a million
//! elements that is up to two bytes for each. Times are of the processor, so they stand on a
//! machine that does other things too.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::hint::black_box;
use std::process::Command;

use values::Value;
use values::list::{End, List, Search, Shape};

#[global_allocator]
static ALLOCATOR: memory::CountedAllocator = memory::CountedAllocator;

/// Operations that a time is the mean of.
const ROUNDS: usize = 1_000_000;
const RANGE: usize = 100;
/// What asks a process of this program to measure one list.
const ONE: &str = "one";

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// A member of 16 bytes.
fn text(number: usize) -> [u8; 16] {
    let mut bytes = *b"element:00000000";
    let mut rest = number;
    for digit in bytes[8..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    bytes
}

/// Nanoseconds that this thread has run on a processor, whatever else the machine does.
fn processor_time() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0.0)
}

/// Nanoseconds of one of `count` calls.
fn time(count: usize, mut run: impl FnMut(usize)) -> f64 {
    let start = processor_time();
    (0..count).for_each(&mut run);
    (processor_time() - start) / count as f64
}

/// Numbers below `limit` in no order.
fn scattered(index: usize, limit: usize) -> usize {
    (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % limit
}

/// Elements of 16 bytes, or of 8 to 23.
fn element(number: usize, mixed: bool) -> Vec<u8> {
    let mut bytes = text(number).to_vec();
    if mixed {
        bytes.rotate_left(8);
        bytes.insert(0, b'e');
        bytes.resize(8 + number % 16, b'x');
    }
    bytes
}

fn ends(list: &mut List, mixed: bool) -> String {
    let some: Vec<Vec<u8>> = (0..1024).map(|number| element(number, mixed)).collect();
    let rounds = ROUNDS.min(list.len());
    let mut shown = String::new();
    for end in [End::Front, End::Back] {
        let push = time(rounds, |index| list.push(end, Value::of(&some[index % 1024])));
        let pop = time(rounds, |_| {
            list.pop(end, |value| black_box(value.len()));
        });
        let both = time(rounds, |index| {
            list.push(end, Value::of(&some[index % 1024]));
            list.pop(end, |value| black_box(value.len()));
        });
        shown += &format!(" {push:7.1} {pop:7.1} {both:7.1}");
    }
    shown
}

fn inside(list: &List) -> String {
    let len = list.len();
    let near = time(ROUNDS, |_| list.range(End::Front, 0, RANGE, |value| _ = black_box(value)));
    let range = time(ROUNDS / 20, |index| {
        let at = scattered(index, len - RANGE);
        list.range(End::Front, at, RANGE, |value| _ = black_box(value));
    });
    let back = time(ROUNDS / 20, |_| {
        list.range(End::Front, len - RANGE, RANGE, |value| _ = black_box(value));
    });
    let index = time(ROUNDS / 20, |index| {
        black_box(list.get(scattered(index, len), |value| value.len()));
    });
    let search = Search { from: End::Front, skip: 0, limit: 1, compared_max: usize::MAX };
    let find = time(1, |_| list.positions(Value::of(b"not there at all"), search, |_| {}));
    format!(" {near:8.0} {range:8.0} {back:8.0} {index:8.0} {:8.2}", find / len as f64)
}

fn measure(count: usize, mixed: bool) {
    memory::publish();
    let (used, system) = (memory::used(), resident());
    let mut list = List::new(Shape::default());
    for number in 0..count {
        list.push(End::Back, Value::of(&element(number, mixed)));
    }
    memory::settle();
    let per = |bytes: u64| bytes as f64 / count as f64;
    let (used, system) = (per(memory::used() - used), per(resident() - system));
    let counted = per(list.memory() as u64);
    let inside = inside(&list);
    let ends = ends(&mut list, mixed);
    let kind = if mixed { "8-23" } else { "16" };
    println!("{count:9} {kind:>5} {system:6.2} {used:6.2} {counted:6.2}{ends}{inside}");
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [first, count, mixed] = args.as_slice()
        && first == ONE
    {
        return measure(count.parse().unwrap_or(1000), mixed == "true");
    }
    let counts = if args.is_empty() {
        ["600000", "1000000", "2000000", "5000000"].map(String::from).to_vec()
    } else {
        args
    };
    println!("bytes per element: of the system, used_memory, the list's own account; then ns of:");
    println!(
        "{:>9} {:>5} {:>6} {:>6} {:>6} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>8} {:>8} {:>8} \
         {:>8} {:>8}",
        "elements",
        "size",
        "RSS",
        "used",
        "own",
        "lpush",
        "lpop",
        "both",
        "rpush",
        "rpop",
        "both",
        "first100",
        "any 100",
        "last100",
        "index",
        "find/el"
    );
    let Ok(program) = std::env::current_exe() else { return };
    for mixed in ["false", "true"] {
        for count in &counts {
            let mut one = Command::new(&program);
            one.args([ONE, count, mixed]).env("MIMALLOC_ALLOW_THP", "0");
            if let Err(error) = one.status() {
                println!("{error}");
            }
        }
    }
}
