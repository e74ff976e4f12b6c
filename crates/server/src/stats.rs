//! What commands cost: calls, time, failures and a histogram of times, per command.
//!
//! Each thread counts in cells of its own, which only it writes and anybody reads; the worker pool
//! shares one more. So counting is an addition in a cache line that the thread has already, and
//! reading sums over the threads. A command's time is taken from the processor's counter.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::counter::add;

/// Kinds of errors that are told apart. A client can make up no more, but a script can.
const ERROR_KINDS_MAX: usize = 128;

/// The counters of all commands.
pub struct Stats {
    clock: quanta::Clock,
    /// Ticks of the processor's counter in a microsecond.
    ticks_per_us: u64,
    exact_ticks_per_us: f64,
    /// One per thread that serves connections; the last is the worker pool's.
    threads: Box<[Box<[Cell]>]>,
    pool: Mutex<()>,
    errors: Mutex<BTreeMap<String, u64>>,
}

/// One command's counters on one thread. Times are in ticks.
#[repr(align(64))]
#[derive(Default)]
struct Cell {
    /// Calls that are not in the histogram.
    calls: AtomicU64,
    ticks: AtomicU64,
    failed: AtomicU64,
    rejected: AtomicU64,
    histogram: OnceLock<Box<Histogram>>,
}

/// One command's counters, summed.
#[derive(Clone, Default)]
pub struct Totals {
    /// Calls that were run.
    pub calls: u64,
    /// Their time in nanoseconds.
    pub nanos: u64,
    /// Calls that were answered with an error.
    pub failed: u64,
    /// Calls that were not run, as for a wrong number of arguments.
    pub rejected: u64,
    /// How long the calls took.
    pub times: Times,
}

/// A moment, in ticks of the processor's counter.
#[derive(Clone, Copy)]
pub struct Moment(u64);

/// A time, in ticks of the processor's counter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ticks(pub u64);

impl Moment {
    /// The time from here until later.
    #[inline]
    pub fn until(self, later: Moment) -> Ticks {
        Ticks(later.0.saturating_sub(self.0))
    }

    /// The moment so much earlier.
    pub fn back_by(self, time: Ticks) -> Self {
        Self(self.0.saturating_sub(time.0))
    }
}

/// The counters of one thread.
#[derive(Clone, Copy)]
pub struct Tally<'a>(&'a [Cell]);

impl Tally<'_> {
    /// Counts calls of a command that the thread has run, which took that long together; only for
    /// that thread. `tracked` says whether their times go into the histogram too.
    #[inline]
    pub fn note_calls(self, command: usize, calls: u32, time: Ticks, tracked: bool) {
        let Some(cell) = self.0.get(command) else { return };
        let calls = u64::from(calls);
        add(&cell.ticks, time.0);
        if tracked {
            let bucket = bucket_of(time.0 / calls.max(1));
            add(&cell.histogram.get_or_init(Box::default).counts[bucket], calls);
        } else {
            add(&cell.calls, calls);
        }
    }
}

/// Ticks by which the counter is measured when the server starts.
const MEASURE: u64 = 1 << 40;

impl Stats {
    /// Counters for that many threads that serve connections, and commands.
    pub fn new(threads: usize, commands: usize) -> Self {
        let cells = |_| (0..commands).map(|_| Cell::default()).collect();
        let clock = quanta::Clock::new();
        let measure_us = (clock.delta_as_nanos(0, MEASURE) / 1000).max(1);
        Self {
            clock,
            ticks_per_us: (MEASURE / measure_us).max(1),
            exact_ticks_per_us: MEASURE as f64 / measure_us as f64,
            threads: (0..=threads).map(cells).collect(),
            pool: Mutex::new(()),
            errors: Mutex::default(),
        }
    }

    /// The moment.
    #[inline]
    pub fn now(&self) -> Moment {
        Moment(self.clock.raw())
    }

    /// A time in nanoseconds.
    pub fn nanos(&self, time: Ticks) -> u64 {
        self.clock.delta_as_nanos(0, time.0)
    }

