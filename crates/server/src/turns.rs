//! Turns of the threads' loops: how many there were, and how long they took without waiting.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::counter::add;
use crate::stats::Ticks;

/// One thread's turns, in a cache line of their own.
#[repr(align(64))]
#[derive(Default)]
struct Own {
    count: AtomicU64,
    ticks: AtomicU64,
}

/// The turns of all threads.
pub struct Turns(Box<[Own]>);

impl Turns {
    /// No turns yet, of so many threads.
    pub fn new(threads: usize) -> Self {
        Self((0..threads).map(|_| Own::default()).collect())
    }

    /// Notes a turn; only for its own thread.
    #[inline]
    pub fn note(&self, thread: usize, time: Ticks) {
        if let Some(own) = self.0.get(thread) {
            add(&own.count, 1);
            add(&own.ticks, time.0);
        }
    }

    /// Turns since the start, and their time.
    pub fn sums(&self) -> (u64, Ticks) {
        let sum = |of: fn(&Own) -> &AtomicU64| self.0.iter().map(|own| of(own).load(Relaxed)).sum();
        (sum(|own| &own.count), Ticks(sum(|own| &own.ticks)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_summed_over_threads() {
        let turns = Turns::new(2);
        turns.note(0, Ticks(3));
        turns.note(1, Ticks(4));
        turns.note(1, Ticks(5));
        assert_eq!(turns.sums(), (3, Ticks(12)));
    }
}
