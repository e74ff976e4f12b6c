//! How much clients may make the server keep: limits of one connection's output by its class, and
//! of what all connections keep together.
//!
//! The sum is published by each thread ten times a second. Where it is too much, those connections
//! go first that keep most and have neither taken nor sent anything for a while: who reads slowly
//! but reads is not the trouble.
//!
//! Unless `maxmemory-clients` says otherwise, output and input are looked at apart. Output that
//! nobody takes ([`OUTPUT_MAX`]) is the mark of a reader that has stopped, and buys nothing. Input
//! in large amounts is what clients do that store large values, so its limit is higher
//! ([`INPUT_MAX`]) and those who send have more time. A value that is stored anyway is not counted
//! while it is being sent.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;

use crate::config::{Config, OutputLimit};
use crate::kept::Kept;

/// Bytes of output that all connections may keep.
const OUTPUT_MAX: u64 = 96 * 1024 * 1024;
/// Bytes of input that all connections may keep.
const INPUT_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Bytes of replies that no limit is held against.
const UNCOUNTED_MAX: usize = 16 * 1024;
/// Why a connection is closed.
const OVER_HARD: &str = "its output is over the hard limit of client-output-buffer-limit";

/// Which limits a connection's output has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// An ordinary client.
    Normal,
    /// A replica.
    #[expect(dead_code, reason = "there is no replication yet")]
    Replica,
    /// A subscriber.
    #[expect(dead_code, reason = "there is no pub/sub yet")]
    Pubsub,
}

impl Class {
    fn limit(self, config: &Config) -> OutputLimit {
        let limits = config.output_limits.read();
        match self {
            Self::Normal => limits.normal,
            Self::Replica => limits.replica,
            Self::Pubsub => limits.pubsub,
        }
    }

    /// Why a connection of this class is to be closed, if its next replies are too much.
    ///
    /// As in Redis, what fits a small buffer does not count, but what is larger does even if the
    /// other side would take it at once.
    #[inline]
    pub fn refusal(self, config: &Config, replies: usize, kept: usize) -> Option<&'static str> {
        if replies <= UNCOUNTED_MAX {
            return None;
        }
        let limit = self.limit(config).hard_bytes;
        (limit > 0 && replies.saturating_add(kept) as u64 > limit).then_some(OVER_HARD)
    }

    /// Why a connection of this class is to be closed, if what it keeps is too much.
    pub fn objection(self, config: &Config, kept: &mut Kept, now_ms: u64) -> Option<&'static str> {
        let limit = self.limit(config);
        let over = |bytes: u64| bytes > 0 && kept.len() as u64 > bytes;
        if over(limit.hard_bytes) {
            return Some(OVER_HARD);
        }
        if !over(limit.soft_bytes) {
            kept.over_soft_since_ms = None;
            return None;
        }
        let since_ms = *kept.over_soft_since_ms.get_or_insert(now_ms);
        let is_long = now_ms.saturating_sub(since_ms) > limit.soft_s.saturating_mul(1000);
        is_long.then_some("its output is over the soft limit of client-output-buffer-limit")
    }
}

/// What all connections keep.
pub struct Pressure {
    threads: Box<[Sums]>,
    /// One thread at a time closes connections, so that no two do it for the same excess.
    closing: Mutex<()>,
}

#[derive(Default)]
struct Sums {
    input: AtomicU64,
    output: AtomicU64,
}

/// What there is too much of.
#[derive(Clone, Copy)]
pub struct Excess {
    /// Whether input counts.
    pub input: bool,
    /// Whether output counts.
    pub output: bool,
    /// Bytes too many.
    pub bytes: u64,
}

impl Excess {
    /// What counts of a connection's input and output.
    pub fn part(&self, input: usize, output: usize) -> usize {
        let (input, output) = (input * usize::from(self.input), output * usize::from(self.output));
        input.saturating_add(output)
    }
}

impl Pressure {
    /// Nothing is kept yet.
    pub fn new(threads: usize) -> Self {
        Self { threads: (0..threads).map(|_| Sums::default()).collect(), closing: Mutex::new(()) }
    }