    /// A time that was given in microseconds.
    #[inline]
    pub fn micros(&self, us: u64) -> Ticks {
        // Not by whole ticks in a microsecond, which would be too few by up to a thousandth.
        Ticks((us as f64 * self.exact_ticks_per_us).ceil() as u64)
    }

    /// The counters of a thread.
    #[inline]
    pub fn tally(&self, thread: usize) -> Tally<'_> {
        Tally(self.threads.get(thread).map_or(&[], |cells| cells))
    }

    /// Counts a call that the worker pool has run.
    pub fn note_pool_call(&self, command: usize, time: Ticks, tracked: bool) {
        let _alone = self.pool.lock();
        self.tally(self.pool_thread()).note_calls(command, 1, time, tracked);
    }

    /// Counts an error reply, from its first byte on, to a call that was run or rejected. It may
    /// come from any thread; where two count at once, one may be lost.
    #[cold]
    pub fn note_error(&self, thread: usize, command: Option<usize>, rejected: bool, reply: &[u8]) {
        let cells = self.threads.get(thread);
        if let Some(cell) = cells.and_then(|cells| cells.get(command?)) {
            add(if rejected { &cell.rejected } else { &cell.failed }, 1);
        }
        let code = reply.strip_prefix(b"-").unwrap_or(reply);
        let end = code.iter().position(|byte| b" \r\n".contains(byte)).unwrap_or(code.len());
        let code = String::from_utf8_lossy(&code[..end]).into_owned();
        let mut errors = self.errors.lock();
        if errors.len() < ERROR_KINDS_MAX || errors.contains_key(&code) {
            *errors.entry(code).or_default() += 1;
        }
    }

    /// The number by which the worker pool counts its errors.
    pub fn pool_thread(&self) -> usize {
        self.threads.len() - 1
    }

    /// A command's counters, by its row's index.
    pub fn totals(&self, command: usize) -> Totals {
        let mut ticks = 0u64;
        let mut totals = Totals::default();
        for cell in self.threads.iter().filter_map(|cells| cells.get(command)) {
            totals.calls += cell.calls.load(Relaxed);
            ticks = ticks.wrapping_add(cell.ticks.load(Relaxed));
            totals.failed += cell.failed.load(Relaxed);
            totals.rejected += cell.rejected.load(Relaxed);
            if let Some(histogram) = cell.histogram.get() {
                totals.times.add(histogram);
            }
        }
        totals.calls += totals.times.count();
        totals.nanos = self.nanos(Ticks(ticks));
        totals.times.ticks_per_us = self.ticks_per_us;
        totals
    }

    /// Calls of all commands.
    pub fn calls(&self) -> u64 {
        let timed = |cell: &Cell| {
            let counts = cell.histogram.get().map(|histogram| &histogram.counts);
            counts.into_iter().flatten().map(|count| count.load(Relaxed)).sum::<u64>()
        };
        let cells = self.threads.iter().flatten();
        cells.map(|cell| cell.calls.load(Relaxed) + timed(cell)).sum()
    }

    /// Error replies by their first word, in its order.
    pub fn errors(&self) -> Vec<(String, u64)> {
        self.errors.lock().iter().map(|(code, count)| (code.clone(), *count)).collect()
    }

    /// Sets all counters to zero. What a thread counts meanwhile may be kept or lost.
    pub fn reset(&self) {
        for cell in self.threads.iter().flatten() {
            for counter in [&cell.calls, &cell.ticks, &cell.failed, &cell.rejected] {
                counter.store(0, Relaxed);
            }
            if let Some(histogram) = cell.histogram.get() {
                histogram.counts.iter().for_each(|count| count.store(0, Relaxed));
            }
        }
        self.errors.lock().clear();
    }
}

/// Buckets per power of two: bounds are a sixteenth apart.
const STEPS: usize = 1 << STEP_BITS;
const STEP_BITS: u32 = 4;
/// Longer times count as this one: more than two seconds at four ticks in a nanosecond.
const TICKS_MAX: u64 = (1 << 33) - 1;
const BUCKETS: usize = bucket_of(TICKS_MAX) + 1;

struct Histogram {
    counts: [AtomicU64; BUCKETS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; BUCKETS] }
    }
}

