//! What is done ten times a second: removing expired keys, and taking samples for INFO.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::latency::event;
use crate::server::{Server, now_ms};

/// Time between two samples of what is cheap to count,
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// and of what is summed over all connections.
const SUM_EVERY: Duration = Duration::from_secs(1);
/// Samples from which the rate of the first kind follows.
const SAMPLES: usize = 16;
/// Samples from which that of the second kind follows.
const SUMS: usize = 3;

/// The state of what is done from time to time.
pub struct Cron {
    /// Whether expired keys are removed although nobody asks for them.
    pub expires_actively: AtomicBool,
    /// Whether all of it is suspended.
    pub is_paused: AtomicBool,
    expire_nanos: AtomicU64,
    expire_capped: AtomicU64,
    samples: Mutex<Samples>,
}

/// What samples have shown.
struct Samples {
    commands: Rate,
    turns: Rate,
    turn_nanos: Rate,
    bytes_in: Rate,
    bytes_out: Rate,
    peak: u64,
    peak_unix_s: u64,
}

/// How fast a counter rises.
#[derive(Default)]
struct Rate(VecDeque<(Instant, u64)>);

/// Rates per second.
#[derive(Clone, Copy, Default, Debug)]
pub struct Rates {
    /// Commands.
    pub commands: f64,
    /// Turns of the threads' loops.
    pub turns: f64,
    /// Nanoseconds of these turns.
    pub turn_nanos: f64,
    /// Bytes read.
    pub bytes_in: f64,
    /// Bytes written.
    pub bytes_out: f64,
}

impl Rate {
    /// Takes a sample, and forgets the oldest if there are more than `keep`.
    fn sample(&mut self, now: Instant, keep: usize, count: u64) {
        self.0.push_back((now, count));
        if self.0.len() > keep {
            self.0.pop_front();
        }
    }

    /// Whether the last sample is old enough for another.
    fn is_due(&self, now: Instant, every: Duration) -> bool {
        self.0.back().is_none_or(|(last, _)| now.duration_since(*last) >= every)
    }

    fn per_second(&self) -> f64 {
        let (Some((since, first)), Some((until, last))) = (self.0.front(), self.0.back()) else {
            return 0.0;
        };
        let seconds = until.duration_since(*since).as_secs_f64();
        if seconds > 0.0 { last.saturating_sub(*first) as f64 / seconds } else { 0.0 }
    }
}

impl Default for Cron {
    fn default() -> Self {
        Self {
            expires_actively: AtomicBool::new(true),
            is_paused: AtomicBool::new(false),
            expire_nanos: AtomicU64::new(0),
            expire_capped: AtomicU64::new(0),
            samples: Mutex::new(Samples {
                commands: Rate::default(),
                turns: Rate::default(),
                turn_nanos: Rate::default(),
                bytes_in: Rate::default(),
                bytes_out: Rate::default(),
                peak: 0,
                peak_unix_s: 0,
            }),
        }
    }
}

impl Cron {
    /// Does a thread's part. Whether there are more expired keys than it may remove at once.
    pub fn tick(&self, server: &'static Server, thread: usize) -> bool {
        if self.is_paused.load(Relaxed) {
            return false;
        }
        if thread == 0 {
            self.sample(server);
        }
        self.expires_actively.load(Relaxed) && self.expire(server, thread)
    }

    fn expire(&self, server: &'static Server, thread: usize) -> bool {
        let (since, now_ms) = (Instant::now(), now_ms());
        let (_, more) = keyspace::expire::sweep(server.keyspace, now_ms, thread, server.threads);
        let took = since.elapsed();
        self.expire_nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(0), Relaxed);
        self.expire_capped.fetch_add(u64::from(more), Relaxed);
        let threshold_ms = server.config.latency_threshold_ms.load(Relaxed);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        if threshold_ms > 0 && took_ms >= threshold_ms {
            server.latency.note(event::EXPIRE_CYCLE, now_ms / 1000, took_ms);
        }
        more
    }

    fn sample(&self, server: &Server) {
        let now = Instant::now();
        let mut samples = self.samples.lock();
        if !samples.commands.is_due(now, SAMPLE_EVERY) {
            return;
        }
        samples.commands.sample(now, SAMPLES, server.stats.calls());
        let (turns, ticks) = server.turns.sums();
        samples.turns.sample(now, SAMPLES, turns);
        samples.turn_nanos.sample(now, SAMPLES, server.stats.nanos(ticks));
        if samples.bytes_in.is_due(now, SUM_EVERY) {
            let traffic = server.clients.traffic();
            samples.bytes_in.sample(now, SUMS, traffic.bytes_in);
            samples.bytes_out.sample(now, SUMS, traffic.bytes_out);
        }
        samples.note_peak();
    }

    /// How fast counters rise now.
    pub fn rates(&self) -> Rates {
        let samples = self.samples.lock();
        Rates {
            commands: samples.commands.per_second(),
            turns: samples.turns.per_second(),
            turn_nanos: samples.turn_nanos.per_second(),
            bytes_in: samples.bytes_in.per_second(),
            bytes_out: samples.bytes_out.per_second(),
        }
    }

    /// When most memory was used, in seconds of Unix time.
    pub fn peak_unix_s(&self) -> u64 {
        let mut samples = self.samples.lock();
        samples.note_peak();
        samples.peak_unix_s
    }

    /// Time spent on removing expired keys, in nanoseconds, and how often there were more of them
    /// than could be removed at once.
    pub fn expiry(&self) -> (u64, u64) {
        (self.expire_nanos.load(Relaxed), self.expire_capped.load(Relaxed))
    }

    /// Forgets what was counted.
    pub fn reset(&self) {
        self.expire_nanos.store(0, Relaxed);
        self.expire_capped.store(0, Relaxed);
        self.samples.lock().commands = Rate::default();
    }
}

impl Samples {
    fn note_peak(&mut self) {
        let peak = memory::peak();
        if peak > self.peak {
            self.peak = peak;
            self.peak_unix_s = now_ms() / 1000;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_follows_from_the_samples_that_are_kept() {
        let (mut rate, start) = (Rate::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(rate.per_second(), 0.0);
        rate.sample(at(0), 3, 1000);
        assert!(rate.per_second() == 0.0 && !rate.is_due(at(50), SAMPLE_EVERY));
        for (ms, count) in [(100, 1010), (200, 1030), (300, 1060)] {
            assert!(rate.is_due(at(ms), SAMPLE_EVERY));
            rate.sample(at(ms), 3, count);
        }
        assert_eq!((rate.per_second(), rate.0.len()), (250.0, 3));
    }
}