    /// Says what the connections of a thread keep; only for that thread.
    pub fn publish(&self, thread: usize, input: usize, output: usize) {
        self.threads[thread].input.store(input as u64, Relaxed);
        self.threads[thread].output.store(output as u64, Relaxed);
    }

    /// Adds output of a thread that it has not published yet; only for that thread.
    pub fn add_output(&self, thread: usize, bytes: usize) {
        self.threads[thread].output.fetch_add(bytes as u64, Relaxed);
    }

    /// Bytes of input and of output that are kept.
    pub fn sums(&self) -> (u64, u64) {
        let sum = |of: fn(&Sums) -> &AtomicU64| {
            self.threads.iter().map(|sums| of(sums).load(Relaxed)).sum()
        };
        (sum(|sums| &sums.input), sum(|sums| &sums.output))
    }

    /// What there is too much of, if there is.
    pub fn excess(&self, config: &Config) -> Option<Excess> {
        let (input, output) = self.sums();
        match config.clients_memory_max.load(Relaxed) {
            0 if output > OUTPUT_MAX => {
                Some(Excess { input: false, output: true, bytes: output - OUTPUT_MAX })
            }
            0 if input > INPUT_MAX => {
                Some(Excess { input: true, output: false, bytes: input - INPUT_MAX })
            }
            max if max > 0 && input + output > max => {
                Some(Excess { input: true, output: true, bytes: input + output - max })
            }
            _ => None,
        }
    }

    /// Calls `close` if there is too much, and no other thread is at it.
    pub fn relieve(&self, config: &Config, close: impl FnOnce(Excess)) {
        if let Some(_one) = self.closing.try_lock()
            && let Some(excess) = self.excess(config)
        {
            close(excess);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_too_much_at_once_or_after_a_while() {
        let config = Config::default();
        config.output_limits.write().normal =
            OutputLimit { hard_bytes: 100, soft_bytes: 10, soft_s: 2 };
        let mut kept = Kept::new(0);
        let mut check = |bytes: usize, now_ms| {
            kept = Kept::new(0);
            kept.add_bytes(vec![0; bytes]);
            Class::Normal.objection(&config, &mut kept, now_ms).is_some()
        };
        assert!(check(101, 0));
        assert!(!check(100, 0));
        kept = Kept::new(0);
        kept.add_bytes(vec![0; 11]);
        for (now_ms, expected) in [(1000, false), (3000, false), (3001, true)] {
            let objection = Class::Normal.objection(&config, &mut kept, now_ms);
            assert_eq!(objection.is_some(), expected, "after {now_ms} ms");
        }
    }

    #[test]
    fn small_replies_are_not_counted() {
        let config = Config::default();
        assert_eq!(Class::Normal.refusal(&config, usize::MAX, 0), None);
        config.output_limits.write().normal =
            OutputLimit { hard_bytes: 20_000, ..OutputLimit::default() };
        assert_eq!(Class::Normal.refusal(&config, UNCOUNTED_MAX, 20_000), None);
        assert_eq!(Class::Normal.refusal(&config, 20_000, 0), None);
        assert_eq!(Class::Normal.refusal(&config, 20_001, 0), Some(OVER_HARD));
        assert_eq!(Class::Normal.refusal(&config, 20_000, 1), Some(OVER_HARD));
    }

    #[test]
    fn the_sum_of_all_threads_counts() {
        let (config, pressure) = (Config::default(), Pressure::new(2));
        pressure.publish(0, 100, OUTPUT_MAX as usize);
        assert!(pressure.excess(&config).is_none());
        pressure.add_output(1, 7);
        let excess = pressure.excess(&config).expect("too much");
        assert_eq!((excess.bytes, excess.part(5, 6)), (7, 6));
        config.clients_memory_max.store(OUTPUT_MAX, Relaxed);
        let excess = pressure.excess(&config).expect("too much");
        assert_eq!((excess.bytes, excess.part(5, 6)), (107, 11));
    }
}