/// The bucket of a time: exact below sixteen ticks, then sixteen to each power of two.
#[inline]
const fn bucket_of(ticks: u64) -> usize {
    let ticks = if ticks > TICKS_MAX { TICKS_MAX } else { ticks };
    // With the lowest of these bits set, small times need no case of their own.
    let shift = (ticks | STEPS as u64).ilog2() - STEP_BITS;
    (shift as usize) * STEPS + (ticks >> shift) as usize
}

/// The longest time that falls into a bucket, in ticks.
const fn bound_of(bucket: usize) -> u64 {
    if bucket < STEPS {
        return bucket as u64;
    }
    let shift = bucket / STEPS - 1;
    let first = (bucket % STEPS + STEPS) as u64;
    ((first + 1) << shift) - 1
}

/// How long calls took: counts by time.
#[derive(Clone)]
pub struct Times {
    counts: [u64; BUCKETS],
    ticks_per_us: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], ticks_per_us: 1 }
    }
}

impl Times {
    fn add(&mut self, histogram: &Histogram) {
        for (sum, count) in self.counts.iter_mut().zip(&histogram.counts) {
            *sum += count.load(Relaxed);
        }
    }

    /// Calls counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Calls that took at most so many microseconds, to within a sixteenth of that.
    pub fn count_up_to(&self, us: u64) -> u64 {
        let ticks = us.saturating_mul(self.ticks_per_us);
        let within = |(bucket, _): &(usize, &u64)| bound_of(*bucket) <= ticks;
        self.counts.iter().enumerate().take_while(within).map(|(_, count)| count).sum()
    }

    /// The time in microseconds that so many per cent of the calls did not exceed, to within a
    /// sixteenth; zero when there were none.
    pub fn percentile(&self, percent: f64) -> f64 {
        let wanted = (self.count() as f64 * percent.clamp(0.0, 100.0) / 100.0).ceil().max(1.0);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen as f64 >= wanted {
                return bound_of(bucket) as f64 / self.ticks_per_us as f64;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_falls_into_a_bucket_whose_bound_is_near() {
        let mut last = 0;
        for nanos in (0..5000).chain((13..30).flat_map(|power| {
            let base = 1u64 << power;
            [base - 1, base, base + 1, base + base / 3]
        })) {
            let bucket = bucket_of(nanos);
            assert!(bucket >= last || nanos < 5000, "{nanos}");
            assert!(bound_of(bucket) >= nanos && bound_of(bucket) <= nanos + nanos / 16, "{nanos}");
            assert!(bucket == 0 || bound_of(bucket - 1) < nanos, "{nanos}");
            last = bucket;
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn counters_are_summed_over_threads() {
        let stats = Stats::new(2, 3);
        for us in 1..=100 {
            stats.tally(us as usize % 2).note_calls(1, 1, stats.micros(us), true);
        }
        stats.note_pool_call(1, stats.micros(5_000_000), true);
        stats.tally(0).note_calls(2, 3, Ticks(21), false);
        stats.note_error(0, Some(1), false, b"-WRONGTYPE Operation\r\n");
        stats.note_error(1, Some(1), true, b"-ERR wrong\r\n");
        stats.note_error(1, None, true, b"-ERR\r\n");
        let totals = stats.totals(1);
        assert_eq!((totals.calls, totals.failed, totals.rejected), (101, 1, 1));
        let expected = (5050 + 5_000_000) * 1000;
        assert!(totals.nanos.abs_diff(expected) < expected / 100, "{}", totals.nanos);
        assert_eq!((totals.times.count(), stats.totals(2).times.count()), (101, 0));
        let median = totals.times.percentile(50.0);
        assert!((50.0..=55.0).contains(&median), "{median}");
        assert!(totals.times.percentile(100.0) > 1e6);
        assert_eq!((totals.times.count_up_to(u64::MAX), totals.times.count_up_to(110)), (101, 100));
        assert_eq!(stats.errors(), [("ERR".to_owned(), 2), ("WRONGTYPE".to_owned(), 1)]);
        stats.reset();
        assert_eq!((stats.calls(), stats.totals(1).calls), (0, 0));
    }
}
